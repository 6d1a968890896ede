import Learning
import Tensors

/// The selective scan of a batch, alone and with its adjoint.
///
/// Limit: a decay, a state and an output are eleven operations for each channel, state and point in
/// time – eight of them for the exponential – and 33.5 million of those, sixteen at a time, are 4.7 ms at
/// the 4.9 billion operations a second of a core; the adjoint computes the states once more and takes
/// nineteen, another 8.1 ms. 25 MB are read and written forward, 110 MB in all.
enum SelectiveScan {
    static let benchmarks = [
        benchmark("scan.forward", workload: "scan_forward_chunked", withAdjoint: false),
        benchmark("scan.both", workload: "scan_both_chunked", withAdjoint: true),
    ]

    private static func benchmark(
        _ name: String, workload: String, withAdjoint: Bool
    ) -> Benchmark {
        Benchmark(name, threads: .many) { setting in
            let run = ScanBatch(batch: 8, length: 1024, channels: 256, states: 16)
            let team = Team(threads: setting.threads)
            return Contest(
                what: "batch 8, length 1024, 256 channels, 16 states"
                    + (withAdjoint ? ", forward and backward" : ""),
                work: Work(8 * 1024, "points"),
                ours: Contestant("Workspace.scan") {
                    team.run(8) { item, _ in run.scan(item, withAdjoint: withAdjoint) }
                },
                opponents: [
                    setting.peers.opponent(
                        "PyTorch reference, chunked", script: "numerics.py", workload: workload,
                        threads: setting.threads)
                ])
        }
    }
}

/// The memory of a scan over a batch.
private struct ScanBatch: Sendable {
    private struct Item {
        let (signals, slopes): (ScanSignals, ScanSignals)
        let (y, dy, da, dd): (Panel, Panel, Panel, Panel)
        let (state, kept, scratch): (Panel, Panel, Panel)
    }

    private let items: [Item]
    private let (a, d): (Panel, Panel)
    private let work: Workspace<Float>

    init(batch: Int, length: Int, channels: Int, states: Int) {
        var layout = WorkspaceLayout()
        let width = ScanExtent.width(channels: channels)
        func signals() -> ScanSignals {
            ScanSignals(
                x: layout.reserve(length, channels), delta: layout.reserve(length, channels),
                b: layout.reserve(length, states), c: layout.reserve(length, states))
        }
        (a, d) = (layout.reserve(channels, states), layout.reserve(1, channels))
        var items: [Item] = []
        for _ in 0..<batch {
            items.append(
                Item(
                    signals: signals(), slopes: signals(), y: layout.reserve(length, channels),
                    dy: layout.reserve(length, channels), da: layout.reserve(channels, states),
                    dd: layout.reserve(1, channels), state: layout.reserve(states, width),
                    kept: layout.reserve(ScanExtent.keptCount(length: length), states * width),
                    scratch: layout.reserve(
                        1, ScanExtent.scratch(channels: channels, states: states))))
        }
        self.items = items
        work = Workspace(layout)
        var random = RandomStream(seed: 3)
        func draw(_ panel: Panel, _ scale: Double, normal: Bool) {
            work.load(
                panel,
                from: (0..<panel.count).map { _ in
                    Float(scale * (normal ? random.normal() : random.uniform()))
                })
        }
        draw(a, -Double(states), normal: false)
        draw(d, 1, normal: true)
        for item in items {
            for panel in [item.signals.x, item.signals.b, item.signals.c, item.dy] {
                draw(panel, 1, normal: true)
            }
            draw(item.signals.delta, 0.1, normal: false)
        }
    }

    func scan(_ index: Int, withAdjoint: Bool) {
        let item = items[index]
        work.fill(item.state)
        work.scan(
            item.signals, a: a, d: d, into: item.y, state: item.state,
            kept: withAdjoint ? item.kept : nil, scratch: item.scratch)
        guard withAdjoint else { return }
        for panel in [item.state, item.da, item.dd] { work.fill(panel) }
        work.scanBackward(
            item.signals, a: a, d: d, kept: item.kept, dy: item.dy, into: item.slopes, da: item.da,
            dd: item.dd, dstate: item.state, scratch: item.scratch)
    }
}
