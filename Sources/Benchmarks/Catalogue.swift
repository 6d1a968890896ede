/// Every benchmark, in the order of reports.
enum Catalogue {
    static let all: [Benchmark] = [
        SGEMM.benchmark, CSVRead.benchmark, WFDBRead.benchmark, EDFRead.benchmark,
        ObservationsCopy.benchmark, WaveformCopy.benchmark, JobsNoop.benchmark,
        ForecastBatch.benchmark, WebhookDeliver.benchmark,
    ]
}
