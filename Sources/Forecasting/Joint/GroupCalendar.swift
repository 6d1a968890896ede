import Foundation
import Series

/// What the clock says of the rows of a group, known for those to come as well: where in the day, the week
/// and the year each lies, in UTC.
package struct GroupCalendar: Sendable, Hashable, Codable {
    /// A round of the clock, which tells two numbers of every row.
    package enum Round: String, Sendable, Codable, CaseIterable {
        case day, week, year

        fileprivate var microseconds: Int64 {
            switch self {
            case .day: 86_400_000_000
            case .week: 7 * 86_400_000_000
            case .year: 31_556_952_000_000
            }
        }
    }

    package let stepMicroseconds: Int64
    package let rounds: [Round]

    /// Numbers that are told of every row.
    package var count: Int { 2 * rounds.count }

    /// Nil where a step is longer than half a year, so that no round says anything.
    ///
    /// - Parameter stepMicroseconds: From one row to the next; above zero.
    package init?(stepMicroseconds: Int64) {
        precondition(stepMicroseconds > 0, "GroupCalendar: a step of \(stepMicroseconds)")
        self.stepMicroseconds = stepMicroseconds
        // Of steps below a day there are seldom years enough to learn a season of the year from.
        rounds = Round.allCases.filter {
            2 * stepMicroseconds <= $0.microseconds
                && ($0 != .year || stepMicroseconds >= Round.day.microseconds)
        }
        guard !rounds.isEmpty else { return nil }
    }

    /// Where every row lies in each round, as a point on a circle.
    ///
    /// - Parameters:
    ///   - start: When the first row is.
    ///   - rows: How many.
    /// - Returns: `[rows, count]`: cosine and sine of each round in turn.
    func features(from start: Timestamp, rows: Int) -> [Float] {
        // Weeks begin on Mondays: 1970 began on a Thursday.
        let monday = 4 * Round.day.microseconds
        var values: [Float] = []
        values.reserveCapacity(rows * count)
        for row in 0..<rows {
            let at = start.microseconds + Int64(row) * stepMicroseconds - monday
            for round in rounds {
                let length = round.microseconds
                let passed = ((at % length) + length) % length
                let angle = 2 * Double.pi * Double(passed) / Double(length)
                values.append(Float(cos(angle)))
                values.append(Float(sin(angle)))
            }
        }
        return values
    }
}
