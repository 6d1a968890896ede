/// One subject that is measured, beside whoever else does the same work.
struct Benchmark: Sendable {
    /// On how many threads a subject can work.
    enum Threads: Sendable {
        /// It has one thread of its own by design; so has the opponent then.
        case one
        /// It divides its work over as many as it is given.
        case many

        /// The thread counts to measure at: `requested`, or one and every core.
        func counts(requested: Int?, cores: Int) -> [Int] {
            switch self {
            case .one: [1]
            case .many: requested.map { [$0] } ?? (cores > 1 ? [1, cores] : [1])
            }
        }
    }

    /// What figures are filed under; it never changes its meaning.
    let name: String
    let threads: Threads
    /// Makes everything that is not measured: data, files, tables, the opponents.
    let prepare: @Sendable (Setting) async throws -> Contest

    init(
        _ name: String, threads: Threads = .one,
        prepare: @escaping @Sendable (Setting) async throws -> Contest
    ) {
        self.name = name
        self.threads = threads
        self.prepare = prepare
    }
}

/// What a benchmark may use while it prepares.
struct Setting: Sendable {
    let threads: Int
    /// The processes in which opponents live.
    let peers: Peers
    /// Where benchmarks that need PostgreSQL get a database.
    let databases: Databases
    /// Where generated files go; it is removed at the end.
    let folder: ScratchFolder
}

/// Ours and its opponents, ready to run.
struct Contest {
    /// One run in a sentence.
    let what: String
    /// How much one run gets through.
    let work: Work
    let ours: Contestant
    /// The first one that is present is the opponent of the report; the others are told beside
    /// it.
    let opponents: [Opponent]
    /// Parts of our own work, each alone: where the time goes.
    var stages: [Contestant] = []
    /// Further figures by name, with the unit in it, asked for after the last run.
    var figures: () async throws -> [String: Double] = { [:] }
    /// Puts away what was prepared.
    var finish: () async throws -> Void = {}
}

/// The work of one run, so that figures read as a rate that can be held against a known limit.
struct Work: Sendable {
    let amount: Double
    /// In the plural and without prefix: `FLOP`, `bytes`, `rows`.
    let unit: String

    init(_ amount: some BinaryInteger, _ unit: String) {
        self.amount = Double(amount)
        self.unit = unit
    }
}

/// Somebody who can do the work and say how long it took.
struct Contestant {
    let name: String
    /// Does the work so many times; returns the seconds that this took, without preparations.
    let measure: (_ repetitions: Int) async throws -> Double
    /// The most memory that its process has held, in bytes; nil for one in our own process.
    var peakMemory: () throws -> Int? = { nil }
    /// Whether one run is so long that none is made only to warm up.
    var isLong = false

    init(measuring name: String, _ measure: @escaping (Int) async throws -> Double) {
        self.name = name
        self.measure = measure
    }

    /// One whose every call is measured whole.
    init(_ name: String, _ work: @escaping () async throws -> Void) {
        self.init(measuring: name) { repetitions in
            let start = ContinuousClock.now
            for _ in 0..<repetitions { try await work() }
            return (ContinuousClock.now - start) / .seconds(1)
        }
    }

    /// One that needs `before` ahead of every run, outside the measurement.
    init(
        _ name: String, before: @escaping () async throws -> Void,
        _ work: @escaping () async throws -> Void
    ) {
        self.init(measuring: name) { repetitions in
            var total = Duration.zero
            for _ in 0..<repetitions {
                try await before()
                let start = ContinuousClock.now
                try await work()
                total += ContinuousClock.now - start
            }
            return total / .seconds(1)
        }
    }
}

/// Whom ours is compared with, or why with nobody.
enum Opponent {
    case present(Contestant)
    case absent(name: String, reason: String)

    /// Present with the value, absent where the peer cannot do it.
    static func orAbsent(
        _ name: String, _ contestant: () throws(PeerError) -> Contestant
    ) -> Opponent {
        do throws(PeerError) {
            return .present(try contestant())
        } catch {
            return .absent(name: name, reason: error.description)
        }
    }
}

/// Takes a result, so that the compiler cannot leave out the work behind it.
@inline(never) @_optimize(none)
func keep<T>(_ value: T) {}

/// A benchmark whose own preparations went wrong.
struct BenchmarkError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
