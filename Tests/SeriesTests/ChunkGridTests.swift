import Series
import Testing

@Suite struct ChunkGridTests {
    private static let rates = [
        SamplingRate(500), SamplingRate(360), SamplingRate(1), SamplingRate(1000, per: 3),
    ]

    @Test(arguments: rates)
    func `every sample lies in one chunk, and chunks follow each other`(rate: SamplingRate) {
        for grid in [ChunkGrid(rate: rate), ChunkGrid(rate: rate, staggeredBy: "ward/7")] {
            let length = grid.start(of: 3) - grid.start(of: 2)
            #expect(abs(Double(length) - 10 / rate.stepSeconds) <= 1)
            #expect(grid.start(of: 0) == 0)
            for ordinal in 0..<5 as Range<Int64> {
                let samples = grid.samples(of: ordinal)
                #expect(!samples.isEmpty && Double(samples.count) <= 10 / rate.stepSeconds + 1)
                #expect(grid.ordinal(of: samples.lowerBound) == ordinal)
                #expect(grid.ordinal(of: samples.upperBound - 1) == ordinal)
                #expect(grid.ordinal(of: samples.upperBound) == ordinal + 1)
            }
        }
    }

    @Test func `recordings that begin together end their chunks at different times`() {
        let grids = (0..<100).map { ChunkGrid(rate: SamplingRate(500), staggeredBy: "ward/\($0)") }
        #expect(ChunkGrid(rate: SamplingRate(500), staggeredBy: "ward/7") == grids[7])
        // Fifths of a second, of which a chunk has fifty.
        let ends = Dictionary(grouping: grids) { $0.start(of: 1) / 100 }
        #expect(ends.count > 35)
        #expect(ends.values.allSatisfy { $0.count <= 8 })
    }
}
