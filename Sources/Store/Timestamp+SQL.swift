package import Postgres
package import Series

extension Timestamp: SQLValue {
    /// ISO 8601 in UTC, which `timestamptz` reads whatever the session's time zone is.
    package var sqlParameter: SQLParameter { .text(description) }
}

extension SeriesID: SQLValue {
    package var sqlParameter: SQLParameter { number.sqlParameter }
}

extension Row {
    /// `timestamptz`.
    func timestamp(_ column: String) throws(PostgresError) -> Timestamp {
        Timestamp(microseconds: try epochMicroseconds(column))
    }

    /// `timestamptz`, or nil for NULL.
    func optionalTimestamp(_ column: String) throws(PostgresError) -> Timestamp? {
        try optionalEpochMicroseconds(column).map { Timestamp(microseconds: $0) }
    }
}
