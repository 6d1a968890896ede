import Foundation
import Learning
import Tensors

/// Good inputs that are made here; the others are golden files of the tests.
enum Corpus {
    static let headers = [
        """
        A0001/2 12 500 5000 05-May-2020 14:50:55
        A0001a 2500
        A0001b 2500
        # Age: 74
        """,
        "x 1\nx.dat 16\n",
        "100 2 360(0)/mV 650000 0:0:0 0/0/0\n100.dat 212 200 11 1024 995 -22131 0 MLII\n100.dat 212 "
            + "200 11 1024 1011 20052 0 V5\n# 69 M 1085 1629 x1\n# Aldomet, Inderal\n",
        twelveLeads,
        "m 2 250/1000(7.5) 900 12:00:00.5 1/2/2003\nm.d0 8 1/NU 8 0 5 0 0 x\nm.d1 16x4:2+24 0.5(-3)/uV 16 "
            + "-1 0 0 0 resp nasal\n",
        "~ 2 1 1\n~ 0 1/mV 0 0 0 0 0 I\nx.dat 80 -7(1e3) 8 0 0 0 0 II\n",
    ]

    private static let twelveLeads =
        "A0003 12 500 400 11-May-2020 20:20:20\n"
        + ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"].map {
            "A0003.mat 16+24 1000/mV 16 0 28 -1716 0 \($0)\n"
        }.joined() + "#Age: 60\n#Sex: Female\n#Dx: 426783006\n"

    /// Twelve channels of 400 samples in format 16 behind 24 bytes, with a spike now and then.
    static let heartbeats: [UInt8] = {
        var bytes = [UInt8](repeating: 0, count: 24)
        for time in 0..<400 {
            for lead in 0..<12 {
                let wave = 120 * sin(Double(time) / 9 + Double(lead))
                let beat = time % 120 < 12 ? 900.0 : 0
                let value = UInt16(bitPattern: Int16(wave + beat))
                bytes.append(UInt8(truncatingIfNeeded: value))
                bytes.append(UInt8(truncatingIfNeeded: value >> 8))
            }
        }
        return bytes
    }()

    static let tables = [
        "time,value\n2024-01-01T00:00:00Z,1.5\n2024-01-01T01:00:00Z,2\n2024-01-01T02:00:00Z,NA\n",
        "Datum;OT [°C];\"a;b\"\n01.02.2024 00:00;1,5;x\n01.02.2024 00:15;-2e3;\"y\"\"z\"\n",
        "ts\tseries\tvalue\n1700000000\ta\t1\n1700000060\ta\t2\n1700000000\tb\t.5\n",
        "date,time,x\n2024-03-10,01:30,1\n2024-03-10,02:30,2\n2024-03-10,03:30,3\n",
        "\u{FEFF}timestamp,y\r\n1700000000000,1\r\n1700000000020,2\r\n1700000000040,3\r\n",
    ]
    static let leadTables = [
        "I,II [uV],V1\n0.001,0.5,-3\n0.002,,4\n-0.004,1e3,NaN\n",
        "# made by a recorder\nI;II;III\n1;2;3\n4;5;6\n",
        "time,I (mV),II (mV)\n0,0.1,0.2\n0.002,0.11,0.21\n0.004,0.12,0.19\n0.006,0.1,0.1\n",
    ]
    static let sets = [
        """
        # Dataset
        @relation m
        @attribute series_name string
        @attribute start_timestamp date
        @frequency hourly
        @horizon 48
        @missing true
        @data
        T1:1990-01-01 00-00-00:1,2.5,?,-4e2
        T2:1990-01-01 00-00-00:0,0,1e-3
        """,
        "@data\n1,2,3\n",
    ]

    static let checkpoint: [UInt8] = {
        var checkpoint = Checkpoint()
        checkpoint.metadata = ["family": "x", "note": "\u{e9}\"\\"]
        checkpoint.set("a.weight", Tensor<Float>([2, 3], [1, 2, 3, 4, 5, 6]))
        checkpoint.set("b", Tensor<Double>([2], [1, .infinity]))
        return checkpoint.encoded()
    }()

    /// EDF+D: one signal and one of annotations, three records of a second with time left out.
    static let discontinuousEDF: [UInt8] = {
        func field(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: width - text.utf8.count)
        }
        var header = field("0", 8) + field("X X X X", 80) + field("Startdate 02-MAR-2002 X X X", 80)
        header += field("02.03.02", 8) + field("10.00.00", 8) + field("768", 8) + field("EDF+D", 44)
        header += field("3", 8) + field("1", 8) + field("2", 4)
        let kinds: [(String, String, Int)] = [
            ("ECG II", "EDF Annotations", 16), ("", "", 80), ("uV", "", 8), ("-3276.8", "-1", 8),
            ("3276.7", "1", 8), ("-32768", "-32768", 8), ("32767", "32767", 8), ("", "", 80),
            ("10", "8", 8), ("", "", 32),
        ]
        for (first, second, width) in kinds { header += field(first, width) + field(second, width) }
        var bytes = Array(header.utf8)
        for onset in ["+0", "+1.5", "+10"] {
            bytes += noise(20)
            let list = Array(onset.utf8) + [0x14, 0x14, 0]
            bytes += list + [UInt8](repeating: 0, count: 16 - list.count)
        }
        return bytes
    }()

    /// Bytes that are the same each time.
    static func noise(_ count: Int) -> [UInt8] {
        var chance = RandomStream(seed: 1)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: chance.next()) }
    }
}
