"""Opponents that keep jobs in PostgreSQL: PgQueuer and Procrastinate, each with the batches or the concurrency that it documents.

Arguments: a conninfo without spaces in its values, with commas for the spaces between them, then the number of jobs of a run, and
the batch or the concurrency. Their tables are made in that database. Jobs are added outside the measurement.
"""

from __future__ import annotations

import asyncio
import logging
import time
from importlib.metadata import version

from protocol import Workload, serve


def timed(make):
    """A workload whose runs are timed by the coroutine function itself."""

    def seconds(count: int) -> float:
        async def total() -> float:
            return sum([await make() for _ in range(count)])

        return asyncio.run(total())

    return seconds


def pgqueuer(arguments: list[str]) -> Workload:
    import asyncpg
    from pgqueuer import PgQueuer
    from pgqueuer.db import AsyncpgDriver
    from pgqueuer.queries import Queries
    from pgqueuer.types import QueueExecutionMode

    settings = dict(part.split("=", 1) for part in arguments[0].split(","))
    jobs, batch = map(int, arguments[1:])
    logging.disable(logging.WARNING)

    async def connect():
        return await asyncpg.connect(
            host=settings["host"], port=int(settings["port"]), user=settings["user"],
            password=settings.get("password"), database=settings["dbname"],
        )

    async def install() -> None:
        connection = await connect()
        await Queries(AsyncpgDriver(connection)).install()
        await connection.close()

    async def run() -> float:
        connection = await connect()
        done = 0
        queuer = PgQueuer(AsyncpgDriver(connection))

        @queuer.entrypoint("noop")
        async def noop(job) -> None:
            nonlocal done
            done += 1

        await queuer.qm.queries.enqueue(["noop"] * jobs, [b"{}"] * jobs, [0] * jobs)
        start = time.perf_counter()
        await queuer.qm.run(batch_size=batch, mode=QueueExecutionMode.drain)
        seconds = time.perf_counter() - start
        if done != jobs:
            raise ValueError(f"{done} of {jobs} jobs were done")
        if not connection.is_closed():
            await connection.close()
        return seconds

    asyncio.run(install())
    return Workload(f"pgqueuer {version('pgqueuer')}, asyncpg {version('asyncpg')}", lambda: None, timed=timed(run))


def procrastinate(arguments: list[str]) -> Workload:
    import procrastinate as library

    conninfo = arguments[0].replace(",", " ")
    jobs, concurrency = map(int, arguments[1:])
    logging.disable(logging.WARNING)
    app = library.App(connector=library.PsycopgConnector(conninfo=conninfo))
    done = 0

    @app.task(name="noop")
    async def noop() -> None:
        nonlocal done
        done += 1

    async def install() -> None:
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    async def run() -> float:
        nonlocal done
        done = 0
        async with app.open_async():
            await noop.batch_defer_async(*[{} for _ in range(jobs)])
            start = time.perf_counter()
            await app.run_worker_async(wait=False, concurrency=concurrency, install_signal_handlers=False)
            seconds = time.perf_counter() - start
        if done != jobs:
            raise ValueError(f"{done} of {jobs} jobs were done")
        return seconds

    asyncio.run(install())
    return Workload(
        f"procrastinate {version('procrastinate')}, psycopg {version('psycopg')}", lambda: None, timed=timed(run)
    )


serve({"pgqueuer": pgqueuer, "procrastinate": procrastinate})
