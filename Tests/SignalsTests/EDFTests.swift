import Series
import Testing

@testable import Signals

/// An EDF file put together by hand: one ordinary signal of four samples a record, and for EDF+ an
/// annotation signal of 8 samples that tells each record's onset.
private struct File {
    var version = "0"
    var date = "29.02.20"
    var clock = "23.59.58"
    var recording = ""
    var reserved = ""
    var records = "2"
    var duration = "1"
    var physical = ("-10", "10")
    var digital = ("-100", "100")
    var perRecord = "4"
    var unit = "mV"
    var headerBytes: String?
    /// Per record; for EDF+ alone.
    var onsets: [String] = []
    var samples: [[Int16]] = [[1, 2, 3, 4], [5, 6, 7, -8]]

    var bytes: [UInt8] {
        let hasAnnotations = !onsets.isEmpty
        let count = hasAnnotations ? 2 : 1
        func pad(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: width - text.utf8.count)
        }
        func both(_ first: String, _ second: String, _ width: Int) -> String {
            pad(first, width) + (hasAnnotations ? pad(second, width) : "")
        }
        var text = pad(version, 8) + pad("patient", 80) + pad(recording, 80)
        text += pad(date, 8) + pad(clock, 8) + pad(headerBytes ?? "\(256 + 256 * count)", 8)
        text += pad(reserved, 44) + pad(records, 8) + pad(duration, 8) + pad("\(count)", 4)
        text += both("ECG", "EDF Annotations", 16) + both("", "", 80) + both(unit, "", 8)
        text += both(physical.0, "-1", 8) + both(physical.1, "1", 8)
        text += both(digital.0, "-32768", 8) + both(digital.1, "32767", 8)
        text += both("", "", 80) + both(perRecord, "8", 8) + both("", "", 32)
        var bytes = Array(text.utf8)
        for (index, record) in samples.enumerated() {
            for sample in record {
                let bits = UInt16(bitPattern: sample)
                bytes += [UInt8(bits & 0xFF), UInt8(bits >> 8)]
            }
            if hasAnnotations {
                let list = Array(onsets[index].utf8) + [0x14, 0x14]
                bytes += list + [UInt8](repeating: 0, count: 16 - list.count)
            }
        }
        return bytes
    }
}

private func file(_ change: (inout File) -> Void = { _ in }) throws(EDFError) -> Recording {
    var made = File()
    change(&made)
    return try EDFReader().read(made.bytes, name: "x.edf")
}

@Suite struct EDFTests {
    @Test func `a file put together by hand is read`() throws {
        let recording = try file()
        #expect(recording.name == "x")
        #expect(recording.start?.description == "2020-02-29T23:59:58Z")
        #expect(recording.signals[0].samples == [1, 2, 3, 4, 5, 6, 7, -8])
        #expect(recording.signals[0].physical(7) == -0.8)
        #expect(recording.signals[0].rate == SamplingRate(4))
        #expect(recording.signals[0].channel == Channel(name: "ECG", unit: PhysicalUnit("mV")))
        #expect(recording.findings == [])
    }

    @Test func `an odd duration, an open record count and an inverted range`() throws {
        let recording = try file {
            $0.duration = "0.03"
            $0.records = "-1"
            $0.physical = ("10", "-10")
        }
        #expect(recording.signals[0].rate == SamplingRate(400, per: 3))
        #expect(recording.signals[0].declaredCount == 8)
        #expect(recording.signals[0].physical(0) == -0.1)
    }

    @Test func `the year is that of EDF+ where it is told, else of 1985 to 2084`() throws {
        #expect(
            try file { $0.date = "01.01.85" }.start?.description
                == "1985-01-01T00:00:00Z".replacingClock)
        let told = try file {
            $0.date = "01.01.84"
            $0.reserved = "EDF+C"
            $0.recording = "Startdate 01-JAN-1984 X X X"
            $0.onsets = ["+0", "+1"]
        }
        #expect(told.start?.description.hasPrefix("1984-01-01") == true)
        #expect(try file { $0.date = "99.99.99" }.start == nil)
    }

    @Test func `the first onset holds the fraction of the start's second`() throws {
        let recording = try file {
            $0.reserved = "EDF+C"
            $0.onsets = ["+0.3945312", "+1.3945312"]
        }
        #expect(recording.start?.description == "2020-02-29T23:59:58.394531Z")
        #expect(recording.findings == [.annotationsLeftAside(signals: 1)])
        #expect(recording.signals.count == 1)
    }

    @Test func `time left out between records is missing samples`() throws {
        let recording = try file {
            $0.reserved = "EDF+D"
            $0.onsets = ["+0", "+2.5"]
        }
        #expect(
            (0..<recording.signals[0].declaredCount).map { recording.signals[0][$0] }
                == [1, 2, 3, 4, nil, nil, nil, nil, nil, nil, 5, 6, 7, -8])
        #expect(recording.findings.contains(.gap(afterSeconds: 1, seconds: 1.5)))
    }

    @Test func `a truncated file gives what it has`() throws {
        let bytes = Array(File().bytes.dropLast(5))
        let recording = try EDFReader().read(bytes, name: "x.edf")
        #expect(recording.signals[0].samples == [1, 2, 3, 4, 5])
        #expect(recording.findings == [.truncated(channel: 0, declared: 8, found: 5)])
        #expect(recording.signals[0].missingCount == 3)
    }

    @Test func `units in Latin-1 are read`() throws {
        var bytes = File().bytes
        bytes[256 + 96] = 0xB5  // µ
        bytes[256 + 97] = UInt8(ascii: "V")
        let recording = try EDFReader().read(bytes, name: "x.edf")
        #expect(recording.signals[0].channel.unit == PhysicalUnit("uV"))
    }

    @Test func `every cut of a file is read or refused`() {
        var made = File()
        made.reserved = "EDF+D"
        made.onsets = ["+0", "+2.5"]
        let bytes = made.bytes
        var read = 0
        for count in bytes.indices {
            if (try? EDFReader().read(Array(bytes[..<count]), name: "x.edf")) != nil { read += 1 }
        }
        #expect(read > 0)
    }

    @Test func `bad headers are refused with the field`() {
        func reason(_ change: (inout File) -> Void) -> EDFError.Reason? {
            let error = #expect(throws: EDFError.self) { try file(change) }
            #expect(error?.description.hasPrefix("x.edf: ") == true)
            return error?.reason
        }
        #expect(reason { $0.version = "1" } == .notEDF)
        #expect(reason { $0.records = "many" } == .field(.recordCount, signal: nil, found: "many"))
        #expect(reason { $0.duration = "-1" } == .field(.recordSeconds, signal: nil, found: "-1"))
        #expect(reason { $0.duration = "0" } == .field(.recordSeconds, signal: nil, found: "0"))
        #expect(
            reason { $0.physical = ("x", "1") } == .field(.physicalRange, signal: 0, found: "x"))
        #expect(reason { $0.digital = ("1", "") } == .field(.digitalRange, signal: 0, found: ""))
        #expect(reason { $0.digital = ("1", "1") } == .calibration(signal: 0))
        #expect(reason { $0.physical = ("1", "1") } == .calibration(signal: 0))
        #expect(reason { $0.perRecord = "0" } == .field(.samplesPerRecord, signal: 0, found: "0"))
        #expect(
            reason { $0.headerBytes = "512x" } == .field(.headerBytes, signal: nil, found: "512x"))
        #expect(
            reason { $0.headerBytes = "768" } == .field(.headerBytes, signal: nil, found: "768"))
        #expect(
            reason {
                $0.reserved = "EDF+D"; $0.onsets = ["+0", "soon"]
            } == .noOnset(record: 1))
        #expect(reason { $0.reserved = "EDF+D" } == .noOnset(record: 0))
        #expect(
            reason {
                $0.reserved = "EDF+D"; $0.onsets = ["+0", "+0.5"]
            } == .overlap(record: 1))
        #expect(
            reason {
                $0.reserved = "EDF+D"; $0.onsets = ["+0", "+90000"]
            }
                == .gapTooLong(record: 1, seconds: 89_999, accepted: 86_400))
    }
}

extension String {
    /// With the clock that `File` has.
    fileprivate var replacingClock: String { prefix(11) + "23:59:58Z" }
}
