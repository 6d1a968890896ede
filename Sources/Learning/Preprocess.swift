package import Tensors

/// SpaceTime's fixed first layer: for every group four differences of the input, of order 0 to 3,
/// and four residuals of moving averages, with zeros before the window.
///
/// - Source: Zhang, Saab, Poli, Dao, Goel, Ré, ICLR 2023 (SpaceTime). The kernels are applied as short differences and one running
///   sum per group, not as convolutions.
package struct Preprocess: Sendable, Equatable {
    /// Channels that one group makes of one variate.
    package static let kernelsPerGroup = 8
    /// Lengths of the moving averages, four per group, each above zero.
    package let windows: [Int64]

    package var groups: Int { windows.count / 4 }

    /// Traps unless there are four lengths per group, all above zero.
    package init(windows: [Int64]) {
        precondition(
            !windows.isEmpty && windows.count % 4 == 0 && windows.allSatisfy { $0 > 0 },
            "Preprocess: windows \(windows)")
        self.windows = windows
    }

    /// Lengths drawn from 4…63, as published.
    package init(groups: Int, _ random: inout RandomStream) {
        self.init(windows: (0..<4 * groups).map { _ in Int64(4 + random.integer(below: 60)) })
    }

    /// x `[1, length]` → the eight channels of one group, y `[8, length]`.
    package func forward<S>(
        group: Int, _ x: Panel, into y: Panel, scratch: Panel, _ work: Workspace<S>
    ) {
        work.preprocess(x, windows: lengths(group), into: y, scratch: scratch)
    }

    /// The adjoint of `forward`; dx `[1, length]` is overwritten.
    package func backward<S>(
        group: Int, _ dy: Panel, into dx: Panel, scratch: Panel, _ work: Workspace<S>
    ) {
        work.preprocessBackward(dy, windows: lengths(group), into: dx, scratch: scratch)
    }

    private func lengths(_ group: Int) -> ArraySlice<Int64> {
        windows[4 * group..<4 * (group + 1)]
    }
}
