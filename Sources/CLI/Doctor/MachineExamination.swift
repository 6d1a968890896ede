import Foundation
import Postgres
import Tensors

/// Looks at the machine: processor, memory, disk, packages.
enum MachineExamination {
    /// All that needs no configuration.
    static func findings() -> [Finding] {
        [processor(), memory(), certificates(), ClassifierCardReport.finding()]
    }

    private static func processor() -> Finding {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let flags = Set(
            text.split(separator: "\n").first { $0.hasPrefix("flags") }?.split(separator: " ")
                .map(String.init) ?? [])
        let width =
            flags.contains("avx512f") ? "AVX-512" : flags.contains("avx2") ? "AVX2" : "neither AVX2"
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let environment = ProcessInfo.processInfo.environment
        let found =
            "\(cores) core\(cores == 1 ? "" : "s") with \(width), OpenBLAS for "
            + "\(ProcessorSetup.openBLASCore), own loops for \(ProcessorSetup.kernelVariant)"
        if let wanted = ProcessorSetup.coreTypeToRequest(environment: environment) {
            return Finding(
                "processor", .note, "\(found), which is slower than it could be",
                advice: "set \(ProcessorSetup.variable)=\(wanted)")
        }
        guard width != "neither AVX2" else {
            return Finding(
                "processor", .note, "\(cores) cores without AVX2",
                advice: "training is slow here; choose the family ridge, or another machine")
        }
        return Finding("processor", .fine, found)
    }

    private static func memory() -> Finding {
        let megabytes = ProcessInfo.processInfo.physicalMemory >> 20
        let found = "\(megabytes) MB of memory"
        guard megabytes < 1500 else { return Finding("memory", .fine, found) }
        return Finding(
            "memory", .note, found,
            advice: "database, workers and training want 2 GB; use fewer --slots")
    }

    private static func certificates() -> Finding {
        let store = "/etc/ssl/certs/ca-certificates.crt"
        guard FileManager.default.fileExists(atPath: store) else {
            return Finding(
                "certificates", .wrong, "there is no \(store), so that no webhook can be verified",
                advice: "apt-get install ca-certificates")
        }
        return Finding("certificates", .fine, "the system's store is there")
    }

    /// How much room the folder's disk has.
    static func disk(of folder: String) -> [Finding] {
        var path = URL(filePath: folder).standardizedFileURL
        while path.path != "/", !FileManager.default.fileExists(atPath: path.path) {
            path.deleteLastPathComponent()
        }
        guard
            let attributes = try? FileManager.default.attributesOfFileSystem(forPath: path.path),
            let free = (attributes[.systemFreeSize] as? NSNumber)?.int64Value
        else { return [Finding("disk", .note, "the free space of \(path.path) is unknown")] }
        let found = "\(free >> 20) MB are free on the disk of \(path.path)"
        guard free < 1 << 30 else { return [Finding("disk", .fine, found)] }
        return [
            Finding("disk", .wrong, found, advice: "make room: PostgreSQL stops when it is full")
        ]
    }
}
