import ClassifierFixture
import Signals
import Tensors
import Testing

@testable import Classification

@Suite struct TrainingTests {
    @Test func `patients stay together, and folds are of a size`() throws {
        let recordings = try MadeUpECG.collection(60)
        let folds = PatientFolds(recordings, count: 5)
        for a in recordings.indices {
            for b in recordings.indices where recordings[a].patient == recordings[b].patient {
                #expect(folds.fold[a] == folds.fold[b])
            }
        }
        for fold in 0..<5 {
            #expect((8...16).contains(folds.inside(fold).count))
            for k in 0..<3 {
                #expect(folds.inside(fold).contains { recordings[$0].labels[k] == true })
            }
        }
        let reversed = PatientFolds(recordings.reversed(), count: 5)
        #expect(reversed.fold.reversed() == folds.fold)
    }

    @Test func `weights of a blend favour the model that ranks well`() throws {
        let recordings = try MadeUpECG.collection(60)
        let folds = PatientFolds(recordings, count: 3)
        let labels = recordings.map(\.labels)
        var random = RandomStream(seed: 1)
        func scores(_ noise: Double) -> HeldOutScores {
            HeldOutScores(
                logits: labels.map { row in
                    row.map { ($0 == true ? 1 : -1) + noise * random.normal() }
                }, labels: labels)
        }
        let (good, bad) = (scores(1), scores(1000))
        let blend = MemberBlend([good, bad], folds)
        let reached = HeldOutScores(logits: blend.heldOut, labels: labels).macroAUROC
        #expect(reached > 0.95 * good.macroAUROC)
        #expect(reached > bad.macroAUROC + 0.2)
        #expect(abs(blend.weights.reduce(0, +) - 1) < 1e-12)
        let alone = MemberBlend([scores(1)], folds)
        #expect(alone.weights == [1])
    }

    /// One small training, for all that is looked at of a fitted classifier.
    private static let fitted = Result {
        var options = ClassifierTraining.Options()
        options.family = .beats
        (options.folds, options.draws, options.seed) = (3, 50, 4)
        return try ClassifierTraining(
            classes: MadeUpECG.classes, preparation: ECGPreparation(), options: options
        ).train(MadeUpECG.collection(60), refused: ["B": 2]) { _ in }
    }

    @Test func `what is plain to see is learnt`() throws {
        let fitted = try Self.fitted.get()
        #expect(fitted.card.classes.allSatisfy { $0.auroc.value > 0.9 })
        #expect(fitted.card.intendedUse == "research_only")
        #expect(fitted.card.sources.map(\.refused) == [0, 2])
        let heart = MadeUpECG(seconds: 10, interval: 0.5, noise: 0.03, seed: 99)
        let findings = fitted.classify([try heart.prepared()], threads: 1)[0]
        #expect(findings.count == 3)
        #expect(findings[0].isPositive && findings[0].probability > 0.7)
        #expect(!findings[2].isPositive)
    }

    @Test func `the same seed gives the same bytes, with any number of threads`() throws {
        var options = ClassifierTraining.Options()
        options.family = .beats
        (options.folds, options.draws, options.seed) = (3, 20, 4)
        let recordings = try MadeUpECG.collection(24)
        func train(_ threads: Int) throws -> FittedClassifier {
            var options = options
            options.threads = threads
            let training = ClassifierTraining(
                classes: MadeUpECG.classes, preparation: ECGPreparation(), options: options)
            return try training.train(recordings) { _ in }
        }
        let (one, two) = (try train(1), try train(2))
        #expect(one.card == two.card)
        #expect(one.encoded() == two.encoded())
    }

    @Test func `the same seed draws the same kernels, with any number of threads`() throws {
        let recordings = try MadeUpECG.collection(8).map(\.prepared)
        var sizes = RocketKernels.Sizes()
        (sizes.dilations, sizes.groupsPerDilation) = ([1, 8], 1)
        func draw(_ threads: Int) -> [Float] {
            var random = RandomStream(seed: 5)
            let kernels = RocketKernels(
                drawing: sizes, from: recordings, threads: threads, &random)
            return kernels.bounds + kernels.features(recordings[3])
        }
        let one = draw(1)
        #expect(one == draw(3))
        #expect(one.count == 2 * 84 * 2 + 2 * 84 * 3)
    }

    @Test func `a classifier comes back from its bytes`() throws {
        let fitted = try Self.fitted.get()
        let bytes = fitted.encoded()
        let back = try FittedClassifier(decoding: bytes)
        #expect(back.encoded() == bytes)
        #expect(back.digest == fitted.digest)
        #expect(back.card == fitted.card)
        let recording = try MadeUpECG(seconds: 10).prepared()
        #expect(back.classify([recording], threads: 1) == fitted.classify([recording], threads: 2))
    }

    @Test func `a regression on nearness comes back from its bytes, or is refused`() throws {
        var options = ClassifierTraining.Options()
        options.family = .kernel
        (options.folds, options.draws, options.seed) = (3, 20, 4)
        let fitted = try ClassifierTraining(
            classes: MadeUpECG.classes, preparation: ECGPreparation(), options: options
        ).train(MadeUpECG.collection(30)) { _ in }
        let bytes = fitted.encoded()
        let back = try FittedClassifier(decoding: bytes)
        #expect(back.encoded() == bytes)
        let recording = try MadeUpECG(seconds: 10).prepared()
        #expect(back.classify([recording], threads: 1) == fitted.classify([recording], threads: 2))
        for count in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 20)) {
            #expect(throws: ClassifierDecodingError.self) {
                try FittedClassifier(decoding: Array(bytes.prefix(count)))
            }
        }
        var random = RandomStream(seed: 7)
        for _ in 0..<30 {
            var changed = bytes
            changed[random.integer(below: 6000)] = UInt8(random.integer(below: 256))
            _ = try? FittedClassifier(decoding: changed)  // Refused or read, both are right.
        }
    }

    @Test func `the card tells the lead over each member, and how unseen sources are told`() throws
    {
        var options = ClassifierTraining.Options()
        (options.family, options.parts) = (.ensemble, [.beats, .kernel])
        (options.folds, options.draws, options.seed) = (3, 50, 4)
        let card = try ClassifierTraining(
            classes: MadeUpECG.classes, preparation: ECGPreparation(), options: options
        ).train(MadeUpECG.collection(60)) { _ in }.card
        let name = "macro AUROC, SNOMED CT classes"
        let whole = try #require(card.summary(name))
        for member in ["ecg-beats alone", "ecg-kernel alone"] {
            let alone = try #require(card.summary("\(name), \(member)"))
            let lead = try #require(card.summary("\(name), less that of \(member)"))
            #expect(abs(lead.value - (whole.value - alone.value)) < 1e-12)
            #expect(lead.low <= lead.high && lead.high - lead.low < 0.5)
        }
        for source in card.sources {
            let unseen = try #require(source.unseen, "\(source.name)")
            #expect(unseen.value > 0.7 && unseen.low <= unseen.high)
        }
    }

    @Test func `bytes that were cut or changed are refused, and never trap`() throws {
        let bytes = try Self.fitted.get().encoded()
        for count in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 40)) {
            #expect(throws: ClassifierDecodingError.self) {
                try FittedClassifier(decoding: Array(bytes.prefix(count)))
            }
        }
        var random = RandomStream(seed: 6)
        for _ in 0..<60 {
            var changed = bytes
            changed[random.integer(below: 6000)] = UInt8(random.integer(below: 256))
            _ = try? FittedClassifier(decoding: changed)  // Refused or read, both are right.
        }
    }

    @Test func `what is taken away explains its class`() throws {
        let fitted = try Self.fitted.get()
        let heart = MadeUpECG(seconds: 10, recovery: -0.2, noise: 0.03, seed: 50)
        let recording = try heart.prepared()
        let found = fitted.attribution(recording, class: 2, window: 1)
        #expect(found.count == 12 && found.allSatisfy { $0.count == 10 })
        #expect(found.contains { $0.contains { $0 != 0 } })
        let silent = try heart.prepared { $0[.V3] = [Double](repeating: 0, count: 2500) }
        #expect(fitted.attribution(silent, class: 2, window: 1)[8].allSatisfy { $0 == 0 })
    }

    @Test func `the classifier that ships can be read, and tells a fast rhythm`() throws {
        let bytes = try ShippedClassifier.bytes()
        #expect(bytes.count < 6_000_000)
        let fitted = try FittedClassifier(decoding: bytes)
        #expect(fitted.encoded() == bytes)
        #expect(fitted.classes.count == 23 && fitted.card.classes.count == 23)
        let index = try #require(fitted.classes.firstIndex { $0.abbreviation == "STach" })
        // A recording of five seconds has as many of padding, which no member may take for a pause.
        for seconds in [10, 5.0] {
            let hearts = try [0.45, 0.9].map {
                try MadeUpECG(seconds: seconds, interval: $0).prepared()
            }
            let found = fitted.classify(hearts, threads: 2).map { $0[index] }
            #expect(found[0].probability > 2 * found[1].probability)
            #expect(!found[1].isPositive)
        }
    }

    @Test func `the card says what it must`() throws {
        let text = try Self.fitted.get().markdown
        for words in ["research_only", "164889003", "macro AUROC", "## Limits", "## Calibration"] {
            #expect(text.contains(words), "\(words)")
        }
    }
}

@Suite struct ECGFolderTests {
    static let classes = """
        class,description,snomed_codes,scp_codes,shared_records
        NORM,normal,,NORM,3
        AF,atrial fibrillation,164889003,AFIB,3
        MI,"infarction, any",164865005;57054005,IMI,2
        """
    static let labels = """
        record,source,archive,patient,scp,superclass,unified
        a,PTB-XL,x,p1,IMI:100,MI,MI
        b,PTB-XL,x,p2,NORM:100,NORM,NORM
        c,PTB-XL,y,p1,,,AF
        d,Georgia,y,,,,AF
        e,Georgia,y,,,,
        """

    @Test func `a source tells what at least one of its recordings has`() throws {
        let folder = try ECGFolder(labels: Self.labels, classes: Self.classes, recordsMinimum: 1)
        #expect(folder.classes.map(\.abbreviation) == ["NORM", "MI", "AF", "MI-any"])
        #expect(folder.classes[3].name == "infarction, any")
        #expect(folder.entries.map(\.path) == ["x/a", "x/b", "y/c", "y/d", "y/e"])
        #expect(folder.entries.map(\.patient) == ["p1", "p2", "p1", "d", "e"])
        #expect(folder.entries[2].source == "PTB-XL (Challenge)")
        let labels = folder.entries.map(\.labels)
        #expect(labels[0] == [false, true, nil, true])
        #expect(labels[1] == [true, false, nil, false])
        #expect(labels[2] == [nil, nil, true, nil])
        #expect(labels[4] == [nil, nil, false, nil])
    }

    @Test(arguments: [
        ("", "labels.csv is empty."),
        ("record,source\na", "labels.csv, line 2: 1 fields, where the header has 2."),
        ("record,source\na,b", "labels.csv has no column \"unified\"."),
    ])
    func `a table that is no such table is refused`(text: String, why: String) {
        #expect(throws: ECGFolderError(description: why)) {
            try ECGFolder(labels: text, classes: Self.classes)
        }
    }

    @Test func `no class with enough recordings is refused`() {
        #expect(throws: ECGFolderError.self) {
            try ECGFolder(labels: Self.labels, classes: Self.classes, recordsMinimum: 9)
        }
    }
}
