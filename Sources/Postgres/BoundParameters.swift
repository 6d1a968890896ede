/// The parameters of one statement laid out as libpq wants them.
struct BoundParameters {
    private var arena: [CChar] = []
    private var starts: [Int?] = []
    private var lengths: [Int32] = []
    private var formats: [Int32] = []

    /// - Throws: SQLSTATE 54023 for too many parameters, 22021 for a text that holds a NUL.
    init(_ parameters: [SQLParameter]) throws(PostgresError) {
        guard parameters.count <= Limits.parametersMaximum else {
            throw PostgresError.tooManyParameters(parameters.count)
        }
        for parameter in parameters {
            switch parameter {
            case .null:
                starts.append(nil)
                lengths.append(0)
                formats.append(0)
            case .text(let text):
                // libpq reads a text up to its first NUL and would drop the rest in silence.
                guard !text.utf8.contains(0) else { throw PostgresError.nulInText }
                starts.append(arena.count)
                lengths.append(0)
                formats.append(0)
                arena.append(contentsOf: text.utf8.lazy.map { CChar(bitPattern: $0) })
                arena.append(0)
            case .binary(let bytes):
                starts.append(arena.count)
                lengths.append(Int32(clamping: bytes.count))
                formats.append(1)
                arena.append(contentsOf: bytes.lazy.map { CChar(bitPattern: $0) })
                arena.append(0)
            }
        }
    }

    /// Lends the C arrays for the time of one call.
    ///
    /// - Parameter body: Gets the count, the values, the lengths and the formats.
    /// - Returns: What `body` returns.
    func withPointers<T>(
        _ body: (
            Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?,
            UnsafePointer<Int32>?
        ) -> T
    ) -> T {
        unsafe arena.withUnsafeBufferPointer { arena in
            // Valid inside this closure only, as the arena is.
            let values = unsafe starts.map { start in
                unsafe start.flatMap { offset in unsafe arena.baseAddress.map { unsafe $0 + offset }
                }
            }
            return unsafe values.withUnsafeBufferPointer { values in
                unsafe lengths.withUnsafeBufferPointer { lengths in
                    unsafe formats.withUnsafeBufferPointer { formats in
                        unsafe body(
                            Int32(values.count), values.baseAddress, lengths.baseAddress,
                            formats.baseAddress)
                    }
                }
            }
        }
    }
}
