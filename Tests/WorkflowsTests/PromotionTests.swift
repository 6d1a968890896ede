@testable import Forecasting
import Series
import Store
import Testing

@testable import Workflows

@Suite struct PromotionTests {
    /// A report with these errors.
    private static func report(
        _ family: Family, mse: Double, naive: Double = 0.5
    ) throws -> FitReport {
        FitReport(
            family: family, task: try ForecastTask(lag: 48, horizon: 24, season: 24),
            split: Split.ratio(rows: 1_000), stepSeconds: 3_600,
            standardiser: Standardiser(mean: 0, deviation: 1), trainWindows: 500,
            validationWindows: 100, excludedWindows: 0, filledRows: 0, validationMSE: mse,
            validationMAE: mse, seasonalNaiveMSE: naive, repeatLastMSE: 1, calibration: .absolute,
            calibrationWindows: 100, coverage: [], parameterCount: 1, trainSeconds: 1, seed: 0,
            threads: 1, settings: [:], codeVersion: "", dataDigest: "", notes: [])
    }

    private static func promotion(
        _ reports: [FitReport], against live: LiveModel? = nil,
        refused: [(family: Family, reason: String)] = []
    ) -> Promotion {
        Promotion(ModelSelection(reports), reports, refused: refused, against: live)
    }

    private static func live(_ error: Double?) -> LiveModel {
        LiveModel(id: ModelID(7), family: "ridge", validationMSE: error)
    }

    @Test func `the best goes live where nothing is`() throws {
        let reports = [
            try Self.report(.seasonalNaive, mse: 0.5), try Self.report(.ridge, mse: 0.3),
            try Self.report(.spacetime, mse: 0.2),
        ]
        let promotion = Self.promotion(reports)
        #expect(promotion.promoted == .spacetime)
        #expect(promotion.reasons[.spacetime]?.contains("least validation error") == true)
        #expect(promotion.reasons[.ridge]?.contains("spacetime goes before it: 0.2") == true)
    }

    @Test func `the live model stays unless it is beaten on the same windows`() throws {
        let reports = [
            try Self.report(.seasonalNaive, mse: 0.5), try Self.report(.spacetime, mse: 0.2),
        ]
        let beaten = Self.promotion(reports, against: Self.live(0.25))
        #expect(beaten.promoted == .spacetime)
        #expect(
            beaten.reasons[.spacetime]?.hasSuffix(
                "It beats the live model 7 (ridge) on the same windows: MSE 0.2 against 0.25.")
                == true)
        for error in [0.15, 0.2, 0.200001] {
            let kept = Self.promotion(reports, against: Self.live(error))
            #expect(kept.promoted == nil)
            #expect(kept.reasons[.spacetime]?.contains("does not beat the live model 7") == true)
        }
    }

    @Test func `a live model that cannot be measured is replaced, and the reason says so`() throws {
        let reports = [try Self.report(.seasonalNaive, mse: 0.5)]
        let promotion = Self.promotion(reports, against: Self.live(nil))
        #expect(promotion.promoted == .seasonalNaive)
        #expect(
            promotion.reasons[.seasonalNaive]?.contains(
                "which cannot forecast the validation windows") == true)
    }

    @Test func `what loses to the baseline stays a candidate with the reason`() throws {
        let reports = [
            try Self.report(.seasonalNaive, mse: 0.5), try Self.report(.spacetime, mse: 0.6),
        ]
        let promotion = Self.promotion(reports)
        #expect(promotion.promoted == .seasonalNaive)
        #expect(
            promotion.reasons[.spacetime]
                == "It does not beat the baseline on validation: MSE 0.6 against 0.5 of "
                + "seasonal-naive.")
    }

    @Test func `what could not be fitted is told with the best`() throws {
        let reports = [try Self.report(.seasonalNaive, mse: 0.5)]
        let promotion = Self.promotion(
            reports, refused: [(.spacetime, "the training diverged")])
        #expect(
            promotion.reasons[.seasonalNaive]?.hasSuffix(
                "spacetime could not be fitted: the training diverged.") == true)
    }
}
