// swift-tools-version: 6.2
// The module map: who exists and who may import whom. `Tests/TidyTests` holds the same table and
// compares it with every import line, since the build itself does not object to a hidden import.
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

let argumentParser: Target.Dependency = .product(
    name: "ArgumentParser", package: "swift-argument-parser")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let lifecycle: Target.Dependency = .product(
    name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let unixSignals: Target.Dependency = .product(
    name: "UnixSignals", package: "swift-service-lifecycle")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

/// A Swift target with the strict settings, and its imports; `exclude` names what is no source.
func target(
    _ name: String, _ imports: Target.Dependency..., exclude: [String] = []
) -> Target {
    .target(name: name, dependencies: imports, exclude: exclude, swiftSettings: strict)
}

/// The tests of one target; they may also import the targets named in `others`.
/// `fixtures` says that they read golden files out of their own folder.
func tests(
    of name: String, with others: Target.Dependency..., fixtures: Bool = false
) -> Target {
    .testTarget(
        name: name + "Tests",
        dependencies: [.target(name: name), "TestSupport"] + others,
        exclude: fixtures ? ["Fixtures"] : [],
        swiftSettings: strict)
}

/// A C library of the system: a module map and a shim header, nothing else.
func systemLibrary(_ name: String, _ pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([apt])])
}

/// The git revision that ops/* tell; a plain `swift build` has none, rather than an old one.
let revision = (Context.environment["SYSTOLE_REVISION"] ?? "").filter {
    $0.isHexDigit || "+changes".contains($0)
}

let package = Package(
    name: "systole",
    products: [.executable(name: "systole", targets: ["CLI"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // C
        systemLibrary("CFFTW", "fftw3 fftw3f", apt: "libfftw3-dev"),
        systemLibrary("COpenBLAS", "openblas", apt: "libopenblas-dev"),
        systemLibrary("CFLAC", "flac", apt: "libflac-dev"),
        systemLibrary("CLibPQ", "libpq", apt: "libpq-dev"),
        systemLibrary("CCurl", "libcurl", apt: "libcurl4-openssl-dev"),
        systemLibrary("CZlib", "zlib", apt: "zlib1g-dev"),
        systemLibrary("CZstd", "libzstd", apt: "libzstd-dev"),
        systemLibrary("CMosquitto", "libmosquitto", apt: "libmosquitto-dev"),
        .systemLibrary(name: "CTerminal"),
        .target(
            name: "CKernels",
            cSettings: [
                .unsafeFlags(["-O3", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off"])
            ]),

        .target(
            name: "CRevision",
            cSettings: [
                .define("SYSTOLE_REVISION", to: "\"\(revision)\"")
            ]),

        // Words
        target("Series"),
        // Execution
        target("Threads"),

        // Mathematics
        target("Tensors", "CKernels", "CFFTW", "COpenBLAS"),
        target("Learning", "Tensors"),
        target("Models", "Tensors", "Learning"),
        target("Signals", "Series", "Tensors", "CFLAC"),
        target("Forecasting", "Series", "Tensors", "Signals", "Learning", "Models"),
        target(
            "Classification", "Series", "Tensors", "Signals", "Learning", "Models",
            exclude: ["Default"]),
        target("Charts", "Series"),

        // Outside
        target("Postgres", "Threads", "CLibPQ", crypto, logging),
        target("WebClient", "CCurl", "CZlib", "CZstd", logging),
        target("Messaging", "Threads", "CMosquitto"),

        // Durable state
        target("Store", "Series", "Postgres", crypto),
        target("Jobs", "Postgres", lifecycle, logging),

        // Work
        target(
            "Ingestion", "Series", "Signals", "WebClient", "Messaging", "Store", "Jobs", "Postgres",
            crypto, lifecycle, logging),
        target(
            "Workflows", "Series", "Tensors", "Signals", "Forecasting", "Classification", "Models",
            "Learning", "Store", "Jobs", "Postgres", lifecycle, logging),
        target(
            "Notifications", "Series", "WebClient", "Store", "Jobs", "Postgres", crypto, lifecycle,
            logging),

        // Faces
        .executableTarget(
            name: "CLI",
            dependencies: [
                "Series", "Tensors", "Learning", "Models", "Signals", "Forecasting",
                "Classification", "Charts", "Postgres", "WebClient", "Messaging", "Store", "Jobs",
                "Ingestion", "Workflows", "Notifications",
                "CRevision", "CTerminal", argumentParser, lifecycle, unixSignals, logging, yams,
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "Benchmarks",
            dependencies: [
                "Series", "Tensors", "Learning", "Models", "Signals", "Forecasting",
                "Classification", "Postgres", "WebClient", "Messaging", "Store", "Jobs",
                "Ingestion", "Workflows", "Notifications", argumentParser, lifecycle, logging,
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                "Series", "Tensors", "Learning", "Signals", "Classification", "Ingestion",
                argumentParser,
            ],
            swiftSettings: strict),

        // Tests
        .target(
            name: "TestSupport",
            dependencies: ["Series", "Tensors", "Learning", "Postgres"],
            path: "Tests/TestSupport",
            swiftSettings: strict),
        .target(
            name: "ClassifierFixture", dependencies: ["Series", "Signals", "Classification"],
            path: "Tests/ClassifierFixture", swiftSettings: strict),
        tests(of: "Series"),
        tests(of: "Tensors"),
        tests(of: "Learning", with: "Tensors", fixtures: true),
        .target(name: "AllocationCount", path: "Tests/AllocationCount"),
        tests(of: "Models", with: "Tensors", "Learning", "AllocationCount", fixtures: true),
        tests(of: "Signals", with: "Series", "Tensors", fixtures: true),
        tests(
            of: "Forecasting", with: "Series", "Tensors", "Learning", "Models", "Signals",
            fixtures: true),
        tests(
            of: "Classification", with: "Series", "Tensors", "Signals", "Learning", "Models",
            "ClassifierFixture", fixtures: true),
        tests(of: "Charts", with: "Series"),
        tests(of: "Threads"),
        tests(of: "Postgres"),
        tests(of: "WebClient", with: "CZlib", "CZstd", fixtures: true),
        tests(of: "Messaging"),
        tests(of: "Store", with: "Series", "Postgres"),
        tests(of: "Jobs", with: "Postgres", lifecycle, logging),
        tests(
            of: "Ingestion", with: "Series", "Signals", "Messaging", "Store", "Postgres", "Jobs",
            logging),
        tests(
            of: "Workflows", with: "Series", "Tensors", "Signals", "Models", "Forecasting",
            "Classification", "ClassifierFixture", "Store", "Jobs", "Postgres", logging),
        tests(
            of: "Notifications", with: "Series", "WebClient", "Store", "Jobs", "Postgres",
            lifecycle, logging, fixtures: true),
        .testTarget(name: "TidyTests", swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests", dependencies: ["TestSupport", "ClassifierFixture", "Postgres"],
            swiftSettings: strict),
    ]
)
