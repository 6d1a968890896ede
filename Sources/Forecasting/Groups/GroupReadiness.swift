/// How far the rows of a group may be judged, by what its members have reported.
///
/// Decided by times of the data alone: the same observations give the same rows, whenever they are
/// looked at.
package enum GroupReadiness {
    /// The last row that is ready.
    ///
    /// Rows wait for all members, save for those that are more than `lateness` behind the share of
    /// the members that reported most; and in any case for that share.
    ///
    /// - Parameters:
    ///   - newest: The newest row of every member; nil for one without any.
    ///   - share: In 0...1.
    ///   - lateness: In rows.
    /// - Returns: The number of a row; nil while fewer than the share have reported any.
    package static func row(newest: [Int64?], share: Double, lateness: Int64) -> Int64? {
        let wanted = max(1, Int((share * Double(newest.count)).rounded(.up)))
        let known = newest.compactMap { $0 }.sorted(by: >)
        guard wanted <= known.count else { return nil }
        let reported = known[wanted - 1]
        return known.filter { $0 >= reported - lateness }.min().map { min($0, reported) }
    }
}
