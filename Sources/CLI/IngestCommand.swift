import ArgumentParser
import Foundation
import Ingestion
import Postgres
import Series
import Store

/// Which files a source reads, and how; shared by `ingest` and `source add`.
struct SourceOptions: ParsableArguments {
    @Argument(help: "CSV, WFDB (.hea) or EDF files, or folders of them; or one URL.")
    var paths: [String]
    @Option(help: "What the source is called: its series are NAME.COLUMN.") var name: String?
    @Option(help: "A column's name in the database, as COLUMN=NAME; may be given several times.")
    var rename: [String] = []
    @Flag(help: "New values replace stored ones; else the stored value stays, and is counted.")
    var revisable = false
    @OptionGroup var table: TableOptions

    func validate() throws {
        try SourceAddress.check(paths)
        _ = try settings()
    }

    /// The name: as given, or that of the first file without its extension.
    var sourceName: String {
        name ?? URL(filePath: paths[0]).deletingPathExtension().lastPathComponent
    }

    /// The settings with absolute paths, so that workers find them from any directory.
    func settings() throws -> FolderSettings {
        FolderSettings(
            paths: paths.map { URL(filePath: $0).standardizedFileURL.path },
            renames: try Dictionary(
                rename.map { try Assignment(parsing: $0, flag: "--rename").pair },
                uniquingKeysWith: { _, last in last }),
            csv: try table.options())
    }
}

/// `systole ingest`: one pull from files, folders or a URL.
struct IngestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ingest",
        abstract: "Stores sensor tables as series, and WFDB or EDF files as recordings.",
        discussion: """
            What is stored already stays as it is, so that a second run changes nothing; a table
            that has grown is read from where it was left. A bad file costs one line of the
            report, never the others.

            Example:
              systole ingest ETTh1.csv --name plant --rename OT=oil_temp --unit OT=Cel
              systole ingest recordings/ --name ward3
              systole ingest https://example.org/t.csv --name plant --format csv
            """)

    @OptionGroup var source: SourceOptions
    @OptionGroup var web: WebSourceOptions
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var database: DatabaseOptions

    func validate() throws {
        if MQTTSourceOptions.isBroker(source.paths[0]) {
            throw ValidationError(
                "a broker is listened to, not read once; `systole source add` registers it")
        }
    }

    func run() async throws {
        if source.paths.contains(where: WebSourceOptions.isURL) { return try await pullFromWeb() }
        var settings = try source.settings()
        // Asked for by hand, the files are taken as they are now.
        settings.settleSeconds = 0
        settings.restSeconds = 0
        try await database.withPool { [settings] pool in
            let line = ProgressLine()
            let now = Timestamp(unixSeconds: Date().timeIntervalSince1970)
            let stored = try await pool.transaction { [source] db in
                try SourceStore.findOrAdd(
                    name: source.sourceName, kind: FolderConnector.kind, settings: settings.json(),
                    isRevisable: source.revisable, in: db)
            }
            let report = try await FolderConnector().pull(
                stored, settings: settings, into: pool, now: now
            ) { line.show($0.summary) }
            line.end()
            try show(report)
        }
    }

    /// One pull of a source on the web, which is made where there is none of that name.
    private func pullFromWeb() async throws {
        let (kind, settings) = try web.settings(source)
        guard let name = source.name else {
            throw ValidationError("a source on the web needs a --name")
        }
        let connectors = Connectors(client: try database.resolved().feedClient()).byKind
        try await database.withPool { pool in
            let line = ProgressLine()
            let stored = try await pool.transaction { [source] db in
                try SourceStore.findOrAdd(
                    name: name, kind: kind, settings: settings,
                    isRevisable: source.revisable || kind == PrometheusConnector.kind, in: db)
            }
            guard let connector = connectors[stored.kind] else {
                throw ValidationError("source \(name) is of kind \(stored.kind)")
            }
            let report = try await connector.pull(
                stored, into: pool, now: Timestamp(unixSeconds: Date().timeIntervalSince1970)
            ) { line.show($0.summary) }
            line.end()
            try show(report)
        }
    }

    private func show(_ report: IngestReport) throws {
        if json {
            try Terminal.json(report)
        } else {
            print(report.summary)
            for finding in report.findings { print("note: \(finding.file): \(finding.reason)") }
        }
        for rejection in report.rejections {
            // A reader's own sentence names the file already.
            let isNamed = rejection.reason.hasPrefix(rejection.file)
            let sentence =
                isNamed ? rejection.reason : "\(rejection.file): \(rejection.reason)"
            Terminal.complain("rejected: \(sentence)")
        }
        if let trouble = report.trouble, report.rejected == 0 {
            Terminal.complain("trouble: \(trouble)")
        }
        // Nothing but bad files is a failure; some bad files among good ones are not.
        let hasBrought = report.changedAnything || report.duplicates > 0
        if report.rejected > 0 && report.rejected == report.files && !hasBrought {
            throw ExitCode.failure
        }
        if report.files + report.filesWaiting == 0 { throw NoFiles(paths: source.paths) }
    }

    /// Nothing to read.
    struct NoFiles: Error, CustomStringConvertible {
        let paths: [String]
        var description: String {
            "\(paths.joined(separator: ", ")): no CSV, WFDB or EDF file is there"
        }
    }
}
