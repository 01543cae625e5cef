"""From which size on an engine is worth its start: `make bench-scale`, or
.venv/bin/python benchmarks/bench_scale.py [--xl]

The same question is asked in pandas, on DuckDB and on Spark, of editions of 3,000, 100,000 and 1,000,000 persons that
are made on the fly. Each measurement is a process of its own, so that every start is a full one: *start* is from the
first import to the engine that has the tables open, *question* from there to the answer in pandas. Each figure is the
median of interleaved rounds (so *both* need not be the sum of the two); the answers must be equal, or the run ends
with an error.

All are wall times on this machine (its cores, disk and load stand below the table): read the ratios, not the seconds.
`--xl` adds ten million persons: DuckDB with less memory than pandas needs for the same question.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from processes import watch

SEED = 1
TODAY = "2026-06-30"
SIZES = {"S": 3_000, "M": 100_000, "L": 1_000_000}
XL = 10_000_000
TABLE = {"rfm": "orders", "cohorts": "orders", "pairs": "order_lines"}  # what each question reads
COLUMNS = {
    "rfm": ["order_id", "customer_ref", "ordered_at", "amount"],
    "cohorts": ["customer_ref", "ordered_at", "amount"],
    "pairs": ["order_id", "product_id"],
}
QUESTIONS = {
    "rfm": "how many customers are in each RFM cell, and what did they spend?",
    "cohorts": "who of each month's new customers came back, month by month?",
    "pairs": "which two articles are bought together?",
}
GATES = {"L": 1.0, "memory": 0.5}  # DuckDB against pandas: seconds with the start at L, peak memory at XL


# --- one measurement, in a process of its own -----------------------------------------------------------------------


def ask_pandas(question, folder):
    """Return the answer of pandas: the files are part of the question, as they are for the engines."""
    import pandas as pd

    from cimlab import analysis, mining

    frame = pd.read_parquet(Path(folder, TABLE[question]), columns=COLUMNS[question])
    if question == "rfm":
        table = analysis.rfm_scores(analysis.rfm(frame, TODAY, "customer_ref").round({"monetary": 2}))
        return table.groupby("cell").agg(customers=("cell", "size"), spent=("monetary", "sum")).reset_index()
    if question == "cohorts":
        counts = analysis.cohort_counts(frame, TODAY, "customer_ref")
        counts["cohort"] = counts["cohort"].dt.start_time.astype("datetime64[us]")
        return counts[["cohort", "age", "size", "customers", "retention"]]
    return mining.mine_rules(mining.basket_table(frame, "product_id"))


def ask_engine(question, connection):
    """Return the answer of an engine."""
    from cimlab import scale

    table = scale.take_table(connection, TABLE[question])
    if question == "rfm":
        scored = scale.rfm_query(table, TODAY, "customer_ref")
        cells = scored.group_by("cell").agg(customers=scored.count(), spent=scored.monetary.sum())
        return scale.answer(cells.order_by("cell"))
    if question == "cohorts":
        counts = scale.cohort_query(table, TODAY, "customer_ref")
        return scale.answer(counts.select("cohort", "age", "size", "customers", "retention").order_by("cohort", "age"))
    return scale.answer(scale.pairs_query(table))


def measure(given):
    """Do one measurement in this process: write the answer, and print what it took."""
    clock = time.perf_counter
    before = clock()
    question, folder = given["question"], given["folder"]
    if given["engine"] == "pandas":
        import cimlab.mining  # noqa: F401  what the question needs is loaded before it is asked, as for the engines
        from cimlab.analysis import rfm  # noqa: F401

        ready = clock()
        result = ask_pandas(question, folder)
        done = clock()
    else:
        from cimlab import scale

        tables = {TABLE[question]: Path(folder, TABLE[question])}
        connection = scale.open_engine(given["engine"], tables, memory=given["memory"], master=given["master"])
        ready = clock()
        result = ask_engine(question, connection)
        done = clock()
        scale.close_engine(connection)
    result.to_parquet(given["answer"], index=False)
    sys.stdout.write(json.dumps({"start": ready - before, "question": done - ready}))


# --- many of them ---------------------------------------------------------------------------------------------------


def run_child(given, most):
    """Measure in a new process; return what it took and its peak memory, or None if it took more than `most` MB."""
    with tempfile.TemporaryDirectory(prefix="cimlab-bench-") as folder:
        given = given | {"answer": str(Path(folder, "answer.parquet"))}
        command = [sys.executable, str(Path(__file__).resolve()), "--child", json.dumps(given)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)
        peaks, cpu = {}, {}
        watcher = threading.Thread(target=watch, args=(process, peaks, cpu, most))
        watcher.start()
        out, errors = process.communicate()
        watcher.join()
        peak = sum(peaks.values()) or None
        if peak and peak > most:
            return None
        if process.returncode:
            raise SystemExit(f"{given['engine']} failed:\n{errors[-3000:]}")
        import pandas as pd

        found = {"peak": peak, "cpu": sum(cpu.values()) or None, "answer": pd.read_parquet(given["answer"])}
        return json.loads(out) | found


def make_edition(folder, persons, question):
    """Make the table of a question for so many persons, in Parquet; return its folder and its rows."""
    out = Path(folder, f"edition-{persons}")
    told = ["--customers", str(persons), "--tables", TABLE[question], "--form", "parquet", "--seed", str(SEED), "--yes"]
    command = [sys.executable, "-m", "cimlab", "generate", str(out), *told]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"`cimlab generate` failed:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    resources = json.loads((out / "datapackage.json").read_text(encoding="utf-8"))["resources"]
    return str(out), next(resource["rows"] for resource in resources if resource["name"] == TABLE[question])


def bench_crossover(folder, given, engines):
    """Time the question on each engine at each size; return the times, what each costs, and the rows of each size."""
    from cimlab import scale

    sizes, rows, found_all = {}, {}, {}
    for name in given.sizes:
        edition, rows[SIZES[name]] = make_edition(folder, SIZES[name], given.question)
        sizes[SIZES[name]] = edition

    def ask(engine, edition, question):
        told = {"engine": engine, "folder": edition, "question": question, "master": given.master}
        told["memory"] = "4GB" if engine == "spark" else None
        found = run_child(told, given.most)
        if found is None:
            raise SystemExit(f"{engine} took more than {given.most:,} MB of memory: see --most")
        found_all.setdefault((edition, engine), []).append(found)
        return found

    times = scale.time_engines(sizes, dict.fromkeys(engines, given.question), given.rounds, ask)
    costs = {(size, engine): describe_cost(found_all[sizes[size], engine]) for size in sizes for engine in engines}
    return times, costs, rows


def bench_xl(folder, given):
    """Ask ten million persons in pandas, and on DuckDB with little memory; return the lines of the report."""
    from cimlab.scale.crossover import same_answer

    edition, rows = make_edition(folder, XL, given.question)
    size = sum(path.stat().st_size for path in Path(edition).rglob("*.parquet"))
    told = {"folder": edition, "question": given.question, "master": given.master}
    embedded = run_child(told | {"engine": "duckdb", "memory": given.memory}, given.most)
    memory = run_child(told | {"engine": "pandas", "memory": None}, given.most)
    report = [row(f"XL: {rows:,} rows of {TABLE[given.question]}, {size / 1e6:,.0f} MB of Parquet", "")]
    if embedded is None:
        return [*report, row("XL: DuckDB took more memory than --most allows", "", "", False)]
    report += [describe_xl(f"DuckDB with memory={given.memory}", embedded)]
    if memory is None:
        return [*report, row("XL: pandas", f"more than {given.most:,} MB: stopped")]
    same_answer(("duckdb", embedded["answer"]), ("pandas", memory["answer"]), XL)
    apart = largest_gap(embedded["answer"], memory["answer"])
    told = f"yes; sums to {apart:.0e} of their size"
    report += [describe_xl("pandas", memory), row("XL: equal answers", told, "≤ 1e-09", True)]
    if embedded["peak"] and memory["peak"]:
        share = embedded["peak"] / memory["peak"]
        gate = f"≤ {GATES['memory']:.0%}"
        report += [row("XL: peak memory of DuckDB against pandas", f"{share:.0%}", gate, share <= GATES["memory"])]
    return report


def largest_gap(one, other):
    """Return the largest relative difference of the numbers in two answers."""
    pairs = [(one[name], other[name]) for name in one.select_dtypes("number")]
    return max(((a - b).abs() / b.abs().clip(lower=1e-12)).max() for a, b in pairs)


# --- the report -----------------------------------------------------------------------------------------------------


def row(what, value, gate="", kept=None):
    """Return one line of the report; `kept` says whether the gate is kept, None if there is none."""
    return {"what": what, "value": value, "gate": gate, "verdict": {None: "", True: "kept", False: "**missed**"}[kept]}


def describe_cost(found):
    """Return the processor time and the greatest memory of several measurements, as a text."""
    import statistics

    if not all(each["peak"] for each in found):
        return "processor and memory not measured here"
    cpu, peak = statistics.median(each["cpu"] for each in found), max(each["peak"] for each in found)
    return f"{cpu:.1f} CPU-s; {peak:,.0f} MB"


def describe_xl(what, found):
    told = f"{found['start']:.1f} + {found['question']:.1f} s; {describe_cost([found])}"
    return row(f"XL: {what}: start + question; processor; peak memory", told)


def report_crossover(times, costs, rows, question):
    """Return the lines of the report on the sizes, each engine against pandas, and who is fastest."""
    from cimlab import scale

    middle = scale.median_times(times)
    report = []
    for size, group in middle.groupby("size"):
        report.append(row(f"**{size:,} persons, {rows[size]:,} rows of {TABLE[question]}**", "equal answers"))
        pandas = next((each for each in group.itertuples() if each.engine == "pandas"), None)
        for each in group.itertuples():
            told = f"{each.start:.2f} + {each.question:.2f} s, both {each.total:.2f} s; {costs[size, each.engine]}"
            report.append(row(f"{each.engine}: start + question; processor; peak memory", told))
            if pandas and each.engine != "pandas":
                alone, both = pandas.question / each.question, pandas.total / each.total
                report.append(row("… pandas takes, question alone / with the start", f"{alone:.2f} × / {both:.2f} ×"))
    if len(set(middle["engine"])) > 1:
        for part, words in (("question", "question alone"), ("total", "with the start")):
            for best in scale.find_fastest(middle, part).itertuples():
                value = f"{best.engine}; {best.next} takes {best.times_as_long:.2f} × as long"
                report.append(row(f"fastest at {best.size:,}, {words}", value))
    large = middle[middle["size"] == SIZES["L"]].set_index("engine")["total"]
    if {"pandas", "duckdb"} <= set(large.index):
        ratio, gate = large["pandas"] / large["duckdb"], f"≥ {GATES['L']:.0f} ×"
        report.append(row("DuckDB against pandas at L, with the start", f"{ratio:.2f} ×", gate, ratio >= GATES["L"]))
    return report, middle


def draw(middle, question, file):
    """Draw the times into a file."""
    import matplotlib.pyplot as plt

    from cimlab import plots, scale

    plots.use_house_style()
    axes = plt.subplots(figsize=(9, 4.5))[1]
    scale.draw_crossover(middle, ax=axes)
    axes.set_title(QUESTIONS[question][0].upper() + QUESTIONS[question][1:])
    axes.figure.savefig(file, dpi=110)


def write_report(report):
    """Return the report as a table in Markdown, with the machine and the versions."""
    from importlib.metadata import PackageNotFoundError, version

    lines = ["| what | measured | gate | verdict |", "| --- | ---: | --- | --- |"]
    lines += ["| " + " | ".join((line["what"], line["value"], line["gate"], line["verdict"])) + " |" for line in report]
    versions = [f"Python {sys.version.split()[0]}"]
    for package in ("pandas", "duckdb", "ibis-framework", "pyspark"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "not known"
    return "\n".join([*lines, "", f"{os.cpu_count()} cores, load {load}, {', '.join(versions)}", ""])


def parse(arguments):
    """Return what was given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, metavar="K", help="rounds of each measurement (default 3)")
    parser.add_argument("--question", choices=list(QUESTIONS), default="rfm", help="what is asked (default rfm)")
    parser.add_argument("--sizes", default="SML", metavar="SML", help="sizes, as letters; '' for none (default SML)")
    parser.add_argument("--engines", default="pandas,duckdb,spark", metavar="A,B", help="which engines (default all)")
    parser.add_argument("--master", default="local[2]", help="where Spark runs (default local[2])")
    parser.add_argument("--xl", action="store_true", help="also ten million persons, DuckDB and pandas (minutes, 1 GB)")
    parser.add_argument("--memory", default="1GB", metavar="SIZE", help="what DuckDB may use there (default 1GB)")
    parser.add_argument("--most", type=int, default=14_000, metavar="MB", help="end what takes more (default 14000)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write picture, times (CSV) and table into this folder")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if not set(given.sizes) <= set(SIZES):
        parser.error(f"--sizes takes the letters {''.join(SIZES)}")
    return given


def main(arguments=None):
    given = parse(arguments)
    if given.child:
        measure(json.loads(given.child))
        return 0
    from cimlab.scale import missing_spark

    engines = given.engines.split(",")
    report = [row(QUESTIONS[given.question][0].upper() + QUESTIONS[given.question][1:], "")]
    if "spark" in engines and (reason := missing_spark()):
        engines.remove("spark")
        report.append(row("spark", f"skipped: {reason}"))
    middle = times = None
    with tempfile.TemporaryDirectory(prefix="cimlab-bench-") as folder:
        if given.sizes:
            times, costs, rows = bench_crossover(folder, given, engines)
            lines, middle = report_crossover(times, costs, rows, given.question)
            report += lines
        if given.xl:
            report += bench_xl(folder, given)
    text = write_report(report)
    sys.stdout.write(text)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "scale_crossover.md").write_text(text, encoding="utf-8", newline="\n")
        if middle is not None:
            times.to_csv(given.out / "scale_crossover.csv", index=False)
            draw(middle, given.question, given.out / "scale_crossover.png")
    return int(any(line["verdict"] == "**missed**" for line in report))


if __name__ == "__main__":
    sys.exit(main())
