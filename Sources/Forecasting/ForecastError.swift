/// Why no forecast, fit or score could be made; every description is one sentence for users, and
/// holds counts but never a sample.
package enum ForecastError: Error, Equatable, Sendable {
    case horizonNotPositive(found: Int)
    case horizonTooLong(found: Int, maximum: Int)
    /// The asked horizon is longer than the one a ridge model was fitted for.
    case horizonBeyondModel(found: Int, trained: Int)
    case lagOutOfRange(found: Int, minimum: Int, maximum: Int)
    case seriesTooShort(found: Int, needed: Int)
    case historyTooShort(found: Int, needed: Int)
    case constantSeries(rows: Int)
    case allMissing(rows: Int)
    /// Too few windows are left once those with missing values are taken out.
    case tooFewWindows(part: Split.Part, found: Int, needed: Int, excluded: Int)
    /// More is missing in the look-back window than may be filled.
    case tooManyGaps(missing: Int, longest: Int, window: Int, missingMaximum: Int, runMaximum: Int)
    /// The series is on another step than the one the model was fitted on.
    case stepMismatch(foundSeconds: Double, modelSeconds: Double)
    case bordersOutsideSeries(rows: Int, asked: Int)
    /// The model's output is not finite or grows without bound.
    case diverged(Family)
    /// No combination of models is better than the best one.
    case noEnsemble
}

extension ForecastError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .horizonNotPositive(let found):
            "The horizon is \(found) steps; it must be at least 1."
        case .horizonTooLong(let found, let maximum):
            "The horizon is \(found) steps; at most \(maximum) are forecast."
        case .horizonBeyondModel(let found, let trained):
            "The model was fitted for \(trained) steps and cannot forecast \(found); "
                + "fit one for that horizon."
        case .lagOutOfRange(let found, let minimum, let maximum):
            "The look-back is \(found) steps; it must lie between \(minimum) and \(maximum)."
        case .seriesTooShort(let found, let needed):
            "The series has \(found) rows; this look-back and horizon need at least \(needed)."
        case .historyTooShort(let found, let needed):
            "The history up to the last observation has \(found) rows; the model looks back on "
                + "\(needed)."
        case .constantSeries(let rows):
            "The \(rows) rows to learn from all hold the same value, so there is nothing to learn."
        case .allMissing(let rows):
            "All \(rows) rows to learn from are missing."
        case .tooFewWindows(let part, let found, let needed, let excluded):
            "Only \(found) \(part.rawValue) windows can be used (\(excluded) have missing values); "
                + "at least \(needed) are needed."
        case .tooManyGaps(let missing, let longest, let window, let missingMaximum, let runMaximum):
            "In the last \(window) rows \(missing) are missing, \(longest) of them in a row; at "
                + "most \(missingMaximum), and \(runMaximum) in a row, can be bridged."
        case .stepMismatch(let found, let model):
            "The series has a step of \(found) s, but the model was fitted on \(model) s."
        case .bordersOutsideSeries(let rows, let asked):
            "The split asks for \(asked) rows, but the series has \(rows)."
        case .diverged(let family):
            "The \(family.rawValue) model diverged, so it gives no forecast."
        case .noEnsemble:
            "No combination of the models is better than the best of them."
        }
    }
}
