import CLibPQ

/// The object identifiers of the built-in types that we read; fixed in PostgreSQL's catalogue.
///
/// - Source: `src/include/catalog/pg_type.dat`, PostgreSQL 15.
enum TypeID {
    static let bool: Oid = 16
    static let bytea: Oid = 17
    static let name: Oid = 19
    static let int8: Oid = 20
    static let int2: Oid = 21
    static let int4: Oid = 23
    static let text: Oid = 25
    static let oid: Oid = 26
    static let json: Oid = 114
    static let float4: Oid = 700
    static let float8: Oid = 701
    static let bpchar: Oid = 1042
    static let varchar: Oid = 1043
    static let timestamp: Oid = 1114
    static let timestamptz: Oid = 1184
    static let numeric: Oid = 1700
    static let jsonb: Oid = 3802
    static let xid8: Oid = 5069

    static let nameArray: Oid = 1003
    static let int2Array: Oid = 1005
    static let int4Array: Oid = 1007
    static let textArray: Oid = 1009
    static let varcharArray: Oid = 1015
    static let int8Array: Oid = 1016
    static let float4Array: Oid = 1021
    static let float8Array: Oid = 1022

    private static let names: [Oid: String] = [
        bool: "boolean", bytea: "bytea", name: "name", int8: "bigint", int2: "smallint",
        int4: "integer", text: "text", oid: "oid", json: "json", float4: "real",
        float8: "double precision", bpchar: "char", varchar: "varchar", timestamp: "timestamp",
        timestamptz: "timestamptz", numeric: "numeric", jsonb: "jsonb", xid8: "xid8",
        int2Array: "smallint[]", int4Array: "integer[]", textArray: "text[]",
        int8Array: "bigint[]", float4Array: "real[]", float8Array: "double precision[]",
    ]

    /// The type's name for an error text.
    static func name(of oid: Oid) -> String {
        names[oid] ?? "with identifier \(oid)"
    }
}
