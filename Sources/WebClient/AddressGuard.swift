/// Decides which numeric addresses may be connected to, so that a URL given by a user cannot reach
/// this machine, its network, or a cloud's metadata service.
///
/// It is asked for every socket, with the address that the socket will connect to: neither a name
/// that resolves differently the second time nor another spelling of an address gets past it.
package struct AddressGuard: Sendable {
    /// Blocks that the operator opened; they win over everything below.
    package let allowed: [AddressBlock]

    /// - Parameter allowed: Blocks to be reached although they are not public, such as
    ///   `127.0.0.0/8` for a receiver on the same machine.
    package init(allowing allowed: [AddressBlock] = []) {
        self.allowed = allowed
    }

    /// Whether a connection to `address` may be opened.
    package func permits(_ address: IPAddress) -> Bool {
        let target = address.canonical
        if allowed.contains(where: { $0.contains(target) }) { return true }
        // Of IPv6 only 2000::/3 is handed out for global use; all else is refused unseen.
        if !target.isV4, target.bytes[0] & 0xe0 != 0x20 { return false }
        return !Self.refused.contains { $0.contains(target) }
    }

    /// Blocks that are not the public internet.
    ///
    /// - Source: the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890).
    static let refused: [AddressBlock] = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "::/128", "::1/128", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23",
        "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
        "fec0::/10", "ff00::/8",
    ].map { text in
        guard let block = AddressBlock(text) else { preconditionFailure("no block: \(text)") }
        return block
    }
}
