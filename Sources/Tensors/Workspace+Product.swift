/// Products of matrices of a layer's size by our own loops, which pack nothing: faster than a library
/// for tens to hundreds of rows and columns.
extension Workspace {
    /// `c (+)= op(a)·b`, with a transposed where asked for; all panels may have gaps.
    package func product(
        _ a: Panel, _ b: Panel, into c: Panel, transposeA: Bool = false, adding: Bool = false
    ) {
        let (rows, inner) = transposeA ? (a.columns, a.rows) : (a.rows, a.columns)
        precondition(
            b.rows == inner && c.rows == rows && c.columns == b.columns,
            "product: \(rows)×\(inner) by \(b.rows)×\(b.columns) into \(c.rows)×\(c.columns)")
        guard c.count > 0 else { return }
        unsafe S.product(
            rows, b.columns, inner, pointer(a), rowA: transposeA ? 1 : a.stride,
            stepA: transposeA ? a.stride : 1, pointer(b), stepB: b.stride, into: pointer(c),
            stepC: c.stride, adding: adding)
    }

    /// `y_t = x_{step·t}…x_{step·t+length−1} · b`: rows of x without gaps taken `length` at a time,
    /// which may overlap.
    ///
    /// - Parameters:
    ///   - x: `[rows, channels]`
    ///   - length: Rows that are taken at a time.
    ///   - step: From one time to the next.
    ///   - b: `[length·channels, outputs]`
    ///   - y: As many rows as there are pieces, `[pieces, outputs]`.
    package func productOfPieces(
        _ x: Panel, length: Int, every step: Int, _ b: Panel, into y: Panel
    ) {
        expectPieces(x, length, step, y.rows)
        b.expect(length * x.columns, y.columns)
        guard y.count > 0 else { return }
        unsafe S.product(
            y.rows, y.columns, b.rows, dense(x), rowA: step * x.columns, stepA: 1, pointer(b),
            stepB: b.stride, into: pointer(y), stepC: y.stride, adding: false)
    }

    /// `c += yᵀ·pieces`, with the pieces of `productOfPieces`: `[outputs, length·channels]`.
    package func addProductWithPieces(
        _ y: Panel, _ x: Panel, length: Int, every step: Int, to c: Panel
    ) {
        expectPieces(x, length, step, y.rows)
        c.expect(y.columns, length * x.columns)
        guard y.count > 0 else { return }
        unsafe S.product(
            y.columns, c.columns, y.rows, pointer(y), rowA: 1, stepA: y.stride, dense(x),
            stepB: step * x.columns, into: pointer(c), stepC: c.stride, adding: true)
    }

    private func expectPieces(_ x: Panel, _ length: Int, _ step: Int, _ count: Int) {
        precondition(
            length > 0 && step > 0 && (count == 0 || (count - 1) * step + length <= x.rows),
            "product: \(count) pieces of \(length) rows, every \(step)., of \(x.rows)")
    }
}
