internal import Foundation

/// The factors of a complex transform of `2·block` numbers whose length is a power of 4, pass by pass.
package struct TransformFactors<S: Scalar>: Sendable {
    /// Half the length of the transforms.
    package let block: Int
    let values: [S]

    /// Traps unless twice the block is a power of 4.
    package init(block: Int) {
        let length = 2 * block
        precondition(
            length >= 4 && length.nonzeroBitCount == 1 && length.trailingZeroBitCount % 2 == 0,
            "TransformFactors: a block of \(block)")
        self.block = block
        var values: [S] = []
        var quarter = length / 4
        while quarter > 0 {
            for j in 0..<quarter {
                for power in 1...3 {
                    let angle = -2 * Double.pi * Double(j * power) / Double(4 * quarter)
                    values.append(S(cos(angle)))
                    values.append(S(sin(angle)))
                }
            }
            quarter /= 4
        }
        self.values = values
    }
}
