package import Models

/// What has to be known about a fit to judge it and to do it again; stored with the model.
package struct FitReport: Sendable, Equatable, Codable {
    package let family: Family
    package let task: ForecastTask
    package let split: Split
    /// Seconds between two rows.
    package let stepSeconds: Double
    /// In the unit of the series.
    package let standardiser: Standardiser
    package let trainWindows: Int
    package let validationWindows: Int
    /// Windows left out because of missing values.
    package let excludedWindows: Int
    /// Missing rows whose place in model inputs was filled; 0 where only complete windows were used.
    package let filledRows: Int
    /// On the validation windows, in scaled units.
    package let validationMSE: Double
    /// On the validation windows, in scaled units.
    package let validationMAE: Double
    /// Of the seasonal naive forecast on the same windows, in scaled units.
    package let seasonalNaiveMSE: Double
    /// Of repeating the last value on the same windows, in scaled units.
    package let repeatLastMSE: Double
    package let calibration: ConformalCalibrator.Method
    /// Windows that the intervals rest on; neighbours overlap, so that they count for fewer.
    package let calibrationWindows: Int
    /// Reached on the later half of the validation windows after calibration on the earlier half.
    package let coverage: [CoverageRecord]
    package let parameterCount: Int
    package let trainSeconds: Double
    package let seed: UInt64
    package let threads: Int
    /// Chosen settings by name, such as a penalty or the best epoch.
    package let settings: [String: String]
    /// The revision of the program that fitted it; empty where unknown.
    package let codeVersion: String
    /// The digest of the data; empty where unknown.
    package let dataDigest: String
    /// Sentences for the user about anything unusual.
    package let notes: [String]
    /// Windows of the test rows, which a fit does not touch.
    package var testWindows: Int?
    /// The networks that were trained; nil for a family without, and in models of older programs.
    package var trainings: [NetworkTraining]?
    /// Versions of the program's parts, the processor's name for itself, and the kernels chosen.
    package var software: [String: String]?
}

/// How one network of a fit was trained.
package struct NetworkTraining: Sendable, Equatable, Codable {
    package let configuration: SpaceTimeConfiguration
    package let options: TrainingOptions
    package let record: TrainingRecord

    init(_ trained: TrainedSpaceTime) {
        configuration = trained.network.configuration
        options = trained.options
        record = trained.record
    }
}

extension Forecaster {
    /// The trainings of its networks.
    var trainings: [NetworkTraining] {
        switch self {
        case .spacetime(let spacetime): [NetworkTraining(spacetime.trained)]
        case .ensemble(let ensemble): ensemble.members.flatMap(\.trainings)
        case .seasonalNaive, .ets, .ridge: []
        }
    }
}
