package import Series

/// What the database holds, or was asked to hold, in a way that the caller has to decide about.
///
/// Everything else that fails here is a `PostgresError`. Carries names and numbers, never samples.
package enum StoreError: Error, Equatable, Sendable {
    case unknownSeries(key: String)
    case unknownSeriesNumber(SeriesID)
    case unitDiffers(key: String, stored: PhysicalUnit, found: PhysicalUnit)
    /// Microseconds between two observations.
    case stepDiffers(key: String, stored: Int64, found: Int64)
    case stepUnknown(key: String)
    /// A range that would need more grid instants than `limit`.
    case tooManySamples(key: String, limit: Int)
    case unknownRecording(key: String)
    /// A recording of this key is stored with other content, and its source is not revisable.
    case recordingDiffers(key: String)
    /// A chunk whose samples no longer match their checksum.
    case chunkDamaged(recording: Int64, channel: Int, firstSample: Int64)
    case unknownModel(ModelID)
    /// Weights that no longer match their digest; they must not be used.
    case weightsDamaged(ModelID)
    /// nil for one that was stored a moment ago.
    case unknownClassifier(Int64?)
    /// A model that no longer matches its digest; it must not be used.
    case classifierDamaged(Int64)
    /// Which rule the forecast breaks, at which step, from 1.
    case forecastUnusable(ForecastFlaw, step: Int)
    /// This job has issued its forecast of this series already.
    case forecastExists(series: SeriesID, job: Int64)
    case watchUnknown(SeriesID)
    /// The weights of a group's detector no longer match their digest; they must not be used.
    case detectorDamaged(Int64)
    case unknownSensorModel(Int64)
    /// Weights that no longer match their digest; they must not be used.
    case sensorModelDamaged(Int64)
    case sourceExists(name: String)
    case unknownSource(name: String)
    /// The run of a job was replaced; nothing that it still writes is kept.
    case leaseLost(job: Int64, lease: Int64)
    case schemaDiffers(found: Int, needed: Int)

    /// A rule that forecasts keep.
    package enum ForecastFlaw: String, Sendable {
        case quantilesCross = "its quantiles cross"
        case notFinite = "it is not a finite number of single precision"
        case stepNotWhole = "its step is no whole number of microseconds"
        case beginsBeforeItsData = "it begins before its data end"
        case length = "it has no step, or more than 10,000"
    }
}

extension StoreError: CustomStringConvertible {
    /// One sentence that says what is in the way.
    package var description: String {
        switch self {
        case .unknownSeries(let key): "there is no series \"\(key)\""
        case .unknownSeriesNumber(let id): "there is no series with the number \(id)"
        case .unitDiffers(let key, let stored, let found):
            "series \"\(key)\" is stored in \"\(stored)\", the data are in \"\(found)\""
        case .stepDiffers(let key, let stored, let found):
            "series \"\(key)\" has a step of \(stored) µs, the data have one of \(found) µs"
        case .stepUnknown(let key): "the step of series \"\(key)\" is not known"
        case .tooManySamples(let key, let limit):
            "the range of series \"\(key)\" has more than \(limit) samples; ask for less"
        case .unknownRecording(let key): "there is no recording \"\(key)\""
        case .recordingDiffers(let key): "recording \"\(key)\" is stored with other content"
        case .chunkDamaged(let recording, let channel, let firstSample):
            "recording \(recording), channel \(channel): the samples from \(firstSample) on "
                + "do not match their checksum"
        case .unknownModel(let id): "there is no model \(id)"
        case .weightsDamaged(let id): "the weights of model \(id) do not match their digest"
        case .unknownClassifier(let id):
            "there is no classifier \(id.map { String($0) } ?? "of these bytes")"
        case .classifierDamaged(let id): "classifier \(id) does not match its digest"
        case .forecastUnusable(let flaw, let step):
            "the forecast cannot be stored: at step \(step) \(flaw.rawValue)"
        case .forecastExists(let series, let job):
            "job \(job) has issued its forecast of series \(series) already"
        case .watchUnknown(let id): "series \(id) is not watched"
        case .detectorDamaged(let id): "the weights of detector \(id) do not match their digest"
        case .unknownSensorModel(let id): "there is no sensor model \(id)"
        case .sensorModelDamaged(let id):
            "the weights of sensor model \(id) do not match their digest"
        case .sourceExists(let name): "there is a source \"\(name)\" already"
        case .unknownSource(let name): "there is no source \"\(name)\""
        case .leaseLost(let job, let lease): "run \(lease) of job \(job) was replaced"
        case .schemaDiffers(let found, let needed):
            "the database has schema \(found), this executable needs \(needed)"
        }
    }
}
