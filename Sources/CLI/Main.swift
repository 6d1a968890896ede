import ArgumentParser
import CRevision
import Foundation
import Postgres
import Tensors

/// The one executable: every role of the service and every tool of its users.
@main
struct Systole: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "systole",
        abstract: "Forecasts sensor series and biosignals beside PostgreSQL.",
        discussion: """
            First steps:
              systole forecast data.csv --column temperature --horizon 168 --plot out.svg
              systole up                      a private database, workers, everything
              systole ingest data.csv --name plant
            """,
        version: build,
        subcommands: [
            ForecastCommand.self, ClassifyCommand.self, BacktestCommand.self, EvaluateCommand.self,
            TrainCommand.self, IngestCommand.self, SourceCommand.self, SeriesCommand.self,
            ModelCommand.self, GroupCommand.self, DeriveCommand.self,
            ScheduleCommand.self, JobCommand.self, IncidentCommand.self, WebhookCommand.self,
            UpCommand.self,
            WorkCommand.self, MigrateCommand.self, ConfigCommand.self, DoctorCommand.self,
            SimulateCommand.self,
        ])

    /// The version of this executable.
    static let version = "0.1.0"

    /// The git revision that it was built from; empty where the build was not told.
    static let revision = unsafe String(cString: crevision())

    /// Version and revision, as `--version` prints them and models record them.
    static let build = revision.isEmpty ? version : "\(version) (\(revision))"

    /// Versions of the parts that a model depends on, by name; recorded with each model.
    static var software: [String: String] {
        var parts = ProcessorSetup.libraries
        parts["systole"] = build
        parts["compiler"] = unsafe String(cString: ccompiler())
        parts["libpq"] = ConnectionConfiguration.libraryVersion
        #if compiler(>=6.4)
            parts["swift"] = "6.4 or later"
        #elseif compiler(>=6.3)
            parts["swift"] = "6.3"
        #else
            parts["swift"] = "6.2 or earlier"
        #endif
        return parts
    }

    /// Parses and runs; every failure is one sentence on standard error.
    ///
    /// Exit codes: 0 done, 1 failed, 2 the command line was wrong.
    static func main() async {
        ProcessRestart.withFastLinearAlgebra()
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            Failure.report(error)
        }
        ProcessEnd.leave(0)
    }
}

/// The end of the process.
enum ProcessEnd {
    /// Hands on what was printed and ends the process at once.
    ///
    /// Not by `exit`: its handlers free OpenSSL's tables while a thread of libcurl, libpq or
    /// libmosquitto may still work with them, which crashed commands that were done before such a
    /// thread had begun. Nothing here needs a handler: files are closed by those who opened them.
    ///
    /// - Parameters:
    ///   - code: How it ends; a 0 becomes 1 where what was printed could not be written.
    ///   - saysWhy: Whether that is still to be said.
    static func leave(_ code: Int32, saysWhy: Bool = true) -> Never {
        do {
            try Terminal.flush()
        } catch {
            if saysWhy { Terminal.complain("systole: \(error)") }
            _exit(max(code, 1))
        }
        _exit(code)
    }
}

/// How a command that cannot go on ends.
enum Failure {
    /// Writes the error as one sentence and ends the process: 2 for a wrong command line, else 1.
    static func report(_ error: any Error) -> Never {
        let code = Systole.exitCode(for: error)
        if code == .success {
            print(Systole.fullMessage(for: error))
            ProcessEnd.leave(0)
        }
        if code == .validationFailure {
            Terminal.complain(Systole.fullMessage(for: error))
            ProcessEnd.leave(2)
        }
        if !(error is ExitCode) { Terminal.complain("systole: \(sentence(for: error))") }
        ProcessEnd.leave(1, saysWhy: !(error is Terminal.OutputFailure))
    }

    /// What `error` says to a person.
    static func sentence(for error: any Error) -> String {
        if error is CancellationError { return "interrupted; nothing was left half-written" }
        if let cocoa = error as? CocoaError {
            let path = cocoa.filePath.map { " (\($0))" } ?? ""
            return cocoa.localizedDescription + path
        }
        return String(describing: error)
    }
}
