import Foundation
package import Signals

/// What a folder source is told; stored as JSON with the source.
package struct FolderSettings: SourceSettings, Equatable {
    /// Files, and folders that are searched with all their subfolders; absolute paths.
    package var paths: [String]
    /// What a column is called in the database instead: `OT` → `oil_temp`.
    package var renames: [String: String]
    /// How tables are read. Bad rows are always left out and counted.
    package var csv: CSVOptions
    /// How long a recording must have been left alone before it is read, and a table before it is found
    /// to be none, in seconds.
    package var settleSeconds: Double
    /// How long before a last line without a line end is taken for whole, a recording that ends too
    /// early for damaged, and samples for ones without a header, in seconds.
    package var restSeconds: Double

    package init(
        paths: [String], renames: [String: String] = [:], csv: CSVOptions = CSVOptions(),
        settleSeconds: Double = 2, restSeconds: Double = 60
    ) {
        self.paths = paths
        self.renames = renames
        self.csv = csv
        self.settleSeconds = settleSeconds
        self.restSeconds = restSeconds
    }

    package init(from decoder: any Decoder) throws {
        let box = try decoder.container(keyedBy: CodingKeys.self)
        self.init(paths: try box.decode([String].self, forKey: .paths))
        if let told = try box.decodeIfPresent([String: String].self, forKey: .renames) {
            renames = told
        }
        csv = try box.decodeIfPresent(CSVOptions.self, forKey: .csv) ?? csv
        settleSeconds = try box.decodeIfPresent(Double.self, forKey: .settleSeconds) ?? 2
        restSeconds = try box.decodeIfPresent(Double.self, forKey: .restSeconds) ?? 60
    }

    package var flaw: String? { nil }
}
