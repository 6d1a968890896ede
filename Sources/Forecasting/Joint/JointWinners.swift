internal import Models

/// Which model serves each member of a group best on the validation windows.
struct JointWinners {
    /// Groups of more members give none of them a map of its own, which would have to be stored.
    static let ownMembersMaximum = 32
    /// How much less than the shared model a member's own choice has to err.
    private static let gainMinimum = 0.01
    /// Parts of the validation windows, on each of which it has to err less.
    private static let stretches = 4

    private let fitter: JointFitter
    private let shared: JointForecaster
    /// Of the shared model, `[stretch][member]`.
    private let errors: [[Double]]

    /// What is taken for each member: 0 is the shared model.
    private(set) var parts: [JointForecaster]
    private(set) var choice: [Int]
    private var names = ["shared"]
    private var least: [Double]

    /// - Parameters:
    ///   - shared: What forecasts a member that nothing else is better for.
    ///   - fitter: Of the group.
    init(_ shared: JointForecaster, _ fitter: JointFitter) {
        (self.shared, self.fitter) = (shared, fitter)
        let errors = Self.errors(shared, fitter, of: nil)
        self.errors = errors
        parts = [shared]
        choice = Array(repeating: 0, count: fitter.series.members)
        least = fitter.series.names.indices.map { Self.mean(errors, $0) }
    }

    /// Stretches say something only if each holds about half a horizon that the others do not.
    private var isDecidable: Bool {
        fitter.series.members > 1 && fitter.validation.count >= 2 * fitter.task.horizon
    }

    /// Tries models of the whole group for every member.
    mutating func consider(_ models: [JointForecaster], names: [String]) {
        guard isDecidable else { return }
        for (model, name) in zip(models, names) {
            let found = Self.errors(model, fitter, of: nil)
            for member in choice.indices {
                take(model, name, for: member, found.map { $0[member] })
            }
        }
    }

    /// Tries a ridge of its own for every member, in a group that is not large.
    mutating func considerOwn() throws {
        guard isDecidable, choice.count <= Self.ownMembersMaximum else { return }
        let ridge = try fitter.ridge(isMean: true)
        for member in choice.indices where !fitter.series.idle.contains(member) {
            let windows = fitter.moments(fitter.train, of: [member])
            guard windows.windows >= Split.trainWindowsMinimum else { continue }
            for own in ridge.own(windows) {
                let found = Self.errors(.ridge(own), fitter, of: [member])
                take(.ridge(own), "ridge of its own", for: member, found.map { $0[0] })
            }
        }
    }

    private mutating func take(
        _ model: JointForecaster, _ name: String, for member: Int, _ found: [Double]
    ) {
        let mean = found.reduce(0, +) / Double(found.count)
        let isBetter = zip(found, errors).allSatisfy { $0 < $1[member] }
        guard isBetter, mean <= (1 - Self.gainMinimum) * Self.mean(errors, member),
            mean < least[member]
        else { return }
        least[member] = mean
        parts.append(model)
        names.append(name)
        choice[member] = parts.count - 1
    }

    /// The shared model, or what was taken for each member; and what that is, in a sentence.
    var result: (forecaster: JointForecaster, reason: String) {
        let used = Set(choice).sorted()
        guard used != [0] else { return (shared, "No member is better served by another model.") }
        let own = choice.indices.filter { choice[$0] != 0 }
        let told = own.prefix(8).map { "\(fitter.series.names[$0]) by \(names[choice[$0]])" }
        let more = own.count > 8 ? " and \(own.count - 8) more" : ""
        return (
            .winners(
                used.map { parts[$0] }, choice: choice.map { used.firstIndex(of: $0) ?? 0 }),
            "Better throughout: \(told.joined(separator: ", "))\(more)."
        )
    }

    private static func mean(_ errors: [[Double]], _ member: Int) -> Double {
        errors.reduce(0) { $0 + $1[member] } / Double(errors.count)
    }

    /// Mean squared errors, `[stretch][member]`; a member without known targets has NaN and takes nothing.
    private static func errors(
        _ model: JointForecaster, _ fitter: JointFitter, of members: [Int]?
    ) -> [[Double]] {
        let starts = fitter.validation
        return (0..<stretches).map { stretch in
            let (first, end) = (
                stretch * starts.count / stretches, (stretch + 1) * starts.count / stretches
            )
            return model.errors(
                fitter.series, starts: Array(starts[first..<end]), fitter.task,
                threads: fitter.threads, of: members
            ).members.map(\.mse)
        }
    }
}
