import ArgumentParser
import Foundation
import Ingestion
import Series
import Signals

/// How a source on the web is reached and read; beside `SourceOptions`, for paths that are URLs.
struct WebSourceOptions: ParsableArguments {
    @Option(help: "http, wfdb-http, prometheus or fhir; http or prometheus where left out.")
    var kind: String?
    @Option(
        help: """
            How answers are written: csv, ndjson, json, line-protocol, openmetrics, or pieces for \
            recordings that go on.
            """)
    var format: String?
    @Option(help: "Where times stand in JSON, such as $.data[*].time.") var timePath: String?
    @Option(help: "Where values stand in JSON; may be given several times.")
    var valuePath: [String] = []
    @Option(help: "Where the names of series stand in JSON.") var namePath: String?
    @Option(help: "Where units stand in JSON.") var unitPath: String?
    @Option(help: "What the times of line protocol count: ns, us, ms or s.") var precision = "ns"
    @Option(
        help: ArgumentHelp(
            "How a page leads to the next: link (a header), a JSON path, page:PARAMETER or offset:PARAMETER:SIZE.",
            valueName: "way"))
    var next: String?
    @Option(help: "The parameter that takes the token which a JSON path of --next leads to.")
    var tokenParameter: String?
    @Option(help: "A parameter that asks for what is newer, as NAME or NAME:unix-seconds.")
    var since: String?
    @Option(help: "The first time that is asked for, such as 2026-01-01.") var start: String?
    @Option(help: "Seconds before the newest that are asked for again.") var overlap: Double?
    @Option(help: "Seconds behind the newest after which observations are rejected.")
    var lateness: Double?
    @Option(help: "Seconds after which observations are too old.") var maxAge: Double?
    @Option(help: "A query of Prometheus, as [NAME=]EXPRESSION; may be given several times.")
    var query: [String] = []
    @Option(help: "Seconds between two points of a query.") var step: Double = 60
    @Option(help: "The token for Authorization: Bearer, as env:NAME or file:/path.")
    var bearer: String?
    @Option(help: "User and password, as USER:env:NAME or USER:file:/path.") var basic: String?
    @Option(help: "A header, as NAME=VALUE; may be given several times.") var header: [String] = []
    @Option(help: "A header whose value is secret, as NAME=env:NAME or NAME=file:/path.")
    var secretHeader: [String] = []
    @Option(help: "A PEM file with the certificate that this client shows.")
    var certificate: String?
    @Option(help: "The PEM file of its key.") var key: String?
    @Flag(help: "Let the URL lead to this machine and to private networks, also by http://.")
    var allowPrivate = false

    /// Whether a path is one for these options.
    static func isURL(_ path: String) -> Bool {
        SourceAddress.scheme(of: path).map { SourceAddress.web.contains($0) } ?? false
    }

    /// The kind and the settings of a source.
    ///
    /// - Parameter source: What else is told of it.
    /// - Returns: Both as they are stored.
    /// - Throws: `ValidationError` for what makes no sense.
    func settings(_ source: SourceOptions) throws -> (kind: String, json: String) {
        guard source.paths.count == 1, let url = source.paths.first else {
            throw ValidationError("a source on the web has one URL")
        }
        let access = try access(url)
        let kind = kind ?? (query.isEmpty ? HTTPConnector.kind : PrometheusConnector.kind)
        switch kind {
        case HTTPConnector.kind: return (kind, try checked(http(access, source)))
        case PrometheusConnector.kind: return (kind, try checked(prometheus(access)))
        case FHIRConnector.kind:
            var settings = FHIRSettings(access: access)
            settings.startAt = try startAt()
            settings.overlapSeconds = overlap ?? settings.overlapSeconds
            settings.renames = try renames(source)
            return (kind, try checked(settings))
        case RecordListConnector.kind:
            var settings = RecordListSettings(access: access)
            settings.renames = try renames(source)
            return (kind, try checked(settings))
        default:
            throw ValidationError(
                "--kind \(kind): accepted are http, wfdb-http, prometheus and fhir")
        }
    }

    /// Settings as JSON, if they can be used.
    private func checked(_ settings: some SourceSettings) throws -> String {
        if let flaw = settings.flaw {
            throw ValidationError(IngestError.settingsFlaw(flaw).description)
        }
        return try settings.json()
    }

    private func http(_ access: WebAccess, _ source: SourceOptions) throws -> HTTPSettings {
        let accepted = FeedFormat.allCases.map(\.rawValue).joined(separator: ", ")
        guard let format else { throw ValidationError("--format is needed: \(accepted)") }
        guard let format = FeedFormat(rawValue: format) else {
            throw ValidationError("--format \(format): accepted are \(accepted)")
        }
        guard let precision = LineProtocolReader.Precision(rawValue: precision) else {
            throw ValidationError("--precision \(precision): accepted are ns, us, ms and s")
        }
        var settings = HTTPSettings(access: access, format: format)
        settings.csv = try source.table.options()
        settings.precision = precision
        settings.renames = try renames(source)
        if format != .csv { settings.units = settings.csv.units }
        settings.startAt = try startAt()
        settings.overlapSeconds = overlap ?? settings.overlapSeconds
        settings.latenessSeconds = lateness
        settings.ageSecondsMaximum = maxAge
        settings.paging = try paging()
        if let since {
            let parts = since.split(separator: ":", maxSplits: 1).map(String.init)
            let format = parts.count > 1 ? TimeFormat(rawValue: parts[1]) : .iso8601
            guard let format, !parts[0].isEmpty else {
                throw ValidationError("--since \(since): expected NAME or NAME:unix-seconds")
            }
            settings.since = HTTPSettings.Since(parameter: parts[0], format: format)
        }
        if format == .json || format == .ndjson {
            guard let timePath else { throw ValidationError("JSON needs --time-path") }
            settings.paths = JSONFeedPaths(
                time: try path(timePath, "--time-path"),
                values: try valuePath.map { try path($0, "--value-path") },
                name: try namePath.map { try path($0, "--name-path") },
                unit: try unitPath.map { try path($0, "--unit-path") },
                timeFormat: settings.csv.timeFormat)
        }
        return settings
    }

    private func prometheus(_ access: WebAccess) throws -> PrometheusSettings {
        let queries = query.map { text in
            // A name is a word before an equals sign; in `a == 1` and `{a="1"}` there is none.
            let head = text.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }
            let rest = text[head.endIndex...]
            let isNamed = !head.isEmpty && rest.hasPrefix("=") && !rest.hasPrefix("==")
            return PrometheusSettings.Query(
                name: isNamed ? String(head) : nil,
                expression: isNamed ? String(rest.dropFirst()) : text)
        }
        var settings = PrometheusSettings(access: access, queries: queries, stepSeconds: step)
        settings.startAt = try startAt()
        settings.overlapSeconds = overlap ?? settings.overlapSeconds
        return settings
    }

    private func access(_ url: String) throws -> WebAccess {
        try SourceAddress.check(web: url, allowPrivate: allowPrivate)
        var access = WebAccess(url: url)
        access.allowPrivate = allowPrivate
        access.bearer = try bearer.map { try secret($0, "--bearer") }
        if let basic {
            let parts = basic.split(separator: ":", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                throw ValidationError("--basic: expected USER:env:NAME or USER:file:/path")
            }
            access.user = parts[0]
            access.password = try secret(parts[1], "--basic")
        }
        access.headers = try Dictionary(
            header.map { try Assignment(parsing: $0, flag: "--header").pair },
            uniquingKeysWith: { _, last in last })
        for text in secretHeader {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                throw ValidationError("--secret-header: expected NAME=env:NAME or NAME=file:/path")
            }
            access.secretHeaders[parts[0]] = try secret(parts[1], "--secret-header")
        }
        access.certificateFile = certificate.map { URL(filePath: $0).standardizedFileURL.path }
        access.keyFile = key.map { URL(filePath: $0).standardizedFileURL.path }
        return access
    }

    /// A reference; what is none is not printed, since it may be the secret itself.
    private func secret(_ text: String, _ flag: String) throws -> SecretReference {
        guard let reference = SecretReference(text) else {
            throw ValidationError(
                "\(flag): a secret is named by env:NAME or file:/path, and never told itself")
        }
        return reference
    }

    private func path(_ text: String, _ flag: String) throws -> JSONPath {
        guard let path = JSONPath(text) else {
            throw ValidationError("\(flag) \(text): expected a path such as $.data[*].value")
        }
        return path
    }

    private func paging() throws -> HTTPSettings.Paging {
        guard let next else { return .none }
        if next == "link" { return .link }
        if next.hasPrefix("$") { return .path(try path(next, "--next"), parameter: tokenParameter) }
        let parts = next.split(separator: ":").map(String.init)
        if parts.count == 2, parts[0] == "page" { return .page(parameter: parts[1], first: 1) }
        if parts.count == 3, parts[0] == "offset", let size = Int(parts[2]), size > 0 {
            return .offset(parameter: parts[1], size: size)
        }
        throw ValidationError(
            "--next \(next): expected link, a JSON path, page:PARAMETER or offset:PARAMETER:SIZE")
    }

    private func startAt() throws -> Timestamp? {
        guard let start else { return nil }
        guard let time = Timestamp(iso8601: start) else {
            throw ValidationError("--start \(start): expected a time such as 2026-01-01T00:00:00Z")
        }
        return time
    }

    private func renames(_ source: SourceOptions) throws -> [String: String] {
        try Dictionary(
            source.rename.map { try Assignment(parsing: $0, flag: "--rename").pair },
            uniquingKeysWith: { _, last in last })
    }
}

extension Configuration {
    /// What fetches for sources on the web; their secrets are looked up in this process's environment.
    func feedClient() -> FeedClient {
        FeedClient(
            secrets: SecretReader(environment: ProcessInfo.processInfo.environment),
            authorities: webAuthorities)
    }
}
