import Learning
import Tensors

/// Class token, positions, residual Mamba blocks and pooling of an ECG Mamba network.
struct MambaBody: RecordingBody {
    struct Block: Sendable {
        let norm: RMSNorm
        let mixer: MambaBlock
    }

    /// The memory of one thread: in a training of all blocks, else of one.
    struct Scratch: Sendable {
        let residuals: [Panel]  // what goes into every block and out of the last, [rows, width]
        let normed: [Panel]  // [rows, width]
        let rates: [Panel]  // [1, rows]
        let signals: [MambaSignals]
        let mixer: MambaScratch
        let out: Panel  // [rows, width]
        let last: Panel  // [1, rows], rates of the last norm
        let slopes: Panel  // [rows, width], of the residual
        let dout: Panel  // [rows, width]
    }

    let configuration: ECGMambaConfiguration
    let classToken: Slot?  // [width]
    let positions: Slot  // [rows, width]
    let blocks: [Block]
    let norm: RMSNorm

    var features: Int { configuration.width }

    init(_ layout: inout ParameterLayout, _ configuration: ECGMambaConfiguration) {
        self.configuration = configuration
        let width = configuration.width
        classToken =
            configuration.classRow == nil ? nil : layout.add("cls", width, decayed: false)
        positions = layout.add("positions", configuration.rows, width, decayed: false)
        var mixer = MambaBlock.Sizes(width: width, states: configuration.states)
        mixer.isHalved = configuration.isHalved
        var blocks: [Block] = []
        for index in 0..<configuration.depth {
            blocks.append(
                layout.scoped("blocks.\(index)") { layout in
                    Block(
                        norm: layout.scoped("norm") { RMSNorm(&$0, width: width) },
                        mixer: layout.scoped("mixer") { MambaBlock(&$0, mixer) })
                })
        }
        self.blocks = blocks
        norm = layout.scoped("norm") { RMSNorm(&$0, width: width) }
    }

    /// Draws all weights.
    func begin<S>(_ p: inout Parameters<S>, _ random: inout RandomStream) {
        if let classToken { p.drawNormal(classToken, deviation: 0.02, &random) }
        p.drawNormal(positions, deviation: 0.02, &random)
        for block in blocks {
            block.norm.begin(&p)
            block.mixer.begin(&p, depth: blocks.count, &random)
        }
        norm.begin(&p)
    }

    // MARK: Memory

    func makeWeights(_ layout: inout WorkspaceLayout, isGradient: Bool) -> [MambaWeights] {
        blocks.map { MambaWeights(&layout, $0.mixer, isGradient: isGradient) }
    }

    func makeScratch(_ layout: inout WorkspaceLayout, training: Bool) -> Scratch {
        let (rows, width, kept) = (
            configuration.rows, configuration.width, training ? blocks.count : 1
        )
        func signal() -> Panel { layout.reserve(rows, width) }
        return Scratch(
            residuals: (0..<(training ? blocks.count + 1 : 1)).map { _ in signal() },
            normed: (0..<kept).map { _ in signal() },
            rates: (0..<kept).map { _ in layout.reserve(1, rows) },
            signals: (0..<kept).map { index in
                MambaSignals(&layout, blocks[index].mixer, time: rows, training: training)
            }, mixer: MambaScratch(&layout, blocks[0].mixer, time: rows, training: training),
            out: signal(), last: layout.reserve(1, rows), slopes: signal(), dout: signal())
    }

    func prepare<S>(_ weights: [MambaWeights], _ p: Panel, _ work: Workspace<S>) {
        for (block, own) in zip(blocks, weights) { block.mixer.prepare(own, p, work) }
    }

    func clear<S>(_ slopes: [MambaWeights], _ work: Workspace<S>) {
        for own in slopes { own.clear(work) }
    }

    func finish<S>(
        _ slopes: [MambaWeights], _ weights: [MambaWeights], gradient: Panel, _ work: Workspace<S>
    ) {
        for (index, block) in blocks.enumerated() {
            block.mixer.finish(slopes[index], weights[index], gradient: gradient, work)
        }
    }

    // MARK: Chance

    /// What a block's branch is multiplied by for one recording: 0 where it is passed by.
    private func factor(_ block: Int, _ place: RecordingPlace) -> Double {
        guard let key = place.dropoutKey, blocks.count > 1 else { return 1 }
        let rate = configuration.dropPath * Double(block) / Double(blocks.count - 1)
        var random = RandomStream(seed: key).stream(UInt64(block)).stream(UInt64(place.number))
        return random.uniform() < rate ? 0 : 1 / (1 - rate)
    }

    private func dropout(_ block: Int, _ place: RecordingPlace, _ rows: Range<Int>) -> Dropout? {
        guard let key = place.dropoutKey, configuration.dropout > 0 else { return nil }
        var random = RandomStream(seed: key).stream(UInt64(blocks.count + block))
        return Dropout(key: random.next(), probability: configuration.dropout)
            .from((place.number * configuration.rows + rows.lowerBound) * configuration.width)
    }

    /// The only row that is needed of what a block gives: that of the class token, behind the last.
    private func wanted(_ block: Int) -> Int? {
        block == blocks.count - 1 ? configuration.classRow : nil
    }

    /// Rows of a block's output that are needed.
    private func rows(_ block: Int) -> Range<Int> {
        wanted(block).map { $0..<$0 + 1 } ?? 0..<configuration.rows
    }

    /// Rows that stand for padding.
    private func masked(_ place: RecordingPlace) -> MaskedRows {
        let step = configuration.stride
        let count = min(configuration.tokens, (place.padding + step - 1) / step)
        guard let row = configuration.classRow else { return MaskedRows(0..<count) }
        return MaskedRows(0..<min(count, row), row + 1..<row + 1 + max(0, count - row))
    }
}

extension MambaBody {
    func forward<S>(
        _ tokens: Panel, into features: Panel, _ place: RecordingPlace, _ scratch: Scratch,
        _ weights: [MambaWeights], _ p: Panel, _ work: Workspace<S>
    ) {
        let masked = masked(place)
        embed(tokens, into: scratch.residuals[0], masked, p, work)
        for (index, block) in blocks.enumerated() {
            let kept = scratch.signals.count > 1 || blocks.count == 1 ? index : 0
            let r = scratch.residuals[min(index, scratch.residuals.count - 1)]
            let next = scratch.residuals[min(index + 1, scratch.residuals.count - 1)]
            if next.offset != r.offset { work.copy(r, to: next) }
            let factor = factor(index, place)
            guard factor > 0 else { continue }
            block.norm.forward(
                rows: r, into: scratch.normed[kept], rate: scratch.rates[kept], p, work)
            let isPlain = place.dropoutKey == nil
            block.mixer.forward(
                scratch.normed[kept], into: isPlain ? next : scratch.out, adding: isPlain,
                wanted: wanted(index), masked: masked, scratch.signals[kept], scratch.mixer,
                weights[index], p, work)
            guard !isPlain else { continue }
            let rows = rows(index)
            let out = scratch.out.rows(rows)
            if let dropout = dropout(index, place, rows) { work.dropout(out, into: out, dropout) }
            work.add(out, to: next.rows(rows), times: S(factor))
        }
        pool(scratch, into: features, masked, p, work)
    }

    /// Tokens with the class token among them, and positions.
    private func embed<S>(
        _ tokens: Panel, into r: Panel, _ masked: MaskedRows, _ p: Panel, _ work: Workspace<S>
    ) {
        let count = configuration.tokens
        if let classToken, let row = configuration.classRow {
            work.copy(tokens.rows(0..<row), to: r.rows(0..<row))
            work.copy(classToken.panel(in: p), to: r.row(row))
            work.copy(tokens.rows(row..<count), to: r.rows(row + 1..<count + 1))
        } else {
            work.copy(tokens, to: r)
        }
        masked.clear(r, work)
        work.add(positions.panel(in: p), to: r)
    }

    private func pool<S>(
        _ scratch: Scratch, into features: Panel, _ masked: MaskedRows, _ p: Panel,
        _ work: Workspace<S>
    ) {
        let r = scratch.residuals[scratch.residuals.count - 1]
        if let row = configuration.classRow {
            norm.forward(
                rows: r.row(row), into: features, rate: scratch.last.columns(0..<1), p, work)
            return
        }
        norm.forward(rows: r, into: scratch.out, rate: scratch.last, p, work)
        masked.clear(scratch.out, work)
        work.fill(features)
        work.addColumnSums(scratch.out, to: features)
        work.combine(0, features, share(masked), features)
    }

    /// What the mean over tokens multiplies each by.
    private func share<S: Scalar>(_ masked: MaskedRows) -> S {
        1 / S(max(1, configuration.rows - masked.count))
    }

    func backward<S>(
        _ dfeatures: Panel, into dtokens: Panel, _ place: RecordingPlace, _ scratch: Scratch,
        _ weights: [MambaWeights], slopes: [MambaWeights], _ p: Panel, gradient: Panel,
        _ work: Workspace<S>
    ) {
        let masked = masked(place)
        poolBackward(dfeatures, scratch, masked, p, gradient, work)
        for index in blocks.indices.reversed() {
            let factor = factor(index, place)
            guard factor > 0 else { continue }
            let rows = rows(index)
            let dout = scratch.dout.rows(rows)
            work.combine(S(factor), scratch.slopes.rows(rows), 0, dout)
            if let dropout = dropout(index, place, rows) {
                work.dropout(dout, into: dout, dropout)
            }
            blocks[index].mixer.backward(
                scratch.dout, u: scratch.normed[index], into: scratch.dout,
                wanted: wanted(index), masked: masked, scratch.signals[index], scratch.mixer,
                weights[index], slopes: slopes[index], p,
                gradient: gradient, work)
            blocks[index].norm.backward(
                scratch.dout, rows: scratch.residuals[index], rate: scratch.rates[index],
                into: scratch.slopes, adding: true, p, gradient: gradient, work)
        }
        embedBackward(scratch.slopes, into: dtokens, masked, gradient, work)
    }

    /// Fills the slopes of the residual behind the last block.
    private func poolBackward<S>(
        _ dfeatures: Panel, _ scratch: Scratch, _ masked: MaskedRows, _ p: Panel,
        _ gradient: Panel, _ work: Workspace<S>
    ) {
        let r = scratch.residuals[scratch.residuals.count - 1]
        if let row = configuration.classRow {
            work.fill(scratch.slopes)
            norm.backward(
                dfeatures, rows: r.row(row), rate: scratch.last.columns(0..<1),
                into: scratch.slopes.row(row), adding: false, p, gradient: gradient, work)
            return
        }
        let share: S = share(masked)
        for row in 0..<r.rows { work.combine(share, dfeatures, 0, scratch.dout.row(row)) }
        masked.clear(scratch.dout, work)
        norm.backward(
            scratch.dout, rows: r, rate: scratch.last, into: scratch.slopes, adding: false, p,
            gradient: gradient, work)
    }

    /// The adjoint of `embed`; the slopes of masked rows are lost.
    private func embedBackward<S>(
        _ slopes: Panel, into dtokens: Panel, _ masked: MaskedRows, _ gradient: Panel,
        _ work: Workspace<S>
    ) {
        let count = configuration.tokens
        work.add(slopes, to: positions.panel(in: gradient))
        masked.clear(slopes, work)
        guard let classToken, let row = configuration.classRow else {
            work.copy(slopes, to: dtokens)
            return
        }
        work.add(slopes.row(row), to: classToken.panel(in: gradient))
        work.copy(slopes.rows(0..<row), to: dtokens.rows(0..<row))
        work.copy(slopes.rows(row + 1..<count + 1), to: dtokens.rows(row..<count))
    }
}
