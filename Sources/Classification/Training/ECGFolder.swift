internal import Foundation

/// Why the tables of a folder of labelled recordings cannot be used.
package struct ECGFolderError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
}

/// A folder of labelled recordings: a table of records, a table of classes, and the recordings in one
/// folder an archive, as `labels.csv`, `unified_classes.csv` and `ARCHIVE/RECORD.hea`.
///
/// A source tells a class where at least one of its recordings has it; elsewhere the absence of a
/// label says nothing. Superclasses are told by recordings with SCP-ECG statements alone.
package struct ECGFolder: Sendable {
    /// One line of the table of records.
    package struct Entry: Hashable, Sendable {
        package let record: String
        /// Below the folder, without a suffix.
        package let path: String
        package let source: String
        /// The patient; the record itself where the table does not tell.
        package let patient: String
        /// One a class; nil where the source does not tell.
        package let labels: [Bool?]
    }

    package let classes: [DiagnosisClass]
    package let entries: [Entry]

    /// The diagnostic superclasses of PTB-XL.
    static let superclasses = [
        ("NORM", "normal electrocardiogram"), ("MI", "myocardial infarction"),
        ("STTC", "ST/T change"), ("CD", "conduction disturbance"), ("HYP", "hypertrophy"),
    ]

    /// - Parameters:
    ///   - labels: The text of `labels.csv`, with columns `record`, `source`, `archive`, `patient`,
    ///     `scp`, `superclass` and `unified`.
    ///   - classes: The text of `unified_classes.csv`, with columns `class`, `description` and
    ///     `snomed_codes`.
    ///   - recordsMinimum: Classes with fewer recordings are left out.
    /// - Throws: `ECGFolderError` for a missing column, an uneven line, or no class.
    package init(
        labels: String, classes: String, recordsMinimum: Int = 20
    ) throws(ECGFolderError) {
        let records = try TextTable(labels, name: "labels.csv")
        let table = try TextTable(classes, name: "unified_classes.csv")
        let (unified, superclass) = (
            try records.lists("unified"), try records.lists("superclass")
        )
        var found = Self.superclasses.map { code, name in
            DiagnosisClass(
                code: code, system: DiagnosisClass.superclass, abbreviation: code, name: name)
        }.filter { known in superclass.count { $0.contains(known.code) } >= recordsMinimum }
        let superclassCount = found.count
        var names: [String] = []
        for (row, name) in try table.column("class").enumerated() {
            let codes = try table.lists("snomed_codes")[row]
            // A class without a code is a superclass under another heading.
            guard let code = codes.first,
                unified.count(where: { $0.contains(name) }) >= recordsMinimum
            else { continue }
            let clashes = found.contains { $0.abbreviation == name }
            names.append(name)
            found.append(
                DiagnosisClass(
                    code: code, system: DiagnosisClass.snomed,
                    abbreviation: clashes ? name + "-any" : name,
                    name: try table.column("description")[row]))
        }
        guard !found.isEmpty else {
            throw ECGFolderError(
                description: "no class has \(recordsMinimum) recordings in labels.csv.")
        }
        let scp = try records.column("scp")
        let archives = try records.column("archive")
        // The same recordings under other labels are another source.
        let sources = zip(try records.column("source"), zip(archives, scp)).map { source, more in
            source == "PTB-XL" && more.1.isEmpty ? "PTB-XL (Challenge)" : source
        }
        var told: [String: Set<String>] = [:]
        for (source, labels) in zip(sources, unified) {
            told[source, default: []].formUnion(labels)
        }
        let patients = try records.column("patient")
        entries = try records.column("record").enumerated().map { row, record in
            let known = told[sources[row]] ?? []
            let first = found.prefix(superclassCount).map { known -> Bool? in
                scp[row].isEmpty ? nil : superclass[row].contains(known.code)
            }
            let rest = names.map { name -> Bool? in
                known.contains(name) ? unified[row].contains(name) : nil
            }
            return Entry(
                record: record,
                path: archives[row].isEmpty ? record : archives[row] + "/" + record,
                source: sources[row], patient: patients[row].isEmpty ? record : patients[row],
                labels: first + rest)
        }
        self.classes = found
    }
}

/// A small table of text with a header line; fields have no quotes but those around them.
private struct TextTable {
    private let name: String
    private let header: [String]
    private let rows: [[String]]

    init(_ text: String, name: String) throws(ECGFolderError) {
        self.name = name
        var lines = text.split(whereSeparator: \.isNewline).map(Self.fields)
        guard !lines.isEmpty else {
            throw ECGFolderError(description: "\(name) is empty.")
        }
        header = lines.removeFirst()
        for (index, line) in lines.enumerated() where line.count != header.count {
            throw ECGFolderError(
                description:
                    "\(name), line \(index + 2): \(line.count) fields, where the header has "
                    + "\(header.count).")
        }
        rows = lines
    }

    private static func fields(_ line: Substring) -> [String] {
        var fields = [""]
        var isQuoted = false
        for character in line {
            switch character {
            case "\"": isQuoted.toggle()
            case "," where !isQuoted: fields.append("")
            default: fields[fields.count - 1].append(character)
            }
        }
        return fields
    }

    func column(_ title: String) throws(ECGFolderError) -> [String] {
        guard let index = header.firstIndex(of: title) else {
            throw ECGFolderError(description: "\(name) has no column \"\(title)\".")
        }
        return rows.map { $0[index] }
    }

    /// Fields that hold several words between semicolons.
    func lists(_ title: String) throws(ECGFolderError) -> [[String]] {
        try column(title).map { $0.split(separator: ";").map(String.init) }
    }
}
