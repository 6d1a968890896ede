internal import Foundation
package import Tensors

/// The learning rate over the steps of a training: linear warm-up, then a cosine to the floor.
///
/// - Source: Loshchilov, Hutter, ICLR 2017 (SGDR) for the cosine; Goyal et al. 2017 for the warm-up.
package struct LearningRateSchedule: Sendable, Equatable {
    package let peak: Double
    /// The rate that the cosine ends at, as a share of the peak.
    package let floor: Double
    package let steps: Int
    package let warmupSteps: Int

    /// - Parameters:
    ///   - peak: The highest rate.
    ///   - steps: How many steps the training has at most, above zero.
    ///   - floor: The last rate as a share of the peak.
    ///   - warmup: The share of the steps that warm up; at least one step does.
    package init(peak: Double, steps: Int, floor: Double = 0.01, warmup: Double = 0.05) {
        precondition(steps > 0, "LearningRateSchedule: \(steps) steps")
        self.peak = peak
        self.floor = floor
        self.steps = steps
        warmupSteps = max(1, Int((warmup * Double(steps)).rounded(.up)))
    }

    /// The rate as a share of the peak, at a step from 0 on; the floor after the last one.
    package func fraction(at step: Int) -> Double {
        if step < warmupSteps { return Double(step + 1) / Double(warmupSteps) }
        let progress = Double(step - warmupSteps) / Double(max(1, steps - warmupSteps))
        return floor + (1 - floor) * 0.5 * (1 + cos(.pi * min(1, progress)))
    }

    /// The rate at a step.
    package func rate(at step: Int) -> Double { peak * fraction(at: step) }
}

/// Adam with decoupled weight decay, bias-corrected, after clipping by the global norm.
///
/// - Source: Loshchilov, Hutter, ICLR 2019, algorithm 2; clipping by Pascanu et al., ICML 2013.
package struct AdamW<S: Scalar>: Sendable {
    package let schedule: LearningRateSchedule
    package let weightDecay: Double
    /// The largest global norm a gradient keeps.
    package let clip: Double
    package let beta1 = 0.9
    package let beta2 = 0.999
    package let epsilon = 1e-8
    /// Names whose peak rate is limited, and by what: the dynamics of diagonal state spaces.
    package let rateLimits: [String: Double]
    /// What an update depends on besides the parameters and their gradient.
    package private(set) var memory: Memory

    /// Updates made so far.
    package var step: Int { memory.step }

    /// The moving averages of all updates so far.
    package struct Memory: Sendable, Equatable {
        /// Of the gradient, `[layout.count]`.
        package fileprivate(set) var first: [S]
        /// Of its square, `[layout.count]`.
        package fileprivate(set) var second: [S]
        /// Updates made so far.
        package fileprivate(set) var step: Int

        /// Traps unless both averages have as many numbers, and the steps are not below 0.
        package init(first: [S], second: [S], step: Int) {
            precondition(
                first.count == second.count && step >= 0,
                "AdamW: \(first.count) and \(second.count) averages after \(step) steps")
            self.first = first
            self.second = second
            self.step = step
        }
    }

    package init(
        _ layout: ParameterLayout, schedule: LearningRateSchedule, weightDecay: Double,
        clip: Double = 1, rateLimits: [String: Double] = [:]
    ) {
        self.schedule = schedule
        self.weightDecay = weightDecay
        self.clip = clip
        self.rateLimits = rateLimits
        let zeros = [S](repeating: 0, count: layout.count)
        memory = Memory(first: zeros, second: zeros, step: 0)
    }

    /// Goes on where another optimiser of the same layout stopped.
    package mutating func resume(_ memory: Memory) {
        precondition(
            memory.first.count == self.memory.first.count,
            "AdamW: \(memory.first.count) averages for \(self.memory.first.count) parameters")
        self.memory = memory
    }

    /// One update; returns the gradient's norm before clipping and the rate that was used.
    package mutating func update(
        _ parameters: inout Parameters<S>, _ gradient: Parameters<S>
    ) -> (norm: Double, rate: Double) {
        precondition(parameters.layout == gradient.layout, "AdamW: a gradient of another model")
        let norm = gradient.values.euclideanNorm
        let fraction = schedule.fraction(at: step)
        memory.step += 1
        var numbers = AdamWStep(
            factor: min(1, clip / (norm + 1e-6)), rate: 0, decay: 0, beta1: beta1, beta2: beta2,
            correction1: 1 - pow(beta1, Double(step)), correction2: 1 - pow(beta2, Double(step)),
            epsilon: epsilon)
        for slot in parameters.layout.slots {
            let limit = rateLimits[slot.name] ?? .infinity
            numbers.rate = min(schedule.peak, limit) * fraction
            numbers.decay = slot.isDecayed ? weightDecay : 0
            adamW(
                &parameters.values, gradient.values, &memory.first, &memory.second, slot.range,
                numbers)
        }
        return (norm, schedule.peak * fraction)
    }
}
