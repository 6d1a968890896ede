import Glibc

/// A numeric internet address.
package struct IPAddress: Hashable, Sendable {
    /// In network order: 4 bytes or 16.
    package let bytes: [UInt8]

    /// Traps unless there are 4 bytes or 16.
    package init(bytes: [UInt8]) {
        precondition(bytes.count == 4 || bytes.count == 16, "IPAddress: \(bytes.count) bytes")
        self.bytes = bytes
    }

    /// Reads `192.0.2.1` or `2001:db8::1`, in standard notation only; nil for anything else.
    package init?(_ text: some StringProtocol) {
        var bytes = [UInt8](repeating: 0, count: 16)
        let text = String(text)
        if unsafe inet_pton(AF_INET, text, &bytes) == 1 {
            self.init(bytes: Array(bytes.prefix(4)))
        } else if unsafe inet_pton(AF_INET6, text, &bytes) == 1 {
            self.init(bytes: bytes)
        } else {
            return nil
        }
    }

    package var isV4: Bool { bytes.count == 4 }

    /// The address that packets would reach: the inner one of an IPv4-mapped (`::ffff:a.b.c.d`),
    /// translated (`::ffff:0:a.b.c.d`) or compatible (`::a.b.c.d`) address, else this one.
    package var canonical: IPAddress {
        guard !isV4 else { return self }
        let inner = IPAddress(bytes: Array(bytes[12...]))
        let head = bytes[..<12]
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
        let translated: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0]
        if head.elementsEqual(mapped) || head.elementsEqual(translated) { return inner }
        // `::` and `::1` have the compatible form but a meaning of their own.
        let isUnspecifiedOrLoopback = bytes[12...14].allSatisfy { $0 == 0 } && bytes[15] <= 1
        return head.allSatisfy { $0 == 0 } && !isUnspecifiedOrLoopback ? inner : self
    }
}

extension IPAddress: CustomStringConvertible {
    package var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = isV4 ? AF_INET : AF_INET6
        guard unsafe inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else {
            return "an address of \(bytes.count) bytes"
        }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// A block of addresses such as `10.0.0.0/8`.
package struct AddressBlock: Hashable, Sendable {
    package let base: IPAddress
    /// The number of leading bits that all its addresses share.
    package let prefixLength: Int

    /// Reads `10.0.0.0/8`, `fc00::/7`, or a single address; nil for anything else, among it a base
    /// with bits set behind the prefix, which is a typing error more often than not.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let base = parts.first.flatMap({ IPAddress($0) }) else { return nil }
        let width = base.bytes.count * 8
        switch parts.count {
        case 1: prefixLength = width
        case 2:
            guard let length = Int(parts[1]), (0...width).contains(length) else { return nil }
            prefixLength = length
        default: return nil
        }
        self.base = base
        guard Self.clearing(base.bytes, after: prefixLength) == base.bytes else { return nil }
    }

    /// Whether `address` lies in this block; an IPv4 block never contains an IPv6 address.
    package func contains(_ address: IPAddress) -> Bool {
        address.bytes.count == base.bytes.count
            && Self.clearing(address.bytes, after: prefixLength) == base.bytes
    }

    /// `bytes` with every bit behind the first `length` set to zero.
    private static func clearing(_ bytes: [UInt8], after length: Int) -> [UInt8] {
        bytes.enumerated().map { index, byte in
            let kept = min(max(length - index * 8, 0), 8)
            return kept == 0 ? 0 : byte & (0xff << UInt8(8 - kept))
        }
    }
}

extension AddressBlock: CustomStringConvertible {
    package var description: String { "\(base)/\(prefixLength)" }
}
