import Glibc
import Testing

@testable import Postgres

@Suite struct FreePortTests {
    @Test func `a port in use is passed over`() throws {
        let taken = try #require(Listener())
        defer { taken.close() }
        #expect(!FreePort.isFree(taken.port))
        let found = try FreePort.find(preferred: taken.port)
        #expect(found != taken.port)
        #expect(FreePort.range.contains(found))
    }

    @Test func `all ports in use are one sentence that names them`() {
        let error = ClusterError.noFreePort(15_432...15_531)
        #expect(
            "\(error)" == "all ports from 15432 to 15531 on 127.0.0.1 are in use")
    }
}

/// A socket that listens on a port of the system's choice.
private struct Listener {
    let port: UInt16
    private let descriptor: Int32

    init?() {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(descriptor, address, length) == 0
                    && listen(descriptor, 1) == 0
                    && getsockname(descriptor, address, &length) == 0
            }
        }
        guard isBound else { return nil }
        port = UInt16(bigEndian: address.sin_port)
    }

    func close() { _ = Glibc.close(descriptor) }
}
