import Foundation
import Jobs
import Series
import Store

/// The arguments of our jobs, as their JSON spells them.
enum JobArguments {
    /// `{"series_id": 7, "steps": 168, "as_of": "2026-11-01T12:00:00.000000Z"}`
    struct Forecast: Decodable {
        let seriesID: SeriesID
        /// The horizon, in steps of the series.
        let steps: Int
        /// Nothing that was observed later is used; the newest observation where nil.
        let asOf: Timestamp?

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            seriesID = SeriesID(try values.decode(Int64.self, forKey: .seriesID))
            steps = try values.decode(Int.self, forKey: .steps)
            asOf = try values.instant(forKey: .asOf)
        }
    }

    /// `{"series_ids": [7, 8], "horizon_us": 86400000000, "as_of": "2026-11-01T12:00:00.000000Z"}`
    struct ForecastBatch: Decodable {
        /// The most series of one job.
        static let seriesMaximum = 10_000

        let seriesIDs: [SeriesID]
        /// In microseconds; each series rounds it up to steps of its own.
        let horizonMicroseconds: Int64
        /// Nothing that was observed later is used; the newest observation where nil.
        let asOf: Timestamp?

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            let numbers = try values.decode([Int64].self, forKey: .seriesIDs)
            horizonMicroseconds = try values.decode(Int64.self, forKey: .horizonMicroseconds)
            asOf = try values.instant(forKey: .asOf)
            guard numbers.count <= Self.seriesMaximum, Set(numbers).count == numbers.count else {
                throw DecodingError.dataCorruptedError(
                    forKey: .seriesIDs, in: values,
                    debugDescription: "\(numbers.count) series, or one of them twice")
            }
            guard horizonMicroseconds > 0 else {
                throw DecodingError.dataCorruptedError(
                    forKey: .horizonMicroseconds, in: values,
                    debugDescription: "a horizon that is not above zero")
            }
            seriesIDs = numbers.map { SeriesID($0) }
        }
    }

    /// Whether the job of `lease` forecasts a batch of series.
    static func isBatch(_ lease: Lease) -> Bool {
        struct Marked: Decodable {
            let isBatch: Bool
            init(from decoder: any Decoder) throws {
                isBatch = try decoder.container(keyedBy: Key.self).contains(.seriesIDs)
            }
        }
        return (try? decode(Marked.self, of: lease))?.isBatch ?? false
    }

    /// `{"series_id": 7, "family": "ridge,spacetime", "steps": 168, "seed": 1, "threads": 2}`
    struct Train: Decodable {
        let seriesID: SeriesID
        /// Names of families, separated by commas, or `auto` for all of them.
        let family: String
        let steps: Int
        /// The worker's own where nil.
        let seed: UInt64?
        /// Cores that a training may use, if the worker allows as many; the worker's own where nil.
        let threads: Int?

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            seriesID = SeriesID(try values.decode(Int64.self, forKey: .seriesID))
            family = try values.decode(String.self, forKey: .family)
            steps = try values.decode(Int.self, forKey: .steps)
            seed = try values.decodeIfPresent(UInt64.self, forKey: .seed)
            threads = try values.decodeIfPresent(Int.self, forKey: .threads)
        }
    }

    /// `{"series_id": 7}`, or `{"lane": 3}` for what is new of the series of a lane.
    enum Score: Decodable {
        case series(SeriesID)
        case lane(Int)

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            if let lane = try values.decodeIfPresent(Int.self, forKey: .lane) {
                self = .lane(lane)
            } else {
                self = .series(SeriesID(try values.decode(Int64.self, forKey: .seriesID)))
            }
        }
    }

    /// `{"group_id": 7, "family": "ridge,tsm2", "steps": 24, "seed": 1, "threads": 2}`
    struct TrainGroup: Decodable {
        let groupID: GroupID
        /// Names of families, separated by commas, or `auto` for all of them.
        let family: String
        let steps: Int
        /// The worker's own where nil.
        let seed: UInt64?
        /// Cores that a training may use, if the worker allows as many; the worker's own where nil.
        let threads: Int?

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            groupID = GroupID(try values.decode(Int64.self, forKey: .groupID))
            family = try values.decode(String.self, forKey: .family)
            steps = try values.decode(Int.self, forKey: .steps)
            seed = try values.decodeIfPresent(UInt64.self, forKey: .seed)
            threads = try values.decodeIfPresent(Int.self, forKey: .threads)
        }
    }

    /// `{"group_id": 7, "steps": 24}`
    struct ForecastGroup: Decodable {
        let groupID: GroupID
        /// As many as the model forecasts where nil.
        let steps: Int?

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            groupID = GroupID(try values.decode(Int64.self, forKey: .groupID))
            steps = try values.decodeIfPresent(Int.self, forKey: .steps)
        }
    }

    /// `{"lane": 3}`
    struct Derive: Decodable {
        let lane: Int

        init(from decoder: any Decoder) throws {
            lane = try decoder.container(keyedBy: Key.self).decode(Int.self, forKey: .lane)
        }
    }

    /// `{"group_id": 7}`
    struct ScoreGroup: Decodable {
        let groupID: GroupID

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            groupID = GroupID(try values.decode(Int64.self, forKey: .groupID))
        }
    }

    /// `{"recordings": [1, 2], "classifier_id": 3}`
    struct Classify: Decodable {
        /// The most recordings of one job.
        static let recordingsMaximum = 10_000

        let recordings: [Int64]
        /// The live one where nil.
        let classifierID: Int64?

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            recordings = try values.decode([Int64].self, forKey: .recordings)
            classifierID = try values.decodeIfPresent(Int64.self, forKey: .classifierID)
            guard recordings.count <= Self.recordingsMaximum else {
                throw DecodingError.dataCorruptedError(
                    forKey: .recordings, in: values,
                    debugDescription: "\(recordings.count) recordings")
            }
        }
    }

    /// Every argument that there is; what a job of one kind has no use for it leaves alone.
    fileprivate enum Key: String, CodingKey {
        case seriesID = "series_id"
        case seriesIDs = "series_ids"
        case groupID = "group_id"
        case horizonMicroseconds = "horizon_us"
        case classifierID = "classifier_id"
        case asOf = "as_of"
        case family, steps, seed, threads, recordings, lane
    }

    /// Reads the arguments of `lease`.
    ///
    /// - Parameters:
    ///   - type: What is expected.
    ///   - lease: The job.
    /// - Returns: The arguments.
    /// - Throws: `NewerArgument` where one has a name that no argument has; `PermanentJobError` where
    ///   they are something else, which no retry mends.
    static func decode<T: Decodable>(_ type: T.Type, of lease: Lease) throws -> T {
        let data = Data(lease.arguments.utf8)
        if let names = try? JSONDecoder().decode(Names.self, from: data),
            let stranger = names.all.sorted().first(where: { Key(stringValue: $0) == nil })
        {
            throw NewerArgument(kind: lease.kind, name: stranger)
        }
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch {
            throw PermanentJobError("the arguments of this \(lease.kind) job are not understood")
        }
    }

    /// An argument that this version does not know. It may change what is asked for, so that the job
    /// is left to a worker that does; until one takes it, it is tried again.
    struct NewerArgument: Error, Equatable, CustomStringConvertible {
        let kind: String
        let name: String

        var description: String {
            // A name is quoted only where it is one: anything else might be a value.
            let isName =
                name.count <= 40 && name.allSatisfy { $0 == "_" || ("a"..."z").contains($0) }
            return
                "this \(kind) job has \(isName ? "the argument \(name)" : "an argument"), which this "
                + "version does not know: a newer worker must do it"
        }
    }

    /// The names that an object has.
    private struct Names: Decodable {
        let all: [String]

        init(from decoder: any Decoder) throws {
            all = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
        }
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}

extension KeyedDecodingContainer<JobArguments.Key> {
    /// The instant under `key`, as JSON carries it; nil where there is none.
    fileprivate func instant(forKey key: Key) throws -> Timestamp? {
        guard let text = try decodeIfPresent(String.self, forKey: key) else { return nil }
        guard let instant = Timestamp(iso8601: text) else {
            throw DecodingError.dataCorruptedError(
                forKey: key, in: self, debugDescription: "\(key.stringValue) is no instant")
        }
        return instant
    }
}
