/// Minimises a function without derivatives by a simplex that moves, grows and shrinks.
///
/// - Source: Nelder, Mead 1965, with the coefficients 1, 2, ½, ½.
struct NelderMead {
    /// The function is called about this many times at most.
    var evaluationsMaximum = 600
    /// The search ends when the values at the corners differ by less, relative to the best.
    var tolerance = 1e-7
    /// The first simplex reaches this far from the start along each axis.
    var step = 0.5

    /// Finds a place where `f` is small.
    ///
    /// - Parameters:
    ///   - start: Where to begin; not empty.
    ///   - f: May be +∞, never −∞.
    /// - Returns: The best place found, and the value there.
    func minimise(
        from start: [Double], _ f: ([Double]) -> Double
    ) -> (place: [Double], value: Double) {
        var corners: [(place: [Double], value: Double)] = [(start, f(start))]
        for axis in start.indices {
            var place = start
            place[axis] += step
            corners.append((place, f(place)))
        }
        var evaluations = corners.count
        func tried(_ place: [Double]) -> (place: [Double], value: Double) {
            evaluations += 1
            let value = f(place)
            return (place, value.isNaN ? .infinity : value)
        }
        while evaluations < evaluationsMaximum {
            corners.sort { $0.value < $1.value }
            let (best, worst) = (corners[0], corners[corners.count - 1])
            if abs(worst.value - best.value) <= tolerance * (abs(best.value) + tolerance) { break }
            let centre = Self.centre(corners.dropLast().map(\.place))
            let reflected = tried(Self.mix(centre, worst.place, -1))
            if reflected.value < best.value {
                let expanded = tried(Self.mix(centre, worst.place, -2))
                corners[corners.count - 1] = expanded.value < reflected.value ? expanded : reflected
            } else if reflected.value < corners[corners.count - 2].value {
                corners[corners.count - 1] = reflected
            } else {
                let outside = reflected.value < worst.value
                let contracted = tried(Self.mix(centre, worst.place, outside ? -0.5 : 0.5))
                if contracted.value < min(reflected.value, worst.value) {
                    corners[corners.count - 1] = contracted
                } else {
                    for index in corners.indices.dropFirst() {
                        corners[index] = tried(Self.mix(best.place, corners[index].place, 0.5))
                    }
                }
            }
        }
        return corners.min { $0.value < $1.value } ?? corners[0]
    }

    private static func centre(_ places: [[Double]]) -> [Double] {
        places[0].indices.map { axis in
            places.reduce(0) { $0 + $1[axis] } / Double(places.count)
        }
    }

    /// `centre + share·(place − centre)`.
    private static func mix(_ centre: [Double], _ place: [Double], _ share: Double) -> [Double] {
        zip(centre, place).map { $0 + share * ($1 - $0) }
    }
}
