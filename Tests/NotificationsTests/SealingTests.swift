import Foundation
import Testing

@testable import Notifications

@Suite struct SealingTests {
    static let old = Data(repeating: 7, count: 32).base64EncodedString()
    static let new = Data(repeating: 9, count: 32).base64EncodedString()
    static let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

    @Test func `what is sealed opens, differs each time, and shows nothing of the secret`() throws {
        let keys = try SealingKeys("# of October\n\n  \(Self.old)\n")
        let (one, two) = (keys.seal(Self.secret), keys.seal(Self.secret))
        #expect(one != two && !one.contains("AAEC") && one.hasPrefix("sealed:\(keys.ids[0]):"))
        for sealed in [one, two] { #expect(try keys.open(sealed) == Self.secret) }
        #expect(one.contains(/^sealed:[0-9a-f]{16}:[A-Za-z0-9+\/]+={0,2}$/))
    }

    @Test func `an older key still opens, and the newest one seals`() throws {
        let before = try SealingKeys(Self.old)
        let after = try SealingKeys(Self.new + "\n" + Self.old)
        let sealed = before.seal(Self.secret)
        #expect(try after.open(sealed) == Self.secret)
        #expect(after.shouldSeal(sealed) && !after.shouldSeal(after.seal(Self.secret)))
        #expect(throws: SealingKeys.Fault.keyMissing(id: after.ids[0])) {
            try before.open(after.seal(Self.secret))
        }
    }

    @Test func `a changed or cut seal does not open`() throws {
        let keys = try SealingKeys(Self.old)
        let sealed = keys.seal(Self.secret)
        let place = sealed.index(sealed.endIndex, offsetBy: -9)
        var changed = sealed
        changed.replaceSubrange(place...place, with: sealed[place] == "A" ? "B" : "A")
        for text in [changed, String(sealed.dropLast(8)), "sealed:\(keys.ids[0]):", "sealed:x"] {
            #expect(throws: SealingKeys.Fault.damaged, "\(text.count)") { try keys.open(text) }
        }
    }

    @Test func `without keys secrets stay as they are, and sealed ones stay shut`() throws {
        let none = SealingKeys.none
        #expect(none.seal(Self.secret) == Self.secret)
        #expect(try none.open(Self.secret) == Self.secret && !none.shouldSeal(Self.secret))
        let keys = try SealingKeys(Self.old)
        #expect(throws: SealingKeys.Fault.keyMissing(id: keys.ids[0])) {
            try none.open(keys.seal(Self.secret))
        }
    }

    @Test(arguments: ["short", "AAAA", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="])
    func `a line that is no key is named by its number alone`(line: String) throws {
        let error = #expect(throws: SealingKeys.Fault.key(line: 2)) {
            try SealingKeys(Self.old + "\n" + line)
        }
        #expect(!"\(error.map { "\($0)" } ?? "")".contains(line))
        #expect(
            !"\(try SealingKeys(Self.old)) \(String(reflecting: try SealingKeys(Self.old)))"
                .contains("Symmetric"))
    }
}
