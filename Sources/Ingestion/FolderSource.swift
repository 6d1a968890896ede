package import Postgres
package import Store

/// Registers folders and files as sources.
package enum FolderSource {
    /// Registers a source that the workers pull from at every fire of its schedule.
    ///
    /// - Parameters:
    ///   - name: What users call it; its series are named `name.column`.
    ///   - settings: Paths and how to read them.
    ///   - every: The time between two pulls.
    ///   - isRevisable: Whether new values replace stored ones.
    ///   - db: A transaction.
    /// - Returns: The source.
    /// - Throws: `StoreError.sourceExists`.
    package static func register(
        name: String, settings: FolderSettings, every: Duration, isRevisable: Bool = false,
        in db: borrowing Session
    ) throws -> Source {
        precondition(every >= .seconds(1), "FolderSource: every \(every)")
        let source = try SourceStore.add(
            name: name, kind: FolderConnector.kind, settings: settings.json(),
            isRevisable: isRevisable, in: db)
        try db.run(
            """
            SELECT systole.create_schedule(
                name => \(scheduleName(name)), kind => 'ingest',
                args => jsonb_build_object('source_id', \(source.id)::bigint),
                every => make_interval(secs => \(Double(every.components.seconds))))
            """)
        return source
    }

    /// The source for a pull by hand: the one of that name, or a new one without a schedule.
    ///
    /// - Parameters:
    ///   - name: What users call it; its series are named `name.column`.
    ///   - settings: Paths and how to read them; those of a source that is there stay.
    ///   - isRevisable: Whether new values replace stored ones, for a new source.
    ///   - db: A transaction.
    /// - Returns: The source.
    /// - Throws: `PostgresError`.
    package static func forPull(
        name: String, settings: FolderSettings, isRevisable: Bool = false,
        in db: borrowing Session
    ) throws -> Source {
        do {
            return try SourceStore.find(name: name, in: db)
        } catch StoreError.unknownSource {
            return try SourceStore.add(
                name: name, kind: FolderConnector.kind, settings: settings.json(),
                isRevisable: isRevisable, in: db)
        }
    }

    /// Forgets a source, its cursors and its schedule; what it brought stays.
    ///
    /// - Parameters:
    ///   - name: The source.
    ///   - db: A transaction.
    /// - Throws: `StoreError.unknownSource`.
    package static func remove(name: String, in db: borrowing Session) throws {
        try SourceStore.remove(name: name, in: db)
        try db.run(
            """
            SELECT systole.delete_schedule(s.name) FROM systole.schedules AS s
            WHERE s.name = \(scheduleName(name))
            """)
    }

    /// The name of the schedule that pulls from a source.
    package static func scheduleName(_ source: String) -> String { "ingest \(source)" }
}
