package import Tensors

/// Named tensors and text metadata, as one file in the safetensors format.
package struct Checkpoint: Sendable, Equatable {
    /// The numbers of one tensor, row-major.
    package enum Values: Sendable, Equatable {
        case float([Float])
        case double([Double])
        case integer([Int64])

        /// How many numbers there are.
        package var count: Int {
            switch self {
            case .float(let values): values.count
            case .double(let values): values.count
            case .integer(let values): values.count
            }
        }
    }

    /// One tensor of the file.
    package struct Entry: Sendable, Equatable {
        package let shape: [Int]
        package let values: Values

        /// Traps unless the number of values is the product of `shape`.
        package init(shape: [Int], values: Values) {
            precondition(
                shape.allSatisfy { $0 >= 0 } && shape.reduce(1, *) == values.count,
                "Checkpoint: \(values.count) values for the shape \(shape)")
            self.shape = shape
            self.values = values
        }
    }

    /// The tensors by name.
    package var tensors: [String: Entry]
    /// Free text by key, such as a configuration as JSON.
    package var metadata: [String: String]

    package init(tensors: [String: Entry] = [:], metadata: [String: String] = [:]) {
        self.tensors = tensors
        self.metadata = metadata
    }

    /// The tensor `name` as `S`, converted where the file holds another kind of number.
    ///
    /// - Throws: `CheckpointError.missing`.
    package func tensor<S: Scalar>(_ name: String, of: S.Type = S.self)
        throws(CheckpointError) -> Tensor<S>
    {
        guard let entry = tensors[name] else { throw .missing(name) }
        switch entry.values {
        case .float(let values): return Tensor(entry.shape, values.map { S($0) })
        case .double(let values): return Tensor(entry.shape, values.map { S($0) })
        case .integer(let values): return Tensor(entry.shape, values.map { S($0) })
        }
    }

    /// The integers called `name`, row-major.
    ///
    /// - Throws: `CheckpointError.missing` also where the tensor holds other numbers.
    package func integers(_ name: String) throws(CheckpointError) -> [Int64] {
        guard case .integer(let values)? = tensors[name]?.values else { throw .missing(name) }
        return values
    }

    /// Adds or replaces a tensor in its own precision.
    package mutating func set<S: Scalar>(_ name: String, _ tensor: Tensor<S>) {
        if let tensor = tensor as? Tensor<Float> {
            tensors[name] = Entry(shape: tensor.shape, values: .float(tensor.values))
        } else {
            tensors[name] = Entry(
                shape: tensor.shape, values: .double(tensor.values.map { Double($0) }))
        }
    }
}

/// Why bytes are no checkpoint, or not the one wanted.
package enum CheckpointError: Error, Equatable {
    /// Fewer bytes than the file says it has.
    case truncated
    /// The header is no JSON object of the expected form, or longer than allowed.
    case header
    /// A kind of number that is not read here.
    case type(tensor: String, found: String)
    /// A tensor's place in the file does not fit its shape or its neighbours.
    case layout(tensor: String)
    /// Bytes that belong to no tensor.
    case surplus
    /// A tensor or a metadata key that the reader needs is absent or of another kind.
    case missing(String)
}
