"""Each kind of sentence that a check can say, and that a right answer is never blamed."""

import datetime
import sqlite3
import sys
import warnings
from contextlib import closing

import nbclient
import nbformat
import numpy as np
import pandas as pd
import pytest

from cimlab import checks
from cimlab.checks import CheckFailed

ORDERS = pd.DataFrame(
    {
        "order_id": ["O1", "O2", "O3"],
        "customer": ["C1", "C2", "C3"],
        "spent": [20.0, 35.5, 1000.0],
        "orders": [1, 2, 3],
        "last": pd.to_datetime(["2026-01-02", "2026-03-04", None]),
        "member": [True, False, True],
    }
)


def sentence(check, *arguments, **keywords):
    with pytest.raises(CheckFailed) as caught:
        check(*arguments, **keywords)
    return str(caught.value)


class Everything:
    """An object that calls itself equal to everything."""

    __hash__ = None

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


class SlyText(str):
    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other):
        return True


class SlyTable(pd.DataFrame):
    def equals(self, other):
        return True


# --- answer ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "kind", "said"),
    [
        ({}, None, "`phones` is not there yet: run your answer cell first"),
        ({"phone": 1}, None, "There is a name `phone`: is it misspelt?"),
        ({"phones": ...}, None, "`phones` is still `...`"),
        ({"phones": None}, None, "`phones` is None, that is, nothing"),
        ({"phones": ["a"]}, pd.Series, "`phones` is a list; the task asks for a column (Series)"),
        ({"phones": ORDERS}, pd.Series, "One pair of brackets"),
        ({"phones": ORDERS.spent}, pd.DataFrame, "Two pairs of brackets"),
        ({"phones": ORDERS.head}, pd.DataFrame, "a function (was it called, with brackets?)"),
        ({"phones": 3}, "function", "the task asks for a function: `def phones(…):`"),
        ({"phones": SlyText("a")}, str, "of the type `SlyText`"),
    ],
)
def test_answer_says_why_there_is_none(names, kind, said):
    assert said in sentence(checks.answer, names, "phones", kind)


def test_answer_returns_the_students_value_itself():
    assert checks.answer({"orders": ORDERS}, "orders", pd.DataFrame) is ORDERS
    assert checks.answer({"f": len}, "f", "function") is len
    assert checks.answer({"n": 3}, "n", (int, float)) == 3


# --- equal: single values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (3, 3),
        (3, 3.0),
        (np.int64(3), 3),
        (np.float64(0.1) + np.float64(0.2), 0.3),
        (np.bool_(True), True),
        (float("nan"), None),
        (pd.NA, None),
        (pd.NaT, pd.NaT),
        ("名册", "名册"),
        (datetime.datetime(2026, 1, 2), pd.Timestamp("2026-01-02")),
        (datetime.date(2026, 1, 2), datetime.date(2026, 1, 2)),
        ([1, [2, "x"]], [1, [2, "x"]]),
        ((1, 2), (1, 2)),
        ({1, 2}, {2, 1}),
        ({"a": [1]}, {"a": [1.0]}),
        (ORDERS, ORDERS.copy()),
        (ORDERS[ORDERS.columns[::-1]], ORDERS),
        (ORDERS.astype({"customer": object}), ORDERS),
        (ORDERS.astype({"orders": "Int64"}), ORDERS),
    ],
)
def test_a_right_answer_is_not_blamed(got, expected):
    checks.equal(got, expected, "x")
    checks.equal(got, expected, "x", reveal=False)


@pytest.mark.parametrize(
    ("got", "expected", "said"),
    [
        (3.0, 3, "is a number with decimals (float); the task asks for a whole number (int)"),
        (True, 1, "is True or False (bool); the task asks for a whole number (int)"),
        ("3", 3, "is a text (str); the task asks for a whole number (int)"),
        (ORDERS.spent, 3, "is a column (Series); the task asks for a whole number (int)"),
        (Everything(), 3, "is of the type `Everything`; the task asks for a whole number (int)"),
        (SlyText("a"), "b", "is of the type `SlyText`; the task asks for a text (str)"),
        (2, 3, "`x` is 2; expected 3."),
        (-3.5, 3.5, "right but for its sign"),
        (350.0, 3.5, "100 times the right value"),
        (3.14, 3.14159, "rounded (do not round before the end)"),
        ("Li Na ", "Li Na", "different only in the spaces at its ends"),
        ("li na", "Li Na", "different only in capital letters"),
        ("１７４", "174", "different only in full-width characters"),
        ("LiNa", "Li Na", "different only in its spaces"),
        (None, 3, "`x` is None; expected 3."),
        (3.0, None, "`x` is 3; expected None."),
        (pd.Timestamp("2026-01-02"), pd.Timestamp("2026-02-01"), "is 2026-01-02; expected 2026-02-01"),
        (pd.Timestamp("2026-01-02", tz="UTC"), pd.Timestamp("2026-01-02"), "expected 2026-01-02"),
        ([1], [1, 2], "`x` has 1 value; expected 2."),
        ([1, 3], [1, 2], "`x`[1] is 3; expected 2."),
        ((1, 2), [1, 2], "is a tuple; the task asks for a list"),
        ([2, 1], [1, 2], "the right values in another order"),
        ({1}, {1, 2}, "`x` lacks 1 value, for example 2."),
        ({1, 2, 5}, {1, 2}, "`x` should not have 1 value, for example 5."),
        ({"a": 1}, {"b": 1}, "`x` lacks 1 key, for example 'b'."),
        ({"a": 1}, {"a": 2}, "`x`['a'] is 1; expected 2."),
        ([Everything()], [1], "is of the type `Everything`"),
    ],
)
def test_a_wrong_value_is_described(got, expected, said):
    assert said in sentence(checks.equal, got, expected, "x")


@pytest.mark.parametrize(
    ("got", "expected", "said"),
    [
        (2, 3, "`x` is 2: it is not right, it is too small."),
        (20.0, 12.5, "too large"),
        ("a", "secret", "another text"),
        ([1, 3], [1, 2], "one of its values is 3: it is not right, it is too large."),
        ([1], [1, 2], "which is not the right number"),
        ({1}, {1, 987}, "`x` lacks 1 value."),
        ({"a": 1}, {"a": 987}, "one of its values is 1"),
        (pd.Timestamp("2026-01-02"), pd.Timestamp("2029-08-07"), "too early"),
        (ORDERS.head(2), ORDERS, "`x` has too few rows."),
        (
            ORDERS.assign(spent=1.25),
            ORDERS.assign(spent=987.5),
            "3 of 3 rows are not right, for example one that is too",
        ),
        (ORDERS.assign(customer=["C1", "C2", "C9"]), ORDERS.assign(customer=["C1", "C2", "C987"]), "another text"),
    ],
)
def test_a_hidden_test_gives_the_kind_of_mistake_but_not_the_value(got, expected, said):
    text = sentence(checks.equal, got, expected, "x", reveal=False)
    assert said in text
    for secret in ("987", "secret", "2029", "12.5"):
        assert secret not in text


# --- equal: tables and columns ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("got", "said"),
    [
        (ORDERS.spent, "`rfm` is a column (Series); the task asks for a table (DataFrame)"),
        (SlyTable(ORDERS), "of the type `SlyTable`"),
        (ORDERS.drop(columns=["spent", "last"]), "`rfm` lacks the columns `spent`, `last`; it has `order_id`"),
        (ORDERS.set_index("customer"), "has `customer` in its index, not as a column: use `reset_index()`"),
        (ORDERS.assign(rank=1), "has the column `rank`, which the task does not ask for"),
        (pd.concat([ORDERS, ORDERS[["spent"]]], axis=1), "has the column `spent` twice"),
        (ORDERS.head(2), "`rfm` has 2 rows; expected 3 (one per customer)."),
        (ORDERS.assign(spent=ORDERS.spent.astype(str)), "column `spent` holds text; the task asks for numbers"),
        (ORDERS.assign(orders=ORDERS.orders / 1.0), "column `orders` holds numbers; the task asks for whole numbers"),
        (ORDERS.assign(last=ORDERS["last"].astype(str)), "column `last` holds text; the task asks for dates"),
        (ORDERS.assign(member=[1, 0, 1]), "column `member` holds whole numbers; the task asks for True and False"),
        (ORDERS.assign(customer=["C1", 2, "C3"]), "column `customer` holds a mixture of kinds; the task asks for text"),
        (
            ORDERS.assign(spent=[20.0, 3550.0, 1000.0]),
            "column `spent`: 1 of 3 rows is not right. The first is row 1 (counted from 0): "
            "yours is 3550, expected 35.5. It is 100 times the right value",
        ),
        (ORDERS.assign(spent=[35.5, 20.0, 1000.0]), "column `spent` holds the right values in another order"),
        (ORDERS.assign(spent=[None, 35.5, 1000.0]), "yours is blank, expected 20."),
        (ORDERS.assign(customer=[Everything()] * 3), "column `customer` holds a mixture of kinds"),
    ],
)
def test_a_wrong_table_is_described(got, said):
    assert said in sentence(checks.equal, got, ORDERS, "rfm", row="one per customer")


@pytest.mark.parametrize(
    ("got", "said"),
    [
        (
            pd.concat([ORDERS, ORDERS.head(1)]),
            "In `rfm` the key `customer` is repeated: 'C1' stands in 2 rows; the task asks for one per customer.",
        ),
        (ORDERS.assign(customer=["C1", "C2", None]), "In `rfm` the key `customer` is blank in 1 row."),
        (
            ORDERS.assign(customer=["C1", "C2", "C9"]),
            "`rfm` has other values in `customer` than expected: 1 missing, for example 'C3'; "
            "1 that should not be there, for example 'C9'.",
        ),
        (ORDERS.head(2), "`rfm` has 2 rows; expected 3 (one per customer)."),
        (
            ORDERS.assign(spent=[20.0, 35.5, 1.0])[::-1],
            "column `spent`: 1 of 3 rows is not right. The first is customer 'C3': yours is 1, expected 1000.",
        ),
    ],
)
def test_rows_are_found_by_their_key(got, said):
    assert said in sentence(checks.equal, got, ORDERS, "rfm", by="customer", row="one per customer")


def test_two_key_columns_and_the_index():
    checks.equal(ORDERS[::-1], ORDERS, "x", by=["order_id", "customer"])
    assert "`order_id` and `customer`" in sentence(
        checks.equal, ORDERS.assign(order_id="O1"), ORDERS, "x", by=["order_id", "customer"]
    )
    spent = ORDERS.set_index("customer").spent
    checks.equal(spent[::-1], spent, "spent", by="index")
    assert "row 0" in sentence(checks.equal, spent * 2, spent, "spent")
    assert "customer 'C1': yours is 40" in sentence(checks.equal, (spent * 2)[::-1], spent, "spent", by="index")
    assert "the task asks for numbers" in sentence(checks.equal, spent.astype(str), spent, "spent")
    assert "`spent` has 2 rows; expected 3." in sentence(checks.equal, spent.head(2), spent, "spent")
    assert "The index of `spent` is repeated: 'C1'" in sentence(
        checks.equal, spent.rename({"C2": "C1"}), spent, "spent", by="index"
    )


def test_a_recognised_mistake_gets_its_own_sentence_first():
    mistakes = [
        (lambda t: len(t) > len(ORDERS), lambda t: f"`rfm` has {len(t)} rows, one per *order*: group by customer."),
        (ORDERS.assign(spent=ORDERS.spent * 2), "`spent` counts each order twice."),
        (lambda t: t["no such column"], "never said"),
    ]
    say = {"by": "customer", "mistakes": mistakes}
    assert "one per *order*" in sentence(checks.equal, pd.concat([ORDERS] * 2), ORDERS, "rfm", **say)
    assert "twice" in sentence(checks.equal, ORDERS.assign(spent=ORDERS.spent * 2), ORDERS, "rfm", **say)
    assert "column `spent`" in sentence(checks.equal, ORDERS.assign(spent=ORDERS.spent * 3), ORDERS, "rfm", **say)
    # A right answer stays right, even where the description of a mistake is too wide.
    checks.equal(ORDERS, ORDERS, "rfm", mistakes=[(lambda t: True, "never said")])


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"columns": ["customer"]}, "which the task does not ask for"),
        ({"columns": [*ORDERS.columns, "city"]}, "lacks the column `city`"),
        ({"rows": 4, "row": "one per order"}, "has 3 rows; expected 4 (one per order)"),
        ({"key": "city"}, "lacks the column `city`"),
        ({"kinds": {"city": "text"}}, "lacks the column `city`"),
        ({"kinds": {"orders": "text"}}, "column `orders` holds whole numbers; the task asks for text"),
        ({"rows": 4, "mistakes": [(lambda t: len(t) == 3, "Three of four.")]}, "Three of four."),
    ],
)
def test_the_form_of_a_table(form, said):
    assert said in sentence(checks.table, ORDERS, "orders", **form)


def test_a_right_form_returns_the_table():
    kinds = {"customer": "text", "spent": "number", "orders": "number", "last": "date", "member": "true/false"}
    assert checks.table(ORDERS, "o", columns=list(ORDERS), rows=3, key=["order_id", "customer"], kinds=kinds) is ORDERS
    assert "is a list" in sentence(checks.table, [1], "o")


# --- functions -------------------------------------------------------------------------------------------------------


def not_written(x):
    raise NotImplementedError


def leaves(x):
    sys.exit(0)


def never_ends(x):
    raise KeyboardInterrupt


def wrong_column(table):
    return table["phon"]


@pytest.mark.parametrize(
    ("function", "argument", "said"),
    [
        (not_written, 1, "`not_written` is not written yet"),
        (leaves, 1, "`leaves(1)` ends Python"),
        (never_ends, 1, "`never_ends(1)` was stopped because it ran too long"),
        (
            wrong_column,
            ORDERS,
            "`wrong_column(table)` stops with KeyError: 'phon' (in your line `return table[\"phon\"]`).",
        ),
        (3, 1, "`your function` is a whole number (int); the task asks for a function."),
    ],
)
def test_a_function_that_fails_is_described(function, argument, said):
    assert said in sentence(checks.call, function, argument)


def test_a_function_gets_copies_and_must_not_change_them():
    def add(table, extra):
        table["new"] = extra
        return table

    data = ORDERS.copy()
    assert "`add` changes a table (DataFrame) that it was given" in sentence(checks.call, add, data, extra=1)
    assert list(checks.call(add, data, extra=1, may_change=True)) == [*ORDERS, "new"]
    assert data.equals(ORDERS)
    assert "changes a list" in sentence(checks.call, lambda values: values.append(1), [1])
    assert "changes an array" in sentence(checks.call, lambda a: a.fill(0), np.ones(2))
    with closing(sqlite3.connect(":memory:")) as base:
        assert checks.call(lambda connection: connection.execute("SELECT 1").fetchone(), base) == (1,)


class Counter:
    def __init__(self):
        self.number = 0

    def __repr__(self):
        return f"Counter {self.number}"


def spoils(given):
    if isinstance(given, Counter):
        given.number += 1
    elif isinstance(given, list):
        given.clear()
    else:
        given["t"]["tags"].iloc[0].clear()
    raise ValueError("spoilt")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (Counter(), "Counter 0"),
        (["a", 1], "['a', 1]"),
        ({"t": pd.DataFrame({"tags": [["x"]]})}, "{'t':   tags\n0  [x]}"),  # a copy of the table has the same list
        ({"t": pd.DataFrame({"n": [1]})}, "{'t':    n\n0  1}"),
    ],
)
def test_a_call_that_fails_is_told_as_it_was_made(given, told):
    assert sentence(checks.call, spoils, given).startswith(f"`spoils({told})` stops with ")


def test_a_call_that_does_not_fail_is_not_put_into_words(monkeypatch):
    monkeypatch.setattr(checks, "_call_text", None)
    assert checks.call(len, {"orders": ORDERS, "n": 2}) == 2
    assert checks.call(lambda table, by=None: len(table), ORDERS, by=("customer", None)) == 3


def test_a_function_is_called_often_as_a_simulation_does():
    own, same = np.random.default_rng(2), np.random.default_rng(2)
    drawn = checks.call_often(lambda rng, n=1: rng.random() * n, own, n=2, times=4)
    assert drawn == [same.random() * 2 for _ in range(4)]
    assert checks.call_often(len, "ab", times=1) == [2]
    told = sentence(checks.call_often, [1, 2].pop, times=3)
    assert told.startswith("`pop()` stops with IndexError"), "not only the first call counts"


def test_noise_stays_out_of_the_test_cell(capsys):
    def noisy(x):
        sys.stdout.write("hello")
        sys.stderr.write("progress 50 %")
        warnings.warn("old", stacklevel=1)
        return x

    assert checks.call(noisy, 1) == 1
    assert capsys.readouterr() == ("", "")


def double(number):
    return None if number == 7 else number + number if isinstance(number, int) else 0


def test_cases_name_the_input_and_give_the_hint():
    checks.cases(double, [(1, 2), ((2,), 4)])
    assert sentence(checks.cases, double, [(1, 2), ("a", "aa", "what is a text times two?")]) == (
        "`double('a')` is a whole number (int); the task asks for a text (str). What is a text times two?"
    )
    assert "`double(7)` returns None, that is, nothing: is a `return` missing?" in sentence(
        checks.cases, double, [(7, 14)]
    )
    assert "forgot" in sentence(checks.cases, double, [(2.5, 5, "")], mistakes=[(0, "You forgot the decimals.")])


def test_a_function_that_is_not_written_yet_is_told_apart_from_a_wrong_one():
    def scaffold(phone):
        """Return the phone."""
        ...  # noqa: PIE790 - as nbgrader leaves it

    def forgets_to_return(phone):
        phone.strip()

    assert "`scaffold` does nothing yet" in sentence(checks.call, scaffold, "1740")
    assert checks.call(forgets_to_return, "1740") is None
    assert "Is a `return` missing?" in sentence(checks.equal, None, ORDERS, "forgets_to_return(phone)")


def test_where_none_is_an_answer_it_is_no_missing_return():
    def mobile(text):
        return text if text == "1740" else None

    said = sentence(checks.cases, mobile, [("1740", "1740"), (float("nan"), None), ("1741", "1741")])
    assert said == "`mobile('1741')` is None; expected '1741'."
    with_nan = sentence(checks.cases, str.strip, [(float("nan"), "x")], name="strip")
    assert "`strip(NaN)` stops with TypeError" in with_nan


def test_hidden_cases_show_neither_input_nor_result():
    text = sentence(checks.cases, double, [(98765.5, 197531.0, "look at decimals")], reveal=False)
    assert text == "`double(…)` is 0: it is not right, it is too small. Look at decimals"
    assert "98765" not in text
    assert "98765" not in sentence(checks.cases, wrong_column, [((pd.Series([98765]),), 1)], reveal=False)


# --- conditions ------------------------------------------------------------------------------------------------------


@pytest.fixture
def two_bases():
    with closing(sqlite3.connect(":memory:")) as loose, closing(sqlite3.connect(":memory:")) as strict:
        yield loose, strict


def test_a_database_has_to_refuse_and_to_accept(two_bases):
    def insert(connection, phone):
        return lambda: connection.execute("INSERT INTO customer VALUES (?)", [phone])

    loose, strict = two_bases
    loose.execute("CREATE TABLE customer (phone TEXT)")
    strict.execute("CREATE TABLE customer (phone TEXT NOT NULL)")
    checks.refuses(insert(strict, None), "blank phone", sqlite3.IntegrityError)
    assert (
        sentence(checks.refuses, insert(loose, None), "The table takes a blank phone.")
        == "The table takes a blank phone."
    )
    assert "for another reason: OperationalError: no such table" in sentence(
        checks.refuses, lambda: loose.execute("SELECT * FROM x"), "Must be refused.", sqlite3.IntegrityError
    )
    assert checks.accepts(lambda: 3, "fine") == 3
    assert "The error was IntegrityError: NOT NULL" in sentence(checks.accepts, insert(strict, None), "Must be taken.")


@pytest.mark.parametrize("condition", [False, 0, None, 1, "yes", np.False_, Everything()])
def test_require_takes_nothing_but_true(condition):
    assert sentence(checks.require, condition, "Not so.") == "Not so."
    checks.require(True, "never said")
    checks.require(np.True_, "never said")


# --- in Jupyter ------------------------------------------------------------------------------------------------------


def test_a_notebook_shows_the_sentence_and_no_test_code():
    cells = [
        "from cimlab import checks\ndef clean(phone):\n    return phone['number']",
        "secret = 42\nchecks.equal(41, secret, 'total', reveal=False)",
        "checks.call(clean, '174')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, kernel_name="python3", allow_errors=True, timeout=60).execute()
    value, function = (cell.outputs[0] for cell in notebook.cells[1:])
    assert (value.ename, value.evalue) == ("CheckFailed", "`total` is 41: it is not right, it is too small.")
    assert value.traceback == [value.evalue]
    assert "(in your line `return phone['number']`)" in function.evalue


# --- choices


KINDS = {"amount": ("does", "To buy is a deed."), "stars": ("thinks", "A mark is an opinion.")}
TOLD = {"place": "`kinds[{}]`", "elsewhere": "One of the others", "absent": "all two are needed."}


@pytest.mark.parametrize(
    ("own", "sentence", "hidden"),
    [
        (
            {"stars": "thinks"},
            "`kinds['amount']` is not there: all two are needed.",
            "One of the others is not there: ",
        ),
        (
            {"amount": ...},
            "`kinds['amount']` is not chosen yet: write one of the two words.",
            "One of the others is not",
        ),
        (
            {"amount": "do"},
            "`kinds['amount']` is 'do'; the two words are 'does', 'thinks'.",
            "others is another word; ",
        ),
        ({"amount": "thinks"}, "is 'thinks'; that is not right. To buy is a deed.", "One of the others is 'thinks'; "),
    ],
)
def test_each_wrong_choice_gets_its_sentence(own, sentence, hidden):
    for reveal, said in ((True, sentence), (False, hidden)):
        with pytest.raises(checks.CheckFailed) as failure:
            checks.choices(own, KINDS, ["does", "thinks"], **TOLD, reveal=reveal)
        assert said in str(failure.value)
        assert reveal or "amount" not in str(failure.value)
    checks.choices({"amount": "does", "stars": "thinks"}, KINDS, ["does", "thinks"], **TOLD)
