import Foundation
import Testing

@testable import Series

@Suite struct TimestampTests {
    struct Spelling: CustomTestStringConvertible, Sendable {
        let text: String
        let says: String?
        var testDescription: String { text.isEmpty ? "nothing" : text }
    }

    @Test(arguments: [
        Spelling(text: "2016-07-01", says: "2016-07-01T00:00:00Z"),
        Spelling(text: "2016-07-01 01:02", says: "2016-07-01T01:02:00Z"),
        Spelling(text: "2016-07-01T01:02:03Z", says: "2016-07-01T01:02:03Z"),
        Spelling(text: "2016-07-01t01:02:03z", says: "2016-07-01T01:02:03Z"),
        Spelling(text: "2016-07-01T01:02:03.5+02:00", says: "2016-06-30T23:02:03.500000Z"),
        Spelling(text: "2016-07-01T01:02:03-0530", says: "2016-07-01T06:32:03Z"),
        Spelling(text: "2016-07-01T01:02:03+02", says: "2016-06-30T23:02:03Z"),
        Spelling(text: "2016-07-01T01:02:03.1234567899", says: "2016-07-01T01:02:03.123456Z"),
        Spelling(text: "1969-12-31T23:59:59.999999Z", says: "1969-12-31T23:59:59.999999Z"),
        Spelling(text: "2000-02-29", says: "2000-02-29T00:00:00Z"),
        Spelling(text: "1900-02-29", says: nil), Spelling(text: "2016-13-01", says: nil),
        Spelling(text: "2016-00-01", says: nil), Spelling(text: "2016-04-31", says: nil),
        Spelling(text: "2016-07-01T24:00", says: nil),
        Spelling(text: "2016-07-01T01:60", says: nil),
        Spelling(text: "2016-07-01T01:02:60", says: nil), Spelling(text: "2016-07-01T", says: nil),
        Spelling(text: "2016-07-01T01", says: nil),
        Spelling(text: "2016-07-01T01:02:03.", says: nil),
        Spelling(text: "2016-07-01T01:02:03+19:00", says: nil),
        Spelling(text: "2016-07-01T01:02:03+2", says: nil), Spelling(text: "16-07-01", says: nil),
        Spelling(text: "2016-7-1", says: nil), Spelling(text: "2016-07-01 01:02 x", says: nil),
        Spelling(text: " 2016-07-01", says: nil), Spelling(text: "", says: nil),
        Spelling(text: "２016-07-01", says: nil),
    ])
    func `a time is read in its usual spellings, or refused`(_ spelling: Spelling) {
        #expect(Timestamp(iso8601: spelling.text)?.description == spelling.says)
    }

    @Test func `what is written is read back, over ten thousand years`() {
        // The years 0 to 9999, with a step that meets every part of the day.
        var micros: Int64 = -62_167_219_200_000_000
        var wrong: [Int64] = []
        var count = 0
        while micros < 253_402_300_800_000_000 {
            let timestamp = Timestamp(microseconds: micros)
            if Timestamp(iso8601: timestamp.description) != timestamp { wrong.append(micros) }
            micros += 31_556_952_123_457
            count += 1
        }
        #expect(wrong == [])
        #expect(count > 9000)
    }

    @Test func `the calendar agrees with Foundation's, day by day`() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: "UTC"))
        var wrong: [Int64] = []
        // From 1600, where Foundation is Gregorian too, to 2400.
        for day in stride(from: Int64(-135_140), to: 157_054, by: 7) {
            let (year, month, dayOfMonth) = CivilDate.fromDays(day)
            let date = Date(timeIntervalSince1970: Double(day) * 86_400)
            let expected = calendar.dateComponents([.year, .month, .day], from: date)
            let agrees =
                expected.year == Int(year) && expected.month == Int(month)
                && expected.day == Int(dayOfMonth)
            if !agrees || CivilDate.days(year: year, month: month, day: dayOfMonth) != day {
                wrong.append(day)
            }
        }
        #expect(wrong == [])
    }

    @Test func `exactly the days of the calendar exist`() {
        for year: Int64 in [1900, 1999, 2000, 2023, 2024, 2100, 2400] {
            for month: Int64 in -1...14 {
                for day: Int64 in -1...33 {
                    let isRight =
                        (1...12).contains(month) && day >= 1
                        && CivilDate.fromDays(
                            CivilDate.days(year: year, month: month, day: day)
                        ) == (year, month, day)
                    #expect(CivilDate.exists(year: year, month: month, day: day) == isRight)
                }
            }
        }
    }

    @Test(arguments: [
        (Duration.zero, Int64(0)), (.microseconds(7), 7), (.microseconds(-7), -7),
        (.nanoseconds(1500), 1), (.nanoseconds(-500), -1), (.nanoseconds(-1500), -2),
        (.seconds(-1), -1_000_000), (.seconds(86_400), 86_400_000_000),
    ])
    func `durations are rounded down to the microsecond`(duration: Duration, micros: Int64) {
        #expect(duration.wholeMicroseconds == micros)
        let start = Timestamp(microseconds: 1_467_331_200_000_000)
        #expect((start + duration).microseconds - start.microseconds == micros)
    }

    @Test func `adding a difference leads from one to the other`() {
        let a = Timestamp(microseconds: -5_000_000_123)
        let b = Timestamp(microseconds: 1_467_331_200_000_001)
        #expect(a + (b - a) == b)
        #expect(b + (a - b) == a)
        #expect(a < b)
    }

    @Test func `seconds are exact to a microsecond in our century`() {
        for micros: Int64 in [0, 1, 1_467_331_200_123_457, -1, 4_102_444_799_999_999] {
            let timestamp = Timestamp(microseconds: micros)
            #expect(Timestamp(unixSeconds: timestamp.unixSeconds) == timestamp)
        }
    }

    @Test func `seconds that are no number trap`() async {
        await #expect(processExitsWith: .failure) { _ = Timestamp(unixSeconds: .nan) }
    }
}
