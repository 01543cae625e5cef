"""Lab 4: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import contextlib
import sqlite3

import pandas as pd

import cimlab
from cimlab import checks, database

TIERS = ["basic", "silver", "gold"]


def prepare():
    """Return what the questions start from, so that none of them needs the answer to another one.

    The matching is a rough one, so that the lab starts at once: records of the same name and phone are one customer.

    Returns
    -------
    file : pandas.DataFrame
        customer_id, name, phone, city, tier: one row per customer.
    history : pandas.DataFrame
        customer_id, city, valid_from, valid_to: where each customer lived, and when; valid_to is blank where the
        period is still open.
    bought : pandas.DataFrame
        order_id, customer_id (blank where nobody knows), ordered_at, amount (CNY).
    calls : pandas.DataFrame
        call_id, customer_id (blank where nobody knows), topic.
    backup : pandas.DataFrame
        `file` as it was last night.
    sheet : pandas.DataFrame
        name, phone, tier: five rows that a shop has typed into the template.

    Examples
    --------
    >>> file, history, bought, calls, backup, sheet = prepare()
    >>> history.columns.tolist()
    ['customer_id', 'city', 'valid_from', 'valid_to']
    """
    members = cimlab.load("members")
    noted = cimlab.load("calls")
    records = database.extract_records(members, cimlab.load("web_accounts"), noted)
    digits = records["phone"].str.replace(r"\D", "", regex=True).str[-11:]
    records["phone"] = ("+86" + digits).where(digits.str.len() == 11)
    records["city"] = records["city"].str.removesuffix("市")
    records = records.dropna(subset=["name", "phone"]).sort_values(["updated_at", "record_id"])
    number = records.groupby(["name", "phone"]).ngroup() + 1
    records["customer_id"] = number.map("K{:06d}".format).astype("str")
    owner = records.set_index("record_id")["customer_id"]

    file = records.groupby("customer_id")[["name", "phone", "city"]].last().reset_index()
    steps = pd.CategoricalDtype(TIERS, ordered=True)
    tiers = members["tier"].astype(steps).groupby(members["member_id"].map(owner)).max()
    file["tier"] = file["customer_id"].map(tiers).astype("str").fillna("basic")

    orders = cimlab.load("orders")
    bought = orders.assign(customer_id=orders["customer_ref"].map(owner).astype("str"))
    calls = noted.assign(customer_id=noted["call_id"].map(owner).astype("str"))
    bought = bought[["order_id", "customer_id", "ordered_at", "amount"]]
    return file, _periods(records), bought, calls[["call_id", "customer_id", "topic"]], _last_night(file), _sheet()


def _periods(records):
    """Return the history of the cities: a new period where another city is noted."""
    said = records.dropna(subset="city").assign(valid_from=records["updated_at"].dt.normalize())
    said = said.drop_duplicates(["customer_id", "valid_from"], keep="last")
    said = said[said["city"] != said.groupby("customer_id")["city"].shift()]
    said["valid_to"] = said.groupby("customer_id")["valid_from"].shift(-1)
    said = said.sort_values(["customer_id", "valid_from"], ignore_index=True)
    return said[["customer_id", "city", "valid_from", "valid_to"]]


def _last_night(file):
    """Return the file as it was before a day on which customers came, moved and were deleted by mistake."""
    backup = file.drop(index=file.index[::500])
    backup.loc[backup.index[::400], "city"] = "上海"
    deleted = file.iloc[7:12].assign(customer_id=[f"K9{number:05d}" for number in range(5)])
    return pd.concat([deleted, backup], ignore_index=True)


def _sheet():
    rows = [
        ("王小雨", "+8617400123456", "basic"),
        ("李强", "1740012345", "silver"),
        (None, "+8617400123457", "basic"),
        ("王小雨", "+8617400123456", "platinum"),
        ("赵敏", None, None),
    ]
    return pd.DataFrame(rows, columns=["name", "phone", "tier"], dtype="str")


def backup_plans(bought):
    """Return what the plans of question 8 cost and risk.

    Parameters
    ----------
    bought : pandas.DataFrame
        ordered_at, amount.

    Returns
    -------
    pandas.DataFrame
        By plan: hours between two backups, cost (CNY a year), worst_loss and mean_loss (CNY in the orders that one
        accident takes).

    Examples
    --------
    >>> _, _, bought, *_ = prepare()
    >>> backup_plans(bought)["cost"].tolist()
    [9000, 1200, 250, 0]
    """
    span = (bought["ordered_at"].max() - bought["ordered_at"].min()) / pd.Timedelta(hours=1)
    plans = pd.DataFrame({"hours": [1, 24, 168, span], "cost": [9000, 1200, 250, 0]})
    plans["worst_loss"] = (plans["hours"] * bought["amount"].sum() / span).round()
    plans["mean_loss"] = (plans["worst_loss"] / 2).round()
    plans.loc[3, "mean_loss"] = plans.loc[3, "worst_loss"]  # without a backup all is lost, whenever it happens
    return plans.set_axis(["hourly", "nightly", "weekly", "none"]).round({"hours": 0}).rename_axis("plan")


# --- Question 1 ------------------------------------------------------------------------------------------------------


def check_cost_of_loss(names):
    """Question 1."""
    cost_of_loss = checks.answer(names, "cost_of_loss", "function")
    five_orders = pd.DataFrame(
        {
            "ordered_at": pd.to_datetime(
                ["2026-06-02 08:00", "2026-06-01 08:00", "2026-06-03 20:00", "2026-06-01 12:00", "2026-06-03 09:00"]
            ),
            "amount": [30.0, 10.0, 50.0, 20.0, 40.0],
        }
    )
    right = {"orders": 2.0, "cny": 60.0, "typing": 2 / 30}

    def with_rate(rate):
        return {"orders": 24 * rate, "cny": 24 * rate * 30, "typing": 24 * rate / 30}

    mistakes = [
        ({**right, "typing": 4.0}, "`typing` is in minutes; the task asks for hours: 60 minutes are one hour."),
        (
            with_rate(5 / 48),
            "The span is cut to whole days: `.days` of 2 days and 12 hours is 2. "
            "A span divided by `pd.Timedelta(hours=1)` is a number of hours.",
        ),
        (
            with_rate(5 / 2.5),
            "These are the orders of a *day* times `hours`: the span must be in hours.",
        ),
        (
            with_rate(5 / 25),
            "The span runs from the first row to the last row. The rows need not be sorted: from the *earliest* order "
            "to the *latest* (`min`, `max`).",
        ),
        (
            {**right, "cny": 150.0},
            "`cny` is what all orders were worth. It asks for the orders of `hours` hours: `orders` times the mean "
            "amount.",
        ),
        (with_rate(5 / 24), "These are all orders of the table, whatever `hours` is: first the orders of *one* hour."),
    ]
    got = checks.call(cost_of_loss, five_orders, 24)
    checks.equal(got, right, "cost_of_loss(five_orders, 24)", mistakes=mistakes)


# --- Question 2 ------------------------------------------------------------------------------------------------------

RIGHT_ROWS = {
    "enterprise_file": {
        "enterprise_id": "E0001",
        "name": "上海嘉森供应链有限公司",
        "credit_code": "91990105MADY8XML7L",
        "contact_phone": "+8617400123456",
        "level": "key",
    },
    "bills": {"bill_id": "B0001", "enterprise_id": "E0001", "amount": 950.0, "paid": 0.0},
}
SECOND_FIRM = {
    "enterprise_id": "E0002",
    "name": "杭州枫舟教育咨询有限公司",
    "credit_code": "91990104MAHYH0NF0X",
    "contact_phone": "+8617400555555",
}


def attempts(schema):
    """Return three ways to try a schema on a new, empty database: `attempt`, `firm` and `bill`.

    Parameters
    ----------
    schema : str
        SQL that makes the tables enterprise_file and bills.

    Returns
    -------
    attempt : callable
        ``attempt(*tables, **values)`` writes a right row into each table, and one more row, with these values changed,
        into the last of them.
    firm, bill : callable
        ``firm(**values)`` returns an action without arguments that writes a second firm with these values.

    Examples
    --------
    >>> attempt, firm, bill = attempts("CREATE TABLE enterprise_file (enterprise_id TEXT PRIMARY KEY, name TEXT, "
    ...     "credit_code TEXT, contact_phone TEXT, level TEXT)")
    >>> firm(name=None)()
    >>> firm(enterprise_id="E0001")()
    Traceback (most recent call last):
    sqlite3.IntegrityError: UNIQUE constraint failed: enterprise_file.enterprise_id
    """

    def write(base, table, row):
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        base.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(row.values()))
        base.commit()

    def attempt(*tables, **values):
        with contextlib.closing(sqlite3.connect(":memory:")) as base:
            base.executescript(schema)
            base.execute("PRAGMA foreign_keys = ON")
            for table in tables:
                write(base, table, RIGHT_ROWS[table])
            if values:
                write(base, tables[-1], RIGHT_ROWS[tables[-1]] | values)

    def firm(**values):
        return lambda: attempt("enterprise_file", **SECOND_FIRM | values)

    def bill(**values):
        return lambda: attempt("enterprise_file", "bills", **{"bill_id": "B0002"} | values)

    return attempt, firm, bill


def takes(action, sentence):
    """The schema must take this row."""
    checks.accepts(action, sentence)


def refuses(action, sentence):
    """The schema must refuse this row, and for the reason of a constraint."""
    checks.refuses(action, sentence, error=sqlite3.IntegrityError)


def check_schema(names):
    """Question 2."""
    attempt, firm, bill = attempts(checks.answer(names, "schema", str))
    takes(
        attempt,
        "SQLite cannot read `schema`. Are all `...` replaced, is there a comma between two columns "
        "(none after the last), and is a text in single quotes?",
    )
    takes(lambda: attempt("enterprise_file"), "`enterprise_file` does not take a right row: a firm with all values.")
    takes(lambda: attempt("enterprise_file", "bills"), "`bills` does not take a right row.")
    takes(firm(), "`enterprise_file` does not take a second firm with other values: is UNIQUE in the wrong place?")
    refuses(firm(enterprise_id="E0001"), "Two firms get the same `enterprise_id`: is it still the PRIMARY KEY?")
    refuses(firm(name=None), "A firm without a name is taken. NOT NULL says that a column is never blank.")
    takes(
        firm(contact_phone="+8617400123456"),
        "A second firm with the same contact phone is refused. One person may speak for two firms, so "
        "`contact_phone` cannot be UNIQUE.",
    )
    takes(
        firm(contact_phone=None), "A firm without a contact phone is refused, but it may be blank: no NOT NULL there."
    )
    takes(firm(credit_code=None), "A firm without a credit code is refused, but it may be blank: no NOT NULL there.")
    refuses(firm(level=None), "A firm without a level is taken. CHECK lets a blank pass: add NOT NULL.")
    refuses(
        bill(enterprise_id="E9999"),
        "A bill of E9999, which is not in `enterprise_file`, is taken. "
        "A foreign key is missing: `REFERENCES table (column)` behind the column.",
    )


# --- Question 3 ------------------------------------------------------------------------------------------------------

FAULT = ["row", "column", "reason"]


def two_results(got, name):
    """Return the two tables that question 3 asks for, or say that there are not two."""
    checks.require(
        isinstance(got, (tuple, list)) and len(got) == 2,
        f"`{name}` must return two tables: `return new_file, faults`.",
    )
    return got


def compare_import(function, given, right, name, mistakes, reveal=True):
    """Compare what `function(file, rows)` returns with the right faults and the right new file."""
    file, rows = given
    new_file, faults = two_results(checks.call(function, file, rows), name)
    right_file, right_faults = right
    if len(right_faults):
        kind = {"by": FAULT, "row": "one per fault", "mistakes": mistakes, "reveal": reveal}
        checks.equal(faults, right_faults, f"faults of {name}", **kind)
    checks.require(
        isinstance(faults, pd.DataFrame) and len(faults) == len(right_faults),
        f"`{name}` finds faults in a sheet that has none: the second result must be a table without a row.",
    )
    columns = ["name", "phone", "tier"]
    checks.table(new_file, f"new file of {name}", columns=columns)
    checks.require(
        len(new_file) != len(right_file) + len(rows),
        "Rows were loaded although the sheet has faults, or twice: with one fault nothing enters.",
    )
    checks.require(
        len(new_file) >= len(right_file),
        "A sheet without a fault was not loaded, or the old rows are lost: `pd.concat([file, rows])`.",
    )
    checks.require(
        len(new_file) <= len(right_file),
        "Good rows were loaded although other rows have faults. A half-loaded file is worse than none: "
        "with one fault nothing enters.",
    )
    sort = {"by": columns, "ignore_index": True}
    checks.equal(
        new_file[columns].sort_values(**sort), right_file.sort_values(**sort), f"new file of {name}", reveal=reveal
    )


def check_import_rows(names):
    """Question 3."""
    import_rows = checks.answer(names, "import_rows", "function")
    file = pd.DataFrame({"name": ["曾晓梅"], "phone": ["+8617400999999"], "tier": ["gold"]}, dtype="str")
    right = pd.DataFrame(
        [(3, "phone", "unreadable"), (4, "name", "missing"), (5, "phone", "twice"), (5, "tier", "unknown")],
        columns=FAULT,
    )

    def rows_of(got, column):
        return got.loc[got["column"] == column, "row"].tolist()

    mistakes = [
        (
            lambda got: rows_of(got, "name") == [2] or rows_of(got, "name") == [3],
            "The rows are numbered from 0 or 1. Excel counts the header as row 1, so that the first row of data is 2.",
        ),
        (
            lambda got: 6 in rows_of(got, "phone"),
            "Row 6 has no phone, and is named as a fault. A blank phone is allowed: test what is filled (`notna`).",
        ),
        (
            lambda got: 6 in rows_of(got, "tier"),
            "Row 6 has no tier, and is named as a fault. A blank tier is allowed: it becomes basic later.",
        ),
        (
            lambda got: 2 in rows_of(got, "phone"),
            'Row 2 is the first of the two equal rows. Only the later one is "twice": `duplicated()` leaves the first '
            "out by itself.",
        ),
        (
            lambda got: "twice" not in got["reason"].tolist(),
            "Row 5 repeats name and phone of row 2 and is not named: `rows.duplicated(...)` over both columns.",
        ),
        (
            lambda got: len(got[got["row"] == 5]) == 1,
            "Row 5 has two faults, and one is missing: look for each rule by itself and put the results under one "
            "another (`pd.concat`).",
        ),
        (
            lambda got: "unreadable" not in got["reason"].tolist(),
            "Row 3 has a phone without +86 and with ten digits, and is not named: `str.fullmatch`.",
        ),
    ]
    compare_import(import_rows, (file, _sheet()), (file, right), "import_rows(file, five_rows)", mistakes)
    good = _sheet().iloc[[0, 4]].reset_index(drop=True)
    right_file = pd.concat([file, good], ignore_index=True)
    compare_import(import_rows, (file, good), (right_file, right.iloc[:0]), "import_rows(file, two_good_rows)", ())


# --- Question 4 ------------------------------------------------------------------------------------------------------

PERIOD = ["customer_id", "valid_from"]


def periods(*rows):
    """Return a history from (customer_id, city, valid_from, valid_to)."""
    table = pd.DataFrame(rows, columns=["customer_id", "city", "valid_from", "valid_to"])
    return table.assign(valid_from=pd.to_datetime(table["valid_from"]), valid_to=pd.to_datetime(table["valid_to"]))


def check_move(names):
    """Question 4."""
    move = checks.answer(names, "move", "function")
    history = periods(
        ("K1", "杭州", "2024-03-01", "2025-05-01"),
        ("K1", "上海", "2025-05-01", None),
        ("K2", "南京", "2025-01-10", None),
    )
    right = periods(
        ("K1", "杭州", "2024-03-01", "2025-05-01"),
        ("K1", "上海", "2025-05-01", "2026-06-30"),
        ("K1", "苏州", "2026-06-30", None),
        ("K2", "南京", "2025-01-10", None),
    )

    def ends(got, customer, city):
        return got.loc[(got["customer_id"] == customer) & (got["city"] == city), "valid_to"].iloc[0]

    mistakes = [
        (
            lambda got: len(got) == 3 and "苏州" in got["city"].tolist(),
            "上海 was overwritten: nobody can say any more where K1 lived in May. Close the old period, *add* a row.",
        ),
        (
            lambda got: ends(got, "K1", "上海") == pd.Timestamp("2026-06-29"),
            "The old period ends a day too early. `valid_to` is the first day on which it no longer holds: the day on "
            "which the new one begins.",
        ),
        (
            lambda got: ends(got, "K1", "杭州") == pd.Timestamp("2026-06-30"),
            "The period of 杭州 had ended in 2025, and its end was changed: two cities on one day. "
            "Close only the period that is still open (`valid_to` blank).",
        ),
        (
            lambda got: pd.notna(ends(got, "K2", "南京")),
            "The open period of K2 was closed too: only K1 moves.",
        ),
        (
            lambda got: pd.isna(ends(got, "K1", "上海")),
            "K1 has two open periods, 上海 and 苏州: close the old one on the day of the move.",
        ),
        (
            lambda got: pd.notna(ends(got, "K1", "苏州")),
            "The new period has an end. Nobody knows it yet: leave `valid_to` blank (`pd.NaT`).",
        ),
    ]
    name = 'move(history, "K1", "苏州", "2026-06-30")'
    got = checks.call(move, history, "K1", "苏州", "2026-06-30", name="move")
    checks.equal(got, right, name, by=PERIOD, row="one per period", mistakes=mistakes)
    same = checks.call(move, history, "K2", "南京", "2026-06-30", name="move")
    checks.equal(
        same,
        history,
        'move(history, "K2", "南京", "2026-06-30")',
        by=PERIOD,
        row="one per period",
        mistakes=[
            (
                lambda got: len(got) == 4,
                "K2 lives in 南京 already. A change to the same city is none: return the history as it is.",
            )
        ],
    )


# --- Question 5 ------------------------------------------------------------------------------------------------------


def check_wrong_tiers(names):
    """Question 5."""
    wrong_tiers = checks.answer(names, "wrong_tiers", "function")
    file = pd.DataFrame(
        {
            "customer_id": ["K1", "K2", "K3", "K4", "K5", "K6", "K7"],
            "tier": ["basic", "silver", "gold", "basic", "silver", "silver", "basic"],
        }
    )
    bought = pd.DataFrame(
        [
            ("K1", "2026-06-30 18:00", 600.0),
            ("K2", "2025-06-30 12:00", 700.0),
            ("K3", "2026-01-05 10:00", 1500.0),
            ("K3", "2026-02-05 10:00", 500.0),
            ("K4", "2025-12-01 10:00", 100.0),
            ("K5", "2025-07-01 00:00", 650.0),
            ("K7", "2026-07-01 09:00", 5000.0),
            (None, "2026-05-01 09:00", 9999.0),
        ],
        columns=["customer_id", "ordered_at", "amount"],
    )
    bought["ordered_at"] = pd.to_datetime(bought["ordered_at"])
    right = pd.DataFrame(
        [("K1", "basic", "silver"), ("K2", "silver", "basic"), ("K6", "silver", "basic")],
        columns=["customer_id", "tier", "earned"],
    )

    def customers(got):
        return set(got["customer_id"])

    mistakes = [
        (
            lambda got: customers(got) == set(file["customer_id"]),
            "All customers are there. The task asks only for those whose tier is not the one they earned.",
        ),
        (
            lambda got: "K6" not in customers(got),
            'K6 is silver and has bought nothing: that makes basic. Start from the file (`how="left"`, or `map`), '
            "and take 0 where there is no purchase.",
        ),
        (
            lambda got: "K7" in customers(got),
            "K7 bought on 1 July, after the day `on`: what comes later does not count.",
        ),
        (
            lambda got: "K2" not in customers(got),
            "K2 bought on 30 June 2025. Twelve months that end with 30 June 2026 begin on 1 July 2025.",
        ),
        (
            lambda got: "K5" in customers(got),
            "K5 bought on 1 July 2025, the first of the twelve months: it counts, from 0 o'clock on.",
        ),
        (
            lambda got: "K1" not in customers(got) or got.set_index("customer_id")["earned"]["K1"] == "basic",
            "K1 bought for exactly 600 CNY at 18:00 on the last day. 600 is enough (`>=`), and the last day counts "
            "until midnight: compare with the day *after* `on`.",
        ),
        (
            lambda got: "K3" in customers(got),
            "K3 bought for exactly 2,000 CNY, and that is gold: `>=`.",
        ),
    ]
    got = checks.call(wrong_tiers, file, bought, "2026-06-30")
    checks.equal(
        got,
        right,
        'wrong_tiers(file, bought, "2026-06-30")',
        by="customer_id",
        row="one per customer with a wrong tier",
        mistakes=mistakes,
    )


# --- Question 6 ------------------------------------------------------------------------------------------------------


def check_compare_backup(names):
    """Question 6."""
    compare_backup = checks.answer(names, "compare_backup", "function")
    backup = pd.DataFrame(
        {
            "customer_id": ["K1", "K2", "K3", "K4", "K5"],
            "city": ["杭州", "上海", None, "南京", "苏州"],
            "phone": ["+861", None, "+863", "+864", "+865"],
        }
    )
    now = pd.DataFrame(
        {
            "customer_id": ["K6", "K4", "K3", "K2", "K7", "K8"],
            "city": ["北京", "武汉", None, "上海", "合肥", "宁波"],
            "phone": ["+866", "+869", "+863", "+862", "+867", "+868"],
        }
    )
    right = {"lost": 2, "new": 3, "changed": 2}
    mistakes = [
        (
            {"lost": 3, "new": 2, "changed": 2},
            "`lost` and `new` are swapped: lost is what only the *backup* still has.",
        ),
        (
            lambda got: got["changed"] == 3,
            "Either blanks or cells are counted. K3 has no city before and after, so it did not change (NaN is not "
            "equal to NaN); and a row with two changed cells is one changed row.",
        ),
        (
            {"lost": 4, "new": 5, "changed": 0},
            "A changed row is counted as lost and new. Compare by the key first, then the other columns of the rows "
            "that both have.",
        ),
        (
            lambda got: got["lost"] == 0 and got["new"] == 1,
            "Only the numbers of rows were compared. Five rows before and six after: two are lost all the same.",
        ),
        (
            lambda got: got["changed"] > 3,
            "The rows are compared by their place. They stand in another order now: find each row by its key.",
        ),
        (
            lambda got: got["changed"] == 1,
            "One changed row is missing. K2 had no phone and has one now: to fill a blank is a change, too.",
        ),
    ]
    got = checks.call(compare_backup, now, backup, "customer_id")
    checks.equal(got, right, 'compare_backup(now, backup, "customer_id")', mistakes=mistakes)


# --- Question 7 ------------------------------------------------------------------------------------------------------


def check_single_view(names):
    """Question 7."""
    single_view = checks.answer(names, "single_view", "function")
    file = pd.DataFrame({"customer_id": ["K1", "K2", "K3", "K4"], "name": ["曾晓梅", "李强", "王芳", "赵敏"]})
    bought = pd.DataFrame(
        {
            "order_id": ["O1", "O2", "O3", "O4", "O5"],
            "customer_id": ["K1", "K1", "K1", "K2", None],
            "amount": [10.0, 20.0, 30.0, 5.0, 99.0],
        }
    )
    calls = pd.DataFrame({"call_id": ["C1", "C2", "C3", "C4"], "customer_id": ["K1", "K1", "K3", None]})
    right = pd.DataFrame(
        {
            "customer_id": ["K1", "K2", "K3", "K4"],
            "orders": [3, 1, 0, 0],
            "spent": [60.0, 5.0, 0.0, 0.0],
            "calls": [2, 0, 1, 0],
        }
    )

    def of(got, customer, column):
        return got.set_index("customer_id")[column][customer]

    mistakes = [
        (
            lambda got: got["customer_id"].duplicated().any(),
            "A customer stands in several rows; the task asks for one row per customer: count and sum first "
            "(`groupby`), then join.",
        ),
        (
            lambda got: of(got, "K1", "spent") == 120 or of(got, "K1", "orders") == 6,
            "The join has multiplied: three orders and two calls of K1 make six rows, and the sales count double. "
            "Bring each table down to one row per customer *before* you join.",
        ),
        (
            lambda got: of(got, "K1", "calls") == 6,
            "`calls` of K1 is 6: three orders times two calls. Count the calls *before* you join them to the orders.",
        ),
        (
            lambda got: not {"K3", "K4"} <= set(got["customer_id"]),
            "K3 and K4 bought nothing and are lost. They are customers all the same: start from the file, "
            'with `how="left"`.',
        ),
        (
            lambda got: of(got, "K4", "orders") == 1 or of(got, "K2", "calls") == 1,
            "A customer without any order gets 1: after a left join the empty row was counted. "
            "Count before you join, then put 0 where there is none.",
        ),
        (
            lambda got: got[["orders", "spent", "calls"]].isna().any(axis=None),
            "Where there is no order or call, the number is blank. No order is 0 orders: `fillna(0)`.",
        ),
        (
            lambda got: any(pd.api.types.is_float_dtype(got[column]) for column in ("orders", "calls")),
            "`orders` and `calls` are numbers with decimals, since a join makes blanks first. They count things: "
            '`astype("int64")` after `fillna(0)`.',
        ),
    ]
    got = checks.call(single_view, file, bought, calls)
    name = "single_view(file, bought, calls)"
    checks.equal(got, right, name, by="customer_id", row="one per customer", mistakes=mistakes)
