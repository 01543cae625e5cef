"""Lab 11: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import itertools
import math
from collections import Counter

import numpy as np
import pandas as pd

import cimlab
from cimlab import checks, mining

DAY = pd.Timestamp("2026-01-01")
EDGES = [0, 1, 2, 3, 5, 9, 99]
CANCELLED = 25


def prepare():
    """Return what the questions start from, so that none of them needs the answer to another one.

    A customer is here a card or an account, so that the lab starts at once. Orders by telephone have no customer, since
    each call has a number of its own.

    Returns
    -------
    scans : pandas.DataFrame
        What a till notes, one row a scan: order_id, customer_id (missing for a purchase without a card), name, packs
        (1; −1 where a scan was taken back). The scans that were taken back are added for the lab, and so are the orders
        that were cancelled.
    baskets : pandas.DataFrame
        The true basket table: orders × articles, of bool.
    bought : pandas.DataFrame
        One row an article of an order: customer_id, order_id, ordered_at, name.

    Examples
    --------
    >>> scans, baskets, bought = prepare()
    >>> scans.columns.tolist(), bought.columns.tolist()
    (['order_id', 'customer_id', 'name', 'packs'], ['customer_id', 'order_id', 'ordered_at', 'name'])
    """
    orders = cimlab.load("orders")
    orders["customer_id"] = orders["customer_ref"].where(orders["channel"] != "call")
    lines = cimlab.load("order_lines").merge(cimlab.load("products")[["product_id", "name"]], on="product_id")
    lines = lines.merge(orders[["order_id", "customer_id", "ordered_at"]], on="order_id")
    lines = lines.sort_values(["order_id", "line_no"], ignore_index=True)
    return scan(lines), mining.basket_table(lines), lines[["customer_id", "order_id", "ordered_at", "name"]]


def scan(lines):
    """Return the lines as a till notes them: pack by pack, with scans that were taken back, and cancelled orders."""
    one = lines.loc[lines.index.repeat(lines["quantity"]), ["order_id", "customer_id", "name"]].assign(packs=1)
    names = sorted(lines["name"].unique())
    wrong = lines.iloc[::40][["order_id", "customer_id"]]
    wrong = wrong.assign(name=[names[(7 * place + 3) % len(names)] for place in range(len(wrong))])
    dropped = pd.DataFrame({"order_id": [f"X{number:05d}" for number in range(CANCELLED)], "customer_id": None})
    dropped["name"] = [names[number % len(names)] for number in range(CANCELLED)]
    both = pd.concat([wrong, dropped.astype(wrong.dtypes.to_dict())])
    table = pd.concat([one, both.assign(packs=1), both.assign(packs=-1)])
    return table.sort_values("order_id", kind="stable", ignore_index=True)


def ready_lists(bought, places=10):
    """Return lists that a colleague made of the purchases before `DAY`: articles like those that a customer bought.

    Parameters
    ----------
    bought : pandas.DataFrame
        As returned by `prepare`.
    places : int
        Articles on a list.

    Returns
    -------
    pandas.DataFrame
        customer_id, rank (from 1), name.

    Examples
    --------
    >>> ready_lists(prepare()[2]).columns.tolist()
    ['customer_id', 'rank', 'name']
    """
    past = mining.purchase_matrix(bought[bought["ordered_at"] < DAY])
    scores = mining.similar_scores(past, mining.similar_items(past)).round(9)
    return mining.recommend(scores, k=places).rename(columns={"item": "name"})[["customer_id", "rank", "name"]]


def shown_rules(baskets):
    """Return up to seven rules for question 8: some hold, some only look as if they did.

    Parameters
    ----------
    baskets : pandas.DataFrame
        As returned by `prepare`.

    Returns
    -------
    pandas.DataFrame
        antecedent, consequent, n, confidence, lift, adjusted_lift, q_value, one_group (whether both articles are of one
        group of goods), price (CNY, of both), margin (CNY, of the consequent).

    Examples
    --------
    >>> len(shown_rules(prepare()[1]))
    7
    """
    rules = rules_of(baskets, support=0.001, confidence=0, lift=0)
    sifted = mining.sift_rules(rules, mining.pair_lifts(baskets)).sort_values("adjusted_lift", ascending=False)
    goods = cimlab.load("products").set_index("name")
    sides = [sifted[side].map(goods["category"]) for side in ("antecedent", "consequent")]
    sifted["one_group"] = sides[0] == sides[1]
    kept, rest = sifted[sifted["verdict"] == "keep"], sifted[sifted["verdict"] != "keep"]
    often = kept[kept["n"] >= 30].head(4)
    some = [often, kept[kept["one_group"]].drop(index=often.index, errors="ignore").head(1)]
    some += [rest[rest["verdict"] == "basket size"].nlargest(1, "lift"), rest[rest["verdict"] == "chance"].head(1)]
    table = pd.concat(some).sort_values(["lift", "antecedent"], ascending=[False, True], ignore_index=True)
    price, cost = goods["unit_price"], goods["unit_cost"]
    table["price"] = table["antecedent"].map(price) + table["consequent"].map(price)
    table["margin"] = table["consequent"].map(price - cost)
    return table.drop(columns="verdict").round(3)


def shown_ways(bought):
    """Return how four ways to recommend did after `DAY`, and how many of the judged customers agreed to what.

    Parameters
    ----------
    bought : pandas.DataFrame
        As returned by `prepare`.

    Returns
    -------
    ways : pandas.DataFrame
        One row a way: hit_rate, precision, recall, coverage (of five articles shown), and how far the hit rate is above
        that of the best sellers: above, low, high (95 % interval).
    agreed : pandas.Series
        Share of the judged customers who had agreed to marketing, to profiling and to both, at `DAY`.

    Examples
    --------
    >>> shown_ways(prepare()[2])[1].index.tolist()
    ['marketing', 'profiling', 'both']
    """
    goods = cimlab.load("products").set_index("name")
    parts = mining.split_purchases(bought, at=DAY - pd.Timedelta(days=1))
    past, later = (mining.purchase_matrix(part, items=list(goods.index)) for part in parts)
    scores = {"best sellers": mining.popular_scores(past), "buy again": mining.again_scores(past)}
    scores["similar articles"] = mining.similar_scores(past, mining.similar_items(past))
    scores["own groups"] = mining.group_scores(past, goods["category"])
    lists = {way: mining.recommend(table.round(9), k=5) for way, table in scores.items()}
    judged = {way: mining.judge_recommendations(table, later, past) for way, table in lists.items()}
    ways = pd.DataFrame(judged).T[["hit_rate", "precision", "recall", "coverage"]]
    hits = {way: mining.recommendation_hits(table, later) for way, table in lists.items()}
    for way in list(ways.index)[1:]:
        against = mining.compare_hits(hits[way], hits["best sellers"])
        ways.loc[way, ["above", "low", "high"]] = against[["difference", "low", "high"]].to_numpy()
    ledger = cimlab.load("consents").query("recorded_at < @DAY").sort_values("recorded_at", kind="stable")
    last = ledger.drop_duplicates(["customer_ref", "purpose"], keep="last").query("action == 'given'")
    judged_ones = hits["best sellers"].index
    who = {purpose: set(last.loc[last["purpose"] == purpose, "customer_ref"]) for purpose in ("marketing", "profiling")}
    who["both"] = who["marketing"] & who["profiling"]
    agreed = {purpose: judged_ones.isin(list(names)).mean() for purpose, names in who.items()}
    return ways.round(3), pd.Series(agreed, name=f"share of {len(judged_ones)} judged customers").round(3)


def near(value, wrong):
    """Say whether a student's number is this wrong one."""
    return bool(np.isclose(float(value), wrong, rtol=1e-6, atol=1e-9))


def different(pairs, right):
    """Leave out the wrong numbers that are right by accident (on other data than those of the visible check)."""
    return [(wrong, sentence) for wrong, sentence in pairs if not near(wrong, right)]


# ---------------------------------------------------------------------------------------------------------- question 1
def few_scans():
    """Return the scans of the visible check of question 1."""
    rows = [
        ("o1", "M1", "Rice", 1),
        ("o1", "M1", "Milk", 2),
        ("o1", "M1", "Rice", 1),
        ("o2", None, "Soap", 1),
        ("o2", None, "Rice", 1),
        ("o2", None, "Soap", -1),
        ("o3", "M2", "Tea", 3),
        ("o3", "M2", "Tea", -1),
        ("o3", "M2", "Milk", 1),
        ("o4", "M1", "Salt", 1),
        ("o4", "M1", "Salt", -1),
        ("o5", "M1", "Soap", 1),
    ]
    return pd.DataFrame(rows, columns=["order_id", "customer_id", "name", "packs"])


def baskets_of(scans):
    """Add up the packs scan by scan: the slow way, to check the fast one."""
    packs = Counter()
    for order, name, number in scans[["order_id", "name", "packs"]].itertuples(index=False):
        packs[order, name] += number
    held = {key for key, number in packs.items() if number > 0}
    orders, names = (sorted({key[place] for key in held}) for place in (0, 1))
    rows = [[(order, name) in held for name in names] for order in orders]
    return pd.DataFrame(rows, index=pd.Index(orders, name="order_id"), columns=names, dtype="bool")


BASKET_MISTAKES = [
    (lambda got: "Rice" in got.index, "Your rows are the articles. One row an *order*, one column an article."),
    (
        lambda got: "order_id" in got.columns,
        '`order_id` is a column of your table; it is asked for as the index: `.set_index("order_id")`, or leave out '
        "`reset_index()`.",
    ),
    (
        lambda got: isinstance(got.index, pd.MultiIndex),
        "The index of your table has several levels. `order_id` alone makes a basket.",
    ),
    (lambda got: got.index.has_duplicates, "An order stands in several rows: one row an order is asked for."),
    (
        lambda got: any(dtype.kind in "iufO" for dtype in got.dtypes),
        "Your table holds numbers, or blanks. Ask whether the packs are above 0 (`> 0`): `True` and `False`, no count.",
    ),
    (
        lambda got: "o2" not in got.index,
        "Order o2 is missing. Nobody showed a card, but it is a basket all the same: a missing `customer_id` must not "
        "drop it.",
    ),
    (
        lambda got: bool(got.loc["o2", "Soap"]),
        "Order o2 holds no Soap: it was scanned and taken back, 1 − 1 = 0. Add up the packs of each article first.",
    ),
    (
        lambda got: "Tea" not in got.columns or not got.loc["o3", "Tea"],
        "Order o3 holds Tea: three packs were scanned and one was taken back, two are left. *Add up* the packs.",
    ),
    (
        lambda got: not got.loc["o1", "Rice"],
        "Order o1 holds Rice. It was scanned twice, and is in the basket once: compare with `> 0`, not `== 1`.",
    ),
    (
        lambda got: "o4" in got.index,
        "Of order o4 nothing is left, so it is no basket and has no row. An empty row would change every share.",
    ),
    (
        lambda got: "Salt" in got.columns,
        "`Salt` has a column, though nobody took any home: keep what is above 0 *before* you make the table.",
    ),
]


def check_make_baskets(names):
    """Question 1."""
    make_baskets = checks.answer(names, "make_baskets", "function")
    scans = few_scans()
    got = checks.call(make_baskets, scans)
    what, row = "make_baskets(twelve_scans)", "one per order"
    checks.equal(got, baskets_of(scans), what, by="index", row=row, mistakes=BASKET_MISTAKES)


# ---------------------------------------------------------------------------------------------------------- question 2
def few_baskets():
    """Return ten baskets: five with Rice, three with Tea, two with both."""
    rows = ["Rice Tea", "Rice Tea Salt", "Rice", "Rice Salt", "Rice", "Tea", "Salt", "Milk", "Milk Salt", "Salt"]
    return from_words(rows)


def from_words(rows):
    """Return the basket table of texts that name the articles."""
    names = sorted({name for row in rows for name in row.split()})
    index = pd.Index([f"o{number:02d}" for number in range(1, len(rows) + 1)], name="order_id")
    return pd.DataFrame([[name in row.split() for name in names] for row in rows], index=index, columns=names)


def counts_of(baskets, first, second):
    """Count basket by basket: all, those with the first, with the second, with both."""
    held = list(zip(baskets[first], baskets[second], strict=True))
    return len(held), sum(a for a, _ in held), sum(b for _, b in held), sum(a and b for a, b in held)


def rule_of(baskets, antecedent, consequent):
    """Return support, confidence and lift of one rule, counted basket by basket."""
    every, first, second, both = (int(number) for number in counts_of(baskets, antecedent, consequent))
    return {"support": both / every, "confidence": both / first, "lift": both * every / (first * second)}


def rule_mistakes(baskets, antecedent, consequent):
    """Return the wrong answers that students get, each with its sentence."""
    every, first, second, both = (int(number) for number in counts_of(baskets, antecedent, consequent))
    right = rule_of(baskets, antecedent, consequent)
    wrong = {
        "support": [
            (both, "`support` is a count of baskets; a share of all baskets is asked for: divide by their number."),
            (100 * both / every, "`support` is in per cent; a share from 0 to 1 is asked for."),
            (
                both / (first + second - both),
                "`support` divides by the baskets with the one *or* the other. It is the share of *all* baskets.",
            ),
            (first / every, "This is the support of the antecedent alone: count the baskets that hold *both*."),
            (
                (first + second - both) / every,
                "`support` counts the baskets with one of the two. They must hold *both*: `&`, not `|`.",
            ),
        ],
        "confidence": [
            (
                both / second,
                "`confidence` is that of the opposite rule. Who buys the *antecedent* also buys the consequent: divide "
                "by the baskets with the antecedent.",
            ),
            (100 * both / first, "`confidence` is in per cent; a share from 0 to 1 is asked for."),
            (second / every, "This is the share of all baskets with the consequent: the base rate, no confidence."),
        ],
        "lift": [
            (
                both * every / first**2,
                "`lift` divides by the share of the antecedent. Confidence has used that already: divide by the share "
                "of all baskets with the *consequent*.",
            ),
            (
                both / (first * second),
                "`lift` is worked out of counts. Take shares, or multiply by the number of baskets.",
            ),
            (
                both / every - first * second / every**2,
                "This is a difference (leverage). Lift is a ratio: confidence *divided* by the consequent's share.",
            ),
            (
                both / first - second / every,
                "You subtract the base rate. Lift is a ratio: confidence *divided* by the share of the consequent.",
            ),
            (first * second / max(both * every, 1), "Your lift is upside down: above 1 they meet *more* often."),
        ],
    }
    return [
        (lambda got, key=key, value=value: near(got[key], value), sentence)
        for key, pairs in wrong.items()
        for value, sentence in different(pairs, right[key])
    ]


def check_judge_rule(names):
    """Question 2."""
    judge_rule = checks.answer(names, "judge_rule", "function")
    baskets = few_baskets()
    for sides in (("Rice", "Tea"), ("Tea", "Rice")):
        got = checks.call(judge_rule, baskets, *sides)
        what = f"judge_rule(ten_baskets, {sides[0]!r}, {sides[1]!r})"
        checks.equal(got, rule_of(baskets, *sides), what, mistakes=rule_mistakes(baskets, *sides))


# ---------------------------------------------------------------------------------------------------------- question 3
def sized_baskets():
    """Return baskets of one to twelve articles for the visible check of question 3."""
    goods = "Rice Tea Salt Milk Eggs Bread Oil Oats Soap Honey Beans Corn"
    most = goods.removeprefix("Rice ")
    rows = ["Rice"] * 6 + ["Tea"] * 6 + ["Salt"] * 8 + ["Rice Tea"] * 2 + ["Rice Salt"] * 3 + ["Tea Salt"] * 4
    rows += ["Milk Salt"] * 5 + ["Rice Tea Salt", "Rice Salt Milk", "Tea Salt Milk", "Salt Milk Eggs"]
    rows += ["Rice Tea Milk Eggs", "Salt Milk Eggs Bread", "Rice Milk Eggs Bread", "Rice Tea Salt Milk Oil"]
    rows += ["Tea Salt Milk Oil Oats Soap", "Rice Tea Salt Eggs Oil Oats Soap", "Salt Milk Eggs Oil Oats Soap"]
    return from_words([*rows, goods, goods, goods, most])


def lift_by_size(baskets, first, second, edges):
    """Reckon class by class how often both should meet, and divide: the slow way."""
    size = baskets.to_numpy().sum(axis=1)
    expected = 0.0
    for low, high in itertools.pairwise(edges):
        inside = baskets[(size > low) & (size <= high)]
        if len(inside):
            every, one, other, _ = counts_of(inside, first, second)
            room = sum(1 - 1 / articles for articles in size[(size > low) & (size <= high)]) / every
            expected += every * (one / every) * (other / every) * room
    return float(counts_of(baskets, first, second)[3] / expected)


def size_mistakes(baskets, first, second, edges):
    """Return the wrong numbers that students get, each with its sentence."""
    size = baskets.sum(axis=1)
    every, one, other, both = counts_of(baskets, first, second)
    facts = pd.DataFrame({"first": baskets[first], "second": baskets[second], "room": 1 - 1 / size, "size": size})
    facts = facts.astype("float64")
    classes = facts.groupby(pd.cut(size, edges), observed=True)
    mean, number = classes.mean(), classes.size()
    plain = mean["first"] * mean["second"]
    right = lift_by_size(baskets, first, second, edges)
    expected = both / right
    shifted = facts.groupby(pd.cut(size, edges, right=False), observed=True)
    moved = (shifted.size() * shifted.mean()[["first", "second", "room"]].prod(axis=1)).sum()
    each = (facts.groupby(size).size() * facts.groupby(size).mean()[["first", "second", "room"]].prod(axis=1)).sum()
    together = (facts["first"] * facts["second"]).groupby(pd.cut(size, edges), observed=True).sum()
    ratios = (together / (number * plain * mean["room"]).where(lambda value: value > 0)).mean()
    pairs = [
        (
            both * every / (one * other),
            "This is the usual lift. Large baskets hold everything, so it is above 1 for nearly every pair: reckon the "
            "expected number *inside each class of size*, and add up.",
        ),
        (
            both / (number * plain).sum(),
            "The places are forgotten: in a basket of n articles the first takes one place, and n − 1 are left for the "
            "second. Multiply by the mean of 1 − 1/size.",
        ),
        (
            both / (number * mean["room"] * one * other / every**2).sum(),
            "You take the shares of *all* baskets in every class. In each class the share of *its* baskets counts.",
        ),
        (
            both / (number * plain * (1 - 1 / mean["size"])).sum(),
            "You take 1 − 1/(mean size) of the class. Asked for is the mean of 1 − 1/size of its baskets.",
        ),
        (expected, "This is the expected number of baskets. Divide the observed number by it."),
        (1 / right, "Your ratio is upside down: observed by expected."),
        (
            both / every / expected,
            "You divide a share by a number of baskets. Observed is the *number* of baskets with both, too.",
        ),
        (ratios, "You took the mean of the ratios. Add up what is expected over the classes, and divide once."),
        (both / moved, "Your classes include the wrong edge: each reaches *up to and with* its upper edge (`pd.cut`)."),
        (
            both / each,
            "You took each size by itself. In a class of one basket everything is expected exactly as it is: use the "
            "classes of `edges`.",
        ),
    ]
    return different(pairs, right)


def check_adjusted_lift(names):
    """Question 3."""
    adjusted_lift = checks.answer(names, "adjusted_lift", "function")
    baskets = sized_baskets()
    for sides in (("Rice", "Tea"), ("Salt", "Milk")):
        got = checks.call(adjusted_lift, baskets, *sides, EDGES)
        what = f"adjusted_lift(baskets, {sides[0]!r}, {sides[1]!r}, edges)"
        mistakes = size_mistakes(baskets, *sides, EDGES)
        checks.equal(got, lift_by_size(baskets, *sides, EDGES), what, mistakes=mistakes)


# ---------------------------------------------------------------------------------------------------------- question 4
def rule_baskets():
    """Return the sixteen baskets of the visible check of question 4."""
    rows = ["Food Litter Bag"] * 3 + ["Food Bag", "Litter Bag", "Tea Cups Bag", "Tea Cups Bag", "Tea Bag Lamp Bulb"]
    rows += ["Tea Spice Oil Bag", "Cups Spice Oil Bag", "Cups Spice Oil Bag", "Spice Oil Bag", "Spice Salt Bag"]
    return from_words([*rows, "Spice Salt Bag", "Spice", "Spice Bulb"])


def rules_of(baskets, support, confidence, lift):
    """Count pair by pair, and keep what reaches all three: the slow way."""
    every, alone, together = len(baskets), Counter(), Counter()
    names = list(baskets.columns)
    for row in baskets.to_numpy():
        held = [names[place] for place in np.flatnonzero(row)]
        alone.update(held)
        together.update((a, b) for a in held for b in held if a != b)
    rows = []
    for (first, second), n in together.items():
        sure, raised = n / alone[first], n * every / (alone[first] * alone[second])
        if n / every >= support - 1e-12 and sure >= confidence - 1e-12 and raised >= lift - 1e-12:
            rows.append((first, second, n, sure, raised))
    rows.sort(key=lambda row: (-row[2], row[0], row[1]))
    return pd.DataFrame(rows, columns=["antecedent", "consequent", "n", "confidence", "lift"])


def has_rule(first, second):
    """Return a function that says whether the rule stands in the student's table."""
    return lambda got: (first, second) in set(zip(got["antecedent"], got["consequent"], strict=True))


def only_order(right):
    """Return a function that says whether the student has the right rules in another order."""
    sides = ["antecedent", "consequent"]

    def found(got):
        own, asked = ([*map(tuple, table[sides].to_numpy())] for table in (got, right))
        return own != asked and sorted(own) == sorted(asked)

    return found


def find_mistakes(baskets):
    """Return what is wrong with a student's rules of `rule_baskets`, with its sentence."""
    right = rules_of(baskets, 0.125, 0.5, 2)
    return [
        (
            lambda got: (got["antecedent"] == got["consequent"]).any(),
            "An article stands on both sides of a rule. That it goes with itself is no news: leave such rules out.",
        ),
        (
            lambda got: got["n"].max() <= 1,
            "`n` is a share; the number of baskets with both is asked for.",
        ),
        (
            has_rule("Food", "Bag"),
            "Food → Bag has a confidence of 1, but nearly every basket holds a Bag: the rule only repeats the base "
            "rate. Keep what has the least `lift`.",
        ),
        (
            lambda got: has_rule("Bulb", "Lamp")(got) or has_rule("Lamp", "Bulb")(got),
            "Lamp and Bulb meet in 1 of 16 baskets, less than the least support. Support is the share of baskets with "
            "*both*, and not that of one article.",
        ),
        (
            has_rule("Spice", "Salt"),
            "Spice → Salt stays in your table: 2 of 8 baskets with Spice hold Salt, a confidence of 0.25. Divide by "
            "the baskets with the *antecedent*.",
        ),
        (
            lambda got: has_rule("Food", "Litter")(got) != has_rule("Litter", "Food")(got),
            "Each pair has two rules, and their confidence differs: Food → Litter and Litter → Food both belong to "
            "your table.",
        ),
        (
            lambda got: not has_rule("Tea", "Cups")(got) and has_rule("Food", "Litter")(got),
            "Tea → Cups is missing: it has exactly the least support, confidence and lift. At least means `>=`.",
        ),
        (
            only_order(right),
            "The rules are right, their order is not: the largest `n` first; of equal ones by `antecedent`, then "
            "`consequent`, by the alphabet.",
        ),
    ]


def check_find_rules(names):
    """Question 4."""
    find_rules = checks.answer(names, "find_rules", "function")
    baskets = rule_baskets()
    got = checks.call(find_rules, baskets, 0.125, 0.5, 2)
    what = "find_rules(sixteen_baskets, 0.125, 0.5, 2)"
    checks.equal(got, rules_of(baskets, 0.125, 0.5, 2), what, row="one per rule", mistakes=find_mistakes(baskets))


# ---------------------------------------------------------------------------------------------------------- question 5
def few_purchases():
    """Return the purchases of the visible check of question 5; the day is 1 January 2026."""
    first = {"K1": "Milk Tea Rice", "K2": "Milk Tea Eggs", "K3": "Milk Oats Eggs", "K4": "Oats Milk", "K5": "Tea"}
    rows = [(who, f"a{who}", "2025-11-03 10:00", name) for who, names in first.items() for name in names.split()]
    rows += [("K1", f"b{number}", f"2025-12-0{number} 09:00", "Rice") for number in range(1, 7)]
    rows += [(None, f"c{number}", "2025-12-10 12:00", "Wine") for number in range(1, 6)]
    rows += [(who, f"d{who}", "2026-01-01 00:00", "Corn") for who in ("K1", "K2", "K3", "K4", "K6")]
    rows += [(who, f"e{who}", "2026-02-01 18:00", "Soap") for who in ("K2", "K3", "K4", "K5", "K6")]
    table = pd.DataFrame(rows, columns=["customer_id", "order_id", "ordered_at", "name"])
    table["ordered_at"] = pd.to_datetime(table["ordered_at"])
    return table.sample(frac=1, random_state=3).reset_index(drop=True)


def popular_lists(bought, day, n, new_only):
    """Make the lists customer by customer: the slow way."""
    had = {}
    for who, when, name in bought[["customer_id", "ordered_at", "name"]].itertuples(index=False):
        if pd.notna(who) and when < day:
            had.setdefault(who, set()).add(name)
    buyers = Counter(name for names in had.values() for name in names)
    best = sorted(buyers, key=lambda name: (-buyers[name], name))
    rows = []
    for who in sorted(had):
        chosen = [name for name in best if not (new_only and name in had[who])][:n]
        rows += [(who, rank, name) for rank, name in enumerate(chosen, 1)]
    return pd.DataFrame(rows, columns=["customer_id", "rank", "name"])


def gets(who, name, rank=None):
    """Return a function that says whether the customer gets the article (on this place)."""

    def found(got):
        own = got[(got["customer_id"] == who) & (got["name"] == name)]
        return len(own) > 0 and (rank is None or (own["rank"] == rank).any())

    return found


POPULAR_MISTAKES = [
    (
        lambda got: "customer_id" not in got.columns,
        "Your table says nothing of customers: one row for each *customer* and place of the list.",
    ),
    (
        lambda got: got["name"].isin(["Corn", "Soap"]).any(),
        "Corn or Soap is on a list. They were bought on the `day` (from 00:00) or later: a list that uses that knows "
        "the future. Keep `ordered_at < day` first.",
    ),
    (
        lambda got: (got["name"] == "Wine").any(),
        "Wine is on a list. Only people without a card bought it: how many customers these are nobody knows. Leave "
        "lines without `customer_id` out.",
    ),
    (lambda got: got["customer_id"].isna().any(), "A list has no `customer_id`: leave out purchases without one."),
    (
        lambda got: "K6" in set(got["customer_id"]),
        "K6 gets a list, but bought nothing before the `day`: then nobody knew K6.",
    ),
    (lambda got: got["rank"].min() == 0, "The best place is 1; your `rank` begins at 0."),
    (
        gets("K2", "Rice", 1),
        "Rice comes first in your lists: one customer bought it seven times. Count each *customer* once an article "
        "(`nunique`), not the lines.",
    ),
    (
        gets("K5", "Rice", 1),
        "Rice comes first in your lists: one customer bought it seven times. Count each *customer* once an article "
        "(`nunique`), not the lines.",
    ),
]
FRESH_MISTAKES = [
    (
        gets("K1", "Milk"),
        "K1 is shown Milk, and has bought it: with `new_only` each customer's own articles are left out.",
    ),
    (
        lambda got: "K1" not in set(got["customer_id"]) or (got["customer_id"] == "K2").sum() < 2,
        "K1 or K2 has too short a list. You take the best `n` first and then leave out what was bought: leave out "
        "*first*, then take `n`.",
    ),
    (
        lambda got: got.groupby("customer_id")["rank"].min().max() > 1,
        "A list does not begin at 1: number the places *after* what was bought is left out.",
    ),
    (
        gets("K5", "Oats"),
        "K5 is shown Oats. As many customers bought Eggs: of equals the first in the alphabet comes first.",
    ),
]
ALL_MISTAKES = [
    (
        lambda got: not gets("K1", "Milk")(got),
        "With `new_only=False` what was bought may be shown again: K1 gets Milk and Tea like all others.",
    ),
]


def check_recommend_popular(names):
    """Question 5."""
    recommend_popular = checks.answer(names, "recommend_popular", "function")
    bought = few_purchases()
    for n, new_only, mistakes in ((2, False, ALL_MISTAKES), (2, True, FRESH_MISTAKES), (4, True, FRESH_MISTAKES)):
        got = checks.call(recommend_popular, bought, DAY, n, new_only)
        what, by = f"recommend_popular(purchases, day, {n}, {new_only})", ["customer_id", "rank"]
        right = popular_lists(bought, DAY, n, new_only)
        row = "one per customer and place"
        checks.equal(got, right, what, by=by, row=row, mistakes=[*POPULAR_MISTAKES, *mistakes])


# ---------------------------------------------------------------------------------------------------------- question 6
def few_buyers():
    """Return the purchases of the visible check of question 6: an order for each line, but for some."""
    who = {"Coffee": "1234", "Filters": "123", "Milk": "12345678", "Cake": "4", "Soap": "56", "Sugar": "12785"}
    rows = [(f"K{one}", f"{name}{one}", name) for name, ones in who.items() for one in ones]
    rows += [("K1", f"again{number}", "Coffee") for number in range(5)]
    rows += [("K2", f"again{number}", "Sugar") for number in range(5, 9)]
    rows += [(None, f"nobody{number}", name) for number in range(3) for name in ("Coffee", "Soap")]
    rows += [("K1", "again0", "Sugar"), ("K8", "again9", "Soap")]
    table = pd.DataFrame(rows, columns=["customer_id", "order_id", "name"])
    table["ordered_at"] = pd.Timestamp("2025-05-05 10:00")
    return table[["customer_id", "order_id", "ordered_at", "name"]].sample(frac=1, random_state=4, ignore_index=True)


def buyers_of(bought, unit="customer_id"):
    """Return the set of customers of each article."""
    sets = {}
    for who, name in bought[[unit, "name"]].itertuples(index=False):
        if pd.notna(who):
            sets.setdefault(name, set()).add(who)
    return sets


def likeness(bought, article, how="cosine", unit="customer_id"):
    """Return how like each other article is, set by set, the most like ones first."""
    sets = buyers_of(bought, unit)
    mine, values = sets[article], {}
    for name, other in sets.items():
        both, a, b = len(mine & other), len(mine), len(other)
        ways = {"cosine": both / math.sqrt(a * b), "jaccard": both / len(mine | other), "share": both / a}
        ways |= {"opposite": both / b, "no root": both / (a * b), "common": both}
        values[name] = ways[how]
    return pd.Series(values).drop(article).sort_index().sort_values(ascending=False, kind="stable")


def like_mistakes(bought, article, k):
    """Return the wrong answers that students get, each with its sentence."""
    known = bought.dropna(subset="customer_id")
    matrix = pd.crosstab(known["customer_id"], known["name"]).astype("float64")
    size = np.sqrt((matrix**2).sum())
    weighed = ((matrix.T @ matrix[article]) / (size * size[article])).drop(article)

    def same(wrong):
        def found(got):
            own = wrong.reindex(got.index)
            best = np.isclose(np.sort(got.to_numpy("float64")), np.sort(wrong.nlargest(k).to_numpy("float64"))).all()
            return bool(best and np.allclose(own, got.astype("float64"), atol=1e-9))

        return found

    smallest = likeness(bought, article).tail(k)
    return [
        (lambda got: isinstance(got, pd.DataFrame), "One number an article is asked for: a Series, not a table."),
        (
            lambda got: article in got.index,
            f"{article} itself is on your list: it is like itself, of course. Drop it (`.drop(article)`).",
        ),
        (
            lambda got: len(got) > k,
            "Your answer has too many articles: the `k` most like ones are asked for (`.nlargest(k)`).",
        ),
        (
            same(weighed),
            "You count how *often* each customer bought. Here a customer bought an article or did not: count once "
            "(`drop_duplicates`, or `> 0`).",
        ),
        *(
            (
                same(likeness(lines, article, unit="order_id")),
                "You compare by *orders*. By customers, it does not matter whether both were bought on one day.",
            )
            for lines in (bought, known)
        ),
        (
            same(likeness(bought, article, "jaccard")),
            "This is the share of the buyers of one or the other (Jaccard). The cosine divides by the root of the "
            "product of both numbers of buyers.",
        ),
        (
            same(likeness(bought, article, "share")),
            f"This is the share of the buyers of {article}: what everybody buys comes first. Divide by the root of the "
            "product of both numbers of buyers.",
        ),
        (
            same(likeness(bought, article, "opposite")),
            "You divide by the buyers of the other article alone: what one customer bought comes first. Divide by the "
            "root of the product of both numbers of buyers.",
        ),
        (same(likeness(bought, article, "no root")), "The root is missing: divide by √(buyers × buyers)."),
        (
            same(likeness(bought, article, "common")),
            "These are the numbers of common customers: what everybody buys comes first. Divide by the root of the "
            "product of both numbers of buyers.",
        ),
        (
            lambda got: set(got.index) == set(smallest.index) and near(got.max(), smallest.max()),
            "These are the *least* like ones: sort downwards.",
        ),
    ]


def falls(got):
    """Say whether the numbers of a Series fall (or stay) from row to row."""
    values = got.to_numpy("float64")
    return bool((np.diff(values) <= 1e-9).all())


def check_similar_articles(names):
    """Question 6."""
    similar_articles = checks.answer(names, "similar_articles", "function")
    bought = few_buyers()
    for article, k in (("Coffee", 3), ("Soap", 1)):
        got = checks.call(similar_articles, bought, article, k)
        right = likeness(bought, article).head(k)
        mistakes = like_mistakes(bought, article, k)
        checks.equal(got, right, f"similar_articles(purchases, {article!r}, {k})", by="index", mistakes=mistakes)
        checks.require(falls(got), "The articles are right, their order is not: the most like one comes first.")


# ---------------------------------------------------------------------------------------------------------- question 7
def few_lists():
    """Return the lists and purchases of the visible check of question 7; the day is 1 January 2026."""
    named = {"K1": "Rice Tea Milk", "K2": "Milk Eggs Rice", "K3": "Rice Tea Milk", "K5": "Oats"}
    rows = [(who, rank, name) for who, names in named.items() for rank, name in enumerate(names.split(), 1)]
    lists = pd.DataFrame(rows, columns=["customer_id", "rank", "name"])
    rows = [
        ("K1", "a1", "2025-12-01 10:00", "Tea"),
        ("K1", "a2", "2026-01-05 10:00", "Rice"),
        ("K1", "a3", "2026-02-05 10:00", "Rice"),
        ("K1", "a3", "2026-02-05 10:00", "Milk"),
        ("K1", "a3", "2026-02-05 10:00", "Soap"),
        ("K2", "a4", "2025-12-31 23:59", "Milk"),
        ("K2", "a4", "2025-12-31 23:59", "Eggs"),
        ("K2", "a5", "2026-03-01 10:00", "Rice"),
        ("K2", "a5", "2026-03-01 10:00", "Oats"),
        ("K3", "a6", "2025-10-01 10:00", "Rice"),
        ("K4", "a7", "2026-01-09 10:00", "Rice"),
        ("K5", "a8", "2026-01-01 00:00", "Oats"),
        (None, "a9", "2026-01-10 10:00", "Tea"),
    ]
    bought = pd.DataFrame(rows, columns=["customer_id", "order_id", "ordered_at", "name"])
    bought["ordered_at"] = pd.to_datetime(bought["ordered_at"])
    return lists.iloc[::-1].reset_index(drop=True), bought


def judged(lists, bought, day, k, every=False, places=False, pooled=False):
    """Judge the lists customer by customer: the slow way; the last three make the mistakes that students make."""
    shown, wanted = {}, {}
    for who, rank, name in lists[["customer_id", "rank", "name"]].itertuples(index=False):
        if rank <= k:
            shown.setdefault(who, set()).add(name)
    for who, when, name in bought[["customer_id", "ordered_at", "name"]].itertuples(index=False):
        if pd.notna(who) and when >= day:
            wanted.setdefault(who, set()).add(name)
    who = sorted(shown) if every else sorted(set(shown) & set(wanted))
    hits = np.array([len(shown[one] & wanted.get(one, set())) for one in who], dtype="float64")
    length = np.array([k if places else len(shown[one]) for one in who])
    number = np.array([max(len(wanted.get(one, set())), 1) for one in who])
    parts = {"customers": len(who), "hit_rate": float((hits > 0).mean())}
    if pooled:
        return parts | {"precision": float(hits.sum() / length.sum()), "recall": float(hits.sum() / number.sum())}
    return parts | {"precision": float((hits / length).mean()), "recall": float((hits / number).mean())}


def judge_mistakes(lists, bought, day, k):
    """Return the wrong answers that students get, each with its sentence."""
    right = judged(lists, bought, day, k)
    early = judged(lists, bought, pd.Timestamp("1990-01-01"), k)
    whole = judged(lists, bought, day, 10**6)
    every, places, pooled = (judged(lists, bought, day, k, **{way: True}) for way in ("every", "places", "pooled"))
    late = judged(lists, bought, day + pd.Timedelta("1s"), k)
    later = bought[(bought["ordered_at"] >= day) & bought["customer_id"].notna()]
    strangers = later["customer_id"].nunique()
    shown = lists[lists["rank"] <= k]
    lines = shown.merge(later[["customer_id", "name"]]).groupby("customer_id").size()
    length = shown.groupby("customer_id").size()
    known = length[length.index.isin(later["customer_id"])]
    often = float((lines.reindex(known.index, fill_value=0) / known).mean())
    bills = later.groupby("customer_id").size()
    hits = shown.merge(later[["customer_id", "name"]].drop_duplicates()).groupby("customer_id").size()
    billed = float((hits.reindex(known.index, fill_value=0) / bills[known.index]).mean())

    def like(wrong, *keys):
        keys = [key for key in keys if not near(wrong[key], right[key])]
        return lambda got: bool(keys) and all(near(got[key], wrong[key]) for key in keys)

    def holds(key, value):
        return lambda got: not near(value, right[key]) and near(got[key], value)

    return [
        (
            like(early, "customers", "hit_rate"),
            "You count purchases from before the `day` as hits. The list was made from them; only what was bought at "
            "`day` or later judges it.",
        ),
        (
            like(every, "customers"),
            "You judge every customer with a list. Who bought nothing later says nothing about the list: leave them "
            "out.",
        ),
        (
            holds("customers", strangers),
            "You judge customers who have no list: who has a list *and* bought later is judged.",
        ),
        (
            like(late, "customers"),
            "A purchase at 00:00 of the `day` is a later one: `ordered_at >= day`.",
        ),
        (
            like(whole, "hit_rate", "precision"),
            "The whole list counts in your answer, but only its first `k` places are shown: `rank <= k`, and not the "
            "first rows.",
        ),
        (
            lambda got: near(got["precision"], right["recall"]) and near(got["recall"], right["precision"]),
            "Precision and recall are swapped: precision divides by what was shown, recall by what was bought later.",
        ),
        (
            like({key: 100 * value for key, value in right.items()}, "hit_rate", "precision"),
            "Your shares are in per cent; from 0 to 1 is asked for.",
        ),
        (
            holds("precision", often),
            "An article that was bought twice counts as two hits. Bought later or not: drop the duplicates of customer "
            "and article.",
        ),
        (
            holds("recall", billed),
            "`recall` divides by the lines. What was bought later are different *articles*: drop the duplicates.",
        ),
        (
            like(pooled, "precision", "recall"),
            "You divide sums, so that customers with many purchases weigh more. Divide for each customer, then take "
            "the mean.",
        ),
        (
            like(places, "precision"),
            "You divide by `k` where a list is shorter. Divide by the number of articles that were shown.",
        ),
        (
            lambda got: not near(right["hit_rate"], right["precision"]) and near(got["hit_rate"], right["precision"]),
            "`hit_rate` counts articles. It is the share of *customers* who bought one of the shown articles or more.",
        ),
    ]


def check_judge_lists(names):
    """Question 7."""
    judge_lists = checks.answer(names, "judge_lists", "function")
    lists, bought = few_lists()
    got = checks.call(judge_lists, lists, bought, DAY, 2)
    right = judged(lists, bought, DAY, 2)
    checks.equal(got, right, "judge_lists(lists, purchases, day, 2)", mistakes=judge_mistakes(lists, bought, DAY, 2))
