internal import CKernels

/// The memory of one computation, allocated once: a steady state allocates nothing.
///
/// `@unchecked Sendable`: threads of a `Team` work in one workspace at the same time. That is sound
/// because every operation touches only the panels it is given, and whoever plans parallel work
/// gives no two items a panel in common that one of them writes. `@safe`: the memory is freed by
/// `deinit` alone, and every access is checked against its capacity.
@safe package final class Workspace<S: Scalar>: @unchecked Sendable {
    private let base: UnsafeMutablePointer<S>
    private let capacity: Int

    /// Memory for everything that `layout` has handed out, all zeros.
    package init(_ layout: WorkspaceLayout) {
        capacity = layout.count
        let bytes = max(1, capacity) * MemoryLayout<S>.stride
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        // All zero bytes are the number 0.
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        unsafe base = memory.bindMemory(to: S.self, capacity: max(1, capacity))
    }

    /// Memory that holds anything at all, for a computation that writes whatever it reads.
    package init(uncleared layout: WorkspaceLayout) {
        capacity = layout.count
        let bytes = max(1, capacity) * MemoryLayout<S>.stride
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        unsafe base = memory.bindMemory(to: S.self, capacity: max(1, capacity))
    }

    deinit { unsafe base.deallocate() }

    /// Where a panel starts; traps where it does not lie in this workspace.
    @unsafe func pointer(_ panel: Panel) -> UnsafeMutablePointer<S> {
        precondition(
            panel.offset >= 0 && panel.end <= capacity,
            "Workspace: a panel up to \(panel.end) of \(capacity)")
        return unsafe base + panel.offset
    }

    /// Where a panel without gaps starts.
    @unsafe func dense(_ panel: Panel) -> UnsafeMutablePointer<S> {
        precondition(panel.isContiguous, "Workspace: a panel with gaps")
        return unsafe pointer(panel)
    }

    // MARK: In and out

    /// Sets every number of a panel.
    package func fill(_ panel: Panel, with value: S = 0) {
        let (runs, length) = Panel.runs(panel)
        for i in 0..<runs {
            unsafe S.fill(length, with: value, into: pointer(panel) + i * panel.stride)
        }
    }

    /// Copies a panel without gaps from an array, starting at `start`.
    package func load(_ panel: Panel, from values: [S], at start: Int = 0) {
        precondition(
            start >= 0 && start + panel.count <= values.count,
            "Workspace: \(panel.count) numbers from \(start) of \(values.count)")
        let target = unsafe dense(panel)
        unsafe values.withUnsafeBufferPointer { values in
            guard let source = values.baseAddress else { return }
            unsafe copyElements(source + start, to: target, count: panel.count)
        }
    }

    /// Copies a panel without gaps into an array, starting at `start`.
    package func store(_ panel: Panel, into values: inout [S], at start: Int = 0) {
        precondition(
            start >= 0 && start + panel.count <= values.count,
            "Workspace: \(panel.count) numbers to \(start) of \(values.count)")
        let source = unsafe dense(panel)
        unsafe values.withUnsafeMutableBufferPointer { values in
            guard let target = values.baseAddress else { return }
            unsafe copyElements(source, to: target + start, count: panel.count)
        }
    }

    /// The numbers of a panel, row by row.
    package func values(_ panel: Panel) -> [S] {
        var result = [S](repeating: 0, count: panel.count)
        for row in 0..<panel.rows {
            store(panel.row(row), into: &result, at: row * panel.columns)
        }
        return result
    }

    /// One number.
    package subscript(panel: Panel, row: Int, column: Int) -> S {
        get { unsafe pointer(panel.row(row).columns(column..<column + 1)).pointee }
        set { unsafe pointer(panel.row(row).columns(column..<column + 1)).pointee = newValue }
    }

    /// Copies one panel to another of the same extents.
    package func copy(_ source: Panel, to target: Panel) {
        target.expect(source.rows, source.columns)
        let (runs, length) = Panel.runs(source, target)
        for i in 0..<runs {
            unsafe copyElements(
                pointer(source) + i * source.stride, to: pointer(target) + i * target.stride,
                count: length)
        }
    }

    // MARK: Products and sums

    /// `C ← α·op(A)·op(B) + β·C`.
    package func multiply(
        _ a: Panel, _ b: Panel, into c: Panel, transposeA: Bool = false, transposeB: Bool = false,
        alpha: S = 1, beta: S = 0
    ) {
        let (rows, inner) = transposeA ? (a.columns, a.rows) : (a.rows, a.columns)
        let (innerB, columns) = transposeB ? (b.columns, b.rows) : (b.rows, b.columns)
        precondition(
            inner == innerB && c.rows == rows && c.columns == columns,
            "Workspace: \(rows)×\(inner) by \(innerB)×\(columns) into \(c.rows)×\(c.columns)")
        guard c.count > 0, inner > 0 else { return }
        let size = ProductSize(
            rows: rows, columns: columns, inner: inner, transposeA: transposeA,
            transposeB: transposeB, strides: (a.stride, b.stride, c.stride))
        unsafe S.multiply(size, alpha: alpha, pointer(a), pointer(b), beta: beta, into: pointer(c))
    }

    /// `y ← y + factor·x`.
    package func add(_ x: Panel, to y: Panel, times factor: S = 1) {
        y.expect(x.rows, x.columns)
        if x.isContiguous && y.isContiguous {
            unsafe S.addScaled(x.count, factor, pointer(x), to: pointer(y))
        } else {
            for row in 0..<x.rows {
                unsafe S.addScaled(x.columns, factor, pointer(x.row(row)), to: pointer(y.row(row)))
            }
        }
    }

    /// `y ← alpha·x + beta·y + constant`, for panels without gaps.
    package func combine(_ alpha: S, _ x: Panel, _ beta: S, _ y: Panel, plus constant: S = 0) {
        y.expect(x.rows, x.columns)
        unsafe S.combine(x.count, alpha, dense(x), beta, constant, into: dense(y))
    }

    /// `Σ x·y`, for panels without gaps.
    package func dot(_ x: Panel, _ y: Panel) -> Double {
        y.expect(x.rows, x.columns)
        return unsafe S.dot(x.count, dense(x), dense(y))
    }

    /// The sum of a panel without gaps.
    package func sum(_ x: Panel) -> Double { unsafe S.sum(x.count, dense(x)) }

    /// `Σ (x − y)²`; the panels may have gaps.
    package func squaredDistance(_ x: Panel, _ y: Panel) -> Double {
        y.expect(x.rows, x.columns)
        var total = 0.0
        for row in 0..<x.rows {
            total += unsafe S.squaredDistance(x.columns, pointer(x.row(row)), pointer(y.row(row)))
        }
        return total
    }
}

/// Copies numbers as bytes: `update(from:)` would go through a witness for each of them here, where
/// the type is not known.
@unsafe private func copyElements<S: Scalar>(
    _ source: UnsafePointer<S>, to target: UnsafeMutablePointer<S>, count: Int
) {
    unsafe UnsafeMutableRawPointer(target).copyMemory(
        from: source, byteCount: count * MemoryLayout<S>.stride)
}
