internal import Learning
package import Models

/// Models of equal size, and what was chosen for each set.
extension SensorBacktest {
    /// The sizes of a method for sequences like this one; nil for what is no network.
    package func configuration(
        of method: Method, _ sequence: SensorSequence
    ) -> HiSSConfiguration? {
        switch method {
        case .mean, .ridge: return nil
        case .hiss: return sized(method, sequence, width: width)
        default:
            let wanted = HiSSNetwork(sized(.hiss, sequence, width: width)).layout.count
            let sizes = stride(from: 8, through: 512, by: 4).map {
                sized(method, sequence, width: $0)
            }
            let distances = sizes.map { abs(HiSSNetwork($0).layout.count - wanted) }
            let nearest = distances.indices.min { distances[$0] < distances[$1] } ?? 0
            return sizes[nearest]
        }
    }

    private func sized(
        _ method: Method, _ sequence: SensorSequence, width: Int
    ) -> HiSSConfiguration {
        let choice = choices[method, default: Choice()]
        let (ratio, layers) = (sequence.ratio, choice.layers)
        func level(_ kind: HiSSConfiguration.Kind, _ ratio: Int) -> HiSSConfiguration.Level {
            .init(
                kind, width: width, layers: layers, states: kind == .s4d ? 64 : 16, ratio: ratio,
                steps: choice.steps)
        }
        let piece = choice.piece > 0 ? choice.piece : ratio
        precondition(ratio % piece == 0, "SensorBacktest: \(ratio) samples in pieces of \(piece)")
        func low(_ kind: HiSSConfiguration.Kind) -> HiSSConfiguration.Level {
            .init(
                kind, width: width, layers: layers, states: 16, ratio: piece, steps: 0.02...0.5)
        }
        let levels: [HiSSConfiguration.Level] =
            switch method {
            case .hissS4D: [low(.s4d), level(.s4d, ratio / piece)]
            case .hissMamba: [low(.mamba), level(.mamba, ratio / piece)]
            case .flatS4D: [level(.s4d, ratio)]
            case .flatMamba: [level(.mamba, ratio)]
            case .flatLSTM: [level(.lstm, ratio)]
            default: [low(.s4d), level(.mamba, ratio / piece)]
            }
        return HiSSConfiguration(
            inputs: sequence.channels, outputs: sequence.outputs, levels: levels)
    }

    /// Budgets, and what served validation best with each method among the same number of settings (decision
    /// 0048).
    package init(for source: SensorSet.Source) {
        self.init()
        (options.epochsMaximum, options.patience) = (16, 16)
        let wide = 1e-2...1.0
        let high = 2e-2...1.0
        switch source {
        case .bidmc:
            (options.crop, options.runningSamples) = (40, 500)
            choices = [
                .hiss: Choice(rate: 3e-3), .hissS4D: Choice(rate: 3e-3, piece: 5, steps: high),
                .hissMamba: Choice(rate: 3e-3, piece: 5),
                .flatS4D: Choice(rate: 3e-3, layers: 4, steps: wide),
                .flatMamba: Choice(rate: 3e-3), .flatLSTM: Choice(rate: 3e-3, layers: 1),
            ]
        case .broad:
            choices = [
                .hiss: Choice(rate: 3e-3, piece: 5),
                .hissS4D: Choice(rate: 3e-3, piece: 5, steps: high),
                .hissMamba: Choice(rate: 3e-3),
                .flatS4D: Choice(rate: 3e-3, layers: 4, steps: wide),
                .flatMamba: Choice(rate: 3e-3), .flatLSTM: Choice(rate: 3e-3, layers: 1),
            ]
        case .airquality:
            (options.crop, options.epochsMaximum, options.patience) = (50, 10, 10)
            choices = [
                .hiss: Choice(rate: 3e-3, piece: 3),
                .hissS4D: Choice(rate: 3e-3, piece: 3, steps: high),
                .hissMamba: Choice(rate: 3e-3, piece: 3),
                .flatS4D: Choice(rate: 3e-3, layers: 4, steps: wide),
                .flatMamba: Choice(), .flatLSTM: Choice(rate: 3e-3),
            ]
        }
    }
}
