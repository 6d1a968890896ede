internal import Series
internal import Tensors

/// Shares of a lead's power in the bands that tell an electrocardiogram from noise.
///
/// - Source: Clifford et al., "Signal quality indices and data fusion for determining clinical
///   acceptability of electrocardiograms", Physiol. Meas. 33, 2012 (pSQI, basSQI).
struct PowerShares {
    private let hertzPerBin: Double
    private let transform: RealTransform<Double>
    private let row: Panel
    private let spectrum: Panel
    private let work: Workspace<Double>

    init(rate: SamplingRate, count: Int) {
        let length = RealTransform<Double>.fastLength(atLeast: max(2, count))
        transform = RealTransform(length: length)
        hertzPerBin = rate.hertz / Double(length)
        var layout = WorkspaceLayout()
        row = layout.reserve(1, length)
        spectrum = layout.reserve(1, 2 * transform.spectrumCount)
        work = Workspace(layout)
    }

    /// - Parameter values: Finite; at most the length that was told.
    /// - Returns: Power below 0.7 Hz of that below 40, and from 5 to 15 of that from 5 to 40.
    func shares(of values: [Double]) -> (baseline: Double, qrs: Double) {
        let mean = values.mean
        var centred = [Double](repeating: 0, count: transform.length)
        for (i, value) in values.enumerated() { centred[i] = value - mean }
        work.load(row, from: centred)
        transform.forward(row, into: spectrum, work)
        // Nothing above 40 Hz counts.
        let known = min(transform.spectrumCount, Int((40 / hertzPerBin).rounded(.up)))
        var bins = [Double](repeating: 0, count: 2 * known)
        work.store(spectrum.columns(0..<2 * known), into: &bins)
        func power(_ low: Double, _ high: Double) -> Double {
            let first = max(1, Int((low / hertzPerBin).rounded(.up)))
            let last = min(known, Int((high / hertzPerBin).rounded(.up)))
            var sum = 0.0
            for k in first..<max(first, last) {
                let (real, imaginary) = (bins[2 * k], bins[2 * k + 1])
                sum += real * real + imaginary * imaginary
            }
            return sum
        }
        let (all, fast) = (power(0, 40), power(5, 40))
        return (all > 0 ? power(0, 0.7) / all : 1, fast > 0 ? power(5, 15) / fast : 0)
    }
}
