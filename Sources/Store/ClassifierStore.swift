package import Postgres

/// A class that a classifier tells apart, as it is stored.
package struct StoredClass: Hashable, Sendable {
    /// Such as `164889003`.
    package let code: String
    /// Whose code: `SNOMED CT` or `SCP-ECG`.
    package let system: String
    package let abbreviation: String
    package let name: String

    package init(code: String, system: String, abbreviation: String, name: String) {
        self.code = code
        self.system = system
        self.abbreviation = abbreviation
        self.name = name
    }
}

/// A classifier on its way into the database.
package struct NewClassifier: Sendable {
    package let family: String
    /// By position, as findings refer to them.
    package let classes: [StoredClass]
    /// A JSON object: data, metrics, limits.
    package let card: String
    /// The whole model.
    package let model: [UInt8]

    package init(family: String, classes: [StoredClass], card: String, model: [UInt8]) {
        precondition(!classes.isEmpty, "NewClassifier: no classes")
        self.family = family
        self.classes = classes
        self.card = card
        self.model = model
    }
}

/// A stored classifier with a model whose digest was compared.
package struct StoredClassifier: Sendable {
    package let id: Int64
    package let family: String
    package let model: [UInt8]
    /// SHA-256 of the model, 32 bytes.
    package let digest: [UInt8]
}

/// Classifiers of recordings: bytes with a digest, and one that is live.
package enum ClassifierStore {
    /// Stores a classifier; one with the same bytes is left as it is.
    ///
    /// - Parameters:
    ///   - classifier: What was trained.
    ///   - db: A transaction.
    /// - Returns: Its number. It is live now if none was.
    /// - Throws: `PostgresError`.
    package static func ensure(
        _ classifier: NewClassifier, in db: borrowing Session
    ) throws -> Int64 {
        precondition(db.isInTransaction(), "ClassifierStore.ensure outside a transaction")
        let sha = digest(of: classifier.model)
        if let known = try number(digest: sha, in: db) { return known }
        try db.run(
            """
            INSERT INTO systole.classifier (family, codes, systems, abbreviations, names, card,
                model, model_sha256)
            VALUES (\(classifier.family), \(classifier.classes.map(\.code)),
                \(classifier.classes.map(\.system)), \(classifier.classes.map(\.abbreviation)),
                \(classifier.classes.map(\.name)), \(classifier.card)::jsonb, \(classifier.model),
                \(sha))
            ON CONFLICT ON CONSTRAINT classifier_model_once DO NOTHING
            """)
        guard let id = try number(digest: sha, in: db) else {
            throw StoreError.unknownClassifier(nil)
        }
        try db.run(
            """
            SELECT systole.promote_classifier(\(id)) WHERE NOT EXISTS (
                SELECT FROM systole.classifier WHERE stage = 'live')
            """)
        return id
    }

    /// The live classifier; nil where there is none.
    ///
    /// - Throws: `StoreError.classifierDamaged`.
    package static func live(in db: borrowing Session) throws -> StoredClassifier? {
        try load("stage = 'live'", in: db)
    }

    /// A classifier by its number.
    ///
    /// - Throws: `StoreError.unknownClassifier` or `.classifierDamaged`.
    package static func find(_ id: Int64, in db: borrowing Session) throws -> StoredClassifier {
        guard let found = try load("classifier_id = \(id)", in: db) else {
            throw StoreError.unknownClassifier(id)
        }
        return found
    }

    private static func number(digest: [UInt8], in db: borrowing Session) throws -> Int64? {
        try db.run(
            "SELECT classifier_id FROM systole.classifier WHERE model_sha256 = \(digest)"
        ).first?.int64("classifier_id")
    }

    private static func load(
        _ condition: SQL, in db: borrowing Session
    ) throws -> StoredClassifier? {
        let rows = try db.run(
            """
            SELECT classifier_id, family, model, model_sha256 FROM systole.classifier
            WHERE \(condition)
            """)
        guard let row = rows.first else { return nil }
        let found = StoredClassifier(
            id: try row.int64("classifier_id"), family: try row.text("family"),
            model: try row.bytes("model"), digest: try row.bytes("model_sha256"))
        guard digest(of: found.model) == found.digest else {
            throw StoreError.classifierDamaged(found.id)
        }
        return found
    }
}
