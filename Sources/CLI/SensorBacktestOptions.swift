import ArgumentParser
import Forecasting
import Foundation
import Signals

extension SensorSet.Source: ExpressibleByArgument {}
extension SensorBacktest.Method: ExpressibleByArgument {}

/// What `--protocol csp` is told besides data, seeds and threads.
struct SensorBacktestOptions: ParsableArguments {
    @Option(help: "csp: bidmc, broad or airquality; --data is the folder it is unpacked in.")
    var set: SensorSet.Source?
    @Option(
        name: .customLong("method"),
        help:
            "csp: hiss, hiss-s4d, hiss-mamba, flat-s4d, flat-mamba, flat-lstm, ridge or mean; all unless given. Repeatable."
    )
    var methods: [SensorBacktest.Method] = []
    @Option(help: "csp: epochs of fifty steps; what was chosen for the set unless given.")
    var epochs: Int?
    @Option(help: "csp: channels of both levels of hiss; the other models have its size.")
    var width = 32
    @Option(
        name: .customLong("seconds-per-training"),
        help: "csp: no further epoch begins after so many; no limit unless given.")
    var seconds: Double?

    /// Trains and judges, and prints a table, or JSON.
    func run(folder: String, seeds: [UInt64], threads: Int, json: Bool) throws {
        guard let set else { throw ValidationError("--protocol csp needs --set") }
        var backtest = SensorBacktest(for: set)
        let epochs = epochs ?? backtest.options.epochsMaximum
        guard epochs > 0, (1...512).contains(width) else {
            throw ValidationError("--epochs \(epochs) --width \(width): both are above 0")
        }
        backtest.seeds = seeds
        backtest.width = width
        if !methods.isEmpty { backtest.methods = methods }
        (backtest.options.epochsMaximum, backtest.options.patience) = (epochs, epochs)
        backtest.options.threads = threads
        backtest.options.secondsMaximum = seconds
        let line = ProgressLine()
        defer { line.end() }
        let read = try SensorSet.read(set, folder: folder)
        let results = try backtest.run(read) { line.show($0) }
        line.end()
        if json { return try Terminal.json(Report(read, results)) }
        Self.show(read, results)
    }

    private struct Report: Encodable {
        let set: String
        let outputs: [String]
        let sequences: [String: [String]]
        let results: [SensorBacktest.Result]

        init(_ set: SensorSet, _ results: [SensorBacktest.Result]) {
            self.set = set.name
            outputs = set.outputs
            sequences = [
                "train": set.train.map(\.name), "validation": set.validation.map(\.name),
                "test": set.test.map(\.name),
            ]
            self.results = results
        }
    }

    private static func show(_ set: SensorSet, _ results: [SensorBacktest.Result]) {
        print(
            "\(set.name): \(set.train.count) sequences train, \(set.validation.count) validation, "
                + "\(set.test.count) test; outputs \(set.outputs.joined(separator: "; "))")
        func text(_ value: Double) -> String {
            value.isFinite ? String(format: "%.4g", value) : "–"
        }
        Terminal.table(
            [
                "method", "seed", "parameters", "best", "epochs", "validation", "test scaled",
                "test mse", "euclid", "drift", "seconds",
            ],
            results.map { row in
                [
                    row.method, String(row.seed), String(row.parameters), String(row.bestEpoch),
                    String(row.epochs), text(row.validationMSE ?? .nan), text(row.test.scaledMSE),
                    text(row.test.mse), text(row.test.euclid), text(row.test.drift),
                    text(row.seconds),
                ]
            })
        print("\nMSE of test in units of the training deviations, by output")
        Terminal.table(
            ["method", "seed"] + set.outputs,
            results.map { row in
                [row.method, String(row.seed)] + row.test.scaledMSEByOutput.map(text)
            })
    }
}
