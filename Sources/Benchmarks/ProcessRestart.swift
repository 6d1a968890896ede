import Foundation
import Tensors

/// Starts this process once more where its products would be slow otherwise, as `systole` does.
enum ProcessRestart {
    /// Sets OpenBLAS's core type where the library chose less than the processor can do.
    static func withFastLinearAlgebra() {
        let environment = ProcessInfo.processInfo.environment
        guard let type = ProcessorSetup.coreTypeToRequest(environment: environment) else { return }
        unsafe setenv(ProcessorSetup.variable, type, 1)
        var arguments = unsafe CommandLine.arguments.map { unsafe strdup($0) }
        unsafe arguments.append(nil)
        unsafe execv("/proc/self/exe", arguments)
        // Only a failed call comes here; the report then names the slower core type.
    }
}
