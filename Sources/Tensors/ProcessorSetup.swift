internal import CFFTW
internal import CKernels
internal import COpenBLAS

/// What a process must be started with so that its products are fast on this processor.
///
/// Debian's OpenBLAS 0.3.21 does not know recent processors and falls back to AVX2 kernels, which
/// have half the speed of its AVX-512 ones. The variable has to be set before the library loads.
package enum ProcessorSetup {
    /// The environment variable that tells OpenBLAS what the processor is.
    package static let variable = "OPENBLAS_CORETYPE"

    /// The value to set `variable` to before starting this executable once more; nil where OpenBLAS
    /// has chosen well, or was told already.
    package static func coreTypeToRequest(environment: [String: String]) -> String? {
        coreTypeToRequest(
            hasAVX512: ck_has_avx512() != 0, chosen: openBLASCore, told: environment[variable])
    }

    /// The same decision from its facts.
    ///
    /// - Parameters:
    ///   - hasAVX512: Whether the processor has AVX-512 with its F, DQ, BW and VL parts.
    ///   - chosen: The core type that OpenBLAS runs for.
    ///   - told: The value of `variable`; nil where it is not set.
    /// - Returns: The value to set; nil where none is needed.
    package static func coreTypeToRequest(
        hasAVX512: Bool, chosen: String, told: String?
    ) -> String? {
        guard hasAVX512, told == nil, !wideCores.contains(chosen.lowercased()) else { return nil }
        return "SkylakeX"
    }

    /// The core type that OpenBLAS runs for, by its own name.
    package static var openBLASCore: String {
        guard let name = unsafe openblas_get_corename() else { return "" }
        return unsafe String(cString: name)
    }

    /// Keeps freed memory for the next use, until the process ends: for one that takes and gives back
    /// blocks of megabytes all the time, such as files that are read one after the other.
    ///
    /// The system clears each page that it hands out, and it hands out a block of this size anew each
    /// time: that takes longer than decoding the samples in it.
    package static func keepFreedMemory() {
        // Blocks up to this size come out of memory that was used before; the largest that is accepted.
        _ = mallopt(M_MMAP_THRESHOLD, 32 << 20)
        _ = mallopt(M_TRIM_THRESHOLD, 512 << 20)
        _ = mallopt(M_TOP_PAD, 16 << 20)
    }

    /// The variant of our own kernels: plain, generic, avx2 or avx512.
    package static var kernelVariant: String { unsafe String(cString: ck_variant()) }

    /// Chooses a variant of our own kernels, for tests in a process of their own; false where the
    /// processor does not have it.
    package static func chooseKernels(_ variant: String) -> Bool {
        unsafe variant.withCString { unsafe ck_choose($0) != 0 }
    }

    /// The versions of the libraries under the mathematics, and what they chose on this processor.
    package static var libraries: [String: String] {
        var versions = ["kernels": kernelVariant, "openblas.core": openBLASCore]
        if let text = unsafe openblas_get_config() {
            versions["openblas"] = unsafe String(cString: text)
        }
        if let text = unsafe fftw_version_text() {
            versions["fftw"] = unsafe String(cString: text)
        }
        return versions
    }

    /// OpenBLAS's core types whose kernels use AVX-512.
    private static let wideCores: Set = [
        "skylakex", "cooperlake", "sapphirerapids", "zen4", "zen5",
    ]
}
