import Store

/// What a deliverer has under way, and where it will look next. Pure: it decides, its caller acts.
///
/// A delivery begins under way, may become slow, ends, and leaves once it is recorded. Slow ones
/// give their place to others, up to a limit of all together: endpoints that never answer keep
/// sockets, and nothing else that the prompt ones need. An endpoint is proven while its newest
/// delivery from here was accepted; the others get one delivery at a time, and none while the slow
/// ones are so many that the places of the prompt ones would be touched.
struct Traffic: Sendable {
    private struct UnderWay {
        let endpointID: Int64
        let began: ContinuousClock.Instant
    }

    private let options: DelivererOptions
    private var underWay: [Int64: UnderWay] = [:]
    /// Endpoints that may have something due, in the order in which they will be asked.
    private var candidates: [Int64] = []
    private var isCandidate: Set<Int64> = []
    private var proven: Set<Int64> = []
    private var sweptAt: ContinuousClock.Instant?

    init(_ options: DelivererOptions) {
        self.options = options
    }

    /// Deliveries between their claim and their recording.
    var count: Int { underWay.count }

    /// What to claim next.
    struct Plan {
        let places: Int
        /// Whom to ask, in this order.
        let endpoints: [DeliveryStore.Asked]
    }

    /// Whether it is time to look at every endpoint.
    func wantsSweep(now: ContinuousClock.Instant) -> Bool {
        sweptAt.map { $0.duration(to: now) >= options.pollInterval } ?? true
    }

    /// Takes the endpoints that have something due.
    mutating func sweep(_ due: [Int64], now: ContinuousClock.Instant) {
        sweptAt = now
        look(at: due)
    }

    /// Plans the next claim.
    ///
    /// - Parameter now: The time.
    /// - Returns: Nil while there is no place, or nowhere to look.
    func plan(now: ContinuousClock.Instant) -> Plan? {
        var slow: Set<Int64> = []
        var slowCount = 0
        for delivery in underWay.values
        where delivery.began.duration(to: now) >= options.slowAfter {
            slow.insert(delivery.endpointID)
            slowCount += 1
        }
        let places = min(
            options.concurrency - (underWay.count - slowCount),
            options.concurrencyMaximum - underWay.count)
        guard places > 0 else { return nil }
        let provenOnly = slowCount >= options.concurrencyMaximum - options.concurrency
        // More than there are places: many have nothing due.
        let asked = candidates.lazy.filter { [proven] endpoint in
            !slow.contains(endpoint) && (!provenOnly || proven.contains(endpoint))
        }.prefix(places * 4)
        guard !asked.isEmpty else { return nil }
        return Plan(
            places: places,
            endpoints: asked.map { endpoint in
                let isProven = proven.contains(endpoint)
                return DeliveryStore.Asked(
                    endpointID: endpoint, places: isProven ? options.concurrencyPerEndpoint : 1)
            })
    }

    /// Takes what a plan brought.
    ///
    /// - Parameters:
    ///   - claims: Delivery and endpoint of each.
    ///   - plan: The plan that was carried out.
    ///   - now: The time.
    mutating func begin(
        _ claims: [(deliveryID: Int64, endpointID: Int64)], by plan: Plan,
        now: ContinuousClock.Instant
    ) {
        for claim in claims {
            underWay[claim.deliveryID] = UnderWay(endpointID: claim.endpointID, began: now)
        }
        // Those that got something come back when it has ended. Where all places were taken, the
        // others stay in line.
        let isFull = claims.count >= plan.places
        drop(isFull ? claims.map(\.endpointID) : plan.endpoints.map(\.endpointID))
    }

    /// A delivery was recorded: its endpoint has room for another.
    ///
    /// One that failed is asked again when every endpoint is looked at: what it is owed besides
    /// would most likely fail too, and take its time from the others.
    ///
    /// - Parameters:
    ///   - deliveryID: The delivery.
    ///   - isAccepted: Whether it was accepted.
    mutating func end(_ deliveryID: Int64, isAccepted: Bool) {
        guard let ended = underWay.removeValue(forKey: deliveryID) else { return }
        if isAccepted {
            proven.insert(ended.endpointID)
            look(at: [ended.endpointID])
        } else {
            proven.remove(ended.endpointID)
        }
    }

    /// Endpoints may have something due.
    mutating func look(at endpoints: [Int64]) {
        for endpoint in endpoints where isCandidate.insert(endpoint).inserted {
            candidates.append(endpoint)
        }
    }

    private mutating func drop(_ endpoints: [Int64]) {
        guard !endpoints.isEmpty else { return }
        isCandidate.subtract(endpoints)
        candidates.removeAll { !isCandidate.contains($0) }
    }
}
