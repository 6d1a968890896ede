import Classification
import Foundation

/// The classifier that ships, as it lies in the package.
package enum ShippedClassifier {
    /// Its file.
    package static let path = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Sources/Classification/Default/ecg-default.safetensors").path

    /// Its bytes.
    package static func bytes() throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(filePath: path)))
    }

    /// The abbreviations of its classes.
    package static func classes() throws -> [String] {
        try FittedClassifier(decoding: bytes()).classes.map(\.abbreviation)
    }
}
