import CMosquitto
import Foundation

/// One session of libmosquitto, driven from outside: we decide when it reads and when it writes.
///
/// The library acknowledges a message before it hands it out. But where it is told that it is driven
/// by others (`mosquitto_threaded_set`) it only queues what it sends, and nothing leaves before
/// `mosquitto_loop_write`: so an acknowledgement goes out when we say so, after the commit. A
/// connection that ends takes the queue with it, and the broker sends those messages again.
///
/// Belongs to one thread. Safe because its pointer is private and freed in `deinit`, and libmosquitto
/// is given `self` only as long as that handle lives.
@safe final class MQTTLink {
    private let handle: OpaquePointer
    let configuration: MQTTConfiguration
    let subscriptions: [String]
    /// What came and was not taken out yet.
    private(set) var messages: [MQTTMessage] = []
    private(set) var messageBytes = 0
    /// Why the connection ended; nil while it stands.
    private(set) var failure: MQTTError?
    /// The broker's answer to CONNECT, once it has come.
    private var answer: Int?
    /// Whether the broker had kept our session.
    private(set) var hadSession = false
    /// Messages of ours that the broker has not acknowledged.
    private(set) var unsettled = 0
    /// Of the subscriptions, in their order, the requests that are not answered.
    private var asked: [Int32: String] = [:]

    /// - Throws: `MQTTError.library`.
    init(_ configuration: MQTTConfiguration, subscriptions: [String]) throws(MQTTError) {
        guard Self.isLibraryReady,
            let handle = unsafe mosquitto_new(
                // Without a name the library makes one up.
                configuration.clientID.isEmpty ? nil : configuration.clientID,
                !configuration.keepsSession, nil)
        else { throw .library(code: Int(MOSQ_ERR_NOMEM.rawValue)) }
        unsafe self.handle = handle
        self.configuration = configuration
        self.subscriptions = subscriptions
        unsafe mosquitto_user_data_set(handle, Unmanaged.passUnretained(self).toOpaque())
        setCallbacks()
        try set()
    }

    deinit {
        unsafe mosquitto_destroy(handle)
    }

    /// libmosquitto's own start-up, once per process.
    private static let isLibraryReady =
        mosquitto_lib_init() == Int32(MOSQ_ERR_SUCCESS.rawValue)

    private static func from(_ context: UnsafeMutableRawPointer?) -> MQTTLink {
        guard let context = unsafe context else {
            preconditionFailure("libmosquitto lost its context")
        }
        return unsafe Unmanaged<MQTTLink>.fromOpaque(context).takeUnretainedValue()
    }

    private func check(_ code: Int32) throws(MQTTError) {
        guard code != Int32(MOSQ_ERR_SUCCESS.rawValue) else { return }
        throw failure(of: code)
    }

    private func failure(of code: Int32) -> MQTTError {
        switch code {
        case Int32(MOSQ_ERR_TLS.rawValue): .encryption
        case Int32(MOSQ_ERR_CONN_LOST.rawValue), Int32(MOSQ_ERR_NO_CONN.rawValue),
            Int32(MOSQ_ERR_KEEPALIVE.rawValue), Int32(MOSQ_ERR_ERRNO.rawValue):
            failure ?? .lost(code: nil)
        case Int32(MOSQ_ERR_EAI.rawValue): .unreachable
        default: .library(code: Int(code))
        }
    }

    private func set() throws(MQTTError) {
        let version =
            configuration.version == .five ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311
        try check(unsafe mosquitto_threaded_set(handle, true))
        let options: [(mosq_opt_t, Int)] = [
            (MOSQ_OPT_PROTOCOL_VERSION, Int(version)), (MOSQ_OPT_TCP_NODELAY, 1),
            (MOSQ_OPT_RECEIVE_MAXIMUM, configuration.inflightMaximum),
            (MOSQ_OPT_SEND_MAXIMUM, 65_535),
        ]
        for (option, value) in options {
            try check(unsafe mosquitto_int_option(handle, option, Int32(value)))
        }
        if let name = configuration.username {
            try check(unsafe mosquitto_username_pw_set(handle, name, configuration.password))
        }
        guard configuration.usesTLS else { return }
        // The library takes a certificate of ours only beside authorities by name.
        guard let authorities = configuration.authorityFile ?? Self.systemAuthorities else {
            guard configuration.certificateFile == nil else { throw .encryption }
            try check(unsafe mosquitto_int_option(handle, MOSQ_OPT_TLS_USE_OS_CERTS, 1))
            return
        }
        try check(
            unsafe mosquitto_tls_set(
                handle, authorities, nil, configuration.certificateFile, configuration.keyFile,
                nil))
    }

    /// The file of the authorities that the system trusts; nil where it is none of the usual ones.
    private static let systemAuthorities = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
    ].first { FileManager.default.isReadableFile(atPath: $0) }

    // MARK: - What the library tells

    private func setCallbacks() {
        unsafe mosquitto_connect_with_flags_callback_set(handle) { _, context, code, flags in
            unsafe MQTTLink.from(context).connected(Int(code), hadSession: flags & 1 == 1)
        }
        unsafe mosquitto_disconnect_callback_set(handle) { _, context, code in
            unsafe MQTTLink.from(context).disconnected(code)
        }
        unsafe mosquitto_message_callback_set(handle) { _, context, message in
            guard let message = unsafe message?.pointee else { return }
            unsafe MQTTLink.from(context).take(message)
        }
        unsafe mosquitto_publish_callback_set(handle) { _, context, _ in
            unsafe MQTTLink.from(context).unsettled -= 1
        }
        unsafe mosquitto_subscribe_callback_set(handle) { _, context, request, count, granted in
            let isRefused = unsafe count < 1 || (granted?.pointee ?? 128) >= 128
            unsafe MQTTLink.from(context).subscribed(request, isRefused: isRefused)
        }
    }

    /// Subscribes at once, so that nothing that the broker sends can come between.
    private func connected(_ code: Int, hadSession: Bool) {
        answer = code
        self.hadSession = hadSession
        guard code == 0 else { return }
        // What is retained is sent with a new subscription only, where the broker knows the wish.
        let options = configuration.version == .five ? MQTT_SUB_OPT_SEND_RETAIN_NEW.rawValue : 0
        for topic in subscriptions {
            var request: Int32 = 0
            let code = unsafe mosquitto_subscribe_v5(
                handle, &request, topic, 1, Int32(options), nil)
            if code == Int32(MOSQ_ERR_SUCCESS.rawValue) {
                asked[request] = topic
            } else {
                failure = .topic(topic)
            }
        }
    }

    private func disconnected(_ code: Int32) {
        guard failure == nil else { return }
        // Errors of the library are small numbers, reasons of the broker begin at 128.
        failure = .lost(code: code >= 128 ? Int(code) : nil)
    }

    private func subscribed(_ request: Int32, isRefused: Bool) {
        guard let topic = asked.removeValue(forKey: request) else { return }
        if isRefused { failure = .subscription(topic: topic) }
    }

    private func take(_ message: mosquitto_message) {
        let topic = unsafe message.topic.map { unsafe String(cString: $0) } ?? ""
        let payload = unsafe [UInt8](
            UnsafeRawBufferPointer(start: message.payload, count: Int(message.payloadlen)))
        let packetID = unsafe UInt16(truncatingIfNeeded: message.mid)
        messages.append(
            MQTTMessage(
                topic: topic, payload: payload, packetID: packetID,
                isRetained: unsafe message.retain))
        messageBytes += topic.utf8.count + payload.count
    }

    // MARK: - What we do

    /// Connects and subscribes.
    func connect() throws(MQTTError) {
        var properties: OpaquePointer?
        defer { unsafe mosquitto_property_free_all(&properties) }
        if configuration.version == .five, configuration.keepsSession {
            try check(
                unsafe mosquitto_property_add_int32(
                    &properties, Int32(MQTT_PROP_SESSION_EXPIRY_INTERVAL.rawValue),
                    UInt32(configuration.sessionSeconds)))
        }
        let code = unsafe mosquitto_connect_bind_v5(
            handle, configuration.host, Int32(configuration.port),
            Int32(configuration.keepAliveSeconds), nil, properties)
        if code == Int32(MOSQ_ERR_ERRNO.rawValue) { throw .unreachable }
        try check(code)
        let end = ContinuousClock.now + configuration.connectMaximum
        while answer == nil {
            guard ContinuousClock.now < end else { throw .unreachable }
            write()
            wait(atMost: .milliseconds(100))
            read()
            // A broker that says no ends the connection with it.
            if answer == nil, let failure { throw failure }
        }
        guard answer == 0 else { throw .refused(code: answer ?? -1) }
        if let failure { throw failure }
        // With the wish to subscribe an acknowledgement would leave too, where messages have come
        // already; it then waits for them.
        if messages.isEmpty { try flush() }
    }

    /// Waits until there is something to read, or room to write what waits for it.
    func wait(atMost limit: Duration) {
        let milliseconds = max(0, Int32(clamping: Int((limit / .milliseconds(1)).rounded(.up))))
        let socket = unsafe mosquitto_socket(handle)
        guard socket >= 0 else { return }
        let isWaiting = unsafe messages.isEmpty && mosquitto_want_write(handle)
        _ = cmosquitto_wait(socket, isWaiting ? 1 : 0, milliseconds)
    }

    /// Takes what has come, until there is nothing more or `bytes` are there.
    func read(bytes: Int = .max, count: Int = .max) {
        while failure == nil, messageBytes < bytes, messages.count < count {
            let before = messages.count
            let code = unsafe mosquitto_loop_read(handle, 1)
            if code != Int32(MOSQ_ERR_SUCCESS.rawValue) {
                failure = failure ?? failure(of: code)
            }
            if messages.count == before { return }
        }
    }

    /// Hands out what has come. Its acknowledgements wait for `flush`.
    func takeMessages() -> [MQTTMessage] {
        defer {
            messages = []
            messageBytes = 0
        }
        return messages
    }

    /// Writes what waits to be sent, as far as the socket takes it.
    func write() {
        guard failure == nil, unsafe mosquitto_want_write(handle) else { return }
        let code = unsafe mosquitto_loop_write(handle, 1)
        if code != Int32(MOSQ_ERR_SUCCESS.rawValue) { failure = failure ?? failure(of: code) }
    }

    /// Sends all that waits, acknowledgements among it.
    func flush() throws(MQTTError) {
        let end = ContinuousClock.now + configuration.connectMaximum
        while failure == nil, unsafe mosquitto_want_write(handle) {
            write()
            guard unsafe failure == nil && mosquitto_want_write(handle) else { break }
            guard ContinuousClock.now < end else {
                failure = .lost(code: nil)
                break
            }
            _ = cmosquitto_wait(unsafe mosquitto_socket(handle), 1, 100)
        }
        if let failure { throw failure }
    }

    /// Keeps the line alive; only while no acknowledgement waits, since it writes.
    func keepAlive() throws(MQTTError) {
        let code = unsafe mosquitto_loop_misc(handle)
        if code != Int32(MOSQ_ERR_SUCCESS.rawValue) { failure = failure ?? failure(of: code) }
        try flush()
    }

    /// Hands a message to the library.
    func publish(_ topic: String, _ payload: [UInt8], retain: Bool) throws(MQTTError) {
        let code = unsafe payload.withUnsafeBytes { bytes in
            unsafe mosquitto_publish(
                handle, nil, topic, Int32(bytes.count), bytes.baseAddress, 1, retain)
        }
        if code == Int32(MOSQ_ERR_INVAL.rawValue) { throw .topic(topic) }
        try check(code)
        unsettled += 1
    }

    /// Ends the connection: with a word, or where acknowledgements wait that must not go out, without.
    func disconnect(silently: Bool) {
        guard failure == nil else { return }
        if silently {
            cmosquitto_shut(unsafe mosquitto_socket(handle))
        } else {
            unsafe _ = mosquitto_disconnect(handle)
            write()
        }
        failure = failure ?? .lost(code: nil)
    }
}
