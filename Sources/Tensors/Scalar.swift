/// The two kinds of number that the numerics compute in: `Float` for work, `Double` for statistics
/// and for gradient checks of the very code that works in `Float`.
package protocol Scalar: BinaryFloatingPoint, Sendable, Kernels, BlockKernels, PointwiseKernels,
    ScanKernels, RowKernels, SequenceKernels
{
    /// `C ← α·op(A)·op(B) + β·C` for row-major matrices by OpenBLAS on one thread.
    ///
    /// Every pointer reaches as far as its rows, columns and stride say.
    @unsafe static func multiply(
        _ size: ProductSize, alpha: Self, _ a: UnsafePointer<Self>, _ b: UnsafePointer<Self>,
        beta: Self, into c: UnsafeMutablePointer<Self>)
}

/// The sizes of a matrix product `[rows, inner] · [inner, columns]`.
package struct ProductSize: Sendable {
    package let rows: Int
    package let columns: Int
    package let inner: Int
    /// Whether A is stored as `[inner, rows]`.
    package let transposeA: Bool
    /// Whether B is stored as `[columns, inner]`.
    package let transposeB: Bool
    /// Distance between the stored rows of A, of B and of C, in elements.
    package let strides: (a: Int, b: Int, c: Int)

    package init(
        rows: Int, columns: Int, inner: Int, transposeA: Bool, transposeB: Bool,
        strides: (a: Int, b: Int, c: Int)
    ) {
        precondition(
            max(rows, columns, inner, strides.a, strides.b, strides.c) < Int(Int32.max),
            "matmul: \(rows)×\(inner)×\(columns) leaves 32 bits")
        self.rows = rows
        self.columns = columns
        self.inner = inner
        self.transposeA = transposeA
        self.transposeB = transposeB
        self.strides = strides
    }
}
