package import Tensors

/// Companion state spaces as filters: everything over a window is computed from one filtered signal.
///
/// With D the characteristic polynomial, `(I − z·A)⁻¹·b = P(z)/D(z)`, where P has d coefficients.
/// `w = z/D` is a recurrence with d taps; a readout `c·x` is a filter of w with the d taps `c·P_j`, and
/// the state after the window is P applied to the last d values of w. That is a fifth of the work of
/// convolving with kernels as long as the window, and exact for poles on the unit circle too: with
/// ‖a‖₁ ≤ 1 the response of 1/D never exceeds 1.
///
/// Sixteen state spaces are computed at once, one in every channel of a block.
///
/// - Source: The direct form II of a rational filter (Oppenheim, Schafer, Discrete-Time Signal
///   Processing, ch. 6).
package struct CompanionFilter: Sendable {
    /// A vector per state space.
    struct Vector: Sendable {
        let slot: Slot  // [heads, d]
        /// Whether it is divided by its L1 norm.
        let isNormalised: Bool
    }

    /// a, b, and one vector per readout: one or two.
    let vectors: [Vector]

    var heads: Int { vectors[0].slot.shape[0] }
    var d: Int { vectors[0].slot.shape[1] }
    /// Blocks of state spaces.
    package var blocks: Int { Blocks.count(channels: heads) }

    /// Traps unless all slots are of one shape and there are one or two readouts.
    init(a: Vector, b: Vector, readouts: [Vector]) {
        vectors = [a, b] + readouts
        precondition(
            (1...2).contains(readouts.count)
                && vectors.allSatisfy { $0.slot.shape == a.slot.shape },
            "CompanionFilter: \(vectors.map(\.slot.shape))")
    }

    /// The rows of one block in a panel `[heads, d]`.
    package func rows(_ block: Int, of panel: Panel) -> Panel {
        let first = block * Blocks.channels
        return panel.rows(first..<min(heads, first + Blocks.channels))
    }
}

/// What follows from the weights of one block of a `CompanionFilter`.
package struct FilterMemory: Sendable {
    /// One of its vectors.
    struct Column: Sendable {
        let given: Panel  // [d, 16]
        let used: Panel  // [d, 16]; normalised, where it is
    }

    let columns: [Column]  // of a, b and the readouts
    let numerators: Panel  // [d·step, 16]: P_j from group j·step on
    let feedback: BlockTaps  // α_j = a_{d−j}, j from 1
    let readouts: [BlockTaps]  // c·P_j
    /// Feedback of the closed loop, where the second readout is the next input: α_j + k·P_{j−1}.
    let closed: BlockTaps
    let d: Int

    /// Groups from one row of d to the next: an odd number, since powers of two share their places in
    /// a cache.
    package var step: Int { d | 1 }

    package init(_ layout: inout WorkspaceLayout, _ filter: CompanionFilter) {
        d = filter.d
        let d = d
        columns = filter.vectors.map { _ in
            Column(
                given: layout.reserve(d, Blocks.channels), used: layout.reserve(d, Blocks.channels))
        }
        numerators = layout.reserve(d * (d | 1), Blocks.channels)
        feedback = BlockTaps(&layout, count: d)
        readouts = filter.vectors.dropFirst(2).map { _ in BlockTaps(&layout, count: d) }
        closed = BlockTaps(&layout, count: readouts.count > 1 ? d : 0)
    }

    /// Element (j, i) is coefficient j of state i.
    func matrix(_ numerators: Panel) -> GroupMatrix {
        GroupMatrix(numerators, rows: d, columns: d, steps: (step, 1))
    }

    /// The last d values of every window's w, the newest first: element (window, j) is `w_{last−j}`.
    func recent(_ w: Panel, length: Int) -> GroupMatrix {
        GroupMatrix(
            w, rows: w.rows / length, columns: min(d, length), first: length - 1,
            steps: (length, -1))
    }

    /// States of windows, `[windows, d]` of groups.
    func states(_ panel: Panel) -> GroupMatrix {
        GroupMatrix(panel, rows: panel.rows / step, columns: d, steps: (step, 1))
    }
}

/// Gradients of one block of a `CompanionFilter`, and scratch for them.
package struct FilterGradient: Sendable {
    let columns: [Panel]  // [d, 16] each: of a, b and the readouts as they are used
    let numerators: Panel  // as in `FilterMemory`
    let lags: [Panel]  // [d, 16] each: of the feedback and of the readouts' taps
    private let given: Panel  // [d, 16]

    /// - Parameters:
    ///   - layout: Where the gradients are planned.
    ///   - filter: Whose gradients.
    ///   - isShare: Whether this only adds up over some windows without states, and is then added to
    ///     another one.
    package init(_ layout: inout WorkspaceLayout, _ filter: CompanionFilter, isShare: Bool = false)
    {
        let d = filter.d
        let whole = isShare ? 0 : d
        columns = filter.vectors.map { _ in layout.reserve(whole, Blocks.channels) }
        numerators = layout.reserve(whole * (d | 1), Blocks.channels)
        lags = filter.vectors.dropFirst().map { _ in layout.reserve(d, Blocks.channels) }
        given = layout.reserve(whole, Blocks.channels)
    }

    /// Sets everything that is added up to 0.
    package func clear<S>(_ work: Workspace<S>) {
        for panel in columns { work.fill(panel) }
        for panel in lags { work.fill(panel) }
        work.fill(numerators)
    }

    /// Adds what a share has added up over its windows.
    package func add<S>(_ other: FilterGradient, _ work: Workspace<S>) {
        for index in lags.indices { work.add(other.lags[index], to: lags[index]) }
    }

    fileprivate var spare: Panel { given }
}

extension CompanionFilter {
    /// Makes everything that follows from the weights of one block.
    package func prepare<S>(_ block: Int, _ memory: FilterMemory, _ p: Panel, _ work: Workspace<S>)
    {
        for (index, vector) in vectors.enumerated() {
            let column = memory.columns[index]
            let weights = rows(block, of: vector.slot.panel(in: p))
            work.toBlock(weights, into: column.given)
            if vector.isNormalised {
                work.normaliseBlock(column.given, into: column.used)
            } else {
                work.copy(column.given, to: column.used)
            }
        }
        let (a, b) = (memory.columns[0].used, memory.columns[1].used)
        for j in 0..<d { work.copy(a.row(d - 1 - j), to: memory.feedback.values.row(j)) }
        work.numerators(a: a, b: b, into: memory.numerators, step: memory.step)
        for (index, taps) in memory.readouts.enumerated() {
            work.multiply(
                memory.matrix(memory.numerators), Self.vertical(memory.columns[index + 2].used),
                into: Self.vertical(taps.values))
        }
        guard memory.readouts.count > 1 else { return }
        work.copy(memory.feedback.values, to: memory.closed.values)
        work.add(memory.readouts[1].values, to: memory.closed.values)
    }

    /// The filtered signal `w = z/D` of windows `[windows·length, 16]`; w may be z.
    package func filter<S>(
        _ z: Panel, into w: Panel, length: Int, _ memory: FilterMemory, _ work: Workspace<S>
    ) {
        work.autoregress(memory.feedback, z, into: w, length: length)
    }

    /// The readouts over windows `[windows·length, 16]`: step t has seen inputs up to t.
    package func read<S>(
        _ w: Panel, into first: Panel, _ second: Panel? = nil, length: Int,
        _ memory: FilterMemory, _ work: Workspace<S>
    ) {
        if let second {
            work.filter(
                memory.readouts[0], memory.readouts[1], w, into: first, second, length: length)
        } else {
            work.filter(memory.readouts[0], nil, w, into: first, length: length)
        }
    }

    /// The states after windows of `length`, `[windows·step, 16]`.
    package func states<S>(
        _ w: Panel, into states: Panel, length: Int, _ memory: FilterMemory, _ work: Workspace<S>
    ) {
        let recent = memory.recent(w, length: length)
        work.multiply(
            recent, memory.coefficients(memory.numerators, recent.columns),
            into: memory.states(states))
    }

    /// The adjoint of `filter`, `read` and `states` over some windows: what is known of ∂L/∂z and of
    /// the coefficients from outputs and states.
    ///
    /// - Parameters:
    ///   - w: What `filter` made.
    ///   - first: ∂L/∂ of the first readout; nil where it is not used.
    ///   - second: ∂L/∂ of the second one.
    ///   - dstates: ∂L/∂ of the states; nil where they are not used.
    ///   - dz: Filled with ∂L/∂z.
    ///   - length: Points in time of a window.
    ///   - memory: What `prepare` made.
    ///   - gradient: What this adds to.
    ///   - work: The memory of all panels.
    package func backward<S>(
        w: Panel, first: Panel?, second: Panel? = nil, dstates: Panel? = nil, into dz: Panel,
        length: Int, _ memory: FilterMemory, _ gradient: FilterGradient, _ work: Workspace<S>
    ) {
        let taps = memory.readouts
        if let first {
            work.filterBackward(
                taps[0], first, second == nil ? nil : taps[1], second, into: dz, length: length)
        } else {
            work.fill(dz)
        }
        if let dstates {
            let (recent, states) = (memory.recent(w, length: length), memory.states(dstates))
            let count = recent.columns
            work.multiply(
                states, memory.coefficients(memory.numerators, count).transposed,
                into: memory.recent(dz, length: length), adding: true)
            work.multiply(
                recent.transposed, states, into: memory.coefficients(gradient.numerators, count),
                adding: true)
        }
        work.autoregress(memory.feedback, dz, into: dz, length: length, reversed: true)
        work.lagProducts(
            w, (dz, gradient.lags[0]), first.map { ($0, gradient.lags[1]) },
            second.map { ($0, gradient.lags[2]) }, length: length)
    }

    /// Takes what `backward` has added up back to the weights of one block, whose gradients it sets.
    package func finish<S>(
        _ block: Int, _ memory: FilterMemory, _ gradient: FilterGradient, _ p: Panel,
        into flat: Panel, _ work: Workspace<S>
    ) {
        let (da, db) = (gradient.columns[0], gradient.columns[1])
        for j in 0..<d { work.add(gradient.lags[0].row(j), to: da.row(d - 1 - j)) }
        for index in 2..<memory.columns.count {
            let column = memory.columns[index]
            let dtaps = Self.vertical(gradient.lags[index - 1])
            work.multiply(
                memory.matrix(memory.numerators).transposed, dtaps,
                into: Self.vertical(gradient.columns[index]), adding: true)
            work.multiply(
                dtaps, Self.vertical(column.used).transposed,
                into: memory.matrix(gradient.numerators), adding: true)
        }
        work.numeratorsBackward(
            a: memory.columns[0].used, b: memory.columns[1].used, p: memory.numerators,
            dp: gradient.numerators, step: memory.step, da: da, db: db)
        for (index, vector) in vectors.enumerated() {
            let column = memory.columns[index]
            var received = gradient.columns[index]
            if vector.isNormalised {
                work.fill(gradient.spare)
                work.normaliseBlockBackward(
                    column.given, column.used, received, into: gradient.spare)
                received = gradient.spare
            }
            work.fromBlock(received, into: rows(block, of: vector.slot.panel(in: flat)))
        }
    }

    /// `[d, 16]` as one column.
    private static func vertical(_ panel: Panel) -> GroupMatrix {
        GroupMatrix(panel, rows: panel.rows, columns: 1, steps: (1, 1))
    }
}

extension FilterMemory {
    /// The first `count` coefficients of all states.
    fileprivate func coefficients(_ numerators: Panel, _ count: Int) -> GroupMatrix {
        GroupMatrix(numerators, rows: count, columns: d, steps: (step, 1))
    }
}
