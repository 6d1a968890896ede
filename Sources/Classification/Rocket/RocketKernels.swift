internal import Tensors

/// Random convolutions of a recording, each told by how often it exceeds some bounds and how far it
/// goes.
///
/// Every kernel has nine weights, three of them 2 and six of them −1, so that a constant gives 0; the
/// 84 ways to place the three are all used, at several dilations, each on a random sum of leads with
/// random signs.
///
/// - Source: Dempster, Schmidt, Webb, "MiniRocket", KDD 2021; leads with signs and the maximum, which
///   their successor Rocket had, are for voltages.
struct RocketKernels: Sendable {
    /// How many places the three weights of 2 can take among nine.
    static let patternCount = 84
    static let length = 9
    /// `[84][3]`
    static let patterns: [[Int]] = (0..<length).flatMap { a in
        (a + 1..<length).flatMap { b in (b + 1..<length).map { c in [a, b, c] } }
    }

    /// What the kernels are, but for their bounds.
    struct Plan: Hashable, Sendable, Codable {
        /// 84 kernels on one signal.
        struct Group: Hashable, Sendable, Codable {
            let dilation: Int
            /// Of the leads in the signal, one a lead; in 1/mV.
            let weights: [Float]
        }

        let groups: [Group]
        /// Bounds of one kernel.
        let bounds: Int

        /// Numbers that describe a recording: of every kernel its shares above bounds, and its
        /// maximum.
        var featureCount: Int { groups.count * patternCount * (bounds + 1) }
    }

    let plan: Plan
    /// `[groups, 84, bounds]`
    let bounds: [Float]

    /// The features of a recording: the mean over its windows, `[featureCount]`.
    func features(_ recording: PreparedECG) -> [Float] {
        var sums = [Float](repeating: 0, count: plan.featureCount)
        for window in recording.windows {
            var responses = KernelResponses(samples: recording.sampleCount)
            var place = 0
            for (number, group) in plan.groups.enumerated() {
                responses.combine(window, group.weights, dilation: group.dilation)
                for pattern in 0..<Self.patternCount {
                    responses.convolve(Self.patterns[pattern], from: recording.padding)
                    let first = (number * Self.patternCount + pattern) * plan.bounds
                    for bound in bounds[first..<first + plan.bounds] {
                        sums[place] += responses.shareAbove(bound, from: recording.padding)
                        place += 1
                    }
                    sums[place] += responses.maximum
                    place += 1
                }
            }
        }
        let share = 1 / Float(recording.windows.count)
        return sums.map { $0 * share }
    }
}

extension RocketKernels {
    /// Sizes of a random set of kernels.
    struct Sizes: Hashable, Sendable {
        /// Distances between the weights of a kernel, in samples.
        var dilations = [1, 2, 4, 8, 16, 32, 64]
        /// Sums of leads at each dilation.
        var groupsPerDilation = 6
        /// Bounds of one kernel.
        var bounds = 2
        /// Recordings whose responses the bounds of a kernel are quantiles of.
        var sampled = 4
    }

    /// Draws kernels, and takes their bounds from the recordings that they will describe.
    ///
    /// - Parameters:
    ///   - sizes: How many.
    ///   - recordings: Without labels; at least one.
    ///   - threads: Kernels that are measured at once.
    ///   - random: Which.
    init(
        drawing sizes: Sizes, from recordings: [PreparedECG], threads: Int,
        _ random: inout RandomStream
    ) {
        precondition(!recordings.isEmpty, "RocketKernels: no recording")
        let scales = Self.deviations(recordings)
        let dilations = sizes.dilations.flatMap {
            repeatElement($0, count: sizes.groupsPerDilation)
        }
        let groups = dilations.map { Self.group($0, scales, &random) }
        let plan = Plan(groups: groups, bounds: sizes.bounds)
        let streams = groups.indices.map { random.stream(UInt64($0)) }
        let rows = ParallelMap.map(groups.count, threads: threads) { number in
            Self.bounds(of: groups[number], sizes, recordings, streams[number])
        }
        self.init(plan: plan, bounds: rows.flatMap { $0 })
    }

    /// Of each lead over all recordings, in millivolts.
    private static func deviations(_ recordings: [PreparedECG]) -> [Float] {
        recordings[0].leads.indices.map { lead in
            var (sum, count) = (0.0, 0)
            for recording in recordings {
                let start = lead * recording.sampleCount
                for value in recording.windows[0][start..<start + recording.sampleCount] {
                    sum += Double(value * value)
                }
                count += recording.sampleCount
            }
            return Float(max(1e-3, (sum / Double(count)).squareRoot()))
        }
    }

    /// A random sum of one to twelve leads, few more often than many.
    private static func group(
        _ dilation: Int, _ scales: [Float], _ random: inout RandomStream
    ) -> Plan.Group {
        var order = Array(scales.indices)
        random.shuffle(&order)
        var count = 1
        while count * 2 <= scales.count, random.uniform() < 0.72 { count *= 2 }
        count = min(scales.count, count + random.integer(below: count))
        var weights = [Float](repeating: 0, count: scales.count)
        for lead in order.prefix(count) {
            let sign: Float = random.uniform() < 0.5 ? -1 : 1
            weights[lead] = sign / (scales[lead] * Float(count).squareRoot())
        }
        return Plan.Group(dilation: dilation, weights: weights)
    }

    /// Quantiles of the responses of 84 kernels, `[84, bounds]`.
    private static func bounds(
        of group: Plan.Group, _ sizes: Sizes, _ recordings: [PreparedECG], _ stream: RandomStream
    ) -> [Float] {
        var random = stream
        let chosen = (0..<sizes.sampled).map { _ in
            recordings[random.integer(below: recordings.count)]
        }
        var values = [[Float]](repeating: [], count: patternCount)
        for recording in chosen {
            var responses = KernelResponses(samples: recording.sampleCount)
            responses.combine(recording.windows[0], group.weights, dilation: group.dilation)
            for pattern in 0..<patternCount {
                responses.convolve(patterns[pattern], from: recording.padding)
                values[pattern] += responses.values(from: recording.padding)
            }
        }
        return values.flatMap { responses in
            let sorted = responses.sorted()
            return (0..<sizes.bounds).map { _ in
                sorted[Int((0.05 + 0.9 * random.uniform()) * Double(sorted.count - 1))]
            }
        }
    }
}
