import Foundation
import Synchronization
import Tensors

/// Why an opponent in another process does not run.
struct PeerError: Error, CustomStringConvertible {
    let description: String
}

/// The other processes of one run of this tool: one per script and thread count, kept until the
/// end, so that imports and warming up are paid once and outside the measurements.
final class Peers: Sendable {
    /// The interpreter, by name or path.
    let python: String
    /// The folder of the PyTorch reference implementation.
    let reference: String
    private let open = Mutex<[String: Result<Peer, PeerError>]>([:])

    init(python: String, reference: String) {
        self.python = python
        self.reference = reference
    }

    /// An opponent for the report.
    ///
    /// - Parameters:
    ///   - name: What the report calls it; the peer adds its versions.
    ///   - script: The script's file name below `ops/bench-peers`.
    ///   - workload: What it is asked to run.
    ///   - arguments: The rest of its `open` line, such as the path of a file.
    ///   - threads: How many it may use.
    ///   - check: What the peer has to answer to `check`, to show that it does the same work.
    /// - Returns: The peer, or why there is none.
    func opponent(
        _ name: String, script: String, workload: String, arguments: [String] = [], threads: Int,
        check: Double? = nil
    ) -> Opponent {
        .orAbsent(name) { () throws(PeerError) in
            let peer = try peer(script, threads: threads)
            let versions = try peer.ask("open \(workload) \(arguments.joined(separator: " "))")
            if let check { try Self.compare(try peer.ask("check \(workload)"), with: check) }
            var contestant = Contestant(measuring: "\(name) (\(versions))") { repetitions in
                let answer = try peer.ask("run \(workload) \(repetitions)")
                guard let seconds = Double(answer) else {
                    throw PeerError(description: "\(script) answered no number of seconds")
                }
                return seconds
            }
            contestant.peakMemory = { Int(try peer.ask("memory")) }
            return contestant
        }
    }

    private static func compare(_ answer: String, with ours: Double) throws(PeerError) {
        guard let theirs = Double(answer), abs(theirs - ours) <= 1e-9 * max(abs(ours), 1) else {
            throw PeerError(
                description: "it does not do the same work: its check is \(answer), ours \(ours)")
        }
    }

    private func peer(_ script: String, threads: Int) throws(PeerError) -> Peer {
        try open.withLock { open in
            let key = "\(script) \(threads)"
            let found =
                open[key]
                ?? Result { () throws(PeerError) in
                    try Peer(
                        python: python, script: "ops/bench-peers/\(script)", threads: threads,
                        reference: reference)
                }
            open[key] = found
            return found
        }.get()
    }

    /// Ends the processes.
    func close() {
        for case .success(let peer) in open.withLock({ $0.values }) { peer.close() }
    }
}

/// One process that answers a line with a line: `ok …`, or `failed` and a reason.
final class Peer: Sendable {
    /// How long an answer may take; the slowest workload needs seconds.
    static let answerMaximum = Duration.seconds(600)

    private let process: Process
    private let input: FileHandle
    private let output: Mutex<LineReader>
    private let script: String

    /// - Throws: `PeerError` if the process does not start or does not greet.
    init(
        python: String, script: String, threads: Int, reference: String
    ) throws(PeerError) {
        self.script = script
        let (requests, answers) = (Pipe(), Pipe())
        process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [python, script]
        process.environment = Self.environment(threads: threads, reference: reference)
        process.standardInput = requests
        process.standardOutput = answers
        input = requests.fileHandleForWriting
        output = Mutex(LineReader(answers.fileHandleForReading))
        do {
            try process.run()
        } catch {
            throw PeerError(description: "\(python) cannot be started")
        }
        // Ours stays open otherwise, and the end of a dead peer's answers would never come.
        try? answers.fileHandleForWriting.close()
        do {
            _ = try ask("hello")
        } catch {
            throw PeerError(description: "\(python) does not run \(script)")
        }
    }

    /// OpenMP's idle threads sleep instead of spinning: spinning ones lose to any neighbour, and
    /// the comparison would not be fair.
    private static func environment(threads: Int, reference: String) -> [String: String] {
        var environment = ProcessInfo.processInfo.environment
        for name in [
            "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS",
        ] {
            environment[name] = String(threads)
        }
        environment["OMP_WAIT_POLICY"] = "passive"
        environment["GOMP_SPINCOUNT"] = "0"
        // Ours was set for Debian's OpenBLAS; other copies know their processors better.
        environment[ProcessorSetup.variable] = nil
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        environment["SYSTOLE_REFERENCE"] = reference
        return environment
    }

    /// Sends one line and returns what stands behind `ok` in the answer.
    func ask(_ request: String) throws(PeerError) -> String {
        let line: String?
        do {
            try input.write(contentsOf: Data((request + "\n").utf8))
            line = try output.withLock { try $0.next(within: Self.answerMaximum) }
        } catch {
            throw PeerError(description: "\(script) cannot be asked; is it running?")
        }
        guard let line else { throw PeerError(description: "\(script) ended without an answer") }
        if line == "ok" { return "" }
        if line.hasPrefix("ok ") { return String(line.dropFirst(3)) }
        throw PeerError(
            description: line.hasPrefix("failed ") ? String(line.dropFirst(7)) : "said \(line)")
    }

    /// Ends the process: it stops at the end of its input.
    func close() {
        try? input.close()
        process.waitUntilExit()
    }
}

/// Takes lines from a pipe, waiting for each no longer than it should.
struct LineReader {
    private let handle: FileHandle
    private var bytes: [UInt8] = []

    init(_ handle: FileHandle) { self.handle = handle }

    /// The next line without its end; nil where no more will come.
    mutating func next(within limit: Duration) throws -> String? {
        let deadline = ContinuousClock.now + limit
        while true {
            if let end = bytes.firstIndex(of: 10) {
                defer { bytes.removeSubrange(...end) }
                return String(decoding: bytes[..<end], as: UTF8.self)
            }
            let left = max(.zero, deadline - .now) / .milliseconds(1)
            var wait = pollfd(fd: handle.fileDescriptor, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&wait, 1, Int32(left)) > 0 else { throw CocoaError(.fileReadUnknown) }
            let found = handle.availableData
            guard !found.isEmpty else { return nil }
            bytes.append(contentsOf: found)
        }
    }
}
