internal import COpenBLAS

/// A complex number.
package struct ComplexNumber: Sendable, Equatable {
    package var re: Double
    package var im: Double

    package init(_ re: Double, _ im: Double = 0) {
        self.re = re
        self.im = im
    }

    /// Its distance from 0.
    package var magnitude: Double { (re * re + im * im).squareRoot() }

    package static func + (x: Self, y: Self) -> Self { Self(x.re + y.re, x.im + y.im) }

    package static func * (x: Self, y: Self) -> Self {
        Self(x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re)
    }
}

/// The eigenvalues of a square matrix, by LAPACK's QR iteration, in no particular order; pairs of
/// conjugates stand together.
///
/// - Parameter a: `[n, n]`, finite.
/// - Returns: n numbers; nil where the iteration did not converge.
package func eigenvalues(_ a: Tensor<Double>) -> [ComplexNumber]? {
    a.expect([a.shape.first, a.shape.first])
    let n = a.shape[0]
    guard n > 0 else { return [] }
    var matrix = a.values  // Fortran reads columns first: the transpose has the same eigenvalues.
    var (re, im) = ([Double](repeating: 0, count: n), [Double](repeating: 0, count: n))
    var (size, one) = (Int32(n), Int32(1))
    var workCount = Int32(8 * n)
    var work = [Double](repeating: 0, count: 8 * n)
    var (left, right) = (0.0, 0.0)
    var info: Int32 = 0
    unsafe dgeev_(
        "N", "N", &size, &matrix, &size, &re, &im, &left, &one, &right, &one, &work, &workCount,
        &info, 1, 1)
    return info == 0 ? zip(re, im).map { ComplexNumber($0, $1) } : nil
}
