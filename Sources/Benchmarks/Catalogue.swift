/// Every benchmark, in the order of reports.
enum Catalogue {
    static let all: [Benchmark] =
        SGEMM.benchmarks + FFTConvolution.benchmarks + SelectiveScan.benchmarks
        + ECGMambaSubjects.benchmarks + HiSSSubjects.benchmarks + TSM2Subjects.benchmarks + [
            SpaceTimeTrainStep.benchmark, SpaceTimeForecast.benchmark, ForecastBatch.benchmark,
            CSVRead.benchmark,
            WFDBRead.benchmark, WFDBRead.physical, EDFRead.benchmark, EDFRead.physical,
        ] + ClassifyFolder.benchmarks + [
            ObservationsCopy.benchmark, WaveformCopy.benchmark,
        ] + IngestFiles.benchmarks + LiveECG.benchmarks
        + JobsNoop.benchmarks + [
            JobsLatency.benchmark, JobsHeldSnapshot.benchmark, WebhookDeliver.benchmark,
        ] + WebhooksRate.benchmarks + [WebhooksLatency.benchmark, AnomalyLatency.benchmark]
        + DerivedStreams.benchmarks + ForecastsByLabels.benchmarks
}
