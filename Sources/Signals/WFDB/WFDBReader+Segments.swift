import Series

extension WFDBReader {
    /// Puts a record together from its segments.
    ///
    /// Signals are told by their place where all segments have the same (a fixed layout), and by
    /// their name where the first segment, of no length, says which there can be (a variable one).
    /// A segment that cannot be read is a gap, and a finding.
    func segmented(_ header: WFDBHeader, _ place: HeaderPlace) throws(WFDBError) -> Recording {
        var parts = SegmentedRecord(header)
        var lastError: WFDBError?
        var at = 0
        for (index, segment) in header.segments.enumerated() {
            if segment.name == "~" {
                parts.gap(at, segment.frames)
            } else if index == 0, segment.frames == 0 {
                parts.setLayout(try layout(segment, place))
            } else {
                do throws(WFDBError) {
                    try parts.add(try read(segment, place), at: at, frames: segment.frames)
                } catch {
                    lastError = error
                    parts.findings.append(.segmentUnread(segment.name))
                    parts.gap(at, segment.frames)
                }
            }
            at += segment.frames
        }
        if parts.signals.isEmpty {
            throw lastError
                ?? WFDBError(
                    file: place.name, line: nil, reason: .noSegment(listed: header.segments.count))
        }
        let frame = parts.signals.reduce(0) { $0 + $1.samplesPerFrame }
        let (total, isBeyond) = at.multipliedReportingOverflow(by: frame)
        guard !isBeyond, total <= bytesMaximum / 4 else {
            throw WFDBError(
                file: place.name, line: nil,
                reason: .tooLong(
                    samples: isBeyond ? .max : total, accepted: bytesMaximum / 4))
        }
        return parts.recording(header, frames: at)
    }

    private func place(
        of segment: WFDBHeader.Segment, _ record: HeaderPlace
    ) throws(WFDBError) -> HeaderPlace {
        guard !segment.name.contains("/"), segment.name != ".." else {
            throw WFDBError(file: record.name, line: nil, reason: .segmentName(segment.name))
        }
        return HeaderPlace(record.folder + segment.name)
    }

    private func layout(
        _ segment: WFDBHeader.Segment, _ record: HeaderPlace
    ) throws(WFDBError) -> WFDBHeader {
        try parse(try place(of: segment, record))
    }

    private func read(
        _ segment: WFDBHeader.Segment, _ record: HeaderPlace
    ) throws(WFDBError) -> Recording {
        let place = try place(of: segment, record)
        let header = try parse(place)
        guard header.segments.isEmpty else {
            throw WFDBError(file: place.name, line: nil, reason: .nestedSegments)
        }
        return try read(header: place.path)
    }
}

/// The segments of a record as they are found.
private struct SegmentedRecord {
    /// Consecutive samples of one signal.
    struct Part {
        let frame: Int
        let gain: Double
        let baseline: Double
        let samples: [Int32]
    }

    struct Signal {
        var channel: Channel
        /// Of the layout; those of the parts come first.
        let gain: Double
        let baseline: Double
        var samplesPerFrame = 1
        var parts: [Part] = []
    }

    private let rate: SamplingRate
    private var isVariable = false
    private(set) var signals: [Signal] = []
    var findings: [Recording.Finding]

    init(_ header: WFDBHeader) {
        rate = header.rate
        findings = header.unreadableStart.map { [.unreadableStart($0)] } ?? []
    }

    mutating func setLayout(_ layout: WFDBHeader) {
        isVariable = true
        signals = layout.signals.map { line in
            Signal(
                channel: Channel(name: line.name, unit: PhysicalUnit(line.unit)),
                gain: line.gain ?? WFDBHeader.gainDefault, baseline: line.baseline)
        }
    }

    mutating func gap(_ frame: Int, _ frames: Int) {
        guard frames > 0 else { return }
        findings.append(
            .gap(
                afterSeconds: Double(frame) * rate.stepSeconds,
                seconds: Double(frames) * rate.stepSeconds))
    }

    /// - Throws: `WFDBError` where the segment's signals are not those of the record.
    mutating func add(_ segment: Recording, at frame: Int, frames: Int) throws(WFDBError) {
        if signals.isEmpty {
            signals = segment.signals.map {
                Signal(channel: $0.channel, gain: $0.gain, baseline: $0.baseline)
            }
        }
        let targets = segment.signals.indices.map { index in
            isVariable
                ? signals.firstIndex { $0.channel.name == segment.signals[index].channel.name }
                : signals.indices.contains(index) ? index : nil
        }
        for (target, signal) in zip(targets, segment.signals) {
            guard let target, let width = samplesPerFrame(signal),
                signals[target].parts.isEmpty || signals[target].samplesPerFrame == width
            else {
                throw WFDBError(
                    file: segment.name, line: nil,
                    reason: .segmentSignal(signal.channel.name))
            }
        }
        for (target, signal) in zip(targets, segment.signals) {
            guard let target, let width = samplesPerFrame(signal) else { continue }
            if signals[target].parts.isEmpty {
                signals[target].channel = signal.channel
                signals[target].samplesPerFrame = width
            }
            signals[target].parts.append(
                Part(
                    frame: frame, gain: signal.gain, baseline: signal.baseline,
                    samples: Array(signal.samples.prefix(frames * width))))
            if signal.samples.count < frames * width {
                findings.append(
                    .truncated(
                        channel: target, declared: frames * width, found: signal.samples.count))
            }
        }
    }

    /// How many samples a signal has in a frame of the record; nil where it is no whole number.
    private func samplesPerFrame(_ signal: Recording.Signal) -> Int? {
        let width = signal.rate.hertz / rate.hertz
        let whole = width.rounded()
        return whole >= 1 && whole <= 100_000 && abs(width - whole) < 1e-9 * whole
            ? Int(whole) : nil
    }

    mutating func recording(_ header: WFDBHeader, frames: Int) -> Recording {
        let merged = signals.indices.map { merge($0, frames: frames) }
        return Recording(
            name: header.name, start: header.start, signals: merged, comments: header.comments,
            findings: findings)
    }

    /// One signal over all segments, in units of the finest gain, so that rounding stays below the
    /// resolution of the signal.
    private mutating func merge(_ index: Int, frames: Int) -> Recording.Signal {
        let signal = signals[index]
        let finest = signal.parts.max { abs($0.gain) < abs($1.gain) }
        let gain = finest?.gain ?? signal.gain
        let baseline = finest?.baseline ?? signal.baseline
        let missing = Recording.Signal.missing
        let count = frames * signal.samplesPerFrame
        var samples = [Int32](repeating: missing, count: count)
        var isRescaled = false
        for part in signal.parts {
            let first = part.frame * signal.samplesPerFrame
            let place = first..<first + part.samples.count
            if part.gain == gain, part.baseline == baseline {
                samples.replaceSubrange(place, with: part.samples)
                continue
            }
            isRescaled = true
            samples.replaceSubrange(
                place,
                with: part.samples.map { raw in
                    if raw == missing { return missing }
                    let value = (Double(raw) - part.baseline) / part.gain * gain + baseline
                    return Int32(clamping: Int64(value.rounded()))
                })
        }
        if isRescaled { findings.append(.rescaled(channel: index)) }
        let rate = SamplingRate(
            rate.numerator * Int64(signal.samplesPerFrame), per: rate.denominator)
        return Recording.Signal(
            channel: signal.channel, rate: rate, gain: gain, baseline: baseline,
            samples: samples, declaredCount: count)
    }
}
