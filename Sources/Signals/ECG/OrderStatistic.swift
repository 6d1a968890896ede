extension [Double] {
    /// The values that would stand at `places` if the array were sorted, without sorting it.
    ///
    /// - Parameter places: Ascending, each less than `count`; no value is NaN.
    /// - Returns: One value a place.
    /// - Source: Hoare, "Algorithm 65: find", CACM 4, 1961, with a pivot near the place that is looked for
    ///   as in Floyd and Rivest, "Expected time bounds for selection", CACM 18, 1975.
    func ordered(at places: [Int]) -> [Double] {
        var values = self
        var settled = 0
        return places.map { place in
            values.find(place, from: settled)
            settled = place
            return values[place]
        }
    }

    /// Puts the value of rank `place` at its place, larger ones behind it; what lies before `start` is
    /// smaller than everything behind.
    private mutating func find(_ place: Int, from start: Int) {
        var (low, high) = (start, count - 1)
        while low < high {
            let pivot = pivot(for: place, low, high)
            var (i, j) = (low, high)
            while i <= j {
                while self[i] < pivot { i += 1 }
                while self[j] > pivot { j -= 1 }
                if i <= j {
                    swapAt(i, j)
                    i += 1
                    j -= 1
                }
            }
            if j < place { low = i }
            if i > place { high = j }
        }
    }

    /// A value from `low...high` whose own place is near the one that is looked for.
    private func pivot(for place: Int, _ low: Int, _ high: Int) -> Double {
        let step = (high - low) / 64
        guard step > 1 else {
            // The median of three, so that sorted data are no worst case.
            let (a, b, c) = (self[low], self[(low + high) / 2], self[high])
            return Swift.max(Swift.min(a, b), Swift.min(Swift.max(a, b), c))
        }
        let sample = stride(from: low, through: high, by: step).map { self[$0] }.sorted()
        return sample[(place - low) * (sample.count - 1) / (high - low)]
    }
}
