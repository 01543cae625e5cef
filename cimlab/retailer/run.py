"""Make the parts of an edition: one task a block of persons, in this process, in many, or on Dask workers.

A task needs nothing but its place and the seed, so that the content is the same whoever makes it and in which order.
"""

import hashlib
import importlib
import json
import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing import connection
from pathlib import Path

import pyarrow as pa

from cimlab import __version__
from cimlab.retailer.draws import FOLDER, read_settings
from cimlab.retailer.files import conform, open_parquet

CORE = "cimlab.retailer.edition"
SECTIONS = {"data": "tables", "truth": "truth"}
KEPT_MEMORY = 1 << 26  # bytes that a process keeps when they are free
MOST_PROCESSES = 61  # what Windows can wait for


# --- one part -------------------------------------------------------------------------------------------------------


def list_blocks(customers):
    """Return (first person, first person of the next block) of each block of an edition."""
    size = read_settings("write")["block"]
    return [(start, min(start + size, customers)) for start in range(0, customers, size)]


def make_part(job):
    """Make all tables of one block and write them as Parquet: the task of a worker.

    Parameters
    ----------
    job : dict
        `plan` (what is made, see `cimlab.retailer.write.make_plan`), `number` (of the block; None for the tables that
        do not depend on the persons), `start`, `stop` (its persons), `names` (section → tables to write), `folders`
        (section → folder of the parts), `marker` (the file that says that the part is done).

    Returns
    -------
    dict
        Section → table → [rows, bytes, hash].
    """
    check_version(job["plan"])
    writers = {}
    for section, tables in make_steps(job):
        for name in job["names"].get(section, ()):
            specification = read_settings("dictionary")[SECTIONS[section]][name]
            table = conform(tables.pop(name, None), specification, name)
            if (section, name) not in writers:
                sink = pa.BufferOutputStream()
                writers[section, name] = sink, open_parquet(sink, table.schema, specification, name), [0]
            _, writer, rows = writers[section, name]
            writer.write_table(table, row_group_size=read_settings("write")["row_group"])
            rows[0] += table.num_rows
    facts = {}
    for (section, name), (sink, writer, rows) in writers.items():
        writer.close()
        path = Path(job["folders"][section], name, part_name(job["number"]))
        facts.setdefault(section, {})[name] = [rows[0], *write_file(path, sink.getvalue())]
    write_file(Path(job["marker"]), json.dumps(facts).encode())
    return facts


def make_steps(job):
    """Yield (section, tables) of a block, some persons at a time."""
    plan, core = job["plan"], importlib.import_module(job["plan"]["core"])
    if job["number"] is None:
        yield "data", dict(core.make_common_tables(plan["seed"]))
        return
    step = read_settings("write")["step_of_orders" if is_light(plan) else "step"]
    for start in range(job["start"], job["stop"], step):
        stop = min(start + step, job["stop"])
        data, truth = core.make_tables(
            plan["seed"], plan["level"], start, stop, truth=plan["truth"], only=plan["tables"]
        )
        # the reader takes each table out, so that its memory is free for the next one
        yield "data", data
        yield "truth", truth or {}


def is_light(plan):
    """Return whether only tables without texts of persons are made, which take little memory."""
    return not plan["truth"] and plan["tables"] is not None and set(plan["tables"]) <= {"orders", "order_lines"}


def part_name(number):
    """Return the name of a part of a table."""
    return f"part-{number or 0:05d}.parquet"


def write_file(path, content):
    """Write a file whole or not at all, and return [its bytes, its hash]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return [len(content), f"sha256:{hashlib.sha256(content).hexdigest()}"]


@cache
def generator_version():
    """Return a text that is another one as soon as anything that makes the data is."""
    digest = hashlib.blake2b(f"{__version__} {pa.__version__}".encode(), digest_size=12)
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in {".py", ".yaml", ".csv", ".md"}:
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def check_version(plan):
    """Raise ValueError if the worker's cimlab is not that of the command."""
    if plan["generator"] != generator_version():
        raise ValueError(
            "a worker has another version of cimlab or of pyarrow than this machine; install the same on all of them."
        )


# --- many parts -----------------------------------------------------------------------------------------------------


def run_tasks(task, items, *, jobs=1, engine="processes", scheduler=None):
    """Yield what a task returns for each item, as it comes.

    Parameters
    ----------
    task : callable
        A function of a module, which a process or a worker can import.
    items : list
    jobs : int
        Number of processes; with one, or for a single item, all is done here.
    engine : {"processes", "dask"}
    scheduler : str, optional
        Address of the Dask scheduler.

    Raises
    ------
    ValueError
        If Dask is not installed.
    OSError
        If a process was killed, or if no scheduler answers.
    """
    if not items:
        return iter(())
    if engine == "dask":
        return run_on_dask(task, items, scheduler)
    if min(jobs, len(items)) > 1:
        return run_in_processes(task, items, min(jobs, len(items), MOST_PROCESSES))
    return map(task, items)


def run_in_processes(task, items, jobs):
    """Yield the results of processes; if one fails, those that run finish their part and no new one is begun."""
    # "spawn": a forked process would have half of the threads of pyarrow
    context, others = multiprocessing.get_context("spawn"), set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=start_worker)
    try:
        for future in as_completed([pool.submit(task, item) for item in items]):
            yield future.result()
    except BrokenProcessPool:
        raise OSError(
            "a process of the run was ended from outside, perhaps for want of memory; try again with fewer --jobs."
        ) from None
    except (KeyboardInterrupt, GeneratorExit):
        # nobody wants to wait for the parts in hand
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def start_worker():
    """Make a process use one core, leave Ctrl-C to the command, and end as soon as the command is gone."""
    import signal

    # the system's pool gives memory back sooner than pyarrow's own, at no cost in time
    pa.set_memory_pool(pa.system_memory_pool())
    keep_memory()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    threading.Thread(target=end_with, args=(parent.sentinel,), daemon=True).start()


def keep_memory():
    """Let the C library of Linux keep freed memory for the next column.

    To give it back and ask for it again costs a fifth of the time, since columns come and go by the thousand. Elsewhere
    nothing happens.
    """
    import ctypes

    trim_threshold, mmap_threshold = -1, -3  # of malloc.h
    try:
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(trim_threshold, KEPT_MEMORY)
        library.mallopt(mmap_threshold, KEPT_MEMORY)
    except (OSError, AttributeError):
        pass


def end_with(sentinel):
    """Wait for the end of another process, then end this one at once."""
    connection.wait([sentinel])
    os._exit(1)


def run_on_dask(task, items, scheduler):
    """Yield the results of Dask workers; they must see the folder that is written under the same path."""
    try:
        import distributed
    except ImportError:
        raise ValueError(
            "Dask is not installed here. Install it with `pip install distributed`, or leave out --engine dask."
        ) from None
    with distributed.Client(scheduler, timeout="10s") as client:
        futures = client.map(task, items, pure=False)
        try:
            for future in distributed.as_completed(futures):
                yield future.result()
        finally:
            client.cancel(futures)
