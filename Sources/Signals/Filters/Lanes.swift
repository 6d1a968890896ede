internal import Tensors

/// Rows of one length side by side: what has to be done sample by sample is done for sixteen rows at
/// once, with the same arithmetic for each.
private struct RowLanes {
    static let width = 16

    let rows: Panel
    let lanes: Lanes

    init(_ layout: inout WorkspaceLayout, rows count: Int, length: Int) {
        rows = layout.reserve(count, length)
        lanes = Lanes(&layout, windows: count, length: length)
    }

    /// Whether rows can stand side by side.
    static func fit(_ rows: [[Double]]) -> Bool {
        rows.count > 1 && rows.allSatisfy { $0.count == rows[0].count } && !rows[0].isEmpty
    }

    /// What `work` does to sixteen rows at a time.
    static func map(
        _ rows: [[Double]], _ work: (ArraySlice<[Double]>) -> [[Double]]
    ) -> [[Double]] {
        stride(from: 0, to: rows.count, by: width).flatMap { first in
            work(rows[first..<min(first + width, rows.count)])
        }
    }

    /// Some columns of every row.
    func values(_ columns: Range<Int>, _ work: Workspace<Double>) -> [[Double]] {
        (0..<rows.rows).map { row in
            var values = [Double](repeating: 0, count: columns.count)
            work.store(rows.row(row).columns(columns), into: &values)
            return values
        }
    }
}

extension BiquadCascade {
    /// Filters rows to and fro, each as `zeroPhase` does it, to the last bit; many times faster where
    /// they have one length.
    package func zeroPhase(rows: [[Double]]) -> [[Double]] {
        guard RowLanes.fit(rows) else { return rows.map { zeroPhase($0) } }
        return RowLanes.map(rows) { zeroPhase(lanes: $0) }
    }

    /// At most sixteen rows of one length.
    private func zeroPhase(lanes rows: ArraySlice<[Double]>) -> [[Double]] {
        let count = rows[rows.startIndex].count
        let edge = min(edge, count - 1)
        var layout = WorkspaceLayout()
        let long = RowLanes(&layout, rows: rows.count, length: count + 2 * edge)
        let work = Workspace<Double>(uncleared: layout)
        for (index, x) in rows.enumerated() {
            let row = long.rows.row(index)
            let (first, last) = (x[0], x[count - 1])
            work.load(row.columns(edge..<edge + count), from: x)
            work.load(
                row.columns(0..<edge), from: (0..<edge).map { 2 * first - x[edge - $0] })
            work.load(
                row.columns(edge + count..<2 * edge + count),
                from: (0..<edge).map { 2 * last - x[count - 2 - $0] })
        }
        let coefficients = sections.flatMap { [$0.b0, $0.b1, $0.b2, $0.a1, $0.a2] }
        work.toLanes(long.rows, into: long.lanes)
        work.filter(long.lanes, sections: coefficients, .forward)
        work.filter(long.lanes, sections: coefficients, .backward)
        work.fromLanes(long.lanes, into: long.rows)
        return long.values(edge..<edge + count, work)
    }
}

extension PolyphaseResampler {
    /// Resamples rows, each as `resample` does it, to the last bit; many times faster where they
    /// have one length.
    package func resample(rows: [[Double]]) -> [[Double]] {
        guard RowLanes.fit(rows), up > 1 || down > 1 else { return rows.map { resample($0) } }
        return RowLanes.map(rows) { resample(lanes: $0) }
    }

    /// At most sixteen rows of one length.
    private func resample(lanes rows: ArraySlice<[Double]>) -> [[Double]] {
        let count = rows[rows.startIndex].count
        var layout = WorkspaceLayout()
        let old = RowLanes(&layout, rows: rows.count, length: count)
        let new = RowLanes(&layout, rows: rows.count, length: self.count(from: count))
        let work = Workspace<Double>(uncleared: layout)
        for (index, row) in rows.enumerated() { work.load(old.rows.row(index), from: row) }
        work.toLanes(old.rows, into: old.lanes)
        work.resample(old.lanes, into: new.lanes, taps: taps, up: up, down: down)
        work.fromLanes(new.lanes, into: new.rows)
        return new.values(0..<new.rows.columns, work)
    }
}
