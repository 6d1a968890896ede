/// Why a set of labelled series could not be read.
package struct LabelledSetError: Error, Equatable {
    /// What is wrong.
    package enum Reason: Equatable, Sendable {
        /// A file that the set cannot do without.
        case missing
        case unreadable(String)
        /// Not the JSON that is needed, which is named.
        case json(needed: String)
        /// A line that is not what is needed; from 1.
        case line(Int, needed: String)
        /// A label that lies on no row.
        case label(String)
        /// Not the array that is needed, which is named.
        case array(needed: String)
        case empty
    }

    /// Its path within the folder.
    package let file: String
    package let reason: Reason

    package init(file: String, reason: Reason) {
        self.file = file
        self.reason = reason
    }
}

extension LabelledSetError: CustomStringConvertible {
    package var description: String {
        switch reason {
        case .missing: "\(file): there is no such file in the folder"
        case .unreadable(let why): "\(file): \(why)"
        case .json(let needed): "\(file): not the JSON that is needed: \(needed)"
        case .line(let number, let needed): "\(file), line \(number): needed is \(needed)"
        case .label(let text): "\(file): the label \(text) lies on no row"
        case .array(let needed): "\(file): needed is \(needed)"
        case .empty: "\(file): no series is labelled"
        }
    }
}
