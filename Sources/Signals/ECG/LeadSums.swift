/// Sums and extremes over a stretch of a lead, each in four parts that do not wait for each other.
extension [Double] {
    /// The sum of `part` of every value of a stretch.
    @inline(__always)
    func sum(_ range: Range<Int>, _ part: (Double) -> Double = { $0 }) -> Double {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "sum: \(range)")
        return unsafe withUnsafeBufferPointer { values in
            var (a, b, c, d) = (0.0, 0.0, 0.0, 0.0)
            var i = range.lowerBound
            while i + 4 <= range.upperBound {
                unsafe a += part(values[i])
                unsafe b += part(values[i + 1])
                unsafe c += part(values[i + 2])
                unsafe d += part(values[i + 3])
                i += 4
            }
            while i < range.upperBound {
                unsafe a += part(values[i])
                i += 1
            }
            return (a + b) + (c + d)
        }
    }

    /// The mean of all values; 0 of none.
    var mean: Double { sum(indices) / Double(Swift.max(1, count)) }

    /// The root of the mean square; 0 of none.
    var deviation: Double {
        (sum(indices) { $0 * $0 } / Double(Swift.max(1, count))).squareRoot()
    }

    /// The least and the largest value of a stretch that has any.
    func extremes(_ range: Range<Int>) -> (low: Double, high: Double) {
        precondition(
            !range.isEmpty && range.lowerBound >= 0 && range.upperBound <= count,
            "extremes: \(range)")
        return unsafe withUnsafeBufferPointer { values in
            let first = unsafe values[range.lowerBound]
            var low = (first, first, first, first)
            var high = low
            var i = range.lowerBound
            while i + 4 <= range.upperBound {
                unsafe low.0 = Swift.min(low.0, values[i])
                unsafe low.1 = Swift.min(low.1, values[i + 1])
                unsafe low.2 = Swift.min(low.2, values[i + 2])
                unsafe low.3 = Swift.min(low.3, values[i + 3])
                unsafe high.0 = Swift.max(high.0, values[i])
                unsafe high.1 = Swift.max(high.1, values[i + 1])
                unsafe high.2 = Swift.max(high.2, values[i + 2])
                unsafe high.3 = Swift.max(high.3, values[i + 3])
                i += 4
            }
            while i < range.upperBound {
                unsafe low.0 = Swift.min(low.0, values[i])
                unsafe high.0 = Swift.max(high.0, values[i])
                i += 1
            }
            return (
                Swift.min(Swift.min(low.0, low.1), Swift.min(low.2, low.3)),
                Swift.max(Swift.max(high.0, high.1), Swift.max(high.2, high.3))
            )
        }
    }

    /// `rule` of every value and of the one at the same place of `other`, as far as both go.
    @inline(__always)
    func combined(_ other: [Double], _ rule: (Double, Double) -> Double) -> [Double] {
        let count = Swift.min(count, other.count)
        return unsafe withUnsafeBufferPointer { a in
            unsafe other.withUnsafeBufferPointer { b in
                unsafe [Double](unsafeUninitializedCapacity: count) { target, filled in
                    for i in 0..<count { unsafe target[i] = rule(a[i], b[i]) }
                    filled = count
                }
            }
        }
    }
}
