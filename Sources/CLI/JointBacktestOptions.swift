import ArgumentParser
import Forecasting
import Foundation
import Series
import Signals

/// What `--protocol multivariate` does with the options of a backtest.
struct JointBacktestRun {
    let horizons: [Int]
    let lag: Int
    let families: [JointFamily]
    let seeds: [UInt64]
    let threads: Int

    /// Families by their names. A combination that considers ridge considers the mean of two look-backs
    /// too, as a live model does.
    static func families(_ names: [String]) throws -> [JointFamily] {
        let asked = try names.map { name in
            guard let family = JointFamily(rawValue: name) else {
                let known = JointFamily.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--families \(name): of multivariate are accepted \(known)")
            }
            return family
        }
        guard asked.contains(.ensemble), !asked.contains(.ridgeMean) else { return asked }
        return asked.flatMap { $0 == .ridge ? [.ridge, .ridgeMean] : [$0] }
    }

    /// Fits, judges, and prints tables, or JSON.
    func run(file: String, options: TableOptions, json: Bool) throws {
        let table = try CSVReader(options: try options.options()).read(file: file)
        let columns = try table.columns.map { try table.series(named: $0.channel.name) }
        guard columns.count > 1 else {
            throw ValidationError("\(file) has one column; --protocol multivariate needs several")
        }
        let split = Split.informer(rows: columns[0].values.count)
        var series = try JointSeries(
            names: columns.map(\.channel.name), values: columns.map(\.values),
            train: split.targets(of: .train))
        if let calendar = GroupCalendar(
            stepMicroseconds: Int64((columns[0].grid.rate.stepSeconds * 1e6).rounded()))
        {
            series.know(calendar, from: columns[0].grid.start)
        }
        var backtest = JointBacktest(horizons: horizons, split: split)
        backtest.lag = lag
        (backtest.families, backtest.seeds, backtest.threads) = (families, seeds, threads)
        let line = ProgressLine()
        defer { line.end() }
        let report = try backtest.run(series) { line.show($0) }
        line.end()
        if json { return try Terminal.json(report) }
        Self.show(report)
    }

    private static func show(_ report: JointBacktestReport) {
        let split = report.split
        print(
            "rows: \(split.train) train, \(split.validation) validation, \(split.test) test, "
                + "\(split.unused) unused; look-back \(report.lag); \(report.members.count) "
                + "members; errors in scaled units, means over the seeds")
        func text(_ value: Double?) -> String {
            guard let value, value.isFinite else { return "–" }
            return String(format: "%.4f", value)
        }
        Terminal.table(
            [
                "family", "horizon", "seeds", "mse", "least", "greatest", "mae", "windows",
                "train_seconds",
            ],
            report.summary.map { row in
                [
                    row.family, String(row.horizon), String(row.seeds), text(row.mse),
                    text(row.mseRange.lowerBound), text(row.mseRange.upperBound), text(row.mae),
                    String(row.windows), Terminal.number(row.trainSeconds, digits: 3),
                ]
            })
        print("mse of every member:")
        Terminal.table(
            ["family", "horizon"] + report.members,
            report.summary.map { row in
                [row.family, String(row.horizon)] + row.memberMSE.map { text($0) }
            })
        for choice in report.choices {
            print(
                "\(choice.family), horizon \(choice.horizon), seed \(choice.seed): \(choice.reason)"
            )
        }
    }
}
