/// What a hit is worth and what mistakes cost, in the Numenta Anomaly Benchmark.
///
/// - Source: Lavin, Ahmad 2015, "Evaluating Real-time Anomaly Detection Algorithms – the Numenta
///   Anomaly Benchmark", section II.
package struct NABProfile: Hashable, Sendable {
    /// As the benchmark spells it.
    package let name: String
    package let truePositive: Double
    package let falsePositive: Double
    package let falseNegative: Double

    package static let standard = NABProfile(
        name: "standard", truePositive: 1, falsePositive: 0.11, falseNegative: 1)
    package static let rewardLowFP = NABProfile(
        name: "reward_low_FP_rate", truePositive: 1, falsePositive: 0.22, falseNegative: 1)
    package static let rewardLowFN = NABProfile(
        name: "reward_low_FN_rate", truePositive: 1, falsePositive: 0.11, falseNegative: 2)
    package static let all = [standard, rewardLowFP, rewardLowFN]
}
