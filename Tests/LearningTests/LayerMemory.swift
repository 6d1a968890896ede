import Learning
import Tensors

/// A workspace for the test of one layer: panels are planned first, then loaded and read.
final class LayerMemory<S: Scalar> {
    var plan = WorkspaceLayout()
    private(set) lazy var work = Workspace<S>(plan)

    /// Plans a panel for a tensor `[batch, time, channel]`, as `[channel, batch·time]`.
    func reserve(channels: Int, batch: Int, time: Int) -> Panel {
        plan.reserve(channels, batch * time)
    }

    /// Loads `[batch, time, channel]` into `[channel, batch·time]`.
    func load(_ panel: Panel, channelsLast tensor: Tensor<S>) {
        let (channels, positions) = (tensor.shape[2], tensor.shape[0] * tensor.shape[1])
        work.load(panel, from: tensor.reshaped([positions, channels]).transposed().values)
    }

    /// Reads `[channel, batch·time]` as `[batch, time, channel]`.
    func channelsLast(_ panel: Panel, batch: Int, time: Int) -> Tensor<S> {
        Tensor([panel.rows, batch * time], work.values(panel)).transposed()
            .reshaped([batch, time, panel.rows])
    }

    /// The gradient of one parameter.
    func gradient(_ slot: Slot, in flat: Panel) -> Tensor<S> {
        Tensor(slot.shape, work.values(slot.panel(in: flat)))
    }
}

extension Panel {
    /// One channel of `[channel, batch·time]`, as `[batch, time]`.
    func channel(_ index: Int, _ batch: Int, _ time: Int) -> Panel {
        row(index).reshaped(batch, time)
    }
}
