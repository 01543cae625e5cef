"""How fast the retailer is made: `make bench-data`, or  .venv/bin/python benchmarks/bench_data.py [--xl]

Everything is a ratio within one run, since machines differ: rows per CPU-second (user and system time, of the child
processes too) against Faker and mimesis, and against pyarrow writing the same tables when they are ready. Each figure
is the median of interleaved rounds, so that other work on the machine meets all of them alike. Only wall times, where
they are asked for, depend on what else runs: the load of the machine stands beside them.

Nothing is kept unless --out is given. The packages it is compared with are in the extra [bench].
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from processes import watch

try:
    import resource
except ImportError:
    resource = None

from cimlab.retailer.draws import Draws, read_settings
from cimlab.retailer.edition import make_tables
from cimlab.retailer.files import conform, open_parquet
from cimlab.retailer.people import make_master
from cimlab.retailer.run import keep_memory

SEED = 1
PERSONS = 196_608  # three blocks
SHARED = 5_000_000  # persons that one process makes, and two: long enough that their start does not count
SLOW_ROWS = {"Faker": 3_000, "mimesis": 15_000}  # rows that the others make: some tenths of a second
GATES = {"Faker": 300, "mimesis": 50, "writer": 0.6, "memory": 400, "flat": 0.15, "processes": 1.6}
# The customer master as the dictionary would describe it.
MASTER = {
    "columns": {
        "person_id": ["string"],
        "name": ["string"],
        "gender": ["string", "", "", "", {"enum": ["F", "M"]}],
        "birth_date": ["date"],
        "phone": ["string"],
        "email": ["string"],
        "address": ["string"],
        "joined_on": ["date"],
    }
}


# --- measuring ------------------------------------------------------------------------------------------------------


def cpu_seconds():
    """Return the CPU-seconds of this process and of its children that have ended."""
    if resource is None:  # Windows, which does not count ended children
        return time.process_time()
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def rate(work):
    """Return what a piece of work does per CPU-second; it returns how many rows it made."""
    start = cpu_seconds()
    rows = work()
    return rows / max(cpu_seconds() - start, 1e-6)


def rounds(works, repeats):
    """Return the rates of each piece of work by name, one a round, all of them in each round."""
    rates = {name: [] for name in works}
    for work in works.values():
        work()  # once for the caches
    for _ in range(repeats):
        for name, work in works.items():
            rates[name].append(rate(work))
    return rates


def middle_ratio(rates, above, below):
    """Return the median over the rounds of one rate divided by another one."""
    return statistics.median(a / b for a, b in zip(rates[above], rates[below], strict=True))


def load():
    """Return the load of the machine in the last minute, as a text."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "not known"


def row(what, value, gate="", kept=None):
    """Return one line of the report; `kept` says whether the gate is kept, None if there is none."""
    verdict = {None: "", True: "kept", False: "**missed**"}[kept]
    return {"what": what, "value": value, "gate": gate, "verdict": verdict}


def steps(persons):
    """Return (start, stop) of the steps in which the generator makes so many persons."""
    size = read_settings("write")["step_of_orders"]
    return [(start, min(start + size, persons)) for start in range(0, persons, size)]


# --- the customer master in memory ----------------------------------------------------------------------------------


def make_ours():
    """Make the customer master."""
    draws = Draws(SEED)
    return sum(make_master(draws, start, stop).num_rows for start, stop in steps(PERSONS))


def faker_maker(weighted):
    """Return a function that makes the same columns with Faker in Chinese, row by row; None if it is not there."""
    try:
        from faker import Faker
    except ImportError:
        return None
    fake = Faker("zh_CN", use_weighting=weighted)
    fake.seed_instance(SEED)

    def make():
        rows = []
        for number in range(SLOW_ROWS["Faker"]):
            female = number % 2
            name = fake.name_female() if female else fake.name_male()
            born = fake.date_of_birth(minimum_age=16, maximum_age=90)
            contact = (fake.phone_number(), fake.email(), fake.address())
            rows.append((f"P{number:07d}", name, "FM"[1 - female], born, *contact, fake.date_between("-10y")))
        return len(rows)

    return make


def mimesis_maker():
    """Return a function that makes the same columns with mimesis in Chinese, row by row; None if it is not there."""
    try:
        from mimesis import Address, Datetime, Person
        from mimesis.enums import Gender
        from mimesis.locales import Locale
    except ImportError:
        return None
    person, address, dates = (maker(Locale.ZH, seed=SEED) for maker in (Person, Address, Datetime))

    def make():
        rows = []
        for number in range(SLOW_ROWS["mimesis"]):
            female = number % 2
            name = person.full_name(gender=Gender.FEMALE if female else Gender.MALE)
            born = person.birthdate(min_year=1936, max_year=2010)
            contact = (person.phone_number(), person.email(), f"{address.city()}{address.address()}")
            rows.append((f"P{number:07d}", name, "FM"[1 - female], born, *contact, dates.date(start=2016, end=2026)))
        return len(rows)

    return make


def bench_master(repeats):
    """Compare the customer master in memory with what row-by-row makers do."""
    # unweighted is how those use Faker who find it slow; the gate is for the Faker that one gets
    makers = {"Faker": faker_maker(True), "Faker, unweighted": faker_maker(False), "mimesis": mimesis_maker()}
    there = {name: maker for name, maker in makers.items() if maker}
    rates = rounds({"ours": make_ours, **there}, repeats)
    report = [row("customer master in memory, rows/CPU-s", f"{statistics.median(rates['ours']):,.0f}")]
    for name, maker in makers.items():
        gate = GATES.get(name)
        if maker is None:
            report.append(row(f"… against {name}", "skipped: not installed (extra [bench])"))
            continue
        times = middle_ratio(rates, "ours", name)
        of = f"{statistics.median(rates[name]):,.0f} rows/CPU-s"
        kept = (f"≥ {gate} ×", times >= gate) if gate else ()
        report.append(row(f"… against {name} ({of})", f"{times:,.0f} ×", *kept))
    return report


# --- written as Parquet ---------------------------------------------------------------------------------------------


def write_tables(tables, specification, folder):
    """Write tables into one Parquet file as the generator writes a part; return the rows."""
    with tempfile.TemporaryFile(dir=folder) as file:
        writer, rows = None, 0
        for table in tables:
            writer = writer or open_parquet(file, table.schema, specification)
            writer.write_table(table, row_group_size=read_settings("write")["row_group"])
            rows += table.num_rows
        writer.close()
    return rows


def master_tables():
    """Yield the customer master, a step at a time."""
    draws = Draws(SEED)
    for start, stop in steps(PERSONS):
        yield make_master(draws, start, stop)


def table_maker(name):
    """Return a function that yields one table of the dictionary, a step at a time."""

    def make():
        for start, stop in steps(PERSONS):
            data, _ = make_tables(SEED, "normal", start, stop, truth=False, only={name})
            yield conform(data[name], read_settings("dictionary")["tables"][name], name)

    return make


def write_plainly(tables, folder):
    """Write tables into one Parquet file with the settings that pyarrow has itself, but zstd 1; return the rows."""
    with tempfile.TemporaryFile(dir=folder) as file:
        with pq.ParquetWriter(file, tables[0].schema, compression="zstd", compression_level=1) as writer:
            for table in tables:
                writer.write_table(table)
        return sum(table.num_rows for table in tables)


def bench_writing(repeats, folder):
    """Compare making and writing with writing alone: the part of the writer's rate that is reached."""
    makers = {"customers": (master_tables, MASTER, True)}
    for name, gated in (("order_lines", True), ("orders", False), ("members", False)):
        makers[name] = (table_maker(name), read_settings("dictionary")["tables"][name], gated)
    report = []
    for name, (maker, specification, gated) in makers.items():
        ready = list(maker())
        works = {
            "made": lambda maker=maker, specification=specification: write_tables(maker(), specification, folder),
            "ready": lambda ready=ready, specification=specification: write_tables(ready, specification, folder),
            "plain": lambda ready=ready: write_plainly(ready, folder),
        }
        rates = rounds(works, repeats)
        made, written, plain = (f"{statistics.median(rates[work]):,.0f}" for work in works)
        share, gate = middle_ratio(rates, "made", "ready"), f"≥ {GATES['writer']:.0%}"
        kept = (gate, share >= GATES["writer"]) if gated else ()
        report.append(row(f"{name} made and written, {made} rows/CPU-s", ""))
        report.append(row(f"… against ready ones written with the same settings ({written})", f"{share:.0%}", *kept))
        share = middle_ratio(rates, "made", "plain")
        report.append(row(f"… against ready ones written with pyarrow's own settings ({plain})", f"{share:.0%}"))
    return report


# --- whole runs of the command --------------------------------------------------------------------------------------


def run_command(folder, customers, jobs):
    """Run `cimlab generate` for orders and lines in processes of its own, and measure it."""
    out = Path(folder, f"run-{customers}-{jobs}")
    arguments = [str(out), "--customers", str(customers), "--tables", "orders,order_lines", "--form", "parquet"]
    command = [
        sys.executable,
        "-m",
        "cimlab",
        "generate",
        *arguments,
        "--seed",
        str(SEED),
        "--jobs",
        str(jobs),
        "--yes",
    ]
    start, wall, peaks = cpu_seconds(), time.perf_counter(), {}
    with Path(folder, "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        watcher = threading.Thread(target=watch, args=(process, peaks, {}, None, 0.2))
        watcher.start()
        code = process.wait()
        watcher.join()
    if code:
        raise SystemExit(f"`cimlab generate` failed:\n{Path(folder, 'log').read_text(encoding='utf-8')[-2000:]}")
    resources = json.loads((out / "datapackage.json").read_text(encoding="utf-8"))["resources"]
    lines = next(resource["rows"] for resource in resources if resource["name"] == "order_lines")
    size = sum(path.stat().st_size for path in out.rglob("*.parquet"))
    measured = {"lines": lines, "cpu": cpu_seconds() - start, "wall": time.perf_counter() - wall, "bytes": size}
    return measured | {"peak": max(peaks.values(), default=None), "load": load()}


def bench_runs(folder, repeats, xl):
    """Compare the cost of a row at several sizes, and two processes with one."""
    sizes = read_settings("write")["sizes"]
    start = statistics.median(run_command(folder, 8, 1)["cpu"] for _ in range(3))
    costs, report = {}, []
    for name in ("M", "L", "XL")[: 2 + xl]:
        turns = [
            run_command(folder, sizes[name], 2 if name == "XL" else 1) for _ in range(repeats if name == "M" else 1)
        ]
        run = turns[0]
        costs[name] = statistics.median((turn["cpu"] - start) / turn["lines"] for turn in turns) * 1e6
        report.append(row(f"order lines at {name} ({run['lines']:,}), CPU-s a million", f"{costs[name]:.2f}"))
        if name == "XL":
            report += describe_xl(run)
    # A small edition pays for the start of compiled code; what may not be is that a larger one costs more.
    growth = max(later / earlier - 1 for earlier, later in pairwise(costs.values()))
    gate = f"≤ +{GATES['flat']:.0%}"
    report.append(row(f"cost of a row, {' to '.join(costs)}", f"{growth:+.0%}", gate, growth <= GATES["flat"]))
    one, two = (run_command(folder, SHARED, processes) for processes in (1, 2))
    times, gate = one["wall"] / two["wall"], f"≥ {GATES['processes']} × on a quiet machine"
    walls = f"{two['wall']:.0f} s and {one['wall']:.0f} s (load {one['load']}, {two['load']})"
    what = f"two processes against one, wall {walls}"
    report.append(row(what, f"{times:.2f} ×", gate, times >= GATES["processes"]))
    report.append(row("… CPU-seconds of two against one", f"{two['cpu'] / one['cpu']:.2f} ×"))
    return report


def describe_xl(run):
    """Return the lines about the run of ten million persons in two processes."""
    peak, gate = run["peak"], f"< {GATES['memory']} MB"
    return [
        row("XL in two processes: CPU-s; wall (load)", f"{run['cpu']:.0f} s; {run['wall']:.0f} s ({run['load']})"),
        row("XL: bytes of orders and lines", f"{run['bytes'] / 1e6:,.0f} MB"),
        row("XL: greatest memory of a process", "not measured here", gate)
        if peak is None
        else row("XL: greatest memory of a process", f"{peak:.0f} MB", gate, peak < GATES["memory"]),
    ]


# --- the report -----------------------------------------------------------------------------------------------------


def write_report(report):
    """Return the report as a table in Markdown, with the machine and the versions."""
    lines = ["| what | measured | gate | verdict |", "| --- | ---: | --- | --- |"]
    lines += ["| " + " | ".join((line["what"], line["value"], line["gate"], line["verdict"])) + " |" for line in report]
    numba = "with numba" if importlib.util.find_spec("numba") else "without numba"
    versions = f"Python {sys.version.split()[0]}, pyarrow {pa.__version__}, {numba}"
    machine = f"{os.cpu_count()} cores, load {load()}, {versions}"
    return "\n".join([*lines, "", machine, ""])


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, metavar="K", help="rounds of each comparison (default 5)")
    parser.add_argument("--only", choices=["master", "writing", "runs"], help="one part of it")
    parser.add_argument("--xl", action="store_true", help="also ten million persons in two processes (minutes, 1.5 GB)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table into this file too")
    given = parser.parse_args(arguments)
    # as a worker of the generator does
    pa.set_cpu_count(1)
    pa.set_memory_pool(pa.system_memory_pool())
    keep_memory()
    with tempfile.TemporaryDirectory(prefix="cimlab-bench-") as folder:
        parts = {
            "master": lambda: bench_master(given.repeats),
            "writing": lambda: bench_writing(given.repeats, folder),
            "runs": lambda: bench_runs(folder, given.repeats, given.xl),
        }
        report = [line for name, part in parts.items() if given.only in (None, name) for line in part()]
    text = write_report(report)
    sys.stdout.write(text)
    if given.out:
        given.out.write_text(text, encoding="utf-8", newline="\n")
    return int(any(line["verdict"] == "**missed**" for line in report))


if __name__ == "__main__":
    sys.exit(main())
