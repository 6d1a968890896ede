/// A statement whose interpolated values are bound as parameters, never spliced into the text.
///
/// `SQL("SELECT unit FROM systole.series WHERE key = \(key)")` sends `… key = $1` and `key` apart
/// from each other. Parameters carry no type of their own: the server takes it from the context,
/// so that a bare `SELECT \(5)` needs a cast, `SELECT \(5)::bigint`.
package struct SQL: ExpressibleByStringInterpolation, Sendable {
    private var pieces: [Piece]

    fileprivate enum Piece: Sendable {
        case text(String)
        case parameter(SQLParameter)
    }

    package init(_ sql: SQL) {
        self = sql
    }

    package init(stringLiteral text: String) {
        pieces = [.text(text)]
    }

    package init(stringInterpolation: StringInterpolation) {
        pieces = stringInterpolation.pieces
    }

    /// A statement made of text that we wrote ourselves, such as a migration file.
    package init(raw text: String) {
        pieces = [.text(text)]
    }

    /// The text as the server gets it, with `$1`, `$2` … where the parameters go.
    package var text: String {
        var text = ""
        var number = 0
        for piece in pieces {
            switch piece {
            case .text(let part): text += part
            case .parameter:
                number += 1
                text += "$\(number)"
            }
        }
        return text
    }

    /// The parameters in the order of their numbers.
    package var parameters: [SQLParameter] {
        pieces.compactMap { piece in
            guard case .parameter(let parameter) = piece else { return nil }
            return parameter
        }
    }

    /// Collects the literal parts and the values of one interpolated statement.
    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var pieces: [Piece] = []

        package init(literalCapacity: Int, interpolationCount: Int) {
            pieces.reserveCapacity(2 * interpolationCount + 1)
        }

        package mutating func appendLiteral(_ literal: String) {
            pieces.append(.text(literal))
        }

        /// Binds `value` as a parameter.
        package mutating func appendInterpolation(_ value: some SQLValue) {
            pieces.append(.parameter(value.sqlParameter))
        }

        /// Binds `value` as a parameter, NULL for nil.
        package mutating func appendInterpolation<Value: SQLValue>(_ value: Value?) {
            pieces.append(.parameter(value?.sqlParameter ?? .null))
        }

        /// Inserts another statement, its parameters renumbered.
        package mutating func appendInterpolation(_ sql: SQL) {
            pieces.append(contentsOf: sql.pieces)
        }

        /// Splices `text` as it is: only for identifiers that we made ourselves.
        package mutating func appendInterpolation(raw text: String) {
            pieces.append(.text(text))
        }

        /// Splices `name` as a double-quoted identifier.
        package mutating func appendInterpolation(identifier name: String) {
            pieces.append(.text(SQL.quoted(identifier: name)))
        }
    }

    /// `name` as a double-quoted identifier, inner quotes doubled.
    package static func quoted(identifier name: String) -> String {
        var text = "\""
        for character in name.unicodeScalars {
            if character == "\"" { text += "\"" }
            text.unicodeScalars.append(character)
        }
        return text + "\""
    }
}

extension SQL: CustomStringConvertible {
    /// The text without the parameters, which may be health data.
    package var description: String { text }
}
