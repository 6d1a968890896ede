import Series

/// A horizontal axis of time in UTC, with ticks where a clock or a calendar has them.
struct TimeAxis: Equatable, Sendable {
    /// One tick: a short label, and below it, where it changed, the date or year it belongs to.
    struct Tick: Equatable, Sendable {
        let at: Timestamp
        let label: String
        let context: String?
    }

    /// The distance of two ticks.
    enum Step: Equatable, Sendable {
        /// Microseconds; a divisor of a day.
        case clock(Int64)
        case days(Int64)
        case months(Int64)
    }

    let start: Timestamp
    let end: Timestamp
    let ticks: [Tick]

    /// An axis from `start` to `end`; an empty range is widened by a second.
    init(from start: Timestamp, to end: Timestamp, ticksMaximum: Int = 9) {
        self.start = start
        self.end = max(end, start + .seconds(1))
        let span = self.end.microseconds - start.microseconds
        let step = Self.step(span: span, ticksMaximum: ticksMaximum)
        ticks = Self.ticks(from: start, to: self.end, step)
    }

    private static let second: Int64 = 1_000_000
    private static let day: Int64 = 86_400 * second

    /// The shortest step that gives no more than `ticksMaximum` ticks.
    static func step(span: Int64, ticksMaximum: Int) -> Step {
        let least = span / Int64(ticksMaximum)
        let clocks: [Int64] = [
            1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000,
            200_000, 500_000,
        ]
        let seconds: [Int64] = [
            1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200,
        ]
        if let found = (clocks + seconds.map { $0 * second }).first(where: { $0 > least }) {
            return .clock(found)
        }
        if let found = ([1, 2, 3, 7, 14] as [Int64]).first(where: { $0 * day > least }) {
            return .days(found)
        }
        let months: [Int64] = [1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 6000, 12_000]
        let found = months.first { $0 * 30 * day > least }
        return .months(found ?? 12_000 * (least / (12_000 * 30 * day) + 1))
    }

    private static func ticks(from start: Timestamp, to end: Timestamp, _ step: Step) -> [Tick] {
        var ticks: [Tick] = []
        var last: String?
        for instant in instants(from: start, to: end, step) {
            let (label, context) = texts(instant, step)
            ticks.append(Tick(at: instant, label: label, context: context == last ? nil : context))
            last = context
        }
        return ticks
    }

    private static func instants(
        from start: Timestamp, to end: Timestamp, _ step: Step
    ) -> [Timestamp] {
        switch step {
        case .clock(let micros): return multiples(of: micros, from: start, to: end)
        case .days(let days): return multiples(of: days * day, from: start, to: end)
        case .months(let months):
            let date = CivilDate.fromDays(start.microseconds.flooredQuotient(by: day))
            var month = (date.year * 12 + date.month - 1).flooredQuotient(by: months) * months
            var found: [Timestamp] = []
            while found.count < 100 {
                let year = month.flooredQuotient(by: 12)
                let days = CivilDate.days(year: year, month: month - year * 12 + 1, day: 1)
                let instant = Timestamp(microseconds: days * day)
                if instant > end { break }
                if instant >= start { found.append(instant) }
                month += months
            }
            return found
        }
    }

    private static func multiples(
        of micros: Int64, from start: Timestamp, to end: Timestamp
    ) -> [Timestamp] {
        let first = -(-start.microseconds).flooredQuotient(by: micros) * micros
        guard first <= end.microseconds else { return [] }
        return Swift.stride(from: first, through: end.microseconds, by: Int(micros)).map {
            Timestamp(microseconds: $0)
        }
    }

    private static let monthNames = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// The label of a tick and what it belongs to.
    private static func texts(_ instant: Timestamp, _ step: Step) -> (String, String?) {
        let days = instant.microseconds.flooredQuotient(by: day)
        let date = CivilDate.fromDays(days)
        let month = monthNames[Int(date.month) - 1]
        switch step {
        case .clock(let micros):
            let text = instant.description.dropLast()
            guard let mark = text.firstIndex(of: "T") else { return (String(text), nil) }
            let clock = text[text.index(after: mark)...]
            let label =
                micros < second
                ? fraction(clock, micros) : String(clock.prefix(micros < 60 * second ? 8 : 5))
            return (label, "\(date.day) \(month) \(date.year)")
        case .days: return ("\(date.day) \(month)", "\(date.year)")
        case .months(let months) where months < 12: return (month, "\(date.year)")
        case .months: return ("\(date.year)", nil)
        }
    }

    /// Seconds with as many decimals as the step needs.
    private static func fraction(_ clock: Substring, _ micros: Int64) -> String {
        let decimals = micros >= 100_000 ? 1 : micros >= 10_000 ? 2 : micros >= 1000 ? 3 : 6
        let parts = clock.split(separator: ".")
        let digits = parts.count > 1 ? String(parts[1]) : "000000"
        return parts[0].suffix(5) + "." + digits.prefix(decimals)
    }
}
