import Crypto
import Foundation
import Glibc

/// Where the files of a private database lie, and as whom it runs.
struct ClusterPlace: Equatable, Sendable {
    /// The folder that the user named, absolute.
    let folder: String
    /// The folder that holds everything; another one where `postgres` could not enter `folder`.
    let root: String
    /// The user that runs the server; nil for ourselves.
    let user: String?

    /// The server's data.
    var data: String { root + "/postgres/data" }
    /// The socket's folder.
    var sockets: String { root + "/postgres/run" }
    /// The server's log.
    var log: String { root + "/postgres/postgresql.log" }
    /// The password of the role `systole` in libpq's format, for connections by TCP.
    var passwords: String { root + "/pgpass" }
    /// Held by the process that runs the server.
    var lock: String { folder + "/up.pid" }

    /// Whether the user's folder could not be used.
    var isMoved: Bool { root != folder }

    static let fallbackRoot = "/var/lib/systole"

    /// Decides for a folder, which need not exist yet.
    ///
    /// - Parameter folder: Absolute, or relative to the working directory.
    /// - Throws: `ClusterError.folderName` or `.userMissing`.
    init(folder: String) throws(ClusterError) {
        let path = URL(fileURLWithPath: folder).standardizedFileURL.resolvingSymlinksInPath().path
        // pg_ctl puts the path between double quotes in a shell's command.
        let isQuotable = path.unicodeScalars.allSatisfy { scalar in
            scalar.value >= 32 && !"\"'$`\\!".unicodeScalars.contains(scalar)
        }
        guard isQuotable else { throw ClusterError.folderName(path) }
        self.folder = path
        guard geteuid() == 0 else {
            user = nil
            root = path
            return
        }
        guard let postgres = Self.account("postgres") else { throw ClusterError.userMissing }
        user = "postgres"
        if Self.canEnter(path, account: postgres) {
            root = path
        } else {
            let digest = SHA256.hash(data: Data(path.utf8)).prefix(4)
                .map { String(UInt16($0) + 256, radix: 16).dropFirst() }.joined()
            root = Self.fallbackRoot + "/" + digest
        }
    }

    /// Whether a socket's path in here fits into the 107 bytes that the system allows.
    var hasSocket: Bool { sockets.utf8.count + "/.s.PGSQL.65535".utf8.count <= 107 }

    /// Whether everybody, or the owner if that is it, may pass through all folders that exist.
    static func canEnter(_ path: String, account: (user: uid_t, group: gid_t)) -> Bool {
        var url = URL(fileURLWithPath: path)
        while true {
            var status = stat()
            if unsafe stat(url.path, &status) == 0 {
                let isOpen =
                    status.st_mode & 0o001 != 0
                    || (status.st_uid == account.user && status.st_mode & 0o100 != 0)
                    || (status.st_gid == account.group && status.st_mode & 0o010 != 0)
                guard isOpen else { return false }
            }
            guard url.path != "/" else { return true }
            url.deleteLastPathComponent()
        }
    }

    static func account(_ name: String) -> (user: uid_t, group: gid_t)? {
        guard let entry = unsafe getpwnam(name) else { return nil }
        return unsafe (entry.pointee.pw_uid, entry.pointee.pw_gid)
    }

    /// Makes the folders with their owners.
    func make() throws(ClusterError) {
        try makeFolder(folder, owner: nil)
        if isMoved {
            try makeFolder(Self.fallbackRoot, owner: nil)
            try makeFolder(root, owner: nil)
        }
        let owner = user.flatMap { Self.account($0) }
        for path in [root + "/postgres", sockets] { try makeFolder(path, owner: owner) }
    }

    private func makeFolder(
        _ path: String, owner: (user: uid_t, group: gid_t)?
    ) throws(ClusterError) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o755])
        } catch {
            throw ClusterError.folderUnwritable(path)
        }
        guard unsafe access(path, W_OK | X_OK) == 0 else {
            throw ClusterError.folderUnwritable(path)
        }
        guard let owner else { return }
        guard unsafe chown(path, owner.user, owner.group) == 0 else {
            throw ClusterError.folderUnwritable(path)
        }
    }
}
