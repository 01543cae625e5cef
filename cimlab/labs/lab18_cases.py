"""Lab 18: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import re

import pandas as pd

from cimlab import checks
from cimlab.strategy import case_data

# The firms of the lab: seed, and whether the program planted the fault. They do not depend on the retailer's edition.
FIRMS = {
    "bank": (41, True),
    "e-commerce": (42, True),
    "maker": (43, True),
    "hotel": (44, True),
    "finance": (45, True),
    "clinic": (46, True),
    "retailer": (47, False),
    "failed project": (48, True),
}
DAY = pd.Timestamp("2026-03-31")
WORDS = {"quiet": ["quiet", "安静", "noise"], "high": ["high floor", "高楼层", "upper"], "vegetarian": ["素食", "meat"]}


def prepare():
    """Return the tables of the firms: name of the case → dict of tables.

    Returns
    -------
    dict of str to dict of str to pandas.DataFrame

    Examples
    --------
    >>> list(prepare()["bank"])
    ['central', 'branches']
    """
    return {name: case_data(name, seed, planted) for name, (seed, planted) in FIRMS.items()}


def other_firms(name, planted=(True, False), seeds=(7, 8)):
    """Return other firms of a case, with and without the fault, and with the rows on which a rule can slip.

    Examples
    --------
    >>> [sorted(firm) for firm in other_firms("hotel", planted=(True,), seeds=(7,))]
    [['stays']]
    """
    firms = [case_data(name, seed, kind) for seed in seeds for kind in planted]
    return [_EDGES[name](firm) if name in _EDGES else firm for firm in firms]


def _bank_with_edges(bank):
    """Add copies on the day of the change, older ones that are right, and a branch in order."""
    central = bank["central"].head(40)
    day = pd.to_timedelta([0, -1, -2, -3] * 10, unit="D")
    more = central.assign(branch=["Hill", "East"] * 20, copied_on=central["updated_on"] + day)
    more["phone"] = more["phone"].mask(more.index % 4 == 0, "17400000000")
    good = central.tail(5).assign(branch="Quay", copied_on=central["updated_on"].max())
    branches = pd.concat([bank["branches"], more, good], ignore_index=True)[list(bank["branches"])]
    return {"central": bank["central"], "branches": branches}


def _shop_with_edges(shop):
    """Add ratings of other articles, before the order and on its day, orders given twice, and an article unsold."""
    ratings, orders = shop["ratings"], shop["orders"]
    some = orders.head(60).rename(columns={"ordered_on": "rated_on"})
    days = pd.to_timedelta([0, -1, 5] * 20, unit="D")
    rated = some.assign(rated_on=some["rated_on"] + days, stars=[1, 5, 2, 4, 3] * 12)
    other = some.assign(product_id="P0099", stars=5)
    again = orders.iloc[2:60:3].assign(ordered_on=orders["ordered_on"] - pd.Timedelta(days=30))
    again = pd.concat([again, orders.head(30)])
    rest = orders.iloc[60:70].assign(product_id="P0098")
    return {
        "ratings": pd.concat([ratings, rated[list(ratings)], other[list(ratings)]], ignore_index=True),
        "orders": pd.concat([orders, again, rest], ignore_index=True),
    }


def _clinic_with_edges(clinic):
    """Add prescriptions against the own number, third numbers, and namesakes with an allergy."""
    patients, given = clinic["patients"], clinic["prescriptions"]
    third = patients[patients["allergy"].notna()].head(30)
    third = third.assign(patient_id="Z" + third["patient_id"].str[1:])
    namesake = third.assign(patient_id="Y" + third["patient_id"].str[1:], birth_date=pd.Timestamp("1999-09-09"))
    own = third.head(6).rename(columns={"allergy": "drug"}).assign(prescribed_on=pd.Timestamp("2026-06-15"))
    return {
        "patients": pd.concat([patients, third, namesake.assign(allergy="statin")], ignore_index=True),
        "prescriptions": pd.concat([given, own[list(given)]], ignore_index=True),
    }


_EDGES = {"bank": _bank_with_edges, "e-commerce": _shop_with_edges, "clinic": _clinic_with_edges}


def board(firms):
    """Return the figures of question 8: the retailer's staff, and the records of the project.

    Returns
    -------
    tuple of (pandas.DataFrame, pandas.DataFrame)

    Examples
    --------
    >>> [table.shape for table in board(prepare())]
    [(3, 2), (2, 3)]
    """
    entries = firms["retailer"]["entries"]
    staff = pd.DataFrame(
        {
            "days with a login": firms["retailer"]["logins"].groupby("staff_id")["logged_in"].mean(),
            "entries in the new system": (entries["system"] == "new").groupby(entries["staff_id"]).mean(),
        }
    )
    rows = {}
    for period, part in firms["failed project"]["records"].groupby("period", sort=False):
        fields = part[["industry", "expected", "next_contact"]]
        top = sum(column.value_counts(normalize=True).iloc[0] for _, column in fields.items()) / 3
        forecast = part["expected"].corr(part["sold"], method="spearman")
        rows[period] = [fields.notna().to_numpy().mean(), top, forecast]
    project = pd.DataFrame(rows, index=["filled", "most frequent value", "forecast and sale"]).T
    return staff.describe().loc[["mean", "min", "max"]].round(2), project.round(2)


# ---------------------------------------------------------------------------------------------------------- question 1
def few_copies():
    """Return the centre and the copies of the visible check of question 1."""
    central = pd.DataFrame(
        [("B1", "17400000001", "2026-03-01"), ("B2", "17400000002", "2026-04-01"), ("B3", "17400000003", "2025-01-01")],
        columns=["customer_id", "phone", "updated_on"],
    )
    copies = pd.DataFrame(
        [
            ("East", "B1", "17409999999", "2026-02-01"),  # stale
            ("East", "B2", "17400000002", "2026-01-01"),  # older than the change, but equal
            ("East", "B3", "17400000030", "2025-06-01"),  # slip
            ("West", "B1", "17400000001", "2026-03-05"),  # good
            ("West", "B2", "17400000020", "2026-04-01"),  # differs, copied on the day of the change: slip
            ("North", "B3", "17400000003", "2025-02-01"),
            ("North", "B2", "17400000200", "2026-03-31"),  # stale by one day
        ],
        columns=["branch", "customer_id", "phone", "copied_on"],
    )
    central["updated_on"], copies["copied_on"] = (
        pd.to_datetime(central["updated_on"]),
        pd.to_datetime(copies["copied_on"]),
    )
    return central, copies


def stale_of(central, branches, differ=True, same_day=False, keep_all=True):
    """Count copy by copy: the slow way, to check the fast one; the options make the known mistakes."""
    known = {row.customer_id: row for row in central.itertuples()}
    counts = {branch: [0, 0, 0] for branch in sorted(set(branches["branch"]))}
    for copy in branches.itertuples():
        one, row = counts[copy.branch], known[copy.customer_id]
        one[0] += 1
        old = copy.copied_on < row.updated_on or (same_day and copy.copied_on == row.updated_on)
        other = copy.phone != row.phone
        one[1] += old and (other or not differ)
        one[2] += other and not old
    rows = [[branch, *numbers] for branch, numbers in counts.items() if keep_all or numbers[1]]
    return pd.DataFrame(rows, columns=["branch", "copies", "stale", "slips"])


def stale_mistakes(central, branches):
    """Return the wrong tables that students get, each with its sentence."""
    right = stale_of(central, branches)
    every = right.assign(stale=right["stale"] + right["slips"], slips=0)
    return [
        (
            stale_of(central, branches, differ=False),
            "A copy that is older than the change but holds the same number does no harm: `stale` asks for copies that "
            "*differ* and are older.",
        ),
        (
            stale_of(central, branches, same_day=True),
            "A copy made *on* the day of the change was not made before it: `copied_on < updated_on`.",
        ),
        (
            right.rename(columns={"stale": "slips", "slips": "stale"})[right.columns],
            "`stale` and `slips` are the wrong way round: the stale ones were copied *before* the centre changed.",
        ),
        (
            stale_of(central, branches, keep_all=False),
            "Branches without a stale copy are gone. Filter inside the count (sum a true/false column), not before "
            "`groupby`: a zero is an answer too.",
        ),
        (every, "All that differ count as stale. Those copied on the day of the change or later are `slips`."),
        (
            right.assign(copies=right["stale"] + right["slips"]),
            "`copies` counts only those that differ. Count all copies of the branch, so that a share can be formed.",
        ),
        (
            lambda got: "copied_on" in got.columns or len(got) == len(branches),
            "Your table has one row per *copy*; the task asks for one per *branch*: group by `branch`.",
        ),
    ]


def check_stale_copies(names):
    """Question 1."""
    stale_copies = checks.answer(names, "stale_copies", "function")
    central, branches = few_copies()
    got = checks.call(stale_copies, central, branches)
    right = stale_of(central, branches)
    mistakes = stale_mistakes(central, branches)
    checks.equal(got, right, "stale_copies(three, seven_copies)", row="one per branch", mistakes=mistakes)


# ---------------------------------------------------------------------------------------------------------- question 2
def few_ratings():
    """Return the ratings and orders of the visible check of question 2."""
    ratings = pd.DataFrame(
        [
            ("W1", "P1", 5, "2026-05-10"),
            ("W2", "P1", 3, "2026-05-11"),  # bought twice
            ("V9", "P1", 5, "2026-05-12"),  # never bought
            ("W1", "P2", 1, "2026-05-13"),  # bought P1, not P2
            ("W3", "P2", 4, "2026-05-14"),
            ("W4", "P2", 5, "2026-05-01"),  # rated before it was bought
            ("V8", "P3", 5, "2026-05-15"),  # nobody who rated it has bought it
        ],
        columns=["account_id", "product_id", "stars", "rated_on"],
    )
    orders = pd.DataFrame(
        [
            ("W1", "P1", "2026-05-01"),
            ("W2", "P1", "2026-04-01"),
            ("W2", "P1", "2026-04-20"),
            ("W3", "P2", "2026-05-14"),  # on the day of the rating
            ("W4", "P2", "2026-05-20"),
        ],
        columns=["account_id", "product_id", "ordered_on"],
    )
    ratings["rated_on"], orders["ordered_on"] = (
        pd.to_datetime(ratings["rated_on"]),
        pd.to_datetime(orders["ordered_on"]),
    )
    return ratings, orders


def honest_of(ratings, orders, by="both", when=True, same_day=True, twice=False, blank=True):
    """Look rating by rating: the slow way, to check the fast one; the options make the known mistakes."""
    days = {}
    for row in orders.itertuples():
        both = {"both": (row.account_id, row.product_id), "account": row.account_id, "product": row.product_id}
        days.setdefault(both[by], []).append(row.ordered_on)
    stars = {product: [] for product in sorted(set(ratings["product_id"]))}
    for row in ratings.itertuples():
        both = {"both": (row.account_id, row.product_id), "account": row.account_id, "product": row.product_id}
        own = [
            day
            for day in days.get(both[by], [])
            if not when or day < row.rated_on or (same_day and day == row.rated_on)
        ]
        stars[row.product_id] += [row.stars] * (len(own) if twice else bool(own))
    rows = [
        (product, len(own), sum(own) / len(own) if own else float("nan"))
        for product, own in stars.items()
        if own or blank
    ]
    return pd.DataFrame(rows, columns=["product_id", "verified", "stars"])


def honest_mistakes(ratings, orders):
    """Return the wrong tables that students get, each with its sentence."""
    means = ratings.groupby("product_id")["stars"].agg(["size", "mean"]).reset_index()
    return [
        (
            means.set_axis(["product_id", "verified", "stars"], axis=1),
            "You take all ratings. Only those count whose account had ordered *this article* by the day of the rating.",
        ),
        (
            honest_of(ratings, orders, by="account"),
            "An account that ordered something else counts too: compare account *and* article.",
        ),
        (
            honest_of(ratings, orders, by="product"),
            "You ask only whether anybody ordered the article. The *same account* must have ordered it.",
        ),
        (
            honest_of(ratings, orders, when=False),
            "W4 rated P2 before ordering it. The order must be on the day of the rating or before it.",
        ),
        (
            honest_of(ratings, orders, same_day=False),
            "W3 ordered P2 on the day of the rating; that counts: `<=`, not `<`.",
        ),
        (
            honest_of(ratings, orders, twice=True),
            "W2 ordered P1 twice, so that your merge doubled the rating. Ask *whether* there is an order: one row per "
            "rating must stay one row.",
        ),
        (
            honest_of(ratings, orders, blank=False),
            "An article without a verified rating is gone. Keep it: `verified` 0, `stars` missing; otherwise nobody "
            "sees that all its praise is unproved.",
        ),
        (
            lambda got: bool((got["stars"] == 0).any()),
            "You give 0 stars where nothing is known. Without a verified rating the mean is *missing*, not 0.",
        ),
    ]


def check_honest_stars(names):
    """Question 2."""
    honest_stars = checks.answer(names, "honest_stars", "function")
    ratings, orders = few_ratings()
    got = checks.call(honest_stars, ratings, orders)
    right, mistakes = honest_of(ratings, orders), honest_mistakes(ratings, orders)
    checks.equal(
        got,
        right,
        "honest_stars(seven_ratings, five_orders)",
        by="product_id",
        row="one per article",
        mistakes=mistakes,
    )


# ---------------------------------------------------------------------------------------------------------- question 3
CODES = ["A-0017/RED", "17RD", "P0017-red", "A-0170/BLACK", "170BK", "P0170-black", "A-0700/RED", "7BK", None]


def key_of(code):
    """Read one code by hand: the slow way, to check the fast one."""
    if not isinstance(code, str):
        return None
    found = re.search(r"(\d+)\W*([A-Za-z])", code)
    return f"{int(found.group(1))}{found.group(2).upper()}"


def keys_of(codes):
    """Return the keys of a Series of codes."""
    return pd.Series([key_of(code) for code in codes], index=codes.index, dtype="str")


def key_mistakes(codes):
    """Return the wrong keys that students get, each with its sentence."""
    number = codes.str.extract(r"(\d+)")[0]

    def pads(got):
        return bool(pd.Series(got).dropna().str.match(r"0\d").any())

    def drops(got):
        own = pd.Series(got).astype("str").str.extract(r"(\d+)")[0]
        return bool(((own == number.str.strip("0")) & (own != number.str.lstrip("0"))).any())

    return [
        (lambda got: isinstance(got, pd.DataFrame), "One key a code is asked for: a Series, not a table."),
        (
            lambda got: bool(pd.Series(got).astype("object").isin(["nan", "None", "NAN", "NaN"]).any()),
            "A missing code became text (`nan`). It has no key: leave it missing.",
        ),
        (pads, "A key begins with zeros: `0017` and `17` are the same number. Take them off on the *left* only."),
        (
            drops,
            "170 and 700 lost their last zeros: `.str.strip('0')` takes them from both ends. On the left only: "
            "`.str.lstrip('0')`.",
        ),
        (
            number.str.lstrip("0"),
            "Your key is the number alone, so that 17 red and 17 black become one article. Add the first letter of the "
            "colour.",
        ),
        (
            lambda got: bool((pd.Series(got).dropna() != pd.Series(got).dropna().str.upper()).any()),
            "A key ends with a small letter: `red` and `RED` are one colour. Write the letter as a capital.",
        ),
        (
            lambda got: bool(pd.Series(got).dropna().str.match(r"[AP]").any()),
            "A key begins with the department's letter (A or P). It says who wrote the code, not which article it is.",
        ),
        (
            lambda got: bool(pd.Series(got).dropna().str.contains(r"[A-Z]{2}").any()),
            "A key has more than one letter: RED and RD would stay two articles. Take the colour's *first* letter.",
        ),
    ]


def check_shared_key(names):
    """Question 3."""
    shared_key = checks.answer(names, "shared_key", "function")
    codes = pd.Series(CODES, dtype="str", name="code")
    got = checks.call(shared_key, codes)
    mistakes = key_mistakes(codes)
    checks.equal(got, keys_of(codes), "shared_key(nine_codes)", by="index", mistakes=mistakes)


# ---------------------------------------------------------------------------------------------------------- question 4
def few_articles():
    """Return orders, stock and production of the visible check of question 4."""
    orders = pd.DataFrame({"key": ["1R", "1R", "2B", "3R", "4B"], "quantity": [30, 20, 10, 8, 5]})
    stock = pd.DataFrame({"key": ["1R", "2B", "3R", "5B"], "quantity": [25, 4, 8, 90]})
    production = pd.DataFrame({"key": ["1R", "1R", "2B", "6R"], "quantity": [5, 5, 6, 40]})
    return orders, stock, production


def short_of(orders, stock, production, made=True, unknown=True, equal=False):
    """Count article by article: the slow way, to check the fast one; the options make the known mistakes."""
    asked, there = {}, {}
    for row in orders.itertuples():
        asked[row.key] = asked.get(row.key, 0) + row.quantity
    for table in (stock, production) if made else (stock,):
        for row in table.itertuples():
            there[row.key] = there.get(row.key, 0) + row.quantity
    rows = [
        (key, number, there.get(key, 0), number - there.get(key, 0))
        for key, number in asked.items()
        if (unknown or key in there) and (number > there.get(key, 0) or (equal and number == there.get(key, 0)))
    ]
    table = pd.DataFrame(rows, columns=["key", "asked", "there", "missing"])
    return table.sort_values(["missing", "key"], ascending=[False, True], ignore_index=True)


def short_mistakes(orders, stock, production):
    """Return the wrong tables that students get, each with its sentence."""
    right = short_of(orders, stock, production)
    return [
        (
            short_of(orders, stock, production, made=False),
            "What is being made does not count in your `there`: add stock *and* production.",
        ),
        (
            short_of(orders, stock, production, unknown=False),
            "4B stands in no stock and no production: nothing is there, so all of it is missing. A left join leaves a "
            "blank; fill it with 0.",
        ),
        (
            short_of(orders, stock, production, equal=True),
            "An article of which exactly enough is there is not short: `missing` must be above 0.",
        ),
        (
            lambda got: bool(got["key"].duplicated().any()),
            "An article stands in several rows: sum the quantities of each key first, on every side, then join. "
            "Otherwise a join multiplies the rows.",
        ),
        (
            lambda got: bool(((got["key"] == "1R") & (got["asked"] < 50)).any()),
            "You compare order by order. Add up all orders of an article first: together they can be too many.",
        ),
        (
            lambda got: bool((got["missing"] < 0).any()),
            "A negative number is missing nothing: keep only the articles with `missing` above 0, and take "
            "asked minus there.",
        ),
        (
            lambda got: len(got) == len(right) and list(got["key"]) == list(right["key"])[::-1] and len(got) > 1,
            "The order is the wrong way round: the most missing article comes first.",
        ),
    ]


def check_shortages(names):
    """Question 4."""
    shortages = checks.answer(names, "shortages", "function")
    tables = few_articles()
    got = checks.call(shortages, *tables)
    mistakes = short_mistakes(*tables)
    right = short_of(*tables)
    checks.equal(
        got, right, "shortages(five_orders, stock, production)", row="one per short article", mistakes=mistakes
    )


def with_keys(maker):
    """Return the maker's three tables with the shared key: columns key and quantity.

    Examples
    --------
    >>> [table.columns.tolist() for table in with_keys(prepare()["maker"])]
    [['key', 'quantity'], ['key', 'quantity'], ['key', 'quantity']]
    """
    columns = {"orders": ("item_code", "quantity"), "stock": ("stock_code", "on_hand")}
    columns["production"] = ("part_no", "quantity")
    return tuple(
        pd.DataFrame({"key": keys_of(maker[name][code]), "quantity": maker[name][number]})
        for name, (code, number) in columns.items()
    )


# ---------------------------------------------------------------------------------------------------------- question 5
NOTES = ["desk_note", "kitchen_note", "bill_note"]


def few_stays():
    """Return the stays of the visible check of question 5."""
    rows = [
        ("S1", "G1", None, "wants a quiet room", None, "quiet please"),  # told twice in one stay
        ("S2", "G1", None, None, "要安静的房间", None),
        ("S3", "G5", "high", None, None, None),  # coded, never told
        ("S4", "G2", None, "no meat", None, "upper floors"),  # two wishes in one stay
        ("S5", "G3", None, None, None, None),  # no wish
        ("S6", "G4", "quiet", "NOISE from the street", None, None),
        ("S7", "G2", "high", None, None, None),  # coded at another stay than told
    ]
    frame = pd.DataFrame(rows, columns=["stay_id", "guest_id", "preference", *NOTES])
    return frame.astype(dict.fromkeys(frame, "str")).where(frame.notna())


def wishes_of(stays, words, once=True, case=False, coded_too=True):
    """Read stay by stay: the slow way, to check the fast one; the options make the known mistakes."""
    told, coded = {}, set()
    for row in stays.to_dict("records"):
        if isinstance(row["preference"], str):
            coded.add((row["guest_id"], row["preference"]))
        for wish, ways in words.items():
            notes = [row[name] if case else row[name].lower() for name in NOTES if isinstance(row[name], str)]
            hits = sum(any(way in note for way in ways) for note in notes)
            if hits:
                told[row["guest_id"], wish] = told.get((row["guest_id"], wish), 0) + (1 if once else hits)
    keys = sorted(set(told) | (coded if coded_too else set()))
    rows = [(guest, wish, told.get((guest, wish), 0), (guest, wish) in coded) for guest, wish in keys]
    return pd.DataFrame(rows, columns=["guest_id", "wish", "told", "coded"])


def wish_mistakes(stays, words):
    """Return the wrong tables that students get, each with its sentence."""
    return [
        (
            wishes_of(stays, words, once=False),
            "In stay S1 the wish stands in two remarks: `told` counts *stays*, so that this is once.",
        ),
        (
            wishes_of(stays, words, case=True),
            "G4 told of NOISE in capital letters; it is the same word: compare in lower case.",
        ),
        (
            wishes_of(stays, words, coded_too=False),
            "G5's wish `high` stands in the coded field and was never told: it belongs on the card, with `told` 0.",
        ),
        (
            lambda got: bool(got.duplicated(["guest_id", "wish"]).any()),
            "A guest's wish stands in several rows: one row per guest *and* wish.",
        ),
        (
            lambda got: bool(((got["guest_id"] == "G2") & (got["wish"] == "high") & ~got["coded"]).any()),
            "G2's `high` was told at one stay and coded at another. Look into `preference` of *all* the guest's stays.",
        ),
        (
            lambda got: not ((got["guest_id"] == "G2") & (got["wish"] == "vegetarian")).any(),
            "In stay S4 the guest told two wishes. Ask each stay about each wish, do not stop at the first.",
        ),
        (
            lambda got: bool((got["guest_id"] == "G3").any()),
            "G3 told no wish and has none coded: there is nothing to put on a card.",
        ),
    ]


def check_guest_cards(names):
    """Question 5."""
    guest_cards = checks.answer(names, "guest_cards", "function")
    stays = few_stays()
    got = checks.call(guest_cards, stays, WORDS_FEW)
    right, mistakes = wishes_of(stays, WORDS_FEW), wish_mistakes(stays, WORDS_FEW)
    name, row = "guest_cards(seven_stays, words)", "one per guest and wish"
    checks.equal(got, right, name, by=["guest_id", "wish"], row=row, mistakes=mistakes)


WORDS_FEW = {"quiet": ["quiet", "安静", "noise"], "high": ["upper"], "vegetarian": ["素食", "meat"]}


# ---------------------------------------------------------------------------------------------------------- question 6
def few_accounts():
    """Return the accounts and payments of the visible check of question 6."""
    accounts = pd.DataFrame(
        [
            ("K1", "2024-01-01", None),  # pays
            ("K2", "2024-01-01", "2026-02-01"),  # closed
            ("K3", "2024-01-01", "2026-05-01"),  # closed after the day, silent on it
            ("K4", "2024-01-01", None),  # silent, pays again after the day
            ("K5", "2026-03-01", None),  # new, has never paid
            ("K6", "2025-01-01", None),  # old, has never paid
            ("K7", "2026-05-01", None),  # opened after the day
            ("K8", "2024-01-01", None),  # last payment exactly 180 days before the day
        ],
        columns=["account_id", "opened_on", "closed_on"],
    )
    payments = pd.DataFrame(
        [
            ("K1", "2026-03-01"),
            ("K1", "2025-01-01"),
            ("K2", "2026-01-15"),
            ("K3", "2025-06-01"),
            ("K4", "2025-06-01"),
            ("K4", "2026-04-20"),
            ("K8", "2025-10-02"),
        ],
        columns=["account_id", "paid_on"],
    )
    for table, columns in ((accounts, ["opened_on", "closed_on"]), (payments, ["paid_on"])):
        for column in columns:
            table[column] = pd.to_datetime(table[column])
    return accounts, payments


def states_of(accounts, payments, day, quiet=180, future=False, never="opened", closed_later=False, edge=False):
    """Look account by account: the slow way, to check the fast one; the options make the known mistakes."""
    limit, rows, paid = day - pd.Timedelta(days=quiet), {}, {}
    for row in payments.itertuples():
        if future or row.paid_on <= day:
            paid.setdefault(row.account_id, []).append(row.paid_on)
    for row in accounts.itertuples():
        if row.opened_on > day:
            continue
        own = paid.get(row.account_id, [])
        start = {"opened": row.opened_on, "silent": pd.Timestamp(0), "active": day}[never]
        last = max(own) if own else start
        if pd.notna(row.closed_on) and (closed_later or row.closed_on <= day):
            rows[row.account_id] = "closed"
        else:
            rows[row.account_id] = "silent" if last < limit or (edge and last == limit) else "active"
    return pd.Series(rows, dtype="str")


def state_mistakes(accounts, payments, day, quiet=180):
    """Return the wrong answers that students get, each with its sentence."""
    given = accounts, payments, day, quiet
    return [
        (lambda got: isinstance(got, pd.DataFrame), "A Series is asked for: the state of each account, by account_id."),
        (
            states_of(*given, future=True),
            "K4 paid on 20 April, but on 31 March nobody knew that. Take only payments up to the day: "
            "information of the future makes every churn look small.",
        ),
        (
            states_of(*given, closed_later=True),
            "K3 was closed in May. On the day it was still open: `closed_on <= day`.",
        ),
        (
            states_of(*given, never="silent"),
            "K5 was opened four weeks ago and has not paid yet: without a payment count from the day of opening.",
        ),
        (
            states_of(*given, never="active"),
            "K6 was opened more than a year ago and has never paid: without a payment count from the day of opening. "
            "A comparison with a missing date is never true.",
        ),
        (
            states_of(*given, edge=True),
            "K8's last payment is exactly 180 days ago: silent is who has *more* than 180 days, so `<`, not `<=`.",
        ),
        (
            lambda got: "K7" in pd.Series(got).index,
            "K7 was opened after the day: on the day there was no such account. Leave it out.",
        ),
        (
            lambda got: "closed" not in set(pd.Series(got)),
            "No account is closed in your answer: closed comes before silent.",
        ),
    ]


def check_account_states(names):
    """Question 6."""
    account_states = checks.answer(names, "account_states", "function")
    accounts, payments = few_accounts()
    got = checks.call(account_states, accounts, payments, DAY)
    right, mistakes = states_of(accounts, payments, DAY), state_mistakes(accounts, payments, DAY)
    checks.equal(got, right, "account_states(eight_accounts, payments, day)", by="index", mistakes=mistakes)


# ---------------------------------------------------------------------------------------------------------- question 7
def few_patients():
    """Return the patients and prescriptions of the visible check of question 7."""
    patients = pd.DataFrame(
        [
            ("N1", "王伟", "1980-01-01", "aspirin"),
            ("N2", "王伟", "1980-01-01", None),  # the same person
            ("N3", "王伟", "1951-05-05", None),  # a namesake
            ("N4", "李娜", "1990-03-03", None),
            ("N5", "李娜", "1990-03-03", "penicillin"),
            ("N6", "李娜", "1990-03-03", "penicillin"),  # three numbers
            ("N7", "陈杰", "1975-07-07", None),
        ],
        columns=["patient_id", "name", "birth_date", "allergy"],
    )
    given = pd.DataFrame(
        [
            ("N2", "aspirin", "2026-02-01"),  # danger
            ("N3", "aspirin", "2026-02-02"),  # the namesake
            ("N4", "penicillin", "2026-01-05"),  # danger, known at two numbers
            ("N4", "statin", "2026-01-06"),
            ("N1", "statin", "2026-03-01"),
            ("N7", "aspirin", "2026-03-02"),
            ("N1", "aspirin", "2026-04-01"),  # the check by number stops this one
        ],
        columns=["patient_id", "drug", "prescribed_on"],
    )
    patients["birth_date"], given["prescribed_on"] = (
        pd.to_datetime(patients["birth_date"]),
        pd.to_datetime(given["prescribed_on"]),
    )
    patients["allergy"] = patients["allergy"].astype("str").where(patients["allergy"].notna())
    return patients, given


def dangers_of(patients, prescriptions, birth=True, own=False, once=True, drug=True):
    """Look prescription by prescription: the slow way, to check the fast one; the options make the known mistakes."""
    people, rows = patients.to_dict("records"), []
    by_number = {person["patient_id"]: person for person in people}
    for row in prescriptions.itertuples():
        me = by_number[row.patient_id]
        if me["allergy"] == row.drug and not own:
            continue
        others = [
            other["patient_id"]
            for other in people
            if other["name"] == me["name"]
            and (not birth or other["birth_date"] == me["birth_date"])
            and (other["allergy"] == row.drug if drug else isinstance(other["allergy"], str))
            and (own or other["patient_id"] != row.patient_id)
        ]
        others = sorted(others)[:1] if once else sorted(others)
        rows += [(row.prescribed_on, row.patient_id, row.drug, other) for other in others]
    table = pd.DataFrame(rows, columns=["prescribed_on", "patient_id", "drug", "known_at"])
    table["prescribed_on"] = pd.to_datetime(table["prescribed_on"])
    return table.sort_values(["prescribed_on", "patient_id", "drug", "known_at"], ignore_index=True)


def danger_mistakes(patients, prescriptions):
    """Return the wrong tables that students get, each with its sentence."""
    given = patients, prescriptions
    right = dangers_of(*given)
    return [
        (
            lambda got: len(got) == 0 or bool((got["patient_id"] == got["known_at"]).all()),
            "You compare the allergy at the *same* number, as the check did. Look for it at the person's other numbers "
            "(same name and birth date).",
        ),
        (
            dangers_of(*given, birth=False),
            "N3 is a namesake: another birth date, another person. Compare name *and* birth date.",
        ),
        (
            dangers_of(*given, own=True),
            "N1's aspirin stands against N1's own number: the check by number stops it. Only what stands at *another* "
            "number alone is asked for.",
        ),
        (
            dangers_of(*given, once=False),
            "N4's penicillin stands twice, since the allergy is at two other numbers. One row per prescription: the "
            "smallest number as `known_at`.",
        ),
        (
            dangers_of(*given, drug=False),
            "N4's statin is no danger: the allergy must be to the drug that was prescribed.",
        ),
        (
            lambda got: len(got) == len(right) and list(got["patient_id"]) == list(right["known_at"]),
            "`patient_id` is the number that was used for the prescription, `known_at` the one with the allergy.",
        ),
        (
            lambda got: (
                len(got) == len(right)
                and sorted(got["prescribed_on"]) == sorted(right["prescribed_on"])
                and list(got["prescribed_on"]) != list(right["prescribed_on"])
            ),
            "The rows are right; the order is not: sort by `prescribed_on`, then `patient_id`.",
        ),
    ]


def check_hidden_dangers(names):
    """Question 7."""
    hidden_dangers = checks.answer(names, "hidden_dangers", "function")
    patients, prescriptions = few_patients()
    got = checks.call(hidden_dangers, patients, prescriptions)
    right, mistakes = dangers_of(patients, prescriptions), danger_mistakes(patients, prescriptions)
    name, row = "hidden_dangers(seven_patients, prescriptions)", "one per dangerous prescription"
    checks.equal(got, right, name, row=row, mistakes=mistakes)
