/// Every benchmark, in the order of reports.
enum Catalogue {
    static let all: [Benchmark] = [
        SGEMM.benchmark, CSVRead.benchmark, WFDBRead.benchmark, EDFRead.benchmark,
    ]
}
