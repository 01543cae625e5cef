"""What one does with segments: name them, follow the customers who change, value each segment, choose an action."""

import numpy as np
import pandas as pd

# What to do, by a measure of the segment against that of all customers. The first rule that holds decides, so that the
# order is a policy. Put in your own.
SEGMENT_ACTIONS = pd.DataFrame(
    [
        ["next_each", "above", 1.5, "look after them: first in the queue, no discount"],
        ["on_offer", "above", 1.5, "announce offers; a hold-out shows what they add"],
        ["next_each", "below", 0.5, "automatic messages only"],
        ["share_web", "above", 1.5, "the next offer in the web shop"],
        ["share_web", "below", 0.6, "a coupon on the till receipt"],
    ],
    columns=["measure", "side", "times", "action"],
)
NO_ACTION = "the leaflet for all"


def name_segments(table, segments, columns=None, words=None, least=0.5, most=2):
    """Name each segment by what differs most from all customers, and say by how much.

    Parameters
    ----------
    table : pandas.DataFrame
        customer_id and the variables, in their own units.
    segments : pandas.Series
        The segment of each customer, by customer_id.
    columns : list of str, optional
        The variables that may give a name; all numbers when left out. Leave out what must not be in a name.
    words : dict of str to (str, str), optional
        Variable → the words for low and high: ``{"share_web": ("shop", "web")}``. Else "low share_web".
    least : float
        A variable names a segment if its mean is at least so many standard deviations from that of all.
    most : int
        How many variables a name is made of.

    Returns
    -------
    pandas.DataFrame
        cluster, customers, name ("no mark" where nothing differs enough; the cluster is added where two would have one
        name), why (the means behind the name).

    Raises
    ------
    ValueError
        A column is not there or holds no numbers, or no customer of the table has a segment.

    Examples
    --------
    >>> table = pd.DataFrame({"customer_id": list("abcd"), "basket": [10.0, 10.0, 30.0, 30.0], "visits": [1, 2, 2, 1]})
    >>> segments = pd.Series({"a": "C1", "b": "C1", "c": "C2", "d": "C2"})
    >>> name_segments(table, segments, words={"basket": ("small basket", "large basket")})
      cluster  customers          name                 why
    0      C1          2  small basket  basket 10 (all 20)
    1      C2          2  large basket  basket 30 (all 20)
    """
    from cimlab import profiles
    from cimlab.plots.style import need_columns

    numbers = table.drop(columns="customer_id", errors="ignore").select_dtypes("number").columns
    columns = list(numbers) if columns is None else list(columns)
    need_columns(table, ["customer_id", *columns], "name_segments")
    texts = [column for column in columns if column not in numbers]
    if texts:
        raise ValueError(f"name_segments: {', '.join(texts)} holds no numbers; leave it out, or make shares of it")
    described = profiles.describe_clusters(table, segments, columns)
    rows = []
    for cluster, traits in described.groupby("cluster"):
        far = traits[traits["distance"].abs() >= least].head(most)
        parts = [_word(row.trait, row.distance, words or {}) for row in far.itertuples()]
        why = [f"{row.trait} {_short(row.value)} (all {_short(row.overall)})" for row in far.itertuples()]
        rows.append([cluster, int(traits["customers"].max()), ", ".join(parts) or "no mark", "; ".join(why)])
    named = pd.DataFrame(rows, columns=["cluster", "customers", "name", "why"])
    twice = named["name"].duplicated(keep=False)
    named.loc[twice, "name"] += " (" + named.loc[twice, "cluster"] + ")"
    return named


def scale_like(table, reference, frame=None, logged=None, limit=3.0):
    """Scale customers by the means and the spreads of other customers: those of an earlier day.

    Who scales each day by itself moves the yardstick with the customers, and sees no change.

    Parameters
    ----------
    table : pandas.DataFrame
        customer_id and the variables, without blanks, of the customers to scale.
    reference : pandas.DataFrame
        The same, of the customers by whom is scaled.
    frame, logged, limit
        As for ``profiles.scale_frame``, and as they were when the segments were made.

    Returns
    -------
    pandas.DataFrame
        As ``profiles.scale_frame`` returns it; equal to it where `table` is `reference`.

    Raises
    ------
    ValueError
        A column is not there, has blanks, or is the same for all customers of the reference.

    Examples
    --------
    >>> june = pd.DataFrame({"customer_id": ["a", "b"], "on_offer": [0.1, 0.3]})
    >>> scale_like(june.assign(on_offer=[0.3, 0.5]), june, {"price": ["on_offer"]})["on_offer"].round(2).tolist()
    [1.0, 3.0]
    """
    from cimlab import profiles
    from cimlab.analysis.columns import need

    frame = profiles.FRAME if frame is None else frame
    logged = profiles.clusters.LOGGED if logged is None else logged
    profiles.scale_frame(reference, frame, logged, limit)  # what is wrong with the reference, it says in its own words
    columns = [column for side in frame.values() for column in side]
    parts = []
    for rows in (table, reference):
        values = need(rows, ["customer_id", *columns], "table of variables").set_index("customer_id").astype("float64")
        parts.append(values.apply(lambda column: np.log1p(column) if column.name in logged else column))
    values, base = parts
    if values.isna().any(axis=None):
        blank = ", ".join(values.columns[values.isna().any()])
        raise ValueError(f"{blank} has blanks: choose the customers of whom all is known, or fill the blanks")
    scaled = ((values - base.mean()) / base.std(ddof=0)).clip(-limit, limit)
    for side in frame.values():
        scaled[side] /= np.sqrt(len(side))
    return scaled


def assign_segments(scaled, segments, others):
    """Put customers into segments that were made of others, each to the nearest centre.

    Parameters
    ----------
    scaled : pandas.DataFrame
        The scaled variables that the segments were made of, by customer_id.
    segments : pandas.Series
        The segment of each of these customers.
    others : pandas.DataFrame
        The customers to place, with the same variables on the same scale (`scale_like`).

    Returns
    -------
    pandas.Series of str
        The segment of each of the others.

    Raises
    ------
    ValueError
        The variables differ, or a customer of `scaled` has no segment.

    Examples
    --------
    >>> scaled = pd.DataFrame({"x": [0.0, 0.2, 5.0]}, index=list("abc"))
    >>> segments = pd.Series(["C1", "C1", "C2"], index=list("abc"))
    >>> assign_segments(scaled, segments, pd.DataFrame({"x": [4.0, 1.0]}, index=["d", "e"])).tolist()
    ['C2', 'C1']
    """
    if list(scaled.columns) != list(others.columns):
        raise ValueError(f"the others have {list(others.columns)}, the segments were made of {list(scaled.columns)}")
    own = segments.reindex(scaled.index)
    if own.isna().any():
        raise ValueError(
            f"{int(own.isna().sum())} customers of `scaled` have no segment: is the index the customer_id?"
        )
    centres = scaled.groupby(own).mean()
    away = ((others.to_numpy()[:, None, :] - centres.to_numpy()[None, :, :]) ** 2).sum(axis=2)
    return pd.Series(centres.index[away.argmin(axis=1)], index=others.index, name="cluster", dtype="str")


def segment_moves(before, after):
    """Count who went from which segment to which (客户迁移) between two days.

    Parameters
    ----------
    before, after : pandas.Series
        The segment of each customer, by customer_id, in the same segments (`assign_segments`).

    Returns
    -------
    pandas.DataFrame
        Customers; one row per segment before, one column per segment after. "none" is who has no segment on that day.

    Raises
    ------
    ValueError
        A customer stands twice.

    Examples
    --------
    >>> segment_moves(pd.Series({"a": "C1", "b": "C2"}), pd.Series({"a": "C2", "b": "C2", "c": "C1"}))
    after   C1  C2
    before
    C1       0   1
    C2       0   1
    none     1   0
    """
    for name, series in {"before": before, "after": after}.items():
        if series.index.duplicated().any():
            raise ValueError(
                f"{series.index[series.index.duplicated()][0]} stands twice in `{name}`: one row per customer"
            )
    both = pd.concat({"before": before, "after": after}, axis=1).astype("object").fillna("none")
    return pd.crosstab(both["before"], both["after"])


def segment_values(lines, segments, as_of, days=91):
    """Say what each segment brought up to a day, and what it brought in the days after it.

    Make the segments of what was known at the day. The days after it are a test that no segment was made of.

    Parameters
    ----------
    lines : pandas.DataFrame
        As returned by ``profiles.purchase_lines``, also with what came after the day: customer_id, order_id,
        ordered_at, amount (CNY).
    segments : pandas.Series
        The segment of each customer, by customer_id.
    as_of : datetime.date or str
        The day at which the segments were made.
    days : int
        How far one looks ahead; 91 is a quarter.

    Returns
    -------
    pandas.DataFrame
        One row per segment, and "none" for buyers without one: cluster, customers, share_customers, revenue (CNY up to
        the day), share_revenue, each (CNY per customer); of the days after: bought_next (share of the customers who
        bought), next_each (CNY per customer; revenue, not margin), next_low and next_high (its 95 per cent interval).
        The last four are missing where the days are not over yet.

    Raises
    ------
    ValueError
        A column is not there, or no customer with a segment had bought by that day.

    Examples
    --------
    >>> lines = pd.DataFrame({"customer_id": list("aab"), "order_id": ["o1", "o2", "o3"], "amount": [60.0, 30.0, 40.0],
    ...                       "ordered_at": pd.to_datetime(["2026-01-05", "2026-02-10", "2026-01-09"])})
    >>> segments = pd.Series({"a": "C1", "b": "C2"})
    >>> values = segment_values(lines, segments, "2026-01-31", days=10)
    >>> values[["cluster", "share_revenue", "bought_next", "next_each"]]
      cluster  share_revenue  bought_next  next_each
    0      C1            0.6          1.0       30.0
    1      C2            0.4          0.0        0.0
    """
    from cimlab.analysis.columns import after, need

    rows = need(lines, ["customer_id", "ordered_at", "amount"], "table of lines")
    begin, end = after(as_of), after(as_of) + pd.Timedelta(days=days)
    known, later = rows[rows["ordered_at"] < begin], rows[rows["ordered_at"].between(begin, end, inclusive="left")]
    spent = known.groupby("customer_id")["amount"].sum().rename("spent")
    if not spent.index.isin(segments.index).any():
        raise ValueError(
            f"nobody with a segment had bought by {begin.date() - pd.Timedelta(days=1)}: is the day right?"
        )
    each = pd.DataFrame({"cluster": segments, "spent": spent}).fillna({"cluster": "none", "spent": 0.0})
    each["next"] = later.groupby("customer_id")["amount"].sum().reindex(each.index, fill_value=0.0)
    groups = each.groupby("cluster")
    table = pd.DataFrame({"customers": groups.size(), "revenue": groups["spent"].sum(), "each": groups["spent"].mean()})
    table.insert(1, "share_customers", table["customers"] / len(each))
    table.insert(3, "share_revenue", table["revenue"] / table["revenue"].sum())
    table["bought_next"] = each["next"].gt(0).groupby(each["cluster"]).mean()
    table["next_each"] = groups["next"].mean()
    error = 1.96 * groups["next"].std() / np.sqrt(table["customers"])
    table["next_low"], table["next_high"] = (table["next_each"] - error).clip(lower=0), table["next_each"] + error
    if rows["ordered_at"].max() < end - pd.Timedelta(days=1):
        table[["bought_next", "next_each", "next_low", "next_high"]] = np.nan
    return table.rename_axis("cluster").reset_index()


def suggest_actions(profile, rules=SEGMENT_ACTIONS):
    """Suggest an action for each segment by rules that anybody can read, with the reason.

    Parameters
    ----------
    profile : pandas.DataFrame
        cluster, customers, and the measures that the rules ask for, one row per segment: `segment_values`, joined with
        the means of variables.
    rules : pandas.DataFrame
        measure, side ("above" or "below"), times, action: the action is for segments whose measure is above (below) so
        many times the mean of all customers. The first rule that holds decides.

    Returns
    -------
    pandas.DataFrame
        cluster, action, reason.

    Raises
    ------
    ValueError
        A measure is not there or missing, or a side is unknown.

    Examples
    --------
    >>> profile = pd.DataFrame({"cluster": ["C1", "C2"], "customers": [30, 10], "next_each": [100.0, 500.0]})
    >>> suggest_actions(profile, SEGMENT_ACTIONS.head(1))[["cluster", "reason"]]
      cluster                                reason
    0      C1                       no rule applies
    1      C2  next_each is 500, of all 200 (× 2.5)
    """
    from cimlab.plots.style import need_columns

    measures = list(dict.fromkeys(rules["measure"]))
    need_columns(profile, ["cluster", "customers", *measures], "suggest_actions")
    if not rules["side"].isin(["above", "below"]).all():
        raise ValueError("suggest_actions: the side of a rule is above or below")
    blank = profile[measures].columns[profile[measures].isna().any()]
    if len(blank):
        raise ValueError(
            f"suggest_actions: {', '.join(blank)} is missing for a segment; take an earlier day, or drop its rule"
        )
    overall = {name: np.average(profile[name], weights=profile["customers"]) for name in measures}
    rows = [[segment.cluster, *_first_rule(segment, rules, overall)] for segment in profile.itertuples()]
    return pd.DataFrame(rows, columns=["cluster", "action", "reason"])


def _first_rule(segment, rules, overall):
    """Return the action and the reason of the first rule that holds."""
    for rule in rules.itertuples():
        value, limit = getattr(segment, rule.measure), rule.times * overall[rule.measure]
        if value > limit if rule.side == "above" else value < limit:
            ratio = value / overall[rule.measure] if overall[rule.measure] else np.inf
            return rule.action, f"{rule.measure} is {value:.3g}, of all {overall[rule.measure]:.3g} (× {ratio:.1f})"
    return NO_ACTION, "no rule applies"


def _word(trait, distance, words):
    """Return the word for a low or a high value of a variable."""
    low, high = words.get(trait, (f"low {trait}", f"high {trait}"))
    return high if distance > 0 else low


def _short(number):
    """Write a mean for a reader: 168, or 0.06."""
    return f"{number:,.0f}" if abs(number) >= 10 else f"{number:.1f}" if abs(number) >= 1 else f"{number:.2f}"
