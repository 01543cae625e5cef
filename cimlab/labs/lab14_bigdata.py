"""Lab 14: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import atexit
import math
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import cimlab
from cimlab import checks, scale

TODAY = pd.Timestamp("2026-06-30")
SLOW_QUERY = "select sum(amount) from orders where strftime(ordered_at, '%Y-%m') = '2026-06'"
# What the lesson assumes, CNY: a TB scanned, a GB kept for a month, a server with its disks for a month.
PRICES = {"scan": 35.0, "storage": 0.15, "server": 3300.0}


def prepare():
    """Return what the questions start from, so that none of them needs the answer to another one.

    Returns
    -------
    orders : pandas.DataFrame
        In the order of time.
    sales : pandas.DataFrame
        One row a line of an order: order_id, customer_ref, ordered_at, amount, and whether it was returned.
    stream : pandas.DataFrame
        The web events with the moment at which each arrived.
    engine : ibis.backends.duckdb.Backend
        DuckDB with the tables `orders` and `sales`.
    folder : pathlib.Path
        A temporary folder with orders.parquet and sales.parquet.

    Examples
    --------
    >>> orders, sales, stream, engine, folder = prepare()
    >>> len(orders) < len(sales), sorted(path.name for path in folder.iterdir())
    (True, ['orders.parquet', 'sales.parquet'])
    """
    orders = cimlab.load("orders").sort_values(["ordered_at", "order_id"], ignore_index=True)
    back = cimlab.load("returns").groupby(["order_id", "line_no"], as_index=False)["quantity"].sum()
    lines = cimlab.load("order_lines").merge(back, on=["order_id", "line_no"], how="left", suffixes=("", "_back"))
    lines["returned"] = lines["quantity_back"].fillna(0) >= lines["quantity"]
    lines = lines[["order_id", "amount", "returned"]]
    sales = orders[["order_id", "customer_ref", "ordered_at"]].merge(lines, on="order_id")
    folder = new_folder()
    orders.to_parquet(folder / "orders.parquet", index=False, row_group_size=1000)
    sales.to_parquet(folder / "sales.parquet", index=False, row_group_size=5000)
    files = {"orders": folder / "orders.parquet", "sales": folder / "sales.parquet"}
    stream = scale.arrivals(cimlab.load("web_events"))[["event_id", "happened_at", "arrived_at"]]
    return orders, sales, stream, scale.open_engine("duckdb", files), folder


def new_folder():
    """Make a temporary folder that is removed when Python ends."""
    folder = Path(tempfile.mkdtemp(prefix="cimlab-lab14-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class Plan(str):
    """A text that a notebook shows as it is, line by line."""

    __slots__ = ()

    def __repr__(self):
        return str(self)


def explain(engine, query):
    """Return the text of the plan of a query.

    Examples
    --------
    >>> engine = prepare()[3]
    >>> "Projections: amount" in explain(engine, SLOW_QUERY.split(" where")[0])
    True
    """
    return Plan(engine.con.execute(f"explain {query}").fetchone()[1])


def months_of(orders):
    """Return the orders of each month, a list of tables.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-05-01", "2026-06-01", "2026-05-31"])
    >>> [len(piece) for piece in months_of(pd.DataFrame({"ordered_at": days}))]
    [2, 1]
    """
    return [piece for _, piece in orders.groupby(orders["ordered_at"].dt.strftime("%Y-%m"))]


def compare(got, right, what, mistakes, **told):
    """Compare as `checks.equal` does; the function `mistakes` is called only for who is wrong, since it takes time."""
    try:
        checks.equal(got, right, what, **told)
    except checks.CheckFailed:
        checks.equal(got, right, what, mistakes=mistakes(), **told)


# ---------------------------------------------------------------------------------------------------------- question 1
def share_read(path, shown, where, size="total_compressed_size", groups=None, twice=False):
    """Return the share of the column bytes that a question reads; the other arguments make it wrong."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path)
    bytes_of = dict.fromkeys(metadata.schema.names, 0)
    for number in range(groups or metadata.num_row_groups):
        group = metadata.row_group(number)
        for place in range(metadata.num_columns):
            bytes_of[group.column(place).path_in_schema] += getattr(group.column(place), size)
    read = [*shown, *([where] if where else [])]
    return sum(bytes_of[name] for name in (read if twice else set(read))) / sum(bytes_of.values())


def share_mistakes(path, shown, where):
    """Return the wrong shares that students get, each with its sentence."""
    import pyarrow.parquet as pq

    right, columns = share_read(path, shown, where), pq.read_metadata(path).num_columns
    read = {*shown, *([where] if where else [])}
    compressed = right * _column_bytes(path)
    wrong = [
        (100 * right, "Your share is in per cent; a fraction is asked for (0.1, not 10)."),
        (compressed, "These are bytes. Divide by the bytes of all columns."),
        (
            len(read) / columns,
            "You count columns. They differ in size: a column with few values packs to nearly nothing. Add up bytes.",
        ),
        (
            share_read(path, shown, where, "total_uncompressed_size"),
            "You take the bytes *before* compression. What is read from the disk is `total_compressed_size`.",
        ),
        (share_read(path, shown, None), "The column of the filter is missing: to check `where`, it must be read too."),
        (
            share_read(path, shown, where, twice=True),
            "A column that is both shown and filtered is read once: you count it twice.",
        ),
        (
            share_read(path, shown, where, groups=1),
            "You look at the first row group only. Add up all of them (`num_row_groups`).",
        ),
        (
            compressed / Path(path).stat().st_size,
            "You divide by the size of the file, which holds the metadata too. Divide by the bytes of all columns.",
        ),
        (1 - right, "This is the share that is *not* read."),
    ]
    return [pair for pair in wrong if abs(pair[0] - right) > 1e-9]


def _column_bytes(path):
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    return sum(group.column(place).total_compressed_size for group in groups for place in range(metadata.num_columns))


SHARE_CASES = [(["amount"], "ordered_at"), (["channel", "amount"], "channel"), (["store_id"], None)]


def check_read_share(names):
    """Question 1."""
    read_share, folder = checks.answer(names, "read_share", "function"), checks.answer(names, "folder")
    path = folder / "orders.parquet"
    for shown, where in SHARE_CASES:
        got = checks.call(read_share, path, shown, where)
        told = f"read_share(orders.parquet, {shown}, {where!r})"
        checks.equal(float(got) if isinstance(got, float) else got, share_read(path, shown, where), told,
                     mistakes=share_mistakes(path, shown, where))  # fmt: skip


# ---------------------------------------------------------------------------------------------------------- question 2
def few_pieces():
    """Return the pieces of the visible check of question 2: unequal, with common customers, blanks, and none at all."""
    rows = [
        ["A", "B", "A", None, "C", "A", "B", "A", None, "A"],
        ["B", "D", None, "A"],
        [],
        ["E", "A", "B", "C"],
    ]
    amounts = iter(
        [10.0, 25.0, 30.0, 5.0, 8.0, 12.0, 60.0, 9.0, 7.0, 14.0, 200.0, 90.0, 40.0, 70.0, 500.0, 33.0, 21.0, 6.0]
    )
    pieces = [pd.DataFrame({"customer_ref": refs, "amount": [next(amounts) for _ in refs]}) for refs in rows]
    return [piece.astype({"customer_ref": "str", "amount": "float64"}) for piece in pieces]


def whole_of(pieces):
    """Return what question 2 asks for, from all rows at once."""
    amounts = [amount for piece in pieces for amount in piece["amount"]]
    customers = {name for piece in pieces for name in piece["customer_ref"] if isinstance(name, str)}
    revenue = math.fsum(amounts)
    return {"orders": len(amounts), "revenue": revenue, "mean": revenue / len(amounts), "customers": len(customers)}


def piece_mistakes(pieces):
    """Return what students get wrong in question 2, each with its sentence."""
    right = whole_of(pieces)
    filled = [piece for piece in pieces if len(piece)]
    means = [piece["amount"].mean() for piece in filled]
    added = sum(piece["customer_ref"].nunique() for piece in pieces)

    def near(got, name, value):
        return abs(got[name] - value) < 1e-6 * max(1, abs(value)) and abs(right[name] - value) > 1e-9

    return [
        (
            lambda got: near(got, "mean", sum(means) / len(means)) or near(got, "mean", sum(means) / len(pieces)),
            "You took the mean of the means: a small piece gets the weight of a large one. Carry sums and counts, and "
            "divide once at the end.",
        ),
        (
            lambda got: math.isnan(got["mean"]) or math.isnan(got["revenue"]),
            "Your mean is NaN: a piece without rows has no mean. Carry its sum (0) and its count (0).",
        ),
        (
            lambda got: near(got, "customers", added),
            "You added up the customers of the pieces: who bought in two of them counts twice. Carry the *set* of "
            "customers, and join the sets.",
        ),
        (
            lambda got: near(got, "customers", max(piece["customer_ref"].nunique() for piece in pieces)),
            "You took the largest number of customers of a piece. Join the sets of all of them.",
        ),
        (
            lambda got: right["customers"] < got["customers"] <= right["customers"] + len(pieces),
            "There are too many customers: a blank `customer_ref` is no customer. Leave it out of the set (`dropna`).",
        ),
        (
            lambda got: near(got, "mean", right["revenue"] / right["customers"]),
            "The mean is asked for an order, not a customer.",
        ),
        (
            lambda got: near(got, "orders", sum(piece["customer_ref"].count() for piece in pieces)),
            "You count only orders with a customer. An order without a card is an order, too.",
        ),
        (lambda got: near(got, "orders", len(pieces)), "You count pieces, not orders."),
    ]


def carried(summary):
    """Return how many values the largest part of a summary holds.

    Examples
    --------
    >>> carried({"total": 3.5, "seen": {"A", "B"}})
    2
    """
    if isinstance(summary, dict):
        return max([len(summary), *map(carried, summary.values())], default=0)
    if isinstance(summary, (list, tuple, set, frozenset)):
        return max([len(summary), *map(carried, summary)], default=0)
    return int(np.size(summary)) if isinstance(summary, (pd.DataFrame, pd.Series, np.ndarray, pd.Index)) else 1


def check_pieces(names, pieces=None, reveal=True):
    """Question 2; the hidden check gives other pieces."""
    summarise, combine = (checks.answer(names, name, "function") for name in ("summarise", "combine"))
    pieces = few_pieces() if pieces is None else pieces
    large = pd.concat([few_pieces()[0]] * 40, ignore_index=True)
    checks.require(
        carried(checks.call(summarise, large)) < 100,
        "`summarise` hands on the rows of its piece. Then nothing is gained: the rows do not fit into memory. Hand on "
        "a few numbers, and each customer once.",
    )
    got = checks.call(combine, [checks.call(summarise, piece) for piece in pieces], name="combine")
    what = "combine(summaries)" if reveal else "combine(other summaries)"
    checks.equal(got, whole_of(pieces), what, mistakes=piece_mistakes(pieces), reveal=reveal)
    turned = checks.call(combine, [checks.call(summarise, piece) for piece in reversed(pieces)], name="combine")
    checks.equal(turned, whole_of(pieces), "combine(summaries in another order)", reveal=False)


# ---------------------------------------------------------------------------------------------------------- question 3
def few_orders():
    """Return the orders of the visible check of question 3: no month of 2025-12, and midnights."""
    times = [
        "2025-06-30 23:59:59",
        "2025-07-01",
        "2025-11-30 12:00",
        "2026-01-01",
        "2026-05-31 23:30",
        "2026-06-01 00:00",
    ]
    times = pd.to_datetime([*times, "2026-06-15 10:00", "2026-06-30 21:00"], format="ISO8601")
    number = len(times)
    amounts = np.arange(number) * 10.0 + 5
    orders = pd.DataFrame({"order_id": [f"O{each}" for each in range(number)], "ordered_at": times, "amount": amounts})
    return orders.sample(frac=1, random_state=4, ignore_index=True)


def months_between(orders, first, last):
    """Return the folders that a question on these days touches, by asking day by day."""
    there = {time.strftime("%Y-%m") for time in orders["ordered_at"]}
    days = {day.strftime("%Y-%m") for day in pd.date_range(first, last)}
    return sorted(f"month={month}" for month in there & days)


def month_mistakes(orders, first, last):
    """Return what students get wrong when they choose folders, each with its sentence."""
    there = sorted({f"month={time.strftime('%Y-%m')}" for time in orders["ordered_at"]})
    all_days = sorted({f"month={day.strftime('%Y-%m')}" for day in pd.date_range(first, last)})
    right = months_between(orders, first, last)
    start, end = f"month={first}", f"month={last}"
    numbers = {day.month for day in pd.date_range(first, last)}
    wrong = [
        ([name for name in there if start <= name <= end],
         "The first month is missing: as texts, '2026-05' stands before '2026-05-20'. Compare months with months: cut "
         "`first` and `last` to their first seven characters."),
        (right[:-1], "The month of the last day is missing: `last` is included."),
        (right[1:], "The month of the first day is missing: `first` is included."),
        (there, "You name all folders. Only those whose month has a day of the span are touched."),
        (all_days, "You name a month that has no folder: look at what lies in `folder`."),
        ([name for name in there if int(name[-2:]) in numbers],
         "You compare the number of the month only: June of another year is another folder."),
        ([name.removeprefix("month=") for name in right], "Give the names of the folders: 'month=2026-06'."),
        (right[::-1], "Sort the folders by their names."),
    ]  # fmt: skip
    return [pair for pair in wrong if pair[0] != right]


def check_folders(names, orders=None, spans=None, reveal=True):
    """Question 3; the hidden check gives other orders and spans."""
    write, touched = (checks.answer(names, name, "function") for name in ("write_months", "months_touched"))
    orders = few_orders() if orders is None else orders
    home = new_folder() / "by_month"
    for _ in range(2):
        checks.call(write, orders, home, name="write_months")
    check_written(orders, home)
    for first, last in spans or [
        ("2026-05-20", "2026-06-10"),
        ("2025-06-30", "2025-07-01"),
        ("2025-11-30", "2026-01-01"),
    ]:
        told = f"months_touched(folder, {first!r}, {last!r})" if reveal else "months_touched(another span)"
        got = checks.call(touched, home, first, last, name="months_touched")
        right = months_between(orders, first, last)
        checks.equal(got, right, told, mistakes=month_mistakes(orders, first, last), reveal=reveal)


def check_written(orders, home):
    """Say what is wrong with the folders of question 3."""
    files = sorted(home.rglob("*.parquet")) if home.is_dir() else []
    checks.require(bool(files), "`write_months` writes no Parquet file below `folder`.")
    names = {file.parent.name for file in files}
    right = {f"month={time.strftime('%Y-%m')}" for time in orders["ordered_at"]}
    checks.require(
        not any(re.fullmatch(r"month=\d{1,2}", name) for name in names),
        "Your folders bear the number of the month only: June of all years would lie together. Take year and month "
        "(`dt.strftime('%Y-%m')`).",
    )
    checks.require(
        not any(re.match(r"month=\d{4}-\d{2}.", name) for name in names),
        "Your folders are finer than a month. One for each month is asked for: many small files are slow.",
    )
    checks.require(
        names == right, f"The folders are called {sorted(names)[:2]} …; they should be {sorted(right)[:2]} …"
    )
    back = pd.concat([_read_one(file).assign(month=file.parent.name) for file in files])
    checks.require(
        len(back) != 2 * len(orders),
        "After a second call each order stands there twice: new files were put beside the old ones. Remove the folder "
        "first (`shutil.rmtree`), or write with `existing_data_behavior='delete_matching'`.",
    )
    checks.require(len(back) == len(orders), f"{len(orders)} orders were given, {len(back)} lie in the folders.")
    checks.require("ordered_at" in back.columns, "The column `ordered_at` is not in the files any more.")
    fits = back["month"] == "month=" + back["ordered_at"].dt.strftime("%Y-%m")
    checks.require(bool(fits.all()), "An order lies in the folder of another month.")
    absent = sorted(set(orders.columns) - set(back.columns))
    checks.require(not absent, f"The column {', '.join(absent)} is not in the files.")


def _read_one(file):
    import pyarrow.parquet as pq

    return pq.ParquetFile(file).read().to_pandas()


# ---------------------------------------------------------------------------------------------------------- question 4
def scan_of(plan):
    """Return what the scan of a plan says: the columns that it hands on and the filters that it checks."""
    inside, found, part = False, {"Projections": "", "Filters": ""}, None
    for line in plan.splitlines():
        text = line.strip("│ ")
        if "Read Parquet" in text:
            inside = True
        elif inside and not text.startswith("~"):
            key = re.match(r"(Function|Projections|File Filters|Filters): ?", text)
            part, text = (key.group(1), text[key.end() :]) if key else (part, text)
            if part in found and not text.startswith("╰"):
                found[part] = f"{found[part]} {text}".strip()
    columns = [name.strip() for name in found["Projections"].split(",") if name.strip()]
    return {"columns": columns, "filters": found["Filters"]}


PLAN_QUERIES = {
    "one column": "select sum(amount) from orders",
    "all columns": "select * from orders",
    "a function": SLOW_QUERY,
    "a range": "select channel, sum(amount) from orders where ordered_at >= '2026-06-01' and amount > 20 group by 1",
}


def plan_mistakes(plan):
    """Return what students get wrong when they read a plan, each with its sentence."""
    right = scan_of(plan)
    texts = [line.strip("│ ") for line in plan.splitlines()]
    first = next((text.split(": ", 1)[1].rstrip(",") for text in texts if text.startswith("Projections: ")), "")
    own_line = next((text.split(": ", 1)[1] for text in reversed(texts) if text.startswith("Projections: ")), "")
    cut = [name.strip() for name in own_line.split(",") if name.strip()]
    top = [name.strip() for name in first.split(",")]

    def columns(value):
        return lambda got: got["columns"] == value and value != right["columns"]

    return [
        (
            lambda got: isinstance(got["columns"], str),
            "`columns` is one text; a list with one text a column is asked for: split it at the commas.",
        ),
        (
            columns(cut),
            "A column is missing: the list of `Projections` may go on in the next lines. Take them all, up to the next "
            "word with a colon.",
        ),
        (
            columns(top),
            "You read the `Projections` of the first box. What is read from the file stands in the scan, the last box "
            "(`Read Parquet`).",
        ),
        (
            lambda got: any(" " in name or "│" in name or "," in name for name in got["columns"]),
            "There are lines, blanks or commas left in the names of the columns: strip them off.",
        ),
        (
            lambda got: got["filters"] and not right["filters"],
            "You report a filter that the scan does not do. It stands in a box of its own, above: all rows were handed "
            "on to it first. Look only into the box `Read Parquet`.",
        ),
        (
            lambda got: right["filters"] and not got["filters"],
            "You found no filter, but there is one in the scan. The text may stand in the lines below `Filters:`.",
        ),
        (
            lambda got: "│" in got["filters"] or "~" in got["filters"] or "╰" in got["filters"],
            "The frame of the box, or the line with the number of rows, is still in `filters`.",
        ),
        (
            lambda got: right["filters"].startswith(got["filters"]) and got["filters"] != right["filters"],
            "`filters` is cut off: it may go on in the next lines. Join them with a blank.",
        ),
    ]


def check_plan(names, queries=None, reveal=True):
    """Question 4; the hidden check gives other queries."""
    read_scan, engine = checks.answer(names, "read_scan", "function"), checks.answer(names, "engine")
    for name, query in (queries or PLAN_QUERIES).items():
        plan = str(explain(engine, query))
        got = checks.call(read_scan, plan)
        told = f"read_scan(plan of {name})" if reveal else "read_scan(another plan)"
        checks.equal(got, scan_of(plan), told, mistakes=plan_mistakes(plan), reveal=reveal)


def check_fast_query(names):
    """Question 4, second part: the same sum, with row groups that are skipped."""
    query, engine = checks.answer(names, "fast_query", str), checks.answer(names, "engine")
    right = engine.con.execute(SLOW_QUERY).fetchone()[0]
    got = checks.accepts(lambda: engine.con.execute(query).fetchall(), "DuckDB must understand `fast_query`.")
    checks.require(len(got) == 1 and len(got[0]) == 1, "`fast_query` must give one number, as `lab.SLOW_QUERY` does.")
    checks.require(
        got[0][0] is not None and "orders" in query, "`fast_query` finds no order: does it name June 2026 and `orders`?"
    )
    until_midnight = "select sum(amount) from orders where ordered_at between '2026-06-01' and '2026-06-30'"
    checks.equal(float(got[0][0]), float(right), "the sum of fast_query", mistakes=[
        (float(engine.con.execute(until_midnight).fetchone()[0]),
         "The sum lacks the 30th of June: '2026-06-30' is the midnight at which this day *begins*. Ask for times "
         "before '2026-07-01'."),
        (lambda value: value > right + 1e-6, "The sum is too large: is there an end, and is it the end of June 2026?"),
    ])  # fmt: skip
    scan = scale.read_plan(engine, query)
    few = len(scan) == 1 and int(scan["row_groups_read"].iloc[0]) <= int(scan["row_groups"].iloc[0]) // 2
    checks.require(
        few,
        "The sum is right, but the plan still reads nearly all row groups: a function or a cast stands around "
        "`ordered_at`. Compare the column itself with the first moment of June and of July.",
    )


# ---------------------------------------------------------------------------------------------------------- question 5
def few_sales():
    """Return the lines of the visible check of question 5."""
    rows = [
        ("O1", "A", "2026-06-20 18:00", 10.0, False),
        ("O1", "A", "2026-06-20 18:00", 5.5, False),
        ("O2", "A", "2026-05-01 09:00", 30.0, False),
        ("O3", "A", "2026-06-25 09:00", 80.0, True),  # all of it came back
        ("O4", "B", "2026-06-30 21:00", 7.0, False),  # on the evening of the day itself
        ("O4", "B", "2026-06-30 21:00", 9.0, True),
        ("O5", "B", "2026-06-29 22:30", 1.25, False),
        ("O6", "C", "2026-07-01 00:00", 50.0, False),  # after the day
        ("O6b", "C", "2026-01-15 12:00", 12.0, False),
        ("O7", None, "2026-06-11 12:00", 99.0, False),
        ("O8", "D", "2026-06-02 08:00", 44.0, True),  # bought, and brought all back
        ("O9", "E", "2026-03-31 23:00", 3.0, False),
        ("O9", "E", "2026-03-31 23:00", 3.0, False),
        ("O9", "E", "2026-03-31 23:00", 4.0, False),
    ]
    sales = pd.DataFrame(rows, columns=["order_id", "customer_ref", "ordered_at", "amount", "returned"])
    sales["ordered_at"] = pd.to_datetime(sales["ordered_at"])
    return sales.astype({"customer_ref": "str"}).sample(frac=1, random_state=6, ignore_index=True)


def rfm_of(sales, as_of, returned=False, later=False, lines=False, newest=False, blank=False, clock=False):
    """Work RFM out with pandas; the other arguments make it wrong."""
    end = pd.Timestamp(as_of).normalize() + pd.Timedelta("1D")
    kept = sales[(sales["ordered_at"] < end) | later]
    kept = kept[~kept["returned"] | returned]
    if blank:
        kept = kept.fillna({"customer_ref": ""})
    today = kept["ordered_at"].max().normalize() if newest else pd.Timestamp(as_of)
    own = kept.groupby("customer_ref")
    last = own["ordered_at"].max()
    table = pd.DataFrame({"recency": (today - (last if clock else last.dt.normalize())).dt.days})
    table["frequency"] = own["order_id"].size() if lines else own["order_id"].nunique()
    return table.assign(monetary=own["amount"].sum().round(2)).reset_index()


def rfm_mistakes(sales, as_of):
    """Return the wrong tables that students get, each with its sentence."""
    right = rfm_of(sales, as_of)
    names = right["customer_ref"].tolist()

    def column(name, **wrong):
        other = rfm_of(sales, as_of, **wrong).set_index("customer_ref")[name].reindex(names)
        differs = not np.allclose(other, right[name])
        return lambda got: differs and np.allclose(got.set_index("customer_ref")[name].reindex(names), other)

    return [
        (
            lambda got: got["customer_ref"].isna().any() or (got["customer_ref"] == "").any(),
            "There is a row without a customer. Orders without `customer_ref` belong to nobody: leave them out.",
        ),
        (
            column("frequency", lines=True),
            "`frequency` counts lines. An order with three articles is *one* order: count different `order_id` "
            "(`nunique`).",
        ),
        (
            column("monetary", returned=True),
            "You count what came back. Leave out lines with `returned` first; an order of which all lines came back "
            "then disappears.",
        ),
        (
            column("recency", newest=True),
            "`recency` is counted from the newest order in the data. Count from the day `as_of`.",
        ),
        (
            column("monetary", later=True),
            "You look into the future: orders after the day `as_of` must be left out.",
        ),
        (
            column("recency", clock=True),
            "`recency` counts spans of 24 hours. Count from day to day: take the `date()` of the last order first.",
        ),
        (
            lambda got: (got["recency"] < 0).any(),
            "`recency` is below 0: orders after the day `as_of` must be left out, or you subtract the wrong way round.",
        ),
        (
            lambda got: set(names) - set(got["customer_ref"]) or got["frequency"].sum() < right["frequency"].sum(),
            "Orders are missing: the whole day `as_of` counts, also its evening. Leave out what is not before the next "
            "midnight.",
        ),
    ]


def check_rfm(names, sales=None, days=None, reveal=True):
    """Question 5; the hidden check gives other sales."""
    rfm_on_engine = checks.answer(names, "rfm_on_engine", "function")
    sales = few_sales() if sales is None else sales
    engine = scale.open_engine("duckdb", {"sales": sales})
    try:
        for as_of in days or [TODAY, pd.Timestamp("2026-06-28")]:
            got = _work_out(rfm_on_engine, scale.take_table(engine, "sales"), as_of)
            what = f"rfm_on_engine(few sales, {as_of.date()})" if reveal else "rfm_on_engine(other sales)"
            told = {"by": "customer_ref", "row": "one per customer", "reveal": reveal}
            compare(got, rfm_of(sales, as_of), what, lambda day=as_of: rfm_mistakes(sales, day), **told)
    finally:
        scale.close_engine(engine)


def _work_out(function, table, as_of):
    """Return the answer to the student's question, or say why it is none."""
    import ibis

    query = checks.call(function, table, as_of, name="rfm_on_engine")
    checks.require(
        not isinstance(query, (pd.DataFrame, pd.Series)),
        "`rfm_on_engine` brings the rows into pandas. Return the Ibis expression itself, without `to_pandas`, "
        "`execute` or `answer`: the engine shall do the work.",
    )
    checks.require(isinstance(query, ibis.expr.types.Table), "`rfm_on_engine` must return an Ibis table expression.")
    return checks.accepts(lambda: scale.answer(query), "DuckDB cannot work your expression out.")


# ---------------------------------------------------------------------------------------------------------- question 6
def few_events():
    """Return the events of the visible check of question 6, not in the order of their arrival."""
    rows = [
        ("08:01:00", "08:01:20"),
        ("08:03:00", "08:03:10"),
        ("08:04:00", "08:13:00"),  # late, but its window is open still: newest 08:12:30, watermark 08:07:30
        ("08:12:30", "08:12:40"),
        ("08:15:00", "08:15:05"),  # the watermark is 08:10: the first window closes
        ("08:09:59", "08:15:10"),  # too late by one event
        ("08:10:00", "08:15:20"),  # the next window begins with its start
        ("08:21:00", "08:21:01"),
        ("08:37:00", "08:37:02"),
        ("08:22:00", "08:39:00"),  # too late
        ("08:31:00", "08:39:30"),  # older than the watermark of 08:32, but its window ends at 08:40
        ("07:58:00", "08:41:00"),  # too late, the only one of its window
        ("08:33:00", "08:46:00"),
        ("08:36:00", "08:47:00"),  # in time: the newest event time is 08:37 still, whatever the clock says
    ]
    stream = pd.DataFrame(rows, columns=["happened_at", "arrived_at"])
    for column in stream.columns:
        stream[column] = pd.to_datetime("2026-06-01 " + stream[column])
    return stream.assign(event_id=[f"E{each:02d}" for each in range(len(stream))]).sample(frac=1, random_state=9)


def windows_one_by_one(stream, size="10min", wait="5min", wrong=None):
    """Count event by event; `wrong` names a mistake."""
    size, wait, newest, counts = pd.Timedelta(size), pd.Timedelta(wait), None, {}
    if wrong != "unsorted":
        stream = stream.sort_values("arrived_at")
    for event in stream.itertuples():
        time = event.arrived_at if wrong == "arrival" else event.happened_at
        start = time.floor(size)
        watermark = None if newest is None else newest - (pd.Timedelta(0) if wrong == "no wait" else wait)
        end = time if wrong == "own time" else start + size
        late = watermark is not None and (end < watermark if wrong in ("open", "own time") else end <= watermark)
        late = late and wrong not in ("arrival", "none late")
        row = counts.setdefault(start, [0, 0])
        row[1] += late
        row[0] += not late or wrong == "both"
        clock = event.arrived_at if wrong == "clock" else event.happened_at
        newest = clock if newest is None else max(newest, clock)
    table = pd.DataFrame([[start, *row] for start, row in sorted(counts.items())], columns=["start", "events", "late"])
    if wrong == "end":
        table["start"] += size
    if wrong in ("lost", "dropped"):
        table = table[table["events"] > 0].reset_index(drop=True)
    if wrong in ("silent", "dropped"):
        table["late"] = 0
    return table


WINDOW_MISTAKES = {
    "arrival": "You put the events into windows by their arrival. What happened at 8:09 belongs to the window of 8:00, "
    "whenever it comes: floor `happened_at`.",
    "unsorted": "The rows do not stand in the order of arrival: sort by `arrived_at` before you take the newest "
    "(`cummax`).",
    "none late": "You count each event, however late it came. A window that was closed has been sent: what comes "
    "then is late.",
    "both": "Late events stand in `events` too. They came after the window was closed: count them in `late` only.",
    "silent": "The late events are gone without a trace. Count them in `late`.",
    "dropped": "The late events are gone without a trace. Count them in `late`.",
    "end": "Your `start` is the end of the window.",
    "no wait": "You do not wait: the watermark is the newest event time *less* `wait`.",
    "own time": "You compare the time of the event with the watermark. It is late only when the *end* of its window "
    "has been reached: before that the window is open.",
    "clock": "Your watermark follows the arrival. It is the newest *event time* (`happened_at`), less `wait`.",
    "open": "A window whose end *equals* the watermark is closed, too (`<=`).",
    "lost": "A window that got only late events is missing: it has 0 `events`.",
}


def window_mistakes(stream, size, wait):
    """Return the wrong tables that students get, each with its sentence."""
    right = windows_one_by_one(stream, size, wait)
    found = [(windows_one_by_one(stream, size, wait, name), text) for name, text in WINDOW_MISTAKES.items()]
    started = [
        (
            lambda got: "start" not in got.columns and got.index.name is not None,
            "`start` is the index; a column is asked for: `reset_index()`.",
        )
    ]
    return started + [pair for pair in found if not pair[0].equals(right)]


def check_windows(names):
    """Question 6."""
    count_windows = checks.answer(names, "count_windows", "function")
    stream = few_events()
    for size, wait in (("10min", "5min"), ("30min", "1min")):
        got = checks.call(count_windows, stream, size, wait)
        right = windows_one_by_one(stream, size, wait)
        what = f"count_windows(fourteen events, {size!r}, {wait!r})"
        told = {"by": "start", "row": "one per window"}
        compare(got, right, what, lambda size=size, wait=wait: window_mistakes(stream, size, wait), **told)


# ---------------------------------------------------------------------------------------------------------- question 7
def bill(size_gb, share, questions, prices, tb=1000, kept=1.0, part=None):
    """Return the bill of a month in CNY; the last three arguments make it wrong."""
    part = share if part is None else part
    return kept * size_gb * prices["storage"] + questions * size_gb * part / tb * prices["scan"]


def first_cheaper(size_gb, share, prices, **wrong):
    """Return the least whole number of questions at which the server is cheaper, by trying around the answer."""
    always, each = bill(size_gb, share, 0, prices, **wrong), bill(size_gb, share, 1, prices, **wrong)
    number = max(0, math.floor((prices["server"] - always) / (each - always)) - 2)
    while bill(size_gb, share, number, prices, **wrong) <= prices["server"] + 1e-9:
        number += 1
    return number


BILL_CASES = [(400, 1.0, 20), (400, 0.25, 20), (2000, 0.05, 0), (64, 0.5, 3000)]
EVEN_CASES = [(400, 1.0), (2000, 0.05), (1000, 0.25), (30_000, 0.5)]
EVEN_PRICES = {"scan": 35.0, "storage": 0.15, "server": 3650.0}  # 1,000 GB, a quarter: 400 questions cost just that


def bill_mistakes(case, prices):
    """Return the wrong bills that students get, each with its sentence."""
    right = bill(*case, prices)
    size, share, questions = case
    scan, storage = prices["scan"], prices["storage"]
    wrong = [
        (
            bill(*case, prices, tb=1),
            "Your scans are paid by the GB; the price is for a TB. 1 TB = 1,000 GB.",
        ),
        (bill(*case, prices, tb=1024), "Here 1 TB is 1,000 GB, not 1,024."),
        (bill(*case, prices, tb=1e6), "You divided by a million: the size is in GB, and 1 TB = 1,000 GB."),
        (
            bill(*case, prices, kept=0),
            "The storage is missing: the files are paid for each month, even if nobody asks.",
        ),
        (
            bill(*case, prices, part=1.0),
            "Each question reads a *share* of the bytes: multiply by `share`.",
        ),
        (
            bill(*case, prices, kept=share),
            "You pay storage for the share that is read. All of the files lie there: only the scan goes by `share`.",
        ),
        (
            (size * storage + size * share / 1000 * scan) * questions,
            "You pay the storage with each question. It is paid once a month.",
        ),
        (size * storage + size * share / 1000 * scan, "You reckon one question: multiply the scan by `questions`."),
    ]
    return [pair for pair in wrong if abs(pair[0] - right) > 1e-6]


def even_mistakes(case, prices):
    """Return the wrong break-evens that students get, each with its sentence."""
    right = first_cheaper(*case, prices)
    size, share = case
    exact = (prices["server"] - size * prices["storage"]) / (size * share / 1000 * prices["scan"])
    wrong = [
        (first_cheaper(*case, prices, tb=1), "Your scans are paid by the GB; the price is for a TB. 1 TB = 1,000 GB."),
        (
            first_cheaper(*case, prices, kept=0),
            "The storage is missing: who pays by use pays it in any case, so the server is reached earlier.",
        ),
        (first_cheaper(*case, prices, part=1.0), "Each question reads a *share* of the bytes: multiply by `share`."),
        (first_cheaper(*case, prices, tb=1024), "Here 1 TB is 1,000 GB, not 1,024."),
        (lambda got: got < 0, "Less than no question? If the storage alone costs more than the server, it is 0."),
        (
            math.floor(exact + 1e-9),
            "At just this number both cost the same. The server is *cheaper* from the next one on."
            if abs(exact - round(exact)) < 1e-9
            else "One too few: at this number the server does not yet cost *less*. Take the next whole number.",
        ),
        (
            lambda got: isinstance(got, float) and abs(got - exact) < 1e-6,
            "A whole number of questions is asked for (int): the first one at which the server is cheaper.",
        ),
    ]
    return [pair for pair in wrong if callable(pair[0]) or pair[0] != right]


def check_cost(names):
    """Question 7."""
    monthly_bill, break_even = (checks.answer(names, name, "function") for name in ("monthly_bill", "break_even"))
    for case in BILL_CASES:
        got = checks.call(monthly_bill, *case, PRICES, name="monthly_bill")
        told = f"monthly_bill({', '.join(map(str, case))}, prices)"
        checks.equal(got, bill(*case, PRICES), told, mistakes=bill_mistakes(case, PRICES))
    for case in EVEN_CASES:
        got = checks.call(break_even, *case, EVEN_PRICES, name="break_even")
        told = f"break_even({', '.join(map(str, case))}, prices)"
        checks.equal(got, first_cheaper(*case, EVEN_PRICES), told, mistakes=even_mistakes(case, EVEN_PRICES))


# ---------------------------------------------------------------------------------------------------------- question 8
SIZES = {"S": 3_000, "M": 100_000, "L": 1_000_000, "XL": 10_000_000}
# Measured once by benchmarks/bench_scale.py (question rfm) on a machine with two cores: processor seconds of the start
# and the question together, and peak memory in GB. DuckDB had memory="1GB" at XL; Spark was not tried there.
MEASURED = {
    "pandas": [(0.5, 0.15), (0.7, 0.26), (3.5, 0.99), (41.4, 6.89)],
    "DuckDB": [(1.1, 0.20), (1.4, 0.23), (3.2, 0.50), (38.7, 1.19)],
    "Spark": [(22.6, 0.99), (28.6, 1.47), (42.7, 2.25), (math.nan, math.nan)],
}
QUESTIONS = 100_000  # a month: dashboards that refresh themselves


def board(orders, folder):
    """Return the figures of question 8.

    Parameters
    ----------
    orders, folder
        As `prepare` returns them.

    Returns
    -------
    measured : pandas.DataFrame
        What RFM cost each engine by size, measured once; not on this machine.
    costs : pandas.DataFrame
        What the sales of June, asked 100,000 times a month, cost by size and by how the orders lie: from the files of
        this edition, as if all of them grew alike.

    Examples
    --------
    >>> given = prepare()
    >>> measured, costs = board(given[0], given[-1])
    >>> len(measured), len(costs)
    (4, 12)
    """
    measured = {
        (engine, what): [each[place] for each in values]
        for place, what in enumerate(["processor seconds", "peak memory (GB)"])
        for engine, values in MEASURED.items()
    }
    index = [f"{name}: {number:,} persons" for name, number in SIZES.items()]
    grown = {
        (name, form): _grow(size, read, number / SIZES["S"])
        for name, number in SIZES.items()
        for form, (size, read) in june_reads(orders, folder).items()
    }
    columns = ["orders (GB)", "read by a question (MB)", "by use (CNY a month)"]
    costs = pd.DataFrame(grown, index=columns).T
    return pd.DataFrame(measured, index=index), costs.round(2)


def _grow(size, read, times):
    """Return the size, what one question reads, and the bill, of files so many times as large."""
    return [size / 1e9 * times, read / 1e6 * times, bill(size / 1e9 * times, read / size, QUESTIONS, PRICES)]


def june_reads(orders, folder):
    """Return, by how the orders lie, their bytes and those that the sales of June 2026 must read."""
    home, file = new_folder(), folder / "orders.parquet"
    orders.to_csv(home / "orders.csv", index=False)
    orders[orders["ordered_at"] >= "2026-06-01"].to_parquet(home / "june.parquet", index=False)
    whole, packed, june = (path.stat().st_size for path in (home / "orders.csv", file, home / "june.parquet"))
    return {
        "CSV": (whole, whole),
        "Parquet": (packed, packed * share_read(file, ["amount"], "ordered_at")),
        "Parquet by month": (packed, june * share_read(home / "june.parquet", ["amount"], None)),
    }
