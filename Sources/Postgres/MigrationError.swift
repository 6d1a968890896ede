/// Why migrations were not applied; one sentence each.
package enum MigrationError: Error, Equatable, Sendable, CustomStringConvertible {
    case folderUnreadable(String)
    case folderEmpty(String)
    case fileUnreadable(String)
    case badName(String)
    case gap(missing: Int, found: String)
    case duplicateNumber(String, String)
    case changed(String)
    case databaseNewer(name: String)
    case pending(count: Int, first: String)
    case busy
    case failed(file: String, PostgresError)
    case endsTransaction(String)
    case database(PostgresError)

    package var description: String {
        switch self {
        case .folderUnreadable(let path):
            "the migrations folder \(path) cannot be read; name it with --migrations"
        case .folderEmpty(let path):
            "the folder \(path) holds no migration; name another one with --migrations"
        case .fileUnreadable(let name):
            "the migration \(name) cannot be read"
        case .badName(let name):
            "\(name) is no migration's name; it should look like 0001_series.sql"
        case .gap(let missing, let found):
            "migration number \(missing) is missing, since the next one found is \(found)"
        case .duplicateNumber(let first, let second):
            "the migrations \(first) and \(second) have the same number"
        case .changed(let name):
            "the migration \(name) was changed after this database had applied it; "
                + "restore the file and write a new one"
        case .databaseNewer(let name):
            "this database has applied \(name), which this version of systole does not know; "
                + "use the newer version"
        case .pending(let count, let first):
            "this database lacks \(count) migration\(count == 1 ? "" : "s"), the first being "
                + "\(first); run systole migrate"
        case .busy:
            "another process has been migrating this database for too long; try again later"
        case .failed(let file, let error):
            "the migration \(file) failed and left nothing behind: \(error)"
        case .endsTransaction(let file):
            "the migration \(file) ends its own transaction; take out its COMMIT or ROLLBACK"
        case .database(let error):
            "\(error)"
        }
    }
}
