/// Updates the numbers in `range` of all four vectors by one step of AdamW.
///
/// - Parameters:
///   - parameters: What is trained.
///   - gradient: Of the same length.
///   - first: The first moment, of the same length.
///   - second: The second moment, of the same length.
///   - range: Which elements; traps where it leaves one of the vectors.
///   - step: Rates, decay and corrections.
package func adamW<S: Scalar>(
    _ parameters: inout [S], _ gradient: [S], _ first: inout [S], _ second: inout [S],
    _ range: Range<Int>, _ step: AdamWStep
) {
    let count = parameters.count
    precondition(
        gradient.count == count && first.count == count && second.count == count
            && range.lowerBound >= 0 && range.upperBound <= count, "adamW: \(range) of \(count)")
    unsafe parameters.withUnsafeMutableBufferPointer { theta in
        unsafe gradient.withUnsafeBufferPointer { gradient in
            unsafe first.withUnsafeMutableBufferPointer { first in
                unsafe second.withUnsafeMutableBufferPointer { second in
                    guard let theta = theta.baseAddress, let gradient = gradient.baseAddress,
                        let first = first.baseAddress, let second = second.baseAddress
                    else { return }
                    let start = range.lowerBound
                    unsafe S.adamW(
                        range.count, theta + start, gradient: gradient + start,
                        first: first + start, second: second + start, step)
                }
            }
        }
    }
}

extension Array where Element: Scalar {
    /// The square root of the sum of squares, accumulated in `Double`.
    package var euclideanNorm: Double {
        unsafe withUnsafeBufferPointer { values in
            guard let start = values.baseAddress else { return 0 }
            return unsafe Element.dot(values.count, start, start).squareRoot()
        }
    }
}
