internal import Tensors

/// Changes the number of samples of a whole record by its spectrum: exact for periodic signals
/// without frequencies above half the lower rate, and ringing at the ends of all others.
///
/// As SciPy's `resample`; the winner of the PhysioNet Challenge 2021 brought rates to 500 Hz so.
package struct FourierResampler: Sendable {
    package let count: Int

    /// - Parameter count: Samples of the result, from 1.
    package init(count: Int) {
        precondition(count > 0, "FourierResampler: \(count) samples")
        self.count = count
    }

    /// - Parameter x: Finite samples.
    /// - Returns: `[count]`, or nothing of nothing.
    package func resample(_ x: [Double]) -> [Double] {
        guard !x.isEmpty else { return [] }
        if x.count == count { return x }
        let (there, back) = (
            RealTransform<Double>(length: x.count), RealTransform<Double>(length: count)
        )
        var layout = WorkspaceLayout()
        let row = layout.reserve(1, x.count)
        let spectrum = layout.reserve(1, 2 * there.spectrumCount)
        let other = layout.reserve(1, 2 * back.spectrumCount)
        let result = layout.reserve(1, count)
        let work = Workspace<Double>(layout)
        work.load(row, from: x)
        there.forward(row, into: spectrum, work)
        let fewer = min(x.count, count)
        let kept = fewer / 2 + 1
        var values = [Double](repeating: 0, count: 2 * back.spectrumCount)
        values.replaceSubrange(0..<2 * kept, with: work.values(spectrum).prefix(2 * kept))
        if fewer.isMultiple(of: 2) {
            // The frequency at the lower half rate stands for itself and its mirror image.
            let scale = count < x.count ? 2.0 : 0.5
            for i in 2 * kept - 2..<2 * kept { values[i] *= scale }
        }
        work.load(other, from: values)
        back.backward(other, into: result, work)
        return work.values(result).map { $0 / Double(x.count) }
    }
}
