import ArgumentParser
import Foundation
import Ingestion
import Postgres
import Series
import Store

/// Which files a source reads, and how; shared by `ingest` and `source add`.
struct SourceOptions: ParsableArguments {
    @Argument(help: "CSV, WFDB (.hea) or EDF files, or folders of them.") var paths: [String]
    @Option(help: "What the source is called: its series are NAME.COLUMN.") var name: String?
    @Option(help: "A column's name in the database, as COLUMN=NAME; may be given several times.")
    var rename: [String] = []
    @Flag(help: "New values replace stored ones; else the stored value stays, and is counted.")
    var revisable = false
    @OptionGroup var table: TableOptions

    func validate() throws {
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

/// `systole ingest`: one pull from files or folders.
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
            """)

    @OptionGroup var source: SourceOptions
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        var settings = try source.settings()
        // Asked for by hand, the files are taken as they are now.
        settings.settleSeconds = 0
        settings.restSeconds = 0
        try await database.withPool { [settings] pool in
            let line = ProgressLine()
            let now = Timestamp(unixSeconds: Date().timeIntervalSince1970)
            let stored = try await pool.transaction { [source] db in
                try FolderSource.forPull(
                    name: source.sourceName, settings: settings, isRevisable: source.revisable,
                    in: db)
            }
            let report = try await FolderConnector().pull(
                stored, settings: settings, into: pool, now: now
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
        // Nothing but bad files is a failure; some bad files among good ones are not.
        if report.rejected > 0 && report.rejected == report.files { throw ExitCode.failure }
        if report.files == 0 { throw NoFiles(paths: source.paths) }
    }

    /// Nothing to read.
    struct NoFiles: Error, CustomStringConvertible {
        let paths: [String]
        var description: String {
            "\(paths.joined(separator: ", ")): no CSV, WFDB or EDF file is there"
        }
    }
}
