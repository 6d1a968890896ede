import Testing

@testable import Postgres

@Suite struct ConnectionConfigurationTests {
    @Test func `a URL and a conninfo say the same`() throws {
        let url = try ConnectionConfiguration("postgresql://ann:s%20t@db.example:6432/plant")
        let words = try ConnectionConfiguration(
            "host=db.example port=6432 user=ann password='s t' dbname=plant")
        #expect(url == words)
    }

    @Test(arguments: [
        "postgresql://ann:%zzhunter2@db/plant", "password=hunter2 nonsense",
        "hunter2", "host=a\0b hunter2",
    ])
    func `an unreadable text is refused without being quoted`(text: String) throws {
        let error = #expect(throws: PostgresError.self) { try ConnectionConfiguration(text) }
        #expect(error?.sqlState == "08001")
        #expect(try !"\(#require(error))".contains("hunter2"))
    }

    @Test func `the password is not in the description`() throws {
        let configuration = try ConnectionConfiguration(
            "postgresql://ann:hunter2@db/plant?sslpassword=swordfish&options=-c%20a%3Db")
        #expect(
            "\(configuration)"
                == "dbname=plant host=db options='-c a=b' password=… sslpassword=… user=ann")
    }

    struct Place: Sendable {
        let text: String
        let mode: String?
    }

    @Test(arguments: [
        Place(text: "host=db.example", mode: "verify-full"),
        Place(text: "host=localhost,db.example", mode: "verify-full"),
        Place(text: "host=localhost hostaddr=10.0.0.1", mode: "verify-full"),
        Place(text: "host=db.example sslmode=disable", mode: "disable"),
        Place(text: "host=/run/postgresql", mode: nil),
        Place(text: "host=127.0.0.1", mode: nil),
        Place(text: "host=::1", mode: nil),
        Place(text: "host=localhost", mode: nil),
    ])
    func `TLS is verified wherever the database is not local`(_ place: Place) throws {
        let configuration = try ConnectionConfiguration(place.text)
        let mode = configuration.keywords.first { $0.0 == "sslmode" }?.1
        #expect(mode == place.mode)
    }

    @Test func `several hosts mean the one that can be written to`() throws {
        let configuration = try ConnectionConfiguration("host=a,b port=1,2")
        #expect(configuration.keywords.contains { $0 == ("target_session_attrs", "read-write") })
    }
}

@Suite struct PostgresErrorTests {
    struct Case: Sendable {
        let state: String
        let isTransient: Bool
    }

    @Test(arguments: [
        Case(state: "08006", isTransient: true), Case(state: "08001", isTransient: true),
        Case(state: "40001", isTransient: true), Case(state: "40P01", isTransient: true),
        Case(state: "57P01", isTransient: true), Case(state: "57P03", isTransient: true),
        Case(state: "53300", isTransient: true), Case(state: "55P03", isTransient: true),
        Case(state: "23505", isTransient: false), Case(state: "42601", isTransient: false),
        Case(state: "57014", isTransient: false), Case(state: "28P01", isTransient: false),
    ])
    func `what may pass by itself is transient`(_ c: Case) {
        #expect(PostgresError(sqlState: c.state, message: "").isTransient == c.isTransient)
    }

    struct Message: Sendable {
        let state: String
        let given: String
        let kept: String
    }

    @Test(arguments: [
        Message(
            state: "22P02", given: #"invalid input syntax for type integer: "secret""#,
            kept: "invalid input syntax for type integer"),
        Message(
            state: "22003", given: #"value "99999999999" is out of range for type integer"#,
            kept: #"value "…" is out of range for type integer"#),
        Message(
            state: "22023", given: #"time zone "Mars" not recognized"#,
            kept: #"time zone "Mars" not recognized"#),
        Message(
            state: "42P01", given: #"relation "x" does not exist"#,
            kept: #"relation "x" does not exist"#),
    ])
    func `the input is cut out of data exceptions`(_ c: Message) {
        #expect(PostgresError(sqlState: c.state, message: c.given).message == c.kept)
    }

    struct Refusal: Sendable {
        let text: String
        let state: String
    }

    @Test(arguments: [
        Refusal(
            text: "connection to server at \"x\", port 5 failed: Connection refused\n\tIs it up?",
            state: "08001"),
        Refusal(text: #"FATAL:  password authentication failed for user "a""#, state: "28P01"),
        Refusal(text: #"FATAL:  database "a" does not exist"#, state: "3D000"),
        Refusal(text: #"FATAL:  role "a" does not exist"#, state: "28000"),
        Refusal(text: "FATAL:  sorry, too many clients already", state: "53300"),
        Refusal(text: "FATAL:  the database system is starting up", state: "57P03"),
        Refusal(
            text: #"connection to socket "/a" failed: root certificate "b" does not exist"#,
            state: "08001"),
    ])
    func `a refused connection gets its state`(_ refusal: Refusal) {
        let error = ConnectFailure.error(refusal.text + " hunter2\n", hiding: "hunter2")
        #expect(error.sqlState == refusal.state)
        #expect(!error.message.contains("\n") && !error.message.contains("hunter2"))
    }
}
