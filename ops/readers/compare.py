"""Reads what `Fuzz --samples FOLDER` writes, and holds other readers of the same files against it."""

from __future__ import annotations

import json
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy

MISSING = -(2**31)
# The code that means "no sample", by format; differences have none.
INVALID = {"80": -(2**7), "310": -(2**9), "311": -(2**9), "212": -(2**11), "16": -(2**15), "61": -(2**15)}
INVALID |= {"160": -(2**15), "24": -(2**23), "32": -(2**31), "508": -(2**7), "516": -(2**15), "524": -(2**23)}

counts: Counter[str] = Counter()


def padded(raw: numpy.ndarray, count: int) -> numpy.ndarray:
    """A signal that is shifted ends early in ours; elsewhere its end is filled with missing samples."""
    return numpy.concatenate([raw, numpy.full(max(0, count - len(raw)), MISSING, raw.dtype)])


class Difference(Exception):
    """What two readers do not agree about."""


def expect_same(what: str, ours, theirs) -> None:
    if ours != theirs:
        raise Difference(f"{what}: {ours}, and {theirs} elsewhere")


def expect_samples(signal: dict, raw: numpy.ndarray, theirs: numpy.ndarray, invalid: int | None) -> None:
    """Raw samples: missing ones are the format's code for that."""
    expect_same(f"{signal['name']}, samples", len(raw), len(theirs))
    mine = raw.astype("int64")
    if invalid is not None:
        mine[raw == MISSING] = invalid
    wrong = numpy.flatnonzero(mine != theirs)
    if len(wrong):
        first = wrong[0]
        raise Difference(f"{signal['name']}: {len(wrong)} samples, first {first}: {mine[first]}, not {theirs[first]}")
    counts["raw samples"] += len(raw)


def expect_physical(signal: dict, raw: numpy.ndarray, theirs: numpy.ndarray, tolerance: float) -> None:
    """Samples in the file's unit: within `tolerance` of the largest; missing ones are no numbers."""
    expect_same(f"{signal['name']}, physical samples", len(raw), len(theirs))
    mine = (raw - signal["baseline"]) / signal["gain"]
    mine[raw == MISSING] = numpy.nan
    if not numpy.array_equal(numpy.isnan(mine), numpy.isnan(theirs)):
        raise Difference(f"{signal['name']}: other samples are missing")
    scale = numpy.nanmax(numpy.abs(theirs), initial=0)
    worst = numpy.nanmax(numpy.abs(mine - theirs), initial=0)
    if worst > tolerance * max(scale, 1e-300):
        raise Difference(f"{signal['name']}: off by {worst} of {scale}")
    counts["physical samples"] += len(raw)


def compare_wfdb(path: str, head: dict, signals: list[numpy.ndarray]) -> None:
    import wfdb

    name = path.removesuffix(".hea")
    header = wfdb.rdheader(name)
    if not isinstance(header, wfdb.MultiRecord):
        record = wfdb.rdrecord(name, physical=False, smooth_frames=False)
        expect_same("signals", len(signals), record.n_sig)
        skewed = any(record.skew)
        for index, (signal, raw) in enumerate(zip(head["signals"], signals)):
            theirs = record.e_d_signal[index]
            if skewed:
                raw = signals[index] = padded(raw, len(theirs))
            expect_samples(signal, raw, theirs, INVALID.get(record.fmt[index]))
            if signal["unit"].isascii():  # Theirs takes other units for millivolts.
                expect_same("unit", signal["unit"], record.units[index])
            expect_same("gain", signal["gain"], record.adc_gain[index])
            expect_same("baseline", signal["baseline"], record.baseline[index])
        record = wfdb.rdrecord(name, smooth_frames=False)
        for index, (signal, raw) in enumerate(zip(head["signals"], signals)):
            expect_physical(signal, raw, record.e_p_signal[index], 1e-12)
        return
    record = wfdb.rdrecord(name, smooth_frames=False)
    expect_same("signals", len(signals), record.n_sig)
    for index, (signal, raw) in enumerate(zip(head["signals"], signals)):
        # Segments of different gain are rounded to the finest.
        tolerance = 1e-3 if any("rescaled" in finding for finding in head["findings"]) else 1e-12
        expect_physical(signal, raw, record.e_p_signal[index], tolerance)


def compare_pyedflib(path: str, head: dict, signals: list[numpy.ndarray]) -> None:
    import pyedflib

    with pyedflib.EdfReader(path) as file:
        # Annotations are no signals for us, in files of the first version too.
        places = [i for i in range(file.signals_in_file) if file.getLabel(i).strip() != "EDF Annotations"]
        expect_same("signals", len(signals), len(places))
        for index, signal, raw in zip(places, head["signals"], signals):
            expect_same("label", signal["name"].strip(), file.getLabel(index).strip())
            raw = raw[raw != MISSING] if any("gap" in finding for finding in head["findings"]) else raw
            expect_samples(signal, raw, file.readSignal(index, digital=True), None)
            expect_physical(signal, raw, file.readSignal(index), 1e-9)


def compare_edfio(path: str, head: dict, signals: list[numpy.ndarray]) -> None:
    import edfio

    file = edfio.read_bdf(path) if path.lower().endswith(".bdf") else edfio.read_edf(path)
    expect_same("signals", len(signals), len(file.signals))
    for other, signal, raw in zip(file.signals, head["signals"], signals):
        raw = raw[raw != MISSING] if any("gap" in finding for finding in head["findings"]) else raw
        expect_samples(signal, raw, other.digital, None)
        expect_physical(signal, raw, other.data, 1e-9)


def main() -> int:
    folder, stream = Path(sys.argv[1]), sys.stdin.buffer
    warnings.simplefilter("ignore")
    failed = False
    while line := stream.readline():
        head = json.loads(line)
        signals = [
            numpy.frombuffer(stream.read(4 * signal["count"]), "<i4") for signal in head["signals"]
        ]
        path = str(folder / head["path"])
        readers = [compare_wfdb] if path.endswith(".hea") else [compare_pyedflib, compare_edfio]
        for reader in readers:
            other = reader.__name__.removeprefix("compare_")
            if head.get("refusal"):
                counts["files that ours refuses"] += 1
                print(f"refused: {head['path']}: {head['refusal']}")
                break
            try:
                reader(path, head, signals)
                counts[f"files equal to {other}'s"] += 1
            except Difference as difference:
                failed = True
                print(f"differs: {head['path']}: {other}: {difference}")
            except Exception as error:  # theirs; what they refuse cannot be compared
                counts[f"files that {other} refuses"] += 1
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                print(f"{other} refuses: {head['path']}: {reason[:120]}; findings {head['findings'][:2]}")
    print(f"{folder}: " + ", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    return 1 if failed else 0


sys.exit(main())
