import ArgumentParser

/// `systole train`: the ways to train a model. The command that holds them has no options of its own,
/// which would take those of the same name from the others.
struct TrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Fits a model to a series or to sensors, or a classifier to recordings.",
        discussion: """
            Without a subcommand it is `systole train series`, whose help has the options.

            Example:
              systole train ETTh1.csv --column OT --horizon 168 --out ot.safetensors
              systole train --series plant.oil_temp --family spacetime --seed 1
              systole train hiss walk*.csv --inputs ax,ay,az --target speed --out wrist.safetensors
              systole train ecg --data ecg12 --out ecg.safetensors
            """,
        subcommands: [
            TrainSeriesCommand.self, TrainSensorCommand.self, TrainECGCommand.self,
        ],
        defaultSubcommand: TrainSeriesCommand.self)
}
