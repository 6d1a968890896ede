import Tensors

/// Sums of products over windows, from which linear maps of every look-back up to the longest are fitted
/// and judged without another look at a window.
///
/// Windows that follow each other share all but one row, so that one row of products gives all the others:
/// `Σ x[t+i+1]·x[t+j+1] = Σ x[t+i]·x[t+j] − x[s+i]·x[s+j] + x[e+i]·x[e+j]` over t in s..<e. A run of n
/// windows of p rows costs n·p + p² products instead of n·p².
struct WindowMoments: Sendable {
    let lag: Int
    let horizon: Int
    private(set) var windows = 0
    /// Σ x[t+i]·x[t+i+d], for every d the i in turn.
    private var products: [Double]
    /// Σ x[t+i]
    private var totals: [Double]

    private var length: Int { lag + horizon }

    init(lag: Int, horizon: Int) {
        precondition(min(lag, horizon) > 0, "WindowMoments: \(lag), \(horizon)")
        (self.lag, self.horizon) = (lag, horizon)
        let length = lag + horizon
        products = [Double](repeating: 0, count: length * (length + 1) / 2)
        totals = [Double](repeating: 0, count: length)
    }

    /// Adds windows.
    ///
    /// - Parameters:
    ///   - series: Finite in every window.
    ///   - starts: Where the windows begin, ascending.
    mutating func add(_ series: [Float], starts: [Int]) {
        var first = 0
        while first < starts.count {
            var end = first + 1
            while end < starts.count, starts[end] == starts[end - 1] + 1 { end += 1 }
            add(series, from: starts[first], count: end - first)
            first = end
        }
    }

    private mutating func add(_ series: [Float], from start: Int, count: Int) {
        let x = series[start..<start + count + length - 1].map { Double($0) }
        windows += count
        var sum = x[0..<count].reduce(0, +)
        for i in 0..<length {
            totals[i] += sum
            if i + 1 < length { sum += x[count + i] - x[i] }
        }
        var place = 0
        for distance in 0..<length {
            var product = Self.product(x, count, distance: distance)
            for i in 0..<length - distance {
                products[place] += product
                place += 1
                if i + distance + 1 < length {
                    product += x[count + i] * x[count + i + distance] - x[i] * x[i + distance]
                }
            }
        }
    }

    /// Σ x[t]·x[t+distance] over the first `count` rows, eight sums at a time.
    private static func product(_ x: [Double], _ count: Int, distance: Int) -> Double {
        var sums = SIMD8<Double>(repeating: 0)
        var t = 0
        while t + 8 <= count {
            var (a, b) = (SIMD8<Double>(), SIMD8<Double>())
            for lane in 0..<8 {
                a[lane] = x[t + lane]
                b[lane] = x[t + lane + distance]
            }
            sums += a * b
            t += 8
        }
        var sum = sums.sum()
        while t < count {
            sum += x[t] * x[t + distance]
            t += 1
        }
        return sum
    }

    /// Σ x[t+i]·x[t+j], rows counted from the start of a window.
    fileprivate func product(_ i: Int, _ j: Int) -> Double {
        let (first, distance) = (min(i, j), abs(i - j))
        return products[distance * length - distance * (distance - 1) / 2 + first]
    }

    fileprivate func total(_ i: Int) -> Double { totals[i] }
}

extension NormalEquations {
    /// Those of the windows' last rows, centred.
    ///
    /// - Parameters:
    ///   - moments: Of the windows.
    ///   - lag: Rows before the forecast that are looked at; at most the moments' own.
    ///   - centring: What is taken off; `none` traps.
    init(_ moments: WindowMoments, lag: Int, centring: RidgeForecaster.Centring) {
        precondition(
            centring != .none && (1...moments.lag).contains(lag), "NormalEquations: \(lag)")
        let (end, horizon) = (moments.lag, moments.horizon)
        let (first, count) = (end - lag, Double(moments.windows))
        // The centre is a mean over these rows: c = Σ x[k] / their number.
        let averaged = centring == .last ? end - 1..<end : first..<end
        func mean(_ value: (Int) -> Double) -> Double {
            averaged.reduce(0) { $0 + value($1) } / Double(averaged.count)
        }
        let length = end + horizon
        // Σ x[i]·c, Σ c and Σ c².
        let crossed = (first..<length).map { i in mean { moments.product(i, $0) } }
        let total = mean { moments.total($0) }
        let squared = mean { crossed[$0 - first] }
        func centred(_ i: Int, _ j: Int) -> Double {
            moments.product(i, j) - crossed[i - first] - crossed[j - first] + squared
        }
        var gram = [Double](repeating: 0, count: (lag + 1) * (lag + 1))
        var cross = [Double](repeating: 0, count: (lag + 1) * horizon)
        for i in 0..<lag {
            for j in 0...i {
                let value = centred(first + i, first + j)
                gram[i * (lag + 1) + j] = value
                gram[j * (lag + 1) + i] = value
            }
            let constant = moments.total(first + i) - total
            gram[i * (lag + 1) + lag] = constant
            gram[lag * (lag + 1) + i] = constant
            for step in 0..<horizon {
                cross[i * horizon + step] = centred(first + i, end + step)
            }
        }
        gram[(lag + 1) * (lag + 1) - 1] = count
        for step in 0..<horizon { cross[lag * horizon + step] = moments.total(end + step) - total }
        self.gram = Tensor([lag + 1, lag + 1], gram)
        self.cross = Tensor([lag + 1, horizon], cross)
        targetSquares = (end..<length).reduce(0) { $0 + centred($1, $1) }
    }
}
