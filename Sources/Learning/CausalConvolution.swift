package import Tensors

/// Causal convolution of rows with one kernel, `y_t = Σ_{j≤t} k_j·x_{t−j}`, by the form that is
/// fastest for their length and number.
package struct CausalConvolution<S: Scalar>: Sendable {
    /// How the sum is formed.
    package enum Form: Sendable, CaseIterable {
        /// By its definition, in registers: `length²/2` multiply-adds a row.
        case direct
        /// By products of spectra, row by row, padded so that nothing wraps round.
        case transform
        /// By short transforms of blocks, thirty-two rows at a time in the lanes of a register.
        case blocks
    }

    package let length: Int
    private let wanted: Form?
    private let transform: RealTransform<S>
    private let factors: TransformFactors<S>

    /// - Parameters:
    ///   - length: Of a row and of the kernel, above zero.
    ///   - form: The fastest one where nil.
    package init(length: Int, form: Form? = nil) {
        self.length = length
        wanted = form
        transform = RealTransform(length: RealTransform<S>.fastLength(atLeast: 2 * length - 1))
        factors = TransformFactors(block: length <= 3072 ? 128 : 512)
    }

    /// The form in which so many rows are convolved; measured, see ops/decisions/0012.
    package func form(rows: Int) -> Form {
        if let wanted { return wanted }
        if rows >= 12 && length >= 128 { return .blocks }
        return length <= 512 ? .direct : .transform
    }

    /// Elements of scratch that either direction needs.
    package var scratchCount: Int {
        max(
            Workspace<S>.convolutionScratch(length: length),
            Workspace<S>.convolutionScratch(length: length, block: factors.block),
            Self.aligned(transform.length) + 4 * Self.aligned(2 * transform.spectrumCount))
    }

    /// x `[rows, length]` and kernel `[1, length]` → y `[rows, length]`.
    package func forward(
        _ x: Panel, kernel: Panel, into y: Panel, scratch: Panel, _ work: Workspace<S>
    ) {
        switch form(rows: x.rows) {
        case .direct:
            work.convolve(x, kernels: (kernel, nil), into: (y, nil), scratch: scratch)
        case .transform: transformForward(x, kernel, y, scratch, work)
        case .blocks: work.convolve(x, kernel: kernel, into: y, factors, scratch: scratch)
        }
    }

    private func transformForward(
        _ x: Panel, _ kernel: Panel, _ y: Panel, _ scratch: Panel, _ work: Workspace<S>
    ) {
        let (padded, spectra) = split(scratch)
        spectrum(of: kernel, padded, into: spectra[0], work)
        for row in 0..<x.rows {
            spectrum(of: x.row(row), padded, into: spectra[1], work)
            work.multiplySpectra(spectra[1], spectra[0], into: spectra[2], times: share)
            transform.backward(spectra[2], into: padded, work)
            work.copy(padded.columns(0..<length), to: y.row(row))
        }
    }

    /// The adjoint of `forward`: adds to dx, where there is one, and to dkernel.
    ///
    /// - Parameters:
    ///   - x: `[rows, length]`
    ///   - kernel: `[1, length]`
    ///   - dy: `[rows, length]`
    ///   - dx: `[rows, length]`
    ///   - dkernel: `[1, length]`
    ///   - scratch: `scratchCount` elements.
    ///   - work: The memory of all panels.
    package func backward(
        _ x: Panel, kernel: Panel, dy: Panel, into dx: Panel?, dkernel: Panel, scratch: Panel,
        _ work: Workspace<S>
    ) {
        switch form(rows: x.rows) {
        case .direct:
            work.convolveBackward(
                x, kernels: (kernel, nil), dy: (dy, nil), into: dx, dkernels: (dkernel, nil),
                scratch: scratch)
        case .transform: transformBackward(x, kernel, dy, dx, dkernel, scratch, work)
        case .blocks:
            work.convolveBackward(
                x, kernel: kernel, dy: dy, into: dx, dkernel: dkernel, factors, scratch: scratch)
        }
    }

    private func transformBackward(
        _ x: Panel, _ kernel: Panel, _ dy: Panel, _ dx: Panel?, _ dkernel: Panel, _ scratch: Panel,
        _ work: Workspace<S>
    ) {
        let (padded, spectra) = split(scratch)
        spectrum(of: kernel, padded, into: spectra[0], work)
        work.fill(spectra[3])
        for row in 0..<x.rows {
            spectrum(of: dy.row(row), padded, into: spectra[1], work)
            spectrum(of: x.row(row), padded, into: spectra[2], work)
            work.multiplySpectra(
                spectra[1], spectra[2], into: spectra[3], times: share, conjugateB: true,
                adding: true)
            guard let dx else { continue }
            work.multiplySpectra(
                spectra[1], spectra[0], into: spectra[2], times: share, conjugateB: true)
            transform.backward(spectra[2], into: padded, work)
            work.add(padded.columns(0..<length), to: dx.row(row))
        }
        transform.backward(spectra[3], into: padded, work)
        work.add(padded.columns(0..<length), to: dkernel)
    }

    /// What the transforms there and back multiply by, undone.
    private var share: S { 1 / S(transform.length) }

    /// The next place for a row that the transform can work on.
    private static func aligned(_ count: Int) -> Int { (count + 15) / 16 * 16 }

    /// A padded row, and four spectra.
    private func split(_ scratch: Panel) -> (padded: Panel, spectra: [Panel]) {
        let row = scratch.reshaped(1, scratch.count)
        let width = 2 * transform.spectrumCount
        return (
            row.columns(0..<transform.length),
            (0..<4).map { index in
                let start = Self.aligned(transform.length) + index * Self.aligned(width)
                return row.columns(start..<start + width)
            }
        )
    }

    /// The spectrum of a row with zeros behind it.
    private func spectrum(
        of row: Panel, _ padded: Panel, into spectrum: Panel, _ work: Workspace<S>
    ) {
        work.fill(padded)
        work.add(row, to: padded.columns(0..<length))
        transform.forward(padded, into: spectrum, work)
    }
}
