package import Learning
internal import Tensors

/// What a trained network says about the series: its kernels as ARMA filters, and the oscillations
/// and decays that its forecasts are made of.
package struct SpaceTimeReading: Sendable, Equatable, Codable {
    /// One kernel of the encoder.
    package struct Kernel: Sendable, Equatable, Codable {
        package let block: Int
        package let kernel: Int
        package let filter: RationalFilter
        package let modes: [RationalFilter.Mode]
    }

    /// One head of the closed loop.
    package struct Head: Sendable, Equatable, Codable {
        package let head: Int
        /// What the output makes of it: the largest weight of any variate.
        package let outputWeight: Double
        package let filter: RationalFilter
        package let modes: [RationalFilter.Mode]
    }

    /// Modes of several heads with nearly one period.
    package struct Component: Sendable, Equatable, Codable {
        /// Steps; nil where it only decays.
        package let period: Double?
        /// Steps, of the weightiest head; nil where it does not decay.
        package let halfLife: Double?
        /// Its share of all weights, in 0…1.
        package fileprivate(set) var share: Double
        package fileprivate(set) var heads: Int
    }

    package let encoder: [Kernel]
    package let decoder: [Head]

    /// Modes whose frequencies differ by less, in turns per step, count as one component.
    private static let frequencyTolerance = 0.003

    /// What forecasts are made of, the weightiest first: modes of all heads, those of nearly one
    /// frequency taken together.
    package var components: [Component] {
        let all = decoder.flatMap { head in
            head.modes.map { ($0, $0.weight * abs(head.outputWeight)) }
        }.sorted { $0.1 > $1.1 }
        let total = all.reduce(0) { $0 + $1.1 }
        guard total > 0 else { return [] }
        var components: [Component] = []
        for (mode, weight) in all {
            if let index = components.firstIndex(where: { Self.isNear($0.period, mode.period) }) {
                components[index].share += weight / total
                components[index].heads += 1
            } else {
                components.append(
                    Component(
                        period: mode.period, halfLife: mode.halfLife, share: weight / total,
                        heads: 1))
            }
        }
        return components.sorted { $0.share > $1.share }
    }

    private static func isNear(_ x: Double?, _ y: Double?) -> Bool {
        guard let x, let y else { return x == nil && y == nil }
        return abs(1 / x - 1 / y) < frequencyTolerance
    }
}

extension SpaceTimeNetwork {
    /// Reads the weights; takes some milliseconds a kernel.
    package func reading<S>(_ parameters: Parameters<S>) -> SpaceTimeReading {
        var kernels: [SpaceTimeReading.Kernel] = []
        for (index, block) in blocks.enumerated() {
            for g in 0..<block.ssm.kernels {
                let filter = block.ssm.filter(g, parameters)
                kernels.append(
                    SpaceTimeReading.Kernel(
                        block: index, kernel: g, filter: filter, modes: filter.modes ?? []))
            }
        }
        let weights = parameters[head.weight]
        let heads = (0..<decoder.heads).map { index in
            let filter = decoder.loop(index, parameters)
            let weight = (0..<configuration.variates).map { abs(Double(weights[$0, index])) }.max()
            return SpaceTimeReading.Head(
                head: index, outputWeight: weight ?? 0, filter: filter, modes: filter.modes ?? [])
        }
        return SpaceTimeReading(encoder: kernels, decoder: heads)
    }
}
