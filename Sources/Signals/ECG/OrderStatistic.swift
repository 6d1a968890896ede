extension [Double] {
    /// The values that would stand at `places` if the array were sorted, without sorting it.
    ///
    /// - Parameter places: Ascending, each less than `count`; no value is NaN.
    /// - Returns: One value a place.
    /// - Source: Hoare, "Algorithm 65: find", CACM 4, 1961.
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
            // The median of three, so that sorted data are no worst case.
            let (a, b, c) = (self[low], self[(low + high) / 2], self[high])
            let pivot = Swift.max(Swift.min(a, b), Swift.min(Swift.max(a, b), c))
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
}
