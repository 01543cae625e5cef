"""Tests apart from the code of the hand-in: what crosses and how, and that nothing but data does."""

import builtins
import datetime as dt
import decimal
import json
import pathlib
import socket
import stat
import sys
import tempfile
import threading
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_notebook

from cimlab import checks
from cimlab.grading import apart_examiner, grade_zygotes, isolate, zygote
from cimlab.grading.apart_look import look, top_names
from cimlab.grading.apart_room import PART, answer
from cimlab.grading.apart_stands import StandIn, change, differs, snapshot
from cimlab.grading.apart_talk import Talk
from cimlab.grading.apart_values import ENGINES, CannotCross, pack, unpack
from cimlab.grading.course import plain
from cimlab.grading.grade_zygotes import first_cells
from tests import hostile, tiny_lab
from tests import notebooks as nb
from tests.warm_kernels import printed, provisioner

# ---------------------------------------------------------------------------------------------------------------------
# Values

TABLE = pd.DataFrame(
    {
        "whole": [1, 2, 3],
        "text": ["x", None, "z"],
        "object": pd.Series(["x", None, np.nan], dtype=object),
        "time": pd.to_datetime(["2025-01-01", None, "2026-01-01"]),
        "category": pd.Categorical(["a", "b", None], ["b", "a"], ordered=True),
        "Int64": pd.array([1, None, 3], dtype="Int64"),
        "boolean": pd.array([True, None, False], dtype="boolean"),
        "zoned": pd.to_datetime(["2025-01-01"] * 3).tz_localize("Asia/Shanghai"),
        "month": pd.period_range("2025-01", periods=3, freq="M"),
        "interval": pd.cut([1, 2, 3], [0, 1, 2, 3]),
        "string": pd.array(["a", None, "b"], dtype="string"),
        "number": [1.5, np.nan, np.inf],
        "length": pd.to_timedelta([1, 2, 3], unit="h"),
        "arrow": pd.array([1, 2, None], dtype="int64[pyarrow]"),
        "mixed": pd.Series([1, "a", dt.date(2025, 1, 1)], dtype=object),
    }
)
TABLES = {
    "all kinds": TABLE,
    "levels": TABLE.set_index(["whole", "text"]),
    "times as index": TABLE.set_index("time"),
    "months as index": TABLE.set_index("month"),
    "categories as index": TABLE.set_index("category"),
    "no rows": TABLE.iloc[:0],
    "nothing": pd.DataFrame(),
    "rows only": pd.DataFrame(index=[1, 2]),
    "levels of columns": TABLE.pivot_table(index="text", columns="whole", values=["number", "length"], dropna=False),
}
SINGLE = [
    None, True, 10**60, 1.5, float("nan"), float("-inf"), "汉\ud800", b"x", (1, [2, {"a": (3,)}]), {1, 2},
    frozenset([1]), range(3), 1 + 2j, {(1, "a"): [None]}, bytearray(b"z"), ..., pd.NA, pd.NaT,
    pd.Timestamp("2025-01-01 10:00:00.5"), pd.Timestamp("2025-01-01", tz="Asia/Shanghai"),
    pd.Timestamp("2025-01-01").as_unit("s"), pd.Timedelta("1h"), pd.Period("2025-03", "M"), pd.Interval(1, 2),
    dt.datetime(2025, 1, 1, 3), dt.datetime(2025, 1, 1, tzinfo=dt.UTC), dt.date(2025, 1, 1), dt.time(3, 4),
    dt.timedelta(1, 2, 3), decimal.Decimal("1.10"), pathlib.Path("/tmp/x"), np.float64(1.5), np.int32(3),
    np.bool_(True), np.datetime64("2025-01-01"), np.str_("x"),
]  # fmt: skip


def crossed(value):
    return unpack(json.loads(json.dumps(pack(value, None))), None)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_crosses_as_it_is(name):
    table, got = TABLES[name], crossed(TABLES[name])
    pd.testing.assert_frame_equal(table, got, check_freq=False)
    for column in range(table.shape[1]):
        kinds = [[type(one) for one in frame.iloc[:, column].tolist()] for frame in (table, got)]
        assert kinds[0] == kinds[1]  # None stays None, NaN stays NaN


@pytest.mark.parametrize("name", TABLE.columns)
def test_a_column_and_an_index_cross_as_they_are(name):
    pd.testing.assert_series_equal(TABLE[name], crossed(TABLE[name]))
    index = pd.Index(TABLE[name])
    pd.testing.assert_index_equal(index, crossed(index), exact=True)


@pytest.mark.parametrize("value", SINGLE, ids=lambda value: type(value).__name__)
def test_a_single_value_crosses_as_it_is(value):
    got = crossed(value)
    assert type(got) is type(value) and repr(got) == repr(value)


def test_arrays_cross_and_can_be_changed():
    for array in (np.arange(6.0).reshape(2, 3), np.array(["a", None], dtype=object), np.array([], dtype="M8[ns]")):
        got = crossed(array)
        assert got.dtype == array.dtype and got.shape == array.shape and (got == array).all() and got.flags.writeable


def test_of_a_changed_dict_what_is_as_before_remains_the_same():
    tables = {"kept": TABLES["months as index"], "cut": TABLE.copy(), "gone": TABLE.copy(), "number": 1}
    first = dict(tables)
    change(tables, crossed({"kept": first["kept"], "cut": first["cut"].iloc[1:], "number": 2, "new": first["gone"]}))
    assert list(tables) == ["kept", "cut", "number", "new"] and tables["number"] == 2
    assert tables["kept"] is first["kept"] and tables["new"] is not first["gone"]
    assert len(tables["cut"]) == len(TABLE) - 1 and len(first["cut"]) == len(TABLE)


def test_a_generator_of_random_numbers_goes_on_where_it_was():
    draw = np.random.default_rng(3)
    draw.random(5)
    assert crossed(draw).random() == draw.random()


EVIL = {
    "unknown kind": {"t": "os.system", "v": "ls"},
    "pickled numbers": {"t": "array", "d": "|O", "s": [1], "b": "AAAA"},
    "fields": {"t": "array", "d": "i4,O", "s": [1], "b": "AAAA"},
    "too few bytes": {"t": "array", "d": "<i8", "s": [10**9], "b": "AAAA"},
    "many rows": {"t": "table", "c": pack(pd.Index([]), None), "v": [],
                  "i": {"t": "range index", "v": [0, 10**18, 1], "n": None}},
    "no texts": {"t": "texts", "k": "python", "n": "nan", "v": [[1]]},
    "codes beyond": {"t": "series", "v": {"t": "category", "c": pack(pd.Index(["a"]), None), "o": False,
                     "v": pack(np.array([5]), None)}, "i": pack(pd.RangeIndex(1), None), "n": None},
    "no zone": {"t": "timestamp", "v": 1, "u": "ns", "z": "../../etc/passwd"},
    "no unit": {"t": "timestamp", "v": 1, "u": "x", "z": None},
    "no list": {"t": "tuple", "v": 3},
    "nothing": {},
}  # fmt: skip


@pytest.mark.parametrize("name", EVIL)
def test_what_is_no_data_is_refused(name):
    with pytest.raises((CannotCross, OSError)):
        unpack(EVIL[name], None)


def test_what_is_nested_too_deeply_is_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(CannotCross, match="nested"):
        pack(endless, None)
    deep = 1
    for _ in range(100):
        deep = {"t": "tuple", "v": [deep]}
    with pytest.raises(CannotCross, match="nested"):
        unpack(deep, None)


# ---------------------------------------------------------------------------------------------------------------------
# Talk

STUDENT = '''
import numpy as np, pandas as pd
def first(phone):
    return phone["number"]
def stub(x):
    """Not written yet."""
    ...
def spoil(table):
    table["z"] = 1
    return table
def twice(function, x):
    return function(x) * 2
class Own(ValueError): pass
def boom(x):
    raise Own("bad thing")
def loud(x):
    print("loud"); return x
def draw(generator):
    return generator.random()
def append(numbers):
    numbers.append(4)
def often(function):
    return function.often(9)
def look(spy):
    return getattr(spy, "__class__").__name__, spy.public
def pry(spy, name):
    return spy._talk.ask_for("get", of=spy._number, name=name)
def leave():
    import os; os._exit(3)
def spy_out(table):
    return table["spent"].iloc[0].expected
def mirror(function):
    names = {"t": "module", "n": "__main__"}
    return function._talk.exchange({"ask": "call", "of": function._number, "args": [names], "keywords": {}})
def overhear(function):
    import traceback
    try:
        function(1)
    except Exception:
        return traceback.format_exc()
class Model:
    coef = np.array([1.0, 2.0])
    def fit(self, table): self.rows = len(table); return self
    def __len__(self): return 7
model = Model()
Frame = type("Frame", (pd.DataFrame,), {"__eq__": lambda *a: True})
frame = Frame({"a": [1]})
text = type("Text", (str,), {"__eq__": lambda *a: True})("x")
'''


LIES = {"table of names": hostile.NAMES_LIE}


@pytest.fixture
def names():
    """The names of a hand-in, seen from the examiner's side of a talk."""
    here, there = socket.socketpair()
    own = {}
    exec(compile(STUDENT, "<student>", "exec"), own)
    hand_in = Talk(there, lambda question: own[question["name"]], trusting=True)
    honest = hand_in._answer
    hand_in._answer = lambda asked: {"value": LIES[asked["name"]]} if asked.get("name") in LIES else honest(asked)
    thread = threading.Thread(target=hand_in.listen, daemon=True)
    thread.start()
    examiner = Talk(here)
    yield lambda name: examiner.ask_for("name", name=name)
    examiner.send({"ask": "end"})
    thread.join(5)
    examiner.close()
    hand_in.close()


def test_functions_are_called_and_fail_as_if_they_were_here(names, capsys):
    assert checks.call(names("loud"), (1, {"a": 2})) == (1, {"a": 2}) and not capsys.readouterr().out
    for name, argument, says in (
        ("first", "1740", "`first('1740')` stops with TypeError: string indices must be integers, not 'str'"),
        ("stub", 1, "`stub` does nothing yet"),
        ("spoil", pd.DataFrame({"a": [1]}), "`spoil` changes a table (DataFrame) that it was given"),
        ("append", [1], "`append` changes a list that it was given"),
        ("boom", 1, "`boom(1)` stops with Own: bad thing"),
    ):
        with pytest.raises(checks.CheckFailed) as failed:
            checks.call(names(name), argument)
        assert says in str(failed.value)
    with pytest.raises(ValueError, match="bad thing") as error:
        names("boom")(1)
    assert type(error.value).__name__ == "Own"


def test_functions_of_the_test_are_called_back(names):
    assert names("twice")(lambda x: x + 1, 3) == 8
    with pytest.raises(KeyError):
        names("twice")({}.__getitem__, "absent")
    with pytest.raises(checks.CheckFailed, match="not so"):
        checks.call(names("twice"), _refuse, 1)


def _refuse(_):
    raise checks.CheckFailed("not so")


def test_random_numbers_are_drawn_from_the_generator_of_the_test(names):
    own, same = np.random.default_rng(5), np.random.default_rng(5)
    assert [names("draw")(own) for _ in range(3)] == [same.random() for _ in range(3)]


def test_many_calls_of_a_function_are_one_message(names, monkeypatch):
    own, same, sent, send = np.random.default_rng(5), np.random.default_rng(5), [], Talk.exchange
    monkeypatch.setattr(Talk, "exchange", lambda talk, question: sent.append(question) or send(talk, question))
    draw, boom, spoil = (names(name) for name in ("draw", "boom", "spoil"))
    sent.clear()
    assert checks.call_often(draw, own, times=50) == [same.random() for _ in range(50)]
    assert [question["ask"] for question in sent] == ["call", "often"]
    assert own.random() == same.random()
    for function, says in ((boom, r"`boom\(1\)` stops with Own: bad"), (spoil, "`spoil` changes a table")):
        with pytest.raises(checks.CheckFailed, match=says):
            checks.call_often(function, 1 if function is boom else pd.DataFrame({"a": [1]}), times=3)
    with pytest.raises(ValueError, match="bad thing"):
        boom.often(3, 1)
    for times in (-1, 10**9):
        with pytest.raises(checks.CheckFailed, match="Nothing is called"):
            draw.often(times, own)
    with pytest.raises(checks.CheckFailed, match="Nothing is called 9 times"):  # only an examiner may ask for it
        names("often")(_refuse)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_function_that_draws_nothing_leaves_a_generator_as_it_is(engine):
    own = np.random.Generator(getattr(np.random, engine)(3))
    was = snapshot(own)
    assert not differs(own, was, None, None)
    own.random()
    assert differs(own, was, None, None)


def test_what_is_no_data_has_a_stand_in(names):
    model = names("model")
    assert isinstance(model, StandIn) and type(model).__name__ == "Model" and len(model) == 7
    assert model.fit(pd.DataFrame({"a": [1]})) is model and model.rows == 1 and model.coef.tolist() == [1.0, 2.0]
    with pytest.raises(AttributeError):
        model.nothing  # noqa: B018


def test_a_value_that_calls_itself_equal_to_all_is_no_value(names):
    with pytest.raises(checks.CheckFailed, match="is of the type `Text`"):
        checks.equal(names("text"), "y", "text")
    with pytest.raises(checks.CheckFailed, match="is of the type `Frame`"):
        checks.equal(names("frame"), pd.DataFrame({"a": [2]}), "frame")


class Spy:
    """What a test lends."""

    public, _private = 5, "secret"

    def method(self):
        return 1


def test_what_a_test_lends_shows_its_public_side_only(names):
    spy = Spy()
    assert names("look")(spy) == ("Spy", 5)
    for name in ("_private", "__dict__", "__class__"):
        with pytest.raises(AttributeError):
            names("pry")(spy, name)
    for function in (spy.method, _refuse):
        for name in ("__globals__", "__func__", "func_code"):
            with pytest.raises(AttributeError):
                names("pry")(function, name)


def test_the_names_of_the_examiner_are_no_module(names, monkeypatch):
    module = apart_examiner._Module()
    module.__dict__ = {"expected": "secret", "__name__": "__main__"}
    monkeypatch.setitem(sys.modules, "__main__", module)
    with pytest.raises(CannotCross, match="__main__ is not known here"):
        names("spy_out")(names("table of names"))
    assert "cannot be handed over" in names("mirror")(lambda one: one)["error"]["text"]


def test_no_line_of_a_test_is_told_to_the_hand_in(names):
    def refuse(value):
        return {"secret": 42}[value]

    told = names("overhear")(refuse)
    assert "KeyError: 1" in told and "secret" not in told


def test_the_examiner_answers_no_questions_about_its_names():
    talk = Talk(None)
    for question in ("name", "names", "read", "write", "tree"):
        assert "error" in json.loads(talk.answer({"ask": question, "name": "x", "path": "/etc/passwd"}))
    for message in ({"ask": "call", "of": 0, "args": []}, {"ask": "call"}, {"ask": "special", "of": "x"}):
        assert "error" in json.loads(talk.answer(message))


@pytest.mark.parametrize("sent", [b"\xff\xff\xff\xff", b"\0\0\0\2[]", b"\0\0\0\3{{{", b"\0\0\0\x09", b""])
def test_nonsense_on_the_line_is_the_end_of_it(sent):
    here, there = socket.socketpair()
    with here, there:
        there.sendall(sent)
        there.shutdown(socket.SHUT_WR)
        talk = Talk(here)
        with pytest.raises(checks.CheckFailed, match="could not be asked"):
            talk.ask_for("name", name="x")
        talk.close()


# ---------------------------------------------------------------------------------------------------------------------
# Files


@pytest.fixture
def desk():
    """The examiner's desk, which asks the functions of the hand-in's kernel directly; `asked` are its questions."""
    desk = apart_examiner.Desk({}, "", [], [])
    desk.asked = []

    def ask(question, **more):
        desk.asked.append(question)
        return answer({"ask": question, **more}, {}, None)

    desk.ask = ask
    return desk


@pytest.mark.parametrize("size", [0, 5, PART, PART + 1, 2 * PART + 1])
def test_a_file_is_fetched_whole_and_once_and_is_counted(desk, tmp_path, monkeypatch, size):
    desk.folder, own = tmp_path / "theirs", tmp_path / "own"
    for folder in (desk.folder, own):
        folder.mkdir()
    monkeypatch.chdir(own)
    theirs, mine = desk.folder / "table", own / "table"
    theirs.write_bytes(b"x" * size)
    desk.pull(theirs, mine)
    assert mine.read_bytes() == theirs.read_bytes() and desk.fetched == size
    desk.pull(theirs, mine)
    assert desk.fetched == size
    assert desk.push(mine) and "write" not in desk.asked
    mine.write_bytes(b"other")
    assert desk.push(mine) and "write" in desk.asked and theirs.read_bytes() == b"other"
    theirs.unlink()
    desk.pull(theirs, mine)
    assert not mine.exists()


def test_what_is_fetched_has_a_limit(desk, tmp_path, monkeypatch):
    monkeypatch.setattr(apart_examiner, "MOST_BYTES", 10)
    theirs, mine = tmp_path / "theirs", tmp_path / "mine"
    theirs.write_bytes(b"x" * 6)
    desk.pull(theirs, mine)
    theirs.write_bytes(b"y" * 6)
    with pytest.raises(checks.CheckFailed, match="larger than"):
        desk.pull(theirs, mine)
    desk.fetched = 0
    theirs.write_bytes(b"x" * 11)
    for size in (-1, 0, 6):  # lies
        with pytest.raises(checks.CheckFailed, match="larger than"):
            desk.fetch_file(theirs, tmp_path / "other", size)


def test_no_code_is_fetched(desk, tmp_path):
    theirs, mine = tmp_path / "theirs", tmp_path / "mine"
    theirs.mkdir()
    for name in ("pandas.py", "table.csv", "fast.so"):
        (theirs / name).write_text("x")
        desk.pull(theirs / name, tmp_path / "alone" / name)
    desk.pull(theirs, mine)
    for folder in (mine, tmp_path / "alone"):
        assert [path.name for path in folder.iterdir()] == ["table.csv"]


def test_a_folder_may_have_the_name_of_a_notebook(tmp_path):
    from cimlab.grading.apart import _without_tests

    folder, private = tmp_path / "lab", tmp_path / "private"
    (folder / "sub" / "more.ipynb").mkdir(parents=True)
    private.mkdir()
    (folder / "sub" / "more.ipynb" / "lab.ipynb").write_text(nbformat.writes(tiny_lab.notebook()), encoding="utf-8")
    copy = Path(_without_tests(folder, private))
    assert copy == private / "lab" and (copy / "sub" / "more.ipynb").is_dir()
    assert "checks.cases" not in (copy / "sub" / "more.ipynb" / "lab.ipynb").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files are other ones there")
def test_the_copy_of_a_hand_in_is_for_this_user_only(tmp_path, monkeypatch):
    from cimlab.grading import apart, execute

    seen = []

    def start(_, cwd):
        seen.append((Path(cwd), stat.S_IMODE(Path(cwd).parent.stat().st_mode)))
        raise KeyError("enough")

    monkeypatch.setattr(execute.ExecuteAll, "start_new_kernel", start)
    with pytest.raises(KeyError, match="enough"):
        apart.ExecuteApart(kernel_name="python3").preprocess(new_notebook(), {"metadata": {"path": str(tmp_path)}})
    ((copy, mode),) = seen
    assert mode == 0o700 and copy.name == tmp_path.name and not copy.parent.exists()


# ---------------------------------------------------------------------------------------------------------------------
# Names and a look at the source


def test_names_that_a_cell_defines():
    source = "%time\nfor a in range(3):\n    b = [c for c in ()]\nwith open('x') as f:\n    t.loc[1] = (d := 2)"
    source += "\nclass E: pass\nlist(g for h in () if (i := h))"
    assert top_names(source) == {"a", "b", "f", "t", "d", "E", "i"}
    assert top_names("this is no Python") == set()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("lab.secret()", "lab.secret"),
        ("from cimlab.labs import lab01_knowing", "imports `cimlab.labs.lab01_knowing`"),
        ("import cimlab.grading.isolate", "imports"),
        ("import cimlab\ncimlab.envelope('traits')", "envelope"),
        ("getattr(lab, 'sec' + 'ret')()", "`getattr`"),
        ("__import__('cimlab.labs.lab01_knowing')", "names"),
        ("import inspect\nprint(inspect.getsource(f))", "getsource"),
    ],
)
def test_an_answer_that_takes_the_labs_own_is_named(answer, says):
    setup = tiny_lab.cell("setup", "from cimlab.labs import lab06_value as lab\nlab.given()", locked=True)
    test = tiny_lab.cell("test_q1", "lab.secret()", locked=True, grade=True, points=1)
    lab = new_notebook(cells=[setup, tiny_lab.cell("q1", "lab.given()", solution=True), test])
    hand_in = new_notebook(cells=[setup, tiny_lab.cell("q1", f"lab.given()\n{answer}", solution=True), test])
    assert look(lab, lab) == []
    (told,) = look(hand_in, lab)
    assert says in told and told.startswith("The answer q1 ")


# ---------------------------------------------------------------------------------------------------------------------
# Two kernels

NO_WARM = zygote.warm_available()
REASON = NO_WARM or isolate.isolation_available()
needs_warm = pytest.mark.skipif(bool(NO_WARM), reason=str(NO_WARM))
SETUP = "import sqlite3\nfrom pathlib import Path\n\nimport pandas as pd\n\nfrom cimlab import checks\n\ngiven = [1, 2]"
CELLS = {
    "setup": (SETUP, {"locked": True}),
    "q1": ("answer = 41\nbase = Path('own.db').absolute()\nwith sqlite3.connect(base) as one:\n"
           "    one.execute('create table t (x)')\n    one.execute('insert into t values (5)')\none.close()\n"
           "def write(folder):\n    (folder / 'sub').mkdir(parents=True, exist_ok=True)\n"
           "    (folder / 'sub' / 'new.txt').write_text('new')\n"
           "def loop():\n    while True: pass\n"
           "given.append(3)", {"solution": True}),
    "test_value": ("right = 42\nchecks.equal(checks.answer(globals(), 'answer', int), right, 'answer')", {}),
    "test_near": ("checks.answer(globals(), 'anser')", {}),
    "test_given": ("assert given == [1, 2] and right == 42, (given, right)", {}),
    "test_file": ("assert base.is_file()\nwith sqlite3.connect(base) as one:\n"
                  "    found = one.execute('select x from t').fetchall()\none.close()\nassert found == [(5,)]", {}),
    "test_folder": ("import tempfile\nfolder = Path(tempfile.mkdtemp())\nwrite(folder)\n"
                    "assert (folder / 'sub' / 'new.txt').read_text() == 'new'", {}),
    "test_partial": ("print('row by row')\n0.5", {}),
    "test_not_seen": ("secret = 'only here'\nanswer", {}),
    "after": ("print('secret' in globals(), 'only' + ' here' in open('lab.ipynb').read(),\n"
              "      [text for text in In if 'che' + 'cks.' in text], given)", {"solution": True}),
    "test_loop": ("checks.call(loop)", {}),
    "last": ("print('still here')", {"solution": True}),
    "leave": ("def leave():\n    import os; os._exit(1)", {"solution": True}),
    "test_leave": ("checks.call(leave)", {}),
    "test_afterwards": ("pass", {}),
}  # fmt: skip


def hand_in():
    cells = []
    for name, (source, flags) in CELLS.items():
        flags = flags or {"grade": True, "locked": True, "points": 1}
        cells.append(tiny_lab.cell(name, source, **flags))
    return new_notebook(cells=cells)


@pytest.fixture(scope="module", params=["isolated", "warm"])
def run(request, tmp_path_factory):
    """The cells above, run apart: {name: cell}."""
    from cimlab.grading.apart import ExecuteApart

    if reason := REASON if request.param == "isolated" else NO_WARM:
        pytest.skip(reason)
    notebook, folder = hand_in(), tmp_path_factory.mktemp("lab")
    executor = ExecuteApart(
        kernel_name="python3", timeout=8, shutdown_kernel="immediate", iopub_timeout=30, raise_on_iopub_timeout=False
    )
    resources = {"metadata": {"path": str(folder)}}
    (folder / "lab.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
    (folder / "lab.ipynb").chmod(0o444)
    imports, room = zygote.lab_imports(notebook), isolate.Room()
    if request.param == "warm":
        with zygote.start_zygote(imports, None) as kernels, provisioner(kernels):
            executor.preprocess(notebook, resources)
    else:
        with (
            zygote.start_zygote(imports, room) as kernels,
            grade_zygotes.start_examiners(first_cells(notebook), imports, room) as examiners,
        ):
            assert not examiners.left_out
            with provisioner(kernels), pytest.MonkeyPatch.context() as patch:
                patch.setenv(zygote.EXAMINERS, examiners.path)
                executor.preprocess(notebook, resources)
    return {cell.id: cell for cell in notebook.cells}


def test_a_test_reads_the_answer_and_says_what_is_wrong(run):
    assert printed(run["test_value"]) == "CheckFailed: `answer` is 41; expected 42."
    assert "`anser` is not there yet" in printed(run["test_near"]) and "`answer`" in printed(run["test_near"])


def test_what_the_lab_defines_is_the_examiners_own(run):
    assert not run["test_given"].outputs


def test_files_of_the_hand_in_are_there_for_the_tests(run):
    assert not run["test_file"].outputs and not run["test_folder"].outputs


def test_a_test_puts_out_text_and_a_number(run):
    assert printed(run["test_partial"]) == "row by row"
    assert [one.data["text/plain"] for one in run["test_partial"].outputs if "data" in one] == ["0.5"]
    assert [one.data["text/plain"] for one in run["test_not_seen"].outputs] == ["41"]


def test_the_hand_in_sees_nothing_of_the_tests(run):
    assert printed(run["after"]) == "False False [] [1, 2, 3]"


def test_an_endless_function_costs_its_own_test_only(run):
    assert "was stopped because it ran too long" in printed(run["test_loop"])
    assert printed(run["last"]) == "still here"


def test_the_end_of_python_is_named(run):
    assert "Python was ended by it" in printed(run["test_leave"])
    assert "Python had been ended by a cell above it" in printed(run["test_afterwards"])


@pytest.mark.parametrize("fails", ["async_start_new_kernel", "async_start_new_kernel_client"])
@pytest.mark.parametrize("error", [RuntimeError, TimeoutError])
@needs_warm
def test_an_examiner_that_does_not_come_is_called_again(tmp_path, monkeypatch, fails, error):
    from cimlab.grading import apart

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    usual, came = getattr(apart._Desk, fails), []

    async def start(desk, **kwargs):
        await usual(desk, **kwargs)
        came.append(desk.km.provisioner)
        if len(came) == 1:
            raise error("not this time")

    monkeypatch.setattr(apart._Desk, fails, start)
    notebook = new_notebook(
        cells=[
            tiny_lab.cell("setup", "right = 42", locked=True),
            tiny_lab.cell("q1", "answer = 42", solution=True),
            tiny_lab.cell("test_q1", "assert answer == right", grade=True, locked=True, points=1),
        ]
    )
    folder = tmp_path / "lab"
    folder.mkdir()
    executor = apart.ExecuteApart(kernel_name="python3", timeout=30, shutdown_kernel="immediate")
    with zygote.start_zygote([], None) as kernels, provisioner(kernels):
        executor.preprocess(notebook, {"metadata": {"path": str(folder)}})
        assert len(came) == 2 and not notebook.cells[-1].outputs
        assert not any(one.has_process for one in came)
        left = [path.name for path in tmp_path.glob("cimlab-*") if path.name != Path(kernels.path).parent.name]
    assert not left


@needs_warm
def test_a_cell_that_is_not_the_labs_is_not_run(tmp_path):
    """The gradebook knows which cells there are."""
    from cimlab.grading.apart import FOREIGN, ExecuteApart
    from cimlab.grading.course import register

    course = tiny_lab.write_course(tmp_path, labs=False)
    register(course, [tiny_lab.LAB])
    notebook = tiny_lab.notebook()
    notebook.cells[3].source = tiny_lab.Q1
    notebook.cells[4].source = "pass"  # edited; the gradebook holds the test
    notebook.cells += [
        tiny_lab.cell("forged", "checks.equal = None", locked=True),
        tiny_lab.cell("test_forged", "100", grade=True, locked=True, points=100),
    ]
    facts = {"db_url": f"sqlite:///{course / 'gradebook.db'}", "assignment": tiny_lab.LAB, "notebook": tiny_lab.LAB}
    executor = ExecuteApart(kernel_name="python3", timeout=30, shutdown_kernel="immediate")
    with zygote.start_zygote(zygote.lab_imports(notebook), None) as kernels, provisioner(kernels):
        executor.preprocess(notebook, {"metadata": {"path": str(tmp_path)}, "nbgrader": facts})
    cells = {cell.id: cell for cell in notebook.cells}
    assert "checks.cases" in cells["test_q1_clean"].source and not cells["test_q1_clean"].outputs
    assert printed(cells["test_forged"]) == f"NotRun: {FOREIGN}"
    assert not cells["test_q2_totals"].outputs  # the forged cell did nothing to the examiner


# ---------------------------------------------------------------------------------------------------------------------
# The labs


def free_names(source):
    """Return the names that a cell reads and does not define, functions included."""
    import symtable

    found, waiting = set(), [symtable.symtable(source, "cell", "exec")]
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        top = table.get_type() == "module"
        found |= {one.get_name() for one in table.get_symbols() if one.is_referenced() and (top or one.is_global())}
    return found


def release_of(path):
    return nb.read(nb.ROOT / "labs" / path.parent.name / path.name)


@pytest.mark.parametrize("path", nb.SOLUTIONS, ids=lambda path: path.stem)
def test_what_a_test_reads_is_the_labs_or_an_answer(path):
    """Else a student's code could choose what it is: a test imports what it uses."""
    answers = set()
    for cell in nb.cells(release_of(path), "code"):
        if nb.grade(cell).get("solution"):
            answers |= top_names(cell.source)
    known = {*dir(builtins), "__name__", "display", "get_ipython"}
    for cell in nb.cells(nb.read(path), "code"):
        settings = nb.grade(cell)
        if not settings.get("locked") or settings.get("solution"):
            continue
        known |= top_names(cell.source)
        if settings.get("grade"):
            unknown = free_names(plain(cell.source)) - known - answers
            assert not unknown, f"{settings['grade_id']} reads {unknown}"


@pytest.mark.parametrize("path", nb.SOLUTIONS, ids=lambda path: path.stem)
def test_no_model_answer_looks_like_a_taken_one(path):
    """A student who answers as the course does must not be sent to a person: the text names what may be used."""
    assert look(nb.read(path), release_of(path)) == []
