/// The memory in which one signal is convolved with the kernels of a group.
///
/// The 84 kernels of a group differ in three places only: what they have in common is summed once.
struct KernelResponses {
    private typealias Lane = SIMD16<Float>
    private static let width = 16

    private let count: Int
    /// `count` rounded up to whole lanes.
    private let padded: Int
    private var dilation = 1
    /// The sum of leads with zeros on both sides, `[padded + 8·dilation]`.
    private var signal: [Float] = []
    /// The sum of all nine samples under the kernel, `[padded]`.
    private var common: [Float]
    /// What `convolve` gave, `[padded]`; −∞ where there is no sample.
    private var responses: [Float]

    init(samples: Int) {
        count = samples
        padded = (samples + Self.width - 1) / Self.width * Self.width
        common = [Float](repeating: 0, count: padded)
        responses = common
    }

    /// Takes the sum of the leads of a window for the next convolutions.
    ///
    /// - Parameters:
    ///   - window: `[leads, samples]`
    ///   - weights: `[leads]`
    ///   - dilation: Between the kernel's weights, in samples.
    mutating func combine(_ window: [Float], _ weights: [Float], dilation: Int) {
        precondition(window.count == weights.count * count, "KernelResponses: \(window.count)")
        self.dilation = dilation
        let edge = 4 * dilation
        signal = [Float](repeating: 0, count: padded + 2 * edge)
        for (lead, weight) in weights.enumerated() where weight != 0 {
            for i in 0..<count { signal[edge + i] += weight * window[lead * count + i] }
        }
        let padded = padded
        unsafe signal.withUnsafeBufferPointer { signal in
            unsafe common.withUnsafeMutableBufferPointer { common in
                for start in stride(from: 0, to: padded, by: Self.width) {
                    var sum = unsafe Self.lane(signal, start)
                    for tap in 1..<RocketKernels.length {
                        sum += unsafe Self.lane(signal, start + tap * dilation)
                    }
                    unsafe Self.store(sum, common, start)
                }
            }
        }
    }

    /// Convolves with the kernel whose weights of 2 stand at `pattern`.
    ///
    /// - Parameters:
    ///   - pattern: Three of 0…8.
    ///   - first: Samples before it do not exist.
    mutating func convolve(_ pattern: [Int], from first: Int) {
        let taps = (pattern[0] * dilation, pattern[1] * dilation, pattern[2] * dilation)
        let padded = padded
        unsafe signal.withUnsafeBufferPointer { signal in
            unsafe common.withUnsafeBufferPointer { common in
                unsafe responses.withUnsafeMutableBufferPointer { responses in
                    for start in stride(from: 0, to: padded, by: Self.width) {
                        var sum = unsafe Self.lane(signal, start + taps.0)
                        sum += unsafe Self.lane(signal, start + taps.1)
                        sum += unsafe Self.lane(signal, start + taps.2)
                        sum = unsafe 3 * sum - Self.lane(common, start)
                        unsafe Self.store(sum, responses, start)
                    }
                }
            }
        }
        for i in 0..<first { responses[i] = -.infinity }
        for i in count..<padded { responses[i] = -.infinity }
    }

    /// The responses to the samples from `first` on.
    func values(from first: Int) -> ArraySlice<Float> { responses[first..<count] }

    /// The share of the samples from `first` on whose response is above `bound`.
    func shareAbove(_ bound: Float, from first: Int) -> Float {
        let padded = padded
        let above = unsafe responses.withUnsafeBufferPointer { responses in
            var counts = SIMD16<Int32>(repeating: 0)
            for start in stride(from: 0, to: padded, by: Self.width) {
                let isAbove = unsafe Self.lane(responses, start) .> bound
                counts.replace(with: counts &+ 1, where: isAbove)
            }
            return counts.wrappedSum()
        }
        return Float(above) / Float(count - first)
    }

    /// The largest response.
    var maximum: Float {
        let padded = padded
        return unsafe responses.withUnsafeBufferPointer { responses in
            var largest = Lane(repeating: -.infinity)
            for start in stride(from: 0, to: padded, by: Self.width) {
                let lane = unsafe Self.lane(responses, start)
                largest.replace(with: lane, where: lane .> largest)
            }
            return largest.max()
        }
    }

    private static func lane(_ values: UnsafeBufferPointer<Float>, _ start: Int) -> Lane {
        unsafe UnsafeRawBufferPointer(values).loadUnaligned(
            fromByteOffset: 4 * start, as: Lane.self)
    }

    private static func store(
        _ lane: Lane, _ values: UnsafeMutableBufferPointer<Float>, _ start: Int
    ) {
        unsafe UnsafeMutableRawBufferPointer(values).storeBytes(
            of: lane, toByteOffset: 4 * start, as: Lane.self)
    }
}
