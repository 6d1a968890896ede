"""Opponents in PyTorch; the SpaceTime ones are those of the reference implementation."""

from __future__ import annotations

import os
import sys

from protocol import Workload, serve


def torch_with_threads():
    """PyTorch on as many threads as OpenMP was given."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    return torch


def sgemm(arguments: list[str]) -> Workload:
    torch = torch_with_threads()
    size = int(arguments[0])
    a, b = torch.randn(size, size), torch.randn(size, size)
    return Workload(f"torch {torch.__version__}", lambda: torch.matmul(a, b))


def sgemm_openblas(arguments: list[str]) -> Workload:
    """OpenBLAS itself, told of AVX-512 before it is loaded."""
    import ctypes
    import numpy

    os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"
    library = ctypes.CDLL("libopenblas.so.0")
    library.openblas_get_corename.restype = ctypes.c_char_p
    size = int(arguments[0])
    random = numpy.random.default_rng(0)
    a, b = (random.standard_normal((size, size)).astype("float32") for _ in range(2))
    c = numpy.zeros((size, size), "float32")
    row_major, plain, one, zero = 101, 111, ctypes.c_float(1), ctypes.c_float(0)

    def multiply():
        pa, pb, pc = (ctypes.c_void_p(v.ctypes.data) for v in (a, b, c))
        library.cblas_sgemm(row_major, plain, plain, size, size, size, one, pa, size, pb, size, zero, pc, size)

    return Workload(f"OpenBLAS for {library.openblas_get_corename().decode()}", multiply)


def fft_convolution(arguments: list[str]) -> Workload:
    torch = torch_with_threads()
    batch, channels, length = map(int, arguments)
    x, kernels = torch.randn(batch, channels, length), torch.randn(channels, length)

    def convolve():
        with torch.inference_mode():
            spectrum = torch.fft.rfft(x, 2 * length) * torch.fft.rfft(kernels, 2 * length)
            return torch.fft.irfft(spectrum, 2 * length)[..., :length]

    return Workload(f"torch {torch.__version__}", convolve)


def reference(name: str):
    """A workload of the reference's own benchmark."""

    def make(arguments: list[str]) -> Workload:
        torch = torch_with_threads()
        folder = os.path.abspath(os.environ["SYSTOLE_REFERENCE"])
        if not os.path.isdir(folder):
            raise FileNotFoundError("there is no reference implementation at SYSTOLE_REFERENCE")
        if folder not in sys.path:
            sys.path.insert(0, folder)
        import bench_peer

        return Workload(f"torch {torch.__version__}", bench_peer.WORKLOADS[name][1]("eager"))

    return make


def ridge(arguments: list[str]):
    """Windows, weights, scale and quantile offsets of a ridge forecast with intervals."""
    import numpy

    series, lag, horizon, levels = map(int, arguments)
    random = numpy.random.default_rng(0)
    windows = 20 + 5 * random.standard_normal((series, lag))
    weights = random.standard_normal((lag + 1, horizon)).astype("float32")
    offsets = random.standard_normal((levels, 1, horizon))
    mean, deviation = 20.0, 5.0

    def forecast(rows):
        """Scale, centre, multiply, add back, quantiles in the unit of the series."""
        scaled = ((rows - mean) / deviation).astype("float32")
        centre = scaled[:, -1:]
        inputs = numpy.ones((len(rows), lag + 1), "float32")
        inputs[:, :-1] = scaled - centre
        point = (inputs @ weights + centre).astype("float64")
        return point * deviation + mean, (point + offsets) * deviation + mean

    return windows, forecast, f"numpy {numpy.__version__}"


def ridge_batch(arguments: list[str]) -> Workload:
    windows, forecast, versions = ridge(arguments)
    return Workload(versions, lambda: forecast(windows))


def ridge_each(arguments: list[str]) -> Workload:
    windows, forecast, versions = ridge(arguments)
    return Workload(versions, lambda: [forecast(row[None]) for row in windows])


serve(
    {"sgemm": sgemm, "sgemm-openblas": sgemm_openblas, "fft-convolution": fft_convolution}
    | {"ridge-batch": ridge_batch, "ridge-each": ridge_each}
    | {name: reference(name) for name in ("spacetime_train", "spacetime_inference", "spacetime_inference_prepared")}
    | {name: reference(name) for name in ("scan_forward_chunked", "scan_both_chunked")}
    | {name: reference(name) for name in ("ecg_inference_1", "ecg_inference_32", "ecg_train_32", "hiss_train", "tsm2_train")}
)
