/// A dense, row-major, contiguous array of numbers with a shape; a value.
package struct Tensor<S: Scalar>: Sendable, Equatable {
    /// The extent of every axis; the last one is contiguous.
    package let shape: [Int]
    /// All numbers in row-major order, `[shape.product]`; whoever writes keeps their number. (An
    /// observer that checked it would copy the whole array at every element.)
    package var values: [S]

    /// A tensor of zeros; traps on a negative extent.
    @specialized(where S == Float)
    @specialized(where S == Double)
    package init(zeros shape: [Int]) {
        precondition(shape.allSatisfy { $0 >= 0 }, "Tensor: shape \(shape)")
        self.shape = shape
        values = [S](repeating: 0, count: shape.reduce(1, *))
    }

    /// - Parameters:
    ///   - shape: The extent of every axis.
    ///   - values: Row-major; traps unless their number is the product of `shape`.
    package init(_ shape: [Int], _ values: [S]) {
        precondition(
            shape.allSatisfy { $0 >= 0 } && shape.reduce(1, *) == values.count,
            "Tensor: \(values.count) values for the shape \(shape)")
        self.shape = shape
        self.values = values
    }

    /// How many numbers there are.
    package var count: Int { values.count }

    /// Traps unless the shape is `expected`, where nil stands for any extent.
    package func expect(_ expected: [Int?]) {
        let fits =
            shape.count == expected.count
            && zip(shape, expected).allSatisfy { $1 == nil || $0 == $1 }
        precondition(fits, "Tensor: shape \(shape) where \(expected) is expected")
    }

    /// The same numbers under another shape of the same size.
    package func reshaped(_ shape: [Int]) -> Tensor { Tensor(shape, values) }

    /// The same numbers in another precision, rounded to nearest.
    package func converted<T: Scalar>(to: T.Type) -> Tensor<T> {
        Tensor<T>(shape, values.map { T($0) })
    }

    /// One element of a vector; for tests and small sizes, since loops belong on `values`.
    package subscript(i: Int) -> S {
        get { values[offset(i)] }
        set { values[offset(i)] = newValue }
    }

    /// One element of a matrix.
    package subscript(i: Int, j: Int) -> S {
        get { values[offset(i, j)] }
        set { values[offset(i, j)] = newValue }
    }

    /// One element of a tensor with three axes.
    package subscript(i: Int, j: Int, k: Int) -> S {
        get { values[offset(i, j, k)] }
        set { values[offset(i, j, k)] = newValue }
    }

    private func offset(_ i: Int) -> Int {
        precondition(shape.count == 1 && i >= 0 && i < shape[0], "Tensor: [\(i)] in \(shape)")
        return i
    }

    private func offset(_ i: Int, _ j: Int) -> Int {
        precondition(
            shape.count == 2 && i >= 0 && i < shape[0] && j >= 0 && j < shape[1],
            "Tensor: [\(i), \(j)] in \(shape)")
        return i * shape[1] + j
    }

    private func offset(_ i: Int, _ j: Int, _ k: Int) -> Int {
        precondition(
            shape.count == 3 && i >= 0 && i < shape[0] && j >= 0 && j < shape[1] && k >= 0
                && k < shape[2], "Tensor: [\(i), \(j), \(k)] in \(shape)")
        return (i * shape[1] + j) * shape[2] + k
    }

    /// A matrix with its axes exchanged: `[rows, columns]` → `[columns, rows]`.
    @specialized(where S == Float)
    @specialized(where S == Double)
    package func transposed() -> Tensor {
        expect([nil, nil])
        let (rows, columns) = (shape[0], shape[1])
        var result = [S](repeating: 0, count: values.count)
        for i in 0..<rows {
            for j in 0..<columns { result[j * rows + i] = values[i * columns + j] }
        }
        return Tensor([columns, rows], result)
    }

    /// Adds `other` element by element; the shapes are equal, or the call traps.
    @specialized(where S == Float)
    @specialized(where S == Double)
    package mutating func add(_ other: Tensor) {
        precondition(shape == other.shape, "Tensor: \(shape) plus \(other.shape)")
        for i in 0..<values.count { values[i] += other.values[i] }
    }

    /// Multiplies every number by `factor`.
    @specialized(where S == Float)
    @specialized(where S == Double)
    package mutating func scale(by factor: S) {
        for i in 0..<values.count { values[i] *= factor }
    }

    /// The largest magnitude; 0 for an empty tensor, NaN where one number is NaN.
    package var largestMagnitude: S {
        values.reduce(0) { $1.isNaN || $0.isNaN ? .nan : Swift.max($0, abs($1)) }
    }
}
