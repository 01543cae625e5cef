"""Eight cases (案例), each with a question, data of the same shape, and a failure that one can compute.

`CASES` tells what a reader is told: the trade, the question, what the tables hold, what to compute. What went wrong is
not in it. Make the tables with `case_data`, look for the failure, and then compare with `find_failure` and
`case_answer`. All firms and people are invented.
"""

import pandas as pd

from cimlab.analysis.columns import need

CASES = pd.DataFrame(
    [
        (
            "bank",
            "银行",
            "The bank has built one central customer base. Why do so many letters and calls still go to old numbers?",
            "central: one row a customer; branches: the copy of each branch",
            "Join copy and centre by customer; compare the numbers, and the day of the copy with that of the change",
        ),
        (
            "e-commerce",
            "电子商务",
            "Which articles may the recommender push because customers praise them?",
            "ratings: one row a rating; orders: who bought which article",
            "Mean stars of all ratings against those with an order; the day on which the others came",
        ),
        (
            "maker",
            "制造业",
            "Sales says the factory delivers late, the factory says it has stock. Which articles are really short?",
            "orders, stock, production: each department's own table and own article number",
            "The share of the ordered quantity that finds its article in the stock, as written and with one key",
        ),
        (
            "hotel",
            "酒店",
            "The chain promises to know its guests. Why do guests tell the same wish again?",
            "stays: a coded preference, and three places for remarks",
            "Wishes in the remarks for which the coded field is blank; guests who had to say the same twice",
        ),
        (
            "retailer",
            "零售业",
            "Nearly everybody logs in to the new system each day. Is it adopted?",
            "logins: staff and days; entries: where customer records were written",
            "The share of staff days with a login against the share of the entries made in the new system",
        ),
        (
            "finance",
            "金融",
            "Few accounts are closed. Is the churn low?",
            "accounts: opened and closed; payments: each with its day",
            "Open accounts without a payment in the last 180 days, against accounts closed",
        ),
        (
            "clinic",
            "医疗",
            "Each prescription is checked against the allergies on file. Is a patient safe?",
            "patients: one row a patient number; prescriptions: drug and day",
            "Persons with two numbers (same name and birth date) whose allergy stands at one of them only",
        ),
        (
            "failed project",
            "失败的CRM项目",
            "The new CRM is filled to the last field as the target asked. Why does nobody trust its forecast?",
            "records: one row a sales chance, before and after the target, and what was really sold",
            "Fullness before and after; how often the most frequent value stands; forecast against sale",
        ),
    ],
    columns=["case", "case_zh", "question", "tables", "compute"],
)

_ANSWERS = {
    "bank": ("stale copies", "Branches keep copies of the central record; changes in the centre do not reach them."),
    "e-commerce": ("bought ratings", "Accounts that never bought gave full stars to a few articles within days."),
    "maker": ("no shared key", "Sales, stock and production write the same article in three ways; nothing joins."),
    "hotel": ("free text", "Wishes stand in words, each time in another place; the field that is read stays blank."),
    "retailer": (
        "old system used",
        "Staff log in because logins are counted, and write the records in the old system.",
    ),
    "finance": ("silent churn", "Customers leave without closing: they stop paying in, and the account stays open."),
    "clinic": (
        "split record",
        "One patient has two numbers; the check reads one of them, the allergy is at the other.",
    ),
    "failed project": (
        "filled to please",
        "Fields were filled to reach the target: full, alike, and without information.",
    ),
}


def case_answer(name):
    """Open the envelope of a case: what went wrong.

    Parameters
    ----------
    name : str
        As in ``CASES["case"]``.

    Returns
    -------
    tuple of (str, str)
        Failure mode and what happened.

    Raises
    ------
    ValueError
        There is no such case.

    Examples
    --------
    >>> case_answer("maker")[0]
    'no shared key'
    """
    if name not in _ANSWERS:
        raise ValueError(f"there is no case {name!r}; choose one of {', '.join(_ANSWERS)}")
    return _ANSWERS[name]


def _bank(tables):
    central = need(tables["central"], ["customer_id", "phone", "updated_on"], "central table")
    copies = need(tables["branches"], ["customer_id", "phone", "copied_on"], "branches table")
    both = copies.merge(central, on="customer_id", suffixes=("_copy", ""))
    differ = both["phone_copy"] != both["phone"]
    older = both["copied_on"] < both["updated_on"]
    return [
        ("copies that are older than a change and differ from the centre", (differ & older).mean(), 0.10),
        ("copies that differ from the centre", differ.mean(), None),
        ("of those that differ, older than a change", older[differ].mean(), None),
    ]


def _e_commerce(tables):
    ratings = need(tables["ratings"], ["account_id", "product_id", "stars"], "ratings table")
    orders = need(tables["orders"], ["account_id", "product_id"], "orders table").drop_duplicates()
    known = ratings.merge(orders.assign(bought=True), on=["account_id", "product_id"], how="left")
    bought = known["bought"].notna()
    means = known.groupby("product_id")["stars"].mean() - known[bought].groupby("product_id")["stars"].mean()
    return [
        (
            "stars more over all ratings than over those of buyers",
            known["stars"].mean() - known["stars"][bought].mean(),
            0.20,
        ),
        ("ratings without an order", 1 - bought.mean(), None),
        ("stars more, of the most praised article", means.max(), None),
    ]


def one_key(codes):
    """Bring article numbers of three departments to one form: number, and first letter of the colour.

    Examples
    --------
    >>> one_key(pd.Series(["A-0012/BLACK", "12BK", "P0012-black"])).tolist()
    ['12B', '12B', '12B']
    """
    parts = codes.str.upper().str.extract(r"^[AP]?-?0*(\d+)[/\- ]?([A-Z])")
    return parts[0] + parts[1]


def _maker(tables):
    orders = need(tables["orders"], ["item_code", "quantity"], "orders table")
    stock = need(tables["stock"], ["stock_code", "on_hand"], "stock table")
    made = need(tables["production"], ["part_no", "quantity"], "production table")
    asked, total = orders["quantity"], orders["quantity"].sum()
    as_written = asked[orders["item_code"].isin(stock["stock_code"])].sum() / total
    with_key = asked[one_key(orders["item_code"]).isin(one_key(stock["stock_code"]))].sum() / total
    need_of = asked.groupby(one_key(orders["item_code"])).sum()
    there = stock.groupby(one_key(stock["stock_code"]))["on_hand"].sum()
    there = there.add(made.groupby(one_key(made["part_no"]))["quantity"].sum(), fill_value=0)
    short = need_of > there.reindex(need_of.index).fillna(0)
    return [
        ("ordered quantity that finds no stock as written", 1 - as_written, 0.20),
        ("ordered quantity that finds no stock with one key", 1 - with_key, None),
        ("articles that are really short", short.mean(), None),
    ]


WISHES = {"quiet": "quiet|安静|noise", "high": "high floor|高楼层|upper", "vegetarian": "vegetarian|素食|no meat"}


def _hotel(tables):
    notes = ["desk_note", "kitchen_note", "bill_note"]
    stays = need(tables["stays"], ["stay_id", "guest_id", "preference", *notes], "stays table")
    text = stays[notes].fillna("").agg(" ".join, axis=1).str.lower()
    told = pd.concat(
        [stays[text.str.contains(words)].assign(wish=wish) for wish, words in WISHES.items()], ignore_index=True
    )
    lost = told["preference"].isna()
    times = told.groupby(["guest_id", "wish"]).size()
    return [
        ("wishes told in words while the coded field is blank", lost.mean(), 0.20),
        ("wishes of a guest that were told more than once", (times > 1).mean(), None),
    ]


def _retailer(tables):
    logins = need(tables["logins"], ["staff_id", "logged_in"], "logins table")
    entries = need(tables["entries"], ["staff_id", "system"], "entries table")
    new = (entries["system"] == "new").groupby(entries["staff_id"]).mean()
    return [
        (
            "share of logins above the share of entries in the new system",
            logins["logged_in"].mean() - (entries["system"] == "new").mean(),
            0.20,
        ),
        ("staff days with a login", logins["logged_in"].mean(), None),
        ("entries in the new system", (entries["system"] == "new").mean(), None),
        ("staff who write less than half in the new system", (new < 0.5).mean(), None),
    ]


def _finance(tables):
    accounts = need(tables["accounts"], ["account_id", "closed_on"], "accounts table")
    payments = need(tables["payments"], ["account_id", "paid_on"], "payments table")
    end = payments["paid_on"].max()
    last = accounts["account_id"].map(payments.groupby("account_id")["paid_on"].max())
    silent = last.isna() | (last < end - pd.Timedelta(days=180))
    is_open = accounts["closed_on"].isna()
    return [
        ("open accounts that are silent", silent[is_open].mean(), 0.10),
        ("accounts closed", 1 - is_open.mean(), None),
        ("accounts closed or silent", (silent | ~is_open).mean(), None),
    ]


def _clinic(tables):
    patients = need(tables["patients"], ["patient_id", "name", "birth_date", "allergy"], "patients table")
    given = need(tables["prescriptions"], ["patient_id", "drug"], "prescriptions table")
    person = patients.groupby(["name", "birth_date"]).ngroup()
    numbers = person.map(person.value_counts())
    told = patients["allergy"].notna()
    half = (numbers > 1) & told.groupby(person).transform("any") & ~told.groupby(person).transform("all")
    known = patients.assign(person=person)
    given = given.merge(known[["patient_id", "person", "allergy"]], on="patient_id")
    allergies = known.dropna(subset=["allergy"])[["person", "allergy"]].drop_duplicates()
    danger = given.merge(allergies, left_on=["person", "drug"], right_on=["person", "allergy"], suffixes=("", "_known"))
    return [
        ("persons whose allergy stands at one of two numbers", half.groupby(person).any().mean(), 0.02),
        ("persons with two numbers", (person.value_counts() > 1).mean(), None),
        ("prescriptions against a known allergy", float(len(danger)), None),
        ("… of which the check by number stopped", float((danger["drug"] == danger["allergy"]).sum()), None),
    ]


def _failed_project(tables):
    columns = ["period", "industry", "expected", "next_contact", "sold"]
    records = need(tables["records"], columns, "records table")
    fields = columns[1:4]
    before, after = (records[records["period"] == period] for period in ("before", "after"))
    top = {
        period: pd.Series({field: part[field].value_counts(normalize=True).iloc[0] for field in fields}).mean()
        for period, part in (("before", before), ("after", after))
    }
    return [
        ("share of the most frequent value, after less before", top["after"] - top["before"], 0.20),
        ("fields filled, before", before[fields].notna().to_numpy().mean(), None),
        ("fields filled, after", after[fields].notna().to_numpy().mean(), None),
        ("correlation of forecast and sale, before", before["expected"].corr(before["sold"], method="spearman"), None),
        ("correlation of forecast and sale, after", after["expected"].corr(after["sold"], method="spearman"), None),
    ]


_MEASURES = {
    "bank": _bank,
    "e-commerce": _e_commerce,
    "maker": _maker,
    "hotel": _hotel,
    "retailer": _retailer,
    "finance": _finance,
    "clinic": _clinic,
    "failed project": _failed_project,
}


def find_failure(name, tables):
    """Measure what went wrong in a case: the reference with which a reader's own figures are compared.

    The first measure decides: if it is above its `alarm`, the failure is there. The alarm is a convention for these
    small tables, not a rule of the trade.

    Parameters
    ----------
    name : str
        As in ``CASES["case"]``.
    tables : dict of str to pandas.DataFrame
        As made by `case_data`.

    Returns
    -------
    pandas.DataFrame
        measure, value, alarm (of the first measure only), found (True or False; missing where there is no alarm).

    Raises
    ------
    ValueError
        There is no such case, or a table or column is missing.

    Examples
    --------
    >>> from cimlab.strategy import case_data
    >>> find_failure("maker", case_data("maker", seed=1)).round(2).head(2)
                                                 measure  value  alarm  found
    0    ordered quantity that finds no stock as written    1.0    0.2   True
    1  ordered quantity that finds no stock with one key    0.0    NaN   <NA>
    """
    case_answer(name)
    try:
        rows = _MEASURES[name](tables)
    except KeyError as missing:
        has = ", ".join(map(str, tables))
        raise ValueError(f"find_failure({name!r}) needs the table {missing.args[0]}; given: {has}") from None
    table = pd.DataFrame(rows, columns=["measure", "value", "alarm"]).astype({"value": "float64", "alarm": "float64"})
    return table.assign(found=(table["value"] > table["alarm"]).astype("boolean").where(table["alarm"].notna()))
