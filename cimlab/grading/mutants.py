"""`cimlab prove --mutants`: how strong are the checks of a lab? Small faults are put into each model answer.

Each fault makes a mutant; a check that notices it has caught the mutant. Not counted are mutants that say the same as
the answer (equivalent) and those at which Python stops by itself (crash): of the others, nine in ten have to be caught.
Each missed one is listed with the line before and after, so that an author sees what to check.

What is accepted stands with its reason in ``solutions/<lab>/mutants.yaml``, a list of entries like this one::

    - question: q4_move                             # grade id of the answer cell
      new: kept = history[history["on"] > on]       # the changed line, as `cimlab prove --mutants` shows it
      why: no period begins later than today, so the two say the same
"""

import concurrent.futures
import multiprocessing
import os
import sys
import time

from cimlab.grading.course import CourseError, find_course, lab_names, read_notebooks
from cimlab.grading.mutants_run import CAUGHT, CRASH, EQUAL, MISSED, count, judge_some, start

TARGET = 0.9
ARGUED = "argued"
KEYS = ("question", "new", "why")
CHUNK = 8  # mutants for a process at a time
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


def run(arguments):
    started = time.monotonic()
    try:
        course = find_course()
        results = []
        for lab in lab_names(course, arguments.labs):
            results.append(measure(course, lab, arguments.jobs))
            sys.stdout.write(as_table(results[-1]))
            sys.stdout.flush()
    except CourseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    weak = [result["lab"] for result in results if result["breaches"]]
    verdict = f"not strong enough: {', '.join(weak)}" if weak else "the checks are strong enough"
    sys.stdout.write(f"{len(results)} lab{'s' * (len(results) != 1)}, {time.monotonic() - started:.0f} s: {verdict}\n")
    return 1 if weak else 0


def measure(course, lab, jobs=1):
    """Put faults into the model answers of a lab and see which of them its checks catch.

    Parameters
    ----------
    course : pathlib.Path
        The folder of the course; nothing in it is changed.
    lab : str
        Name of a folder in solutions/.
    jobs : int
        Number of processes.

    Returns
    -------
    dict
        lab, rows (a dict for each mutant: question, line, old, new, verdict, words) in the order of the lab, share
        (caught of those that ran and differ) and breaches (as sentences).

    Raises
    ------
    CourseError
        If a solution does not pass its own tests, or mutants.yaml cannot be read.
    """
    course = course.absolute()
    argued = read_argued(course / "solutions" / lab / "mutants.yaml")
    rows = _judge_all(course, lab, jobs)
    breaches = _argue(rows, argued)
    share = share_caught(rows)
    if share is not None and share < TARGET:
        breaches.append(
            f"the checks catch {_percent(share)} of the faults, the target is {_percent(TARGET)}: check what the "
            "missed ones change, or argue them in mutants.yaml"
        )
    return {"lab": lab, "rows": rows, "share": share, "breaches": breaches}


def share_caught(rows):
    """Return the share of caught mutants, of those that ran, differ from the answer and are not argued; or None."""
    caught, missed = (sum(row["verdict"] == verdict for row in rows) for verdict in (CAUGHT, MISSED))
    return caught / (caught + missed) if caught + missed else None


def read_argued(path):
    """Read the list of accepted mutants; without the file there is none.

    Raises
    ------
    CourseError
        If the file is no such list.
    """
    import yaml

    if not path.is_file():
        return []
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    except yaml.YAMLError as error:
        raise CourseError(f"{path} is no YAML: {error}") from None
    if not isinstance(entries, list):
        raise CourseError(f"{path} has to be a list of mutants, each beginning with `- question:`.")
    for number, entry in enumerate(entries, 1):
        good = isinstance(entry, dict) and set(entry) == set(KEYS) and all(isinstance(entry[key], str) for key in KEYS)
        if not good:
            raise CourseError(f"{path}: entry {number} has to be the texts {', '.join(KEYS)}.")
    return entries


def _argue(rows, argued):
    """Mark the argued ones among the missed mutants; return what is wrong with the list."""
    found = []
    for entry in argued:
        wanted = entry["question"], " ".join(entry["new"].split())
        fits = [row for row in rows if (row["question"], row["new"]) == wanted]
        missed = [row for row in fits if row["verdict"] == MISSED]
        for row in missed:
            row["verdict"], row["words"] = ARGUED, " ".join(entry["why"].split())
        if not missed:
            now = f"is {fits[0]['verdict']} now" if fits else "is no mutant"
            found.append(f"mutants.yaml: {wanted[0]}: `{wanted[1]}` {now}: take it out")
    return found


def as_table(result):
    """Return the result of `measure` as text."""
    verdicts = (EQUAL, CRASH, CAUGHT, ARGUED, MISSED)
    questions = list(dict.fromkeys(row["question"] for row in result["rows"]))
    width = max(map(len, [*questions, "question"]))
    lines = [f"{result['lab']}: small faults in the model answers"]
    lines.append(f"  {'question':<{width}}  mutants  {'  '.join(verdicts)}  share caught")
    for name in [*questions, "all"]:
        rows = [row for row in result["rows"] if name in ("all", row["question"])]
        numbers = [sum(row["verdict"] == verdict for row in rows) for verdict in verdicts]
        cells = "  ".join(f"{n:>{len(verdict)}}" for n, verdict in zip(numbers, verdicts, strict=True))
        lines.append(f"  {name:<{width}}  {len(rows):>7}  {cells}  {_percent(share_caught(rows)):>12}")
    for row in result["rows"]:
        if row["verdict"] in (MISSED, ARGUED):
            lines.append(f"  {row['verdict']}: {row['question']}, line {row['line']}: {row['words']}")
            lines += [f"    - {row['old']}", f"    + {row['new']}"]
    lines += [f"  ! {sentence}" for sentence in result["breaches"]]
    return "\n".join(lines) + "\n"


def _percent(share):
    """Return a share as text, rounded down: 89.6 % is not the target of 90 %."""
    return "-" if share is None else f"{int(share * 1000) / 10:g} %"


# ---------------------------------------------------------------------------------------------------------------------
# Processes: each runs the cells of a lab once and then judges mutants


def _judge_all(course, lab, jobs):
    from tqdm import tqdm

    notebooks = list(read_notebooks(course, lab))
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ |= dict.fromkeys(ONE_THREAD, "1")  # inherited: many processes with many threads each are slower
    try:
        with concurrent.futures.ProcessPoolExecutor(
            max(1, jobs), mp_context=multiprocessing.get_context("spawn"), initializer=start
        ) as pool:
            counts = [
                (name, question, number)
                for name in notebooks
                for question, number in pool.submit(count, course, lab, name).result()
            ]
            tasks = [
                (name, question, first, min(first + CHUNK, number))
                for name, question, number in counts
                for first in range(0, number, CHUNK)
            ]
            total = sum(number for *_, number in counts)
            with tqdm(total=total, desc=lab, unit="mutant", disable=not sys.stderr.isatty()) as bar:
                waiting = {pool.submit(judge_some, course, lab, *task): task for task in tasks}
                for future in concurrent.futures.as_completed(waiting):
                    bar.update(len(future.result()))
        return [row for future in waiting for row in future.result()]
    except concurrent.futures.process.BrokenProcessPool:
        raise CourseError(f"{lab}: a mutant has ended Python. Is the memory full? Try again with --jobs 1.") from None
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
