import Postgres
import Series
import Store

/// New observations of one series stored in one transaction: lock, limits, partitions, overlap
/// check, binary COPY, commit.
///
/// Limit: the server. The second opponent sends bytes that were made beforehand, so that nothing
/// but PostgreSQL's own COPY into the same table and index is left.
enum ObservationsCopy {
    static let rows = 200_000

    static let benchmark = Benchmark("observations.copy") { setting in
        let database = try await setting.databases.make()
        // A minute apart, within one year: one partition, as it is in daily life.
        let observations = (0..<rows).map { index in
            Observation(
                at: Timestamp(microseconds: 1_577_836_800_000_000 + Int64(index) * 60_000_000),
                value: Double(index % 1000) / 8)
        }
        let id = try await database.pool.transaction { db in
            try SeriesStore.ensure(key: "bench", in: db).id
        }
        let append = {
            try await database.pool.transaction { db in
                let counts = try SeriesStore.append(observations, to: id, in: db)
                guard counts.inserted == rows else {
                    throw BenchmarkError("observations.copy: \(counts.inserted) rows were stored")
                }
            }
        }
        try await append()
        let target = "systole.observation (series_id, at, value)"
        let files = ["csv", "binary"].map { "\(setting.folder.path)/observations.\($0)" }
        let source = "(select series_id, at, value from systole.observation order by at)"
        for (file, format) in zip(files, ["csv", "binary"]) {
            _ = try database.psql("\\copy \(source) to '\(file)' with (format \(format))")
        }
        try await database.pool.run(
            """
            CREATE TABLE public.plain_observation (series_id bigint NOT NULL,
                at timestamptz NOT NULL, value double precision NOT NULL,
                PRIMARY KEY (series_id, at))
            """)
        let empty = {
            _ = try await database.pool.run(
                "TRUNCATE systole.observation, public.plain_observation")
        }
        return Contest(
            what: "\(rows) new observations of one series, one transaction",
            work: Work(rows, "rows"),
            ours: Contestant("SeriesStore.append", before: empty, append),
            opponents: [
                database.loading(
                    "\\copy of the same rows as CSV", target: target, file: files[0],
                    format: "csv", before: empty),
                database.loading(
                    "\\copy of prepared binary rows, the plain limit", target: target,
                    file: files[1], format: "binary", before: empty),
                database.loading(
                    "\\copy of prepared binary rows into a plain table with the same key",
                    target: "public.plain_observation (series_id, at, value)",
                    file: files[1], format: "binary", before: empty),
            ],
            finish: { try await database.drop() })
    }
}
