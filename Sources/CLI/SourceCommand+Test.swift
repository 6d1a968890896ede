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
            abstract: "Looks at a URL, a broker, files or a registered source, and stores nothing.",
            discussion: """
                Prints what would be stored. It takes the options of `source add`; a broker is listened to
                for five seconds, and of a table the beginning is read.
                Example:
                  systole source test https://example.org/now.txt --format line-protocol
                  systole source test mqtt://broker --topic 'plant/+=number:plant.{2}'
                  systole source test plant
                """)

        @OptionGroup var source: SourceOptions
        @OptionGroup var web: WebSourceOptions
        @OptionGroup var mqtt: MQTTSourceOptions
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON: always one array, with an object for each query, else with one.")
        var json = false

        func run() async throws {
            let connectors = Connectors(client: try database.resolved().feedClient())
            let now = Timestamp(unixSeconds: Date().timeIntervalSince1970)
            let found: Told
            if let told = try described() { found = told } else { found = try await registered() }
            let previews = try await connectors.preview(
                name: found.name, kind: found.kind, settings: found.settings, now: now)
            guard let previews else {
                throw ValidationError(
                    "source \(found.name) is of kind \(found.kind), which no connector reads")
            }
            if json { return try Terminal.json(previews.map { PreviewLine($0) }) }
            for preview in previews { Self.show(preview) }
        }

        /// A source, its settings as JSON.
        private typealias Told = (name: String, kind: String, settings: String)

        /// The source that the options tell; nil where they name one that is registered.
        private func described() throws -> Told? {
            let (path, name) = (source.paths[0], source.name ?? "source")
            if MQTTSourceOptions.isBroker(path) {
                return (name, MQTTConnector.kind, try mqtt.settings(url: path).json())
            }
            if WebSourceOptions.isURL(path) {
                let (kind, settings) = try web.settings(source)
                return (name, kind, settings)
            }
            guard path.contains("/") || FileManager.default.fileExists(atPath: path) else {
                return nil
            }
            return (name, FolderConnector.kind, try source.settings().json())
        }

        private func registered() async throws -> Told {
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
            for note in preview.notes { Terminal.complain(note) }
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
        let notes: [String]
        let series: [Series]
        let recordings: [String]
        let hasMore: Bool
        let waits: Bool

        init(_ preview: PullPreview) {
            bytes = preview.bytes
            items = preview.items
            badItems = preview.badItems
            reasons = preview.reasons
            notes = preview.notes
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
