package import Classification
import Foundation
import Signals

/// A classifier that was trained in a second to tell inverted T waves from upright ones.
package enum TinyClassifier {
    /// Trained once in a process.
    package static let trained = Result { try train() }

    /// Its classes: two that exclude each other.
    package static let classes = [
        DiagnosisClass(
            code: "59931005", system: DiagnosisClass.snomed, abbreviation: "TInv",
            name: "T wave inversion"),
        DiagnosisClass(
            code: "426783006", system: DiagnosisClass.snomed, abbreviation: "SNR",
            name: "sinus rhythm, \"upright\""),
    ]

    private static func train() throws -> FittedClassifier {
        let preparation = ECGPreparation()
        let recordings = try (0..<24).map { number in
            let ecg = SyntheticECG(seed: number, isInverted: number % 2 == 0, hertz: 100)
            let recording = try Electrocardiogram(ecg.recording("\(number)"))
            return LabelledECG(
                name: "\(number)", source: "made", patient: "\(number)",
                labels: [number % 2 == 0, number % 2 == 1],
                prepared: try preparation.prepare(recording))
        }
        var options = ClassifierTraining.Options()
        options.folds = 2
        options.draws = 20
        options.threads = 2
        options.title = "Inverted T waves of made recordings"
        let training = ClassifierTraining(
            classes: classes, preparation: preparation, options: options)
        return try training.train(recordings) { _ in }
    }

    /// Writes the classifier, and returns its path.
    package static func write(to folder: URL) throws -> String {
        let file = folder.appending(path: "tiny.safetensors")
        try Data(try trained.get().encoded()).write(to: file)
        return file.path
    }
}
