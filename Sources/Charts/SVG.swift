/// Writes an SVG document, escaping what has to be escaped.
package struct SVG: Sendable {
    private var body = ""
    private var depth = 1
    private let head: String

    /// A document of `width` × `height` units that scales with its surroundings.
    ///
    /// - Parameters:
    ///   - width: In user units, which are pixels unless scaled.
    ///   - height: In user units.
    ///   - identifier: Begins the ids in the document; letters, digits and `-`. Documents that
    ///     stand on one page need different ones.
    ///   - title: What the picture is, for those who do not see it.
    ///   - description: What it shows.
    package init(
        width: Double, height: Double, identifier: String, title: String, description: String
    ) {
        let (w, h) = (Self.number(width), Self.number(height))
        let id = Self.escaped(identifier)
        head = """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(w) \(h)" width="\(w)" \
            height="\(h)" role="img" aria-labelledby="\(id)-title \(id)-desc">
              <title id="\(id)-title">\(Self.escaped(title))</title>
              <desc id="\(id)-desc">\(Self.escaped(description))</desc>

            """
    }

    /// Adds an element.
    ///
    /// - Parameters:
    ///   - name: Such as `path`.
    ///   - attributes: In this order.
    ///   - text: Its content, for `text` elements.
    package mutating func add(
        _ name: String, _ attributes: KeyValuePairs<String, String>, text: String? = nil
    ) {
        body += indent + "<" + name + Self.written(attributes)
        body += text.map { ">\(Self.escaped($0))</\(name)>\n" } ?? "/>\n"
    }

    /// Adds a group that holds what `content` adds.
    package mutating func group(
        _ attributes: KeyValuePairs<String, String>, _ content: (inout SVG) -> Void
    ) {
        body += indent + "<g" + Self.written(attributes) + ">\n"
        depth += 1
        content(&self)
        depth -= 1
        body += indent + "</g>\n"
    }

    /// The document.
    package var text: String { head + body + "</svg>\n" }

    private var indent: String { String(repeating: "  ", count: depth) }

    private static func written(_ attributes: KeyValuePairs<String, String>) -> String {
        attributes.reduce(into: "") { $0 += " \($1.key)=\"\(escaped($1.value))\"" }
    }

    /// A coordinate with at most two decimals; a hundredth of a pixel is not to be seen.
    package static func number(_ value: Double) -> String {
        precondition(value.isFinite, "SVG: the coordinate \(value)")
        let cents = Int64((value * 100).rounded())
        let whole = "\(cents < 0 ? "-" : "")\(cents.magnitude / 100)"
        let rest = cents.magnitude % 100
        if rest == 0 { return whole }
        if rest % 10 == 0 { return "\(whole).\(rest / 10)" }
        return "\(whole).\(rest < 10 ? "0" : "")\(rest)"
    }

    /// Text in which nothing is markup; characters that XML forbids become blanks.
    package static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\u{0}"..<"\u{20}", "\u{7F}", "\u{FFFE}", "\u{FFFF}": result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
