import Foundation
import Logging
import Notifications
import WebClient
import Yams

/// What the process is told from outside: environment over `systole.yaml` over defaults, validated
/// whole before anything starts. Flags of a command come first and override it there.
struct Configuration: Sendable {
    /// One setting and where it may come from.
    struct Setting: Sendable {
        /// The path in the file: `webhooks.allow_http`.
        let key: String
        /// The environment variable.
        let variable: String
        let fallback: String
        let about: String
    }

    /// Every setting there is; the file may hold no other key.
    static let settings = [
        Setting(
            key: "database_url", variable: "DATABASE_URL", fallback: "",
            about: "the database; the private one in the folder where empty"),
        Setting(
            key: "folder", variable: "SYSTOLE_FOLDER", fallback: ".systole",
            about: "where the private database lives"),
        Setting(
            key: "migrations", variable: "SYSTOLE_MIGRATIONS", fallback: "",
            about: "the folder of migrations; found beside the executable where empty"),
        Setting(
            key: "threads", variable: "SYSTOLE_THREADS", fallback: "0",
            about: "cores that one training may use; 0 for all"),
        Setting(key: "seed", variable: "SYSTOLE_SEED", fallback: "0", about: "seed of training"),
        Setting(
            key: "slots", variable: "SYSTOLE_SLOTS", fallback: "2",
            about: "jobs that one worker process runs at a time"),
        Setting(
            key: "streams", variable: "SYSTOLE_STREAMS", fallback: "16",
            about: "sources that one worker process listens to at a time, beside its jobs"),
        Setting(
            key: "checkpoint_seconds", variable: "SYSTOLE_CHECKPOINT_SECONDS", fallback: "20",
            about: "how old the kept state of a training may grow, from 0 to 50"),
        Setting(
            key: "log_level", variable: "SYSTOLE_LOG_LEVEL", fallback: "notice",
            about: "trace, debug, info, notice, warning, error or critical"),
        Setting(
            key: "webhooks.allow_http", variable: "SYSTOLE_WEBHOOKS_ALLOW_HTTP", fallback: "false",
            about: "whether webhooks may go out without TLS, and to any port"),
        Setting(
            key: "webhooks.allow_addresses", variable: "SYSTOLE_WEBHOOKS_ALLOW_ADDRESSES",
            fallback: "", about: "private address ranges that webhooks may reach, by CIDR"),
        Setting(
            key: "webhooks.authorities", variable: "SYSTOLE_WEBHOOKS_AUTHORITIES", fallback: "",
            about: "a PEM file of the authorities that receivers' certificates are of; "
                + "the system's where empty"),
        Setting(
            key: "webhooks.key_file", variable: "SYSTOLE_WEBHOOKS_KEY_FILE", fallback: "",
            about: "a file of keys under which webhook secrets lie in the database, 32 bytes in "
                + "base64 a line, the newest first; they lie open where empty"),
    ]

    /// A value and where it came from.
    struct Entry: Sendable {
        let value: String
        let origin: String
    }

    /// By key; every setting has one.
    let entries: [String: Entry]

    let databaseURL: String?
    let folder: String
    let migrations: String?
    let threads: Int
    let seed: UInt64
    let slots: Int
    let streams: Int
    let checkpointInterval: Duration
    let logLevel: Logger.Level
    let webPolicy: WebPolicy
    let webAuthorities: String?
    private let webhookKeyFile: String?

    /// Reads environment and file.
    ///
    /// - Parameters:
    ///   - environment: The process's own.
    ///   - file: The path of the YAML file; nil for `systole.yaml`, which may be absent.
    ///   - flags: Values by key that a command line gave.
    /// - Throws: `ConfigurationError`.
    init(
        environment: [String: String], file: String? = nil, flags: [String: String] = [:]
    ) throws {
        let written = try Self.read(file)
        var entries: [String: Entry] = [:]
        for setting in Self.settings {
            if let value = flags[setting.key] {
                entries[setting.key] = Entry(value: value, origin: "flag")
            } else if let value = environment[setting.variable], !value.isEmpty {
                entries[setting.key] = Entry(value: value, origin: setting.variable)
            } else if let value = written[setting.key] {
                entries[setting.key] = Entry(value: value, origin: file ?? Self.usualFile)
            } else {
                entries[setting.key] = Entry(value: setting.fallback, origin: "default")
            }
        }
        self.entries = entries
        let reader = SettingReader(entries: entries)
        databaseURL = reader.text("database_url")
        folder = reader.text("folder") ?? ".systole"
        migrations = reader.text("migrations")
        let asked = try reader.integer("threads", in: 0...256)
        threads = asked == 0 ? ProcessInfo.processInfo.activeProcessorCount : asked
        seed = UInt64(try reader.integer("seed", in: 0...Int.max))
        slots = try reader.integer("slots", in: 1...256)
        streams = try reader.integer("streams", in: 1...256)
        checkpointInterval = .seconds(try reader.integer("checkpoint_seconds", in: 0...50))
        logLevel = try reader.logLevel("log_level")
        let blocks = try reader.addressBlocks("webhooks.allow_addresses")
        let plain = try reader.boolean("webhooks.allow_http")
        webPolicy = WebPolicy(
            plainHTTP: plain, ports: plain ? nil : WebPolicy().ports,
            singleLabelHosts: false, addresses: AddressGuard(allowing: blocks))
        webAuthorities = reader.text("webhooks.authorities")
        webhookKeyFile = reader.text("webhooks.key_file")
    }

    /// The keys under which webhook secrets lie. Read when they are needed: the file is for those
    /// alone who send webhooks or make secrets.
    ///
    /// - Throws: `ConfigurationError` for a file that is missing, unreadable or without a key.
    func sealingKeys() throws -> SealingKeys {
        guard let file = webhookKeyFile else { return .none }
        guard FileManager.default.fileExists(atPath: file) else {
            throw ConfigurationError.missing(file: file)
        }
        let text: String
        do {
            text = try String(contentsOfFile: file, encoding: .utf8)
        } catch {
            throw ConfigurationError.unreadable(file: file)
        }
        let keys: SealingKeys
        do throws(SealingKeys.Fault) {
            keys = try SealingKeys(text)
        } catch {
            throw ConfigurationError.keyFile(file: file, why: error.description)
        }
        guard !keys.ids.isEmpty else {
            throw ConfigurationError.keyFile(file: file, why: "it has no key")
        }
        return keys
    }

    private static let usualFile = "systole.yaml"

    /// The file's settings by their paths, such as `webhooks.allow_http`.
    private static func read(_ file: String?) throws -> [String: String] {
        let path = file ?? usualFile
        guard FileManager.default.fileExists(atPath: path) else {
            guard file == nil else { throw ConfigurationError.missing(file: path) }
            return [:]
        }
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw ConfigurationError.unreadable(file: path)
        }
        let tree: Any?
        do {
            tree = try Yams.load(yaml: text)
        } catch let error as YamlError {
            throw ConfigurationError.malformed(file: path, why: "\(error)".firstLine)
        }
        guard let tree else { return [:] }
        guard let map = tree as? [String: Any] else {
            throw ConfigurationError.malformed(file: path, why: "expected `key: value` lines")
        }
        var flat: [String: String] = [:]
        flatten(map, under: "", into: &flat)
        let known = Set(settings.map(\.key))
        if let stranger = flat.keys.sorted().first(where: { !known.contains($0) }) {
            throw ConfigurationError.unknownKey(file: path, key: stranger)
        }
        return flat
    }

    private static func flatten(
        _ map: [String: Any], under prefix: String, into flat: inout [String: String]
    ) {
        for (key, value) in map {
            let path = prefix.isEmpty ? key : "\(prefix).\(key)"
            if let inner = value as? [String: Any] {
                flatten(inner, under: path, into: &flat)
            } else if let list = value as? [Any] {
                flat[path] = list.map { "\($0)" }.joined(separator: ",")
            } else {
                flat[path] = "\(value)"
            }
        }
    }
}

/// Why the configuration cannot be used.
enum ConfigurationError: Error, Equatable, CustomStringConvertible {
    case missing(file: String)
    case unreadable(file: String)
    case malformed(file: String, why: String)
    case unknownKey(file: String, key: String)
    case value(key: String, origin: String, accepted: String)
    case keyFile(file: String, why: String)

    var description: String {
        switch self {
        case .missing(let file): "there is no configuration file \(file)"
        case .unreadable(let file): "\(file) cannot be read"
        case .malformed(let file, let why): "\(file) is no YAML that is understood: \(why)"
        case .unknownKey(let file, let key):
            "\(file) has the unknown key \(key); known are "
                + Configuration.settings.map(\.key).joined(separator: ", ")
        case .value(let key, let origin, let accepted):
            "\(key) (from \(origin)) is not understood; accepted: \(accepted)"
        case .keyFile(let file, let why):
            "\(file) cannot be used: \(why); `openssl rand -base64 32` makes a key"
        }
    }
}

/// Turns texts into the types that settings have.
private struct SettingReader {
    let entries: [String: Configuration.Entry]

    func text(_ key: String) -> String? {
        entries[key].flatMap { $0.value.isEmpty ? nil : $0.value }
    }

    func integer(_ key: String, in range: ClosedRange<Int>) throws -> Int {
        guard let value = entries[key].flatMap({ Int($0.value) }), range.contains(value) else {
            throw refusal(key, "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    func boolean(_ key: String) throws -> Bool {
        switch entries[key]?.value.lowercased() {
        case "true", "yes", "on", "1": return true
        case "false", "no", "off", "0": return false
        default: throw refusal(key, "true or false")
        }
    }

    func logLevel(_ key: String) throws -> Logger.Level {
        guard let level = entries[key].flatMap({ Logger.Level(rawValue: $0.value) }) else {
            throw refusal(key, Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return level
    }

    func addressBlocks(_ key: String) throws -> [AddressBlock] {
        let parts = (text(key) ?? "").split(separator: ",").map { $0.filter { $0 != " " } }
        return try parts.map { part in
            guard let block = AddressBlock(part) else {
                throw refusal(key, "address ranges such as 10.0.0.0/8")
            }
            return block
        }
    }

    private func refusal(_ key: String, _ accepted: String) -> ConfigurationError {
        .value(key: key, origin: entries[key]?.origin ?? "default", accepted: accepted)
    }
}

extension String {
    fileprivate var firstLine: String {
        split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
    }
}
