"""What tests compute without the hand-in is computed once: the same comes out, and nothing else is kept."""

import ast
import collections
import sys
import types

import pandas as pd
import pytest

from cimlab.grading import apart_memo, apart_parts, grade_zygotes, zygote
from tests.warm_kernels import printed, run_cells

# Each takes longer than what is not worth it; `f` is what an answer cell defines.
LONG = "x = 0\nfor n in range(200_000):\n    x += n % 7\n"


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    monkeypatch.setattr(apart_memo, "LEAST", 0.001)  # the loop is longer on any machine
    yield
    for state in (apart_memo._kept, apart_memo._cells, apart_memo._texts, apart_memo._trees, apart_memo._now):
        state.clear()


def first():
    """Return what the first cells of the lab have defined."""
    return {"__name__": "__main__", "pd": pd, "given": [3, 1, 2], "table": pd.DataFrame({"a": [1, 2]})}


def learn(source, tests=()):
    """Return the parts that are kept of a test, as [(number of the part, number of values)]."""
    both = [apart_memo._learn([source, *tests], ["f"], first()) for _ in range(2)]
    apart_memo._remember(apart_memo._alike(*both), [source, *tests], ["f"])
    digest = apart_parts.digest_of(ast.parse(source))
    return sorted((number, len(values)) for (cell, number), values in apart_memo._kept.items() if cell == digest)


def run(source, f=None, **names):
    """Run a test as a kernel does; return its names, and what f was given."""
    told = []
    space = {**first(), "f": f or told.append, **names}
    apart_memo._now["names"] = space
    live = apart_memo._trees.get(apart_memo._texts.get(source)) or ast.parse(source)
    exec(compile(live, "<test>", "exec"), space)
    return space, told


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        (f"{LONG}f(x)", [(0, 1)]),
        (f"f(0)\n{LONG}f(x)", [(0, 1)]),
        (f"for some in (10, 20, 10):\n    {LONG.replace(chr(10), chr(10) + '    ')}\n    f(x + some)", [(0, 1)]),
        (f"for some in (10, 20, 10):\n    {LONG.replace(chr(10), chr(10) + '    ')}x += some\n    f(x)", [(0, 2)]),
        ("f(sorted(str(n) for n in range(90_000))[5])", [(0, 1)]),
        ("got = f(1)\nf([got, sorted(str(n) for n in range(90_000))[5]])", [(0, 1)]),
        (f"import numpy as np\nd = np.random.default_rng(1)\n{LONG}y = d.random()\nf(x + d.random() + y)", [(0, 1)]),
        (f"def g(n):\n    return n + len(given)\n{LONG}y = g(x)\nf(y)", [(0, 1)]),
        (f"if len(given) > 2:\n    {LONG.replace(chr(10), chr(10) + '    ')}\n    f(x)", [(0, 1)]),
        (f"mistakes = [lambda got: got]\n{LONG}f(mistakes[0](x))", [(0, 1)]),
    ],
)  # fmt: skip
def test_what_needs_no_answer_is_kept_and_the_same_comes_out(source, kept):
    plain = run(source)
    assert learn(source) == kept
    assert run(source)[1] == plain[1] and plain[1]


@pytest.mark.parametrize(
    "source",
    [
        f"{LONG}x += f(1)\nf(x)".replace("x = 0\nfor", "x = f(0) or 0\nfor"),  # it begins with an answer
        f"f(1)\n{LONG}given.append(x)\nf(given)",  # changes what it reads
        f"{LONG}table.loc[0, 'a'] = x\nf(x)",
        f"{LONG}same = given\nf(x)\nf(same)",  # is what was there
        f"{LONG}held = {{'a': given}}\nf(x)\nf(held)",
        f"import time\n{LONG}x += time.perf_counter()\nf(x)",
        f"from time import perf_counter\n{LONG}x += perf_counter()\nf(x)",
        f"import numpy as np\n{LONG}x += np.random.random()\nf(x)",
        f"import random\n{LONG}x += random.random()\nf(x)",
        f"import pathlib\n{LONG}x += len(pathlib.Path('README.md').read_text())\nf(x)",  # not of the course's data
        f"import os\n{LONG}x += len(os.listdir('.'))\nf(x)",
        f"{LONG}print(x)\nf(x)",
        f"import sys\n{LONG}n = sys.stderr.write('x')\nf(x + n)",
        f"import io\n{LONG}held = io.StringIO()\nf(held)",
        f"{LONG}f2 = globals()['f']\nf(x)",
        f"def g(n):\n    return f(n)\n{LONG}y = g(x)\nf(y)",
        "f(1 + 1)",  # not worth it
        f"{LONG}raise ValueError(x)",
    ],
)
def test_what_might_be_another_thing_is_left_alone(source, monkeypatch, tmp_path):
    (tmp_path / "README.md").write_text("text", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    whole = [one for one in learn(source) if _makes_more_than_the_loop(source, one[0])]
    assert whole == []


def _makes_more_than_the_loop(source, number):
    """The loop at the top may be kept; what comes after it must not be."""
    cell = apart_parts.Cell(ast.parse(source), {"f"}, collections.Counter())
    part = cell.parts[number]
    return part.value or ast.unparse(ast.Module(part.nodes, [])) != ast.unparse(ast.parse(LONG))


def test_another_value_is_computed_anew():
    source = "f(0)\ny = sorted(given) + [len(str(n)) for n in range(90_000)][:1]\nf(y)"
    assert learn(source)
    assert run(source)[1][1] == [1, 2, 3, 1]
    assert run(source, given=[9, 8])[1][1] == [8, 9, 1]
    assert run(source, given=[True, 8])[1][1] == [True, 8, 1]


def test_a_hand_in_that_changes_what_it_is_given_changes_what_is_right():
    """As in one kernel: a part reads what stands there when it is run."""
    source = f"f(given)\n{LONG}y = x + sum(given)\nf(y)"
    assert learn(source)
    honest, told = [], []
    run(source, lambda value: honest.append(value))

    def spoils(value):
        told.append(value)
        if value is not None and isinstance(value, list):
            value.append(100)

    run(source, spoils, given=[3, 1, 2])
    assert told[1] == honest[1] + 100


def test_the_small_functions_by_which_helpers_tell_mistakes_are_kept(monkeypatch):
    helpers = types.ModuleType("helpers_of_a_lab")
    code = "def mistakes(right):\n    return {'twice': right * 2, 'never': lambda got: got == -right}"
    exec(code, helpers.__dict__)
    monkeypatch.setitem(sys.modules, helpers.__name__, helpers)
    source = f"import helpers_of_a_lab as lab\n{LONG}told = lab.mistakes(x)\nf([told['twice'], told['never'](-x)])"
    assert learn(source) == [(0, 1)]
    del helpers.mistakes
    helpers.mistakes = None  # a kernel that would have to compute it could not
    assert run(source)[1] == [[2 * sum(n % 7 for n in range(200_000)), True]]


def test_a_name_that_a_test_gives_a_value_first_is_its_own():
    loop = LONG.replace(chr(10), chr(10) + "    ")
    own, theirs = (
        f"for f in (1, 2):\n    {loop}\n    y = x + f\nz = y",
        f"for n in (1, f):\n    {loop}\n    y = x + f\nz = y",
    )
    assert learn(own) == [(0, 1)] and _makes_more_than_the_loop(own, 0)
    assert learn(theirs) == [], "it is read before it is given a value"
    later = f"y = f\nf = 1\n{LONG}z = x + f"
    assert [number for number, _ in learn(later) if _makes_more_than_the_loop(later, number)] == []


def test_how_pandas_keeps_a_table_makes_no_difference():
    apart = pd.DataFrame({"a": [1, 2]})
    apart["b"], apart["c"] = 3, 4
    joined = apart.copy()
    assert len(apart._mgr.blocks) > len(joined._mgr.blocks) == 1
    prints = [apart_memo.fingerprint({"table": one}, ["table"]) for one in (apart, joined, joined[["b", "a", "c"]])]
    assert prints[0] == prints[1] != prints[2]
    assert apart_memo.fingerprint({"table": joined.rename(columns={"c": "d"})}, ["table"]) != prints[0]
    assert apart_memo.fingerprint({"table": joined.set_index("a", drop=False)}, ["table"]) != prints[0]
    assert apart_memo.fingerprint({"table": joined.astype(float)}, ["table"]) != prints[0]
    assert apart_memo.fingerprint({"table": joined.to_dict("list")}, ["table"]) != prints[0]


def test_which_parts_are_one_object_makes_no_difference():
    one, other = "".join(["a", "b"]), "".join(["a", "b"])
    prints = [apart_memo.fingerprint({"v": value}, ["v"]) for value in ([one, one], [one, other], [one, "ac"])]
    assert prints[0] == prints[1] != prints[2]
    endless = []
    endless.append(endless)
    with pytest.raises(apart_memo.Unclear):
        apart_memo.fingerprint({"v": endless}, ["v"])


def test_an_error_in_a_test_names_its_own_line():
    source = f"{LONG}f(x)\nf(1 / 0)"
    assert learn(source) == [(0, 1)]
    with pytest.raises(ZeroDivisionError) as raised:
        run(source)
    assert raised.traceback[-1].lineno + 1 == len(source.splitlines())


def test_learning_leaves_nothing_behind():
    names = first() | {"table": None}
    apart_memo.learn([f"{LONG}f(x)", f"{LONG}given.append(1)\nf(given)", "%time 1", "1 / 0"], ["f"], names)()
    assert sum(map(len, apart_memo._kept.values())) >= 1
    assert names == first() | {"table": None}


@pytest.mark.skipif(zygote.warm_available() is not None, reason=str(zygote.warm_available()))
def test_what_tests_import_is_imported_for_examiners_and_for_nobody_else(tmp_path):
    told = []
    with grade_zygotes.start_examiners(["given = 1"], [], None, ["import wave", "import sndhdr_not_there"], ["f"],
                                       [["import colorsys"]], heard=told.extend) as running:  # fmt: skip
        assert not running.left_out
        look = "import sys; print([name in sys.modules for name in ('wave', 'colorsys')])"
        assert printed(run_cells(running, [look], tmp_path).cells[0]) == "[True, True]"
    assert told == ["colorsys"]


@pytest.mark.skipif(zygote.warm_available() is not None, reason=str(zygote.warm_available()))
def test_examiners_are_forked_with_what_was_learned(tmp_path):
    test = f"{LONG.replace('200_000', '2_000_000')}f(x)"
    with grade_zygotes.start_examiners(["given = 1"], [], None, [test], ["f"]) as running:
        assert not running.left_out
        look = "import cimlab.grading.apart_memo as memo; print(sum(map(len, memo._kept.values())))"
        assert printed(run_cells(running, [look], tmp_path).cells[0]) == "1"
    assert "cimlab.grading.apart_memo" in sys.modules
