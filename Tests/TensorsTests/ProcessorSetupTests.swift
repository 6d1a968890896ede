import Tensors
import Testing

@Suite struct ProcessorSetupTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let hasAVX512: Bool
        let chosen: String
        var told: String?
        let request: String?
        var testDescription: String {
            "\(chosen), AVX-512: \(hasAVX512), told: \(told ?? "nothing")"
        }
    }

    @Test(arguments: [
        Case(hasAVX512: true, chosen: "Haswell", request: "SkylakeX"),
        Case(hasAVX512: true, chosen: "Zen", request: "SkylakeX"),
        Case(hasAVX512: true, chosen: "Prescott", request: "SkylakeX"),
        Case(hasAVX512: true, chosen: "SkylakeX", request: nil),
        Case(hasAVX512: true, chosen: "Cooperlake", request: nil),
        Case(hasAVX512: true, chosen: "Haswell", told: "Haswell", request: nil),
        Case(hasAVX512: false, chosen: "Haswell", request: nil),
    ])
    func `wide kernels are requested where the processor has them and nobody has said otherwise`(
        _ c: Case
    ) {
        #expect(
            ProcessorSetup.coreTypeToRequest(
                hasAVX512: c.hasAVX512, chosen: c.chosen, told: c.told) == c.request)
    }

    @Test func `a process that was told asks for nothing more`() {
        #expect(
            ProcessorSetup.coreTypeToRequest(environment: [ProcessorSetup.variable: "SkylakeX"])
                == nil)
        #expect(!ProcessorSetup.openBLASCore.isEmpty)
    }
}
