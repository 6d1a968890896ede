/// A secret read from the database, which no description or dump of anything shows.
package struct StoredSecret: Sendable, CustomStringConvertible, CustomReflectable {
    /// The secret itself.
    package let revealed: String

    package init(_ revealed: String) {
        self.revealed = revealed
    }

    package var description: String { "a secret" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
