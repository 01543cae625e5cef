"""Small faults in model answers: which are made, what becomes of them, and what `cimlab prove --mutants` says."""

import signal
import types

import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml

from cimlab.__main__ import main
from cimlab.grading import mutants
from cimlab.grading.course import CourseError, temporary_course
from cimlab.grading.mutants_make import Mutant, make_mutants
from cimlab.grading.mutants_run import CAUGHT, CRASH, EQUAL, MISSED, Questions, count, judge_some
from cimlab.grading.mutants_vary import copied, same, variations
from tests import tiny_lab
from tests.test_labs import ROOT
from tests.tiny_lab import LAB

# --- faults ----------------------------------------------------------------------------------------------------------


def faults(code, columns=None):
    """Return the changed lines of an answer of one line."""
    return [mutant.new for mutant in make_mutants(f"### BEGIN SOLUTION\n{code}\n### END SOLUTION", columns)]


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("n = a < b", "n = a <= b"),
        ("n = (a == b) | c", "n = (a != b) | c"),
        ("n = a not in b", "n = a in b"),
        ("n = a + b * c", "n = a + b / c"),
        ("n = x & ~y", "n = x | ~y"),
        ("n = x & ~y", "n = x & (y)"),
        ("n = x & ~y", "n = x"),
        ("n = x and not y", "n = x or not y"),
        ("n = t.rolling(7)", "n = t.rolling(8)"),
        ("n = t.rolling(7)", "n = t.rolling(6)"),
        ("n = t.head(3)", "n = t.head(4)"),
        ("n = t.head(3)", "n = t.tail(3)"),
        ("n = spent >= 2000", "n = spent >= 2200"),
        ("n = t.quantile(0.9)", "n = t.quantile(0.99)"),
        ('n = a.merge(b, on="id", how="left")', 'n = a.merge(b, on="id", how="inner")'),
        ('n = a.merge(b, on="id", how="left")', 'n = a.merge(b, on="id", how="outer")'),
        ('n = a.merge(b, on="id")', 'n = a.merge(b, on="id", how="left")'),
        ("n = t.sort_values('day', ascending=False)", "n = t.sort_values('day', ascending=True)"),
        ("n = t.sort_values('day')", "n = t"),
        ("n = t.drop_duplicates('id', keep='last')", "n = t.drop_duplicates('id', keep=\"first\")"),
        ("n = t.drop_duplicates('id', keep='last')", "n = t.drop_duplicates('id', keep=False)"),
        ("n = g.sum()", "n = g.mean()"),
        ("n = g['x'].nunique()", "n = g['x'].count()"),
        ('n = g.agg("count")', 'n = g.agg("nunique")'),
        ("n = t.fillna(0).dropna()", "n = t.dropna()"),
        ("n = t.fillna(0).dropna()", "n = t.fillna(0)"),
        ("n = t[t.x > 1].y", "n = t.y"),
        ("n = t.loc[t.x > 1, 'y']", "n = t.loc[:, 'y']"),
        ('n = t.groupby(["a", "b"]).size()', 'n = t.groupby(["a"]).size()'),
        ("n = t.groupby('a').first()", "n = t.groupby('a').last()"),
        ("n = [x for x in y if x]", "n = [x for x in y if True]"),
        ("n = t.x", "n = (t.x)[1:]"),
        ("n = min(x)", "n = max(x)"),
        ("n = '客户' if a < 1 else b", "n = '客户' if a <= 1 else b"),  # a place is counted in characters, not in bytes
        ("n = '客户' if a < 1 else b", "n = '客户' if False else b"),
    ],
)
def test_each_kind_of_fault_is_made(code, fault):
    assert fault in faults(code)


def test_a_column_is_swapped_with_another_of_its_kind_that_the_cell_names():
    columns = {"spent": "f", "paid": "f", "name": "O", "never_named": "f"}
    said = faults('n = t["spent"] - t["paid"] + len(t["name"])', columns)
    assert 'n = t["paid"] - t["paid"] + len(t["name"])' in said
    assert 'n = t["spent"] - t["spent"] + len(t["name"])' in said
    assert not [line for line in said if '"name"] -' in line or "never_named" in line]


def test_a_query_is_changed_by_its_words_but_not_in_its_comments():
    said = faults('q = "SELECT a FROM t LEFT JOIN u ON b = c WHERE d >= 10 AND e IS NULL -- AND 10"')
    assert len([line for line in said if '" -- AND 10' not in line and " -- AND 10" in line]) == len(said)
    for words in (" t JOIN u", "WHERE d > 10", "d >= 11 AND", "10 OR e", "IS NOT NULL", "b != c"):
        assert [line for line in said if words in line], words


def test_only_the_solution_is_changed_and_every_mutant_is_python_of_its_own():
    source = "low = 3\n### BEGIN SOLUTION\nn = 4\n### END SOLUTION\nhigh = 5\nf(n, 6)"
    made = make_mutants(source)
    assert [(mutant.line, mutant.old, mutant.new) for mutant in made] == [(3, "n = 4", "n = 5"), (3, "n = 4", "n = 3")]
    for mutant in made:
        compile(mutant.source, "", "exec")
    assert faults('def f(x):\n    """Add 1 to x."""\n    return x') == ["return (x)[1:]"]


# --- alike -----------------------------------------------------------------------------------------------------------


def test_values_are_compared_to_their_depth():
    table = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    assert same(table, table[["b", "a"]].set_axis([5, 9]).assign(a=[1.0, 2.0]))
    assert not same(table, table[::-1])
    assert not same(table, table.assign(b=["x", "y"])) and not same(table, table.rename(columns={"a": "c"}))
    assert same(pd.Series([1, 2], ["x", "y"]), pd.Series([1.0, 2], ["x", "y"]))
    assert not same(pd.Series([1, 2], ["x", "y"]), pd.Series([1, 2], ["x", "z"]))
    assert same({"a": [np.float64(0.1) + 0.2]}, {"a": [0.3]}) and not same({"a": 1}, {"b": 1})
    assert same(types.SimpleNamespace(a=1), types.SimpleNamespace(a=1)) is True
    assert not same((1, 2), [1, 2]) and not same({1}, {2}) and not same(None, 0)


def test_variations_stay_in_what_was_seen_and_are_the_same_each_time():
    table = pd.DataFrame({"id": ["a", "b", "c", "d"], "spent": [1.0, 700, 3, 500], "seen": [1.0, None, 3, 4]})
    calls = [((table, "2026-01-01", 3), {"top": 5})]
    made = variations(calls, [600.0])
    assert len(made) == 50
    tables = [arguments[0] for arguments, _ in made]
    assert all(one["id"].is_unique and one["spent"].notna().all() for one in tables)  # a key stays one, no new blanks
    assert all(one["spent"].between(1, 700).all() for one in tables)
    assert any((one["spent"] == 600).any() for one in tables)  # the step in the code of the answer
    assert any(one["id"].tolist() == ["d", "c", "b", "a"] or len(one) < 4 for one in tables)
    for (one, _), (other, _) in zip(made, variations(calls, [600.0]), strict=True):
        assert same(one[0], other[0]) and one[1:] == other[1:]
    assert same(table, calls[0][0][0]) and variations([], [1]) == []


def test_what_cannot_be_copied_is_given_as_it_is():
    lines = iter([1])
    assert copied(len) is len and copied(pytest) is pytest
    generator = (line for line in lines)
    assert copied(generator) is generator


# --- verdicts --------------------------------------------------------------------------------------------------------

ANSWER = '### BEGIN SOLUTION\nbig = float(orders[orders["spent"] > 5]["spent"].sum())\n### END SOLUTION'
STRONG = 'checks.equal(checks.answer(globals(), "big", float), 35.5, "big")'
WEAK = 'checks.answer(globals(), "big", float)'


def question(answer, *tests):
    """Return the one question of a notebook with this answer cell and these test cells of two points."""
    cells = [
        tiny_lab.cell("setup", tiny_lab.SETUP, locked=True),
        tiny_lab.cell("q1_big", answer, solution=True),
        *(tiny_lab.cell(f"test_q1_{n}", test, grade=True, locked=True, points=2) for n, test in enumerate(tests)),
        tiny_lab.cell("after", "big = None", locked=True),
    ]
    (only,) = Questions(nbformat.v4.new_notebook(cells=cells))
    return only


def verdicts(only):
    return {mutant.new: only.judge(mutant) for mutant in only.mutants}


def test_a_strong_check_catches_what_a_weak_one_misses():
    mean = 'big = float(orders[orders["spent"] > 5]["spent"].mean())'
    strong, weak = verdicts(question(ANSWER, STRONG)), verdicts(question(ANSWER, WEAK))
    assert strong[mean][0] == CAUGHT and "expected 35.5" in strong[mean][1]
    assert weak[mean] == (MISSED, "big differs")
    assert {verdict for verdict, _ in strong.values()} == {CAUGHT, EQUAL, CRASH}


def test_a_fault_that_changes_nothing_is_equivalent_and_one_that_python_stops_is_a_crash():
    said = verdicts(question(ANSWER, STRONG))
    assert said['big = float(orders[orders["spent"] >= 5]["spent"].sum())'] == (EQUAL, "")
    verdict, words = said['big = (float(orders[orders["spent"] > 5]["spent"].sum()))[1:]']
    assert verdict == CRASH and words.startswith(("IndexError", "TypeError"))


def test_less_than_all_points_is_caught():
    partial = 'checks.answer(globals(), "big", float)\n2.0 if big == 35.5 else 0.5'
    mean = verdicts(question(ANSWER, partial))['big = float(orders[orders["spent"] > 5]["spent"].mean())']
    assert mean == (CAUGHT, "0.5 of 2 points")


def test_the_solution_has_to_pass_its_own_tests():
    with pytest.raises(CourseError) as caught:
        question(ANSWER, STRONG.replace("35.5", "36.5"))
    assert "q1_big: the solution does not pass its own tests: `big` is 35.5; expected 36.5" in str(caught.value)


FUNCTION = """\
def spenders(orders, least):
    ### BEGIN SOLUTION
    if not len(orders):
        raise ValueError("no orders")
    return sorted(orders.loc[orders["spent"] >= least, "customer"].tolist())
    ### END SOLUTION"""
TEST = """\
checks.refuses(lambda: spenders(orders.iloc[:0], 1), "An empty table is taken.", ValueError)
checks.equal(checks.call(spenders, orders, {least}), {right}, "spenders")"""


def test_functions_are_compared_by_other_inputs_like_those_of_the_tests():
    weak = question(FUNCTION, TEST.format(least=6, right='["C1", "C2"]'))
    assert len(weak.calls["spenders"]) == 2
    said = verdicts(weak)
    step = 'return sorted(orders.loc[orders["spent"] > least, "customer"].tolist())'
    assert said[step] == (MISSED, "spenders(…) differs for another input")
    assert said["if False:"][0] == CAUGHT  # the test wants the refusal
    # An error that the solution never raises is Python's own stop, also where a check speaks of it.
    broken = Mutant(1, "", "", FUNCTION.replace('orders["spent"] >= least', "1 / 0"))
    assert weak.judge(broken)[0] == CRASH and "stops with ZeroDivisionError" in weak.judge(broken)[1]
    strong = verdicts(question(FUNCTION, TEST.format(least=10, right='["C1", "C2"]')))
    assert strong[step][0] == CAUGHT


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="no alarm on this system")
def test_what_does_not_end_is_a_crash():
    loop = "### BEGIN SOLUTION\nbig = 3\nwhile big < 4:\n    big += 1\n### END SOLUTION"
    only = question(loop, 'checks.equal(big, 4, "big")')
    only.limit = 0.3
    endless = next(mutant for mutant in only.mutants if mutant.new == "big += 0")
    assert only.judge(endless) == (CRASH, "not done in 0 s")
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_test_may_count_on_what_the_tests_above_it_import():
    own = "import json\nx = 5"
    cells = [
        tiny_lab.cell("q1", "### BEGIN SOLUTION\na = 1 + 1\n### END SOLUTION", solution=True),
        tiny_lab.cell("t1", f"{own}\nassert a == 2", grade=True, locked=True, points=1),
        tiny_lab.cell("q2", "### BEGIN SOLUTION\nb = 2 + 2\n### END SOLUTION", solution=True),
        tiny_lab.cell("t2", "assert json.dumps(b) == '4' and 'x' not in globals()", grade=True, locked=True, points=1),
    ]
    assert [one.name for one in Questions(nbformat.v4.new_notebook(cells=cells))] == ["q1", "q2"]


def test_a_mutant_cannot_spoil_the_next_one():
    """What an answer changes in the data above it is gone for the next, and nothing is written or drawn."""
    spoil = 'spent = orders["spent"]\n### BEGIN SOLUTION\norders["spent"] = 0 * spent\nbig = float(spent.sum())\n'
    only = question(spoil + "### END SOLUTION", STRONG)
    assert only.state["orders"]["spent"].sum() == 35.5
    first = [only.judge(mutant) for mutant in only.mutants]
    assert first == [only.judge(mutant) for mutant in only.mutants] and only.state["orders"]["spent"].sum() == 35.5


# --- the command -----------------------------------------------------------------------------------------------------


def weak_course(folder, argued=None):
    """Make a course whose second question is checked for its form only."""
    notebook = tiny_lab.notebook()
    cells = {cell.id: cell for cell in notebook.cells}
    cells["test_q2_totals"].source = 'totals = checks.answer(globals(), "totals", pd.DataFrame)'
    tiny_lab.write_course(folder, notebook, labs=False)
    if argued is not None:
        (folder / "solutions" / LAB / "mutants.yaml").write_text(argued, encoding="utf-8")
    return folder


MEAN = 'totals = orders.groupby("customer", as_index=False)["spent"].mean()'


def test_the_command_names_what_is_missed_and_fails_below_the_target(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(weak_course(tmp_path))
    assert main(["prove", LAB, "--mutants", "--jobs", "1"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{LAB}: small faults in the model answers"
    head, q1, q2, every = (line.split() for line in lines[1:5])
    assert head == ["question", "mutants", "equivalent", "crash", "caught", "argued", "missed", "share", "caught"]
    assert q1[0] == "q1_clean" and q1[-3:] == ["0", "100", "%"]
    assert q2[0] == "q2_totals" and int(q2[6]) >= 1
    assert [int(number) for number in every[1:7]] == [int(a) + int(b) for a, b in zip(q1[1:7], q2[1:7], strict=True)]
    place = lines.index("  missed: q2_totals, line 2: totals differs")
    shown = [line for line in lines if line.startswith("    + ")]
    assert f"    + {MEAN}" in shown and lines[place + 1].startswith("    - totals = orders.groupby(")
    assert "the target is 90 %: check what the missed ones" in lines[-2] and lines[-2].startswith("  ! ")
    assert lines[-1].endswith(f"not strong enough: {LAB}")


def rows(*verdicts):
    return [
        {"question": "q1", "line": 2, "old": "n = 1", "new": f"n = {n}", "verdict": verdict, "words": "n differs"}
        for n, verdict in enumerate(verdicts)
    ]


def measured(tmp_path, monkeypatch, found, entries=None):
    (tmp_path / "solutions" / "lab").mkdir(parents=True)
    if entries is not None:
        (tmp_path / "solutions" / "lab" / "mutants.yaml").write_text(yaml.safe_dump(entries), encoding="utf-8")
    monkeypatch.setattr(mutants, "_judge_all", lambda *_: found)
    return mutants.measure(tmp_path, "lab")


def test_nine_in_ten_are_enough_and_neither_equivalent_ones_nor_crashes_count(tmp_path, monkeypatch):
    result = measured(tmp_path, monkeypatch, rows(*[CAUGHT] * 9, MISSED, EQUAL, EQUAL, CRASH))
    assert result["share"] == 0.9 and result["breaches"] == []
    (tmp_path / "more").mkdir()
    result = measured(tmp_path / "more", monkeypatch, rows(*[CAUGHT] * 8, MISSED))
    assert result["breaches"][0].startswith("the checks catch 88.8 % of the faults")
    assert mutants.share_caught(rows(CRASH)) is None


def test_argued_mutants_are_listed_with_their_reason_and_do_not_count(tmp_path, monkeypatch):
    entries = [{"question": "q1", "new": "n =  1", "why": "Nobody has 1,\nso it is the same."}]
    result = measured(tmp_path, monkeypatch, rows(CAUGHT, MISSED), entries)
    assert result["share"] == 1 and result["breaches"] == []
    said = mutants.as_table(result)
    assert "  argued: q1, line 2: Nobody has 1, so it is the same.\n    - n = 1\n    + n = 1\n" in said


def test_an_argued_mutant_that_is_caught_or_is_none_is_a_breach(tmp_path, monkeypatch):
    entries = [{"question": "q1", "new": new, "why": "x"} for new in ("n = 0", "n = 7")]
    result = measured(tmp_path, monkeypatch, rows(CAUGHT, CAUGHT), entries)
    assert result["breaches"] == [
        "mutants.yaml: q1: `n = 0` is caught now: take it out",
        "mutants.yaml: q1: `n = 7` is no mutant: take it out",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- question: [", "is no YAML"),
        ("question: q1", "has to be a list of mutants"),
        ("- question: q1\n  new: x", "entry 1 has to be the texts question, new, why"),
        ("- {question: q1, new: 3, why: x}", "entry 1 has to be the texts"),
    ],
)
def test_a_wrong_list_is_named(tmp_path, text, said):
    path = tmp_path / "mutants.yaml"
    assert mutants.read_argued(path) == []
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CourseError, match=said):
        mutants.read_argued(path)


def test_the_list_of_argued_mutants_is_not_given_to_students(tmp_path):
    folder = weak_course(tmp_path, "[]")
    with temporary_course(folder, [LAB]) as copy:
        names = {path.name for path in (copy / "solutions" / LAB).iterdir()}
    assert names == {f"{LAB}.ipynb", "mistakes.yaml"}


def test_a_real_lab_catches_nine_in_ten(tmp_path, monkeypatch):
    """The quickest lab; the others are measured by `cimlab prove --mutants`, which takes an hour."""
    monkeypatch.chdir(tmp_path)
    found = [
        row
        for name, number in count(ROOT, "lab01_knowing", "lab01_knowing")
        for row in judge_some(ROOT, "lab01_knowing", "lab01_knowing", name, 0, number)
    ]
    assert len(found) > 70 and mutants.share_caught(found) >= mutants.TARGET
