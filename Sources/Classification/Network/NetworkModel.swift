internal import Learning
internal import Models
internal import Series
internal import Tensors

/// Which network, and its sizes.
enum NetworkConfiguration: Hashable, Sendable, Codable {
    case mamba(ECGMambaConfiguration)
    case resnet(ECGResNetConfiguration)

    /// The network of these sizes, without numbers.
    var network: any RecordingNetwork {
        switch self {
        case .mamba(let sizes): ECGMamba(sizes)
        case .resnet(let sizes): ECGResNet(sizes)
        }
    }

    static func == (a: Self, b: Self) -> Bool {
        switch (a, b) {
        case (.mamba(let a), .mamba(let b)): a == b
        case (.resnet(let a), .resnet(let b)): a == b
        default: false
        }
    }

    func hash(into hasher: inout Hasher) { hasher.combine(network.layout.count) }

    /// The same network for another number of classes.
    func telling(_ classes: Int) -> NetworkConfiguration {
        switch self {
        case .mamba(var configuration):
            configuration.sizes.classes = classes
            return .mamba(configuration)
        case .resnet(var configuration):
            configuration.sizes.classes = classes
            return .resnet(configuration)
        }
    }

    /// What the network takes and gives.
    var sizes: RecordingSizes {
        switch self {
        case .mamba(let configuration): configuration.sizes
        case .resnet(let configuration): configuration.sizes
        }
    }
}

/// A trained network with the scale of its inputs.
struct NetworkModel: Sendable {
    let configuration: NetworkConfiguration
    /// In 1/mV, `[leads]`: the same for all recordings, so that voltages stay comparable.
    let scales: [Float]
    let parameters: Parameters<Float>
    let statistics: Parameters<Float>
    /// Recordings of one pass.
    private static let batch = 32
    /// The most windows that go one by one through a pass that is kept.
    private static let few = 4
    private let passes = PreparedPasses()

    init(
        configuration: NetworkConfiguration, scales: [Float], parameters: Parameters<Float>,
        statistics: Parameters<Float>
    ) {
        self.configuration = configuration
        self.scales = scales
        self.parameters = parameters
        self.statistics = statistics
    }

    /// The logits of recordings, each the mean over its windows.
    ///
    /// - Parameters:
    ///   - recordings: As the preparation makes them.
    ///   - threads: Threads that share a pass.
    /// - Returns: `[recordings][classes]`
    func logits(_ recordings: [PreparedECG], threads: Int) -> [[Double]] {
        let network = configuration.network
        let sizes = network.sizes
        let windows = recordings.indices.flatMap { index in
            recordings[index].windows.indices.map { (recording: index, window: $0) }
        }
        var sums = recordings.map { _ in [Double](repeating: 0, count: sizes.classes) }
        guard !windows.isEmpty else { return sums }
        func make(_ batch: Int) -> any RecordingPass<Float> {
            let pass: any RecordingPass<Float> = network.makePass(
                batch: batch, training: false, team: Team(threads: threads))
            pass.prepare(parameters, statistics: statistics)
            return pass
        }
        func run(_ pass: any RecordingPass<Float>) {
            let size = pass.batchMaximum
            var batch = RecordingBatch<Float>(sizes: sizes, count: size)
            for start in stride(from: 0, to: windows.count, by: size) {
                let chosen = windows[start..<min(start + size, windows.count)]
                for (place, item) in chosen.enumerated() {
                    let recording = recordings[item.recording]
                    batch.signals.replaceSubrange(
                        batch.signalRange(place),
                        with: scaled(recording.windows[item.window], recording.sampleCount))
                    batch.padding[place] = recording.padding
                }
                pass.load(batch, records: 0..<chosen.count)
                pass.forward()
                let found = pass.logits
                for (place, item) in chosen.enumerated() {
                    let share = 1 / Double(recordings[item.recording].windows.count)
                    for k in 0..<sizes.classes {
                        sums[item.recording][k] += share * Double(found[place, k])
                    }
                }
            }
        }
        if threads == 1 && windows.count <= Self.few {
            passes.borrow({ make(1) }, run)
        } else {
            run(make(min(Self.batch, windows.count)))
        }
        return sums
    }

    private func scaled(_ window: [Float], _ samples: Int) -> [Float] {
        var result = window
        for (lead, scale) in scales.enumerated() {
            for i in lead * samples..<(lead + 1) * samples { result[i] *= scale }
        }
        return result
    }
}

extension NetworkModel {
    /// Adds its tensors to a checkpoint.
    func write(to checkpoint: inout Checkpoint, _ prefix: String) {
        checkpoint.set(prefix + "scales", Tensor<Float>([scales.count], scales))
        checkpoint.set(
            prefix + "parameters", Tensor<Float>([parameters.values.count], parameters.values))
        checkpoint.set(
            prefix + "statistics", Tensor<Float>([statistics.values.count], statistics.values))
    }

    /// Reads what `write` wrote.
    init(
        _ configuration: NetworkConfiguration, classes: Int, preparation: ECGPreparation,
        _ checkpoint: Checkpoint, _ prefix: String
    ) throws(ClassifierDecodingError) {
        let sizes = configuration.sizes
        guard configuration.isSound, sizes.classes == classes, sizes.extra == 0,
            sizes.leads == preparation.leads.count, sizes.samples == preparation.sampleCount
        else { throw .description }
        let network = configuration.network
        scales = try checkpoint.finite(prefix + "scales", [sizes.leads], of: Float.self).values
        var (parameters, statistics) = (
            Parameters<Float>(zeros: network.layout),
            Parameters<Float>(zeros: network.statisticsLayout)
        )
        parameters.values = try checkpoint.finite(
            prefix + "parameters", [network.layout.count], of: Float.self
        ).values
        statistics.values = try checkpoint.finite(
            prefix + "statistics", [network.statisticsLayout.count], of: Float.self
        ).values
        self.configuration = configuration
        self.parameters = parameters
        self.statistics = statistics
    }
}

extension NetworkConfiguration {
    /// Whether sizes that were read from a file make a network, of bounded memory.
    var isSound: Bool {
        guard (1...64).contains(sizes.leads), (1...60_000).contains(sizes.samples),
            (1...1000).contains(sizes.classes), (0...1000).contains(sizes.extra)
        else { return false }
        switch self {
        case .mamba(let mamba):
            return !mamba.stem.isEmpty && mamba.stem.count <= 8
                && mamba.stem.allSatisfy { layer in
                    (1...1024).contains(layer.channels) && (1...255).contains(layer.taps)
                        && (1...64).contains(layer.stride) && (0...1024).contains(layer.padding)
                } && (1...64).contains(mamba.depth) && (1...64).contains(mamba.states)
                && (1...60_000).contains(mamba.tokens)
        case .resnet(let resnet):
            return (1...255).contains(resnet.stemTaps) && (1...255).contains(resnet.taps)
                && !resnet.taps.isMultiple(of: 2) && (1...32).contains(resnet.widths.count)
                && resnet.widths.allSatisfy { (1...1024).contains($0) }
        }
    }
}
