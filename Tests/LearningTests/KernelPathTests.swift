import Foundation
import Learning
import TestSupport
import Tensors
import Testing

/// The three ways to a companion kernel, values and adjoints.
@Suite struct KernelPathTests {
    static let golden = ["", "_special"].flatMap { GoldenFile.cases("companion_kernel" + $0) }

    @Test(arguments: golden, KernelPath.allCases)
    func `every path agrees with the reference, poles on the unit circle as well`(
        file: String, path: KernelPath
    ) throws {
        try check(file, path, Double.self)
        try check(file, path, Float.self)
    }

    private func check<S: Scalar>(_ file: String, _ path: KernelPath, _: S.Type) throws {
        let golden = try GoldenFile(file)
        guard golden.configuration["normalised"] as? Bool == true else { return }
        let run = KernelRun<S>(
            a: try golden.tensor("in/a"), b: try golden.tensor("in/b"),
            c: try golden.tensor("in/c"), length: golden.integer("time"), path)
        run.backward(try golden.tensor("up/kernel"))
        #expect(try golden.excess(of: run.kernel, over: "out/kernel") <= 1)
        for (name, gradient) in run.gradients {
            #expect(try golden.excess(of: gradient, over: "grad/in/" + name) <= 1, "\(name)")
        }
    }

    @Test(arguments: GoldenFile.cases("companion_kernel_spectral"))
    func `the generating function and its adjoint agree with the reference's`(
        file: String
    ) throws {
        let golden = try GoldenFile(file)
        let (a, b, c): (Tensor<Double>, Tensor<Double>, Tensor<Double>) = (
            try golden.tensor("in/a"), try golden.tensor("in/b"), try golden.tensor("in/c")
        )
        let up: Tensor<Double> = try golden.tensor("up/kernel")
        let scale = try #require(golden.configuration["column_scale"] as? Double)
        let (heads, d, length) = (a.shape[0], a.shape[1], golden.integer("time"))
        let function = GeneratingFunction(d: d, length: length)
        var kernel: [Double] = []
        var gradients: (a: [Double], b: [Double], c: [Double]) = ([], [], [])
        for h in 0..<heads {
            let raw = Array(a.values[h * d..<(h + 1) * d])
            let norm = raw.reduce(0) { $0 + abs($1) }
            let unit = raw.map { $0 / norm }
            let (used, bs, cs) = (
                unit.map { scale * $0 }, Array(b.values[h * d..<(h + 1) * d]),
                Array(c.values[h * d..<(h + 1) * d])
            )
            kernel += function.kernel(a: used, b: bs, c: cs)
            let g = function.adjoint(
                a: used, b: bs, c: cs, dkernel: Array(up.values[h * length..<(h + 1) * length]))
            let along = zip(g.a, unit).reduce(0) { $0 + $1.0 * $1.1 }
            gradients.a += zip(g.a, raw).map { scale * ($0 - along * ($1 < 0 ? -1 : 1)) / norm }
            gradients.b += g.b
            gradients.c += g.c
        }
        #expect(try golden.excess(of: Tensor([heads, length], kernel), over: "out/kernel") <= 1)
        for (name, values) in [("a", gradients.a), ("b", gradients.b), ("c", gradients.c)] {
            #expect(
                try golden.excess(of: Tensor([heads, d], values), over: "grad/in/" + name) <= 1)
        }
    }

    @Test(arguments: CompanionOracleTests.cases + [.init(d: 300, length: 1000)])
    func `paths agree on random columns, with their adjoints`(_ c: CompanionOracleTests.Case) {
        let (d, length) = (c.d, c.length)
        var random = RandomStream(seed: UInt64(d))
        func normals(_ count: Int) -> Tensor<Double> {
            Tensor([1, count], (0..<count).map { _ in random.normal() })
        }
        let (column, input, output) = (normals(d), normals(d), normals(d))
        let up = normals(length)
        let runs = KernelPath.allCases.map { path in
            let run = KernelRun<Double>(a: column, b: input, c: output, length: length, path)
            run.backward(up)
            return run
        }
        for other in runs.dropFirst() {
            #expect(distance(other.kernel, runs[0].kernel) < 1e-11)
            for (x, y) in zip(other.gradients, runs[0].gradients) {
                #expect(distance(x.1, y.1) < 1e-10, "\(x.0)")
            }
        }
    }

    struct Pitfall: CustomTestStringConvertible, Sendable {
        let name: String
        let d: Int
        let column: @Sendable (_ j: Int, _ draw: Double) -> Double
        var testDescription: String { name }
    }

    @Test(arguments: [
        Pitfall(name: "random signs", d: 64) { $1 },
        Pitfall(name: "all non-negative", d: 64) { abs($1) },
        Pitfall(name: "integrator", d: 64) { j, _ in j == 63 ? 1 : 0 },
        Pitfall(name: "seasonal, 24", d: 64) { j, _ in j == 64 - 24 ? 1 : 0 },
    ])
    func `poles that are roots of unity hurt no path, in either precision`(_ p: Pitfall) {
        var random = RandomStream(seed: 6)
        let column = (0..<p.d).map { p.column($0, random.normal()) }
        let (b, c) = (
            (0..<p.d).map { _ in random.normal() }, (0..<p.d).map { _ in random.normal() }
        )
        func kernel<S: Scalar>(_ path: KernelPath, _: S.Type) -> Tensor<Double> {
            KernelRun<S>(
                a: Tensor([1, p.d], column).converted(to: S.self),
                b: Tensor([1, p.d], b).converted(to: S.self),
                c: Tensor([1, p.d], c).converted(to: S.self), length: 336, path
            ).kernel.converted(to: Double.self)
        }
        let exact = kernel(.recurrence, Double.self)
        for path in KernelPath.allCases {
            #expect(distance(kernel(path, Double.self), exact) < 1e-11, "\(path)")
            #expect(distance(kernel(path, Float.self), exact) < 5e-6, "\(path)")
        }
    }

    @Test func `the recurrence is the default, and gives way where states are long and many`() {
        #expect(KernelPath.fastest(d: 64, length: 336) == .recurrence)
        #expect(KernelPath.fastest(d: 64, length: 100_000) == .recurrence)
        #expect(KernelPath.fastest(d: 4096, length: 4096) == .generatingFunction)
    }

    private func distance(_ x: Tensor<Double>, _ y: Tensor<Double>) -> Double {
        zip(x.values, y.values).reduce(0) { max($0, abs($1.0 - $1.1)) } / max(1, y.largestMagnitude)
    }
}

/// Kernels of a state space by one path, and what their gradient gives.
final class KernelRun<S: Scalar> {
    private let ssm: CompanionSSM
    private let layout: ParameterLayout
    private let kernels: KernelMemory
    private let states: KernelStates
    private let (p, flat): (Panel, Panel)
    private let work: Workspace<S>

    init(a: Tensor<S>, b: Tensor<S>, c: Tensor<S>, length: Int, _ path: KernelPath) {
        let (heads, d) = (a.shape[0], a.shape[1])
        var layout = ParameterLayout()
        ssm = CompanionSSM(&layout, width: heads, kernels: heads, d: d)
        self.layout = layout
        var plan = WorkspaceLayout()
        p = plan.reserve(1, layout.count)
        flat = plan.reserve(1, layout.count)
        kernels = KernelMemory(
            &plan, kernels: heads, d: d, length: length, keepsStates: false)
        states = KernelStates(&plan, d: d, length: length, training: true, path: path)
        work = Workspace(plan)
        var parameters = Parameters<S>(zeros: layout)
        (parameters[ssm.a], parameters[ssm.b], parameters[ssm.c]) = (a, b, c)
        work.load(p, from: parameters.values)
        for g in 0..<heads { ssm.makeKernel(g, kernels, states, p, work) }
    }

    var kernel: Tensor<S> {
        Tensor([ssm.kernels, kernels.kernel.columns], work.values(kernels.kernel))
    }

    func backward(_ up: Tensor<S>) {
        work.load(kernels.gradient, from: up.values)
        for g in 0..<ssm.kernels {
            ssm.kernelBackward(g, kernels, states, p, gradient: flat, work)
        }
    }

    var gradients: [(String, Tensor<S>)] {
        [("a", ssm.a), ("b", ssm.b), ("c", ssm.c)].map { name, slot in
            (name, Tensor(slot.shape, work.values(slot.panel(in: flat))))
        }
    }
}
