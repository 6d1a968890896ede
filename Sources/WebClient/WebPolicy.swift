/// What the operator lets requests reach.
package struct WebPolicy: Sendable {
    /// Whether `http://` may be used besides `https://`.
    package var plainHTTP: Bool
    /// The ports that may be named; nil opens them all.
    package var ports: Set<Int>?
    /// Whether a host without a dot, such as `localhost`, may be named.
    package var singleLabelHosts: Bool
    package var addresses: AddressGuard

    /// By default only `https` to ports 443 and 8443 of the public internet.
    package init(
        plainHTTP: Bool = false, ports: Set<Int>? = [443, 8443], singleLabelHosts: Bool = false,
        addresses: AddressGuard = AddressGuard()
    ) {
        self.plainHTTP = plainHTTP
        self.ports = ports
        self.singleLabelHosts = singleLabelHosts
        self.addresses = addresses
    }

    /// The public internet, and every port of this machine, also without TLS: for receivers that
    /// run beside us.
    package static let withLoopback = WebPolicy(
        plainHTTP: true, ports: nil, singleLabelHosts: true,
        addresses: AddressGuard(allowing: ["127.0.0.0/8", "::1"].compactMap { AddressBlock($0) }))
}

/// How a client behaves in all its requests.
package struct WebConfiguration: Sendable {
    package var policy: WebPolicy
    /// Until the connection stands, TLS included.
    package var connectTimeLimit: Duration
    /// From the call to the last byte of the answer.
    package var totalTimeLimit: Duration
    /// The largest answer body that is read, in bytes.
    package var bodyMaximum: Int
    /// The largest answer head that is read, in bytes.
    package var headMaximum: Int
    /// Requests under way at once, and connections kept for reuse; further requests wait for a
    /// place, which does not count against their time limits. A connection is used again for the
    /// host and port that it was opened for, where its address was judged; idle ones make place
    /// for new ones, the longest idle first.
    package var connectionsMaximum: Int
    /// The URL of a proxy; then names are resolved there, and the proxy must filter addresses.
    package var proxy: String?
    package var userAgent: String
    /// A PEM file with the authorities whose certificates hold; nil for the system's.
    package var authorities: String?
    /// Stands in for the system's look-up of names; nil, or no answer, leaves it to the system.
    package var resolver: (@Sendable (_ host: String) -> [IPAddress]?)?

    package init(
        policy: WebPolicy = WebPolicy(), connectTimeLimit: Duration = .seconds(5),
        totalTimeLimit: Duration = .seconds(15), bodyMaximum: Int = 64 * 1024,
        headMaximum: Int = 16 * 1024, connectionsMaximum: Int = 768, proxy: String? = nil,
        userAgent: String = "systole-webhooks/1", authorities: String? = nil,
        resolver: (@Sendable (_ host: String) -> [IPAddress]?)? = nil
    ) {
        self.policy = policy
        self.connectTimeLimit = connectTimeLimit
        self.totalTimeLimit = totalTimeLimit
        self.bodyMaximum = bodyMaximum
        self.headMaximum = headMaximum
        self.connectionsMaximum = connectionsMaximum
        self.proxy = proxy
        self.userAgent = userAgent
        self.authorities = authorities
        self.resolver = resolver
    }
}
