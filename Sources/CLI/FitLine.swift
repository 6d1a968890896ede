/// How far a fit is, in words; also what `systole.jobs.progress` holds.
struct FitLine: Decodable {
    let note: String
    /// In 0...1.
    var fraction: Double?
    var epoch: Double?
    var epochsMaximum: Double?
    var trainingLoss: Double?
    var validationError: Double?
    var secondsLeft: Double?

    private enum CodingKeys: String, CodingKey {
        case note, fraction, epoch
        case epochsMaximum = "epochs_maximum"
        case trainingLoss = "training_loss"
        case validationError = "validation_error"
        case secondsLeft = "seconds_left"
    }

    /// A line such as `fitting spacetime: 40 %, epoch 3 of 12, training loss 0.31, validation MSE
    /// 0.071, 35 s left`.
    var text: String {
        var parts: [String] = []
        if let fraction { parts.append("\(Int(fraction * 100)) %") }
        if let epoch, let epochsMaximum {
            parts.append("epoch \(Int(epoch)) of \(Int(epochsMaximum))")
        }
        if let trainingLoss { parts.append("training loss \(Terminal.number(trainingLoss))") }
        if let validationError {
            parts.append("validation MSE \(Terminal.number(validationError))")
        }
        if let secondsLeft { parts.append("\(Self.duration(secondsLeft)) left") }
        return parts.isEmpty ? note : "\(note): \(parts.joined(separator: ", "))"
    }

    /// Seconds below two minutes, then minutes, then hours.
    static func duration(_ seconds: Double) -> String {
        switch seconds {
        case ..<120: "\(Int(seconds)) s"
        case ..<7200: "\(Int(seconds / 60)) min"
        default: "\(Int(seconds / 3600)) h"
        }
    }
}
