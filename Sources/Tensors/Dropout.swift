internal import CKernels

/// Which elements of an array a dropout keeps: a fixed function of a key and the element's number,
/// so that the backward pass needs no stored mask and the number of threads changes nothing.
package struct Dropout: Sendable, Equatable {
    /// Of the step and the layer.
    let key: UInt64
    /// Number of the array's first element.
    let offset: Int
    /// Share of the elements that become 0, in 0..<1.
    package let probability: Double
    /// What the others are multiplied by.
    let scale: Double

    /// Keeps everything.
    package static let none = Dropout(key: 0, probability: 0)

    /// Divides what it keeps by `1 - probability`, which traps unless it lies in 0..<1, or multiplies it by
    /// `scale` where that is given.
    package init(key: UInt64, probability: Double, scale: Double? = nil) {
        self.init(
            key: key, offset: 0, probability: probability, scale: scale ?? 1 / (1 - probability))
    }

    private init(key: UInt64, offset: Int, probability: Double, scale: Double) {
        precondition(probability >= 0 && probability < 1, "Dropout: probability \(probability)")
        precondition(offset >= 0 && offset < 1 << 32, "Dropout: element \(offset)")
        self.key = key
        self.offset = offset
        self.probability = probability
        self.scale = scale
    }

    /// The same dropout for an array that starts at element `offset` of the whole.
    package func from(_ offset: Int) -> Dropout {
        Dropout(
            key: key, offset: self.offset + offset, probability: probability, scale: scale)
    }

    var raw: ck_dropout {
        var raw = ck_dropout()
        raw.key = (UInt32(truncatingIfNeeded: key), UInt32(truncatingIfNeeded: key >> 32))
        raw.offset = UInt32(offset)
        raw.threshold = min(0xFFFF, UInt32((probability * 0x1p16).rounded()))
        raw.scale = scale
        return raw
    }
}

/// The numbers of one AdamW update that are the same for all parameters of a group.
package struct AdamWStep: Sendable {
    /// What every gradient is multiplied by: the clipping.
    package var factor: Double
    package var rate: Double
    package var decay: Double
    package var beta1: Double
    package var beta2: Double
    /// `1 - beta1^step` and `1 - beta2^step`.
    package var correction1: Double
    package var correction2: Double
    package var epsilon: Double

    package init(
        factor: Double, rate: Double, decay: Double, beta1: Double, beta2: Double,
        correction1: Double, correction2: Double, epsilon: Double
    ) {
        self.factor = factor
        self.rate = rate
        self.decay = decay
        self.beta1 = beta1
        self.beta2 = beta2
        self.correction1 = correction1
        self.correction2 = correction2
        self.epsilon = epsilon
    }
}
