import Testing
import WebClient

@Suite struct AddressGuardTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let address: String
        let isPermitted: Bool
        var testDescription: String { address }
    }

    static let refused = [
        "0.0.0.0", "0.255.255.255", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255",
        "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255",
        "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255",
        "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1",
        "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3",
        "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "::127.0.0.1", "::192.168.0.1",
        "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1",
        "2001:1ff:ffff::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1",
        "3fff:fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "febf::1",
        "fec0::1", "ff02::1", "4000::1", "::2:0:0:0",
    ]
    static let permitted = [
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
        "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255",
        "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.167.255.255", "192.169.0.0",
        "198.17.255.255", "198.20.0.0", "198.51.99.255", "203.0.112.255", "223.255.255.255",
        "::ffff:8.8.8.8", "::8.8.8.8", "2001:200::1", "2001:4860:4860::8888", "2001:db7::1",
        "2003::1", "2606:4700:4700::1111", "2a00:1450::1", "3ffe::1",
    ]
    static let table =
        refused.map { Case(address: $0, isPermitted: false) }
        + permitted.map { Case(address: $0, isPermitted: true) }

    @Test(arguments: table)
    func `only addresses of the public internet are permitted`(_ c: Case) throws {
        let address = try #require(IPAddress(c.address))
        #expect(AddressGuard().permits(address) == c.isPermitted)
    }

    @Test func `whatever is refused as IPv4 is refused inside every IPv6 form of it`() {
        var generator = SplitMix(state: 5)
        let strict = AddressGuard()
        for _ in 0..<4_000 {
            let inner = (0..<4).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let isPermitted = strict.permits(IPAddress(bytes: inner))
            let zeros = [UInt8](repeating: 0, count: 10)
            let mapped = IPAddress(bytes: zeros + [0xff, 0xff] + inner)
            #expect(strict.permits(mapped) == isPermitted, "\(mapped)")
            let compatible = IPAddress(bytes: zeros + [0, 0] + inner)
            #expect(strict.permits(compatible) == isPermitted, "\(compatible)")
            let translated = IPAddress(bytes: zeros.dropLast(2) + [0xff, 0xff, 0, 0] + inner)
            #expect(strict.permits(translated) == isPermitted, "\(translated)")
            let nat64 = [0, 0x64, 0xff, 0x9b] + [UInt8](repeating: 0, count: 8) + inner
            #expect(!strict.permits(IPAddress(bytes: nat64)))
            let sixToFour = [0x20, 0x02] + inner + zeros
            #expect(!strict.permits(IPAddress(bytes: sixToFour)))
        }
    }

    @Test func `blocks agree with a comparison of their bits as text`() {
        var generator = SplitMix(state: 11)
        func bits(_ address: IPAddress) -> String {
            address.bytes.map { byte in
                String(repeating: "0", count: byte.leadingZeroBitCount)
                    + (byte == 0 ? "" : String(byte, radix: 2))
            }.joined()
        }
        for block in ["172.16.0.0/12", "198.18.0.0/15", "0.0.0.0/0", "2001::/23", "fe80::/10"] {
            guard let block = AddressBlock(block) else {
                Issue.record("\(block) is no block")
                continue
            }
            for _ in 0..<2_000 {
                // Half of the addresses share a random part of the block's own bits.
                var bytes = block.base.bytes
                for index in bytes.indices where Bool.random(using: &generator) {
                    bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &generator)
                }
                let address = IPAddress(bytes: bytes)
                let expected =
                    bits(address).prefix(block.prefixLength)
                    == bits(block.base).prefix(block.prefixLength)
                #expect(block.contains(address) == expected, "\(address) in \(block)")
            }
        }
    }

    @Test(arguments: ["10.0.0.1/8", "10.0.0.0/33", "10.0.0/8", "fc00::/129", "/8", "x", "1.2.3.4/"])
    func `a malformed block is refused`(text: String) {
        #expect(AddressBlock(text) == nil)
    }

    @Test func `an operator's block opens its addresses in every spelling, and no others`() throws {
        let open = AddressGuard(allowing: try [#require(AddressBlock("127.0.0.0/8"))])
        for (text, isPermitted) in [
            ("127.0.0.1", true), ("::ffff:127.9.9.9", true), ("::1", false), ("10.0.0.1", false),
        ] {
            #expect(try open.permits(#require(IPAddress(text))) == isPermitted, "\(text)")
        }
    }

    @Test(arguments: ["192.0.2.1", "2001:db8::1", "::ffff:1.2.3.4", "::"])
    func `an address prints as it is read`(text: String) {
        #expect(IPAddress(text)?.description == text)
    }
}

/// A small fixed generator, so that every run tries the same addresses.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
