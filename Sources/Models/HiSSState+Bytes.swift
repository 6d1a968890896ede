internal import Tensors

/// A state as it is stored: numbers of four bytes in a row, the lowest byte first.
///
/// Version, samples (two), levels, inputs, states, how many of the states are zeros before the first other
/// one, the steps of the levels, the sample before, and the states behind those zeros. A stream is nearly
/// always stored behind a prediction, where all levels but the last have begun anew.
extension HiSSState<Float> {
    /// What `init(bytes:)` reads.
    package var bytes: [UInt8] {
        let zeros = values.firstIndex { $0.bitPattern != 0 } ?? values.count
        let count = UInt64(samples)
        var words = [
            UInt32(version), UInt32(truncatingIfNeeded: count), UInt32(count >> 32),
            UInt32(steps.count), UInt32(before.count), UInt32(values.count), UInt32(zeros),
        ]
        words += steps.map { UInt32($0) }
        words += before.map { $0.bitPattern }
        words += values[zeros...].map { $0.bitPattern }
        return StateWords(words).bytes
    }

    /// Reads what `bytes` gave.
    ///
    /// - Parameter bytes: All of them.
    /// - Throws: `HiSSStateError.damaged`, or `.version` where a newer program wrote them; whether they
    ///   belong to a network `PreparedHiSS.check` says.
    package init(bytes: [UInt8]) throws(HiSSStateError) {
        guard let words = StateWords(bytes: bytes)?.words, words.count >= 7 else { throw .damaged }
        guard words[0] == UInt32(Self.currentVersion) else {
            throw .version(found: Int(words[0]))
        }
        let (levels, inputs, count) = (Int(words[3]), Int(words[4]), Int(words[5]))
        let zeros = Int(words[6])
        // Sums of four numbers below 2^32 fit.
        guard zeros <= count, words.count == 7 + levels + inputs + count - zeros,
            count <= Self.valuesMaximum, words[2] < 1 << 31
        else { throw .damaged }
        self.init(levels: levels, inputs: inputs, count: count)
        samples = Int(words[2]) << 32 | Int(words[1])
        steps = words[7..<7 + levels].map { Int($0) }
        before = words[7 + levels..<7 + levels + inputs].map { Float(bitPattern: $0) }
        values.replaceSubrange(
            zeros..., with: words[(7 + levels + inputs)...].map { Float(bitPattern: $0) })
    }

    /// A state of more numbers is none of ours.
    private static var valuesMaximum: Int { 1 << 26 }
}

/// Numbers of four bytes, the lowest byte first.
package struct StateWords: Sendable, Equatable {
    package let words: [UInt32]

    package init(_ words: [UInt32]) { self.words = words }

    /// nil unless the bytes are whole words.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count % 4 == 0 else { return nil }
        var words: [UInt32] = []
        words.reserveCapacity(bytes.count / 4)
        var (word, place) = (UInt32(0), UInt32(0))
        for byte in bytes {
            word |= UInt32(byte) << place
            place += 8
            if place == 32 {
                words.append(word)
                (word, place) = (0, 0)
            }
        }
        self.words = words
    }

    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 * words.count)
        for word in words {
            for place in stride(from: UInt32(0), to: 32, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> place))
            }
        }
        return bytes
    }
}
