import Testing

@testable import Series

private let start = Timestamp(microseconds: 1_467_331_200_000_000)

private let rates: [SamplingRate] = [
    SamplingRate(1, per: 3600), SamplingRate(1), SamplingRate(360), SamplingRate(24_989, per: 400),
    SamplingRate(1, per: 86_400), SamplingRate(500_000), SamplingRate(3), SamplingRate(1, per: 7),
    SamplingRate(stepMicroseconds: 900_000_000), SamplingRate(1000, per: 3),
]

@Suite struct TimeGridTests {
    @Test(
        arguments: rates,
        [start, Timestamp(microseconds: -1), Timestamp(microseconds: -7_777_777_777)])
    func `the nearest index of an instant is its index, near and far`(
        rate: SamplingRate, start: Timestamp
    ) {
        let grid = TimeGrid(start: start, rate: rate, count: 10)
        for index in [0, 1, 2, 9, 10, 1000, 1_000_003, -1, -2, -999, -1_000_003] {
            #expect(grid.nearestIndex(to: grid.instant(at: index)) == index)
        }
        #expect(grid.end == grid.instant(at: 10))
    }

    @Test(arguments: rates)
    func `an instant is within half a microsecond of where it belongs`(rate: SamplingRate) {
        let grid = TimeGrid(start: start, rate: rate, count: 0)
        for index in [1, 7, 361, 123_457, 1_000_003, -1, -7, -361] {
            // The exact place, in units of 1/numerator microseconds.
            let exact = Int64(index) * rate.denominator * 1_000_000
            let given = (grid.instant(at: index).microseconds - start.microseconds) * rate.numerator
            #expect(abs(given - exact) * 2 <= rate.numerator)
        }
    }

    @Test(arguments: rates)
    func `the nearest index is the nearest`(rate: SamplingRate) {
        let grid = TimeGrid(start: start, rate: rate, count: 100)
        let step = max(1, Int64(rate.stepSeconds * 1e6))
        for offset in stride(from: -3 * step, through: 3 * step, by: max(1, Int(step / 7))) {
            let instant = Timestamp(microseconds: start.microseconds + offset)
            let index = grid.nearestIndex(to: instant)
            func distance(_ i: Int) -> Int64 {
                abs(grid.instant(at: i).microseconds - instant.microseconds)
            }
            // Instants are rounded, so that a neighbour may be a microsecond nearer.
            #expect(distance(index) <= distance(index - 1) + 1)
            #expect(distance(index) <= distance(index + 1) + 1)
        }
    }

    @Test func `instants may be thousands of years apart, and steps may be`() {
        let ages: Int64 = 92_000_000_000_000_001
        let slow = TimeGrid(start: start, rate: SamplingRate(stepMicroseconds: ages), count: 3)
        #expect(slow.instant(at: 2).microseconds == start.microseconds + 2 * ages)
        #expect(slow.nearestIndex(to: slow.instant(at: 2)) == 2)
        let fast = TimeGrid(start: start, rate: SamplingRate(1_000), count: 1)
        let late = Timestamp(microseconds: start.microseconds + 250_000_000_000_000_000)
        #expect(fast.nearestIndex(to: late) == 250_000_000_000_000)
        #expect(fast.instant(at: 250_000_000_000_000) == late)
    }

    @Test(arguments: rates)
    func `a suffix has the instants of the whole, to the microsecond`(rate: SamplingRate) {
        let grid = TimeGrid(start: start, rate: rate, count: 1000)
        let suffix = grid.suffix(from: 361, count: 100)
        #expect(suffix.count == 100 && suffix.rate == rate)
        for index in [0, 1, 50, 99] {
            let apart =
                suffix.instant(at: index).microseconds - grid.instant(at: 361 + index).microseconds
            #expect(abs(apart) <= 1)
        }
    }

    @Test func `whole steps of microseconds never drift`() {
        let grid = TimeGrid(
            start: start, rate: SamplingRate(stepMicroseconds: 3_600_000_000), count: 1)
        #expect(grid.instant(at: 1_000_000) == start + .seconds(3600 * 1_000_000))
    }

    @Test func `an index beyond time traps`() async {
        await #expect(processExitsWith: .failure) {
            let grid = TimeGrid(
                start: Timestamp(microseconds: 0), rate: SamplingRate(1, per: 86_400), count: 1)
            _ = grid.instant(at: .max)
        }
    }

    @Test func `a negative count traps`() async {
        await #expect(processExitsWith: .failure) {
            _ = TimeGrid(start: Timestamp(microseconds: 0), rate: SamplingRate(1), count: -1)
        }
    }
}

@Suite struct SamplingRateTests {
    @Test func `rates are reduced, so that equal ones are equal`() {
        #expect(SamplingRate(720, per: 2) == SamplingRate(360))
        #expect(SamplingRate(stepMicroseconds: 3_600_000_000) == SamplingRate(1, per: 3600))
        #expect(SamplingRate(stepMicroseconds: 4000) == SamplingRate(250))
        #expect(SamplingRate(360).hertz == 360)
        #expect(SamplingRate(1, per: 3600).stepSeconds == 3600)
    }

    @Test(arguments: [(Int64(0), Int64(1)), (1, 0), (-1, 1), (1, -1)])
    func `a rate that is not above zero traps`(numerator: Int64, denominator: Int64) async {
        await #expect(processExitsWith: .failure) { [numerator, denominator] in
            _ = SamplingRate(numerator, per: denominator)
        }
    }
}
