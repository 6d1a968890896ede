/// Why a private database could not be started; one sentence each.
package enum ClusterError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Another process runs this folder's database.
    case owned(folder: String, process: Int32)
    case programsMissing
    case versionMissing(major: String)
    case userMissing
    case folderUnwritable(String)
    case folderName(String)
    case noFreePort(ClosedRange<UInt16>)
    case portTaken(UInt16)
    /// The database of a server that ran is not where it was.
    case dataGone(folder: String)
    case command(String, said: String)

    package var description: String {
        switch self {
        case .owned(let folder, let process):
            "the database in \(folder) is already run by process \(process); stop that one first"
        case .programsMissing:
            "PostgreSQL 15 or newer is not installed; run apt-get install postgresql"
        case .versionMissing(let major):
            "this database was made by PostgreSQL \(major), which is not installed; "
                + "run apt-get install postgresql-\(major)"
        case .userMissing:
            "there is no user postgres to run the database as; run apt-get install postgresql"
        case .folderUnwritable(let path):
            "the folder \(path) cannot be written; choose another one with --folder"
        case .folderName(let path):
            "the folder \(path) has a character in its name that PostgreSQL's tools do not take; "
                + "choose another one with --folder"
        case .noFreePort(let range):
            "all ports from \(range.lowerBound) to \(range.upperBound) on 127.0.0.1 are in use"
        case .portTaken(let port):
            "the port \(port) on 127.0.0.1, where everybody looks for it, is in use"
        case .dataGone(let folder):
            "its data are no longer in \(folder)"
        case .command(let name, let said):
            "\(name) failed: \(said)"
        }
    }
}
