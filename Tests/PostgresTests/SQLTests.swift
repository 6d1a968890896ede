import Postgres
import Testing

@Suite struct SQLTests {
    @Test func `values become numbered parameters`() {
        let sql: SQL = "SELECT \(1), \("two") WHERE \(nil as Double?) IS NULL"
        #expect(sql.text == "SELECT $1, $2 WHERE $3 IS NULL")
        #expect(sql.parameters == [.text("1"), .text("two"), .null])
    }

    @Test func `a statement inside a statement is renumbered`() {
        let condition: SQL = "a = \(1) AND b = \(2)"
        let sql: SQL = "SELECT \(0) WHERE \(condition) LIMIT \(3)"
        #expect(sql.text == "SELECT $1 WHERE a = $2 AND b = $3 LIMIT $4")
        #expect(sql.parameters == [.text("0"), .text("1"), .text("2"), .text("3")])
    }

    @Test func `identifiers are quoted and raw text is not`() {
        let sql: SQL = "SELECT * FROM \(identifier: "a\"b") \(raw: "ORDER BY 1")"
        #expect(sql.text == "SELECT * FROM \"a\"\"b\" ORDER BY 1")
        #expect(sql.parameters.isEmpty)
    }

    @Test func `the description shows no value`() {
        let sql: SQL = "SELECT \("patient 4711")"
        #expect(!"\(sql)".contains("4711"))
    }

    struct Literal: Sendable {
        let value: SQLParameter
        let text: String
    }

    @Test(arguments: [
        Literal(value: [1, 2].sqlParameter, text: "{1,2}"),
        Literal(value: ([] as [Double]).sqlParameter, text: "{}"),
        Literal(value: [1.5, nil, .nan].sqlParameter, text: "{1.5,NULL,NaN}"),
        Literal(value: ["a", "b\"c\\"].sqlParameter, text: #"{"a","b\"c\\"}"#),
        Literal(value: [true, false].sqlParameter, text: "{t,f}"),
        Literal(value: Float.infinity.sqlParameter, text: "Infinity"),
        Literal(value: (-Double.infinity).sqlParameter, text: "-Infinity"),
    ])
    func `arrays and numbers are spelled as PostgreSQL reads them`(_ literal: Literal) {
        #expect(literal.value == .text(literal.text))
    }
}
