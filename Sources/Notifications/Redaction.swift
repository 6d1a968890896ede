/// What is blackened in an answer before it is kept for the delivery log.
///
/// A receiver that refuses may echo what it was sent, its own configuration, or the credentials of a
/// service behind it: people who may read the log need none of that.
enum Redaction {
    /// Everything from one of these to the next blank, quote or line end is blackened.
    private static let beginnings = [
        "whsec_", "whsk_", "v1,", "v1a,", "bearer ", "basic ", "token=", "password=", "secret=",
        "api_key=", "apikey=",
    ].map { Array($0.utf8) }

    /// The same bytes with every secret as asterisks, one for each byte.
    static func applied(to bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        var place = 0
        while place < bytes.count {
            guard let length = beginning(in: bytes, at: place) else {
                place += 1
                continue
            }
            place += length
            while place < bytes.count, !isEnd(bytes[place]) {
                bytes[place] = UInt8(ascii: "*")
                place += 1
            }
        }
        return bytes
    }

    private static func beginning(in bytes: [UInt8], at place: Int) -> Int? {
        beginnings.first { word in
            place + word.count <= bytes.count
                && word.indices.allSatisfy { lowered(bytes[place + $0]) == word[$0] }
        }?.count
    }

    private static func lowered(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    private static func isEnd(_ byte: UInt8) -> Bool {
        byte <= 0x20
            || [UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "<"), UInt8(ascii: "&")]
                .contains(byte)
    }
}
