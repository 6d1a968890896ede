import Glibc

/// A file that one process at a time holds, with its process id inside.
///
/// The kernel lets go of it when the process ends, however it ends, and children do not inherit it.
final class FileLock: Sendable {
    private let descriptor: Int32

    /// Takes the lock without waiting.
    ///
    /// - Parameters:
    ///   - path: The file, made if it is not there.
    ///   - folder: What the file stands for, for the error.
    /// - Throws: `ClusterError.owned` or `.folderUnwritable`.
    init(path: String, of folder: String) throws(ClusterError) {
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw ClusterError.folderUnwritable(folder) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let owner = Self.content(of: descriptor)
            close(descriptor)
            throw ClusterError.owned(folder: folder, process: owner)
        }
        self.descriptor = descriptor
        let text = Array("\(getpid())\n".utf8)
        ftruncate(descriptor, 0)
        // A failure leaves the file empty: the lock holds, only its owner is not named.
        _ = unsafe text.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    }

    deinit {
        // The number of a process that is gone helps nobody.
        ftruncate(descriptor, 0)
        close(descriptor)
    }

    private static func content(of descriptor: Int32) -> Int32 {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe pread(descriptor, $0.baseAddress, 15, 0)
        }
        let digits = bytes.prefix(max(0, count)).prefix { (48...57).contains($0) }
        return Int32(String(decoding: digits, as: UTF8.self)) ?? 0
    }
}
