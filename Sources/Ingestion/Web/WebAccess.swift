import Foundation
import WebClient

/// How a source is reached over HTTP; part of its settings.
package struct WebAccess: Sendable, Equatable, Codable {
    /// Where it begins; without a user name or a password.
    package var url: String
    /// Whether loopback and private networks may be reached, and `http://` be used.
    package var allowPrivate = false
    /// The token of `Authorization: Bearer`.
    package var bearer: SecretReference?
    /// The user of `Authorization: Basic`.
    package var user: String?
    package var password: SecretReference?
    /// Sent as given.
    package var headers: [String: String] = [:]
    /// Sent with what the references lead to.
    package var secretHeaders: [String: SecretReference] = [:]
    /// PEM files by which this client shows who it is.
    package var certificateFile: String?
    package var keyFile: String?
    /// The largest answer, in bytes, unpacked.
    package var bodyBytesMaximum = 64 << 20
    /// From asking to the last byte of an answer, in seconds.
    package var timeLimitSeconds = 300
    /// An answer that brings less than 100 bytes a second for so long is given up.
    package var stallSeconds = 20

    package init(url: String) { self.url = url }

    private enum CodingKeys: String, CodingKey {
        case url, allowPrivate, bearer, user, password, headers, secretHeaders, certificateFile
        case keyFile, bodyBytesMaximum, timeLimitSeconds, stallSeconds
    }

    package init(from decoder: any Decoder) throws {
        let box = try decoder.container(keyedBy: CodingKeys.self)
        url = try box.decode(String.self, forKey: .url)
        allowPrivate = try box.decodeIfPresent(Bool.self, forKey: .allowPrivate) ?? false
        bearer = try box.decodeIfPresent(SecretReference.self, forKey: .bearer)
        user = try box.decodeIfPresent(String.self, forKey: .user)
        password = try box.decodeIfPresent(SecretReference.self, forKey: .password)
        headers = try box.decodeIfPresent([String: String].self, forKey: .headers) ?? [:]
        secretHeaders =
            try box.decodeIfPresent([String: SecretReference].self, forKey: .secretHeaders) ?? [:]
        certificateFile = try box.decodeIfPresent(String.self, forKey: .certificateFile)
        keyFile = try box.decodeIfPresent(String.self, forKey: .keyFile)
        bodyBytesMaximum =
            try box.decodeIfPresent(Int.self, forKey: .bodyBytesMaximum) ?? bodyBytesMaximum
        timeLimitSeconds =
            try box.decodeIfPresent(Int.self, forKey: .timeLimitSeconds) ?? timeLimitSeconds
        stallSeconds = try box.decodeIfPresent(Int.self, forKey: .stallSeconds) ?? stallSeconds
    }

    /// What is wrong with it; nil where it can be used.
    package var flaw: String? {
        guard let parts = URLComponents(string: url), let host = parts.host, !host.isEmpty else {
            return "the URL has no host"
        }
        // It would lie in the database in plain text.
        if parts.user != nil || parts.password != nil {
            return "the URL holds a user or a password; they are told beside it"
        }
        if bearer != nil && user != nil { return "both a token and a user are told" }
        if (user == nil) != (password == nil) { return "a user and a password belong together" }
        if (certificateFile == nil) != (keyFile == nil) {
            return "a certificate and its key belong together"
        }
        if !(1...(1 << 30)).contains(bodyBytesMaximum) {
            return "bodyBytesMaximum is outside 1 to \(1 << 30)"
        }
        if !(1...3600).contains(timeLimitSeconds) || !(1...3600).contains(stallSeconds) {
            return "timeLimitSeconds and stallSeconds are from 1 to 3600"
        }
        return nil
    }

    /// The host for reports, which show no paths; they may carry secrets.
    var host: String { URL(string: url)?.host() ?? "the source" }

    var limits: WebLimits {
        WebLimits(
            totalTimeLimit: .seconds(timeLimitSeconds), bodyMaximum: bodyBytesMaximum,
            slowTimeLimit: .seconds(stallSeconds))
    }

    var certificate: ClientCertificate? {
        guard let certificateFile, let keyFile else { return nil }
        return ClientCertificate(certificateFile: certificateFile, keyFile: keyFile)
    }

    /// The headers that show who is asking, and the secrets in them.
    func credentials(
        _ reader: SecretReader
    ) throws(IngestError) -> (headers: [String: String], secrets: [String]) {
        var headers = headers
        var secrets: [String] = []
        if let bearer {
            let token = try reader.read(bearer)
            headers["Authorization"] = "Bearer \(token)"
            secrets.append(token)
        }
        if let user, let password {
            let word = try reader.read(password)
            let pair = Data("\(user):\(word)".utf8).base64EncodedString()
            headers["Authorization"] = "Basic \(pair)"
            secrets += [word, pair]
        }
        for (name, reference) in secretHeaders {
            let value = try reader.read(reference)
            headers[name] = value
            secrets.append(value)
        }
        return (headers, secrets)
    }
}
