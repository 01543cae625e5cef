"""Run the mutants of a model answer with its tests, in one warm process, and say what became of each.

The cells above an answer run once, with the model answers. Then each mutant, and after it the tests of its answer, run
in a copy of that state. No kernel and no nbgrader: a mutant takes as long as its cells.
"""

import ast
import contextlib
import functools
import io
import os
import random
import signal
import tempfile
import threading
import time
import types
import warnings

import numpy as np
import pandas as pd

from cimlab.checks import CheckFailed
from cimlab.grading.course import CourseError, answer_of_tests, read_notebooks
from cimlab.grading.mutants_make import make_mutants
from cimlab.grading.mutants_vary import copied, same, variations
from cimlab.grading.zygote import imports_of

CAUGHT, MISSED, EQUAL, CRASH = "caught", "missed", "equivalent", "crash"
SECONDS = 10  # the least time limit of a mutant; more where the solution itself takes long
MOST_CALLS = 40


class TimeUp(BaseException):
    """A mutant does not end (no `Exception`, so that no `except Exception` of an answer holds it up)."""


# ---------------------------------------------------------------------------------------------------------------------
# What a process is asked for


def start():
    """Prepare a process: an empty folder to work in, as a hand-in has, and no picture on a screen."""
    global _folder
    os.environ["MPLBACKEND"] = "Agg"
    _folder = tempfile.TemporaryDirectory(prefix="cimlab-", ignore_cleanup_errors=True)
    os.chdir(_folder.name)


def count(course, lab, name):
    """Return [(id of the answer cell, number of its mutants)] of a notebook."""
    return [(question.name, len(question.mutants)) for question in _questions(course, lab, name).values()]


def judge_some(course, lab, name, question, first, last):
    """Return what became of some mutants of a question, one dict for each (see `mutants.measure`)."""
    question, rows = _questions(course, lab, name)[question], []
    for mutant in question.mutants[first:last]:
        verdict, words = question.judge(mutant)
        row = {"question": question.name, "line": mutant.line, "old": mutant.old, "new": mutant.new}
        rows.append(row | {"verdict": verdict, "words": words})
    return rows


@functools.cache
def _questions(course, lab, name):
    return {question.name: question for question in Questions(read_notebooks(course, lab)[name])}


# ---------------------------------------------------------------------------------------------------------------------
# A notebook and its questions


class Questions:
    """Go through a notebook: at each answer that has tests, yield it with the state of Python above it."""

    def __init__(self, notebook):
        self.notebook = notebook
        owner = answer_of_tests(notebook)
        self.tests = {}
        for cell in notebook.cells:
            settings = cell.metadata.get("nbgrader", {})
            if cell.cell_type == "code" and settings.get("grade") and not settings.get("solution"):
                self.tests.setdefault(owner[settings["grade_id"]], []).append((cell.source, settings["points"]))

    def __iter__(self):
        state = {"__name__": "__main__", "display": lambda *values: None}
        for cell in self.notebook.cells:
            settings = cell.metadata.get("nbgrader", {})
            if cell.cell_type != "code":
                continue
            if settings.get("grade") and not settings.get("solution"):
                execute("\n".join(imports_of(cell.source)), state)  # the tests below may count on them
                continue
            name = settings.get("grade_id", cell.id)
            if settings.get("solution") and name in self.tests:
                yield Question(name, cell.source, self.tests[name], state)
            with _quiet():
                execute(cell.source, state)


class Question:
    """One answer cell with its tests and the state above it.

    Attributes
    ----------
    mutants : list of Mutant
    """

    def __init__(self, name, source, tests, state):
        self.name, self.source, self.tests = name, source, tests
        self.state = _snapshot(state)  # the cells below go on with their own
        started = time.monotonic()
        self.calls, self.raised = {}, set()
        names, verdict = self.attempt(source, 600, record=True)
        if verdict is not None:
            raise CourseError(f"{name}: the solution does not pass its own tests: {verdict[1]}")
        self.names = names
        self.limit = max(SECONDS, 10 * (time.monotonic() - started))
        self.mutants = make_mutants(source, self._columns())
        self._varied = {}

    def _columns(self):
        """Return the kind of each column of the tables that stand in the state or were given to a function."""
        given = [value for calls in self.calls.values() for call in calls for value in (*call[0], *call[1].values())]
        found = {}
        for table in [*self.state.values(), *given]:
            if isinstance(table, pd.DataFrame):
                found |= {column: table[column].dtype.kind for column in table if (table.columns == column).sum() == 1}
        return {column: kind for column, kind in found.items() if isinstance(column, str)}

    def attempt(self, source, limit, record=False):
        """Run an answer and its tests; return (the names that it defines, None or (kind of failure, words))."""
        state = _snapshot(self.state)
        before = dict(state)
        escaped = []
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002 (an answer may use the old generator without a seed)
        try:
            with _time_limit(limit), _quiet():
                execute(source, state)
                names = {name: value for name, value in state.items() if before.get(name, self) is not value}
                for name, value in names.items():
                    if isinstance(value, types.FunctionType) and value.__globals__ is state:
                        state[name] = self._watched(name, value, escaped, record)
                for test, points in self.tests:
                    got = execute(test, state)
                    if isinstance(got, (int, float)) and not isinstance(got, bool) and got < points - 1e-6:
                        return names, (CAUGHT, f"{got:g} of {points:g} points")
        except CheckFailed as error:
            return names, (CRASH if escaped else CAUGHT, str(error))
        except TimeUp:
            return {}, (CRASH, f"not done in {limit:.0f} s")
        except (Exception, SystemExit) as error:
            return {}, (CRASH, f"{type(error).__name__}: {error}")
        return names, None

    def _watched(self, name, function, escaped, record):
        """Return a function that notes with what it is called (of the solution) and what it raises."""
        depth = [0]

        @functools.wraps(function)
        def watched(*arguments, **keywords):
            if record and depth[0] == 0:
                calls = self.calls.setdefault(name, [])
                if len(calls) < MOST_CALLS:
                    calls.append((tuple(map(copied, arguments)), {key: copied(v) for key, v in keywords.items()}))
            depth[0] += 1
            try:
                return function(*arguments, **keywords)
            except Exception as error:
                if record:
                    self.raised.add((name, type(error)))
                elif depth[0] == 1 and (name, type(error)) not in self.raised:
                    escaped.append(error)
                raise
            finally:
                depth[0] -= 1

        return watched

    def judge(self, mutant):
        """Return (what became of a mutant, words about it)."""
        names, failure = self.attempt(mutant.source, self.limit)
        if failure is not None:
            return failure
        difference = self.difference(names)
        return (EQUAL, "") if difference is None else (MISSED, difference)

    def difference(self, names):
        """Say in what the names that a mutant defines differ from the solution's, or None.

        Functions are called with what the tests called them with, and with variations of it.
        """
        for name, right in self.names.items():
            own = names.get(name)
            if isinstance(right, types.FunctionType) and isinstance(own, types.FunctionType):
                for (arguments, keywords), expected in self._expected(name, right):
                    got = _outcome(own, arguments, keywords, self.limit)
                    if not (got[0] == expected[0] == "error" or (got[0] == expected[0] and same(expected[1], got[1]))):
                        return f"{name}(…) differs for another input{_only_order(expected, got)}"
            elif not isinstance(right, (types.ModuleType, type)) and not same(right, own):
                return f"{name} differs"
        return None

    def _expected(self, name, right):
        """Return [(call, outcome of the solution)] for the recorded calls and their variations; made once."""
        if name not in self._varied:
            numbers = [
                float(node.value)
                for node in ast.walk(ast.parse(self.source))
                if isinstance(node, ast.Constant) and type(node.value) in (int, float)
            ]
            calls = self.calls.get(name, [])
            calls = [*calls, *variations(calls, sorted(set(numbers)))]
            done = [(call, _outcome(right, *call, self.limit)) for call in calls]
            self._varied[name] = [pair for pair in done if pair[1][0] == "value"]
        return self._varied[name]


def _only_order(expected, got):
    """Tell a difference in the order of rows alone: a check may well accept any order."""
    if got[0] == "value" and isinstance(got[1], pd.DataFrame) and isinstance(expected[1], pd.DataFrame):
        first, second = (table.reindex(columns=sorted(table, key=str)).astype(str) for table in (expected[1], got[1]))
        if sorted(map(str, first.to_numpy().tolist())) == sorted(map(str, second.to_numpy().tolist())):
            return ", in the order of its rows only"
    return ""


def _outcome(function, arguments, keywords, limit):
    try:
        with _time_limit(limit), _quiet():
            value = function(*map(copied, arguments), **{key: copied(value) for key, value in keywords.items()})
            return "value", list(value) if isinstance(value, types.GeneratorType) else value
    except (Exception, TimeUp, SystemExit) as error:
        return "error", type(error).__name__


def execute(source, state):
    """Run a cell; return the value of its last line, as a notebook shows it."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), state)
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), state) if last else None


def _snapshot(state):
    """Return a copy of the names of a notebook, in which nobody can change the data of another copy."""
    data = (pd.DataFrame, pd.Series, np.ndarray, list, dict, set)
    return {name: copied(value) if isinstance(value, data) else value for name, value in state.items()}


@contextlib.contextmanager
def _quiet():
    nowhere = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _time_limit(seconds):
    """End what takes longer, where the system has such an alarm (Linux, macOS)."""
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_):
        raise TimeUp

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
