/// Signals of many channels over time, `[block, window, time, 16]`: sixteen channels side by side in a
/// block, so that a recurrence of one channel takes one lane, whatever the batch is.
///
/// Channels that the last block has beyond the number asked for stay 0 through every linear map.
package struct Blocks: Sendable {
    /// Channels in a block.
    package static let channels = 16

    /// Where everything lies, `[blocks·windows·length, 16]`.
    fileprivate let whole: Panel
    package let windows: Int
    /// Points in time of a window.
    package let length: Int

    /// How many blocks there are.
    package var count: Int { windows * length == 0 ? 0 : whole.rows / (windows * length) }

    /// Blocks for so many channels.
    package static func count(channels: Int) -> Int {
        (channels + Self.channels - 1) / Self.channels
    }

    package init(_ layout: inout WorkspaceLayout, channels: Int, windows: Int, length: Int) {
        whole = layout.reserve(
            Self.count(channels: channels) * windows * length, Self.channels)
        self.windows = windows
        self.length = length
    }

    /// One block, `[windows·length, 16]`.
    package func block(_ index: Int) -> Panel {
        whole.rows(index * windows * length..<(index + 1) * windows * length)
    }

    /// Some windows of one block, `[count·length, 16]`.
    package func block(_ index: Int, windows range: Range<Int>) -> Panel {
        block(index).rows(range.lowerBound * length..<range.upperBound * length)
    }

    /// One window in all blocks; every block of it is `[length, 16]`.
    package func window(_ index: Int) -> BlockColumn {
        BlockColumn(
            first: block(0, windows: index..<index + 1), count: count,
            step: windows * length * Self.channels)
    }
}

/// As many groups of sixteen channels over time as a network is wide, `[block, time, 16]`.
package struct BlockColumn: Sendable {
    /// `[length, 16]`
    let first: Panel
    package let count: Int
    /// Distance between two blocks, in elements.
    let step: Int

    /// One block, `[length, 16]`.
    package func block(_ index: Int) -> Panel {
        precondition(index >= 0 && index < count, "BlockColumn: block \(index) of \(count)")
        return Panel(
            offset: first.offset + index * step, rows: first.rows, columns: first.columns,
            stride: first.stride)
    }

    /// Scratch for one window.
    package init(_ layout: inout WorkspaceLayout, channels: Int, length: Int) {
        let blocks = Blocks(&layout, channels: channels, windows: 1, length: length)
        self.init(
            first: blocks.whole.rows(0..<(blocks.count == 0 ? 0 : length)), count: blocks.count,
            step: length * Blocks.channels)
    }

    init(first: Panel, count: Int, step: Int) {
        (self.first, self.count, self.step) = (first, count, step)
    }
}

/// The coefficients of sixteen filters, `[count, 16]`, with the zeros beside them that tiles of points
/// in time need.
package struct BlockTaps: Sendable {
    private static let margin = 8
    private let whole: Panel
    /// The coefficients, `[count, 16]`.
    package var values: Panel { whole.rows(Self.margin..<whole.rows - Self.margin) }

    package init(_ layout: inout WorkspaceLayout, count: Int) {
        whole = layout.reserve(count + 2 * Self.margin, Blocks.channels)
    }
}

/// A matrix for every channel of a block: a panel `[groups, 16]`, read with two steps.
package struct GroupMatrix: Sendable {
    let panel: Panel
    /// Number of the first group in the panel.
    let first: Int
    package let rows: Int
    package let columns: Int
    private let rowStep: Int
    private let columnStep: Int

    /// Traps where an element lies outside of the panel.
    ///
    /// - Parameters:
    ///   - panel: `[groups, 16]`
    ///   - rows: Rows of the matrix.
    ///   - columns: Its columns.
    ///   - first: Number of the group that is its first element.
    ///   - steps: From a row to the next and from a column to the next, in groups.
    package init(
        _ panel: Panel, rows: Int, columns: Int, first: Int = 0, steps: (row: Int, column: Int)
    ) {
        panel.expect(panel.rows, Blocks.channels)
        let (down, across) = (max(0, rows - 1) * steps.row, max(0, columns - 1) * steps.column)
        precondition(
            first + min(0, down) + min(0, across) >= 0
                && first + max(0, down) + max(0, across) < max(1, panel.rows),
            "GroupMatrix: \(rows)×\(columns) by \(steps) from \(first) in \(panel.rows) groups")
        self.panel = panel
        self.first = first
        self.rows = rows
        self.columns = columns
        (rowStep, columnStep) = (steps.row, steps.column)
    }

    /// Rows and columns exchanged.
    package var transposed: GroupMatrix {
        GroupMatrix(
            panel, rows: columns, columns: rows, first: first, steps: (columnStep, rowStep))
    }

    var steps: GroupSteps {
        GroupSteps(row: rowStep * Blocks.channels, column: columnStep * Blocks.channels)
    }
}
