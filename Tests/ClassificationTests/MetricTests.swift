import Learning
import Tensors
import TestSupport
import Testing

@testable import Classification

@Suite struct MetricTests {
    static let cases = GoldenFile.cases("metrics")

    @Test func `there are golden files`() { #expect(Self.cases.count == 4) }

    @Test(arguments: cases)
    func `figures are those of the reference`(path: String) throws {
        let golden = try GoldenFile(path)
        let labels = try rows(golden, "in/labels").map { $0.map { $0 > 0.5 } }
        let decisions = try rows(golden, "in/outputs").map { $0.map { $0 > 0.5 } }
        let scores = try rows(golden, "in/scores")
        let classes = labels[0].indices
        let ranking = classes.map { k in
            RankingMetrics(scores: scores.map { $0[k] }, labels: labels.map { $0[k] })
        }
        let f = classes.map { k in
            DecisionMetrics.fMeasure(decisions.map { $0[k] }, labels.map { $0[k] })
        }
        let metric = ChallengeMetric(
            weights: try rows(golden, "in/weights"), sinus: golden.integer("sinus"))
        let figures = [
            "auroc": ranking.map(\.auroc), "auprc": ranking.map(\.auprc), "f": f,
            "macro_auroc": [ranking.map(\.auroc).meanOfDefined],
            "macro_auprc": [ranking.map(\.auprc).meanOfDefined], "macro_f": [f.meanOfDefined],
            "exact_match": [DecisionMetrics.exactMatch(decisions, labels)],
            "challenge": [metric.score(decisions, labels)],
            "challenge_of_truth": [metric.score(labels, labels)],
        ]
        for (name, found) in figures {
            let expected: Tensor<Double> = try golden.tensor("out/" + name)
            #expect(expected.count == found.count)
            for (a, b) in zip(found, expected.values) {
                #expect(a.isNaN == b.isNaN, "\(name): \(a) for \(b)")
                if !b.isNaN { #expect(abs(a - b) <= 1e-12, "\(name): \(a) for \(b)") }
            }
        }
    }

    private func rows(_ golden: GoldenFile, _ name: String) throws -> [[Double]] {
        let tensor: Tensor<Double> = try golden.tensor(name)
        let width = tensor.shape[1]
        return (0..<tensor.shape[0]).map { Array(tensor.values[$0 * width..<($0 + 1) * width]) }
    }

    @Test func `a rising map of the scores changes no ranking`() {
        var random = RandomStream(seed: 1)
        let scores = (0..<200).map { _ in random.normal() }
        let labels = scores.map { $0 + random.normal() > 0.5 }
        let plain = RankingMetrics(scores: scores, labels: labels)
        let mapped = RankingMetrics(scores: scores.map { $0 * $0 * $0 - 7 }, labels: labels)
        #expect(plain == mapped)
        #expect(plain.auroc > 0.7)
    }

    @Test func `the weights of the Challenge are one on the diagonal and symmetric`() {
        let classes = ChallengeWeights.codes.indices
        #expect(classes.count == 26)
        for j in classes {
            #expect(ChallengeWeights.weight(j, j) == 1)
            for k in classes where k != j {
                #expect(ChallengeWeights.weight(j, k) == ChallengeWeights.weight(k, j))
                #expect((0.15...0.5).contains(ChallengeWeights.weight(j, k)))
            }
        }
        #expect(
            ChallengeWeights.index(ofCode: "59118001")
                == ChallengeWeights.index(ofCode: "713427006"))
        #expect(ChallengeWeights.index(ofCode: "164873001") == nil)
        // Atrial fibrillation and bradycardia, as the header row and the second line have it.
        #expect(ChallengeWeights.weight(0, 3) == 0.3)
    }

    @Test func `calibration finds the map that made the labels`() {
        var random = RandomStream(seed: 2)
        let truth = ClassCalibration(slope: 2, offset: -1)
        let logits = (0..<20_000).map { _ in random.normal() }
        let labels = logits.map { random.uniform() < truth.probability($0) }
        let fitted = ClassCalibration(fitting: logits, labels)
        #expect(abs(fitted.slope - 2) < 0.1)
        #expect(abs(fitted.offset + 1) < 0.1)
        let reliability = Reliability(logits.map { fitted.probability($0) }, labels)
        #expect(reliability.calibrationError < 0.02)
        #expect(reliability.bins.reduce(0) { $0 + $1.count } == 20_000)
    }

    @Test func `a class that ranks worse than chance has its share everywhere`() {
        let logits = (0..<100).map { Double($0) }
        let fitted = ClassCalibration(fitting: logits, logits.map { $0 < 30 })
        #expect(fitted.slope == 0)
        #expect(abs(fitted.probability(7) - 0.3) < 0.02)
    }

    @Test func `no threshold of a grid has a larger F-measure`() {
        var random = RandomStream(seed: 3)
        let probabilities = (0..<300).map { _ in random.uniform() }
        let labels = probabilities.map { random.uniform() < $0 * $0 }
        let best = Thresholds.best(probabilities, labels)
        let reached = DecisionMetrics.fMeasure(probabilities.map { $0 >= best }, labels)
        for step in 0...100 {
            let threshold = Double(step) / 100
            let other = DecisionMetrics.fMeasure(probabilities.map { $0 >= threshold }, labels)
            #expect(other <= reached + 1e-12)
        }
    }

    @Test func `ascended thresholds score no lower`() throws {
        var random = RandomStream(seed: 4)
        let codes = ["426783006", "164889003", "426177001"]
        let metric = try #require(ChallengeWeights.metric(codes: codes))
        let probabilities = (0..<200).map { _ in codes.map { _ in random.uniform() } }
        let labels = probabilities.map { $0.map { random.uniform() < $0 } }
        func score(_ thresholds: [Double]) -> Double {
            metric.score(probabilities.map { zip($0, thresholds).map { $0 >= $1 } }, labels)
        }
        let start = [0.9, 0.9, 0.1]
        let ascended = Thresholds.ascended(from: start, probabilities, labels, metric)
        #expect(score(ascended) > score(start))
    }

    @Test func `an interval holds the value, narrows with data, and repeats by its seed`() {
        func interval(_ count: Int, seed: UInt64) -> Estimate {
            let values = (0..<count).map { Double($0 % 7) }
            let mean = values.reduce(0, +) / Double(count)
            return Bootstrap(groups: Array(0..<count), draws: 400, seed: seed).estimate(
                mean, threads: 2
            ) { counts in
                zip(counts, values).reduce(0) { $0 + Double($1.0) * $1.1 } / Double(count)
            }
        }
        let (few, many) = (interval(50, seed: 1), interval(800, seed: 1))
        #expect(few.low < few.value && few.value < few.high)
        #expect(many.high - many.low < (few.high - few.low) / 2)
        #expect(interval(50, seed: 1) == few)
        #expect(interval(50, seed: 2) != few)
    }

    @Test func `patients are drawn whole`() {
        let bootstrap = Bootstrap(groups: [0, 1, 0, 2, 1], draws: 50, seed: 5)
        for counts in bootstrap.counts {
            #expect(counts[0] == counts[2] && counts[1] == counts[4])
            #expect(counts[0] + counts[1] + counts[3] == 3)
        }
    }
}
