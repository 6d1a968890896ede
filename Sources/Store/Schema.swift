package import Postgres

/// The schema that this executable was built for.
package enum Schema {
    /// The number of the newest migration that the code relies on.
    package static let versionNeeded = 25

    /// The number of the newest migration that the database has; 0 for none.
    package static func version(in db: borrowing Session) throws -> Int {
        try db.run("SELECT coalesce(max(number), 0) AS number FROM systole.schema_migration")
            .only().int("number")
    }

    /// Throws `StoreError.schemaDiffers` unless the database has the schema the code needs.
    package static func require(in db: borrowing Session) throws {
        let found = try version(in: db)
        guard found == versionNeeded else {
            throw StoreError.schemaDiffers(found: found, needed: versionNeeded)
        }
    }
}
