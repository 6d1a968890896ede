/// How far the newest stretch of a series is from the nearest one before it, for stretches of
/// several lengths, row by row.
///
/// For every lag the sum of squared differences over a stretch is kept and moved on with each row:
/// what enters is added, what leaves is taken away, so that a row costs the same whatever the
/// length. A pair with a missing row counts as no difference.
///
/// - Source: the discord of Yeh et al. 2016 ("Matrix Profile I") among the past alone, without
///   their scaling of every stretch: a stretch twice as high is another one.
struct NeighbourSearch: Sendable {
    /// Lengths of the stretches in rows; shape and season share one.
    private static let short = 4, middle = 24, shape = 72, long = 144
    private static let lengths = [short, middle, shape, long]
    private static let shapeIndex = 2
    /// Rows after which all sums are taken anew, so that rounding cannot add up.
    private static let refreshRows = 1_024

    /// Lags that may be looked back; the upper bound limits the memory, to 72 MB.
    static let historyRange = (long + 1)...1_000_000

    /// Lags looked back; a multiple of eight, for the lanes of a loop.
    let historyRows: Int
    /// Rows of a day; 0 where there is none within the history.
    let season: Int
    /// Rows so far.
    var count = 0
    /// The newest row at `head`, those before it behind; NaN where missing, or before the first.
    var values: [Double]
    var head: Int
    /// Sums of squared differences, `[length][lag − 1]`.
    var squares: [[Double]]
    /// Sums of differences over the shape length, `[lag − 1]`.
    var sums: [Double]
    /// Rows since the last missing one.
    var whole = 0

    /// - Parameters:
    ///   - historyRows: Above 144; rounded up to a multiple of eight.
    ///   - season: Rows of a day, or 0.
    init(historyRows: Int, season: Int) {
        precondition(
            Self.historyRange.contains(historyRows), "NeighbourSearch: \(historyRows) rows")
        self.historyRows = (historyRows + 7) / 8 * 8
        self.season = season < historyRows ? season : 0
        squares = Self.lengths.map { [rows = self.historyRows] _ in
            [Double](repeating: 0, count: rows)
        }
        sums = [Double](repeating: 0, count: self.historyRows)
        values = [Double](repeating: .nan, count: 2 * (self.historyRows + Self.long + 8))
        head = values.count / 2
    }

    /// Takes the next row, NaN where it is missing, and says how far it is: the roots of the least
    /// sums of squares.
    ///
    /// - Parameter value: In the unit of the series; NaN where missing.
    /// - Returns: Short, middle, long, shape (level taken out), season (the same time of day); 0
    ///   where there is nothing to compare with.
    mutating func next(_ value: Double) -> [Double] {
        append(value)
        if count % Self.refreshRows == 0 { refresh() } else { advance() }
        return [nearest(0), nearest(1), nearest(3), nearestShape(), nearestOfSeason()]
            .map { max(0, $0).squareRoot() }
    }

    private mutating func append(_ value: Double) {
        if head == 0 {
            let half = values.count / 2
            for place in 0..<half { values[half + place] = values[place] }
            head = half
        }
        head -= 1
        values[head] = value
        count += 1
        whole = value.isNaN ? 0 : whole + 1
    }

    /// Lags with a row to compare the newest with.
    var known: Int { max(0, min(historyRows, count - 1)) }

    /// Rows that a later one may depend on.
    var rowsNeeded: Int { historyRows + Self.long + 8 }

    /// Moves all sums on by the newest row.
    private mutating func advance() {
        guard known > 0 else { return }
        for index in squares.indices {
            enter(row: 0, index, sign: 1)
            enter(row: Self.lengths[index], index, sign: -1)
        }
        shift(row: 0, sign: 1)
        shift(row: Self.shape, sign: -1)
    }

    /// Takes all sums anew.
    private mutating func refresh() {
        sums = [Double](repeating: 0, count: historyRows)
        for index in squares.indices {
            squares[index] = sums
            for row in 0..<Self.lengths[index] { enter(row: row, index, sign: 1) }
        }
        for row in 0..<Self.shape { shift(row: row, sign: 1) }
    }

    /// Adds `sign` times the squared differences of a row, counted back from the newest, and those
    /// before it.
    private mutating func enter(row: Int, _ index: Int, sign: Double) {
        let value = values[head + row]
        let lags = min(historyRows, count - 1 - row)
        guard value.isFinite, lags > 0 else { return }
        let isWhole = whole > lags + row
        let from = head + row + 1
        unsafe values.withUnsafeBytes { values in
            unsafe squares[index].withUnsafeMutableBytes { sums in
                for lane in 0..<(lags + 7) / 8 {
                    let others = unsafe values.loadUnaligned(
                        fromByteOffset: (from + lane * 8) * 8, as: SIMD8<Double>.self)
                    var step = SIMD8(repeating: value) - others
                    if !isWhole || lane == lags / 8 {
                        step.replace(with: 0, where: step .!= step)
                    }
                    var sum = unsafe sums.loadUnaligned(
                        fromByteOffset: lane * 64, as: SIMD8<Double>.self)
                    sum += step * step * sign
                    unsafe sums.storeBytes(
                        of: sum, toByteOffset: lane * 64, as: SIMD8<Double>.self)
                }
            }
        }
    }

    /// The same for the sums of differences, without the square.
    private mutating func shift(row: Int, sign: Double) {
        let value = values[head + row]
        let lags = min(historyRows, count - 1 - row)
        guard value.isFinite, lags > 0 else { return }
        let from = head + row + 1
        unsafe values.withUnsafeBytes { values in
            unsafe sums.withUnsafeMutableBytes { sums in
                for lane in 0..<(lags + 7) / 8 {
                    let others = unsafe values.loadUnaligned(
                        fromByteOffset: (from + lane * 8) * 8, as: SIMD8<Double>.self)
                    var step = SIMD8(repeating: value) - others
                    step.replace(with: 0, where: step .!= step)
                    var sum = unsafe sums.loadUnaligned(
                        fromByteOffset: lane * 64, as: SIMD8<Double>.self)
                    sum += step * sign
                    unsafe sums.storeBytes(
                        of: sum, toByteOffset: lane * 64, as: SIMD8<Double>.self)
                }
            }
        }
    }

    /// Lags, less one, at which a whole stretch lies before the newest, without overlap.
    private func places(_ length: Int) -> Range<Int> {
        (length - 1)..<max(length - 1, min(historyRows, count - length))
    }

    private func nearest(_ index: Int) -> Double {
        let places = places(Self.lengths[index])
        guard !places.isEmpty else { return 0 }
        return unsafe squares[index].withUnsafeBufferPointer { sums in
            var least = Double.infinity
            for place in places {
                let sum = unsafe sums[place]
                least = sum < least ? sum : least
            }
            return least
        }
    }

    /// The least sum of squares about the mean difference.
    private func nearestShape() -> Double {
        let places = places(Self.shape)
        guard !places.isEmpty else { return 0 }
        let share = 1 / Double(Self.shape)
        return unsafe squares[Self.shapeIndex].withUnsafeBufferPointer { squares in
            unsafe sums.withUnsafeBufferPointer { sums in
                var least = Double.infinity
                for place in places {
                    let sum = unsafe sums[place]
                    let about = unsafe squares[place] - sum * sum * share
                    least = about < least ? about : least
                }
                return least
            }
        }
    }

    /// The least sum among stretches at the same time of day, give or take a twenty-fourth.
    private func nearestOfSeason() -> Double {
        let top = min(historyRows, count - Self.shape)
        guard season > 1, top >= season else { return 0 }
        let slack = max(1, season / 24)
        var least = Double.infinity
        for centre in stride(from: season, through: top + slack, by: season) {
            let lags = max(1, centre - slack)...max(1, min(top, centre + slack))
            for lag in lags { least = min(least, squares[Self.shapeIndex][lag - 1]) }
        }
        return least
    }
}

/// The state between two rows: everything that a later row depends on, and nothing that was longer ago
/// than the history.
extension NeighbourSearch: Codable {
    private enum CodingKeys: String, CodingKey {
        case historyRows, season, count, whole, newest, squares, sums
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(historyRows, forKey: .historyRows)
        try container.encode(season, forKey: .season)
        try container.encode(count, forKey: .count)
        try container.encode(whole, forKey: .whole)
        // JSON has no NaN.
        let rows = values[head..<min(values.count, head + min(count, rowsNeeded))]
        try container.encode(rows.map { $0.isNaN ? nil : $0 }, forKey: .newest)
        try container.encode(squares.map { Array($0.prefix(known)) }, forKey: .squares)
        try container.encode(Array(sums.prefix(known)), forKey: .sums)
    }

    /// Throws what the decoder throws, also where counts do not fit each other.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let historyRows = try container.decode(Int.self, forKey: .historyRows)
        let season = try container.decode(Int.self, forKey: .season)
        let newest = try container.decode([Double?].self, forKey: .newest)
        let squares = try container.decode([[Double]].self, forKey: .squares)
        let sums = try container.decode([Double].self, forKey: .sums)
        let count = try container.decode(Int.self, forKey: .count)
        let whole = try container.decode(Int.self, forKey: .whole)
        guard Self.historyRange.contains(historyRows), season >= 0, count >= 0, whole >= 0 else {
            throw DecodingError.dataCorruptedError(
                forKey: .historyRows, in: container, debugDescription: "a count out of range")
        }
        self.init(historyRows: historyRows, season: season)
        self.count = count
        self.whole = whole
        guard newest.count == min(count, rowsNeeded), sums.count == known,
            squares.count == self.squares.count, squares.allSatisfy({ $0.count == known })
        else {
            throw DecodingError.dataCorruptedError(
                forKey: .newest, in: container, debugDescription: "sums of another history")
        }
        for (place, value) in newest.enumerated() { values[head + place] = value ?? .nan }
        for index in squares.indices {
            self.squares[index].replaceSubrange(0..<known, with: squares[index])
        }
        self.sums.replaceSubrange(0..<known, with: sums)
    }
}
