import Forecasting
import Foundation
import Series
import Tensors
import Testing

@Suite struct StreamingDetectorTests {
    private static let policy = DetectorPolicy(stepSeconds: 3_600, historyRows: 1_000)

    /// A day of 24 rows with noise.
    private static func days(_ rows: Int, seed: UInt64 = 3) -> [Double?] {
        var random = RandomStream(seed: seed)
        return (0..<rows).map { row in
            10 + 3 * sin(2 * .pi * Double(row) / 24) + 0.3 * random.normal()
        }
    }

    private static func alerts(_ values: [Double?], _ policy: DetectorPolicy) -> [Int] {
        var detector = StreamingDetector(policy)
        return values.indices.filter { detector.next(values[$0])?.opensAlert == true }
    }

    @Test func `a spike opens one alert, at once`() {
        var values = Self.days(2_500)
        for row in 2_000..<2_006 { values[row] = 30 }
        let late = Self.alerts(values, Self.policy).filter { (1_980..<2_100).contains($0) }
        #expect(late == [2_000])
    }

    @Test func `a flat day opens an alert though no value is unusual`() {
        var values = Self.days(2_500)
        for row in 2_004..<2_040 { values[row] = 10.1 }
        let late = Self.alerts(values, Self.policy).filter { (1_980..<2_100).contains($0) }
        #expect(late.count == 1)
    }

    @Test func `a lasting change of level is one alert and then the normal`() {
        var values = Self.days(4_000)
        for row in 2_000..<4_000 { values[row] = values[row].map { $0 + 15 } }
        let alerts = Self.alerts(values, Self.policy)
        #expect(alerts.filter { (2_000..<2_010).contains($0) } == [2_000])
        #expect(alerts.filter { (2_200..<4_000).contains($0) }.count <= 4)
    }

    @Test func `a missing row has no judgement and a gap opens no alert`() {
        var values = Self.days(2_500)
        for row in 2_000..<2_100 { values[row] = nil }
        values[2_200] = .nan
        var detector = StreamingDetector(Self.policy)
        let judged = values.map { detector.next($0) }
        #expect(judged[2_000..<2_100].allSatisfy { $0 == nil } && judged[2_200] == nil)
        let whole = Self.alerts(Self.days(2_500), Self.policy).filter { $0 >= 2_000 }
        let broken = Self.alerts(values, Self.policy).filter { $0 >= 2_000 }
        #expect(broken.count <= whole.count + 1)
    }

    @Test func `a state that rested as JSON goes on with the same bits`() throws {
        var values = Self.days(2_300)
        values[700] = nil
        values[2_150] = 40
        var whole = StreamingDetector(Self.policy)
        let expected = values.map { whole.next($0) }
        var pieces = StreamingDetector(Self.policy)
        var judged: [StreamingDetector.Judgement?] = []
        for (row, value) in values.enumerated() {
            if [1, 500, 1_023, 1_024, 2_149].contains(row) {
                let data = try JSONEncoder().encode(pieces)
                pieces = try JSONDecoder().decode(StreamingDetector.self, from: data)
            }
            judged.append(pieces.next(value))
        }
        #expect(judged == expected)
    }

    @Test func `what comes later changes no judgement`() {
        let values = Self.days(1_500)
        var other = values
        for row in 1_200..<1_500 { other[row] = 1_000 }
        var (a, b) = (StreamingDetector(Self.policy), StreamingDetector(Self.policy))
        for row in 0..<1_200 { #expect(a.next(values[row]) == b.next(other[row])) }
    }

    @Test(arguments: [1e-9, 1e9])
    func `unit and origin of the values do not matter`(unit: Double) {
        let values = Self.days(1_600)
        let scaled = values.map { $0.map { $0 * unit } }
        #expect(Self.alerts(values, Self.policy) == Self.alerts(scaled, Self.policy))
    }

    @Test func `a wild value leaves finite scores behind`() {
        var values = Self.days(3_000)
        values[1_500] = 1e300
        values[1_501] = -.infinity
        var detector = StreamingDetector(Self.policy)
        let judged = values.compactMap { detector.next($0) }
        #expect(judged.count == 2_999)
        #expect(judged.allSatisfy { $0.surprise.isFinite && $0.p >= 0 && $0.p <= 1 })
        // The sums were taken anew since: later rows have neighbours again.
        #expect(judged[2_600...].allSatisfy { $0.surprise < 5 })
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func `noise keeps to the budget within a factor of two`(seed: UInt64) {
        // Two a week of hourly rows, 60 weeks after 24 to learn.
        let policy = DetectorPolicy(
            budget: AlertBudget(alertsPerWeek: 2), rate: SamplingRate(1, per: 3_600),
            historyRows: 500)
        var random = RandomStream(seed: seed)
        let values: [Double?] = (0..<14_000).map { _ in random.normal() }
        let late = Self.alerts(values, policy).filter { $0 >= 4_000 }
        let wanted = 2.0 * 10_000 / 168
        #expect(Double(late.count) <= 2 * wanted && Double(late.count) >= wanted / 2)
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func `a series in which little happens gives the alerts that its budget has left`(
        seed: UInt64
    ) {
        var values = Self.days(6_000, seed: seed)
        // Now and then a value is a little high; without a budget nothing of it is an alert.
        var random = RandomStream(seed: seed + 10)
        for row in values.indices where random.integer(below: 40) == 0 {
            values[row] = values[row].map { $0 + 0.6 }
        }
        let rate = SamplingRate(1, per: 3_600)
        let wanted = 2.0 * 4_000 / 168
        let aimed = DetectorPolicy(
            budget: AlertBudget(alertsPerWeek: 2), rate: rate, historyRows: 500)
        let kept = DetectorPolicy(stepSeconds: 3_600, historyRows: 500, rowsPerAlert: 84)
        let counts = [aimed, kept].map { policy in
            Double(Self.alerts(values, policy).count { $0 >= 2_000 })
        }
        #expect(counts[0] >= wanted / 2 && counts[0] <= 2 * wanted, "\(counts) of \(wanted)")
        #expect(counts[1] < wanted / 2, "\(counts) of \(wanted)")
    }

    @Test func `p is the share of rows that surprise as much`() {
        var detector = StreamingDetector(Self.policy)
        var random = RandomStream(seed: 9)
        let judged = (0..<8_000).compactMap { _ in detector.next(random.normal()) }.dropFirst(
            2_000)
        for p in [0.3, 0.1] {
            let share = Double(judged.count { $0.p <= p }) / Double(judged.count)
            #expect(share > p / 2 && share < p * 2, "\(share) of \(p)")
        }
    }
}
