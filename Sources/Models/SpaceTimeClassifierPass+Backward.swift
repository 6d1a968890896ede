package import Learning
package import Tensors

extension SpaceTimeClassifierPass {
    /// Takes ∂L/∂logits of the last pass back to all parameters and to the samples.
    ///
    /// - Parameters:
    ///   - slopes: `[batch, classes]`, as a `Loss` gives it.
    ///   - gradient: Overwritten; of the network's layout.
    package func backward(_ slopes: Tensor<S>, gradient: inout Parameters<S>) {
        precondition(memory.gradient.rows == 1, "SpaceTimeClassifierPass: made without training")
        precondition(gradient.layout == network.layout, "SpaceTimeClassifierPass: other weights")
        work.fill(memory.gradient)
        work.fill(memory.shareGradients)
        runHeadBackward(slopes)
        for index in network.blocks.indices.reversed() {
            runMLPBackward(index)
            normalise(index)
            switch form {
            case .filters: runFiltersBackward(index)
            case .kernels: runKernelsBackward(index)
            }
            runNormBackward(index)
        }
        runEmbeddingBackward()
        for share in 0..<SpaceTimeClassifierMemory.sharesMaximum {
            work.add(memory.shareGradients.row(share), to: memory.gradient)
        }
        work.store(memory.gradient, into: &gradient.values)
    }

    /// ∂L/∂samples of the last `backward`, `[batch, length, channels]`.
    package var inputGradient: Tensor<S> {
        let (channels, positions) = (network.configuration.channels, lengths.count * length)
        let rows = work.values(memory.dinputs.columns(0..<positions))
        return Tensor([channels, positions], rows).transposed()
            .reshaped([lengths.count, length, channels])
    }

    /// Fills `output` with the gradient of the last block's output.
    private func runHeadBackward(_ slopes: Tensor<S>) {
        let (batch, classes) = (lengths.count, network.configuration.classes)
        slopes.expect([batch, classes])
        let columns = slopes.transposed().values
        for label in 0..<classes {
            work.load(
                memory.logits.row(label).columns(0..<batch), from: columns, at: label * batch)
        }
        network.head.backward(
            memory.logits.columns(0..<batch), x: memory.pooled.columns(0..<batch),
            into: memory.dpooled.columns(0..<batch), memory.parameters, gradient: memory.gradient,
            work)
        work.fill(memory.output)
        for (sample, steps) in lengths.enumerated() {
            for channel in 0..<network.configuration.width {
                work.fill(
                    memory.output.row(channel).columns(sample * length..<sample * length + steps),
                    with: work[memory.dpooled, channel, sample] / S(steps))
            }
        }
    }

    /// The gradient of what the state space gave takes that one's place.
    private func runMLPBackward(_ index: Int) {
        let (network, memory, work, length) = (network, memory, work, length)
        let (batch, dropout) = (lengths.count, dropouts[index])
        team.run(SpaceTimeClassifierMemory.sharesMaximum) { share, member in
            let scratch = memory.members[member]
            for sample in SpaceTimeMemory.share(share, of: batch) {
                let scanned = memory.sample(sample, of: memory.blocks[index].scanned, length)
                network.blocks[index].mlp.backward(
                    memory.sample(sample, of: memory.output, length), s: scanned,
                    activated: scratch.activated, into: scratch.slopes,
                    dropout.from(sample * network.configuration.width * length),
                    memory.parameters, gradient: memory.shareGradients.row(share), work)
                work.copy(scratch.slopes, to: scanned)
            }
        }
    }

    private func runFiltersBackward(_ index: Int) {
        let (network, memory, work, length) = (network, memory, work, length)
        let batch = lengths.count
        let block = memory.blocks[index]
        let ssm = network.blocks[index].ssm
        let filter = ssm.filter
        team.run(filter.blocks) { group, member in
            let (scratch, filters) = (memory.members[member], block.filters[group])
            scratch.gradient.clear(work)
            for item in 0..<SpaceTimeMemory.items(batch) {
                let samples = SpaceTimeMemory.item(item, of: batch)
                let rows = 0..<samples.count * length
                let (w, dy) = (scratch.z.rows(rows), scratch.y.rows(rows))
                memory.take(memory.normed, filter, group, samples, length, into: w, work)
                filter.filter(w, into: w, length: length, filters, work)
                memory.take(block.scanned, filter, group, samples, length, into: dy, work)
                let dz = scratch.dz.rows(rows)
                filter.backward(
                    w: w, first: dy, into: dz, length: length, filters, scratch.gradient, work)
                memory.put(dz, filter, group, samples, length, into: memory.dnormed, work)
            }
            filter.finish(
                group, filters, scratch.gradient, memory.parameters, into: memory.gradient, work)
        }
        let (skip, dskip) = (
            ssm.skip.panel(in: memory.parameters), ssm.skip.panel(in: memory.gradient)
        )
        team.run(network.configuration.width) { channel, _ in
            let u = memory.channel(channel, of: memory.normed, batch, length)
            let dy = memory.channel(channel, of: block.scanned, batch, length)
            work.add(
                dy, to: memory.channel(channel, of: memory.dnormed, batch, length),
                times: work[skip, 0, channel])
            work[dskip, 0, channel] = S(work.dot(dy, u))
        }
    }

    private func runKernelsBackward(_ index: Int) {
        let (network, memory, work, length) = (network, memory, work, length)
        let (batch, convolution) = (lengths.count, convolution)
        let block = memory.blocks[index]
        let ssm = network.blocks[index].ssm
        guard let kernels = block.kernels else { return }
        work.fill(memory.dnormed)
        work.fill(kernels.gradient)
        let (skip, dskip) = (
            ssm.skip.panel(in: memory.parameters), ssm.skip.panel(in: memory.gradient)
        )
        team.run(network.configuration.width) { channel, member in
            let scratch = memory.members[member]
            let u = memory.channel(channel, of: memory.normed, batch, length)
            let dy = memory.channel(channel, of: block.scanned, batch, length)
            let du = memory.channel(channel, of: memory.dnormed, batch, length)
            convolution.backward(
                u, kernel: kernels.kernel.row(channel), dy: dy, into: du,
                dkernel: kernels.gradient.row(channel), scratch: scratch.convolution, work)
            work.add(dy, to: du, times: work[skip, 0, channel])
            work[dskip, 0, channel] = S(work.dot(dy, u))
            guard let states = scratch.states else { return }
            ssm.kernelBackward(
                channel, kernels, states, memory.parameters, gradient: memory.gradient, work)
        }
    }

    /// Adds what the norm receives to the residual's gradient.
    private func runNormBackward(_ index: Int) {
        let (network, memory, work, length) = (network, memory, work, length)
        let batch = lengths.count
        let block = memory.blocks[index]
        team.run(SpaceTimeClassifierMemory.sharesMaximum) { share, _ in
            for sample in SpaceTimeMemory.share(share, of: batch) {
                let d = memory.sample(sample, of: memory.dnormed, length)
                network.blocks[index].norm.backward(
                    d, x: memory.sample(sample, of: block.input, length),
                    statistics: memory.sample(sample, of: block.statistics, length), into: d,
                    memory.parameters, gradient: memory.shareGradients.row(share), work)
                work.add(d, to: memory.sample(sample, of: memory.output, length))
            }
        }
    }

    private func runEmbeddingBackward() {
        let (network, memory, work, length) = (network, memory, work, length)
        let batch = lengths.count
        team.run(SpaceTimeClassifierMemory.sharesMaximum) { share, _ in
            for sample in SpaceTimeMemory.share(share, of: batch) {
                network.embedding.backward(
                    memory.sample(sample, of: memory.output, length),
                    x: memory.sample(sample, of: memory.inputs, length),
                    into: memory.sample(sample, of: memory.dinputs, length), memory.parameters,
                    gradient: memory.shareGradients.row(share), work)
            }
        }
    }
}
