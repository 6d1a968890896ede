internal import Foundation
package import Tensors

/// Diagonal state spaces, one with `states / 2` conjugate pairs for every channel, on `[time, channel]`:
/// `x′ = A·x + u` held between samples, `y = 2·Re(C·x) + D·u`.
///
/// Where signals are short, or come in short pieces, they are convolved with the filters' taps; where they
/// are long they run through the recurrence, whose cost a sample depends on no length.
///
/// - Source: Gu, Gupta, Goel, Ré, NeurIPS 2022 (S4D), with zero-order hold and B = 1.
package struct S4D: Sendable {
    /// Where the eigenvalues begin.
    package enum Spectrum: String, Sendable, Codable, CaseIterable {
        /// Frequencies πn: a Fourier basis.
        case linear
        /// Frequencies that fall as 1/n: long memory.
        case inverse
        /// Those of the normal part of HiPPO-LegS.
        case legendre
        /// None at all: decays of 1, 2, 3 … alone.
        case real
    }

    /// The highest learning rate of steps and eigenvalues.
    package static var rateMaximum: Double { 1e-3 }

    /// Samples up to which taps cost less than the recurrence: two thirds of a state each.
    package static func isShort(_ length: Int, states: Int) -> Bool { length <= 6 * states }

    let logStep: Slot  // [width]
    let logDecay: Slot  // of −Re A, [width, states / 2]
    let frequency: Slot  // Im A, [width, states / 2]
    let output: Slot  // C, [width, states / 2, 2]
    let skip: Slot  // D, [width]
    package let width: Int
    package let states: Int

    /// Traps unless states is even, above zero, and no more than twice `DiagonalPanels.pairsMaximum`.
    package init(_ layout: inout ParameterLayout, width: Int, states: Int) {
        precondition(
            states > 0 && states % 2 == 0 && states / 2 <= DiagonalPanels.pairsMaximum,
            "S4D: \(states) states")
        (self.width, self.states) = (width, states)
        logStep = layout.add("log_dt", width, decayed: false)
        logDecay = layout.add("log_A_re", width, states / 2, decayed: false)
        frequency = layout.add("A_im", width, states / 2, decayed: false)
        output = layout.add("C", width, states / 2, 2)
        skip = layout.add("D", width, decayed: false)
    }

    /// The slots whose learning rate stays small: steps and eigenvalues.
    package var dynamics: [Slot] { [logStep, logDecay, frequency] }

    /// Draws C and D, and steps log-uniformly between two bounds, in samples.
    package func begin<S>(
        _ p: inout Parameters<S>, _ spectrum: Spectrum, steps: ClosedRange<Double>,
        _ random: inout RandomStream
    ) {
        let (low, high) = (log(steps.lowerBound), log(steps.upperBound))
        for i in logStep.range { p.values[i] = S(low + random.uniform() * (high - low)) }
        let first = Self.spectrum(spectrum, states: states)
        let pairs = states / 2
        for i in 0..<width * pairs {
            p.values[logDecay.offset + i] = S(first.logDecays[i % pairs])
            p.values[frequency.offset + i] = S(first.frequencies[i % pairs])
        }
        for i in output.range { p.values[i] = S(random.normal() * 0.5.squareRoot()) }
        p.drawNormal(skip, &random)
    }

    /// `log(−Re A)` and `Im A` of the kept eigenvalues of a channel, `[states / 2]` each.
    package static func spectrum(
        _ kind: Spectrum, states: Int
    ) -> (logDecays: [Double], frequencies: [Double]) {
        let count = states / 2
        let indices = (0..<count).map(Double.init)
        let halves = [Double](repeating: log(0.5), count: count)
        switch kind {
        case .linear: return (halves, indices.map { .pi * $0 })
        case .inverse:
            let n = Double(states)
            return (halves, indices.map { n / .pi * (n / (2 * $0 + 1) - 1) })
        case .legendre: return (halves, legendreFrequencies(states))
        case .real:
            return (indices.map { log($0 + 1) }, [Double](repeating: 0, count: count))
        }
    }

    /// The positive imaginary parts, ascending, of the eigenvalues of the normal part of HiPPO-LegS.
    ///
    /// - Source: Gu et al., NeurIPS 2020 (HiPPO); the skew part is `A + ½ + P·Pᵀ`.
    private static func legendreFrequencies(_ states: Int) -> [Double] {
        var skew = Tensor<Double>(zeros: [states, states])
        for i in 0..<states {
            for j in 0..<states where i != j {
                let value = (Double(2 * i + 1) * Double(2 * j + 1)).squareRoot() / 2
                skew[i, j] = i > j ? -value : value
            }
        }
        guard let found = eigenvalues(skew) else {
            preconditionFailure("S4D: no eigenvalues of a skew matrix of \(states)")
        }
        // One of every conjugate pair: the larger half of the imaginary parts, and their order.
        return found.map(\.im).sorted().suffix(states / 2).map { $0 }
    }

    func panels(_ flat: Panel) -> DiagonalPanels {
        DiagonalPanels(
            logStep: logStep.panel(in: flat), logDecay: logDecay.panel(in: flat),
            frequency: frequency.panel(in: flat), output: output.panel(in: flat),
            skip: skip.panel(in: flat))
    }
}

/// What follows from the parameters of diagonal state spaces alone.
package struct S4DWeights: Sendable {
    /// For signals up to so long, `[length, width]`; else the recurrence.
    package let taps: Panel?
    package let factors: DiagonalFactors?

    /// - Parameters:
    ///   - layout: Gives the memory.
    ///   - s4d: Whose weights.
    ///   - length: Of the longest piece; nil for the recurrence whatever the length.
    package init(_ layout: inout WorkspaceLayout, _ s4d: S4D, length: Int?) {
        let short = length.flatMap { S4D.isShort($0, states: s4d.states) ? $0 : nil }
        self.init(&layout, s4d, taps: short)
    }

    /// So many taps whatever they cost; the recurrence where nil.
    package init(_ layout: inout WorkspaceLayout, _ s4d: S4D, taps count: Int?) {
        taps = count.map { layout.reserve($0, s4d.width) }
        factors =
            count == nil
            ? DiagonalFactors(&layout, channels: s4d.width, pairs: s4d.states / 2) : nil
    }
}

/// The gradient of `S4DWeights`.
package struct S4DSlopes: Sendable {
    let taps: Panel?  // [length, width]
    let sums: Panel?  // [2·states, width]
    let skip: Panel?  // [1, width]

    package init(_ layout: inout WorkspaceLayout, _ s4d: S4D, like weights: S4DWeights) {
        taps = weights.taps.map { layout.reserve($0.rows, s4d.width) }
        sums = weights.taps == nil ? layout.reserve(2 * s4d.states, s4d.width) : nil
        skip = weights.taps == nil ? layout.reserve(1, s4d.width) : nil
    }

    /// Before gradients are added.
    package func clear<S>(_ work: Workspace<S>) {
        if let taps { work.fill(taps) }
        if let sums { work.fill(sums) }
        if let skip { work.fill(skip) }
    }
}

extension S4D {
    /// Makes what follows from the parameters alone, the whole filter times `factor`.
    package func prepare<S>(
        _ weights: S4DWeights, times factor: Double = 1, _ p: Panel, _ work: Workspace<S>
    ) {
        if let taps = weights.taps { work.diagonalTaps(panels(p), times: factor, into: taps) }
        if let factors = weights.factors {
            work.diagonalFactors(panels(p), times: factor, into: factors)
        }
    }

    /// u `[pieces·length, width]` → y, of the same rows; both may have gaps.
    ///
    /// - Parameters:
    ///   - u: What goes in.
    ///   - length: Rows of a piece; each begins at rest.
    ///   - y: Filled, other memory.
    ///   - state: Scratch `[states, width]`; afterwards the state behind the last row, where the weights are
    ///     a recurrence.
    ///   - weights: What `prepare` made.
    ///   - work: The memory of all panels.
    package func forward<S>(
        _ u: Panel, of length: Int, into y: Panel, state: Panel, _ weights: S4DWeights,
        _ work: Workspace<S>
    ) {
        if let taps = weights.taps {
            work.convolvePieces(u, of: length, taps: taps, into: y)
        } else if let factors = weights.factors {
            for first in stride(from: 0, to: u.rows, by: length) {
                let rows = first..<first + length
                work.fill(state)
                work.diagonalScan(u.rows(rows), factors, into: y.rows(rows), state: state)
            }
        }
    }

    /// The last row of every piece of `forward` alone: y `[pieces, width]`.
    package func forwardLast<S>(
        _ u: Panel, of length: Int, into y: Panel, _ weights: S4DWeights, _ work: Workspace<S>
    ) {
        guard let taps = weights.taps else {
            preconditionFailure("S4D: the last row of pieces of \(length)")
        }
        work.convolveLast(u, of: length, taps: taps, into: y)
    }

    /// Fills du with ∂L/∂u, and adds to the slopes.
    ///
    /// - Parameters:
    ///   - dy: `[pieces·length, width]`, without gaps.
    ///   - u: What `forward` was given, without gaps.
    ///   - length: As there.
    ///   - du: Filled, other memory than dy.
    ///   - state: Scratch `[states, width]`.
    ///   - weights: What `prepare` made.
    ///   - slopes: Gradients of those, which are added to; see `finish`.
    ///   - work: The memory of all panels.
    package func backward<S>(
        _ dy: Panel, u: Panel, of length: Int, into du: Panel, state: Panel,
        _ weights: S4DWeights, slopes: S4DSlopes, _ work: Workspace<S>
    ) {
        if let taps = weights.taps, let dtaps = slopes.taps {
            work.addTapSlopes(u, of: length, dy: dy, to: dtaps)
            work.convolvePieces(dy, of: length, taps: taps, into: du, reversed: true)
        } else if let factors = weights.factors, let sums = slopes.sums, let dskip = slopes.skip {
            work.addColumnProducts(u, dy, to: dskip)
            for first in stride(from: 0, to: u.rows, by: length) {
                let rows = first..<first + length
                work.addDiagonalSums(u.rows(rows), factors, dy: dy.rows(rows), to: sums)
                work.fill(state)
                work.diagonalScan(
                    dy.rows(rows), factors, into: du.rows(rows), state: state, reversed: true)
            }
        }
    }

    /// The adjoint of `forwardLast`: fills du, and adds to the slopes.
    package func backwardLast<S>(
        _ dy: Panel, u: Panel, of length: Int, into du: Panel, _ weights: S4DWeights,
        slopes: S4DSlopes, _ work: Workspace<S>
    ) {
        guard let taps = weights.taps, let dtaps = slopes.taps else {
            preconditionFailure("S4D: the last row of pieces of \(length)")
        }
        work.convolveLastBackward(u, of: length, taps: taps, dy: dy, into: du, dtaps: dtaps)
    }

    /// Adds what `slopes` has gathered to the gradients of all parameters; `factor` as in `prepare`.
    package func finish<S>(
        _ slopes: S4DSlopes, times factor: Double = 1, _ p: Panel, gradient: Panel,
        _ work: Workspace<S>
    ) {
        if let dtaps = slopes.taps {
            work.diagonalTapsBackward(
                panels(p), times: factor, dtaps: dtaps, to: panels(gradient))
        } else if let sums = slopes.sums, let dskip = slopes.skip {
            work.diagonalSumsBackward(
                panels(p), times: factor, sums: sums, dskip: dskip, to: panels(gradient))
        }
    }
}
