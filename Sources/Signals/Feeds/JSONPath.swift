import Foundation

/// A place, or many places, in a JSON document: `$.data[*].value`.
///
/// A part of RFC 9535: members by `.name` or `['name']`, one element by `[2]` or from the end by
/// `[-1]`, all of them by `[*]` or `.*`; and, as the last step, `~` for the name of a member.
package struct JSONPath: Sendable, Hashable, Codable {
    enum Step: Sendable, Hashable {
        case member(String)
        case element(Int)
        case all
        /// The name that led to the member.
        case name
    }

    /// As it was written.
    package let text: String
    let steps: [Step]

    /// The most steps of a path.
    package static let stepsMaximum = 32

    /// Reads a path; nil where the text is none.
    package init?(_ text: String) {
        guard text.utf8.count <= 1000, let steps = Self.parse(Array(text.utf8)) else { return nil }
        self.text = text
        self.steps = steps
    }

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let path = JSONPath(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "no JSON path"))
        }
        self = path
    }

    package func encode(to encoder: any Encoder) throws {
        var box = encoder.singleValueContainer()
        try box.encode(text)
    }

    /// How many steps lead to many places.
    var wildcards: Int { steps.count { $0 == .all } }

    /// The name of the last member on the way; nil where there is none.
    var lastName: String? {
        for step in steps.reversed() {
            if case .member(let name) = step { return name }
        }
        return nil
    }

    private static func parse(_ bytes: [UInt8]) -> [Step]? {
        guard bytes.first == UInt8(ascii: "$") else { return nil }
        var steps: [Step] = []
        var i = 1
        while i < bytes.count {
            guard steps.count < stepsMaximum, steps.last != .name else { return nil }
            switch bytes[i] {
            case UInt8(ascii: "~"):
                guard let last = steps.last else { return nil }
                if case .element = last { return nil }
                steps.append(.name)
                i += 1
            case UInt8(ascii: "."):
                i += 1
                let start = i
                while i < bytes.count, !".[~".utf8.contains(bytes[i]) { i += 1 }
                guard i > start,
                    let name = String(validating: bytes[start..<i], as: UTF8.self)
                else { return nil }
                steps.append(name == "*" ? .all : .member(name))
            case UInt8(ascii: "["):
                guard let (step, end) = bracket(bytes, from: i + 1) else { return nil }
                steps.append(step)
                i = end
            default: return nil
            }
        }
        return steps
    }

    /// What stands in brackets, and where they end.
    private static func bracket(_ bytes: [UInt8], from start: Int) -> (Step, Int)? {
        guard start < bytes.count else { return nil }
        let quote = bytes[start]
        if quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") {
            guard let close = bytes[(start + 1)...].firstIndex(of: quote), close + 1 < bytes.count,
                bytes[close + 1] == UInt8(ascii: "]"),
                let name = String(validating: bytes[(start + 1)..<close], as: UTF8.self)
            else { return nil }
            return (.member(name), close + 2)
        }
        guard let close = bytes[start...].firstIndex(of: UInt8(ascii: "]")) else { return nil }
        let text = String(decoding: bytes[start..<close], as: UTF8.self)
        if text == "*" { return (.all, close + 1) }
        guard let index = Int(text), (-1_000_000_000...1_000_000_000).contains(index) else {
            return nil
        }
        return (.element(index), close + 1)
    }
}

/// A JSON value as Foundation reads it, looked at by name and place.
struct JSONNode {
    let value: Any

    subscript(name: String) -> JSONNode? {
        (value as? [String: Any])?[name].map { JSONNode(value: $0) }
    }

    var elements: [Any]? { value as? [Any] }
    var text: String? { value as? String }
    var isNull: Bool { value is NSNull }
    /// A number, or one that is written as a text.
    var number: Double? {
        if let text { return FeedNumber.read(Array(text.utf8)) }
        return (value as? NSNumber)?.doubleValue
    }
    var list: [JSONNode] { (elements ?? []).map { JSONNode(value: $0) } }

    /// The document in `bytes`; nil where they are none.
    static func parse(_ bytes: some Collection<UInt8>) -> JSONNode? {
        // Whatever the reason, it is no JSON.
        let value = try? JSONSerialization.jsonObject(
            with: Data(bytes), options: [.fragmentsAllowed])
        return value.map { JSONNode(value: $0) }
    }
}

extension JSONPath {
    /// The text or number at the first place in a document that the path leads to; nil for none.
    package func text(in document: [UInt8]) -> String? {
        guard let root = JSONNode.parse(document),
            let node = matches(in: root, limit: 10_000)?.first?.node
        else { return nil }
        return node.text ?? (node.value as? NSNumber)?.stringValue
    }
}

extension JSONPath {
    /// One step that leads to many places, as it was taken.
    enum Turn: Hashable {
        case element(Int)
        case member(String)
    }

    /// A place that a path leads to.
    struct Match {
        /// `[wildcards]`
        var turns: [Turn] = []
        var node: JSONNode
        /// The name of the member that the last step led to.
        var name: String?
    }

    /// All places that the path leads to in `root`, at most `limit`; nil where there are more.
    func matches(in root: JSONNode, limit: Int) -> [Match]? {
        var found = [Match(node: root)]
        for step in steps {
            var next: [Match] = []
            for match in found {
                switch step {
                case .member(let name):
                    guard let node = match.node[name] else { continue }
                    next.append(Match(turns: match.turns, node: node, name: name))
                case .element(let index):
                    guard let list = match.node.elements else { continue }
                    let place = index < 0 ? list.count + index : index
                    guard list.indices.contains(place) else { continue }
                    next.append(Match(turns: match.turns, node: JSONNode(value: list[place])))
                case .all: match.spread(into: &next)
                case .name:
                    guard let name = match.name else { continue }
                    next.append(Match(turns: match.turns, node: JSONNode(value: name)))
                }
                guard next.count <= limit else { return nil }
            }
            found = next
        }
        return found
    }
}

extension JSONPath.Match {
    /// Adds a match for every element or member; members in the order of their names.
    fileprivate func spread(into matches: inout [JSONPath.Match]) {
        if let list = node.elements {
            for (index, value) in list.enumerated() {
                matches.append(
                    JSONPath.Match(
                        turns: turns + [.element(index)], node: JSONNode(value: value)))
            }
        } else if let members = node.value as? [String: Any] {
            for (name, value) in members.sorted(by: { $0.key < $1.key }) {
                matches.append(
                    JSONPath.Match(
                        turns: turns + [.member(name)], node: JSONNode(value: value), name: name))
            }
        }
    }
}
