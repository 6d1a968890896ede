import Testing

/// A word that belongs into one home, or nowhere.
private struct Ban: Sendable {
    let word: String
    /// Targets that may use it, with the reason in the comment beside.
    let homes: Set<String>
    let why: String
}

private let bans: [Ban] = [
    Ban(word: "Date()", homes: ["CLI", "Benchmarks"], why: "time comes in as an argument"),
    // Postgres: the files through which a program's output comes back are named once and deleted.
    Ban(
        word: "UUID()", homes: ["CLI", "Benchmarks", "Postgres"],
        why: "identity comes in as an argument"),
    // Postgres: the password of a private cluster, by default; a test passes its own.
    Ban(
        word: "SystemRandomNumberGenerator", homes: ["CLI", "Postgres"],
        why: "chance comes in as an argument"),
    Ban(
        word: "print(", homes: ["CLI", "Benchmarks", "Fuzz"],
        why: "only a face speaks to the terminal"),
    Ban(
        word: "getenv", homes: ["CLI", "Benchmarks"],
        why: "the environment is read in one place"),
    Ban(
        word: "ProcessInfo.processInfo.environment", homes: ["CLI", "Benchmarks"],
        why: "the environment is read in one place"),
    Ban(word: "try!", homes: [], why: "the world's mistakes throw"),
    Ban(word: "as!", homes: [], why: "a wrong type is an error, not a crash"),
    Ban(word: "Task.detached", homes: [], why: "no task that nobody awaits"),
    Ban(word: "fatalError(\"not", homes: [], why: "no stubs"),
    Ban(word: "for unsafe ", homes: [], why: "swift-format corrupts it"),
]

@Suite struct BanTests {
    @Test(arguments: bans.indices)
    func `a banned word stays in its home`(index: Int) throws {
        let ban = bans[index]
        var found: [String] = []
        for file in try SourceTree.swiftFiles(in: "Sources") where !ban.homes.contains(file.target)
        {
            for (number, text) in file.code where Self.uses(text, ban.word) {
                found.append("\(file.path):\(number)")
            }
        }
        #expect(found == [], "\(ban.word): \(ban.why)")
    }

    @Test func `no function is longer than seventy lines`() throws {
        var long: [String] = []
        for file in try SourceTree.swiftFiles(in: "Sources") + SourceTree.swiftFiles(in: "Tests") {
            for (start, length) in Self.functions(in: file) where length > 70 {
                long.append("\(file.path):\(start) has \(length) lines")
            }
        }
        #expect(long == [])
    }

    @Test func `no file is longer than five hundred lines`() throws {
        let files = try SourceTree.swiftFiles(in: "Sources") + SourceTree.swiftFiles(in: "Tests")
        #expect(files.filter { $0.lines.count > 501 }.map(\.path) == [])
    }

    @Test func `a function named test is a test`() throws {
        var silent: [String] = []
        for file in try SourceTree.swiftFiles(in: "Tests") {
            for (index, line) in file.lines.enumerated()
            where line.contains("func test") && line.contains("()") && !line.contains("@Test") {
                let before = index > 0 ? file.lines[index - 1] : ""
                if !before.contains("@Test") && !line.contains("contains(") {
                    silent.append("\(file.path):\(index + 1)")
                }
            }
        }
        #expect(silent == [])
    }

    @Test func `every postponed thing names its issue`() throws {
        var nameless: [String] = []
        for file in try SourceTree.swiftFiles(in: "Sources") {
            for (index, line) in file.lines.enumerated()
            where line.contains("TODO") || line.contains("FIXME") {
                if !line.contains("#") { nameless.append("\(file.path):\(index + 1)") }
            }
        }
        #expect(nameless == [])
    }

    @Test func `every package type and function says what it is for`() throws {
        let files = try SourceTree.swiftFiles(in: "Sources")
        // What a protocol asks for is explained there, once; these come from the language's own.
        let required = Self.requirements(of: files).union(["appendLiteral", "appendInterpolation"])
        var silent: [String] = []
        for file in files {
            for (index, line) in file.lines.enumerated()
            where Self.declares(line, besides: required)
                && !Self.isDocumented(file.lines, before: index)
            {
                silent.append("\(file.path):\(index + 1)")
            }
        }
        #expect(silent == [])
    }

    /// Whether `text` uses `word` as a word of its own: `sprint(` does not use `print(`.
    private static func uses(_ text: String, _ word: String) -> Bool {
        guard let range = text.firstRange(of: word) else { return false }
        guard range.lowerBound > text.startIndex else { return true }
        let before = text[text.index(before: range.lowerBound)]
        return !(before.isLetter || before.isNumber || before == "_" || before == "\"")
    }

    /// Start line and length of every function, found by the closing brace on the same indentation.
    private static func functions(in file: SourceFile) -> [(start: Int, length: Int)] {
        file.lines.enumerated().compactMap { index, line in
            let text = line.drop { $0 == " " }
            let words = text.split(separator: " ").prefix(5)
            guard words.contains("func") || text.firstRange(of: "init(") != nil,
                !text.hasPrefix("//")
            else { return nil }
            let closing = line.prefix { $0 == " " } + "}"
            guard let end = file.lines[(index + 1)...].firstIndex(where: { $0 == closing }) else {
                return nil
            }
            let next = file.lines[(index + 1)...].firstIndex { other in
                other.prefix { $0 == " " }.count <= line.prefix { $0 == " " }.count
                    && !other.isEmpty && !other.drop { $0 == " " }.hasPrefix(")")
                    && !other.drop { $0 == " " }.hasPrefix("{")
            }
            guard next == end else { return nil }
            return (index + 1, end - index - 1)
        }
    }

    /// The names of all functions that our protocols ask for.
    private static func requirements(of files: [SourceFile]) -> Set<String> {
        var names: Set<String> = []
        for file in files {
            var isProtocol = false
            for line in file.lines {
                if line.contains("protocol ") && line.hasSuffix("{") { isProtocol = true }
                if line == "}" { isProtocol = false }
                if isProtocol, let name = functionName(line) { names.insert(name) }
            }
        }
        return names
    }

    /// `scan` for `    static func scan<S>(_ x: …`; nil for a line that declares no function.
    private static func functionName(_ line: String) -> String? {
        guard let start = line.firstRange(of: "func ") else { return nil }
        return String(line[start.upperBound...].prefix { $0.isLetter || $0.isNumber || $0 == "_" })
    }

    /// Whether a line declares a package type, or a package function other than `required`.
    private static func declares(_ line: String, besides required: Set<String>) -> Bool {
        let words = line.split(separator: " ").map(String.init)
        guard words.contains("package") else { return false }
        let kinds = ["struct", "enum", "class", "actor", "protocol", "func"]
        guard let first = words.first(where: { kinds.contains($0) }) else { return false }
        guard first == "func" else { return true }
        let name = functionName(line) ?? ""
        // An operator has no letters, and means what it always means.
        return !name.isEmpty && !required.contains(name) && !["encode", "hash"].contains(name)
    }

    /// Whether the lines above `index` end, attributes skipped, in a documentation comment.
    private static func isDocumented(_ lines: [String], before index: Int) -> Bool {
        var above = index - 1
        while above >= 0 {
            let text = lines[above].drop { $0 == " " }
            if text.hasPrefix("///") { return true }
            guard text.hasPrefix("@") else { return false }
            above -= 1
        }
        return false
    }
}
