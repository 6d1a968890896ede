package import Tensors

/// Where one parameter of a model lies in the flat vector of them all.
package struct Slot: Sendable, Equatable {
    /// Its name with those of the layers around it, such as `decoder.a`.
    package let name: String
    package let shape: [Int]
    /// Number of its first element in the flat vector.
    package let offset: Int
    /// Whether weight decay pulls it to 0: matrices yes; biases and state-space vectors no.
    package let isDecayed: Bool

    package var count: Int { shape.reduce(1, *) }
    package var range: Range<Int> { offset..<offset + count }

    /// The parameter inside a flat panel of all parameters or gradients; one axis is one row.
    package func panel(in flat: Panel) -> Panel {
        let rows = shape.count > 1 ? shape[0] : 1
        return flat.columns(range).reshaped(rows, count / max(1, rows))
    }
}

/// The plan of a model's parameters: names, shapes and places.
package struct ParameterLayout: Sendable, Equatable {
    package private(set) var slots: [Slot] = []
    /// How many numbers all parameters have together.
    package private(set) var count = 0
    private var scope: [String] = []

    package init() {}

    /// Plans one more parameter under the names of the scopes around.
    package mutating func add(_ name: String, _ shape: Int..., decayed: Bool = true) -> Slot {
        precondition(shape.allSatisfy { $0 > 0 }, "ParameterLayout: \(name) \(shape)")
        let slot = Slot(
            name: (scope + [name]).joined(separator: "."), shape: shape, offset: count,
            isDecayed: decayed)
        precondition(
            slots.allSatisfy { $0.name != slot.name }, "ParameterLayout: \(slot.name) twice")
        slots.append(slot)
        count += slot.count
        return slot
    }

    /// Puts `name` before the names of all parameters that `body` plans.
    package mutating func scoped<Layer>(
        _ name: String, _ body: (inout ParameterLayout) -> Layer
    ) -> Layer {
        scope.append(name)
        defer { scope.removeLast() }
        return body(&self)
    }
}

/// All numbers of a model, or of its gradient, or of a moment of the optimiser, in one flat vector.
package struct Parameters<S: Scalar>: Sendable, Equatable {
    package let layout: ParameterLayout
    /// `[layout.count]`
    package var values: [S]

    package init(zeros layout: ParameterLayout) {
        self.layout = layout
        values = [S](repeating: 0, count: layout.count)
    }

    /// One parameter by its place.
    package subscript(slot: Slot) -> Tensor<S> {
        get { Tensor(slot.shape, Array(values[slot.range])) }
        set {
            precondition(
                newValue.shape == slot.shape, "Parameters: \(newValue.shape) for \(slot.name)")
            values.replaceSubrange(slot.range, with: newValue.values)
        }
    }

    /// The same numbers in another precision.
    package func converted<T: Scalar>(to: T.Type) -> Parameters<T> {
        var result = Parameters<T>(zeros: layout)
        result.values = values.map { T($0) }
        return result
    }
}

extension Parameters {
    /// Draws a parameter from the uniform distribution on ±1/√fanIn, as a linear map is begun.
    package mutating func drawUniform(_ slot: Slot, fanIn: Int, _ random: inout RandomStream) {
        let bound = 1 / Double(fanIn).squareRoot()
        for i in slot.range { values[i] = S((2 * random.uniform() - 1) * bound) }
    }

    /// Draws a parameter from the standard normal distribution.
    package mutating func drawNormal(_ slot: Slot, _ random: inout RandomStream) {
        for i in slot.range { values[i] = S(random.normal()) }
    }

    /// Sets every number of a parameter.
    package mutating func fill(_ slot: Slot, with value: S) {
        for i in slot.range { values[i] = value }
    }

    /// Adds every parameter to a checkpoint, as `param/NAME` or behind another prefix, such as
    /// `buffer/` for running statistics.
    package func write(to checkpoint: inout Checkpoint, prefix: String = "param/") {
        for slot in layout.slots { checkpoint.set(prefix + slot.name, self[slot]) }
    }

    /// Reads every parameter of `layout` from a checkpoint.
    ///
    /// - Throws: `CheckpointError.missing` for an absent parameter or one of another shape.
    package init(
        _ layout: ParameterLayout, from checkpoint: Checkpoint, prefix: String = "param/"
    ) throws(CheckpointError) {
        self.init(zeros: layout)
        for slot in layout.slots {
            let tensor = try checkpoint.tensor(prefix + slot.name, of: S.self)
            guard tensor.shape == slot.shape else { throw .missing(prefix + slot.name) }
            self[slot] = tensor
        }
    }
}
