package import Learning
package import Tensors

/// The sizes of a stacked variational auto-encoder.
package struct StackVAEConfiguration: Hashable, Sendable, Codable {
    package let channels: Int
    /// Rows that are encoded together.
    package let window: Int
    package let hidden: Int
    package let latent: Int
    /// Length of the vector that stands for a channel in the graph.
    package let embedding: Int
    /// Neighbours that a channel keeps.
    package let neighbours: Int
    /// Share of its neighbours in what a channel is encoded as, in 0...1.
    package let mixing: Double

    /// The published sizes, unless given; traps unless all are above zero.
    package init(
        channels: Int, window: Int = 100, hidden: Int = 200, latent: Int = 20, embedding: Int = 30,
        neighbours: Int = 10, mixing: Double = 0.5
    ) {
        precondition(
            [channels, window, hidden, latent, embedding, neighbours].allSatisfy { $0 > 0 }
                && (0...1).contains(mixing),
            "StackVAEConfiguration: \(channels) channels, window \(window)")
        self.channels = channels
        self.window = window
        self.hidden = hidden
        self.latent = latent
        self.embedding = embedding
        self.neighbours = min(neighbours, channels)
        self.mixing = mixing
    }
}

/// One small variational auto-encoder for every channel alike, and a learned graph that mixes the
/// channels before the latent heads: what a channel should look like follows from itself and its
/// neighbours, and its error is its own.
///
/// The decoder gives means alone: the published loss has no use for the variances.
///
/// - Source: Li et al. 2021, "StackVAE-G"; sizes and loss as in its published code.
package struct StackVAE: Sendable {
    package let configuration: StackVAEConfiguration
    package let layout: ParameterLayout
    let encoder: [Linear]
    let mean: Linear
    let logVariance: Linear
    let decoder: [Linear]
    let graph: ChannelGraph

    package init(_ configuration: StackVAEConfiguration) {
        var layout = ParameterLayout()
        let c = configuration
        func linear(_ name: String, _ inputs: Int, _ outputs: Int) -> Linear {
            layout.scoped(name) { Linear(&$0, inputs: inputs, outputs: outputs) }
        }
        encoder = [
            linear("encoder.0", c.window, c.hidden), linear("encoder.1", c.hidden, c.hidden),
        ]
        mean = linear("mean", c.hidden, c.latent)
        logVariance = linear("logVariance", c.hidden, c.latent)
        decoder = [
            linear("decoder.0", c.latent, c.hidden), linear("decoder.1", c.hidden, c.hidden),
            linear("decoder.2", c.hidden, c.window),
        ]
        graph = layout.scoped("graph") {
            ChannelGraph(
                &$0, channels: c.channels, embedding: c.embedding, neighbours: c.neighbours)
        }
        self.configuration = configuration
        self.layout = layout
    }

    /// Parameters to begin training with.
    package func begin<S>(_ random: inout RandomStream) -> Parameters<S> {
        var parameters = Parameters<S>(zeros: layout)
        for linear in encoder + [mean, logVariance] + decoder { linear.begin(&parameters, &random) }
        graph.begin(&parameters, &random)
        return parameters
    }
}
