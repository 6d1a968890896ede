import Foundation
import Messaging
import Testing
import TestSupport

@Suite struct MQTTClientTests {
    private func configuration(
        _ broker: TestBroker, _ id: String, _ version: MQTTConfiguration.Version = .five
    ) throws -> MQTTConfiguration {
        var configuration = try MQTTConfiguration(url: broker.url, clientID: id)
        configuration.version = version
        return configuration
    }

    private func publish(
        _ texts: [String], to topic: String, _ broker: TestBroker, retain: Bool = false
    ) async throws {
        var configuration = try configuration(broker, "")
        configuration.keepsSession = false
        let client = try MQTTClient(configuration)
        try await client.connect()
        try await client.publish(texts.map { (topic, Array($0.utf8)) }, retain: retain)
        #expect(try await client.settle())
        await client.disconnect()
    }

    /// Receives until `count` messages are there.
    private func texts(_ count: Int, _ client: MQTTClient) async throws -> [String] {
        var limits = MQTTBatchLimits()
        limits.window = .milliseconds(20)
        var texts: [String] = []
        for _ in 0..<15 where texts.count < count {
            let messages = try await client.receive(limits)
            texts += messages.map { String(decoding: $0.payload, as: UTF8.self) }
            if texts.count < count, !messages.isEmpty { try await client.acknowledge() }
        }
        return texts
    }

    @Test(arguments: [MQTTConfiguration.Version.three, .five])
    func `what is not acknowledged comes again, and what is does not`(
        version: MQTTConfiguration.Version
    ) async throws {
        try await withTestBroker { broker in
            let configuration = try configuration(broker, "taker", version)
            let first = try MQTTClient(configuration, subscriptions: ["plant/#"])
            #expect(try await first.connect() == false)
            #expect(try await first.receive().isEmpty)
            try await publish(["1", "2", "3"], to: "plant/a", broker)
            #expect(try await texts(3, first) == ["1", "2", "3"])
            await first.disconnect()

            let second = try MQTTClient(configuration, subscriptions: ["plant/#"])
            #expect(try await second.connect() == true)
            #expect(try await texts(3, second) == ["1", "2", "3"])
            try await second.acknowledge()
            try await publish(["4"], to: "plant/a", broker)
            #expect(try await texts(1, second) == ["4"])
            try await second.acknowledge()
            await second.disconnect()

            let third = try MQTTClient(configuration, subscriptions: ["plant/#"])
            try await third.connect()
            #expect(try await third.receive().isEmpty)
        }
    }

    @Test func `nothing is acknowledged by a client that is gone without a word`() async throws {
        try await withTestBroker { broker in
            let configuration = try configuration(broker, "taker")
            var gone: MQTTClient? = try MQTTClient(configuration, subscriptions: ["a"])
            try await gone?.connect()
            _ = try await gone?.receive()
            try await publish((0..<500).map(String.init), to: "a", broker)
            let seen = try await gone?.receive().count ?? 0
            #expect(seen > 0)
            // Its connection ends with it; the acknowledgements that the library queued end too.
            gone = nil
            let next = try MQTTClient(configuration, subscriptions: ["a"])
            try await next.connect()
            #expect(try await texts(500, next) == (0..<500).map(String.init))
        }
    }

    @Test func `messages wait in a broker that is stopped, started and connected to again`()
        async throws
    {
        try await withTestBroker { broker in
            let configuration = try configuration(broker, "taker")
            let first = try MQTTClient(configuration, subscriptions: ["a"])
            try await first.connect()
            _ = try await first.receive()
            try await publish(["1", "2"], to: "a", broker)
            _ = try await first.receive()
            broker.stop()
            await #expect(throws: MQTTError.self) {
                try await first.acknowledge()
                for _ in 0..<10 { _ = try await first.receive() }
            }
            let early = try MQTTClient(configuration, subscriptions: ["a"])
            await #expect(throws: MQTTError.unreachable) { try await early.connect() }
            try await broker.start()
            let second = try MQTTClient(configuration, subscriptions: ["a"])
            #expect(try await second.connect() == true)
            #expect(try await texts(2, second) == ["1", "2"])
        }
    }

    @Test func `a batch ends at its bytes`() async throws {
        try await withTestBroker { broker in
            let client = try MQTTClient(
                try configuration(broker, "taker"), subscriptions: ["a"])
            try await client.connect()
            _ = try await client.receive()
            try await publish(
                Array(repeating: String(repeating: "x", count: 1000), count: 50), to: "a", broker)
            var limits = MQTTBatchLimits()
            limits.bytes = 10_000
            var counts: [Int] = []
            for _ in 0..<15 where counts.reduce(0, +) < 50 {
                counts.append(try await client.receive(limits).count)
                try await client.acknowledge()
            }
            #expect(counts == [10, 10, 10, 10, 10])
        }
    }

    @Test func `what is retained says so, and comes with a new subscription alone`() async throws {
        try await withTestBroker { broker in
            try await publish(["old"], to: "a", broker, retain: true)
            let configuration = try configuration(broker, "taker")
            for expected in [["old"], []] {
                let client = try MQTTClient(configuration, subscriptions: ["a"])
                try await client.connect()
                let messages = try await client.receive()
                #expect(messages.map { String(decoding: $0.payload, as: UTF8.self) } == expected)
                #expect(messages.allSatisfy { $0.isRetained })
                try await client.acknowledge()
                await client.disconnect()
            }
        }
    }

    @Test func `a client ends when another takes its place`() async throws {
        try await withTestBroker { broker in
            let configuration = try configuration(broker, "taker")
            let first = try MQTTClient(configuration, subscriptions: ["a"])
            try await first.connect()
            let second = try MQTTClient(configuration, subscriptions: ["a"])
            try await second.connect()
            // The reason may be lost with the connection.
            let error = await #expect(throws: MQTTError.self) {
                for _ in 0..<20 { _ = try await first.receive() }
            }
            #expect([.lost(code: 0x8E), .lost(code: nil)].contains(error))
            #expect(try await second.receive().isEmpty)
        }
    }

    struct Address: Sendable, CustomTestStringConvertible {
        let url: String
        let found: String?
        var testDescription: String { url }
    }

    @Test(arguments: [
        Address(url: "mqtt://h", found: "h:1883 plain"),
        Address(url: "MQTTS://h.example", found: "h.example:8883 tls"),
        Address(url: "mqtt://10.0.0.1:99/", found: "10.0.0.1:99 plain"),
        Address(url: "mqtts://[::1]:7", found: "::1:7 tls"),
        Address(url: "mqtts://[::1]", found: "::1:8883 tls"),
        Address(url: "mqtt://user:word@h", found: nil), Address(url: "http://h", found: nil),
        Address(url: "mqtt://", found: nil), Address(url: "mqtt://h:0", found: nil),
        Address(url: "mqtt://h:70000", found: nil), Address(url: "mqtt://h/topic", found: nil),
        Address(url: "mqtt://h h", found: nil),
    ])
    func `an address is read or refused`(address: Address) {
        // Whatever the reason, what is refused has no configuration.
        let read = try? MQTTConfiguration(url: address.url, clientID: "x")
        let text = read.map { "\($0.host):\($0.port) \($0.usesTLS ? "tls" : "plain")" }
        #expect(text == address.found)
    }
}
