import Foundation
import Testing

/// What each target may import beside the system's own modules: the last column of the module map.
/// An import that is not here may still build, if SwiftPM reaches it through another target; this
/// table is what forbids it.
private let mayImport: [String: Set<String>] = [
    "Series": [],
    "Threads": [],
    "Tensors": ["CKernels", "CFFTW", "COpenBLAS"],
    "Learning": ["Tensors"],
    "Models": ["Tensors", "Learning"],
    "Signals": ["Series", "Tensors", "CFLAC"],
    "Forecasting": ["Series", "Tensors", "Signals", "Learning", "Models"],
    "Classification": ["Series", "Tensors", "Signals", "Learning", "Models"],
    "Charts": ["Series"],
    "Postgres": ["Threads", "CLibPQ", "Crypto", "Logging"],
    "WebClient": ["CCurl", "CZlib", "CZstd", "Logging"],
    "Messaging": ["Threads", "CMosquitto"],
    "Store": ["Series", "Postgres", "Crypto"],
    "Jobs": ["Postgres", "ServiceLifecycle", "Logging"],
    "Ingestion": [
        "Series", "Signals", "WebClient", "Messaging", "Store", "Jobs", "Postgres", "Crypto",
        "ServiceLifecycle", "Logging",
    ],
    "Workflows": [
        "Series", "Tensors", "Signals", "Forecasting", "Classification", "Models", "Learning",
        "Store", "Jobs", "Postgres", "ServiceLifecycle", "Logging",
    ],
    "Notifications": [
        "Series", "WebClient", "Store", "Jobs", "Postgres", "Crypto", "ServiceLifecycle",
        "Logging",
    ],
    "CLI": [
        "Series", "Tensors", "Learning", "Models", "Signals", "Forecasting", "Classification",
        "Charts", "Postgres", "WebClient", "Messaging", "Store", "Jobs", "Ingestion", "Workflows",
        "Notifications", "CRevision", "CTerminal",
        "ArgumentParser", "Crypto", "ServiceLifecycle", "UnixSignals", "Logging", "Yams",
    ],
    "Benchmarks": [
        "Series", "Tensors", "Learning", "Models", "Signals", "Forecasting", "Classification",
        "Postgres", "WebClient", "Messaging", "Store", "Jobs", "Ingestion", "Workflows",
        "Notifications", "ArgumentParser", "ServiceLifecycle", "Logging",
    ],
    "Fuzz": [
        "Series", "Tensors", "Learning", "Signals", "Classification", "Ingestion",
        "ArgumentParser",
    ],
]

/// Modules of the toolchain and the system, open to every target.
private let systemModules: Set<String> = [
    "Foundation", "Dispatch", "Glibc", "Synchronization",
]

@Suite struct ModuleMapTests {
    @Test func `every import is one that the map allows`() throws {
        var forbidden: [String] = []
        for file in try SourceTree.swiftFiles(in: "Sources") {
            let allowed = try #require(
                mayImport[file.target], "\(file.target) is not in the module map"
            ).union(systemModules)
            for (number, text) in file.code {
                guard let module = Self.importedModule(text) else { continue }
                if !allowed.contains(module) {
                    forbidden.append("\(file.path):\(number) imports \(module)")
                }
            }
        }
        #expect(forbidden == [])
    }

    @Test func `every target of the map exists`() {
        let missing = mayImport.keys.filter {
            !FileManager.default.fileExists(
                atPath: SourceTree.root.appending(path: "Sources/\($0)").path)
        }
        #expect(missing == [])
    }

    @Test func `foreign C code has one home each`() throws {
        let homes = [
            "CKernels": "Tensors", "CFFTW": "Tensors", "COpenBLAS": "Tensors",
            "CLibPQ": "Postgres", "CCurl": "WebClient", "CMosquitto": "Messaging",
            "CFLAC": "Signals", "CRevision": "CLI", "CTerminal": "CLI", "CZlib": "WebClient",
            "CZstd": "WebClient",
        ]
        for (module, home) in homes {
            let importers = mayImport.filter { $0.value.contains(module) }.keys.sorted()
            #expect(importers == [home], "\(module) is imported by \(importers)")
        }
    }

    @Test(arguments: [
        ("import Series", "Series"), ("package import Series", "Series"),
        ("internal import struct Series.Timestamp", "Series"),
        ("@testable import Store", "Store"), ("importer.run()", nil), ("let x = 1", nil),
    ])
    func `an import line is recognised`(line: String, module: String?) {
        #expect(Self.importedModule(line) == module)
    }

    /// The module that a line imports; nil where it imports none.
    private static func importedModule(_ line: String) -> String? {
        var words = line.split(whereSeparator: \.isWhitespace)
        while let first = words.first, first != "import" {
            let isModifier =
                first.hasPrefix("@")
                || ["package", "public", "internal", "private", "fileprivate"].contains(first)
            guard isModifier else { return nil }
            words.removeFirst()
        }
        words = Array(words.dropFirst())
        if let kind = words.first, ["struct", "class", "enum", "func", "protocol"].contains(kind) {
            words.removeFirst()
        }
        return words.first.map { String($0.prefix { $0 != "." }) }
    }
}
