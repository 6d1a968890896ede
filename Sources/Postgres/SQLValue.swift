/// One bound parameter in the form in which it travels.
package enum SQLParameter: Equatable, Sendable {
    case null
    /// The type's textual form; the server reads it as whatever the context asks for.
    case text(String)
    /// The type's binary form.
    case binary([UInt8])
}

/// A Swift value that can be bound in `SQL`.
package protocol SQLValue: Sendable {
    /// The value as a parameter without a guessed type.
    var sqlParameter: SQLParameter { get }
}

extension SQLParameter: SQLValue {
    package var sqlParameter: SQLParameter { self }
}

extension String: SQLValue {
    package var sqlParameter: SQLParameter { .text(self) }
}

extension Substring: SQLValue {
    package var sqlParameter: SQLParameter { .text(String(self)) }
}

extension Bool: SQLValue {
    package var sqlParameter: SQLParameter { .text(self ? "t" : "f") }
}

extension Int: SQLValue {
    package var sqlParameter: SQLParameter { .text(String(self)) }
}

extension Int16: SQLValue {
    package var sqlParameter: SQLParameter { .text(String(self)) }
}

extension Int32: SQLValue {
    package var sqlParameter: SQLParameter { .text(String(self)) }
}

extension Int64: SQLValue {
    package var sqlParameter: SQLParameter { .text(String(self)) }
}

extension UInt64: SQLValue {
    package var sqlParameter: SQLParameter { .text(String(self)) }
}

extension Double: SQLValue {
    package var sqlParameter: SQLParameter { .text(sqlText) }
}

extension Float: SQLValue {
    package var sqlParameter: SQLParameter { .text(sqlText) }
}

extension Optional: SQLValue where Wrapped: SQLValue {
    package var sqlParameter: SQLParameter { self?.sqlParameter ?? .null }
}

/// `[UInt8]` is `bytea`; every other array is a one-dimensional array of its element's type.
extension Array: SQLValue where Element: SQLArrayElement {
    package var sqlParameter: SQLParameter { Element.parameter(of: self) }
}

/// A type whose arrays can be bound.
package protocol SQLArrayElement: Sendable {
    /// A whole array as one parameter.
    static func parameter(of array: [Self]) -> SQLParameter
}

extension UInt8: SQLArrayElement {
    package static func parameter(of array: [UInt8]) -> SQLParameter { .binary(array) }
}

/// An element that is written into an array literal as text.
package protocol SQLLiteralElement: SQLArrayElement {
    /// The element inside `{…}`, quoted if it has to be.
    var arrayElementText: String { get }
}

extension SQLLiteralElement {
    package static func parameter(of array: [Self]) -> SQLParameter {
        var literal = "{"
        for (index, element) in array.enumerated() {
            if index > 0 { literal += "," }
            literal += element.arrayElementText
        }
        return .text(literal + "}")
    }
}

extension Int: SQLLiteralElement {
    package var arrayElementText: String { String(self) }
}

extension Int16: SQLLiteralElement {
    package var arrayElementText: String { String(self) }
}

extension Int32: SQLLiteralElement {
    package var arrayElementText: String { String(self) }
}

extension Int64: SQLLiteralElement {
    package var arrayElementText: String { String(self) }
}

extension Double: SQLLiteralElement {
    package var arrayElementText: String { sqlText }
}

extension Float: SQLLiteralElement {
    package var arrayElementText: String { sqlText }
}

extension Bool: SQLLiteralElement {
    package var arrayElementText: String { self ? "t" : "f" }
}

extension String: SQLLiteralElement {
    /// Always quoted, so that `NULL`, commas, braces and the empty text stay what they are.
    package var arrayElementText: String {
        var text = "\""
        for character in unicodeScalars {
            if character == "\"" || character == "\\" { text += "\\" }
            text.unicodeScalars.append(character)
        }
        return text + "\""
    }
}

extension Optional: SQLArrayElement where Wrapped: SQLLiteralElement {}

extension Optional: SQLLiteralElement where Wrapped: SQLLiteralElement {
    package var arrayElementText: String { self?.arrayElementText ?? "NULL" }
}

extension BinaryFloatingPoint where Self: LosslessStringConvertible {
    /// The shortest text that reads back to the same bits; PostgreSQL's names for what is no number.
    fileprivate var sqlText: String {
        if isNaN { return "NaN" }
        if isInfinite { return self < 0 ? "-Infinity" : "Infinity" }
        return String(self)
    }
}
