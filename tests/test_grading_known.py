"""Tables that both kernels have from the first cells of a lab: told from any other, and never sent."""

import copy
import socket
import threading

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_notebook

from cimlab import checks
from cimlab.grading import apart_known, apart_memo, apart_stands, apart_talk, grade_zygotes, isolate, zygote
from cimlab.grading.apart_known import digest_of, keep, same
from cimlab.grading.apart_values import CannotCross
from tests import tiny_lab
from tests.warm_kernels import printed, provisioner

ROWS = 3_000
REPEAT = ROWS // 3
TABLE = pd.DataFrame(
    {
        "text": ["x", None, "汉"] * REPEAT,
        "whole": range(ROWS),
        "number": [1.5, np.nan, -0.0] * REPEAT,
        "time": pd.to_datetime(["2025-01-01", None, "2026-01-01"] * REPEAT),
        "zoned": pd.to_datetime(["2025-01-01"] * ROWS).tz_localize("Asia/Shanghai"),
        "length": pd.to_timedelta(range(ROWS), unit="h"),
        "category": pd.Categorical(["a", "b", None] * REPEAT, ["b", "a"], ordered=True),
        "Int64": pd.array([1, None, 3] * REPEAT, dtype="Int64"),
        "boolean": pd.array([True, None, False] * REPEAT, dtype="boolean"),
        "yes": [True, False, True] * REPEAT,
        "month": pd.period_range("1900-01", periods=ROWS, freq="M"),
        "arrow": pd.array([1, 2, None] * REPEAT, dtype="int64[pyarrow]"),
    }
)
OTHER = {
    "text": "y", "whole": -1, "number": 0.5, "time": pd.Timestamp("2024-01-01"),
    "zoned": pd.Timestamp("2024-01-01", tz="Asia/Shanghai"), "length": pd.Timedelta(0), "category": "a", "Int64": 9,
    "boolean": False, "yes": True, "month": pd.Period("1800-01", "M"), "arrow": 7,
}  # fmt: skip


@pytest.fixture(autouse=True)
def none_known(monkeypatch):
    monkeypatch.setattr(apart_known, "_known", {})


@pytest.mark.parametrize("name", TABLE.columns)
def test_a_copy_is_known_and_what_differs_in_one_value_is_not(name):
    keep([TABLE, TABLE[name]])
    for value in (TABLE, TABLE[name]):
        assert digest_of(value) and digest_of(copy.deepcopy(value)) == digest_of(value[:]) == digest_of(value)
    changed = TABLE.copy()
    changed.loc[4, name] = OTHER[name]
    assert changed[name].dtype == TABLE[name].dtype
    assert digest_of(changed) is None and digest_of(changed[name]) is None and digest_of(TABLE)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.rename(columns={"whole": "all"}),
        lambda table: table[list(table.columns[::-1])],
        lambda table: table.astype({"whole": "int32"}),
        lambda table: table.astype({"whole": "float64"}),
        lambda table: table.assign(number=table["number"].abs()),  # -0.0
        lambda table: table.iloc[::-1],
        lambda table: table.set_index(table.index + 1),
        lambda table: table.rename_axis("row"),
        lambda table: table.rename_axis("kind", axis=1),
        lambda table: table.set_index("text", drop=False),
        lambda table: table.iloc[1:],
        lambda table: table.assign(category=table["category"].cat.reorder_categories(["a", "b"])),
        lambda table: table.assign(whole=table["whole"].astype(object)),
        lambda table: pd.concat([table, table["text"].rename("more")], axis=1),
    ],
)
def test_what_is_not_quite_the_same_is_not_known(change):
    keep([TABLE])
    assert digest_of(change(TABLE)) is None
    with_source = TABLE.copy()
    with_source.attrs["source"] = "shop"
    assert digest_of(with_source) is None and digest_of(TABLE)


def test_what_cannot_be_told_quickly_is_left_alone():
    lists = pd.DataFrame({"a": [[1]] * ROWS})
    levels = TABLE.set_index(["text", "whole"])
    keep([lists, levels, TABLE.head(5), 3, "x", None, {}, type("Frame", (pd.DataFrame,), {})(TABLE)])
    assert apart_known.known_digests() == []


def test_the_index_is_a_part_of_it():
    for name in ("text", "whole", "time", "category", "month"):
        indexed = TABLE.set_index(name)
        keep([indexed])
        assert digest_of(indexed.copy())
        assert digest_of(indexed.set_axis(TABLE[name].iloc[::-1].set_axis(range(ROWS)))) is None
        assert not same(indexed, TABLE.drop(columns=name))


def test_what_is_done_to_a_table_does_nothing_to_the_one_that_is_kept():
    given = TABLE.copy()
    keep([given])
    digest = digest_of(given)
    given["time"].array[0] = pd.Timestamp("2000-01-01")  # pandas lets that through
    given["whole"] = 0
    got = apart_known.table_of(digest)
    pd.testing.assert_frame_equal(got, TABLE)
    got["time"].array[0] = pd.Timestamp("2000-01-01")
    got.loc[0, "text"] = "other"
    pd.testing.assert_frame_equal(apart_known.table_of(digest), TABLE)
    assert apart_known.table_of("0" * 40) is None


def test_a_known_table_has_one_fingerprint_and_another_has_its_own():
    found = {"first": TABLE, "second": TABLE.assign(whole=1)}
    before = {apart_memo.fingerprint({"table": table}, ["table"]) for table in found.values()}
    keep([TABLE])
    known, other = (apart_memo.fingerprint({"table": table}, ["table"]) for table in found.values())
    assert known not in before and other in before
    assert apart_memo.fingerprint({"table": TABLE.copy()}, ["table"]) == known
    keep([found["second"]])
    assert apart_memo.fingerprint({"table": found["second"]}, ["table"]) not in {known, other}
    assert apart_memo.fingerprint({"table": {"in": [TABLE]}}, ["table"]) != known


# ---------------------------------------------------------------------------------------------------------------------
# On the line

STUDENT = """
def total(table, more=None):
    return float(table["number"].sum())
def spoil(table):
    table["number"] = 1.0
    return len(table)
def back(table):
    return table
"""


@pytest.fixture
def line(monkeypatch):
    """Both ends of a talk: the examiner's, and what was sent from there."""
    here, there = socket.socketpair()
    own, sent = {}, []
    exec(compile(STUDENT, "<student>", "exec"), own)

    def tell(question):
        return apart_known.known_digests() if question["ask"] == "known" else own[question["name"]]

    hand_in = apart_talk.Talk(there, tell, trusting=True)
    thread = threading.Thread(target=hand_in.listen, daemon=True)
    thread.start()
    examiner = apart_talk.Talk(here)
    send = examiner.send
    monkeypatch.setattr(examiner, "send", lambda message: sent.append(message) or send(message))
    yield examiner, sent
    examiner.send({"ask": "end"})
    thread.join(5)
    examiner.close()
    hand_in.close()


def test_a_known_table_crosses_as_its_digest(line):
    examiner, sent = line
    keep([TABLE])
    total, back = (examiner.ask_for("name", name=name) for name in ("total", "back"))
    assert checks.call(total, TABLE) == TABLE["number"].sum() == checks.call(total, TABLE, more=[{"a": TABLE}])
    calls = [message for message in sent if message["ask"] == "call"]
    packed = {"t": "known", "d": digest_of(TABLE)}
    assert calls[0]["args"] == [packed] and calls[1]["keywords"]["more"][0]["v"] == [packed]
    assert [message["ask"] for message in sent].count("known") == 1
    other = TABLE.assign(number=2.0)
    assert checks.call(total, other) == 2 * ROWS and sent[-1]["args"][0]["t"] == "table"
    pd.testing.assert_frame_equal(back(TABLE), TABLE)


def test_a_function_that_changes_a_known_table_is_found_out(line):
    examiner, _ = line
    keep([TABLE])
    spoil, total = (examiner.ask_for("name", name=name) for name in ("spoil", "total"))
    with pytest.raises(checks.CheckFailed, match="`spoil` changes a table"):
        checks.call(spoil, TABLE)
    own = TABLE.copy()
    assert spoil(own) == ROWS and own["number"].eq(1).all()
    assert checks.call(total, TABLE) == TABLE["number"].sum()  # the next call finds it as it was


@pytest.mark.parametrize("told", [[], None, 7, {"a": 1}, [None, 3], "all"])
def test_a_hand_in_that_has_no_such_table_is_sent_it(line, monkeypatch, told):
    examiner, sent = line
    keep([TABLE])
    total = examiner.ask_for("name", name="total")
    monkeypatch.setattr(apart_known, "known_digests", lambda: told)
    assert checks.call(total, TABLE) == TABLE["number"].sum() and sent[-1]["args"][0]["t"] == "table"


def test_a_hand_in_that_lies_about_its_tables_fails_by_itself(line, monkeypatch):
    examiner, _ = line
    keep([TABLE])
    total = examiner.ask_for("name", name="total")
    monkeypatch.setattr(apart_known, "table_of", lambda digest: None)
    with pytest.raises(checks.CheckFailed, match="said to be known is not"):
        checks.call(total, TABLE)


def test_a_hand_in_cannot_have_the_examiner_take_a_table_for_its_answer(line):
    examiner, _ = line
    keep([TABLE])
    with pytest.raises(CannotCross, match="said to be known is not"):
        examiner.unpack({"t": "known", "d": digest_of(TABLE)})


def test_what_was_not_changed_is_seen_at_once(monkeypatch):
    table, told = TABLE.copy(), []
    was = apart_stands.snapshot(table)
    monkeypatch.setattr(pd.DataFrame, "equals", lambda *_: told.append(1))
    assert not apart_stands.differs(table, was, None, None) and not told
    table.loc[0, "whole"] = 5
    assert apart_stands.differs(table, was, None, None) and told


# ---------------------------------------------------------------------------------------------------------------------
# Two kernels

NO_ROOM = zygote.warm_available() or isolate.isolation_available()
FIRST = "import pandas as pd\n\norders = pd.DataFrame({'n': range(3000), 't': ['a', 'b'] * 1500})\norders.tail(2)"
CELLS = {
    "setup": (FIRST, {"locked": True}),
    "q1": ("from cimlab.grading import apart_values\ncame, real = [], apart_values._UNPACKERS['table']\n"
           "apart_values._UNPACKERS['table'] = lambda packed, more: came.append(1) or real(packed, more)\n"
           "orders['n'] = 0\n"
           "def look(table):\n    return int(table['n'].sum()), len(came)", {"solution": True}),
    "test_look": ("print(look(orders), look(orders.assign(n=1)), look(orders))",
                  {"grade": True, "locked": True, "points": 1}),
}  # fmt: skip


@pytest.mark.skipif(bool(NO_ROOM), reason=str(NO_ROOM))
def test_the_tables_of_the_first_cells_are_not_sent(tmp_path):
    from cimlab.grading.apart import ExecuteApart

    cells = [tiny_lab.cell(name, source, **flags) for name, (source, flags) in CELLS.items()]
    notebook = new_notebook(cells=cells)
    (tmp_path / "lab.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
    first, room = grade_zygotes.first_cells(notebook), isolate.Room()
    imports = zygote.lab_imports(notebook)
    executor = ExecuteApart(kernel_name="python3", timeout=60, shutdown_kernel="immediate")
    with (
        zygote.start_zygote(grade_zygotes.student_imports(first, imports), room) as kernels,
        grade_zygotes.start_examiners(first, imports, room) as examiners,
        provisioner(kernels),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv(zygote.EXAMINERS, examiners.path)
        executor.preprocess(notebook, {"metadata": {"path": str(tmp_path)}})
    total = sum(range(ROWS))
    assert printed(notebook.cells[-1]).strip() == f"({total}, 0) ({ROWS}, 1) ({total}, 1)"
