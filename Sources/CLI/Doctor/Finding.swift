/// What one examination found, and what to do about it.
struct Finding: Encodable, Equatable {
    /// How much it matters.
    enum State: String, Encodable {
        case fine
        /// Worth knowing; nothing is broken.
        case note
        /// Something does not work, or soon will not.
        case wrong
    }

    /// What was looked at, in a word or two.
    let topic: String
    let state: State
    /// What was found: one sentence without a full stop.
    let found: String
    /// What to do; nil where there is nothing to do.
    let advice: String?

    init(_ topic: String, _ state: State, _ found: String, advice: String? = nil) {
        self.topic = topic
        self.state = state
        self.found = found
        self.advice = advice
    }
}
