import Foundation
package import Series
import Tensors

/// A made-up electrocardiogram of twelve leads, sample by sample, for as long as one likes.
///
/// A point runs round a circle, once a beat; five waves at fixed angles (P, Q, R, S, T) move the
/// heart's dipole in three directions as it passes; twelve leads see the dipole by a fixed matrix. How
/// long a beat takes varies as in people: with a slow rhythm of 0.1 Hz (blood pressure) and a quicker
/// one of 0.25 Hz (breath). The same seed gives the same numbers.
///
/// - Source: McSharry, Clifford, Tarassenko, Smith 2003, "A dynamical model for generating synthetic
///   electrocardiogram signals", equations 1 to 4; the dipole and its amplitudes in millivolts after
///   Sameni, Clifford, Jutten, Shamsollahi 2007; the leads by Dower's matrix (1980).
package struct ECGModel: Sendable {
    /// What heart, and what recorder.
    package struct Options: Sendable {
        package var rate = SamplingRate(500)
        /// Mean and standard deviation, in beats a minute.
        package var heartRate = 65.0
        package var heartRateDeviation = 3.0
        /// Power of the slow rhythm to that of the quick one.
        package var slowToQuick = 0.5
        /// Sum of slow swings under 0.5 Hz, the hum of the mains, and noise, in millivolts.
        package var wander = 0.05
        package var mains = 0.01
        package var mainsHertz = 50.0
        package var muscle = 0.01
        /// How often an electrode comes off, and for how long on average.
        package var lossesPerHour = 0.0
        package var lossSeconds = 10.0
        package var seed: UInt64 = 1

        package init() {}
    }

    /// The leads, in the order in which they come.
    package static let leads = [
        "I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6",
    ]

    /// One wave: where on the circle, how wide, and how it moves the dipole, in millivolts: to the
    /// left, down, and to the back.
    private struct Wave {
        var angle: Double
        var width: Double
        var dipole: SIMD4<Double>
    }

    /// What the leads I, II and V1 to V6 see of a dipole to the left, down and to the back.
    private static let leadVectors: [SIMD4<Double>] = [
        [0.632, -0.235, 0.059, 0], [0.235, 1.066, -0.132, 0], [-0.515, 0.157, -0.917, 0],
        [0.044, 0.164, -1.387, 0], [0.882, 0.098, -1.277, 0], [1.213, 0.127, -0.601, 0],
        [1.125, 0.127, -0.086, 0], [0.831, 0.076, 0.230, 0],
    ]

    private let options: Options
    private let waves: [Wave]
    private var rhythm: HeartRhythm
    private var recorder: ECGRecorder
    /// Where the point is, and the dipole.
    private var x = -1.0
    private var y = 0.0
    private var dipole = SIMD4<Double>.zero
    /// Radians a second.
    private var speed: Double
    private var index = 0
    /// The samples, from 0, whose R peaks have been passed so far; at most the newest thousand.
    package private(set) var beats: [Int] = []

    package init(_ options: Options) {
        precondition(
            (20.0...250).contains(options.heartRate), "ECGModel: \(options.heartRate) beats")
        precondition(options.rate.hertz >= 50, "ECGModel: \(options.rate.hertz) Hz")
        self.options = options
        let random = RandomStream(seed: options.seed)
        rhythm = HeartRhythm(options, random.stream(1))
        recorder = ECGRecorder(options, random.stream(2))
        speed = 2 * .pi / rhythm.interval(at: 0)
        // Waves keep nearer to the R peak, and are narrower in time, where the heart is quick.
        let factor = (options.heartRate / 60).squareRoot()
        waves = [
            Wave(
                angle: -.pi / 3 * factor.squareRoot(), width: 0.25 * factor,
                dipole: [0.06, 0.11, 0.01, 0]),
            Wave(angle: -.pi / 12 * factor, width: 0.1 * factor, dipole: [-0.1, -0.07, -0.13, 0]),
            Wave(angle: 0, width: 0.1 * factor, dipole: [1.0, 0.85, 0.45, 0]),
            Wave(angle: .pi / 12 * factor, width: 0.1 * factor, dipole: [-0.12, -0.1, 0.3, 0]),
            Wave(
                angle: .pi / 2 * factor.squareRoot(), width: 0.4 * factor,
                dipole: [0.24, 0.2, -0.12, 0]),
        ]
    }

    /// The next sample.
    ///
    /// - Parameter sample: `[12]` in millivolts, in the order of `leads`; NaN where an electrode is off.
    package mutating func next(into sample: inout [Float]) {
        precondition(sample.count == Self.leads.count, "ECGModel: \(sample.count) leads")
        // At 500 Hz and more a step a sample is exact to a microvolt.
        let steps = max(1, Int((500 / options.rate.hertz).rounded(.up)))
        let length = options.rate.stepSeconds / Double(steps)
        for _ in 0..<steps { advance(length) }
        recorder.next()
        let heart = Self.leadVectors.map { ($0 * dipole).sum() }
        let one = heart[0] + recorder.noise(0)
        let two = heart[1] + recorder.noise(1)
        // What two limb leads see, the others follow from.
        let limbs = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
        for (lead, value) in limbs.enumerated() {
            sample[lead] = recorder.isOff(limb: true, 0) ? .nan : Float(value)
        }
        for lead in 0..<6 {
            let value = heart[2 + lead] + recorder.noise(2 + lead)
            sample[6 + lead] = recorder.isOff(limb: false, lead) ? .nan : Float(value)
        }
        index += 1
    }

    /// One step of Runge and Kutta's fourth order.
    private mutating func advance(_ length: Double) {
        let before = y
        let breath = 0.005 * sin(2 * .pi * 0.25 * Double(index) * options.rate.stepSeconds)
        let a = slope(x, y, dipole, breath)
        let b = slope(
            x + length / 2 * a.x, y + length / 2 * a.y, dipole + length / 2 * a.dipole, breath)
        let c = slope(
            x + length / 2 * b.x, y + length / 2 * b.y, dipole + length / 2 * b.dipole, breath)
        let d = slope(x + length * c.x, y + length * c.y, dipole + length * c.dipole, breath)
        x += length / 6 * (a.x + 2 * b.x + 2 * c.x + d.x)
        y += length / 6 * (a.y + 2 * b.y + 2 * c.y + d.y)
        dipole += length / 6 * (a.dipole + 2 * b.dipole + 2 * c.dipole + d.dipole)
        guard before < 0, y >= 0, x > 0 else {
            // Opposite the R peak the next beat begins, and with it its length.
            if before >= 0, y < 0 {
                speed =
                    2 * .pi / rhythm.interval(at: Double(index) * options.rate.stepSeconds)
            }
            return
        }
        if beats.count == 1000 { beats.removeFirst(500) }
        beats.append(index)
    }

    private func slope(
        _ x: Double, _ y: Double, _ dipole: SIMD4<Double>, _ breath: Double
    ) -> (x: Double, y: Double, dipole: SIMD4<Double>) {
        let pull = 1 - (x * x + y * y).squareRoot()
        let angle = atan2(y, x)
        var change = SIMD4<Double>(breath, breath, breath, 0) - dipole
        for wave in waves {
            let off = remainder(angle - wave.angle, 2 * .pi)
            let square = wave.width * wave.width
            let drive = speed / square * off * exp(-off * off / (2 * square))
            change -= wave.dipole * drive
        }
        return (pull * x - speed * y, pull * y + speed * x, change)
    }
}

/// How long the beats of a heart take.
struct HeartRhythm: Sendable {
    private var terms: [(hertz: Double, phase: Double, amplitude: Double)] = []
    private let mean: Double

    /// - Source: McSharry et al. 2003, equation 4: two humps of 0.01 Hz width at 0.1 and 0.25 Hz.
    init(_ options: ECGModel.Options, _ stream: RandomStream) {
        var random = stream
        mean = 60 / options.heartRate
        let deviation = 60 * options.heartRateDeviation / (options.heartRate * options.heartRate)
        let width = 0.01
        let step = 1.0 / 512
        var power = 0.0
        for (centre, share) in [(0.1, options.slowToQuick), (0.25, 1.0)] {
            var hertz = centre - 4 * width
            while hertz < centre + 4 * width {
                let own = hertz + step * random.uniform()
                let off = (own - centre) / width
                let density = share * exp(-off * off / 2)
                terms.append((own, 2 * .pi * random.uniform(), (2 * density).squareRoot()))
                power += density
                hertz += step
            }
        }
        let scale = power > 0 ? deviation / power.squareRoot() : 0
        for index in terms.indices { terms[index].amplitude *= scale }
    }

    /// The length of the beat that begins at a time, in seconds.
    func interval(at second: Double) -> Double {
        let swing = terms.reduce(0.0) {
            $0 + $1.amplitude * cos(2 * .pi * $1.hertz * second + $1.phase)
        }
        return max(0.25, mean + swing)
    }
}

/// What a recorder adds to what the heart does, and what it misses.
struct ECGRecorder: Sendable {
    private let options: ECGModel.Options
    private var random: RandomStream
    private var losses: RandomStream
    private let swings: [[(hertz: Double, phase: Double)]]
    private let hum: [Double]
    private var index = 0
    /// Until which sample an electrode is off: those of the limbs together, then V1 to V6.
    private var offUntil = [Int](repeating: 0, count: 7)

    init(_ options: ECGModel.Options, _ stream: RandomStream) {
        self.options = options
        random = stream.stream(1)
        losses = stream.stream(2)
        var setup = stream.stream(3)
        swings = (0..<8).map { _ in
            [0.05, 0.15, 0.33].map {
                ($0 * (0.8 + 0.4 * setup.uniform()), 2 * .pi * setup.uniform())
            }
        }
        hum = (0..<8).map { _ in 0.5 + setup.uniform() }
    }

    mutating func next() {
        index += 1
        guard options.lossesPerHour > 0 else { return }
        let chance = options.lossesPerHour / 3600 * options.rate.stepSeconds
        guard losses.uniform() < chance else { return }
        let seconds = -options.lossSeconds * log(1 - losses.uniform())
        offUntil[losses.integer(below: 7)] = index + Int(seconds * options.rate.hertz)
    }

    func isOff(limb: Bool, _ lead: Int) -> Bool { index < offUntil[limb ? 0 : 1 + lead] }

    mutating func noise(_ lead: Int) -> Double {
        let second = Double(index) * options.rate.stepSeconds
        var value = options.muscle > 0 ? options.muscle * random.normal() : 0
        if options.wander > 0 {
            for swing in swings[lead] {
                value += options.wander / 3 * sin(2 * .pi * swing.hertz * second + swing.phase)
            }
        }
        if options.mains > 0 {
            value += options.mains * hum[lead] * sin(2 * .pi * options.mainsHertz * second)
        }
        return value
    }
}
