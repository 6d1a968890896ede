import Learning
import Tensors

/// A window's way back.
extension TSM2Stage {
    /// The slopes of a window's forecasts before scale and offset; keeps its loss.
    private func loss(_ window: Int, _ own: TSM2Thread) -> Panel {
        let errors = own.errors.rows(0..<count)
        work.copy(outputs(of: window), to: errors)
        var loss = 0.0
        for (place, variate) in windows.variates.enumerated() {
            let from = variate * windows.series.rows + windows.starts[window] + steps
            let (target, error) = (own.targets.row(place), errors.row(place))
            work.load(target, from: windows.series.values, at: from)
            work.add(target, to: error, times: -1)
            if let known = windows.series.known {
                let mask = own.targetsKnown.row(place)
                work.load(mask, from: known, at: from)
                work.multiplyElements(error, mask, into: error)
            }
            loss += work.dot(error, error)
            work.combine(S(2 / total) * work[own.scales, place, 1], error, 0, error)
        }
        work[memory.losses, 0, window] = S(loss)
        return errors
    }

    func backward(_ window: Int, _ own: TSM2Thread, _ slopes: TSM2Slopes) {
        readOutBackward(window, own, slopes)
        mixBackward(window, own, slopes)
        embedBackward(own, slopes)
    }

    private func readOutBackward(_ window: Int, _ own: TSM2Thread, _ slopes: TSM2Slopes) {
        let (p, gradient, places) = (memory.parameters, slopes.parameters, 0..<count)
        let (flat, dflat) = (own.normed.rows(places), own.dnormed.rows(places))
        let dy = loss(window, own)
        if let down = network.headDown, let sums = slopes.weights.headDown {
            let dranked = own.dranked.rows(places)
            network.head.backward(
                dy, x: own.ranked.rows(places), into: dranked, slopes: slopes.weights.head, p,
                gradient: gradient, work)
            down.backward(
                dranked, x: flat, into: dflat, slopes: sums, p, gradient: gradient, work)
        } else {
            network.head.backward(
                dy, x: flat, into: dflat, slopes: slopes.weights.head, p, gradient: gradient, work)
        }
        if let dropout = headDropout(window) { work.dropout(dflat, into: dflat, dropout) }
        for panel in own.slopes.all { work.fill(panel.rows(rows)) }
        network.norm.backward(
            dflat, x: read(own.features.variates[c.layers]),
            statistics: own.statistics.rows(places), into: read(own.slopes.variates[c.layers]),
            memory.weights.norm, slopes: slopes.weights.norm, work)
    }

    private func mixBackward(_ window: Int, _ own: TSM2Thread, _ slopes: TSM2Slopes) {
        let (p, gradient) = (memory.parameters, slopes.parameters)
        let (features, dfeatures) = (own.features, own.slopes)
        for layer in (0..<c.layers).reversed() {
            if c.mixesVariates {
                let dy = dfeatures.variates[layer + 1].rows(rows)
                network.variateMixers[layer].backward(
                    dy, x: own.variateInputs[layer].rows(rows), of: across,
                    mixerDropout(layer, isTime: false, window), own.variateSignals[layer],
                    own.scratch, memory.weights.variateMixers[layer],
                    slopes: slopes.weights.variateMixers[layer], p, gradient: gradient, work)
                if c.averages {
                    let averages = network.averages[layer]
                    averages.theta.backward(
                        dy, features.time, slopes: dfeatures.time, p, gradient: gradient, work)
                    averages.gamma.backward(
                        dy, features.variates, slopes: dfeatures.variates, p, gradient: gradient,
                        work)
                } else {
                    work.add(dy, to: dfeatures.time[layer + 1].rows(rows))
                }
            }
            let dy = dfeatures.time[layer + 1].rows(rows)
            network.timeMixers[layer].backward(
                dy, x: own.timeInputs[layer].rows(rows), of: along,
                mixerDropout(layer, isTime: true, window), own.timeSignals[layer], own.scratch,
                memory.weights.timeMixers[layer], slopes: slopes.weights.timeMixers[layer], p,
                gradient: gradient, work)
            if c.averages {
                let averages = network.averages[layer]
                averages.alpha.backward(
                    dy, features.time, slopes: dfeatures.time, p, gradient: gradient, work)
                averages.beta.backward(
                    dy, features.variates, slopes: dfeatures.variates, p, gradient: gradient, work)
            } else {
                work.add(dy, to: dfeatures.variates[layer].rows(rows))
            }
        }
    }

    private func embedBackward(_ own: TSM2Thread, _ slopes: TSM2Slopes) {
        let (p, gradient, leading) = (memory.parameters, slopes.parameters, c.leadingTokens)
        let futures = leading - c.futureTokens..<leading
        for place in 0..<count {
            let drows = own.slopes.time[0].rows(place * tokens..<(place + 1) * tokens)
            if let positions = network.positions {
                work.add(drows, to: positions.panel(in: gradient))
            }
            if let linear = network.staticEmbedding, let sums = slopes.weights.staticEmbedding {
                linear.backward(
                    drows.row(0), x: memory.statics.row(place), into: nil, slopes: sums, p,
                    gradient: gradient, work)
            }
            if place > 0, c.futureTokens > 0 {
                work.add(drows.rows(futures), to: own.slopes.time[0].rows(futures))
            }
            let dpatches = drows.rows(leading..<tokens)
            work.addProductWithPieces(
                dpatches, own.window.row(place).columns(0..<steps).reshaped(steps, 1),
                length: c.patch, every: c.stride, to: network.embedding.weight.panel(in: gradient))
            work.addColumnSums(dpatches, to: network.embedding.bias.panel(in: gradient))
        }
        guard let linear = network.futureEmbedding, let sums = slopes.weights.futureEmbedding
        else { return }
        linear.backward(
            own.slopes.time[0].rows(futures),
            x: own.futures.reshaped(c.futureTokens, c.futurePatch * c.futures), into: nil,
            slopes: sums, p, gradient: gradient, work)
    }
}
