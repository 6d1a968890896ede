"""The conversation of a benchmark peer with ops/bench: one line asks, one line answers.

    hello              ok hello
    open NAME ARG…     ok VERSIONS           prepares a workload; `failed REASON` where it cannot
    check NAME         ok NUMBER             a sum that shows that the same work is done
    run NAME N         ok SECONDS            N runs, timed here
    memory             ok BYTES              the most memory this process has held

A script makes a table {name: function(arguments)} whose functions return a `Workload`.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Workload:
    """A prepared workload."""

    versions: str
    run: Callable[[], object]
    check: Callable[[], float] | None = None
    # Seconds of N runs, where a part of each is not to be timed; else `run` is timed whole.
    timed: Callable[[int], float] | None = None


def seconds(workload: Workload, count: int) -> float:
    """Wall time of `count` runs."""
    if workload.timed is not None:
        return workload.timed(count)
    start = time.perf_counter()
    for _ in range(count):
        workload.run()
    return time.perf_counter() - start


def answer(request: list[str], makers: dict[str, Callable[[list[str]], Workload]], made: dict[str, Workload]) -> str:
    """The answer to one request."""
    match request:
        case ["hello"]:
            return "hello"
        case ["memory"]:
            return str(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        case ["open", name, *arguments]:
            made[name] = makers[name](arguments)
            return made[name].versions
        case ["check", name]:
            return repr(float(made[name].check()))
        case ["run", name, count]:
            return repr(seconds(made[name], int(count)))
    raise ValueError(f"unknown request {request}")


def serve(makers: dict[str, Callable[[list[str]], Workload]]) -> None:
    """Answers until the input ends."""
    made: dict[str, Workload] = {}
    for line in sys.stdin:
        try:
            reply = "ok " + answer(line.split(), makers, made)
        except ImportError as error:
            reply = f"failed Python has no module {error.name}"
        except Exception as error:  # the asking side decides what a failure means
            first = (str(error).splitlines() or [""])[0]
            reply = f"failed {type(error).__name__}: {first[:200]}"
        print(reply.strip(), flush=True)
