/// Rows of one length side by side, eight to a vector: what has to be done sample by sample is done for
/// eight rows at once, with the same arithmetic for each.
enum Lanes {
    static let width = 8

    /// `[rows][count]` as `[count]` vectors; lanes without a row are zero.
    static func gathered(_ rows: ArraySlice<[Double]>, count: Int) -> [SIMD8<Double>] {
        var lanes = [SIMD8<Double>](repeating: .zero, count: count)
        for (lane, row) in rows.enumerated() {
            for i in 0..<count { lanes[i][lane] = row[i] }
        }
        return lanes
    }

    /// One row back.
    static func row(_ lane: Int, of lanes: ArraySlice<SIMD8<Double>>) -> [Double] {
        lanes.map { $0[lane] }
    }

    /// Whether rows can stand side by side.
    static func fit(_ rows: [[Double]]) -> Bool {
        rows.count > 1 && rows.allSatisfy { $0.count == rows[0].count } && !rows[0].isEmpty
    }
}

extension BiquadCascade {
    /// Filters rows to and fro, each as `zeroPhase` does it, to the last bit; several times faster where
    /// they have one length.
    package func zeroPhase(rows: [[Double]]) -> [[Double]] {
        guard Lanes.fit(rows) else { return rows.map { zeroPhase($0) } }
        return stride(from: 0, to: rows.count, by: Lanes.width).flatMap { first in
            zeroPhase(lanes: rows[first..<min(first + Lanes.width, rows.count)])
        }
    }

    /// At most eight rows of one length.
    private func zeroPhase(lanes rows: ArraySlice<[Double]>) -> [[Double]] {
        let count = rows[rows.startIndex].count
        let edge = min(edge, count - 1)
        let x = Lanes.gathered(rows, count: count)
        let (first, last) = (x[0], x[count - 1])
        var long = (1..<edge + 1).reversed().map { 2 * first - x[$0] }
        long += x
        long += (1..<edge + 1).map { 2 * last - x[count - 1 - $0] }
        for _ in 0..<2 {
            run(&long)
            long.reverse()
        }
        return rows.indices.map { row in
            Lanes.row(row - rows.startIndex, of: long[edge..<edge + count])
        }
    }

    /// Filters vectors in place, from the state that is settled at the first.
    private func run(_ y: inout [SIMD8<Double>]) {
        var level = y[0]
        for s in sections {
            let gain = (s.b0 + s.b1 + s.b2) / (1 + s.a1 + s.a2)
            let settled = level * gain
            var z1 = settled - s.b0 * level
            var z2 = s.b2 * level - s.a2 * settled
            level = settled
            for i in y.indices {
                let input = y[i]
                let output = s.b0 * input + z1
                z1 = s.b1 * input - s.a1 * output + z2
                z2 = s.b2 * input - s.a2 * output
                y[i] = output
            }
        }
    }
}

extension PolyphaseResampler {
    /// Resamples rows, each as `resample` does it, to the last bit; several times faster where they
    /// have one length.
    package func resample(rows: [[Double]]) -> [[Double]] {
        guard Lanes.fit(rows), up > 1 || down > 1 else { return rows.map { resample($0) } }
        return stride(from: 0, to: rows.count, by: Lanes.width).flatMap { first in
            resample(lanes: rows[first..<min(first + Lanes.width, rows.count)])
        }
    }

    /// At most eight rows of one length.
    private func resample(lanes rows: ArraySlice<[Double]>) -> [[Double]] {
        let x = Lanes.gathered(rows, count: rows[rows.startIndex].count)
        let half = taps.count / 2
        var y = [SIMD8<Double>](repeating: .zero, count: count(from: x.count))
        for m in y.indices {
            let place = m * down
            let first = max(0, (place - half + up - 1) / up)
            let last = min(x.count - 1, (place + half) / up)
            guard first <= last else { continue }
            var sum = SIMD8<Double>.zero
            var tap = place + half - first * up
            for i in first...last {
                sum += x[i] * taps[tap]
                tap -= up
            }
            y[m] = sum
        }
        return rows.indices.map { Lanes.row($0 - rows.startIndex, of: y[...]) }
    }
}
