"""Lab 9: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

The number that a method gives to a cluster means nothing, so every check compares groups that no method can miss: made
of customers who lie close together and far from the others. Every `check_…` takes the student's names (``globals()``)
and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import math
import statistics

import numpy as np
import pandas as pd

import cimlab
from cimlab import checks

AS_OF = pd.Timestamp("2026-06-30")
YEAR = pd.Timedelta(days=365)
TRAITS = ["orders", "basket", "on_offer"]
SEGMENTS, SEED = 4, 1
RULES = pd.DataFrame(
    {
        "trait": TRAITS,
        "high": ["regulars", "big baskets", "bargain hunters"],
        "low": ["rare visitors", "small baskets", "full-price buyers"],
    }
)


def prepare():
    """Return what the questions start from, so that none of them needs the answer to another one.

    A customer is here a card or an account, as in lab 6. From here on, k-means uses one thread: on a busy machine
    several threads only wait for one another, fifty times as long.

    Returns
    -------
    orders : pandas.DataFrame
        order_id, customer_id (missing for a purchase without a card), ordered_at, amount (CNY).
    lines : pandas.DataFrame
        order_id, line_no, discount (fraction), amount (CNY).
    returns : pandas.DataFrame
        order_id, returned_on, refund (CNY); an order may have several.
    customers : pandas.DataFrame
        One row per customer who bought in the year: customer_id, orders, basket (CNY), on_offer (fraction), revenue
        (CNY), consent to marketing ("given", "withdrawn", or missing for who was never asked).
    scaled : pandas.DataFrame
        orders, basket and on_offer of each customer (the index), on one scale.
    labels : pandas.Series
        The segment of each customer (the index), 1 to 4, by mean revenue.

    Examples
    --------
    >>> orders, lines, returns, customers, scaled, labels = prepare()
    >>> customers.columns.tolist()
    ['customer_id', 'orders', 'basket', 'on_offer', 'revenue', 'consent']
    """
    from threadpoolctl import threadpool_limits

    from cimlab.profiles import cluster_customers

    threadpool_limits(1)
    orders = cimlab.load("orders").query("channel != 'call'").rename(columns={"customer_ref": "customer_id"})
    orders = orders[["order_id", "customer_id", "ordered_at", "amount"]].reset_index(drop=True)
    lines = cimlab.load("order_lines")[["order_id", "line_no", "discount", "amount"]]
    returns = cimlab.load("returns")[["order_id", "returned_on", "refund"]]
    customers = features_by_hand(orders, lines, returns, AS_OF)
    ledger = cimlab.load("consents").query("purpose == 'marketing'").sort_values(["recorded_at", "consent_id"])
    customers["consent"] = customers["customer_id"].map(ledger.groupby("customer_ref")["action"].last())
    scaled = scaled_by_hand(customers, customers)
    clusters = cluster_customers(scaled, SEGMENTS, seed=SEED)
    brings = customers.set_index("customer_id")["revenue"].groupby(clusters).mean()
    labels = clusters.map(brings.rank(ascending=False).astype(int)).rename("segment")
    return orders, lines, returns, customers, scaled, labels


def samples(scaled, rounds=10, part=0.5, seed=SEED):
    """Return lists of customers drawn without replacement, each as they stand in the table.

    Examples
    --------
    >>> [len(drawn) for drawn in samples(pd.DataFrame({"orders": range(8)}), rounds=3)]
    [4, 4, 4]
    """
    draw = np.random.default_rng(seed)
    size = round(part * len(scaled))
    drawn = (np.sort(draw.choice(len(scaled), size, replace=False)) for _ in range(rounds))
    return [scaled.index[places].tolist() for places in drawn]


def features_by_hand(orders, lines, returns, as_of):
    """Measure customers order by order: the slow way, to check the fast one."""
    offered, refunded, seen = {}, {}, {}
    for order, discount, amount in zip(lines["order_id"], lines["discount"], lines["amount"], strict=True):
        offered[order] = offered.get(order, 0.0) + (amount if discount > 0 else 0.0)
    for order, day, refund in zip(returns["order_id"], returns["returned_on"], returns["refund"], strict=True):
        refunded[order] = refunded.get(order, 0.0) + (refund if day <= as_of else 0.0)
    columns = (orders[column] for column in ("order_id", "customer_id", "ordered_at", "amount"))
    for order, who, when, amount in zip(*columns, strict=True):
        if pd.notna(who) and as_of - YEAR < when.normalize() <= as_of:
            own = seen.setdefault(who, [0, 0.0, 0.0, 0.0])
            for place, more in enumerate((1, amount, offered.get(order, 0.0), amount - refunded.get(order, 0.0))):
                own[place] += more
    rows = [(who, n, paid / n, offer / paid, net) for who, (n, paid, offer, net) in sorted(seen.items())]
    return pd.DataFrame(rows, columns=["customer_id", *TRAITS, "revenue"])


def scaled_by_hand(customers, like, logged=("orders", "basket"), spread=statistics.pstdev):
    """Scale customers number by number, as `like` says: the slow way, to check the fast one."""
    scaled = {}
    for trait in TRAITS:
        own, known = (
            [math.log1p(value) if trait in logged else float(value) for value in table[trait]]
            for table in (customers, like)
        )
        mean, width = statistics.fmean(known), spread(known)
        scaled[trait] = [(value - mean) / width for value in own]
    return pd.DataFrame(scaled, index=pd.Index(customers["customer_id"], name="customer_id"))


def options(customers, labels, effect, cost):
    """Return what each segment is, what it brings, and what a contact gains, if the effect is right and if it is half.

    Parameters
    ----------
    customers, labels
        As `prepare` returns them.
    effect : float
        Profit that a contact adds, as a part of the revenue of the customer's year.
    cost : float
        CNY a contact.

    Returns
    -------
    pandas.DataFrame
        One row per segment: customers, orders, basket (CNY), on_offer (means), revenue_share, reached (customers with
        consent), cost, gain, gain_if_half (CNY, of all who are reached).

    Examples
    --------
    >>> customers, _, labels = prepare()[3:]
    >>> options(customers, labels, effect=0.015, cost=3).index.tolist()
    [1, 2, 3, 4]
    """
    segment = customers["customer_id"].map(labels).rename("segment")
    groups, asked = customers.groupby(segment), customers["consent"].eq("given")
    table = groups[TRAITS].mean()
    table.insert(0, "customers", groups.size())
    table["revenue_share"] = groups["revenue"].sum() / customers["revenue"].sum()
    table["reached"] = asked.groupby(segment).sum()
    table["cost"] = cost * table["reached"]
    brings = customers["revenue"].where(asked, 0.0).groupby(segment).sum()
    return table.assign(gain=effect * brings - table["cost"], gain_if_half=effect / 2 * brings - table["cost"])


def evidence(customers, scaled, labels, orders, lines, returns):
    """Return how well each segment is found again: among other customers, and in the year before.

    Parameters
    ----------
    customers, scaled, labels, orders, lines, returns
        As `prepare` returns them.

    Returns
    -------
    pandas.DataFrame
        One row per segment: found_again (part that it shares with the nearest cluster of a random half, mean of ten
        halves; 1 is all), bought_before (customers who bought in the year before as well), same_before (share of them
        who lay nearest to the same segment then), all_before (share of all who bought in both years that lay nearest
        to it then: what chance gives), on_offer_before (their mean then).

    References
    ----------
    Hennig, C. (2007). Cluster-wise assessment of cluster stability. Computational Statistics & Data Analysis 52.

    Examples
    --------
    >>> orders, lines, returns, customers, scaled, labels = prepare()
    >>> evidence(customers, scaled, labels, orders, lines, returns).index.tolist()
    [1, 2, 3, 4]
    """
    from cimlab.profiles import cluster_customers

    numbers = sorted(labels.unique())
    shared = pd.DataFrame(0.0, index=range(10), columns=numbers)
    for turn, drawn in enumerate(samples(scaled)):
        again, own = cluster_customers(scaled.loc[drawn], SEGMENTS, seed=SEED), labels[drawn]
        both = pd.crosstab(own, again)
        either = both.sum(axis=1).to_numpy()[:, None] + both.sum().to_numpy() - both
        shared.loc[turn] = (both / either).max(axis=1)
    before = features_by_hand(orders, lines, returns, AS_OF - YEAR)
    before = before[before["customer_id"].isin(labels.index)]
    centres = scaled.groupby(labels).mean()
    places = scaled_by_hand(before, customers).to_numpy()[:, None]
    nearest = np.array(numbers)[((places - centres.to_numpy()) ** 2).sum(axis=2).argmin(axis=1)]
    now = before["customer_id"].map(labels).rename("segment")
    table = pd.DataFrame({"found_again": shared.mean(), "bought_before": now.value_counts()})
    table["same_before"] = pd.Series(nearest == now, index=now.index).groupby(now).mean()
    table["all_before"] = [(nearest == number).mean() for number in numbers]
    return table.assign(on_offer_before=before["on_offer"].groupby(now).mean()).rename_axis("segment")


def has(column, **values):
    """Return a function that says whether a table holds these values in a column, by the name of the customer."""

    def found(got):
        own = got.set_index("customer_id")[column]
        return all(np.isclose(float(own.get(name, np.nan)), value) for name, value in values.items())

    return found


def few_bought():
    """Return the orders, lines and returns of the visible check of question 1."""
    rows = [("o1", "A", "2026-03-05 10:00", 100.0), ("o2", "A", "2026-06-30 20:15", 60.0)]
    rows += [("o3", "B", "2025-07-01 00:30", 80.0), ("o4", "B", "2025-06-30 23:00", 500.0)]
    rows += [("o5", "C", "2026-07-01 00:00", 70.0), ("o6", None, "2026-05-01 12:00", 35.0)]
    rows += [("o7", "D", "2026-01-10 09:00", 40.0)]
    orders = pd.DataFrame(rows, columns=["order_id", "customer_id", "ordered_at", "amount"])
    orders["ordered_at"] = pd.to_datetime(orders["ordered_at"])
    rows = [("o1", 0.0, 60.0), ("o1", 0.2, 40.0), ("o2", 0.1, 30.0), ("o2", 0.0, 20.0), ("o2", 0.0, 10.0)]
    rows += [("o3", 0.0, 80.0), ("o4", 0.3, 500.0), ("o5", 0.1, 70.0), ("o6", 0.1, 35.0), ("o7", 0.25, 40.0)]
    lines = pd.DataFrame(rows, columns=["order_id", "discount", "amount"])
    lines.insert(1, "line_no", lines.groupby("order_id").cumcount() + 1)
    rows = [("o1", "2026-03-09", 25.0), ("o7", "2026-01-15", 40.0), ("o1", "2026-03-12", 15.0)]
    returns = pd.DataFrame([*rows, ("o2", "2026-07-03", 30.0)], columns=["order_id", "returned_on", "refund"])
    return orders, lines, returns.assign(returned_on=pd.to_datetime(returns["returned_on"]))


def check_features(names):
    """Question 1."""
    features = checks.answer(names, "features", "function")
    rows = [("A", 2, 80.0, 0.4375, 120.0), ("B", 1, 80.0, 0.0, 80.0), ("D", 1, 40.0, 1.0, 0.0)]
    right = pd.DataFrame(rows, columns=["customer_id", *TRAITS, "revenue"])
    mistakes = [
        (
            lambda got: got["customer_id"].duplicated().any(),
            'A customer stands in several rows. One row per *customer* is asked for: `groupby("customer_id")`.',
        ),
        (
            lambda got: got["customer_id"].isna().any(),
            "Your table has a row without a customer. Purchases without a card belong to nobody: leave them out.",
        ),
        (
            lambda got: "C" in set(got["customer_id"]),
            "C bought *after* `as_of` only. Who looks back from that day cannot know it yet: leave later orders out.",
        ),
        (
            has("orders", B=2),
            "B's order of 30 June 2025 is too old: the 365 days that end with 30 June 2026 begin on 1 July 2025.",
        ),
        (
            lambda got: "B" not in set(got["customer_id"]),
            "B bought on 1 July 2025 at 0:30, the first of the 365 days, which counts: "
            "`ordered_at >= as_of + pd.Timedelta(days=1) - pd.Timedelta(days=365)`.",
        ),
        (
            has("orders", A=1),
            "A bought on `as_of` at 20:15, which counts. `ordered_at <= as_of` compares with midnight: take "
            "`ordered_at < as_of + pd.Timedelta(days=1)`.",
        ),
        (has("orders", A=5), "`orders` counts lines: A has 2 orders of 5 lines. Count each order once."),
        (
            has("orders", A=3),
            "Order o1 has two refunds, so a `merge` gives it two rows and counts it twice. Add up the refunds of each "
            "order first (`groupby`), then join.",
        ),
        (
            lambda got: "D" not in set(got["customer_id"]),
            "D sent all back and is lost. D *did* buy in the year: keep the row, with revenue 0.",
        ),
        (
            lambda got: got[["on_offer", "revenue"]].isna().any(axis=None),
            "A value is blank (NaN) for who has no refund, or no line on offer. It is known, it is nothing: "
            "`fillna(0)` before you add up.",
        ),
        (
            has("on_offer", A=0.4),
            "`on_offer` is the share of the *lines* (2 of 5). The share of the *money* is asked for: A paid 70 of 160 "
            "CNY for lines with a discount.",
        ),
        (
            has("on_offer", A=0.45),
            "`on_offer` is the mean of the shares of the orders, so that a small order weighs as much as a large one. "
            "Add up the money of each customer first, then divide once.",
        ),
        (
            has("basket", A=60.0),
            "`basket` is taken after refunds. It is the mean `amount` of an order, as it was paid.",
        ),
        (has("revenue", A=160.0, B=80.0), "`revenue` is taken before refunds: subtract what was paid back."),
        (
            has("revenue", A=90.0),
            "A's refund of 3 July came *after* `as_of`: on that day nobody knew of it. Take refunds up to `as_of`.",
        ),
    ]
    got = checks.call(features, *few_bought(), AS_OF)
    what = "features(seven_orders, ten_lines, four_returns, as_of)"
    checks.equal(got, right, what, by="customer_id", row="one per customer", mistakes=mistakes)


def few_known():
    """Return the two tables of the visible check of question 2: new customers, and those that the scale is of."""
    columns = ["customer_id", *TRAITS, "revenue"]
    like = [
        ("a", 1, 20.0, 0.0, 20.0),
        ("b", 1, 60.0, 0.5, 55.0),
        ("c", 3, 180.0, 1.0, 540.0),
        ("d", 7, 1500.0, 0.1, 9.0),
    ]
    new = [("e", 15, 45.0, 0.2, 600.0), ("b", 1, 60.0, 0.5, 55.0), ("f", 2, 300.0, 0.0, 600.0)]
    return pd.DataFrame(new, columns=columns), pd.DataFrame(like, columns=columns)


def check_scale(names):
    """Question 2."""
    scale = checks.answer(names, "scale", "function")
    customers, like = few_known()
    right = scaled_by_hand(customers, like)

    def same(wrong, columns=TRAITS):
        return lambda got: np.allclose(got.loc[wrong.index, columns].astype(float), wrong[columns])

    plain = scaled_by_hand(customers, like, logged=())
    mistakes = [
        (
            lambda got: "customer_id" in got.columns,
            "`customer_id` is a column; it should be the index, so that no distance is measured between names: "
            '`set_index("customer_id")`.',
        ),
        (
            lambda got: "revenue" in got.columns,
            "Leave `revenue` out: only `orders`, `basket` and `on_offer` are scaled.",
        ),
        (
            same(scaled_by_hand(customers, customers)),
            "You scale `customers` by their own mean and standard deviation. Take both from `like`: then b, who stands "
            "in both tables, keeps the place where the segments were found.",
        ),
        (
            same(plain),
            "No logarithm was taken. `orders` and `basket` are skewed, and a few large values would pull the clusters "
            "to them: `np.log1p` before you scale.",
        ),
        (
            same(scaled_by_hand(customers, like, spread=statistics.stdev)),
            "Your standard deviation divides by n − 1, as pandas does unless told otherwise: `.std(ddof=0)`.",
        ),
        (
            same(scaled_by_hand(customers, like, logged=TRAITS)),
            "You took the logarithm of `on_offer`, too. It is a fraction and not skewed by size: leave it as it is.",
        ),
        (
            lambda got: np.isinf(got.astype(float)).any(axis=None) or got.isna().any(axis=None),
            "Some values are blank or infinite. Take `np.log1p` of `orders` and `basket` *before* you subtract the "
            "mean: a value below −1 has no logarithm.",
        ),
        (
            lambda got: got.sum(axis=1).abs().max() < 1e-9,
            "You scale each *row*, so that every customer gets mean 0 and the large look like the small. Scale each "
            "*column*: `.mean()` without `axis=1`.",
        ),
        (
            lambda got: got.min(axis=None) >= 0,
            "No value is below 0: is this a scale from 0 to 1? Subtract the mean and divide by the standard deviation.",
        ),
        (
            lambda got: (
                not np.allclose(got["orders"], right["orders"]) and np.allclose(got["on_offer"], right["on_offer"])
            ),
            "`on_offer` is right, `orders` is not: take the mean and the standard deviation of the *logarithms*, "
            "`np.log1p(x)`.",
        ),
    ]
    got = checks.call(scale, customers, like)
    what = "scale(three_customers, like)"
    checks.equal(got, right, what, by="index", row="one per customer", mistakes=mistakes)


def groups_of(sizes, centres, seed, noise=0.04):
    """Return invented customers in groups that no method can miss, in any order, and the group of each.

    Parameters
    ----------
    sizes : list of int
    centres : list of (float, float, float, float)
        orders, basket, on_offer and revenue of each group.
    seed : int
    noise : float
        How far the customers of a group differ, as a part of each value.

    Returns
    -------
    customers : pandas.DataFrame
    group : pandas.Series
        By customer_id.

    Examples
    --------
    >>> customers, group = groups_of([2, 1], [(9, 50, 0.1, 500), (1, 300, 0.5, 90)], seed=1)
    >>> group.value_counts().to_dict()
    {1: 2, 2: 1}
    """
    draw = np.random.default_rng(seed)
    group = np.repeat(np.arange(1, len(sizes) + 1), sizes)
    values = np.array(centres, dtype="float64")[group - 1] * draw.uniform(1 - noise, 1 + 3 * noise, (len(group), 4))
    table = pd.DataFrame(values.round(3), columns=[*TRAITS, "revenue"])
    table["orders"] = table["orders"].round().astype(int)
    table.insert(0, "customer_id", [f"K{number:03}" for number in draw.permutation(len(group))])
    group = pd.Series(group, index=table["customer_id"])
    return table.sample(frac=1, random_state=seed).reset_index(drop=True), group


def described(customers, group):
    """Return the table of question 3 for groups that are known, added up customer by customer."""
    found = {}
    for row in customers.to_dict("records"):
        found.setdefault(int(group[row["customer_id"]]), []).append(row)
    columns = [*TRAITS, "revenue"]
    rows = [[len(own), *(statistics.fmean(row[key] for row in own) for key in columns)] for own in found.values()]
    rows.sort(key=lambda row: -row[-1])
    numbered = [[number, *row] for number, row in enumerate(rows, start=1)]
    return pd.DataFrame(numbered, columns=["segment", "customers", *columns])


def few_grouped():
    """Return the customers and groups of the visible check of question 3."""
    centres = [(10, 52, 0.10, 500.0), (2, 240, 0.12, 250.0), (1, 50, 0.9, 60.0)]
    return groups_of([3, 8, 4], centres, seed=7)


def check_kmeans(names):
    """Question 3."""
    describe_segments = checks.answer(names, "describe_segments", "function")
    customers, group = few_grouped()
    right = described(customers, group)
    scaled = scaled_by_hand(customers, customers).sample(frac=1, random_state=3)
    means = [*TRAITS, "revenue"]

    def sizes(got):
        return sorted(got["customers"].tolist())

    mistakes = [
        (lambda got: "segment" not in got.columns and got.index.name == "segment", "Make `segment` a column."),
        (
            lambda got: got[TRAITS].min(axis=None) < 0,
            "Your centres are in standard deviations. A manager reads orders and CNY: take the means of `customers`.",
        ),
        (
            lambda got: len(got) == 3 and sizes(got) != sizes(right),
            "Your clusters have other sizes. Did you group `customers`, where the basket in CNY outweighs all else? "
            "Fit `scaled`.",
        ),
        (
            lambda got: (
                sizes(got) == sizes(right)
                and not np.allclose(sorted(got["revenue"]), sorted(right["revenue"]))
                and not np.allclose(sorted(got["revenue"]), sorted(right["revenue"] * right["customers"]))
                and got["basket"].max() < 200
            ),
            "The sizes are right, the means are of other customers: the rows of `scaled` and `customers` stand in "
            "another order. Join them by `customer_id` (`map`), not by place.",
        ),
        (
            lambda got: np.allclose(sorted(got["revenue"]), sorted(right["revenue"] * right["customers"])),
            "`revenue` is the sum over the customers of a segment; their mean is asked for.",
        ),
        (
            lambda got: got["segment"].min() == 0,
            "Your segments begin at 0, the number that k-means gave. Number them from 1, by mean revenue.",
        ),
        (
            lambda got: not got["revenue"].is_monotonic_decreasing,
            "The segments do not stand by mean revenue. The number that k-means gives means nothing, the largest "
            'cluster or total is another order: `sort_values("revenue", ascending=False)`, then number from 1.',
        ),
        (
            lambda got: got["segment"].tolist() != [1, 2, 3],
            "Number the segments 1, 2, 3 *after* sorting by mean revenue, so that 1 is the best.",
        ),
        (
            lambda got: sizes(got) == sizes(right) and not np.allclose(got[means], right[means]),
            "The groups are right, the middle of them is not: the mean is asked for, not the median and not the "
            "centre of the logarithms taken back.",
        ),
    ]
    got = checks.call(describe_segments, customers, scaled, 3, SEED)
    what = "describe_segments(fifteen_customers, scaled, 3, 1)"
    checks.equal(got, right, what, row="one per segment", mistakes=mistakes)


def blobs(centres, sizes, seed, noise=0.1):
    """Return scaled customers around given centres, in any order; noise is one number, or one for each group.

    Examples
    --------
    >>> blobs([(0, 0, 0), (5, 0, 0)], [3, 2], seed=1).shape
    (5, 3)
    """
    draw = np.random.default_rng(seed)
    values = np.repeat(np.array(centres, dtype="float64"), sizes, axis=0)
    spread = np.repeat(np.broadcast_to(noise, len(sizes)), sizes)[:, None]
    values = draw.permutation(values + spread * draw.normal(0, 1, values.shape))
    index = pd.Index([f"K{number:03}" for number in range(len(values))], name="customer_id")
    return pd.DataFrame(values, columns=TRAITS, index=index)


def compared(scaled, ks, seed, least):
    """Return the table of question 4, from the helper of the chapters and the mixture model."""
    from sklearn.mixture import GaussianMixture

    from cimlab.profiles import compare_k

    table = compare_k(scaled, ks, rounds=1, seed=seed).drop(columns="stability")
    spread = ((scaled - scaled.mean()) ** 2).to_numpy().sum()
    table.insert(1, "inertia", table.pop("within") * spread)
    table["bic"] = [GaussianMixture(k, random_state=seed).fit(scaled).bic(scaled) for k in ks]
    allowed = [(-row.silhouette, row.k) for row in table.itertuples() if row.smallest >= least]
    return table.assign(chosen=table["k"] == min(allowed)[1])


def two_pairs():
    """Return scaled customers in two far pairs of near groups: the methods differ on how many groups these are."""
    return blobs([(0, 0, 0), (1.0, 0, 0), (14, 0, 0), (14, 1.3, 0)], [12, 12, 12, 12], seed=2)


def one_tiny():
    """Return scaled customers in four groups, one of them wide, and three odd ones apart."""
    centres = [(0, 0, 0), (6, 0, 0), (0, 7, 0), (6, 8, 0), (6, 0, 7)]
    return blobs(centres, [20, 20, 20, 20, 3], seed=5, noise=[0.1, 0.1, 0.1, 1.8, 0.1])


def wrong_measures(right):
    """Return the recognised mistakes in the columns of question 4."""

    def only(column):
        others = [name for name in ("inertia", "silhouette", "smallest", "bic") if name != column]
        return lambda got: (
            np.allclose(got[others], right[others], rtol=1e-4)
            and not np.allclose(got[column].astype(float), right[column], rtol=1e-4)
        )

    return [
        (lambda got: got["chosen"].sum() > 1, "`chosen` is True in several rows. One number of clusters is chosen."),
        (lambda got: not got["chosen"].any(), "`chosen` is True nowhere. One number of clusters is chosen."),
        (
            lambda got: got["smallest"].min() > 1,
            "`smallest` is a number of customers; a *share* of all customers is asked for.",
        ),
        (
            only("bic"),
            "`bic` is not right: fit `GaussianMixture(k, random_state=seed)` to `scaled`, then `.bic(scaled)`; not "
            "`.score` and not `.aic`.",
        ),
        (
            only("silhouette"),
            "`silhouette` is not right: `silhouette_score(scaled, labels)` with the labels of *k-means*.",
        ),
        (only("inertia"), "`inertia` is not right: `inertia_` of the fitted k-means, as it is."),
        (only("smallest"), "`smallest` is not right: the *smallest* cluster's customers, divided by all."),
    ]


def check_choose_k(names):
    """Question 4."""
    compare_k = checks.answer(names, "compare_k", "function")

    def chose(k):
        return lambda got: got.loc[got["chosen"], "k"].tolist() == [k]

    right = compared(two_pairs(), [2, 3, 4], SEED, 0.05)
    mistakes = [
        (
            chose(4),
            "You chose 4, where `inertia` and `bic` are lowest. Inertia always falls with k, so it chooses nothing; "
            "the rule here is the highest *silhouette*, 2.",
        ),
    ]
    got = checks.call(compare_k, two_pairs(), [2, 3, 4], SEED, 0.05)
    what = "compare_k(two_pairs, [2, 3, 4], 1, 0.05)"
    told = {"row": "one per k", "tolerance": 1e-4}
    checks.equal(got, right, what, mistakes=[*wrong_measures(right), *mistakes], **told)
    right = compared(one_tiny(), [3, 4, 5], SEED, 0.05)
    mistakes = [
        (
            chose(5),
            "You chose 5: the silhouette is best there, but its smallest cluster holds 3 of 83 customers, below "
            "`least`. Such a k is not allowed; choose among the others.",
        ),
    ]
    got = checks.call(compare_k, one_tiny(), [3, 4, 5], SEED, 0.05)
    what = "compare_k(one_tiny, [3, 4, 5], 1, 0.05)"
    checks.equal(got, right, what, mistakes=[*wrong_measures(right), *mistakes], **told)


CORNERS = {"a": (0.0, 0.0), "b": (0.0, 10.0), "c": (11.0, 0.0), "d": (11.0, 10.0)}


def four_corners(sizes, seed):
    """Return scaled customers in four corners. Two clusters are left and right, or top and bottom: by who is drawn."""
    names = [f"{corner}{number}" for corner, size in zip("abcd", sizes, strict=True) for number in range(size)]
    draw = np.random.default_rng(seed)
    values = np.array([CORNERS[name[0]] for name in names]) + draw.normal(0, 0.05, (len(names), 2))
    table = pd.DataFrame(values, columns=["orders", "basket"], index=pd.Index(names, name="customer_id"))
    return table.sample(frac=1, random_state=seed)


def drawn_from(scaled, counts, seed):
    """Return names of so many customers of each corner, in any order."""
    names = [f"{corner}{number}" for corner, count in zip("abcd", counts, strict=True) for number in range(count)]
    return [name for name in np.random.default_rng(seed).permutation(names).tolist() if name in scaled.index]


def few_drawn():
    """Return the customers and the three samples of the visible check of question 5."""
    scaled = four_corners([6, 6, 6, 6], seed=4)
    counts = ([4, 4, 4, 4], [6, 6, 1, 1], [5, 3, 4, 6])
    return scaled, [drawn_from(scaled, count, seed) for seed, count in enumerate(counts)]


def agreement(parts, score):
    """Return the mean agreement of the visible check of question 5: left and right twice, top and bottom once.

    Parameters
    ----------
    parts : list of str
        Customers of the sample in which the clusters are top and bottom.
    score : callable
        Of two lists of groups.
    """
    sides = [name[0] in "ab" for name in parts], [name[0] in "ac" for name in parts]
    return (1 + 1 + score(*sides)) / 3


def check_stability(names):
    """Question 5."""
    from sklearn.metrics import adjusted_rand_score, rand_score

    stability = checks.answer(names, "stability", "function")
    scaled, drawn = few_drawn()
    right = agreement(drawn[1], adjusted_rand_score)
    equal = [len([name for name in drawn[1] if name[0] in "ad"]) / len(drawn[1])]
    equal += [1 - equal[0]]
    plain = [(one + two + three) / 3 for one in (0, 1) for three in (0, 1) for two in equal]
    mistakes = [
        (
            lambda got: isinstance(got, (list, np.ndarray, pd.Series)),
            "One number is asked for: the mean of the rounds.",
        ),
        (
            1.0,
            "Your clusters are always the same, since they were found only once. Fit k-means *again* to each sample: "
            "that other customers give the same groups is what is tested.",
        ),
        (
            agreement(drawn[1], rand_score),
            "This is the Rand index. It rewards what chance gives, too: `adjusted_rand_score`.",
        ),
        (
            agreement(list(scaled.index), adjusted_rand_score),
            "You let the new clusters say where *all* customers belong. Compare on the customers of the sample only: "
            "they were clustered both times.",
        ),
        (3 * right - 2, "This is the lowest agreement of the rounds; the mean is asked for."),
        (3 * right, "You added up the rounds; their mean is asked for."),
        (
            lambda got: any(np.isclose(got, wrong) for wrong in plain),
            "You count how often two *numbers* of clusters are equal. Cluster 0 of one fit may be cluster 1 of the "
            "next, so that says nothing: `adjusted_rand_score` compares the groups, whatever they are called.",
        ),
        (
            lambda got: got < right,
            "Too low. Do both lists hold the same customers in the same order? Take the clusters of all customers by "
            "`customer_id` (the index), not by place.",
        ),
    ]
    got = checks.call(stability, scaled, drawn, 2, SEED)
    checks.equal(got, right, "stability(scaled, three_samples, 2, 1)", mistakes=mistakes)


def few_named():
    """Return the customers and labels of the visible check of question 6."""
    rows = [("p", 12, 100.0, 0.2), ("q", 8, 140.0, 0.0), ("r", 1, 30.0, 0.4), ("s", 2, 20.0, 0.0), ("t", 1, 45.0, 0.4)]
    rows += [("u", 3, 15.0, 0.0), ("v", 3, 210.0, 1.0), ("w", 2, 40.0, 0.4)]
    labels = pd.Series({"w": 3, "q": 1, "v": 2, "s": 3, "p": 1, "u": 3, "t": 3, "r": 3}, name="segment")
    return pd.DataFrame(rows, columns=["customer_id", *TRAITS]), labels.rename_axis("customer_id")


def wrong_names(right):
    """Return the recognised mistakes in trait and name of question 6."""
    highest = right[TRAITS].idxmax(axis=1).tolist()

    def close(got):
        return np.allclose(got[TRAITS].astype(float), right[TRAITS])

    return [
        (
            lambda got: close(got) and got["trait"].tolist() == highest,
            "`trait` is the *highest* index. What is far *below* 100 tells as much: take the largest distance, "
            "`(index - 100).abs()`.",
        ),
        (
            lambda got: close(got) and got["trait"].equals(right["trait"]),
            "Index and trait are right, a `name` is not: above 100 the column `high` of `rules` holds, else `low`.",
        ),
    ]


def check_name(names):
    """Question 6."""
    name_segments = checks.answer(names, "name_segments", "function")
    customers, labels = few_named()
    rows = [(1, 250.0, 160.0, 100 / 3, "orders", "regulars"), (2, 75.0, 280.0, 1000 / 3, "on_offer", "bargain hunters")]
    rows += [(3, 45.0, 40.0, 80.0, "basket", "small baskets")]
    right = pd.DataFrame(rows, columns=["segment", *TRAITS, "trait", "name"])
    groups = customers.groupby(customers["customer_id"].map(labels))[TRAITS]

    def same(wrong):
        return lambda got: np.allclose(got[TRAITS].astype(float), np.asarray(wrong, dtype="float64"))

    of_means = 100 * groups.mean() / groups.mean().mean()
    mistakes = [
        (same(right[TRAITS] / 100), "The index is a factor; 100 should stand for the mean of all: multiply by 100."),
        (same(right[TRAITS] - 100), "This is the distance from 100; the index itself is asked for, 100 for the mean."),
        (same(groups.mean()), "These are the means themselves; divide by the mean of all customers, times 100."),
        (
            same(of_means),
            "You divide by the mean of the *segments*, in which one customer of segment 2 weighs as much as five of "
            "segment 3. Divide by the mean of all *customers*.",
        ),
        (
            same(100 * customers.groupby(labels.to_numpy())[TRAITS].mean() / customers[TRAITS].mean()),
            "`labels` and `customers` stand in another order, and you joined them by place. Join by `customer_id`: "
            '`customers["customer_id"].map(labels)`.',
        ),
        *wrong_names(right),
    ]
    got = checks.call(name_segments, customers, labels, RULES)
    what = "name_segments(eight_customers, labels, rules)"
    checks.equal(got, right, what, row="one per segment", mistakes=mistakes)


def few_reached():
    """Return the customers and labels of the visible check of question 7."""
    rows = [("a", 1, 100.0, "given"), ("b", 1, 120.0, "given"), ("c", 1, 400.0, "withdrawn")]
    rows += [("d", 2, 90.0, "given"), ("e", 2, 95.0, "given"), ("f", 2, 85.0, "given"), ("g", 2, 80.0, None)]
    rows += [("h", 2, 70.0, None), ("i", 3, 60.0, "given"), ("j", 4, 15.0, "given"), ("k", 4, 10.0, "given")]
    rows += [("l", 5, 50.0, None)]
    table = pd.DataFrame(rows, columns=["customer_id", "segment", "revenue", "consent"])
    labels = table.set_index("customer_id")["segment"].sample(frac=1, random_state=6)
    return table.drop(columns="segment"), labels


def check_value_action(names):
    """Question 7."""
    choose_segments = checks.answer(names, "choose_segments", "function")
    customers, labels = few_reached()
    rows = [(1, 3 / 12, 620 / 1175, 2, 18.0, True), (2, 5 / 12, 420 / 1175, 3, 21.0, False)]
    rows += [(3, 1 / 12, 60 / 1175, 1, 4.0, True), (4, 2 / 12, 25 / 1175, 2, -1.5, False)]
    rows += [(5, 1 / 12, 50 / 1175, 0, 0.0, False)]
    columns = ["segment", "customer_share", "revenue_share", "reached", "gain", "chosen"]
    right = pd.DataFrame(rows, columns=columns)

    def told(column, number, value):
        return lambda got: np.isclose(float(got.set_index("segment")[column][number]), value)

    def chose(*numbers):
        return lambda got: got.loc[got["chosen"].astype(bool), "segment"].tolist() == list(numbers)

    mistakes = [
        (
            told("reached", 2, 5),
            '`reached` counts customers who never gave consent: a blank is no yes. Count `consent == "given"`.',
        ),
        (told("reached", 1, 1), "`reached` counts who withdrew; count who gave consent and kept it."),
        (lambda got: 5 not in set(got["segment"]), "Segment 5 is lost: nobody there can be reached, it gains 0."),
        (
            told("customer_share", 2, 3 / 8),
            "Your shares are of those who can be reached. How large a segment *is* counts all of its customers.",
        ),
        (
            told("gain", 1, 58.0),
            "`gain` counts the revenue of customers who may not be contacted. Only a contact adds something: take "
            "those with consent.",
        ),
        (told("gain", 1, 56.0), "`gain` counts all customers of a segment; only those with consent are contacted."),
        (told("gain", 1, 22.0), "`gain` leaves the cost out: each contact costs `cost`."),
        (
            chose(2),
            "You began with the largest *total* gain. A budget is spent best where one *contact* gains most: "
            "gain / reached.",
        ),
        (
            chose(1),
            "You stopped at the first segment that is too dear. Segment 3 comes after it, and still fits: go on.",
        ),
        (chose(1, 2, 3), "Your choice costs 12 CNY; the budget is 7."),
        (chose(1, 3, 5), "Segment 5 gains 0, which is not above 0: `>`, not `>=`."),
        (
            lambda got: bool(got.set_index("segment")["chosen"][4]),
            "Segment 4 loses money: a contact there brings less than it costs. An empty budget costs nothing.",
        ),
    ]
    got = checks.call(choose_segments, customers, labels, 0.1, 2, 7)
    what = "choose_segments(twelve_customers, labels, 0.1, 2, 7)"
    checks.equal(got, right, what, row="one per segment", mistakes=mistakes)
