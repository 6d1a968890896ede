import Store
import Testing

@testable import Notifications

/// Who gets the next place, without any network or clock.
@Suite struct TrafficTests {
    static let start = ContinuousClock.now
    static let options = DelivererOptions(
        concurrency: 4, concurrencyMaximum: 8, slowAfter: .milliseconds(100),
        pollInterval: .seconds(1))

    static func at(_ milliseconds: Int) -> ContinuousClock.Instant {
        start + .milliseconds(milliseconds)
    }

    /// A traffic that has found endpoints 1, 2 and 3 to accept.
    static func proven() throws -> Traffic {
        var traffic = Traffic(options)
        traffic.look(at: [1, 2, 3])
        let plan = try #require(traffic.plan(now: at(0)))
        traffic.begin([(1, 1), (2, 2), (3, 3)], by: plan, now: at(0))
        for delivery in 1...3 as ClosedRange<Int64> { traffic.end(delivery, isAccepted: true) }
        return traffic
    }

    static func asked(_ plan: Traffic.Plan?) -> [Int64] { plan?.endpoints.map(\.endpointID) ?? [] }

    @Test func `places are as many as prompt deliveries leave`() throws {
        #expect(Traffic(Self.options).plan(now: Self.at(0)) == nil)
        var traffic = try Self.proven()
        let plan = try #require(traffic.plan(now: Self.at(0)))
        #expect(plan.places == 4 && Self.asked(plan) == [1, 2, 3])
        traffic.begin([(10, 1), (11, 1), (12, 2)], by: plan, now: Self.at(0))
        // Not all places were taken: nobody of those that were asked has more.
        #expect(traffic.plan(now: Self.at(0)) == nil)
        traffic.end(10, isAccepted: true)
        let next = try #require(traffic.plan(now: Self.at(1)))
        #expect(next.places == 2 && Self.asked(next) == [1])
    }

    @Test func `an endpoint gets one delivery at a time unless it accepted the last one`() throws {
        var traffic = try Self.proven()
        traffic.look(at: [4])
        let plan = try #require(traffic.plan(now: Self.at(0)))
        #expect(plan.endpoints.map(\.places) == [4, 4, 4, 1])
        traffic.begin([(10, 1)], by: plan, now: Self.at(0))
        traffic.end(10, isAccepted: false)
        // And after a failure none before every endpoint is looked at.
        #expect(traffic.plan(now: Self.at(0)) == nil)
        traffic.sweep([1, 2], now: Self.at(0))
        #expect(try #require(traffic.plan(now: Self.at(0))).endpoints.map(\.places) == [1, 4])
    }

    @Test func `those who got nothing since all places were taken stay in line`() throws {
        var traffic = try Self.proven()
        let plan = try #require(traffic.plan(now: Self.at(0)))
        traffic.begin([(10, 1), (11, 1), (12, 1), (13, 1)], by: plan, now: Self.at(0))
        #expect(traffic.plan(now: Self.at(0)) == nil)
        traffic.end(10, isAccepted: true)
        #expect(Self.asked(traffic.plan(now: Self.at(0))) == [2, 3, 1])
    }

    @Test func `a slow delivery gives its place away, and its endpoint waits`() throws {
        var traffic = try Self.proven()
        let plan = try #require(traffic.plan(now: Self.at(0)))
        traffic.begin([(10, 1), (11, 1), (12, 1), (13, 1)], by: plan, now: Self.at(0))
        traffic.look(at: [1, 4])
        #expect(traffic.plan(now: Self.at(99)) == nil)
        // Four are slow: the rest is for those that are proven.
        let next = try #require(traffic.plan(now: Self.at(100)))
        #expect(next.places == 4 && Self.asked(next) == [2, 3])
        traffic.begin([(20, 2), (21, 2), (22, 3), (23, 3)], by: next, now: Self.at(100))
        // Eight are all that may be under way.
        #expect(traffic.plan(now: Self.at(300)) == nil)
        for delivery in [10, 11, 12, 13] as [Int64] { traffic.end(delivery, isAccepted: true) }
        #expect(Self.asked(traffic.plan(now: Self.at(300))) == [1])
        for delivery in [20, 21] as [Int64] { traffic.end(delivery, isAccepted: true) }
        #expect(Self.asked(traffic.plan(now: Self.at(300))) == [1, 4, 2])
    }

    @Test func `every endpoint is looked at once an interval`() {
        var traffic = Traffic(Self.options)
        #expect(traffic.wantsSweep(now: Self.at(0)))
        traffic.sweep([5], now: Self.at(0))
        #expect(!traffic.wantsSweep(now: Self.at(999)) && traffic.wantsSweep(now: Self.at(1000)))
        #expect(Self.asked(traffic.plan(now: Self.at(0))) == [5])
    }
}
