/// A place in the picture.
struct Point: Equatable, Sendable {
    var x: Double
    /// NaN where there is no value.
    var y: Double
}

/// The `d` attribute of lines and bands.
enum LinePath {
    /// A line through the points. A point without a value breaks it; one alone becomes a dot, with
    /// round line ends.
    static func line(_ points: [Point]) -> String {
        var path = ""
        var isDown = false
        for (index, point) in points.enumerated() {
            guard point.y.isFinite else {
                isDown = false
                continue
            }
            let place = SVG.number(point.x) + " " + SVG.number(point.y)
            let isAlone =
                !isDown && !(points.indices.contains(index + 1) && points[index + 1].y.isFinite)
            path += (isDown ? "L" : "M") + place + (isAlone ? "h0" : "")
            isDown = true
        }
        return path
    }

    /// The area between two lines over the same x; where either has no value, the area is broken.
    static func band(_ lower: [Point], _ upper: [Point]) -> String {
        var path = ""
        var run: [Int] = []
        func close() {
            guard run.count > 1 else { return run.removeAll() }
            let there = run.map { upper[$0] }
            let back = run.reversed().map { lower[$0] }
            path += line(there) + line(back).replacingFirst("M", with: "L") + "Z"
            run.removeAll()
        }
        for index in lower.indices {
            if lower[index].y.isFinite && upper[index].y.isFinite {
                run.append(index)
            } else {
                close()
            }
        }
        close()
        return path
    }

    /// At most four points per column of one unit of width, so that a long series draws the same
    /// and is small: per column the first, the lowest, the highest and the last.
    static func thinned(_ points: [Point]) -> [Point] {
        guard let first = points.first, let last = points.last,
            Double(points.count) > 4 * (last.x - first.x)
        else { return points }
        var result: [Point] = []
        var start = 0
        while start < points.count {
            let column = points[start].x.rounded(.down)
            // A missing value ends the column, so that gaps stay.
            let isMissing = points[start].y.isNaN
            var end = start
            while end < points.count, points[end].x.rounded(.down) == column,
                points[end].y.isNaN == isMissing
            {
                end += 1
            }
            let run = start..<end
            if isMissing {
                result.append(points[start])
            } else {
                let lowest = run.min { points[$0].y < points[$1].y } ?? start
                let highest = run.max { points[$0].y < points[$1].y } ?? start
                result += Set([start, lowest, highest, end - 1]).sorted().map { points[$0] }
            }
            start = end
        }
        return result
    }
}

extension String {
    fileprivate func replacingFirst(_ character: Character, with other: String) -> String {
        guard let index = firstIndex(of: character) else { return self }
        return self[..<index] + other + self[self.index(after: index)...]
    }
}
