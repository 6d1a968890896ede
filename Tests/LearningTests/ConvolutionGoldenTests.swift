import Learning
import TestSupport
import Tensors
import Testing

/// Convolutions over time and the norm over a batch, recording by recording, against an independent
/// reference.
@Suite struct ConvolutionGoldenTests {
    @Test(arguments: GoldenFile.cases("depthwise_conv"))
    func `the causal convolution of each channel agrees`(path: String) throws {
        try checkDepthwise(path, Double.self)
        try checkDepthwise(path, Float.self)
    }

    private func checkDepthwise<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let (batch, time) = (golden.integer("batch"), golden.integer("time"))
        let (channels, taps) = (golden.integer("channels"), golden.integer("taps"))
        var plan = WorkspaceLayout()
        let (x, y) = (plan.reserve(time, channels), plan.reserve(time, channels))
        let (dx, dy) = (plan.reserve(time, channels), plan.reserve(time, channels))
        let (weight, weights) = (plan.reserve(channels, taps), plan.reserve(taps, channels))
        let (bias, dbias) = (plan.reserve(1, channels), plan.reserve(1, channels))
        let dweights = plan.reserve(taps, channels)
        let work = Workspace<S>(plan)
        work.load(weight, from: try golden.tensor("param/weight").values)
        work.load(bias, from: try golden.tensor("param/bias").values)
        work.transpose(weight, into: weights)
        let (inputs, slopes): (Tensor<S>, Tensor<S>) = (
            try golden.tensor("in/x"), try golden.tensor("up/y")
        )
        var (outputs, received): ([S], [S]) = ([], [])
        for record in 0..<batch {
            work.load(x, from: inputs.values, at: record * x.count)
            work.load(dy, from: slopes.values, at: record * x.count)
            work.depthwise(x, weights: weights, bias: bias, into: y)
            work.fill(dx)
            work.depthwiseBackward(
                x, weights: weights, dy: dy, into: dx, dweights: dweights, dbias: dbias)
            outputs += work.values(y)
            received += work.values(dx)
        }
        work.transpose(dweights, into: weight)
        #expect(try golden.excess(of: Tensor(inputs.shape, outputs), over: "out/y") <= 1)
        #expect(try golden.excess(of: Tensor(inputs.shape, received), over: "grad/in/x") <= 1)
        let dweight = Tensor([channels, taps], work.values(weight))
        #expect(try golden.excess(of: dweight, over: "grad/param/weight") <= 1)
        let bent = Tensor([channels], work.values(dbias))
        #expect(try golden.excess(of: bent, over: "grad/param/bias") <= 1)
    }

    @Test(arguments: GoldenFile.cases("strided_conv"))
    func `the convolution with steps agrees, longer padding than signal as well`(
        path: String
    ) throws {
        try checkStrided(path, Double.self)
        try checkStrided(path, Float.self)
    }

    private func checkStrided<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let time = golden.integer("time")
        var layout = ParameterLayout()
        let layer = StridedConvolution(
            &layout, inputs: golden.integer("inputs"), outputs: golden.integer("outputs"),
            taps: golden.integer("taps"), stride: golden.integer("stride"),
            padding: golden.integer("padding"), bias: golden.configuration["bias"] as? Bool ?? false
        )
        var plan = WorkspaceLayout()
        let rows = layer.paddedLength(of: time)
        let (x, dx) = (plan.reserve(rows, layer.inputs), plan.reserve(rows, layer.inputs))
        let y = plan.reserve(layer.length(of: time), layer.outputs)
        let (p, gradient) = (plan.reserve(1, layout.count), plan.reserve(1, layout.count))
        let weights = StridedConvolution.Weights(&plan, layer)
        let sums = StridedConvolution.Slopes(&plan, layer)
        let work = Workspace<S>(plan)
        work.load(p, from: try Parameters<S>(layout, from: golden.checkpoint).values)
        layer.prepare(weights, p, work)
        let (inputs, slopes): (Tensor<S>, Tensor<S>) = (
            try golden.tensor("in/x"), try golden.tensor("up/y")
        )
        var (outputs, received): ([S], [S]) = ([], [])
        for record in 0..<golden.integer("batch") {
            work.load(layer.inside(x), from: inputs.values, at: record * time * layer.inputs)
            layer.forward(x, into: y, weights, p, work)
            outputs += work.values(y)
            work.load(y, from: slopes.values, at: record * y.count)
            work.fill(dx)
            layer.backward(
                y, padded: x, into: dx, weights, slopes: sums, gradient: gradient, work)
            received += work.values(layer.inside(dx))
        }
        layer.finish(sums, gradient: gradient, work)
        #expect(try golden.excess(of: Tensor(slopes.shape, outputs), over: "out/y") <= 1)
        #expect(try golden.excess(of: Tensor(inputs.shape, received), over: "grad/in/x") <= 1)
        for slot in layout.slots {
            let found = Tensor(slot.shape, work.values(slot.panel(in: gradient)))
            #expect(try golden.excess(of: found, over: "grad/param/" + slot.name) <= 1)
        }
    }

    @Test(arguments: GoldenFile.cases("batch_norm"))
    func `the norm over a batch and its running statistics agree`(path: String) throws {
        try checkNorm(path, Double.self)
        try checkNorm(path, Float.self)
    }

    private func checkNorm<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let (batch, time) = (golden.integer("batch"), golden.integer("time"))
        let isTraining = golden.configuration["training"] as? Bool ?? false
        var (layout, places) = (ParameterLayout(), ParameterLayout())
        let norm = BatchNorm(&layout, statistics: &places, channels: golden.integer("channels"))
        var plan = WorkspaceLayout()
        let (x, dy) = (
            plan.reserve(batch * time, norm.channels), plan.reserve(batch * time, norm.channels)
        )
        let y = plan.reserve(batch * time, norm.channels)
        let (p, gradient) = (plan.reserve(1, layout.count), plan.reserve(1, layout.count))
        let memory = BatchNormMemory(&plan, norm, records: batch)
        let frozen = plan.reserve(1, places.count)
        let work = Workspace<S>(plan)
        var statistics = try Parameters<S>(places, from: golden.checkpoint, prefix: "buffer/")
        work.load(frozen, from: statistics.values)
        work.load(p, from: try Parameters<S>(layout, from: golden.checkpoint).values)
        work.load(x, from: try golden.tensor("in/x").values)
        work.load(dy, from: try golden.tensor("up/y").values)
        func record(_ panel: Panel, _ index: Int) -> Panel {
            panel.rows(index * time..<(index + 1) * time)
        }
        if isTraining {
            for index in 0..<batch { norm.measure(record(x, index), record: index, memory, work) }
            norm.join(
                records: batch, time: time, momentum: 0.1, statistics: &statistics, memory, p, work)
        } else {
            norm.freeze(frozen, memory, p, work)
        }
        norm.forward(x, rectified: false, into: y, memory, work)
        for index in 0..<batch {
            norm.measureSlopes(
                record(dy, index), x: record(x, index), record: index, memory, work)
        }
        norm.joinSlopes(
            records: batch, time: time, isFrozen: !isTraining, memory, gradient: gradient, work)
        let shape = [batch, time, norm.channels]
        #expect(try golden.excess(of: Tensor(shape, work.values(y)), over: "out/y") <= 1)
        norm.backward(dy, x: x, into: dy, memory, work)
        #expect(try golden.excess(of: Tensor(shape, work.values(dy)), over: "grad/in/x") <= 1)
        for slot in layout.slots {
            let found = Tensor(slot.shape, work.values(slot.panel(in: gradient)))
            #expect(try golden.excess(of: found, over: "grad/param/" + slot.name) <= 1)
        }
        for slot in places.slots where isTraining {
            let excess = try golden.excess(
                of: statistics[slot], over: "alt/buffer_after/" + slot.name)
            #expect(excess <= 1, "\(slot.name)")
        }
    }
}
