import Foundation
import Workflows

/// Finding the classifier that a command works with.
enum ClassifierFile {
    /// The name of the model that ships.
    static let shippedName = "ecg-default.safetensors"
    /// Where it lies in the package.
    private static let packageName = "Sources/Classification/Default/\(shippedName)"

    /// The classifier in `path`, or the one that ships.
    ///
    /// - Throws: One sentence where there is none, or it cannot be read.
    static func load(_ path: String?) throws -> RecordingClassifier {
        guard let file = path ?? shippedPath else { throw NoClassifier() }
        let bytes: Data
        do {
            bytes = try Data(contentsOf: URL(filePath: file))
        } catch {
            throw UnusableClassifier(path: file, reason: "it cannot be read")
        }
        do {
            return try RecordingClassifier(decoding: [UInt8](bytes))
        } catch {
            throw UnusableClassifier(path: file, reason: Failure.sentence(for: error))
        }
    }

    /// Where the model that ships lies: beside the executable, in a package that is the working
    /// directory, or in the package that the executable was built in.
    static var shippedPath: String? {
        let executable = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        var parent = executable.deletingLastPathComponent()
        var candidates = [parent.appending(path: shippedName), URL(filePath: packageName)]
        for _ in 0..<4 {
            parent.deleteLastPathComponent()
            candidates.append(parent.appending(path: packageName))
        }
        return candidates.map(\.path).first { FileManager.default.fileExists(atPath: $0) }
    }

    /// No model was told, and none ships.
    struct NoClassifier: Error, CustomStringConvertible {
        var description: String {
            "no classifier: \(ClassifierFile.shippedName) is not beside the executable; "
                + "say where with --model, or train one with `systole train ecg`"
        }
    }

    /// A file that holds no classifier.
    struct UnusableClassifier: Error, CustomStringConvertible {
        let path: String
        let reason: String
        var description: String { "\(path): \(reason)" }
    }
}
