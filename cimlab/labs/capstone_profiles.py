"""Capstone, part B: the finished base as it is given, tools that measure, and what the visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps. The
checks here look at the form of an answer; what it is worth is measured by `cimlab.capstone`, after submission.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import copy
import html
import sqlite3
import sys
import textwrap
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

import cimlab
from cimlab import analysis, capstone, checks, collection, mining, profiles
from cimlab._sqlite import open_read_only
from cimlab.analysis.columns import after

TODAY = pd.Timestamp("2026-06-30")
TRY_AT, LABELS_AT = pd.Timestamp("2025-06-30"), pd.Timestamp("2025-12-31")
CUTOFF, DAYS = pd.Timestamp("2026-03-31"), 90
NEEDED = {
    "customer_file": ["customer_id", "gender", "birth_date", "city"],
    "customer_source": ["record_id", "customer_id"],
    "transactions": ["order_id", "customer_id", "channel", "ordered_at", "amount"],
}
# The numbers that the paper needs: name → what it is, its unit ("count", "share", "CNY", "auc").
NUMBERS = {
    "customers": ("customers with a purchase in two years: `len(buyers)`", "count"),
    "labelled": ("share of them with any label of today, of `make_labels(lines, today)`", "share"),
    "labels_true": ("share of your labels that came true from January to June 2026", "share"),
    "segments": ("segments", "count"),
    "largest": ("share of `buyers` in the largest segment", "share"),
    "tested": ("customers in `test`", "count"),
    "came": ("share of them who bought within 90 days", "share"),
    "auc": ("AUC in the test", "auc"),
    "auc_low": ("lower end of its 95 % interval (`mining.compare_scores`)", "auc"),
    "auc_high": ("upper end", "auc"),
    "regulars": ("regulars on 30 June 2026", "count"),
    "candidates": ("regulars who agreed to marketing and to profiling", "count"),
    "threshold": ("chance to stay away from which a parcel pays", "share"),
    "contacted": ("rows of `contacts`", "count"),
    "cost": ("CNY for all parcels", "CNY"),
    "gain": ("CNY that they are expected to bring, cost taken off", "CNY"),
    "gain_half": ("the same parcels, if half as many are kept", "CNY"),
}


def prepare(folder="."):
    """Return what part B starts from.

    Parameters
    ----------
    folder : str or pathlib.Path
        Where the base of part A is looked for.

    Returns
    -------
    types.SimpleNamespace
        about (which base it is); customers, sources (tables of the base); orders (its purchases of known customers:
        customer_id, order_id, channel, ordered_at, amount); lines (as ``profiles.purchase_lines``); table (as
        ``profiles.gather_variables``, buyers of two years only); buyers (their customer_id); consent (one row a
        customer: customer_id, marketing, profiling ("given", "withdrawn", "never given"); and for a card state, since,
        allowed); money (dict: value and cost in CNY, success).

    Examples
    --------
    >>> given = prepare()
    >>> len(given.table) == len(given.buyers), given.money["cost"]
    (True, 4.0)
    """
    path, about = find_base(folder)
    parts = _read(path, path.stat().st_mtime_ns)
    return SimpleNamespace(about=about, **{name: copy.deepcopy(part) for name, part in parts.items()})


@lru_cache(maxsize=2)
def _read(path, _changed):
    """Return what `prepare` returns; it is asked for by each check, and takes a second."""
    with closing(open_read_only(path)) as door:
        customers, sources, orders = (pd.read_sql(f"SELECT * FROM {name}", door) for name in NEEDED)
    customers["birth_date"] = pd.to_datetime(customers["birth_date"], errors="coerce")
    orders["ordered_at"] = pd.to_datetime(orders["ordered_at"], format="ISO8601")
    orders = orders.dropna(subset="customer_id").sort_values(["ordered_at", "order_id"], ignore_index=True)
    tables = {name: cimlab.load(name) for name in profiles.TABLES}
    owner = pd.DataFrame({"record_id": orders["customer_id"].unique()}).assign(customer_id=lambda who: who["record_id"])
    bought = orders.rename(columns={"customer_id": "customer_ref"})
    lines = profiles.purchase_lines(bought, tables["order_lines"], tables["products"], owner, TODAY)
    table = profiles.gather_variables(customers, sources, tables, TODAY)
    table = table[table["customer_id"].isin(orders["customer_id"]) & (table["frequency"] > 0)].reset_index(drop=True)
    orders = orders[["customer_id", "order_id", "channel", "ordered_at", "amount"]]
    goods = (tables["order_lines"], tables["products"])
    year = analysis.value_table(orders, *goods, as_of=TODAY, returns=tables["returns"]).set_index("customer_id")
    value = round(float(year["profit"].reindex(regulars_of(orders, TODAY)).mean()), 2)
    return {
        "customers": customers, "sources": sources, "orders": orders, "lines": lines, "table": table,
        "buyers": table["customer_id"].tolist(), "consent": consent_today(sources),
        "money": {"value": value, "cost": 4.0, "success": 0.1},
    }  # fmt: skip


def find_base(folder="."):
    """Return the path of the base of part A, or of the checkpoint, and a sentence on which it is.

    Parameters
    ----------
    folder : str or pathlib.Path

    Returns
    -------
    path : pathlib.Path
    about : str

    Examples
    --------
    >>> find_base("nowhere")[1]
    'There is no base of part A beside this notebook: this is the base of the checkpoint.'
    """
    own = next((path for name in capstone.OWN_BASES if (path := Path(folder, name)).is_file()), None)
    fault = own and base_fault(own)
    if own and not fault:
        return own, f"This is your own base, {own.name}."
    why = f"{own.name} cannot be used ({fault})" if own else "There is no base of part A beside this notebook"
    return capstone.checkpoint("base"), f"{why}: this is the base of the checkpoint."


def base_fault(path):
    """Say what keeps part B from starting with a base, or None.

    Examples
    --------
    >>> base_fault("nowhere.db")
    'it is no SQLite base'
    """
    try:
        with closing(open_read_only(path)) as door:
            there = {row[0] for row in door.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")}
            for name, columns in NEEDED.items():
                if name not in there:
                    return f"there is no table {name}"
                has = {row[1] for row in door.execute(f"PRAGMA table_info({name})")}
                absent = [column for column in columns if column not in has]
                if absent:
                    return f"{name} lacks {', '.join(absent)}"
            few = "SELECT count(DISTINCT customer_id) FROM transactions JOIN customer_file USING (customer_id)"
            if (known := door.execute(few).fetchone()[0]) < 500:
                return f"{known} customers of customer_file have a purchase in transactions"
    except sqlite3.Error:
        return "it is no SQLite base"
    return None


def consent_today(sources):
    """Return what the ledger says of each customer when the last day is over: one record that withdraws is enough."""
    moment = after(TODAY)
    ledger, owner = cimlab.load("consents"), sources.set_index("record_id")["customer_id"]
    table = profiles.may_profile(ledger, sources, moment)
    state = collection.consent_state(ledger, moment, owner.index.to_series(), ["marketing"])
    said = collection.consent_of_customers(state, owner)
    table.insert(1, "marketing", table["customer_id"].map(said))
    table.insert(2, "profiling", table["state"])
    return table


def regulars_of(orders, at):
    """Return who bought three times or more in the 365 days up to a day, the last time fewer than 180 days ago.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "a", "a", "b"], "order_id": ["o1", "o2", "o3", "o4"],
    ...     "channel": "web", "amount": 9.0,
    ...     "ordered_at": pd.to_datetime(["2025-08-01", "2026-02-01", "2026-05-01", "2026-06-01"])})
    >>> regulars_of(orders, TODAY)
    ['a']
    """
    known = mining.label_customers(orders, at)
    return known.loc[(known["frequency"] >= 3) & (known["recency"] < 180), "customer_id"].tolist()


def bands():
    """Return the bands of part B as one row per criterion, the best first: what the report is read off."""
    table = capstone.bands_table("B")
    table["band"] = (
        table["points"].astype("str") + np.where(table["points"] == 1, " point: ", " points: ") + table["band"]
    )
    table = table[table["points"] > 0].groupby(["criterion", "measure"], sort=False)["band"].agg("; ".join)
    return table.reset_index().set_index("criterion")


def label_lifts(lines, labels, claims, at, until):
    """Hold the claim of each label against what the customers did after it (标签检验).

    Parameters
    ----------
    lines : pandas.DataFrame
        As `prepare` returns them.
    labels : pandas.DataFrame
        customer_id, label: made at the day `at`.
    claims : pandas.DataFrame
        label, outcome (a column of ``capstone.later_behaviour``), direction ("more", "less").
    at, until : pandas.Timestamp or str
        The day of the labels; the last day that is looked at after it.

    Returns
    -------
    pandas.DataFrame
        One row per label: label, share (of the customers who bought in the year up to `at`), measured (customers with
        the label who can be measured), lift (mean of the outcome over that of the others), true (20 or more measured, a
        lift of 1.2 or more, for "less" of 1/1.2 or less, and further from the others than two standard errors).

    Examples
    --------
    >>> given = prepare()
    >>> labels = profiles.rule_labels(given.lines, TRY_AT)
    >>> claims = pd.DataFrame({"label": ["long away"], "outcome": ["orders"], "direction": ["less"]})
    >>> lifts = label_lifts(given.lines, labels[labels["label"] == "long away"], claims, TRY_AT, LABELS_AT)
    >>> lifts["lift"].item() < 1
    True
    """
    from cimlab.capstone.score_profiles import measure_claim

    later = capstone.later_behaviour(lines[lines["ordered_at"] < after(until)], at, buyers_at(lines, at))
    said = claims.drop_duplicates("label").set_index("label")
    rows = []
    for label in sorted(labels["label"].unique()):
        holders = labels.loc[labels["label"] == label, "customer_id"]
        measured, lift, _, true = measure_claim(label, holders, said, later) or (0, np.nan, False, False)
        rows.append([label, later.index.isin(holders).mean(), measured, lift, true])
    return pd.DataFrame(rows, columns=["label", "share", "measured", "lift", "true"])


def buyers_at(lines, at):
    """Return who bought in the 365 days up to a day."""
    year = lines["ordered_at"].between(after(at) - pd.Timedelta(days=365), after(at), inclusive="left")
    return sorted(lines.loc[year, "customer_id"].unique())


def came_back(orders, at=CUTOFF, days=DAYS):
    """Return of each customer who bought in the 365 days up to a day whether a purchase followed in the days after."""
    day = orders["ordered_at"].dt.normalize()
    later = orders.loc[(day > at) & (day <= at + pd.Timedelta(days=days)), "customer_id"]
    who = pd.Index(buyers_at(orders, at), name="customer_id")
    return pd.Series(who.isin(later), index=who)


def numbers_wanted():
    """Return the numbers of question 6, with what each of them is."""
    rows = [(name, what.replace("`", ""), unit) for name, (what, unit) in NUMBERS.items()]
    return pd.DataFrame(rows, columns=["name", "what it is", "unit"]).set_index("name")


def tell(report):
    """Write the rows of a report, each with its sentence, as a student reads it after submission; return the points.

    Examples
    --------
    >>> tell(capstone.judge("segment sizes", 0.9, "4 segments.", "Join the two smallest."))
    segment sizes: 1 of 3 points (0.9, band ≥ 0.8)
      4 segments. Join the two smallest.
    1.0
    """
    for row in report.itertuples():
        value = "not measured" if np.isnan(row.value) else f"{row.value:.3g}, band {row.band}"
        sentence = textwrap.fill(row.sentence, 110, initial_indent="  ", subsequent_indent="  ")
        sys.stdout.write(f"{row.criterion}: {row.points} of {row.of} points ({value})\n{sentence}\n")
    return float(report["points"].sum())


# --- Pictures that stand below an answer, and wait for it -------------------------------------------------------------


def show_segments(names):
    """Draw the share of each segment in the customers and in what they spent in two years."""
    from cimlab.plots.style import HATCHES, PALETTE, axes_for, set_title

    segments = names.get("segments")
    if not isinstance(segments, pd.DataFrame) or not {"customer_id", "segment"} <= set(segments.columns):
        return "The picture comes when `segments` has its columns customer_id and segment."
    table, found = prepare().table, segments.drop_duplicates("customer_id").set_index("customer_id")["segment"]
    each = table.groupby(table["customer_id"].map(found))["monetary"]
    shares = pd.DataFrame({"of the customers": each.size(), "of the money": each.sum()})
    shares = (100 * shares / shares.sum()).sort_values("of the money", ascending=False)
    ax, places = axes_for(None), np.arange(len(shares))
    for number, (name, values) in enumerate(shares.items()):
        look = {"color": PALETTE[number], "hatch": HATCHES[number], "edgecolor": "white"}
        drawn = ax.barh(places + 0.4 * number - 0.2, values, 0.38, label=name, **look)
        ax.bar_label(drawn, fmt="%.0f", padding=3)
    ax.set_yticks(places, [str(name) for name in shares.index])
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set(xlabel="share (%)")
    ax.legend()
    set_title(ax, "Segments: their shares of the customers and of the money")
    return None


def show_calibration(names):
    """Draw what the scores of `test` promised and what came; say what is missing as long as there is no `test`."""
    from cimlab import plots

    test = names.get("test")
    if not isinstance(test, pd.DataFrame) or not {"score", "actual"} <= set(test.columns):
        return "The picture comes when `test` has its columns score and actual."
    table = mining.calibration_table(test["actual"].astype("bool"), test["score"].clip(0, 1), bins=5)
    plots.calibration(table, "What the scores promised, and what came", event="bought within 90 days")
    return None


def show_profit(names):
    """Draw what parcels would have earned after the cutoff of the test: all regulars, by their chance to stay away."""
    from cimlab import plots

    test, contacts, threshold = (names.get(name) for name in ("test", "contacts", "threshold"))
    ready = isinstance(test, pd.DataFrame) and {"customer_id", "score", "actual"} <= set(test.columns)
    if not ready or not isinstance(contacts, pd.DataFrame) or not isinstance(threshold, float):
        return "The picture comes when `test`, `threshold` and `contacts` are there."
    given = prepare()
    then = test[test["customer_id"].isin(regulars_of(given.orders, CUTOFF))]
    stay, stayed = 1 - then["score"], ~then["actual"].astype("bool")
    curve = mining.profit_curve(stayed, stay, **given.money)
    drawn, _ = mining.profit_bands(stayed, stay, **given.money)
    chosen = int((stay >= threshold).sum())
    title = "What parcels to all regulars of 31 March would have earned\n(consent is not counted)"
    plots.profit(curve, title, chosen=chosen, bands=drawn)
    return None


def show_paper(paper):
    """Return the page of a paper in a frame of its own, for the notebook and for whoever marks it.

    The pictures, which stand in the page, are closed, so that the notebook does not draw them a second time.
    """
    from IPython.display import HTML
    from matplotlib import pyplot as plt

    if not hasattr(paper, "html"):
        return "The paper stands here as soon as `text` is written."
    page = html.escape(Path(paper.html).read_text(encoding="utf-8"), quote=True)
    plt.close("all")
    style = "width:100%;height:75rem;border:1px solid #888"
    return HTML(f'<div><iframe title="the paper" srcdoc="{page}" style="{style}"></iframe></div>')


def named_in(text, numbers):
    """Return the numbers that a text names.

    Examples
    --------
    >>> named_in("About {share:.0%}.", {"share": 0.2, "cost": 4})
    {'share': 0.2}
    """
    used = capstone.numbers_in(text)
    return {name: value for name, value in numbers.items() if name in used}


# --- The visible checks -----------------------------------------------------------------------------------------------


def check_labels(names):
    """Question 1."""
    make_labels = checks.answer(names, "make_labels", "function")
    claims = checks.answer(names, "claims", pd.DataFrame)
    columns = ["label", "outcome", "direction"]
    checks.table(claims, "claims", columns=columns, key="label", kinds=dict.fromkeys(columns, "text"),
                 row="one per label")  # fmt: skip
    odd = sorted(set(claims["direction"]) - {"more", "less"})
    checks.require(not odd, f"The direction in `claims` is “more” or “less”; there is {odd[:1]}.")
    given = prepare()
    labels = checks.call(make_labels, given.lines, TRY_AT)
    name = "make_labels(lines, lab.TRY_AT)"
    checks.table(labels, name, columns=profiles.LABEL_COLUMNS, key=["customer_id", "label"],
                 row="one per customer and label")  # fmt: skip
    checks.require(len(labels) > 0, f"`{name}` has no row: no customer has a label.")
    blank = labels[["label_zh", "kind", "weight", "since", "seen_on", "source"]].isna().any()
    empty = ", ".join(blank.index[blank])
    checks.require(not empty, f"`{name}` has blanks in {empty}: a label says since when it holds, and why.")
    silent = sorted(set(labels["label"]) - set(claims["label"]))
    checks.require(
        not silent, f"`claims` has no row for the label {silent[:1]}: say what it promises, or drop the label."
    )
    known = capstone.later_behaviour(given.lines, TRY_AT, given.buyers[:1]).columns
    wrong = [outcome for outcome in claims["outcome"] if outcome not in known]
    checks.require(not wrong, f"Nobody can measure the outcome {wrong[:1]} of `claims`; there are: {', '.join(known)}.")


def check_segments(names):
    """Question 2."""
    segments = checks.answer(names, "segments", pd.DataFrame)
    checks.table(segments, "segments", columns=["customer_id", "segment"], key="customer_id",
                 kinds={"segment": "text"}, row="one per customer")  # fmt: skip
    buyers = prepare().buyers
    extra, absent = set(segments["customer_id"]) - set(buyers), set(buyers) - set(segments["customer_id"])
    checks.require(not extra, f"{len(extra)} customers in `segments` are not in `buyers`: leave them out.")
    checks.require(
        not absent, f"{len(absent)} of {len(buyers)} `buyers` have no segment: were rows with blanks dropped?"
    )


def check_cards(names):
    """Question 3."""
    segments = checks.answer(names, "segments", pd.DataFrame)
    checks.require({"customer_id", "segment"} <= set(segments.columns), "Question 3 needs `segments` of question 2.")
    cards, one = checks.answer(names, "cards", dict), checks.answer(names, "one", dict)
    sizes = segments["segment"].value_counts()
    absent = sorted(set(sizes.index) - set(cards), key=str)
    checks.require(not absent, f"`cards` has no card for {len(absent)} of {len(sizes)} segments, such as {absent[:1]}.")
    for name, size in sizes.items():
        check_card(cards[name], f"cards[{name!r}]")
        told = cards[name]["who"]
        checks.require(
            told.startswith(f"{size:,} of "),
            f"`cards[{name!r}]` tells of “{told.split(' customers')[0]}” customers; the segment has {size:,}.",
        )
    check_card(one, "one")
    who = str(one["name"]).removeprefix("Customer ")
    consent = prepare().consent.set_index("customer_id")["profiling"]
    checks.require(who in consent.index, "`one` is the card of one customer: make it by `profiles.customer_persona`.")
    checks.require(
        consent[who] == "given", f"{who} of `one` did not agree to profiling ({consent[who]}): show somebody who did."
    )


def check_card(card, name):
    """Check that a card is one, and says what to do."""
    parts = ["name", "name_zh", "who", "facts", "words", "action"]
    checks.require(
        isinstance(card, dict) and set(parts) <= set(card),
        f"`{name}` is no persona card: make it by `profiles.segment_persona` or `profiles.customer_persona`.",
    )
    action = str(card["action"] or "").strip()
    checks.require(
        len(action) >= 10, f"`{name}` names no action: without one a card is decoration. Say what is done with them."
    )


def check_model(names):
    """Question 4."""
    build = checks.answer(names, "build_features", "function")
    train, test = (checks.answer(names, name, pd.DataFrame) for name in ("train", "test"))
    auc = checks.answer(names, "auc", float)
    given = prepare()
    built = checks.call(build, given.orders, CUTOFF)
    checks.require(
        isinstance(built, pd.DataFrame) and "customer_id" in built,
        "`build_features(orders, cutoff)` returns a table with the column customer_id and the features.",
    )
    checks.require(
        not built["customer_id"].duplicated().any(), "`build_features(…)` has a customer twice: one row per customer."
    )
    for name, frame, needed in (
        ("train", train, ["cutoff", "until"]),
        ("test", test, ["customer_id", "cutoff", "score", "actual"]),
    ):
        lacks = [column for column in needed if column not in frame]
        checks.require(not lacks, f"`{name}` lacks {', '.join(lacks)}.")
    checks.table(test[["customer_id", "score", "actual"]], "test", key="customer_id",
                 kinds={"score": "number", "actual": "true/false"}, row="one per customer")  # fmt: skip
    days = pd.to_datetime(test["cutoff"]).unique()
    checks.require(
        len(days) == 1 and days[0] == CUTOFF, f"`test` holds the cutoff {CUTOFF.date()} and no other: lab.CUTOFF."
    )
    features = [column for column in test if column not in ("customer_id", "cutoff", "score", "actual")]
    checks.require(bool(features), "`test` holds no feature: keep those that the model used.")
    wanted = came_back(given.orders)
    absent = wanted.index.difference(test["customer_id"])
    checks.require(
        len(absent) <= 0.02 * len(wanted),
        f"{len(absent)} of {len(wanted)} customers who bought in the 365 days up to {CUTOFF.date()} are not in `test`.",
    )
    checks.require(0 <= auc <= 1, f"`auc` is {auc:g}; it lies between 0 and 1.")


def check_contacts(names):
    """Question 5."""
    threshold = checks.answer(names, "threshold", float)
    contacts = checks.answer(names, "contacts", pd.DataFrame)
    columns = ["customer_id", "stay_away", "gain"]
    checks.table(contacts, "contacts", columns=columns, key="customer_id",
                 kinds={"stay_away": "number", "gain": "number"}, row="one per customer")  # fmt: skip
    checks.require(len(contacts) > 0, "`contacts` is empty: does a parcel pay for nobody?")
    checks.require(0 < threshold < 1, f"`threshold` is {threshold:g}; it is a chance between 0 and 1.")
    checks.require(
        bool(contacts["stay_away"].between(0, 1).all()), "`stay_away` is a chance: 0 to 1, 1 − the chance to buy."
    )


def check_numbers(names):
    """Question 6."""
    numbers = checks.answer(names, "numbers", dict)
    absent = [name for name in NUMBERS if name not in numbers]
    checks.require(not absent, f"`numbers` lacks {', '.join(absent[:4])}{' …' if len(absent) > 4 else ''}.")
    for name, (what, unit) in NUMBERS.items():
        value = numbers[name]
        checks.require(
            isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and np.isfinite(value),
            f"`numbers[{name!r}]` is no number: {value!r}. The text of the paper rounds it, `numbers` keeps it.",
        )
        checks.require(
            unit not in ("share", "auc") or 0 <= value <= 1,
            f"`numbers[{name!r}]` is {value:g}; it is a share from 0 to 1 ({what.replace('`', '')}).",
        )


def check_paper(names):
    """Question 7: the form of the paper; its contents are marked by hand."""
    text = checks.answer(names, "text", str)
    checks.require(bool(text.strip()), "`text` is still empty: write the paper there, in Markdown.")
    paper = checks.answer(names, "paper")
    pages = getattr(paper, "pages", None)
    for kind in ("html", "pdf"):
        path = getattr(paper, kind, None)
        checks.require(
            path is not None and Path(path).is_file(), f"There is no {kind.upper()}: make it by `capstone.write_paper`."
        )
    checks.require(pages == 2, f"The PDF has {pages} pages; the manager reads two.")
    used = named_in(text, NUMBERS)
    checks.require(
        len(used) >= 10,
        f"The text uses {len(used)} of the numbers by name, such as {{auc:.2f}}; let the notebook write at least ten.",
    )
    checks.require("(figure:" in text, "The text shows no picture: `![what it shows](figure:name)` on its own line.")
