import Foundation
import Learning
import Tensors

/// A learned graph of channels: who explains whom, and by how much.
///
/// `u = tanh(3(e·W + b))`, `a = ReLU(3·tanh(u·uᵀ))`, of every row the largest kept, the unit matrix
/// added, every row divided by its sum. Computed in `Double` whatever the network, since it is small.
///
/// - Source: Wu et al. 2020 (MTGNN), section 4.2, as StackVAE-G uses it.
struct ChannelGraph: Sendable {
    private static let steepness = 3.0

    let channels: Int
    let neighbours: Int
    let nodes: Slot  // [channels, embedding]
    let weight: Slot  // [embedding, embedding]
    let bias: Slot  // [embedding]

    init(_ layout: inout ParameterLayout, channels: Int, embedding: Int, neighbours: Int) {
        self.channels = channels
        self.neighbours = neighbours
        nodes = layout.add("nodes", channels, embedding)
        weight = layout.add("weight", embedding, embedding)
        bias = layout.add("bias", embedding, decayed: false)
    }

    func begin<S>(_ p: inout Parameters<S>, _ random: inout RandomStream) {
        p.drawUniform(nodes, fanIn: nodes.shape[1], &random)
        p.drawUniform(weight, fanIn: weight.shape[0], &random)
        p.drawUniform(bias, fanIn: weight.shape[0], &random)
    }

    /// What the adjoint needs of a forward pass.
    struct Trace: Sendable {
        /// `[channels, embedding]`
        let units: Tensor<Double>
        /// `u·uᵀ`, `[channels, channels]`
        let similarity: Tensor<Double>
        /// Whether an edge was kept, `[channels · channels]`.
        let isKept: [Bool]
        /// Sum of every row before it was divided.
        let sums: [Double]
        /// `[channels, channels]`, every row adds up to 1.
        let adjacency: Tensor<Double>
    }

    func forward<S>(_ p: Parameters<S>) -> Trace {
        var units = matmul(
            p[nodes].converted(to: Double.self), p[weight].converted(to: Double.self))
        let offsets = p[bias].converted(to: Double.self).values
        for place in units.values.indices {
            units.values[place] = tanh(
                Self.steepness * (units.values[place] + offsets[place % offsets.count]))
        }
        let similarity = matmul(units, units, transposeB: true)
        let weights = similarity.values.map { max(0, Self.steepness * tanh($0)) }
        var isKept = [Bool](repeating: false, count: weights.count)
        var adjacency = Tensor<Double>(zeros: [channels, channels])
        var sums: [Double] = []
        for row in 0..<channels {
            let places = row * channels..<(row + 1) * channels
            let best = places.sorted { weights[$0] > weights[$1] }.prefix(neighbours)
            for place in best {
                isKept[place] = true
                adjacency.values[place] = weights[place]
            }
            adjacency.values[row * channels + row] += 1
            let sum = places.reduce(0.0) { $0 + adjacency.values[$1] }
            for place in places { adjacency.values[place] /= sum }
            sums.append(sum)
        }
        return Trace(
            units: units, similarity: similarity, isKept: isKept, sums: sums, adjacency: adjacency)
    }

    /// Adds to the gradients, given ∂L/∂adjacency `[channels, channels]`.
    func backward<S>(
        _ slopes: Tensor<Double>, _ trace: Trace, _ p: Parameters<S>,
        into gradient: inout Parameters<S>
    ) {
        var inner = Tensor<Double>(zeros: [channels, channels])
        for row in 0..<channels {
            let places = row * channels..<(row + 1) * channels
            let along = places.reduce(0.0) {
                $0 + slopes.values[$1] * trace.adjacency.values[$1]
            }
            for place in places where trace.isKept[place] && trace.similarity.values[place] > 0 {
                let t = tanh(trace.similarity.values[place])
                inner.values[place] =
                    (slopes.values[place] - along) / trace.sums[row] * Self.steepness * (1 - t * t)
            }
        }
        var units = matmul(inner, trace.units)
        units.add(matmul(inner, trace.units, transposeA: true))
        for place in units.values.indices {
            let u = trace.units.values[place]
            units.values[place] *= Self.steepness * (1 - u * u)
        }
        let (e, w) = (
            p[nodes].converted(to: Double.self), p[weight].converted(to: Double.self)
        )
        Self.add(matmul(units, w, transposeB: true).values, to: nodes, &gradient)
        Self.add(matmul(e, units, transposeA: true).values, to: weight, &gradient)
        let width = bias.count
        let sums = (0..<width).map { k in
            stride(from: k, to: units.values.count, by: width).reduce(0.0) {
                $0 + units.values[$1]
            }
        }
        Self.add(sums, to: bias, &gradient)
    }

    private static func add<S>(
        _ values: [Double], to slot: Slot, _ gradient: inout Parameters<S>
    ) {
        for (place, value) in zip(slot.range, values) { gradient.values[place] += S(value) }
    }
}
