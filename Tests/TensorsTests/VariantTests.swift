import Tensors
import Testing

/// Every variant of the kernels that this processor has against the plain loops. In processes of their
/// own, since a variant is chosen for a whole process.
@Suite struct VariantTests {
    @Test func `the generic variant agrees with the plain loops`() async {
        await #expect(processExitsWith: .success) { compareWithPlain("generic") }
    }

    @Test func `the variant for AVX2 agrees with the plain loops`() async {
        await #expect(processExitsWith: .success) { compareWithPlain("avx2") }
    }

    @Test func `the variant for AVX-512 agrees with the plain loops`() async {
        await #expect(processExitsWith: .success) { compareWithPlain("avx512") }
    }

    @Test func `a variant that does not exist is not chosen`() async {
        await #expect(processExitsWith: .success) {
            let before = ProcessorSetup.kernelVariant
            precondition(!ProcessorSetup.chooseKernels("avx1024"))
            precondition(ProcessorSetup.kernelVariant == before)
        }
    }
}

/// Traps where a kernel's results differ from the plain loop's by more than rounding explains. Where
/// the processor lacks the variant, choosing it has to be refused.
private func compareWithPlain(_ variant: String) {
    guard ProcessorSetup.chooseKernels(variant) else {
        precondition(variant != "generic", "the generic variant runs everywhere")
        precondition(ProcessorSetup.kernelVariant != variant)
        return
    }
    // Sizes with whole tiles, with remainders and with nothing but remainders.
    for (d, length, windows) in [(16, 48, 10), (7, 29, 4), (2, 5, 1), (33, 20, 7)] {
        compare(Float.self, variant, d, length, windows, within: 2e-4)
        compare(Double.self, variant, d, length, windows, within: 1e-12)
    }
}

private func compare<S: Scalar>(
    _: S.Type, _ variant: String, _ d: Int, _ length: Int, _ windows: Int, within tolerance: Double
) {
    let run = VariantRun<S>(d: d, length: length, windows: windows)
    precondition(ProcessorSetup.chooseKernels("plain"))
    let expected = run.results()
    precondition(ProcessorSetup.chooseKernels(variant) && ProcessorSetup.kernelVariant == variant)
    let found = run.results()
    for (name, values) in expected {
        let scale = values.map { abs(Double($0)) }.max() ?? 0
        for (a, b) in zip(values, found[name] ?? []) {
            precondition(
                abs(Double(a) - Double(b)) <= tolerance * max(1, scale),
                "\(name) by \(variant), d \(d), length \(length), windows \(windows): \(b), not \(a)"
            )
        }
        precondition(found[name]?.count == values.count)
    }
}

/// All kernels over blocks, and the convolutions, on random numbers.
private struct VariantRun<S: Scalar> {
    let d: Int
    let length: Int
    let windows: Int

    /// The results of every kernel, by name.
    func results() -> [String: [S]] {
        var results: [String: [S]] = [:]
        addFilters(&results)
        addLanes(&results)
        addStates(&results)
        addLayers(&results)
        addConvolutions(&results)
        addScan(&results)
        for channels in [windows * 5 + 1, 48] { addDirection(channels, &results) }
        addRows(&results)
        return results
    }

    private func addFilters(_ results: inout [String: [S]]) {
        var memory = VariantMemory<S>()
        let points = windows * length
        let (u, w, y, z) = (
            memory.random(points), memory.random(points), memory.random(points),
            memory.random(points)
        )
        let taps = (0..<3).map { _ in BlockTaps(&memory.plan, count: d) }
        let sums = (0..<3).map { _ in memory.random(d) }
        let work = memory.work()
        for tap in taps { memory.draw(tap.values, work, scale: 1 / Double(d)) }
        work.autoregress(taps[0], u, into: w, length: length)
        results["autoregress"] = work.values(w)
        work.filter(taps[1], taps[2], w, into: y, z, length: length)
        results["filter pair"] = work.values(y) + work.values(z)
        work.lagProducts(
            w, (u, sums[0]), (y, sums[1]), (z, sums[2]), length: length)
        results["lag products"] = sums.flatMap { work.values($0) }
        work.filterBackward(taps[1], y, taps[2], z, into: u, length: length)
        results["filter pair, adjoint"] = work.values(u)
        work.filterBackward(taps[1], y, nil, nil, into: u, length: length)
        results["filter, adjoint"] = work.values(u)
        work.autoregress(taps[0], u, into: u, length: length, reversed: true)
        results["autoregress, reversed"] = work.values(u)
        work.lagProducts(w, (u, sums[0]), (y, sums[1]), length: length)
        results["lag products of two"] = work.values(sums[0]) + work.values(sums[1])
        work.continue(w, taps[0], from: min(length, 3), length: length)
        results["continue"] = work.values(w)
        let late = y.rows(0..<windows * (length - 2))
        work.filter(taps[1], nil, w, into: late, length: length, from: 2)
        results["filter, late"] = work.values(late)
    }

    private func addLanes(_ results: inout [String: [S]]) {
        var memory = VariantMemory<S>()
        let rows = memory.plan.reserve(windows, length)
        let fine = Lanes(&memory.plan, windows: windows, length: length)
        let coarse = Lanes(&memory.plan, windows: windows, length: (2 * length + 2) / 3)
        let few = memory.plan.reserve(windows, coarse.length)
        let work = memory.work()
        memory.draw(rows, work)
        work.toLanes(rows, into: fine)
        // One section more than are run at once, their poles well within the unit circle.
        let sections = (0..<4).flatMap { [0.3, 0.1, -0.2, 0.1 * Double($0) - 0.5, 0.2] }
        for direction in [Direction.forward, .backward] {
            work.filter(fine, sections: sections.map { S($0) }, direction)
        }
        results["sections"] = work.values(fine.values)
        let taps = (0..<13).map { S(1 / Double(2 + abs($0 - 6))) }
        work.resample(fine, into: coarse, taps: taps, up: 2, down: 3)
        work.fromLanes(coarse, into: few)
        results["polyphase"] = work.values(few)
    }

    private func addStates(_ results: inout [String: [S]]) {
        var memory = VariantMemory<S>()
        let (step, count) = (d | 1, 11)
        let columns = (0..<3).map { _ in memory.random(d) }
        let gradients = (0..<3).map { _ in memory.random(d) }
        let (rows, drows) = (memory.random(count * step), memory.random(count * step))
        let (p, dp) = (memory.random(d * step), memory.random(d * step))
        let (mu, states) = (memory.random(d), memory.random(windows * step))
        let forecasts = memory.random(windows * count)
        let work = memory.work()
        for column in columns { memory.draw(column, work, scale: 1 / Double(d)) }
        work.forecastRows(
            a: columns[0], b: columns[1], k: columns[2], from: rows, count: count, step: step)
        results["rows"] = work.values(rows)
        let x = GroupMatrix(states, rows: windows, columns: d, steps: (step, 1))
        let r = GroupMatrix(rows, rows: count, columns: d, steps: (step, 1))
        let y = GroupMatrix(forecasts, rows: windows, columns: count, steps: (count, 1))
        work.multiply(x, r.transposed, into: y)
        results["multiply"] = work.values(forecasts)
        work.multiply(y, r, into: x, adding: true)
        results["multiply, adding"] = work.values(states)
        work.forecastRowsBackward(
            a: columns[0], b: columns[1], k: columns[2], rows: rows, drows: drows, count: count,
            step: step, mu: mu, into: (gradients[0], gradients[1], gradients[2]))
        results["rows, adjoint"] = (gradients + [mu]).flatMap { work.values($0) }
        work.numerators(a: columns[0], b: columns[1], into: p, step: step)
        results["numerators"] = work.values(p)
        work.numeratorsBackward(
            a: columns[0], b: columns[1], p: p, dp: dp, step: step, da: gradients[0],
            db: gradients[1])
        results["numerators, adjoint"] = work.values(gradients[0]) + work.values(gradients[1])
        work.normaliseBlock(columns[0], into: mu)
        results["normalise"] = work.values(mu)
        work.normaliseBlockBackward(columns[0], mu, columns[1], into: gradients[2])
        results["normalise, adjoint"] = work.values(gradients[2])
    }

    private func addLayers(_ results: inout [String: [S]]) {
        var memory = VariantMemory<S>()
        let (x, y) = (
            BlockColumn(&memory.plan, channels: 48, length: length),
            BlockColumn(&memory.plan, channels: 48, length: length)
        )
        let weights = memory.plan.reserve(48, 48)
        let (gain, weight) = (memory.random(1), memory.random(1))
        let (dgain, dweight) = (memory.random(1), memory.random(1))
        let sums = memory.plan.reserve(1, length)
        let rows = memory.plan.reserve(16, length)
        let work = memory.work()
        for block in 0..<3 {
            memory.draw(x.block(block), work)
            memory.draw(y.block(block), work)
        }
        for panel in [weights, sums, rows] { memory.draw(panel, work) }
        work.mix(weights, x, to: y)
        results["mix"] = (0..<3).flatMap { work.values(y.block($0)) }
        work.addOuterProducts(x, y, to: weights)
        results["outer products"] = work.values(weights)
        let dropout = Dropout(key: 5, probability: 0.3).from(48)
        work.head(x.block(0), gain: gain, weight: weight, sums: sums, dropout)
        results["head"] = work.values(sums)
        work.headBackward(
            x.block(0), gain: gain, weight: weight, dsums: sums, into: x.block(1),
            (dweight, dgain), dropout)
        results["head, adjoint"] = [x.block(1), dweight, dgain].flatMap { work.values($0) }
        for (index, dropout) in [dropout, dropout.from(5), .none].enumerated() {
            work.gelu(x.block(0), into: x.block(1), dropout)
            results["GELU \(index)"] = work.values(x.block(1))
            work.geluBackward(
                x.block(0), x.block(2), value: x.block(1), into: y.block(0), dropout)
            results["GELU, adjoint \(index)"] =
                work.values(x.block(1)) + work.values(y.block(0))
        }
        work.sum(x.block(0), y.block(1), plus: gain, intoBlock: x.block(2))
        work.add(x.block(0), toBlock: x.block(2), times: weight)
        work.addSums(x.block(2), to: dgain)
        work.addSums(x.block(2), times: x.block(0), to: dweight)
        results["sums"] = [x.block(2), dgain, dweight].flatMap { work.values($0) }
        work.toBlock(rows, into: y.block(2))
        work.fromBlock(x.block(2), into: rows)
        results["rows and blocks"] = work.values(y.block(2)) + work.values(rows)
    }

    private func addScan(_ results: inout [String: [S]]) {
        var memory = VariantMemory<S>()
        let (channels, states) = (windows * 5 + 1, d)
        let width = ScanExtent.width(channels: channels)
        func signals() -> ScanSignals {
            ScanSignals(
                x: memory.plan.reserve(length, channels),
                delta: memory.plan.reserve(length, channels),
                b: memory.plan.reserve(length, states), c: memory.plan.reserve(length, states))
        }
        let (own, slopes) = (signals(), signals())
        let (y, dy) = (memory.plan.reserve(length, channels), memory.plan.reserve(length, channels))
        let (a, da) = (memory.plan.reserve(channels, states), memory.plan.reserve(channels, states))
        let (skip, dskip) = (memory.plan.reserve(1, channels), memory.plan.reserve(1, channels))
        let state = memory.plan.reserve(states, width)
        let kept = memory.plan.reserve(ScanExtent.keptCount(length: length), states * width)
        let scratch = memory.plan.reserve(
            1, ScanExtent.scratch(channels: channels, states: states))
        let work = memory.work()
        for panel in [own.x, own.b, own.c, skip, y, dy] { memory.draw(panel, work) }
        for (panel, sign) in [(own.delta, S(1)), (a, S(-1))] {
            memory.draw(panel, work)
            work.multiplyElements(panel, panel, into: panel)
            work.combine(0, panel, sign, panel)
        }
        work.scan(
            own, a: a, d: skip, into: y, adding: true, state: state, kept: kept, scratch: scratch)
        results["scan"] = work.values(y) + work.values(state.columns(0..<channels))
        work.fill(state, with: 0.5)
        work.scanBackward(
            own, a: a, d: skip, kept: kept, dy: dy, into: slopes, da: da, dd: dskip, dstate: state,
            scratch: scratch)
        for (name, panel) in [
            ("x", slopes.x), ("delta", slopes.delta), ("b", slopes.b), ("c", slopes.c), ("a", da),
            ("d", dskip), ("state", state.columns(0..<channels)),
        ] { results["scan, adjoint of \(name)"] = work.values(panel) }
    }

    private func addDirection(_ channels: Int, _ results: inout [String: [S]]) {
        var memory = VariantMemory<S>()
        let (states, rank) = (d, (d + 3) / 4)
        let columns = (rank + 2 * states + 15) / 16 * 16
        let (x, y) = (
            memory.plan.reserve(length, channels), memory.plan.reserve(length, channels)
        )
        func row() -> Panel { memory.plan.reserve(1, channels) }
        let maps = DirectionMaps(
            taps: memory.plan.reserve(4, channels), bias: row(),
            weight: memory.plan.reserve(rank + 2 * states, channels),
            projection: memory.plan.reserve(channels, columns),
            step: memory.plan.reserve(rank, channels), stepBias: row(),
            a: memory.plan.reserve(channels, states), d: row())
        let state = memory.plan.reserve(states, ScanExtent.width(channels: channels))
        let scratch = memory.plan.reserve(
            1, ScanExtent.directionScratch(channels: channels, states: states, columns: columns))
        let work = memory.work()
        for panel in [x, y, maps.taps, maps.bias, maps.weight, maps.step, maps.stepBias, maps.d] {
            memory.draw(panel, work)
        }
        work.combine(0, maps.weight, 0.1, maps.weight)
        work.transpose(maps.weight, into: maps.projection)
        memory.draw(maps.a, work)
        work.multiplyElements(maps.a, maps.a, into: maps.a)
        work.combine(0, maps.a, -1, maps.a)
        for isReversed in [false, true] {
            work.fill(state)
            work.direction(
                x, maps, into: y, adding: isReversed, masked: (0..<1, length - 2..<length - 1),
                state: state, scratch: scratch, reversed: isReversed)
            results["direction, \(channels) channels, \(isReversed ? "backwards" : "forwards")"] =
                work.values(y) + work.values(state.columns(0..<channels))
        }
    }

    private func addRows(_ results: inout [String: [S]]) {
        var memory = VariantMemory<S>()
        let columns = windows * 5 + 2
        let panels = (0..<4).map { _ in memory.plan.reserve(length, columns) }
        let (taps, dtaps) = (memory.plan.reserve(4, columns), memory.plan.reserve(4, columns))
        let rows = (0..<4).map { _ in memory.plan.reserve(1, columns) }
        let (square, rate) = (memory.plan.reserve(columns, columns), memory.plan.reserve(1, length))
        let work = memory.work()
        for panel in panels + [taps, dtaps, square] + rows { memory.draw(panel, work) }
        let (x, y, z, w) = (panels[0], panels[1], panels[2], panels[3])
        work.product(x, square, into: y)
        results["product"] = work.values(y)
        work.product(x, y, into: square, transposeA: true, adding: true)
        results["product, transposed and adding"] = work.values(square)
        work.depthwise(x, weights: taps, bias: rows[0], into: z)
        results["depthwise"] = work.values(z)
        work.depthwiseBackward(x, weights: taps, dy: y, into: z, dweights: dtaps, dbias: rows[1])
        results["depthwise, adjoint"] = [z, dtaps, rows[1]].flatMap { work.values($0) }
        work.gate(x, by: y, times: 0.5, into: z)
        results["gate"] = work.values(z)
        work.gateBackward(x, by: y, times: 0.5, dy: z, into: z, dz: w)
        results["gate, adjoint"] = work.values(z) + work.values(w)
        work.biasSoftplus(w, bias: rows[0], into: z)
        results["softplus"] = work.values(z)
        for function in PointwiseFunction.allCases {
            work.apply(function, x, into: z)
            results["\(function)"] = work.values(z)
            work.applyBackward(function, x, y, into: z)
            results["\(function), adjoint"] = work.values(z)
        }
        work.normaliseRows(x, gain: rows[0], epsilon: 1e-5, into: z, rate: rate)
        results["row norm"] = work.values(z)
        work.normaliseRowsBackward(
            x, gain: rows[0], rate: rate, dy: y, into: z, dgain: rows[2], adding: true)
        results["row norm, adjoint"] = work.values(z) + work.values(rows[2])
        work.addColumnSums(x, to: rows[1])
        work.addColumnSquares(x, mean: rows[1], to: rows[2])
        work.addColumnSlopes(x, mean: rows[0], dy: y, to: rows[1], along: rows[3])
        results["column sums"] = rows.flatMap { work.values($0) }
        work.scaleColumns(x, by: rows[0], plus: rows[3], and: y, rectified: true, into: z)
        work.rectifyBackward(z, dy: y, into: w)
        work.addRow(rows[0], to: w)
        results["columns scaled"] = work.values(z) + work.values(w)
        work.combineColumns(
            x, mean: rows[0], dy: y, scale: rows[0], slope: rows[0], offset: rows[0], into: z)
        results["columns combined"] = work.values(z)
    }

    private func addConvolutions(_ results: inout [String: [S]]) {
        var memory = VariantMemory<S>()
        let (rows, length) = (35, length * 3)
        let (x, y) = (memory.plan.reserve(rows, length), memory.plan.reserve(rows, length))
        let (kernel, dkernel) = (memory.plan.reserve(1, length), memory.plan.reserve(1, length))
        let factors = TransformFactors<S>(block: 32)
        let scratch = memory.plan.reserve(
            1, Workspace<S>.convolutionScratch(length: length, block: factors.block))
        let dx = memory.plan.reserve(rows, length)
        let work = memory.work()
        for panel in [x, kernel, dx, dkernel] { memory.draw(panel, work) }
        work.convolve(x, kernel: kernel, into: y, factors, scratch: scratch)
        results["convolution by transforms"] = work.values(y)
        work.convolveBackward(
            x, kernel: kernel, dy: y, into: dx, dkernel: dkernel, factors, scratch: scratch)
        results["convolution by transforms, adjoint"] = work.values(dx) + work.values(dkernel)
        work.convolve(x, kernels: (kernel, nil), into: (y, nil), scratch: scratch)
        results["convolution"] = work.values(y)
        work.convolveBackward(
            x, kernels: (kernel, nil), dy: (y, nil), into: dx, dkernels: (dkernel, nil),
            scratch: scratch)
        results["convolution, adjoint"] = work.values(dx) + work.values(dkernel)
    }
}

/// A workspace of blocks with random numbers, the same ones every time.
private struct VariantMemory<S: Scalar> {
    var plan = WorkspaceLayout()
    private var drawn: [Panel] = []

    mutating func random(_ groups: Int) -> Panel {
        let panel = plan.reserve(groups, Blocks.channels)
        drawn.append(panel)
        return panel
    }

    func work() -> Workspace<S> {
        let work = Workspace<S>(plan)
        for panel in drawn { draw(panel, work) }
        return work
    }

    func draw(_ panel: Panel, _ work: Workspace<S>, scale: Double = 1) {
        var random = RandomStream(seed: UInt64(panel.offset))
        work.load(panel, from: (0..<panel.count).map { _ in S(random.normal() * scale) })
    }
}
