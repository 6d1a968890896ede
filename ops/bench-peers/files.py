"""Opponents that read files in Python: pandas, the csv module, wfdb, pyedflib."""

from __future__ import annotations

import csv
from datetime import datetime
from importlib.metadata import version

from protocol import Workload, serve


def csv_pandas(arguments: list[str]) -> Workload:
    import pandas

    def read():
        return pandas.read_csv(arguments[0], parse_dates=[0])

    return Workload(
        f"pandas {pandas.__version__}", read, check=lambda: read().iloc[:, 1:].to_numpy().sum()
    )


def csv_polars(arguments: list[str]) -> Workload:
    import polars

    def read():
        return polars.read_csv(arguments[0], try_parse_dates=True)

    assert read().dtypes[0] == polars.Datetime
    return Workload(
        f"polars {polars.__version__}, {polars.thread_pool_size()} threads", read,
        check=lambda: read()[:, 1:].sum().sum_horizontal()[0],
    )


def csv_module(arguments: list[str]) -> Workload:
    def read():
        times, values = [], []
        with open(arguments[0], newline="") as file:
            rows = csv.reader(file)
            next(rows)
            for row in rows:
                times.append(datetime.fromisoformat(row[0]))
                values.append([float(cell) for cell in row[1:]])
        return values

    return Workload("CPython", read, check=lambda: sum(map(sum, read())))


def wfdb_records(arguments: list[str]) -> Workload:
    import wfdb

    def read():
        return [wfdb.rdrecord(path, physical=False) for path in arguments]

    return Workload(
        f"wfdb {version('wfdb')}", read, check=lambda: sum(r.d_signal.sum() for r in read())
    )


def wfdb_physical(arguments: list[str]) -> Workload:
    import wfdb

    def read():
        return [wfdb.rdrecord(path) for path in arguments]

    return Workload(
        f"wfdb {version('wfdb')}", read, check=lambda: sum(r.p_signal.sum() for r in read())
    )


def edf_physical(arguments: list[str]) -> Workload:
    import edfio

    def read():
        return [signal.data for signal in edfio.read_edf(arguments[0]).signals]

    return Workload(
        f"edfio {version('edfio')}", read, check=lambda: sum(s.sum(dtype="float64") for s in read())
    )


def edf(arguments: list[str]) -> Workload:
    import pyedflib

    def read():
        with pyedflib.EdfReader(arguments[0]) as file:
            return [file.readSignal(i, digital=True) for i in range(file.signals_in_file)]

    return Workload(
        f"pyedflib {version('pyedflib')}", read, check=lambda: sum(s.sum(dtype="int64") for s in read())
    )


serve({"csv-polars": csv_polars, "csv-pandas": csv_pandas, "csv-module": csv_module, "wfdb": wfdb_records,
     "edf": edf, "wfdb-physical": wfdb_physical, "edf-physical": edf_physical})
