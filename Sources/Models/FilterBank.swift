import Learning
import Tensors

/// The last `count` rows that were pushed, oldest first and without a gap: every row is kept twice.
struct DelayLine: Sendable {
    private let ring: Panel  // [2·count, lanes]
    let count: Int
    private var position = 0

    init(_ layout: inout WorkspaceLayout, count: Int, lanes: Int) {
        self.count = count
        ring = layout.reserve(2 * count, lanes)
    }

    /// `[count, lanes]`, the newest row last.
    var rows: Panel { ring.rows(position..<position + count) }

    mutating func push<S>(_ row: Panel, _ work: Workspace<S>) {
        work.copy(row, to: ring.row(position))
        work.copy(row, to: ring.row(position + count))
        position = (position + 1) % count
    }

    mutating func clear<S>(_ work: Workspace<S>) {
        work.fill(ring)
        position = 0
    }

    /// Takes rows that `rows` gave.
    mutating func restore<S>(_ values: [S], _ work: Workspace<S>) {
        position = 0
        work.load(ring.rows(0..<count), from: values)
        work.load(ring.rows(count..<2 * count), from: values)
    }
}

/// Companion state spaces as filters of order d, one in a lane: `w_t = u_t + Σ_{1≤j≤d} α_j·w_{t−j}`
/// with `α_j = a_{d−j}`, and outputs `Σ_{j<d} N_j·w_{t−j}`. The last d values of w are the state.
///
/// - Source: The direct form II of a rational filter (Oppenheim, Schafer, Discrete-Time Signal
///   Processing, ch. 6).
struct FilterBank: Sendable {
    /// Row i belongs to lag d − i.
    let feedback: Panel  // [d, lanes]
    /// Numerators; row i belongs to lag d − 1 − i.
    let outputs: [Panel]  // each [d, lanes]
    private(set) var past: DelayLine
    private let value: Panel  // [1, lanes or d, the longer]

    init(_ layout: inout WorkspaceLayout, d: Int, lanes: Int, outputs: Int) {
        feedback = layout.reserve(d, lanes)
        self.outputs = (0..<outputs).map { _ in layout.reserve(d, lanes) }
        past = DelayLine(&layout, count: d, lanes: lanes)
        value = layout.reserve(1, max(lanes, d))
    }

    /// Takes one input a lane, `[1, lanes]`.
    mutating func step<S>(_ input: Panel, _ work: Workspace<S>) {
        let row = value.columns(0..<input.columns)
        work.copy(input, to: row)
        work.addColumnProducts(past.rows, feedback, to: row)
        past.push(row, work)
    }

    /// Adds an output of the present state to `sum` `[1, lanes]`.
    func addOutput<S>(_ index: Int, to sum: Panel, _ work: Workspace<S>) {
        work.addColumnProducts(past.rows, outputs[index], to: sum)
    }

    mutating func clear<S>(_ work: Workspace<S>) { past.clear(work) }

    mutating func restore<S>(_ values: [S], _ work: Workspace<S>) { past.restore(values, work) }

    /// Sets the coefficients of all lanes.
    ///
    /// - Parameters:
    ///   - lanes: What stands in a lane: a, b and the rows whose outputs are wanted, all `[1, d]`.
    ///   - scratch: `[d, d]`
    ///   - work: The memory of all panels.
    func prepare<S>(
        _ lanes: [(a: Panel, b: Panel, rows: [Panel])], scratch: Panel, _ work: Workspace<S>
    ) {
        let (d, count) = (feedback.rows, feedback.columns)
        precondition(lanes.count == count, "FilterBank: \(lanes.count) of \(count) lanes")
        var tables = [[S]](
            repeating: [S](repeating: 0, count: d * count), count: 1 + outputs.count)
        for (lane, filter) in lanes.enumerated() {
            work.numerators(a: filter.a, b: filter.b, into: scratch)
            var columns = [work.values(filter.a)]
            for row in filter.rows {
                work.multiply(row, scratch, into: value.columns(0..<d), transposeB: true)
                columns.append(work.values(value.columns(0..<d)))
            }
            for (table, column) in columns.enumerated() {
                for i in 0..<d { tables[table][i * count + lane] = column[i] }
            }
        }
        for (panel, table) in zip([feedback] + outputs, tables) { work.load(panel, from: table) }
    }
}
