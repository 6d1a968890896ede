import Foundation
package import Learning
package import Tensors

/// One golden file of an independent reference: inputs, parameters, results and gradients, with the
/// tolerance that its maker states.
///
/// Names: `in/…`, `param/…`, `buffer/…`, `out/…`, `alt/…` (the same by another path), `up/…`
/// (upstream gradients), `grad/in/…`, `grad/param/…`.
package struct GoldenFile {
    package let checkpoint: Checkpoint
    /// The case's sizes and switches, as the maker wrote them.
    package let configuration: [String: Any]
    private let tolerances: [String: Double]
    /// The largest magnitude among results, by-products and gradients.
    private let scale: Double

    /// Reads `Fixtures/PATH.safetensors` beside the test file; traps where it is not one.
    package init(_ path: String, besideFile file: String = #filePath) throws {
        let folder = URL(filePath: file).deletingLastPathComponent()
        let data = try Data(contentsOf: folder.appending(path: "Fixtures/\(path).safetensors"))
        checkpoint = try Checkpoint(decoding: [UInt8](data))
        let text = checkpoint.metadata["fixture"] ?? ""
        let header = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        guard let header, let tolerance = header["tolerance"] as? [String: Double] else {
            throw CheckpointError.missing("fixture")
        }
        tolerances = tolerance
        configuration = header["config"] as? [String: Any] ?? [:]
        scale =
            checkpoint.tensors.filter { name, _ in
                name.hasPrefix("out/") || name.hasPrefix("alt/") || name.hasPrefix("grad/")
            }.map(\.value.largestMagnitude).max() ?? 0
    }

    /// All cases in `Fixtures/FAMILY` beside the test file, as paths for `init`.
    package static func cases(_ family: String, besideFile file: String = #filePath) -> [String] {
        let folder = URL(filePath: file).deletingLastPathComponent()
        let names = try? FileManager.default.contentsOfDirectory(
            atPath: folder.appending(path: "Fixtures/\(family)").path)  // None is found by a test.
        return (names ?? []).filter { $0.hasSuffix(".safetensors") }.sorted().map {
            "\(family)/\($0.dropLast(".safetensors".count))"
        }
    }

    /// An integer of the case's configuration.
    package func integer(_ key: String) -> Int { configuration[key] as? Int ?? 0 }

    /// Whether the file has this tensor.
    package func has(_ name: String) -> Bool { checkpoint.tensors[name] != nil }

    /// A tensor in the precision under test; every input is exact in either.
    package func tensor<S: Scalar>(_ name: String, of: S.Type = S.self) throws -> Tensor<S> {
        try checkpoint.tensor(name)
    }

    /// How far `actual` is from a tensor of the file, in units of what is allowed: at most 1 passes.
    ///
    /// Allowed is `tolerance · max(max|b|, 0.001·G)` with G the largest magnitude in the file.
    package func excess<S: Scalar>(of actual: Tensor<S>, over name: String) throws -> Double {
        let expected: Tensor<Double> = try checkpoint.tensor(name)
        guard actual.shape == expected.shape else { return .infinity }
        let allowed = tolerance(of: S.self) * max(expected.largestMagnitude, 0.001 * scale)
        var worst = 0.0
        for (a, b) in zip(actual.values, expected.values) {
            let difference = abs(Double(a) - b)
            guard difference.isFinite else { return .infinity }
            worst = max(worst, difference)
        }
        return allowed == 0 ? (worst == 0 ? 0 : .infinity) : worst / allowed
    }

    /// The stated tolerance of a kind of number.
    package func tolerance<S: Scalar>(of: S.Type) -> Double {
        tolerances[S.self == Float.self ? "float32" : "float64"] ?? 0
    }

    /// Another stated number beside the tolerances.
    package func stated(_ name: String) -> Double { tolerances[name] ?? 0 }
}

extension Checkpoint.Entry {
    fileprivate var largestMagnitude: Double {
        switch values {
        case .float(let values): values.reduce(0) { max($0, abs(Double($1))) }
        case .double(let values): values.reduce(0) { max($0, abs($1)) }
        case .integer(let values): values.reduce(0) { max($0, abs(Double($1))) }
        }
    }
}
