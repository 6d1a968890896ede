import Glibc

/// Finding a port of 127.0.0.1 that nobody listens on.
enum FreePort {
    /// Tried in this order, so that a machine's first database is found where it was yesterday;
    /// below the ports that the system hands out to outgoing connections.
    static let range: ClosedRange<UInt16> = 15_432...15_531

    /// - Parameter preferred: Taken if it is free.
    /// - Returns: A free port.
    /// - Throws: `ClusterError.noFreePort`.
    static func find(preferred: UInt16?) throws(ClusterError) -> UInt16 {
        if let preferred, isFree(preferred) { return preferred }
        guard let port = range.first(where: isFree) else {
            throw ClusterError.noFreePort(range)
        }
        return port
    }

    static func isFree(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var yes: Int32 = 1
        // As the server does, so that a port in TIME_WAIT counts as free.
        _ = unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        return unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
