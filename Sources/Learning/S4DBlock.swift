package import Tensors

/// Diagonal state spaces, GELU, a map to twice the width and a gated linear unit, on `[time, channel]`;
/// what comes out is added to a residual.
///
/// In training elements are dropped before and behind GELU. Since GELU(0) is 0, that is one mask: what
/// either drops is 0, and what both keep is scaled twice. The inner scale is the filter's, which is linear.
///
/// - Source: Gu, Goel, Ré, ICLR 2022 (S4), the block of the published HiSS.
package struct S4DBlock: Sendable {
    package let s4d: S4D
    let mix: (weight: Slot, bias: Slot)  // [2·width, width], [2·width]

    package var width: Int { s4d.width }

    package init(_ layout: inout ParameterLayout, width: Int, states: Int) {
        s4d = layout.scoped("ssm") { S4D(&$0, width: width, states: states) }
        mix = layout.scoped("mix") {
            ($0.add("weight", 2 * width, width), $0.add("bias", 2 * width, decayed: false))
        }
    }

    /// Draws all weights; see `S4D.begin`.
    package func begin<S>(
        _ p: inout Parameters<S>, _ spectrum: S4D.Spectrum, steps: ClosedRange<Double>,
        _ random: inout RandomStream
    ) {
        s4d.begin(&p, spectrum, steps: steps, &random)
        p.drawUniform(mix.weight, fanIn: width, &random)
        p.drawUniform(mix.bias, fanIn: width, &random)
    }

    /// Which elements one step of training drops.
    package struct Dropouts: Sendable {
        /// Around GELU.
        let inner: Dropout
        /// Of what is added to the residual.
        let outer: Dropout

        package static let none = Dropouts(inner: .none, outer: .none)

        private init(inner: Dropout, outer: Dropout) { (self.inner, self.outer) = (inner, outer) }

        /// - Parameters:
        ///   - key: Of the step and the layer.
        ///   - probability: Of each of the three masks.
        ///   - offset: Number of the first element that comes out, of all of the layer's.
        package init(key: UInt64, probability: Double, from offset: Int) {
            var random = RandomStream(seed: key)
            let kept = 1 - probability
            inner = Dropout(key: random.next(), probability: 1 - kept * kept, scale: 1 / kept)
                .from(offset)
            outer = Dropout(key: random.next(), probability: probability).from(offset)
        }

        /// What the filter is multiplied by in a training with this probability.
        package static func factor(_ probability: Double) -> Double { 1 / (1 - probability) }
    }
}

/// What follows from a block's weights alone.
package struct S4DBlockWeights: Sendable {
    package let s4d: S4DWeights
    let mix: Panel  // [width, 2·width]

    package init(_ layout: inout WorkspaceLayout, _ block: S4DBlock, length: Int?) {
        s4d = S4DWeights(&layout, block.s4d, length: length)
        mix = layout.reserve(block.width, 2 * block.width)
    }
}

/// What a block's forward pass leaves for its adjoint.
package struct S4DBlockSignals: Sendable {
    let filtered: Panel  // [rows, width], or of the wanted ones alone
    let mixed: Panel  // [wanted, 2·width]

    /// Traps unless `every` divides `rows`.
    package init(
        _ layout: inout WorkspaceLayout, _ block: S4DBlock, rows: Int, length: Int, every: Int
    ) {
        let isLast = length == every && S4D.isShort(length, states: block.s4d.states)
        filtered = layout.reserve(isLast ? rows / every : rows, block.width)
        mixed = layout.reserve(rows / every, 2 * block.width)
    }
}

/// Scratch of one thread for a block.
package struct S4DBlockScratch: Sendable {
    let state: Panel  // [states, width]
    let activated: Panel  // [rows, width]
    let slopes: Panel  // [rows, width]
    let spread: Panel  // [rows, width], where not every row is wanted
    let dmixed: Panel  // [rows, 2·width]

    package init(_ layout: inout WorkspaceLayout, _ block: S4DBlock, rows: Int, training: Bool) {
        state = layout.reserve(block.s4d.states, block.width)
        activated = layout.reserve(rows, block.width)
        slopes = layout.reserve(training ? rows : 0, block.width)
        spread = layout.reserve(training ? rows : 0, block.width)
        dmixed = layout.reserve(training ? rows : 0, 2 * block.width)
    }
}

extension S4DBlock {
    /// Makes what follows from the weights alone; `dropout` is the probability in a training.
    package func prepare<S>(
        _ weights: S4DBlockWeights, dropout: Double = 0, _ p: Panel, _ work: Workspace<S>
    ) {
        s4d.prepare(weights.s4d, times: Dropouts.factor(dropout), p, work)
        work.transpose(mix.weight.panel(in: p), into: weights.mix)
    }

    /// Whether a piece's last row alone is wanted, and taps give it by itself.
    private func isLast(_ length: Int, _ every: Int, _ weights: S4DBlockWeights) -> Bool {
        length == every && weights.s4d.taps != nil
    }

    /// The wanted rows of what the filters gave.
    private func wanted(_ signals: S4DBlockSignals, _ rows: Int, _ every: Int, last: Bool) -> Panel
    {
        let filtered = signals.filtered.rows(0..<(last ? rows / every : rows))
        return last || every == 1 ? filtered : filtered.rows(every: every, from: every - 1)
    }

    /// u `[rows, width]` → out = r + what the block makes of u, of the last one of every `every` rows:
    /// `[rows / every, width]`.
    ///
    /// - Parameters:
    ///   - u: Without gaps.
    ///   - length: Rows of a piece; each begins at rest.
    ///   - every: Divides length.
    ///   - r: `[rows / every, width]`; may have gaps.
    ///   - out: Filled; may have gaps, and may be r.
    ///   - dropouts: What is dropped; then `prepare` was told so.
    ///   - signals: Filled.
    ///   - scratch: Of the calling thread.
    ///   - weights: What `prepare` made.
    ///   - p: All parameters.
    ///   - work: The memory of all panels.
    package func forward<S>(
        _ u: Panel, of length: Int, every: Int, to r: Panel, into out: Panel, _ dropouts: Dropouts,
        _ signals: S4DBlockSignals, _ scratch: S4DBlockScratch, _ weights: S4DBlockWeights,
        _ p: Panel, _ work: Workspace<S>
    ) {
        let last = isLast(length, every, weights)
        let count = u.rows / every
        if last {
            s4d.forwardLast(
                u, of: length, into: signals.filtered.rows(0..<count), weights.s4d, work)
        } else {
            s4d.forward(
                u, of: length, into: signals.filtered.rows(0..<u.rows), state: scratch.state,
                weights.s4d, work)
        }
        let (activated, mixed) = (
            scratch.activated.rows(0..<count), signals.mixed.rows(0..<count)
        )
        work.gelu(
            wanted(signals, u.rows, every, last: last), into: activated, dropouts.inner)
        work.product(activated, weights.mix, into: mixed)
        work.gatedLinear(
            mixed, bias: mix.bias.panel(in: p), to: r, into: out, dropouts.outer)
    }

    /// Fills du with ∂L/∂u, and adds to the gradients of all weights; that for the residual is dout.
    ///
    /// - Parameters:
    ///   - dout: `[rows / every, width]`, without gaps.
    ///   - u: What `forward` was given.
    ///   - length: As there.
    ///   - every: As there.
    ///   - du: `[rows, width]`, without gaps, other memory than dout.
    ///   - dropouts: As there.
    ///   - signals: What `forward` filled.
    ///   - scratch: Of the calling thread.
    ///   - weights: What `prepare` made.
    ///   - slopes: Gradients of the filters, which are added to; see `finish`.
    ///   - p: All parameters.
    ///   - gradient: All their gradients.
    ///   - work: The memory of all panels.
    package func backward<S>(
        _ dout: Panel, u: Panel, of length: Int, every: Int, into du: Panel, _ dropouts: Dropouts,
        _ signals: S4DBlockSignals, _ scratch: S4DBlockScratch, _ weights: S4DBlockWeights,
        slopes: S4DSlopes, _ p: Panel, gradient: Panel, _ work: Workspace<S>
    ) {
        let last = isLast(length, every, weights)
        let count = u.rows / every
        let (activated, dmixed, dactivated) = (
            scratch.activated.rows(0..<count), scratch.dmixed.rows(0..<count),
            scratch.slopes.rows(0..<count)
        )
        work.gatedLinearBackward(
            signals.mixed.rows(0..<count), dy: dout, into: dmixed, dropouts.outer)
        work.product(dmixed, mix.weight.panel(in: p), into: dactivated)
        work.geluBackward(
            wanted(signals, u.rows, every, last: last), dactivated, value: activated,
            into: dactivated, dropouts.inner)
        work.product(
            dmixed, activated, into: mix.weight.panel(in: gradient), transposeA: true,
            adding: true)
        work.addColumnSums(dmixed, to: mix.bias.panel(in: gradient))
        if last {
            s4d.backwardLast(
                dactivated, u: u, of: length, into: du, weights.s4d, slopes: slopes, work)
            return
        }
        var dfiltered = dactivated
        if every > 1 {
            dfiltered = scratch.spread.rows(0..<u.rows)
            work.fill(dfiltered)
            work.copy(dactivated, to: dfiltered.rows(every: every, from: every - 1))
        }
        s4d.backward(
            dfiltered, u: u, of: length, into: du, state: scratch.state, weights.s4d,
            slopes: slopes, work)
    }

    /// Adds what `slopes` has gathered to the gradients of the filters' parameters.
    package func finish<S>(
        _ slopes: S4DSlopes, dropout: Double = 0, _ p: Panel, gradient: Panel, _ work: Workspace<S>
    ) {
        s4d.finish(slopes, times: Dropouts.factor(dropout), p, gradient: gradient, work)
    }
}

/// The panels of a block that takes one point in time after the other, besides its weights.
package struct S4DStep: Sendable {
    /// What is kept from one point in time to the next: the states of all filters.
    package let state: Panel  // [states, width]
    private let filtered: Panel  // [1, width]
    private let mixed: Panel  // [1, 2·width]

    /// - Parameters:
    ///   - layout: Gives the memory.
    ///   - block: Whose memory.
    ///   - state: `[states, width]`
    package init(_ layout: inout WorkspaceLayout, _ block: S4DBlock, state: Panel) {
        state.expect(block.s4d.states, block.width)
        self.state = state
        filtered = layout.reserve(1, block.width)
        mixed = layout.reserve(1, 2 * block.width)
    }

    /// One point in time: what the block makes of u `[1, width]` is added to r `[1, width]`, or, where that
    /// is nil, is not wanted.
    ///
    /// - Parameters:
    ///   - block: Whose memory this is.
    ///   - u: What goes in.
    ///   - r: The residual.
    ///   - weights: What `prepare` made, for the recurrence.
    ///   - p: All parameters.
    ///   - work: The memory of all panels.
    package func step<S>(
        _ block: S4DBlock, _ u: Panel, to r: Panel?, _ weights: S4DBlockWeights, _ p: Panel,
        _ work: Workspace<S>
    ) {
        guard let factors = weights.s4d.factors else {
            preconditionFailure("S4DStep: weights for pieces")
        }
        work.diagonalScan(u, factors, into: filtered, state: state)
        guard let r else { return }
        work.gelu(filtered, into: filtered)
        work.product(filtered, weights.mix, into: mixed)
        work.gatedLinear(mixed, bias: block.mix.bias.panel(in: p), to: r, into: r, .none)
    }
}
