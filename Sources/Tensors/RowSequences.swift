/// Which rows make up sequences of equal length that know nothing of each other: one sequence behind the
/// other, or all of them in turn.
///
/// A signal `[variate, patch, channel]` is a sequence of patches for every variate and, in the same
/// memory, a sequence of variates for every patch.
package struct RowSequences: Sendable, Equatable {
    package let count: Int
    package let length: Int
    /// Whether the rows of a sequence lie `count` apart.
    package let isInterleaved: Bool

    private init(count: Int, length: Int, isInterleaved: Bool) {
        precondition(count >= 0 && length >= 0, "RowSequences: \(count) of \(length) rows")
        (self.count, self.length, self.isInterleaved) = (count, length, isInterleaved)
    }

    /// Sequence i has rows `i·length..<(i + 1)·length`.
    package static func consecutive(_ count: Int, length: Int) -> RowSequences {
        RowSequences(count: count, length: length, isInterleaved: false)
    }

    /// Sequence i has rows `i, i + count, i + 2·count, …`.
    package static func interleaved(_ count: Int, length: Int) -> RowSequences {
        RowSequences(count: count, length: length, isInterleaved: true)
    }

    /// Rows of all sequences.
    package var rows: Int { count * length }

    /// Rows from one of a sequence to the next.
    var along: Int { isInterleaved ? count : 1 }
    /// Rows from one sequence to the next.
    var apart: Int { isInterleaved ? 1 : length }

    /// The rows of one sequence, in its order.
    package func rows(of sequence: Int, in panel: Panel) -> Panel {
        precondition(panel.rows == rows, "RowSequences: \(panel.rows) rows of \(rows)")
        return isInterleaved
            ? panel.rows(every: count, from: sequence)
            : panel.rows(sequence * length..<(sequence + 1) * length)
    }
}
