/// The instants at which the members of a group are looked at together: whole steps after 1970, moved
/// by a phase, and numbered.
package struct GroupGrid: Hashable, Sendable {
    /// Above zero.
    package let stepMicroseconds: Int64
    /// In `0..<stepMicroseconds`.
    package let phaseMicroseconds: Int64

    /// Traps unless the step is above zero and the phase within it.
    package init(stepMicroseconds: Int64, phaseMicroseconds: Int64 = 0) {
        precondition(
            stepMicroseconds > 0 && (0..<stepMicroseconds).contains(phaseMicroseconds),
            "GroupGrid: step \(stepMicroseconds) µs, phase \(phaseMicroseconds) µs")
        self.stepMicroseconds = stepMicroseconds
        self.phaseMicroseconds = phaseMicroseconds
    }

    /// The number of the row nearest to an instant; of two as near, the later one.
    package func number(of instant: Timestamp) -> Int64 {
        (instant.microseconds - phaseMicroseconds + stepMicroseconds / 2)
            .flooredQuotient(by: stepMicroseconds)
    }

    /// The instant of a row.
    package func instant(of number: Int64) -> Timestamp {
        Timestamp(microseconds: phaseMicroseconds + number * stepMicroseconds)
    }

    /// How many rows come a second.
    package var rate: SamplingRate { SamplingRate(stepMicroseconds: stepMicroseconds) }
}

/// What the members of a group showed in consecutive rows. A missing value is NaN, and stays so.
package struct GroupRows: Hashable, Sendable {
    package let grid: GroupGrid
    /// The number of the first row.
    package let first: Int64
    /// `[channel][row]`, each in the unit of its series; NaN where missing, never infinite.
    package let values: [[Double]]

    /// Traps unless all channels have as many rows.
    package init(grid: GroupGrid, first: Int64, values: [[Double]]) {
        let count = values.first?.count ?? 0
        precondition(
            values.allSatisfy { $0.count == count }, "GroupRows: \(values.map(\.count)) rows")
        self.grid = grid
        self.first = first
        self.values = values
    }

    /// How many rows there are.
    package var count: Int { values.first?.count ?? 0 }
    /// The number of the last row; traps where there is none.
    package var last: Int64 {
        precondition(count > 0, "GroupRows: the last of no rows")
        return first + Int64(count) - 1
    }

    /// The rows in a range of numbers, all of which there are.
    package func slice(_ numbers: ClosedRange<Int64>) -> GroupRows {
        precondition(
            numbers.lowerBound >= first && numbers.upperBound <= last,
            "GroupRows: rows \(numbers) of \(first)...\(last)")
        let range = Int(numbers.lowerBound - first)...Int(numbers.upperBound - first)
        return GroupRows(
            grid: grid, first: numbers.lowerBound, values: values.map { Array($0[range]) })
    }
}
