import Series
import Testing

@testable import Signals

@Suite struct CSVSeriesTests {
    @Test func `missing instants become gaps`() throws {
        let table = try table(
            "time,a [Cel]\n2020-01-01 00:00,1\n2020-01-01 01:00,2\n2020-01-01 04:00,5\n"
                + "2020-01-01 05:00,NA\n2020-01-01 06:00,7\n")
        let series = try table.series(named: "a")
        #expect(series.grid.rate == SamplingRate(stepMicroseconds: 3_600_000_000))
        #expect(series.values.map { $0.isNaN ? -1 : $0 } == [1, 2, -1, -1, 5, -1, 7])
        #expect(series.gaps == [Gap(2..<4), Gap(5..<6)])
        #expect(series.channel.unit == PhysicalUnit("Cel"))
        #expect(series.grid.instant(at: 6) == table.columns[0].times[4])
    }

    @Test func `a time off the step is named`() throws {
        let table = try table(
            "time,a\n2020-01-01 00:00,1\n2020-01-01 01:00,2\n2020-01-01 02:10,3\n"
                + "2020-01-01 03:00,4\n2020-01-01 04:00,4\n")
        let error = #expect(throws: CSVError.self) { try table.series(named: "a") }
        #expect(
            error?.reason
                == .offGrid(channel: "a", at: "2020-01-01T02:10:00Z", stepSeconds: 3600))
        #expect(error?.description.contains("3600 s") == true)
    }

    @Test func `where the first time is the stray one, it is named`() throws {
        let table = try table(
            "time,a\n2020-01-01 00:07,1\n2020-01-01 01:00,2\n2020-01-01 02:00,3\n"
                + "2020-01-01 03:00,4\n")
        let error = #expect(throws: CSVError.self) { try table.series(named: "a") }
        #expect(
            error?.reason
                == .offGrid(channel: "a", at: "2020-01-01T00:07:00Z", stepSeconds: 3600))
    }

    @Test(arguments: [(360, 3), (250, 3), (360, 6), (1000, 3), (128, 6), (3, 2)])
    func `a rate written with rounded times is found`(hertz: Int, decimals: Int) throws {
        var scale: Int64 = 1
        for _ in 0..<decimals { scale *= 10 }
        let text =
            "time,a\n"
            + (0..<5000).map { index in
                let ticks = (Int64(index) * scale * 2 + Int64(hertz)) / (2 * Int64(hertz))
                let fraction = String(String(ticks % scale + scale).dropFirst())
                return "\(1_500_000_000 + ticks / scale).\(fraction),\(index)\n"
            }.joined()
        let series = try table(text).series(named: "a")
        #expect(series.grid.rate == SamplingRate(Int64(hertz)))
        #expect(series.values == (0..<5000).map(Double.init))
    }

    @Test func `one time has no step unless it is told`() throws {
        let table = try table("time,a\n2020-01-01,1\n")
        let error = #expect(throws: CSVError.self) { try table.series(named: "a") }
        #expect(error?.reason == .oneRow(channel: "a"))
        #expect(try table.series(named: "a", step: .seconds(60)).grid.count == 1)
    }

    @Test func `a wild time does not make a grid of billions`() throws {
        let table = try table(
            "time,a\n1970-01-01 00:00:00,1\n2020-01-01 00:00:00,1\n2020-01-01 00:00:01,2\n"
                + "2020-01-01 00:00:02,2\n")
        let error = #expect(throws: CSVError.self) { try table.series(named: "a") }
        guard case .gridTooLarge = error?.reason else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    private func times(_ seconds: [Double]) -> [Timestamp] {
        seconds.map { Timestamp(unixSeconds: $0) }
    }

    @Test func `the step is seen through gaps, jitter and a stray time`() {
        #expect(RegularStep.microseconds(between: times([0, 60, 120, 300])) == 60_000_000)
        let jittered = (0..<100).map { Double($0) * 60 + ($0 % 7 == 0 ? 2 : 0) }
        #expect(RegularStep.microseconds(between: times(jittered)) == 60_000_000)
        let stray = (0..<100).map { Double($0) * 60 + ($0 == 50 ? 20 : 0) }
        #expect(RegularStep.microseconds(between: times(stray)) == 60_000_000)
    }

    @Test func `two times, or times at will, have no step`() {
        #expect(RegularStep.microseconds(between: times([0, 60])) == nil)
        #expect(RegularStep.microseconds(between: times([0, 10, 25, 31, 70, 99])) == nil)
    }
}
