import Foundation
package import Learning
package import Tensors

/// Runs a `StackVAE` over batches of windows: the loss with its gradient, or the error of every
/// channel.
///
/// Between layers a panel is `[feature, channel · batch]`, so that one row is a matrix
/// `[channel, batch]` that the graph mixes from the left.
package final class StackVAEPass<S: Scalar> {
    private let network: StackVAE
    /// Windows of a batch.
    package let batch: Int
    private let work: Workspace<S>
    private let flat: Panel
    private let flatGradient: Panel
    private let adjacency: Panel  // [channels, channels]
    private let mixer: Panel  // λ·adjacency + (1 − λ)·1
    private let slopes: Panel  // of the adjacency
    private let x: Panel  // [window, channels · batch]
    private let presence: Panel  // [window, channels · batch], 0 where a value is missing, else 1
    private let hidden: [Panel]  // before and behind each rectifier of the encoder
    private let mixed: Panel
    private let mean: Panel  // [latent, channels · batch]
    private let logVariance: Panel
    private let z: Panel
    private let decoded: [Panel]
    private let output: Panel
    private let spare: [Panel]  // [hidden, channels · batch]
    private let latentSpare: [Panel]
    private let residual: Panel
    private var trace: ChannelGraph.Trace?
    private var parameters: Parameters<S>

    package init(_ network: StackVAE, batch: Int) {
        let c = network.configuration
        let columns = c.channels * batch
        var layout = WorkspaceLayout()
        flat = layout.reserve(1, network.layout.count)
        flatGradient = layout.reserve(1, network.layout.count)
        adjacency = layout.reserve(c.channels, c.channels)
        mixer = layout.reserve(c.channels, c.channels)
        slopes = layout.reserve(c.channels, c.channels)
        x = layout.reserve(c.window, columns)
        presence = layout.reserve(c.window, columns)
        hidden = (0..<4).map { _ in layout.reserve(c.hidden, columns) }
        mixed = layout.reserve(c.hidden, columns)
        mean = layout.reserve(c.latent, columns)
        logVariance = layout.reserve(c.latent, columns)
        z = layout.reserve(c.latent, columns)
        decoded = (0..<4).map { _ in layout.reserve(c.hidden, columns) }
        output = layout.reserve(c.window, columns)
        spare = (0..<2).map { _ in layout.reserve(c.hidden, columns) }
        latentSpare = (0..<2).map { _ in layout.reserve(c.latent, columns) }
        residual = layout.reserve(c.window, columns)
        work = Workspace(layout)
        parameters = Parameters(zeros: network.layout)
        self.network = network
        self.batch = batch
    }

    /// Takes the parameters for the calls that follow.
    package func prepare(_ parameters: Parameters<S>) {
        self.parameters = parameters
        work.load(flat, from: parameters.values)
        let trace = network.graph.forward(parameters)
        let share = network.configuration.mixing
        let channels = network.configuration.channels
        work.load(adjacency, from: trace.adjacency.values.map { S($0) })
        let mixing = trace.adjacency.values.enumerated().map { place, value in
            S(share * value + (place % (channels + 1) == 0 ? 1 - share : 0))
        }
        work.load(mixer, from: mixing)
        self.trace = trace
    }

    /// Takes the next batch.
    ///
    /// - Parameters:
    ///   - windows: `[window, channels, batch]`, scaled; 0 where a value is missing.
    ///   - presence: Of the same shape, 0 where a value is missing and 1 elsewhere; nil where none is.
    package func load(_ windows: [S], presence: [S]? = nil) {
        work.load(x, from: windows)
        if let presence {
            work.load(self.presence, from: presence)
        } else {
            work.fill(self.presence, with: 1)
        }
    }

    /// The loss of the loaded batch, with its gradient.
    ///
    /// Per window the sum of squared errors, the divergence of the latent distribution from the
    /// standard normal one, and the sum of squared errors of the graph alone. A missing value is
    /// nobody's error.
    ///
    /// - Parameters:
    ///   - noise: Standard normal, `[latent, channels, batch]`.
    ///   - gradient: Filled.
    /// - Returns: The mean over the windows of the batch.
    package func step(noise: [S], gradient: inout Parameters<S>) -> Double {
        guard let trace else { preconditionFailure("StackVAEPass: step before prepare") }
        encode()
        let divergence = draw(noise)
        decode()
        work.fill(flatGradient)
        work.fill(slopes)
        let scale = 2 / S(batch)
        work.copy(output, to: residual)
        work.add(x, to: residual, times: -1)
        work.multiplyElements(residual, presence, into: residual)
        let error = work.dot(residual, residual)
        work.combine(scale, residual, 0, residual)
        backward(noise)
        let graphError = explain()
        work.store(flatGradient, into: &gradient.values)
        let slopes = Tensor(
            trace.adjacency.shape, work.values(self.slopes).map { Double($0) })
        network.graph.backward(slopes, trace, parameters, into: &gradient)
        return (error + divergence + graphError) / Double(batch)
    }

    /// The squared error of the last row of every loaded window, without noise.
    ///
    /// - Returns: `[channels, batch]`.
    package func errors() -> [S] {
        let made = expected()
        let seen = work.values(x.row(network.configuration.window - 1))
        return zip(seen, made).map { ($0 - $1) * ($0 - $1) }
    }

    /// What the last row of every loaded window is made as, without noise.
    ///
    /// - Returns: `[channels, batch]`, scaled.
    package func expected() -> [S] {
        encode()
        work.copy(mean, to: z)
        decode()
        return work.values(output.row(network.configuration.window - 1))
    }

    private func encode() {
        network.encoder[0].forward(x, into: hidden[0], flat, work)
        work.apply(.relu, hidden[0], into: hidden[1])
        network.encoder[1].forward(hidden[1], into: hidden[2], flat, work)
        work.apply(.relu, hidden[2], into: hidden[3])
        mix(hidden[3], into: mixed, transposed: false)
        network.mean.forward(mixed, into: mean, flat, work)
        network.logVariance.forward(mixed, into: logVariance, flat, work)
    }

    private func decode() {
        network.decoder[0].forward(z, into: decoded[0], flat, work)
        work.apply(.relu, decoded[0], into: decoded[1])
        network.decoder[1].forward(decoded[1], into: decoded[2], flat, work)
        work.apply(.relu, decoded[2], into: decoded[3])
        network.decoder[2].forward(decoded[3], into: output, flat, work)
    }

    /// Every row as `[channel, batch]`, times the mixer.
    private func mix(_ source: Panel, into target: Panel, transposed: Bool) {
        let channels = network.configuration.channels
        for row in 0..<source.rows {
            work.multiply(
                mixer, source.row(row).reshaped(channels, batch),
                into: target.row(row).reshaped(channels, batch), transposeA: transposed)
        }
    }

    /// Draws z, and returns the divergence of all its distributions.
    private func draw(_ noise: [S]) -> Double {
        let (means, logs) = (work.values(mean), work.values(logVariance))
        var drawn = means
        var divergence = 0.0
        for place in means.indices {
            let (m, l) = (Double(means[place]), Double(logs[place]))
            drawn[place] = S(m + exp(l / 2) * Double(noise[place]))
            divergence += (m * m + exp(l) - 1 - l) / 2
        }
        work.load(z, from: drawn)
        return divergence
    }

    /// From the slopes of the output in `residual` to all gradients but those of the graph's own
    /// parameters.
    private func backward(_ noise: [S]) {
        let (first, second) = (spare[0], spare[1])
        network.decoder[2].backward(
            residual, x: decoded[3], into: first, flat, gradient: flatGradient, work)
        work.applyBackward(.relu, decoded[2], first, into: first)
        network.decoder[1].backward(
            first, x: decoded[1], into: second, flat, gradient: flatGradient, work)
        work.applyBackward(.relu, decoded[0], second, into: second)
        network.decoder[0].backward(
            second, x: z, into: latentSpare[0], flat, gradient: flatGradient, work)
        slopesOfDistribution(noise)
        network.mean.backward(
            latentSpare[0], x: mixed, into: first, flat, gradient: flatGradient, work)
        network.logVariance.backward(
            latentSpare[1], x: mixed, into: second, flat, gradient: flatGradient, work)
        work.add(second, to: first)
        let channels = network.configuration.channels
        for row in 0..<first.rows {
            work.multiply(
                first.row(row).reshaped(channels, batch),
                hidden[3].row(row).reshaped(channels, batch), into: slopes, transposeB: true,
                alpha: S(network.configuration.mixing), beta: 1)
        }
        mix(first, into: second, transposed: true)
        work.applyBackward(.relu, hidden[2], second, into: second)
        network.encoder[1].backward(
            second, x: hidden[1], into: first, flat, gradient: flatGradient, work)
        work.applyBackward(.relu, hidden[0], first, into: first)
        network.encoder[0].backward(first, x: x, into: nil, flat, gradient: flatGradient, work)
    }

    /// From ∂L/∂z to those of mean and log-variance, with those of the divergence.
    private func slopesOfDistribution(_ noise: [S]) {
        let (means, logs) = (work.values(mean), work.values(logVariance))
        var (meanSlopes, logSlopes) = (work.values(latentSpare[0]), means)
        let share = 1 / Double(batch)
        for place in means.indices {
            let (slope, l) = (Double(meanSlopes[place]), Double(logs[place]))
            meanSlopes[place] = S(slope + Double(means[place]) * share)
            logSlopes[place] = S(
                slope * Double(noise[place]) * exp(l / 2) / 2 + (exp(l) - 1) / 2 * share)
        }
        work.load(latentSpare[0], from: meanSlopes)
        work.load(latentSpare[1], from: logSlopes)
    }

    /// The error of the graph alone, `x − adjacency·x`; adds to the slopes of the adjacency.
    private func explain() -> Double {
        let channels = network.configuration.channels
        var error = 0.0
        for row in 0..<x.rows {
            let seen = x.row(row).reshaped(channels, batch)
            let rest = residual.row(row).reshaped(channels, batch)
            work.copy(seen, to: rest)
            work.multiply(adjacency, seen, into: rest, alpha: -1, beta: 1)
            work.multiplyElements(
                rest, presence.row(row).reshaped(channels, batch), into: rest)
            error += work.dot(rest, rest)
            work.multiply(
                rest, seen, into: slopes, transposeB: true, alpha: -2 / S(batch), beta: 1)
        }
        return error
    }
}
