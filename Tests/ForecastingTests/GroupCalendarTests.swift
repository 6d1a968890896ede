import Foundation
import Models
import Series
import Tensors
import Testing

@testable import Forecasting

/// What the clock says of the rows of a group, and what a network makes of it.
@Suite struct GroupCalendarTests {
    private static let hour: Int64 = 3_600_000_000

    @Test func `a row lies where it does in the day and the week, also before 1970`() throws {
        let calendar = try #require(GroupCalendar(stepMicroseconds: 6 * Self.hour))
        #expect(calendar.rounds == [.day, .week] && calendar.count == 4)
        for monday in ["2026-11-23", "1969-12-29"] {
            let start = try #require(Timestamp(iso8601: monday))
            let found = calendar.features(from: start, rows: 29)
            let expected: [Float] = [1, 0, 1, 0]
            for row in [0, 28] {
                let own = found[row * 4..<row * 4 + 4]
                #expect(zip(own, expected).allSatisfy { abs($0 - $1) < 1e-5 })
            }
            #expect(abs(found[4]) < 1e-5 && abs(found[5] - 1) < 1e-5)  // six o'clock
            #expect(abs(found[14 * 4 + 2] + 1) < 1e-5)  // Thursday noon, the middle of the week
        }
    }

    @Test func `steps decide which rounds say something`() {
        func rounds(_ hours: Int64) -> [GroupCalendar.Round]? {
            GroupCalendar(stepMicroseconds: hours * Self.hour)?.rounds
        }
        #expect(rounds(1) == [.day, .week])
        #expect(rounds(24) == [.week, .year])
        #expect(rounds(30 * 24) == [.year])
        #expect(rounds(300 * 24) == nil)
    }

    /// Something happens from eight to ten every day, with nothing to announce it.
    private static let peaks: [[Double]] = {
        var random = RandomStream(seed: 12)
        return (0..<2).map { member in
            (0..<2_400).map { row in
                ((8...10).contains(row % 24) ? 5.0 + Double(member) : 0) + 0.3 * random.normal()
            }
        }
    }()

    @Test func `a network that is told the hour forecasts what happens at an hour`() throws {
        var options = GroupFitOptions()
        options.families = [.tsm2, .calendar]
        options.network = JointTests.small
        // A look-back in which a peak is seldom seen.
        (options.network.patch, options.network.stride, options.network.futurePatch) = (4, 4, 6)
        (options.training.epochsMaximum, options.training.rate) = (10, 1e-2)
        options.training.batch = 32
        let task = try ForecastTask(lag: 8, horizon: 6, season: 1)
        let split = Split.live(rows: 2_400, task: task)
        var group = try JointSeries(
            names: ["a", "b"], values: Self.peaks, train: split.targets(of: .train))
        let calendar = try #require(GroupCalendar(stepMicroseconds: Self.hour))
        let start = try #require(Timestamp(iso8601: "2026-03-01"))
        group.know(calendar, from: start)
        let fitted = try FittedGroup.fit(group, task: task, split: split, options: options)
        let errors = fitted.report.candidates.map(\.validationMSE)
        #expect(errors[1] < 0.5 * errors[0], "\(errors)")
        #expect(fitted.report.reason.contains("tsm2-calendar"))
        // Ten rows in which nothing happens: what comes depends on the clock alone.
        let quiet = Self.peaks.map { Array($0[2_388..<2_398]) }
        func peak(_ from: Int64) throws -> Double {
            let at = Timestamp(microseconds: start.microseconds + from * Self.hour)
            return try fitted.forecast(history: quiet, from: at).values[0][3]
        }
        // Row 2,401 is one o'clock; from eight hours later on it is nine.
        #expect(try peak(2_388 + 8) > 3)
        #expect(try abs(peak(2_388)) < 1.5)
        let read = try FittedGroup(decoding: fitted.encoded())
        #expect(
            try read.forecast(history: quiet, from: start)
                == fitted.forecast(history: quiet, from: start))
    }
}
