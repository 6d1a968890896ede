/// A matrix inside a `Workspace`: where its numbers lie, not the numbers.
package struct Panel: Sendable {
    /// Number of the first element in the workspace.
    package let offset: Int
    package let rows: Int
    package let columns: Int
    /// Distance between the starts of two rows, in elements; at least `columns`.
    package let stride: Int

    /// How many numbers it holds.
    package var count: Int { rows * columns }

    /// Whether its rows follow one another without a gap.
    package var isContiguous: Bool { stride == columns || rows == 1 }

    /// One row, as a panel.
    package func row(_ index: Int) -> Panel { rows(index..<index + 1) }

    /// Some consecutive rows.
    package func rows(_ range: Range<Int>) -> Panel {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= rows, "Panel: rows \(range) of \(rows)")
        return Panel(
            offset: offset + range.lowerBound * stride, rows: range.count, columns: columns,
            stride: stride)
    }

    /// Every `step`-th row from `first` on, as many as there are whole steps of rows.
    package func rows(every step: Int, from first: Int) -> Panel {
        precondition(
            step > 0 && first >= 0 && first < step && rows % step == 0,
            "Panel: every \(step). row of \(rows) from \(first)")
        return Panel(
            offset: offset + first * stride, rows: rows / step, columns: columns,
            stride: stride * step)
    }

    /// So many rows, `step` apart, from `first` on.
    package func rows(_ count: Int, every step: Int, from first: Int) -> Panel {
        precondition(
            count >= 0 && step > 0 && first >= 0
                && (count == 0 || first + (count - 1) * step < rows),
            "Panel: \(count) of \(rows) rows, every \(step). from \(first)")
        return Panel(
            offset: offset + first * stride, rows: count, columns: columns, stride: stride * step)
    }

    /// Pieces of `length` rows each as rows of their own, `step` rows apart, from row `first` on; traps
    /// where they would overlap, or where the rows do not follow one another without a gap.
    package func pieces(_ count: Int, length: Int, every step: Int, from first: Int) -> Panel {
        precondition(
            count >= 0 && first >= 0 && length > 0 && step >= length && stride == columns
                && (count == 0 || first + (count - 1) * step + length <= rows),
            "Panel: \(count) pieces of \(length) rows, every \(step). from \(first), of \(rows)")
        return Panel(
            offset: offset + first * stride, rows: count, columns: length * columns,
            stride: step * stride)
    }

    /// Some consecutive columns of every row.
    package func columns(_ range: Range<Int>) -> Panel {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= columns,
            "Panel: columns \(range) of \(columns)")
        return Panel(
            offset: offset + range.lowerBound, rows: rows, columns: range.count, stride: stride)
    }

    /// The same numbers in rows of another length; traps unless they are contiguous and fit.
    package func reshaped(_ rows: Int, _ columns: Int) -> Panel {
        precondition(
            isContiguous && rows * columns == count,
            "Panel: \(self.rows)×\(self.columns) as \(rows)×\(columns)")
        return Panel(offset: offset, rows: rows, columns: columns, stride: columns)
    }

    /// Traps unless it has this many rows and columns.
    package func expect(_ rows: Int, _ columns: Int) {
        precondition(
            self.rows == rows && self.columns == columns,
            "Panel: \(self.rows)×\(self.columns) where \(rows)×\(columns) is expected")
    }

    /// How to walk through panels of equal extents: all of it in one run where none has gaps, else
    /// row by row.
    static func runs(
        _ first: Panel, _ second: Panel? = nil, _ third: Panel? = nil, _ fourth: Panel? = nil
    ) -> (count: Int, length: Int) {
        let others = (second ?? first, third ?? first, fourth ?? first)
        let isWhole =
            first.isContiguous && others.0.isContiguous && others.1.isContiguous
            && others.2.isContiguous
        return isWhole ? (1, first.count) : (first.rows, first.columns)
    }

    /// One past the last element that belongs to it.
    var end: Int { count == 0 ? offset : offset + (rows - 1) * stride + columns }
}

/// The plan of a workspace: hands out panels one after the other.
package struct WorkspaceLayout: Sendable {
    /// Elements handed out so far.
    package private(set) var count = 0

    package init() {}

    /// A panel of its own, aligned to 64 bytes for either kind of number.
    package mutating func reserve(_ rows: Int, _ columns: Int) -> Panel {
        precondition(rows >= 0 && columns >= 0, "WorkspaceLayout: \(rows)×\(columns)")
        let panel = Panel(offset: count, rows: rows, columns: columns, stride: columns)
        count += (rows * columns + 15) / 16 * 16
        return panel
    }

    /// What `body` hands out, and all of it as one row: to clear it, or to add it up, as a whole.
    package mutating func region<Parts>(
        _ body: (inout WorkspaceLayout) -> Parts
    ) -> (parts: Parts, whole: Panel) {
        let start = count
        let parts = body(&self)
        let size = count - start
        return (parts, Panel(offset: start, rows: 1, columns: size, stride: size))
    }
}
