@testable import Forecasting
import Foundation
import Series
import Testing

/// Golden values by statsmodels, see Fixtures/PROVENANCE.md.
private struct Golden: Decodable {
    struct Case: Decodable {
        let error: String
        let trend: String
        let season: String
        let logLikelihood: Double
        let forecast: [Double]
        let level: Double
    }
    struct Optimum: Decodable {
        let error: String
        let trend: String
        let logLikelihood: Double
        let aicc: Double
    }
    let season: Int
    let alpha, beta, gamma, phi, level, trend: Double
    let values: [Double]
    let plain: [Double]
    let cases: [Case]
    let optima: [Optimum]

    static func read() throws -> Golden {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        let data = try Data(contentsOf: folder.appending(path: "Fixtures/ets/golden.json"))
        return try JSONDecoder().decode(Golden.self, from: data)
    }

    static func form(_ error: String, _ trend: String, _ season: String) throws -> ETSForm {
        let trends: [String: ETSForm.Trend] = [
            "none": .none, "add": .additive, "damped": .damped,
        ]
        let seasons: [String: ETSForm.Season] = [
            "none": .none, "add": .additive, "mul": .multiplicative,
        ]
        return ETSForm(
            error: error == "add" ? .additive : .multiplicative,
            trend: try #require(trends[trend]), season: try #require(seasons[season]))
    }
}

@Suite struct ETSTests {
    @Test func `likelihoods, states and forecasts are those of statsmodels`() throws {
        let golden = try Golden.read()
        #expect(golden.cases.count == 11)
        for c in golden.cases {
            let form = try Golden.form(c.error, c.trend, c.season)
            var p = ETSParameters(level: golden.alpha)
            if form.trend != .none { p.trend = golden.beta }
            if form.trend == .damped { p.damping = golden.phi }
            if form.season != .none { p.season = golden.gamma }
            var state = ETSState(level: golden.level)
            if form.trend != .none { state.trend = golden.trend }
            if form.season == .additive { state.seasonal = [3.5, -2, -5, 3.5] }
            if form.season == .multiplicative { state.seasonal = [1.2, 0.9, 0.7, 1.2] }
            let fit = state.take(golden.values, form, p)
            #expect(abs(fit.logLikelihood - c.logLikelihood) < 1e-8, "\(form.name)")
            #expect(abs(state.level - c.level) < 1e-9, "\(form.name)")
            for (ours, theirs) in zip(state.forecast(steps: 9, form, p), c.forecast) {
                #expect(abs(ours - theirs) < 1e-9, "\(form.name)")
            }
        }
    }

    @Test func `the search reaches the likelihood that statsmodels reaches`() throws {
        let golden = try Golden.read()
        #expect(golden.optima.count == 3)
        for c in golden.optima {
            let form = try Golden.form(c.error, c.trend, "none")
            let fit = try #require(ETSFit.fit(golden.plain, form, season: 1))
            #expect(fit.logLikelihood > c.logLikelihood - 0.01, "\(form.name)")
            #expect(fit.aicc < c.aicc + 0.02, "\(form.name)")
        }
    }

    @Test func `a part in pieces is the part as a whole`() throws {
        let golden = try Golden.read()
        let form = ETSForm(error: .multiplicative, trend: .damped, season: .multiplicative)
        let p = ETSParameters(level: 0.3, trend: 0.1, season: 0.2, damping: 0.9)
        let start = ETSState(startOf: golden.values, form, season: 4)
        var (whole, parts) = (start, start)
        _ = whole.take(golden.values, form, p)
        for value in golden.values { _ = parts.take([value], form, p) }
        #expect(whole == parts)
    }

    @Test func `a scaled series has scaled additive forecasts`() throws {
        let values = MadeSeries.wave(120, season: 12).values
        let form = ETSForm(error: .additive, trend: .damped, season: .additive)
        let a = try #require(ETSFit.fit(values, form, season: 12))
        let b = try #require(ETSFit.fit(values.map { 8 * $0 }, form, season: 12))
        for (x, y) in zip(
            a.forecast(after: values, steps: 20),
            b.forecast(after: values.map { 8 * $0 }, steps: 20)
        ) { #expect(abs(8 * x - y) < 0.02) }
    }

    @Test func `the form that made a series is found`() throws {
        // A season whose size grows with the level, and a trend: multiplicative.
        func pure(_ row: Int) -> Double {
            let level = 50 + 2 * Double(row)
            return level * (1 + 0.3 * MadeSeries.sine(Double(row % 12) / 12))
        }
        let growing: [Double] = (0..<144).map { row in
            let noise: Double = 0.01 * sin(Double(row * row))
            return pure(row) * (1 + noise)
        }
        let best = try #require(ETSFit.best(growing, season: 12))
        #expect(best.form.season == .multiplicative && best.form.trend != .none)
        let truth = (144..<156).map { pure($0) }
        #expect(Accuracy.smape(best.forecast(after: growing, steps: 12), truth) < 2)
        // Noise about a level: neither trend nor season pays for itself.
        let noise = (0..<80).map { 5 + sin(Double($0 * $0)) }
        let level = try #require(ETSFit.best(noise, season: 4))
        #expect(level.form.trend == .none && level.form.season == .none)
    }

    @Test func `a weekly season of hours is fitted`() throws {
        let series = MadeSeries.wave(3_000, season: 168, noise: 0.2)
        let fit = try #require(ETSFit.best(series.values, season: 168))
        #expect(fit.form.season != .none)
        let error = Accuracy.mae(
            fit.forecast(after: series.values, steps: 168),
            (0..<168).map { 10 + 3 * MadeSeries.sine(Double((3_000 + $0) % 168) / 168) })
        #expect(error < 0.5)
    }

    static let oddSeries: [[Double]] = [
        [], [1, 2, 3], [Double](repeating: 4, count: 50), [0, 1, 0, 1, 0, 1, 0],
        [Double](repeating: 0, count: 25) + (25..<50).map { 1e12 * Double($0) },
    ]

    @Test(arguments: oddSeries)
    func `odd series give a finite forecast or none`(values: [Double]) {
        let fit = ETSFit.best(values, season: 4)
        #expect(fit == nil || fit?.forecast(after: values, steps: 8).allSatisfy(\.isFinite) == true)
    }

    @Test func `a season that the look-back does not hold twice is left out`() throws {
        let series = MadeSeries.wave(600)
        let long = try FittedPipelineTests.fit(.ets, series, lag: 72).report
        let short = try FittedPipelineTests.fit(.ets, series, lag: 36).report
        #expect(long.settings["season"] == "24")
        #expect(short.settings["season"] == nil)
        #expect(long.validationMSE < short.validationMSE)
    }
}
