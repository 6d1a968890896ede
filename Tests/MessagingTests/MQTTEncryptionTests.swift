import Foundation
import Messaging
import Testing
import TestSupport

/// A broker that is spoken to over TLS, by those who have its certificate and a password.
@Suite struct MQTTEncryptionTests {
    /// A folder with what the broker and its clients show each other; gone afterwards.
    private func withSecrets(_ body: (URL) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "systole-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in ["localhost", "worker"] {
            try run(
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=\(name)",
                "-addext", "subjectAltName=DNS:\(name)", "-keyout",
                folder.appending(path: "\(name).key").path, "-out",
                folder.appending(path: "\(name).pem").path)
        }
        try run(
            "mosquitto_passwd", "-b", "-c", folder.appending(path: "passwords").path, "ward",
            "right")
        try await body(folder)
    }

    private func run(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(arguments[0])")
    }

    /// How `connect` fails; nil where it does not.
    private func failure(_ configuration: MQTTConfiguration) async throws -> MQTTError? {
        let client = try MQTTClient(configuration, subscriptions: ["a"])
        do throws(MQTTError) {
            try await client.connect()
            await client.disconnect()
            return nil
        } catch {
            return error
        }
    }

    @Test func `only a broker that proves its name is spoken to, and only by who proves theirs`()
        async throws
    {
        try await withSecrets { folder in
            func path(_ name: String) -> String { folder.appending(path: name).path }
            let settings = [
                "certfile \(path("localhost.pem"))", "keyfile \(path("localhost.key"))",
                "cafile \(path("worker.pem"))", "require_certificate true",
                "password_file \(path("passwords"))",
            ]
            try await withTestBroker(settings: settings) { broker in
                var good = try MQTTConfiguration(
                    url: "mqtts://localhost:\(broker.port)", clientID: "taker")
                good.authorityFile = path("localhost.pem")
                (good.certificateFile, good.keyFile) = (path("worker.pem"), path("worker.key"))
                (good.username, good.password) = ("ward", "right")
                #expect(try await failure(good) == nil)

                var stranger = good
                stranger.authorityFile = path("worker.pem")
                #expect(try await failure(stranger) == .encryption, "not of that authority")
                stranger.authorityFile = nil
                #expect(try await failure(stranger) == .encryption, "not of the system's")
                var other = good
                other.host = "127.0.0.1"
                #expect(try await failure(other) == .encryption, "another name")

                var nobody = good
                (nobody.certificateFile, nobody.keyFile) = (nil, nil)
                #expect(try await failure(nobody) != nil, "no certificate of ours")
                var guess = good
                guess.password = "wrong"
                var found = try await failure(guess)
                #expect(found == .refused(code: 135), "\(found as Any)")
                guess.version = .three
                found = try await failure(guess)
                #expect(found == .refused(code: 5), "\(found as Any)")
                var plain = good
                plain.usesTLS = false
                #expect(try await failure(plain) != nil, "no encryption")
            }
        }
    }
}
