import Foundation
import Tensors

/// Starts the process once more where an environment variable has to be set before a library loads.
enum ProcessRestart {
    /// Sets OpenBLAS's core type where the library chose less than the processor can do.
    ///
    /// Debian's OpenBLAS does not know recent processors and falls back to AVX2 kernels, at half
    /// the speed. The variable is read when the library loads, so the process replaces itself by
    /// the same command line; it does so at most once, since the variable is then set.
    static func withFastLinearAlgebra() {
        let environment = ProcessInfo.processInfo.environment
        guard let coreType = ProcessorSetup.coreTypeToRequest(environment: environment) else {
            return
        }
        unsafe setenv(ProcessorSetup.variable, coreType, 1)
        var arguments = unsafe CommandLine.arguments.map { unsafe strdup($0) }
        unsafe arguments.append(nil)
        _ = unsafe execv("/proc/self/exe", arguments)
        // Only a failed call comes here; the slower kernels give the same answers.
    }
}
