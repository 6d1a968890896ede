"""Opponents in PyTorch; the SpaceTime ones are those of the reference implementation."""

from __future__ import annotations

import os

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


serve({"sgemm": sgemm})
