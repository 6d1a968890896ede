internal import COpenBLAS

/// OpenBLAS on one thread: its own threads lose on our shapes, and the callers split the work.
private let openBLASIsSingleThreaded: Void = openblas_set_num_threads(1)

extension Float: Scalar {
    /// Forwards to OpenBLAS.
    @unsafe package static func multiply(
        _ size: ProductSize, alpha: Float, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
        beta: Float, into c: UnsafeMutablePointer<Float>
    ) {
        openBLASIsSingleThreaded
        unsafe cblas_sgemm(
            CblasRowMajor, size.transposeA ? CblasTrans : CblasNoTrans,
            size.transposeB ? CblasTrans : CblasNoTrans, Int32(size.rows), Int32(size.columns),
            Int32(size.inner), alpha, a, Int32(size.strides.a), b, Int32(size.strides.b), beta, c,
            Int32(size.strides.c))
    }
}

extension Double: Scalar {
    /// Forwards to OpenBLAS.
    @unsafe package static func multiply(
        _ size: ProductSize, alpha: Double, _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>,
        beta: Double, into c: UnsafeMutablePointer<Double>
    ) {
        openBLASIsSingleThreaded
        unsafe cblas_dgemm(
            CblasRowMajor, size.transposeA ? CblasTrans : CblasNoTrans,
            size.transposeB ? CblasTrans : CblasNoTrans, Int32(size.rows), Int32(size.columns),
            Int32(size.inner), alpha, a, Int32(size.strides.a), b, Int32(size.strides.b), beta, c,
            Int32(size.strides.c))
    }
}

/// The product of two matrices; either may be given transposed.
///
/// - Parameters:
///   - a: `[rows, inner]`, or `[inner, rows]` with `transposeA`.
///   - b: `[inner, columns]`, or `[columns, inner]` with `transposeB`.
///   - transposeA: Whether `a` is used with its axes exchanged.
///   - transposeB: Whether `b` is used with its axes exchanged.
/// - Returns: `[rows, columns]`. Traps unless the inner extents agree.
package func matmul<S: Scalar>(
    _ a: Tensor<S>, _ b: Tensor<S>, transposeA: Bool = false, transposeB: Bool = false
) -> Tensor<S> {
    a.expect([nil, nil])
    b.expect([nil, nil])
    let (rows, inner) = transposeA ? (a.shape[1], a.shape[0]) : (a.shape[0], a.shape[1])
    let (innerB, columns) = transposeB ? (b.shape[1], b.shape[0]) : (b.shape[0], b.shape[1])
    precondition(inner == innerB, "matmul: \(a.shape) by \(b.shape)")
    var c = Tensor<S>(zeros: [rows, columns])
    guard rows > 0, columns > 0, inner > 0 else { return c }
    let size = ProductSize(
        rows: rows, columns: columns, inner: inner, transposeA: transposeA, transposeB: transposeB,
        strides: (a.shape[1], b.shape[1], columns))
    unsafe a.values.withUnsafeBufferPointer { a in
        unsafe b.values.withUnsafeBufferPointer { b in
            unsafe c.values.withUnsafeMutableBufferPointer { c in
                guard let a = a.baseAddress, let b = b.baseAddress, let c = c.baseAddress
                else { return }
                unsafe S.multiply(size, alpha: 1, a, b, beta: 0, into: c)
            }
        }
    }
    return c
}

/// Eigenvalues and eigenvectors of a symmetric matrix, by LAPACK's divide and conquer.
///
/// - Parameter a: `[n, n]`, finite; only its upper triangle is read.
/// - Returns: The eigenvalues in ascending order, and `[n, n]` with the unit eigenvectors in its
///   columns, in the same order. Traps where LAPACK does not converge, which it does for every
///   finite matrix.
package func symmetricEigen(_ a: Tensor<Double>) -> (values: [Double], vectors: Tensor<Double>) {
    a.expect([a.shape.first, a.shape.first])
    let n = a.shape[0]
    guard n > 0 else { return ([], a) }
    openBLASIsSingleThreaded
    var vectors = a.values
    var eigenvalues = [Double](repeating: 0, count: n)
    var size = Int32(n)
    var workCount = Int32(1 + 6 * n + 2 * n * n)
    var integerCount = Int32(3 + 5 * n)
    var work = [Double](repeating: 0, count: Int(workCount))
    var integers = [Int32](repeating: 0, count: Int(integerCount))
    var info: Int32 = 0
    // Fortran reads columns first: our upper triangle is its lower one.
    unsafe dsyevd_(
        "V", "L", &size, &vectors, &size, &eigenvalues, &work, &workCount, &integers,
        &integerCount, &info, 1, 1)
    precondition(info == 0, "symmetricEigen: LAPACK answered \(info)")
    return (eigenvalues, Tensor([n, n], vectors).transposed())
}
