/// A range of forecast steps over which errors are gathered: `systole.horizon_bucket` in SQL.
package struct HorizonRange: Hashable, Sendable {
    /// The first step, from 1.
    package let first: Int
    /// The last step.
    package let last: Int

    /// All of them, in order; together they hold every step that is forecast.
    package static let all = [
        (1, 1), (2, 6), (7, 24), (25, 72), (73, 168), (169, 336), (337, 720), (721, 10_000),
    ].map { HorizonRange(first: $0, last: $1) }

    /// How many steps it has.
    package var count: Int { last - first + 1 }

    /// The place in `all` of the range that holds a step, from 1; the last one beyond.
    package static func index(of step: Int) -> Int {
        all.firstIndex { step <= $0.last } ?? all.count - 1
    }
}
