import ArgumentParser
import Foundation
import Ingestion
import Postgres
import Series
import Store

extension SourceCommand {
    /// `systole source test`
    struct Test: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "test",
            abstract: "Pulls once from a URL or a registered source, and stores nothing.",
            discussion: """
                Prints what would be stored. With a URL it takes the options of `source add`.
                Example:
                  systole source test https://example.org/now.txt --format line-protocol
                  systole source test plant
                """)

        @OptionGroup var source: SourceOptions
        @OptionGroup var web: WebSourceOptions
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let connectors = WebConnectors(client: try database.resolved().feedClient())
            let now = Timestamp(unixSeconds: Date().timeIntervalSince1970)
            let found: (name: String, kind: String, settings: String)
            if let url = source.paths.first, WebSourceOptions.isURL(url) {
                let (kind, settings) = try web.settings(source)
                found = (source.name ?? "source", kind, settings)
            } else {
                found = try await registered()
            }
            let previews = try await connectors.preview(
                name: found.name, kind: found.kind, settings: found.settings, now: now)
            guard let previews else {
                throw ValidationError(
                    "source \(found.name) is of kind \(found.kind), which is not pulled over HTTP")
            }
            for preview in previews {
                if json { try Terminal.json(PreviewLine(preview)) } else { Self.show(preview) }
            }
        }

        private func registered() async throws -> (name: String, kind: String, settings: String) {
            let name = source.paths[0]
            let found = try await database.withPool { pool in
                try await pool.transaction { db in try SourceStore.find(name: name, in: db) }
            }
            return (found.name, found.kind, found.settings)
        }

        private static func show(_ preview: PullPreview) {
            if !preview.series.isEmpty {
                Terminal.table(
                    ["series", "unit", "values", "missing", "from", "until"],
                    preview.series.prefix(100).map { series in
                        [
                            series.key, series.unit.symbol, "\(series.values)",
                            "\(series.missing)", series.from?.description ?? "–",
                            series.until?.description ?? "–",
                        ]
                    })
            }
            if preview.series.count > 100 { print("and \(preview.series.count - 100) more series") }
            for recording in preview.recordings.prefix(100) { print("recording \(recording)") }
            if preview.recordings.count > 100 {
                print("and \(preview.recordings.count - 100) more recordings")
            }
            print(
                "\(preview.items) items in \(preview.bytes) bytes, \(preview.badItems) cannot be read"
                    + (preview.hasMore ? "; more pages follow" : "")
                    + (preview.waits ? "; the last line has no end, and waits" : ""))
            for reason in preview.reasons { Terminal.complain("rejected: \(reason)") }
        }
    }

    /// A preview as JSON.
    private struct PreviewLine: Encodable {
        struct Series: Encodable {
            let series: String
            let unit: String
            let values: Int
            let missing: Int
            let from: String?
            let until: String?
        }

        let bytes: Int
        let items: Int
        let badItems: Int
        let reasons: [String]
        let series: [Series]
        let recordings: [String]
        let hasMore: Bool
        let waits: Bool

        init(_ preview: PullPreview) {
            bytes = preview.bytes
            items = preview.items
            badItems = preview.badItems
            reasons = preview.reasons
            series = preview.series.map { series in
                Series(
                    series: series.key, unit: series.unit.symbol, values: series.values,
                    missing: series.missing, from: series.from?.description,
                    until: series.until?.description)
            }
            recordings = preview.recordings
            hasMore = preview.hasMore
            waits = preview.waits
        }
    }
}
