internal import CKernels

extension Workspace {
    // MARK: Pointwise functions

    /// `y = dropout(x)`.
    package func dropout(_ x: Panel, into y: Panel, _ dropout: Dropout) {
        y.expect(x.rows, x.columns)
        unsafe S.dropout(x.count, dense(x), into: dense(y), dropout)
    }

    /// `y = dropout(GELU(x))`, by the error function.
    package func gelu(_ x: Panel, into y: Panel, _ dropout: Dropout = .none) {
        y.expect(x.rows, x.columns)
        let (runs, length) = Panel.runs(x, y)
        for i in 0..<runs {
            unsafe S.gelu(
                length, pointer(x) + i * x.stride, into: pointer(y) + i * y.stride,
                dropout.from(i * length))
        }
    }

    /// `value = dropout(GELU(x))` once more, and `dx = dy·dropout(GELU′(x))`; dx may be dy.
    package func geluBackward(
        _ x: Panel, _ dy: Panel, value: Panel, into dx: Panel, _ dropout: Dropout = .none
    ) {
        for panel in [dy, value, dx] { panel.expect(x.rows, x.columns) }
        let (runs, length) = Panel.runs(x, dy, value, dx)
        for i in 0..<runs {
            unsafe S.geluBackward(
                length, pointer(x) + i * x.stride, pointer(dy) + i * dy.stride,
                value: pointer(value) + i * value.stride, into: pointer(dx) + i * dx.stride,
                dropout.from(i * length))
        }
    }

    // MARK: Companion recurrences

    /// `y = x`, last element first; both `[1, n]`.
    package func reverse(_ x: Panel, into y: Panel) {
        y.expect(1, x.columns)
        x.expect(1, y.columns)
        unsafe S.reverse(x.columns, pointer(x), into: pointer(y))
    }

    /// Divides every row by its L1 norm; rows whose norm is at most 1e-4 stay as they are.
    package func normalise(_ x: Panel, into y: Panel) {
        y.expect(x.rows, x.columns)
        for row in 0..<x.rows {
            unsafe S.normalise(x.columns, pointer(x.row(row)), into: pointer(y.row(row)))
        }
    }

    /// The adjoint of `normalise`, given its result y: adds to dx.
    package func normaliseBackward(_ x: Panel, _ y: Panel, _ dy: Panel, into dx: Panel) {
        for panel in [y, dy, dx] { panel.expect(x.rows, x.columns) }
        for row in 0..<x.rows {
            unsafe S.normaliseBackward(
                x.columns, pointer(x.row(row)), pointer(y.row(row)), pointer(dy.row(row)),
                into: pointer(dx.row(row)))
        }
    }

    /// `x_j = A^j b`, `[length, d]`; where `newestFirst` is false row `length - 1 - j` holds it.
    package func krylov(a: Panel, b: Panel, into x: Panel, reversed: Bool = false) {
        let d = x.columns
        a.expect(1, d)
        b.expect(1, d)
        guard x.rows > 0 else { return }
        let first = reversed ? x.row(x.rows - 1) : x.row(0)
        _ = unsafe (dense(x))
        unsafe S.krylov(
            d, x.rows, pointer(a), pointer(b), into: pointer(first), stride: reversed ? -d : d)
    }

    /// The adjoint of `krylov`: dx is overwritten; adds to da and db.
    package func krylovBackward(
        a: Panel, x: Panel, dx: Panel, da: Panel, db: Panel, reversed: Bool = false
    ) {
        let d = x.columns
        dx.expect(x.rows, d)
        for panel in [a, da, db] { panel.expect(1, d) }
        guard x.rows > 0 else { return }
        let first = reversed ? x.rows - 1 : 0
        _ = unsafe (dense(x), dense(dx))
        unsafe S.krylovBackward(
            d, x.rows, pointer(a), pointer(x.row(first)), pointer(dx.row(first)),
            stride: reversed ? -d : d, da: pointer(da), db: pointer(db))
    }

    /// `r_h = c·M^h` with `M = A + b·kᵀ`, `[horizon, d]`.
    package func forecastRows(a: Panel, b: Panel, c: Panel, k: Panel, into r: Panel) {
        for panel in [a, b, c, k] { panel.expect(1, r.columns) }
        unsafe S.forecastRows(
            r.columns, r.rows, pointer(a), pointer(b), pointer(c), pointer(k), into: dense(r))
    }

    /// The adjoint of `forecastRows`: dr is overwritten; adds to da, db, dc and dk.
    package func forecastRowsBackward(
        a: Panel, b: Panel, k: Panel, r: Panel, dr: Panel,
        into gradients: (a: Panel, b: Panel, c: Panel, k: Panel)
    ) {
        dr.expect(r.rows, r.columns)
        for panel in [a, b, k, gradients.a, gradients.b, gradients.c, gradients.k] {
            panel.expect(1, r.columns)
        }
        unsafe S.forecastRowsBackward(
            r.columns, r.rows, pointer(a), pointer(b), pointer(k), dense(r), dense(dr),
            da: pointer(gradients.a), db: pointer(gradients.b), dc: pointer(gradients.c),
            dk: pointer(gradients.k))
    }

    // MARK: Causal convolution

    /// Elements of scratch that a convolution of rows of `length` needs.
    package static func convolutionScratch(length: Int) -> Int { ck_convolution_scratch(length) }

    /// `y_t = Σ_{j≤t} k_j x_{t−j}` for every row, with one kernel or with two that share x.
    ///
    /// - Parameters:
    ///   - x: `[rows, length]`
    ///   - kernels: Each `[1, length]`.
    ///   - outputs: As many as kernels, `[rows, length]`, of one stride.
    ///   - scratch: At least `convolutionScratch(length:)` elements.
    package func convolve(
        _ x: Panel, kernels: (Panel, Panel?), into outputs: (Panel, Panel?), scratch: Panel
    ) {
        expectConvolution(x, kernels, outputs, scratch)
        unsafe S.convolve(
            x.rows, x.columns, pointer(x), strideX: x.stride, pointer(kernels.0),
            kernels.1.map { unsafe pointer($0) }, into: pointer(outputs.0),
            outputs.1.map { unsafe pointer($0) }, strideY: outputs.0.stride,
            scratch: pointer(scratch))
    }

    /// The adjoint of `convolve`: adds to dx, where there is one, and to the kernels' gradients.
    package func convolveBackward(
        _ x: Panel, kernels: (Panel, Panel?), dy: (Panel, Panel?), into dx: Panel?,
        dkernels: (Panel, Panel?), scratch: Panel
    ) {
        expectConvolution(x, kernels, dy, scratch)
        dx?.expect(x.rows, x.columns)
        dkernels.0.expect(1, x.columns)
        dkernels.1?.expect(1, x.columns)
        precondition((kernels.1 == nil) == (dkernels.1 == nil), "convolveBackward: one of two")
        unsafe S.convolveBackward(
            x.rows, x.columns, pointer(x), strideX: x.stride, pointer(kernels.0),
            kernels.1.map { unsafe pointer($0) }, pointer(dy.0), dy.1.map { unsafe pointer($0) },
            strideY: dy.0.stride, into: dx.map { unsafe pointer($0) }, strideDX: dx?.stride ?? 0,
            dk1: pointer(dkernels.0), dk2: dkernels.1.map { unsafe pointer($0) },
            scratch: pointer(scratch))
    }

    private func expectConvolution(
        _ x: Panel, _ kernels: (Panel, Panel?), _ y: (Panel, Panel?), _ scratch: Panel
    ) {
        kernels.0.expect(1, x.columns)
        kernels.1?.expect(1, x.columns)
        y.0.expect(x.rows, x.columns)
        y.1?.expect(x.rows, x.columns)
        precondition(
            (kernels.1 == nil) == (y.1 == nil) && (y.1 == nil || y.1?.stride == y.0.stride),
            "convolve: two kernels and two outputs of one stride, or one of each")
        let needed = Self.convolutionScratch(length: x.columns)
        precondition(scratch.count >= needed, "convolve: scratch \(scratch.count) < \(needed)")
        _ = unsafe dense(scratch)
    }

    /// `z (+)= factor·a·b` for complex numbers, real and imaginary parts in turn, or times the
    /// conjugate of b.
    package func multiplySpectra(
        _ a: Panel, _ b: Panel, into z: Panel, times factor: S = 1, conjugateB: Bool = false,
        adding: Bool = false
    ) {
        for panel in [b, z] { panel.expect(1, a.columns) }
        unsafe S.multiplySpectra(
            a.columns / 2, factor, pointer(a), pointer(b), into: pointer(z), conjugate: conjugateB,
            adding: adding)
    }

    // MARK: Preprocessing

    /// Four differences and four moving-average residuals of x.
    ///
    /// - Parameters:
    ///   - x: `[1, length]`
    ///   - windows: Lengths of the four averages, each above zero.
    ///   - y: `[8, length]`
    ///   - scratch: At least `2·(length + 1)` elements.
    package func preprocess(_ x: Panel, windows: [Int64], into y: Panel, scratch: Panel) {
        expectPreprocessing(x, windows, y, scratch)
        unsafe windows.withUnsafeBufferPointer { windows in
            guard let windows = windows.baseAddress else { return }
            unsafe S.preprocess(
                x.columns, pointer(x), windows: windows, into: pointer(y), stride: y.stride,
                scratch: dense(scratch))
        }
    }

    /// The adjoint of `preprocess`; dx is overwritten.
    package func preprocessBackward(
        _ dy: Panel, windows: [Int64], into dx: Panel, scratch: Panel
    ) {
        expectPreprocessing(dx, windows, dy, scratch)
        unsafe windows.withUnsafeBufferPointer { windows in
            guard let windows = windows.baseAddress else { return }
            unsafe S.preprocessBackward(
                dx.columns, pointer(dy), stride: dy.stride, windows: windows, into: pointer(dx),
                scratch: dense(scratch))
        }
    }

    private func expectPreprocessing(
        _ x: Panel, _ windows: [Int64], _ y: Panel, _ scratch: Panel
    ) {
        x.expect(1, x.columns)
        y.expect(8, x.columns)
        precondition(windows.count == 4 && windows.allSatisfy { $0 > 0 }, "preprocess: \(windows)")
        precondition(scratch.count >= 2 * (x.columns + 1), "preprocess: scratch \(scratch.count)")
    }
}
