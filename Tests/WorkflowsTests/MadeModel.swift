import Forecasting
import Models
import Series
import Tensors

/// A sensor model that was never trained.
enum MadeModel {
    /// Of the channels a and b at 100 Hz, to u and v at 20 Hz.
    static func model(seed: UInt64 = 1, step: Int64 = 10_000) -> SensorModel {
        var c = HiSSConfiguration.standard(inputs: 2, outputs: 2, ratio: 5)
        for level in c.levels.indices { c.levels[level].width = 16 }
        var random = RandomStream(seed: seed)
        let scaling = SensorScaling([
            SensorSequence(
                name: "a", inputs: [[1, 3, 2, 4, 0], [-1, 1, 0, 2, 5]], targets: [[7], [3]],
                ratio: 5)
        ])
        return SensorModel(
            inputs: [Channel(name: "a"), Channel(name: "b")],
            outputs: [
                Channel(name: "u", unit: PhysicalUnit("m/s")),
                Channel(name: "v", unit: PhysicalUnit("m/s")),
            ],
            stepMicroseconds: step, memory: 100,
            trained: TrainedHiSS(
                configuration: c, parameters: HiSSNetwork(c).begin(&random), scaling: scaling),
            card: nil)
    }
}
