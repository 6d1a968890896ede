import Foundation
import Series
import Tensors

/// A made-up plant whose channels go together, for trials: two daily rhythms, two slow loads that
/// wander, and noise that every channel has for itself.
package struct SimulatedGroup: Sendable {
    /// What happens to one channel.
    package enum Fault: String, Sendable, CaseIterable {
        /// It is two deviations higher.
        case offset
        /// It stays at its value.
        case stuck
        /// It no longer follows the others, but lies where it always lay.
        case detached
        /// A deviation of noise is added.
        case noisy
    }

    /// A stretch in which a channel is not as it should be.
    package struct Episode: Hashable, Sendable {
        package let fault: Fault
        package let channel: Int
        package let rows: Range<Int>
    }

    /// How many there are.
    package let channels: Int
    /// Of the plant and its noise.
    package let seed: UInt64

    /// Traps unless there are two channels at least.
    package init(channels: Int, seed: UInt64) {
        precondition(channels > 1, "SimulatedGroup: \(channels) channels")
        self.channels = channels
        self.seed = seed
    }

    /// Hourly rows without a fault, `[channel][row]`.
    package func rows(_ count: Int) -> [[Double]] {
        let root = RandomStream(seed: seed)
        var common = root.stream(1)
        var loads = [0.0, 0.0]
        var states: [[Double]] = []
        for row in 0..<count {
            for k in loads.indices { loads[k] = 0.98 * loads[k] + 0.2 * common.normal() }
            let day = 2 * Double.pi * Double(row) / 24
            states.append([sin(day), cos(2 * day), loads[0], loads[1]])
        }
        return (0..<channels).map { channel in
            var own = root.stream(UInt64(channel) + 10)
            let weights = (0..<4).map { _ in own.normal() }
            let (level, scale) = (10 * own.normal(), exp(own.normal()))
            return states.map { state in
                let signal = zip(weights, state).reduce(0) { $0 + $1.0 * $1.1 }
                return level + scale * (signal + 0.15 * own.normal())
            }
        }
    }

    /// The same rows with faults in them.
    package func rows(_ count: Int, with episodes: [Episode]) -> [[Double]] {
        var values = rows(count)
        var chance = RandomStream(seed: seed).stream(2)
        for episode in episodes {
            let channel = values[episode.channel]
            let mean = channel.reduce(0, +) / Double(count)
            let deviation =
                (channel.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)).squareRoot()
            for row in episode.rows {
                switch episode.fault {
                case .offset: values[episode.channel][row] += 2 * deviation
                case .stuck: values[episode.channel][row] = channel[episode.rows.lowerBound]
                case .detached:
                    // Its own past: the same distribution at another time.
                    values[episode.channel][row] = channel[row - 131]
                case .noisy: values[episode.channel][row] += deviation * chance.normal()
                }
            }
        }
        return values
    }
}

/// How a detector does on a made-up plant.
package struct GroupTrial: Sendable {
    /// What became of one trial.
    package struct Result: Sendable, Encodable {
        package let seed: UInt64
        /// Incidents on the rows without faults.
        package let falseAlarms: Int
        package let quietWeeks: Double
        package let faults: Int
        /// Faults in which, or in the six rows after which, an incident began on their channel.
        package let named: Int
        /// Faults in which, or in the six rows after which, an incident began on any channel.
        package let found: Int
        /// By kind, how many were named, and how many there were.
        package let byFault: [String: [Int]]
        /// Of the first training.
        package let trainSeconds: Double
        /// What it took to score the rows that there were to learn from, in one go.
        package let scoreSeconds: Double
    }

    /// Of the plant.
    package var channels = 8
    /// Hourly rows that are known when the watch begins.
    package var history = 3_000
    /// Hourly rows that come after it, first without faults and then with.
    package var quiet = 2_016
    /// Faults, one every 96 rows.
    package var episodes = 12
    /// The alert budget.
    package var alertsPerWeek = 2.0
    private static let spacing = 96
    private static let length = 12

    package init() {}

    /// Runs one trial.
    ///
    /// - Parameters:
    ///   - seed: Of the plant, the faults and the training.
    ///   - clock: What tells how long training takes.
    /// - Returns: What became of it.
    /// - Throws: `GroupError`.
    package func run(seed: UInt64, clock: any Clock<Duration> = ContinuousClock()) throws -> Result
    {
        let begin = history + quiet
        let count = begin + (episodes + 1) * Self.spacing
        let plant = SimulatedGroup(channels: channels, seed: seed)
        var chance = RandomStream(seed: seed).stream(3)
        let faults = (0..<episodes).map { place in
            let first = begin + (place + 1) * Self.spacing - Self.spacing / 2
            return SimulatedGroup.Episode(
                fault: SimulatedGroup.Fault.allCases[place % SimulatedGroup.Fault.allCases.count],
                channel: chance.integer(below: channels), rows: first..<first + Self.length)
        }
        let grid = GroupGrid(stepMicroseconds: 3_600_000_000)
        let all = GroupRows(grid: grid, first: 0, values: plant.rows(count, with: faults))
        var options = GroupOptions()
        options.seed = seed
        var detector: GroupDetector?
        let training = try clock.measure {
            detector = try GroupDetector.fit(
                all.slice(0...Int64(history) - 1), options: options)
        }
        guard var current = detector else { throw GroupError.nothingVaries }
        let scoring = clock.measure {
            _ = current.scores(
                all.slice(0...Int64(history) - 1), from: Int64(current.historyRows))
        }
        let budget = AlertBudget(alertsPerWeek: alertsPerWeek)
        var state = GroupState(policy: current.policy(budget, on: grid), channels: channels)
        var (next, changes) = (Int64(history), [GroupChange]())
        while next < Int64(count) {
            let outcome = current.advance(all, from: next, &state)
            changes += outcome.changes
            next = outcome.through + 1
            if next < Int64(count) {
                let newest = max(0, next - Int64(GroupOptions.rowsMaximum))
                current = try GroupDetector.fit(all.slice(newest...next - 1), options: options)
                state = state.renewed(current.policy(budget, on: grid), channels: channels)
            }
        }
        return judged(
            changes, faults, grid, begin, seed, (training / .seconds(1), scoring / .seconds(1)))
    }

    private func judged(
        _ changes: [GroupChange], _ faults: [SimulatedGroup.Episode], _ grid: GroupGrid,
        _ begin: Int, _ seed: UInt64, _ seconds: (train: Double, score: Double)
    ) -> Result {
        let opened = changes.filter(\.isOpening)
        let row = { (change: GroupChange) in Int(grid.number(of: change.at)) }
        var byFault: [String: [Int]] = [:]
        var (named, found) = (0, 0)
        for fault in faults {
            let near = opened.filter {
                (fault.rows.lowerBound..<fault.rows.upperBound + 6).contains(row($0))
            }
            let isNamed = near.contains { $0.peak?.parts.first?.channel == fault.channel }
            named += isNamed ? 1 : 0
            found += near.isEmpty ? 0 : 1
            let before = byFault[fault.fault.rawValue] ?? [0, 0]
            byFault[fault.fault.rawValue] = [before[0] + (isNamed ? 1 : 0), before[1] + 1]
        }
        return Result(
            seed: seed, falseAlarms: opened.count { row($0) < begin },
            quietWeeks: Double(quiet) / 168, faults: faults.count, named: named, found: found,
            byFault: byFault, trainSeconds: seconds.train,
            scoreSeconds: seconds.score)
    }
}
