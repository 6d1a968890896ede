internal import CFFTW
internal import Synchronization

/// The discrete Fourier transform of real rows of one length, there and back, in either precision.
///
/// Plans are made once per length and kept; rows are transformed one at a time, so that a row stays
/// in the nearest cache.
package struct RealTransform<S: Scalar>: Sendable {
    /// Numbers in a row.
    package let length: Int
    /// Complex numbers in its spectrum, `length / 2 + 1`.
    package var spectrumCount: Int { length / 2 + 1 }
    private let plans: TransformPlans

    /// Traps unless `length` is above zero.
    package init(length: Int) {
        precondition(length > 0, "RealTransform: length \(length)")
        self.length = length
        plans = TransformCache.plans(length: length, isDouble: S.self == Double.self)
    }

    /// The least length of at least `count` whose only factors are 2, 3, 5 and 7.
    package static func fastLength(atLeast count: Int) -> Int {
        precondition(count > 0, "RealTransform: length \(count)")
        var length = count
        while !isSmooth(length) { length += 1 }
        return length
    }

    private static func isSmooth(_ number: Int) -> Bool {
        var rest = number
        for factor in [2, 3, 5, 7] {
            while rest % factor == 0 { rest /= factor }
        }
        return rest == 1
    }

    /// Where a row or a spectrum starts; traps where that is not a multiple of 16 elements, which
    /// FFTW's plans rely on.
    @unsafe private func aligned(_ panel: Panel, _ work: Workspace<S>) -> UnsafeMutablePointer<S> {
        precondition(panel.offset % 16 == 0, "RealTransform: a row at element \(panel.offset)")
        return unsafe work.pointer(panel)
    }

    /// row `[1, length]` → spectrum `[1, 2·spectrumCount]`, real and imaginary parts in turn.
    package func forward(_ row: Panel, into spectrum: Panel, _ work: Workspace<S>) {
        row.expect(1, length)
        spectrum.expect(1, 2 * spectrumCount)
        unsafe plans.forward(aligned(row, work), aligned(spectrum, work))
    }

    /// The inverse of `forward`, times `length`; overwrites the spectrum.
    package func backward(_ spectrum: Panel, into row: Panel, _ work: Workspace<S>) {
        row.expect(1, length)
        spectrum.expect(1, 2 * spectrumCount)
        unsafe plans.backward(aligned(spectrum, work), aligned(row, work))
    }
}

/// The two plans of one length and precision, which live as long as the process.
///
/// `@unchecked Sendable` and `@safe`: FFTW's plans are never changed after they were made, and its
/// new-array execution may run in several threads at once.
@safe private struct TransformPlans: @unchecked Sendable {
    let isDouble: Bool
    let there: OpaquePointer
    let back: OpaquePointer

    /// Plans for rows aligned to 64 bytes; FFTW's planner has to be locked by the caller.
    init?(length: Int, isDouble: Bool) {
        self.isDouble = isDouble
        // Estimating touches no data, and gives the same plan on every run.
        let flags = FFTW_ESTIMATE
        let n = Int32(length)
        let real = UnsafeMutableRawPointer.allocate(
            byteCount: 16 * (length + 2), alignment: 64)
        let complex = UnsafeMutableRawPointer.allocate(
            byteCount: 16 * (length + 2), alignment: 64)
        defer {
            unsafe real.deallocate()
            unsafe complex.deallocate()
        }
        if isDouble {
            let (x, y) = unsafe (
                real.assumingMemoryBound(to: Double.self),
                complex.assumingMemoryBound(to: fftw_complex.self)
            )
            guard let there = unsafe fftw_plan_dft_r2c_1d(n, x, y, flags),
                let back = unsafe fftw_plan_dft_c2r_1d(n, y, x, flags)
            else { return nil }
            unsafe self.there = there
            unsafe self.back = back
        } else {
            let (x, y) = unsafe (
                real.assumingMemoryBound(to: Float.self),
                complex.assumingMemoryBound(to: fftwf_complex.self)
            )
            guard let there = unsafe fftwf_plan_dft_r2c_1d(n, x, y, flags),
                let back = unsafe fftwf_plan_dft_c2r_1d(n, y, x, flags)
            else { return nil }
            unsafe self.there = there
            unsafe self.back = back
        }
    }

    @unsafe func forward<S>(_ row: UnsafeMutablePointer<S>, _ spectrum: UnsafeMutablePointer<S>) {
        let (row, spectrum) = (
            UnsafeMutableRawPointer(row), UnsafeMutableRawPointer(spectrum)
        )
        if isDouble {
            unsafe fftw_execute_dft_r2c(
                there, row.assumingMemoryBound(to: Double.self),
                spectrum.assumingMemoryBound(to: fftw_complex.self))
        } else {
            unsafe fftwf_execute_dft_r2c(
                there, row.assumingMemoryBound(to: Float.self),
                spectrum.assumingMemoryBound(to: fftwf_complex.self))
        }
    }

    @unsafe func backward<S>(_ spectrum: UnsafeMutablePointer<S>, _ row: UnsafeMutablePointer<S>) {
        let (row, spectrum) = (
            UnsafeMutableRawPointer(row), UnsafeMutableRawPointer(spectrum)
        )
        if isDouble {
            unsafe fftw_execute_dft_c2r(
                back, spectrum.assumingMemoryBound(to: fftw_complex.self),
                row.assumingMemoryBound(to: Double.self))
        } else {
            unsafe fftwf_execute_dft_c2r(
                back, spectrum.assumingMemoryBound(to: fftwf_complex.self),
                row.assumingMemoryBound(to: Float.self))
        }
    }
}

/// All plans of the process, by length. FFTW's planner is not safe for threads, hence one lock.
private enum TransformCache {
    private struct Key: Hashable {
        let length: Int
        let isDouble: Bool
    }

    private static let known = Mutex<[Key: TransformPlans]>([:])

    static func plans(length: Int, isDouble: Bool) -> TransformPlans {
        known.withLock { known in
            let key = Key(length: length, isDouble: isDouble)
            if let plans = known[key] { return plans }
            guard let plans = TransformPlans(length: length, isDouble: isDouble) else {
                preconditionFailure("RealTransform: FFTW has no plan for length \(length)")
            }
            known[key] = plans
            return plans
        }
    }
}
