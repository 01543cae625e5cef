"""A business case that is computed (商业论证): what bad data cost, what one point is worth, and whether it pays.

The figures come from the tables as arguments; what nobody measured (the response lost, the uplift) is an assumption,
and `tornado` shows which of the assumptions decides.
"""

import numpy as np
import pandas as pd

from cimlab.analysis.columns import need


def _shares(name, **values):
    """Refuse a share outside 0 to 1, or a per cent written as 5."""
    for what, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name}: {what} is a share between 0 and 1, not {value}; 5 per cent is 0.05")


def cost_of_duplicates(
    records, duplicate_share, mailings, cost_per_mailing, response_rate=0.0, response_lost=0.0, margin_per_response=0.0
):
    """Compute what duplicates cost in a year: messages sent twice, and answers lost because they came twice.

    The number that is easily measured (wasted messages) is often the small one; the other stands on `response_lost`,
    which only an experiment knows.

    Parameters
    ----------
    records : int
        Records that get messages.
    duplicate_share : float
        Share of the records that are superfluous: records less persons, divided by records.
    mailings : float
        Messages to each record in a year.
    cost_per_mailing : float
        CNY.
    response_rate : float
        Share of the messages that a person answers by a purchase because of them.
    response_lost : float
        Share of these answers that a person does not give if the message comes twice.
    margin_per_response : float
        CNY of margin a purchase.

    Returns
    -------
    pandas.DataFrame
        item, quantity, unit, cost (CNY a year): wasted messages, answers lost, all.

    Raises
    ------
    ValueError
        A share outside 0 to 1, or an amount below 0.

    Examples
    --------
    >>> cost_of_duplicates(10000, 0.05, 12, 0.08, 0.01, 0.2, 30.0)
                  item  quantity      unit   cost
    0  wasted messages    6000.0  messages  480.0
    1     answers lost      12.0   answers  360.0
    2              all       NaN         -  840.0
    """
    _shares(
        "cost_of_duplicates", duplicate_share=duplicate_share, response_rate=response_rate, response_lost=response_lost
    )
    if min(records, mailings, cost_per_mailing) < 0:
        raise ValueError("cost_of_duplicates: records, mailings and cost_per_mailing are 0 or more")
    messages = records * duplicate_share * mailings
    answers = messages * response_rate * response_lost
    table = pd.DataFrame({"item": ["wasted messages", "answers lost", "all"], "quantity": [messages, answers, np.nan]})
    wasted, lost = messages * cost_per_mailing, answers * margin_per_response
    return table.assign(unit=["messages", "answers", "-"], cost=[wasted, lost, wasted + lost])


def _point_of_duplicates(records, mailings, cost_per_mailing, response_rate, response_lost, margin_per_response):
    table = cost_of_duplicates(
        records, 0.01, mailings, cost_per_mailing, response_rate, response_lost, margin_per_response
    )
    return float(table["cost"].iloc[-1])


def _point_of_churn(customers, margin_per_customer, part_of_year):
    _shares("value_of_point", part_of_year=part_of_year)
    return 0.01 * customers * margin_per_customer * part_of_year


def _point_of_consent(customers, mailings, uplift, margin_per_response, cost_per_mailing):
    if not -1 <= uplift <= 1:
        raise ValueError(f"value_of_point: uplift is a difference of shares, from -1 to 1, not {uplift}")
    return 0.01 * customers * mailings * (uplift * margin_per_response - cost_per_mailing)


_POINTS = {"duplicates": _point_of_duplicates, "churn": _point_of_churn, "consent": _point_of_consent}


def value_of_point(what, **figures):
    """Compute what one point (0.01) less duplicates, less churn, or more consent earns in a year.

    Parameters
    ----------
    what : str
        "duplicates", "churn" or "consent".
    **figures
        duplicates: records, mailings, cost_per_mailing, response_rate, response_lost, margin_per_response.
        churn: customers, margin_per_customer (CNY a year), part_of_year (1 if they would have left on the first day,
        0.5 if spread over the year).
        consent: customers, mailings, uplift (share answering with less share answering without a message: not the
        response rate, or purchases are counted that would have come anyway), margin_per_response, cost_per_mailing.

    Returns
    -------
    float
        CNY a year; below 0 if the messages cost more than they bring.

    Raises
    ------
    ValueError
        An unknown word, a figure that is missing or not wanted, or a share outside its bounds.

    Examples
    --------
    >>> value_of_point("churn", customers=3000, margin_per_customer=120.0, part_of_year=0.5)
    1800.0
    >>> round(value_of_point("consent", customers=3000, mailings=6, uplift=0.002, margin_per_response=30.0,
    ...                      cost_per_mailing=0.08), 2)
    -3.6
    """
    import inspect

    if what not in _POINTS:
        raise ValueError(f"value_of_point: what is one of {', '.join(_POINTS)}, not {what!r}")
    wanted = inspect.signature(_POINTS[what]).parameters
    odd = [f"{name} is missing" for name in wanted if name not in figures]
    odd += [f"{name} is not wanted" for name in figures if name not in wanted]
    if odd:
        raise ValueError(f"value_of_point({what!r}): {', '.join(odd)}; it takes {', '.join(wanted)}")
    return _POINTS[what](**figures)


def _yearly(flows):
    """Return one sum for each year from 0 to the last."""
    flows = need(flows, ["year", "amount"], "table of flows")
    if flows.empty or flows.isna().any(axis=None):
        raise ValueError("business_case: each flow needs a year and an amount, and there must be one")
    if (flows["year"] < 0).any() or (flows["year"] % 1 != 0).any():
        raise ValueError("business_case: a year is a whole number from 0 (today) on")
    sums = flows.groupby(flows["year"].astype("int64"))["amount"].sum()
    return sums.reindex(range(sums.index.max() + 1), fill_value=0.0).to_numpy(dtype="float64")


def _payback(amounts):
    """Return the years until the sum stays at 0 or above, linear within a year; missing if it never does."""
    total = np.cumsum(amounts)
    below = np.flatnonzero(total < -1e-9)
    if not len(below):
        return 0.0
    last = below[-1]
    return np.nan if last == len(total) - 1 else float(last - total[last] / amounts[last + 1])


def business_case(flows, rate):
    """Judge a plan by its flows of money: net present value, internal rate of return, payback.

    If the flows change their sign more than once there may be several internal rates of return, or none: then `irr` is
    missing, and the net present value decides.

    Parameters
    ----------
    flows : pandas.DataFrame
        year (0 today, 1 the end of the first year …), amount (CNY, costs below 0). Several rows a year are added.
    rate : float
        Interest a year, above -1.

    Returns
    -------
    pandas.Series
        npv (CNY), irr (a year), payback, discounted_payback (years; missing if it never pays back), sign_changes.

    Raises
    ------
    ValueError
        A column or value is missing, a year is not whole, or the rate is -1 or less.

    References
    ----------
    Brealey, R., Myers, S. and Allen, F. (2020). Principles of Corporate Finance, 13th ed., chapters 2 and 5.

    Examples
    --------
    >>> flows = pd.DataFrame({"year": [0, 1, 2], "amount": [-100.0, 60.0, 72.0]})
    >>> business_case(flows, rate=0.10).round(3).to_dict()
    {'npv': 14.05, 'irr': 0.2, 'payback': 1.556, 'discounted_payback': 1.764, 'sign_changes': 1.0}
    """
    from scipy.optimize import brentq

    if rate <= -1:
        raise ValueError("business_case: the rate is above -1 (0.08 for 8 % a year)")
    amounts = _yearly(flows)
    today = amounts / (1 + rate) ** np.arange(len(amounts))
    signs = np.sign(amounts[amounts != 0])
    changes = int((signs[1:] != signs[:-1]).sum())
    irr = np.nan
    if changes == 1:  # then there is exactly one rate (Descartes' rule of signs), found in x = log(1 + rate)

        def value(x):
            return float((amounts * np.exp(-x * np.arange(len(amounts)))).sum())

        edge = 1.0
        while value(-edge) * value(edge) > 0 and edge < 60:
            edge *= 2
        irr = float(np.expm1(brentq(value, -edge, edge, xtol=1e-14))) if value(-edge) * value(edge) <= 0 else np.nan
    result = {"npv": today.sum(), "irr": irr, "payback": _payback(amounts), "discounted_payback": _payback(today)}
    return pd.Series({**result, "sign_changes": changes}, dtype="float64")


def tornado(case, ranges):
    """Move one figure at a time from its low to its high end, and see how far the result moves.

    One at a time shows which figure decides; it does not show what happens if two go wrong together.

    Parameters
    ----------
    case : callable
        Takes the figures by name, returns one number: ``case(churn=0.2, uplift=0.01)``.
    ranges : pandas.DataFrame
        figure, low, likely, high.

    Returns
    -------
    pandas.DataFrame
        figure, at_low, at_high (results), swing (their distance), flips (the result changes its sign within the range:
        this figure can turn a yes into a no); the widest first.

    Raises
    ------
    ValueError
        A column is missing, a figure stands twice, or likely is not between low and high.

    References
    ----------
    Howard, R. (1988). Decision analysis: practice and promise. Management Science 34(6).

    Examples
    --------
    >>> ranges = pd.DataFrame({"figure": ["gain", "cost"], "low": [5.0, 9.0],
    ...                        "likely": [12.0, 10.0], "high": [15.0, 11.0]})
    >>> tornado(lambda gain, cost: gain - cost, ranges)
      figure  at_low  at_high  swing  flips
    0   gain    -5.0      5.0   10.0   True
    1   cost     3.0      1.0    2.0  False
    """
    ranges = need(ranges, ["figure", "low", "likely", "high"], "table of ranges")
    if ranges["figure"].duplicated().any():
        raise ValueError(f"tornado: {ranges.loc[ranges['figure'].duplicated(), 'figure'].iloc[0]} stands twice")
    ordered = (ranges["low"] <= ranges["likely"]) & (ranges["likely"] <= ranges["high"])
    if not ordered.all():
        raise ValueError(f"tornado: {ranges.loc[~ordered, 'figure'].iloc[0]}: likely must lie between low and high")
    likely = dict(zip(ranges["figure"], ranges["likely"], strict=True))
    table = ranges[["figure"]].copy()
    for end in ("low", "high"):
        pairs = zip(ranges["figure"], ranges[end], strict=True)
        table[f"at_{end}"] = [float(case(**{**likely, figure: value})) for figure, value in pairs]
    table["swing"] = (table["at_high"] - table["at_low"]).abs()
    base = float(case(**likely))
    table["flips"] = (np.sign(table["at_low"]) * np.sign(base) < 0) | (np.sign(table["at_high"]) * np.sign(base) < 0)
    return table.sort_values(["swing", "figure"], ascending=[False, True]).reset_index(drop=True)


def draw_tornado(table, likely, title, unit, ax=None):
    """Draw each figure as a bar from the likely result to those at its two ends, the widest on top.

    Parameters
    ----------
    table : pandas.DataFrame
        As returned by `tornado`: figure, at_low, at_high.
    likely : float
        The result with all figures at their likely values.
    title : str
        What the picture says.
    unit : str
        Label of the axis of results, with the unit: ``"net present value (CNY)"``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes
        If the results lie on both sides of 0, a line marks it.

    Raises
    ------
    ValueError
        A column is missing.

    Examples
    --------
    >>> table = pd.DataFrame({"figure": ["gain", "cost"], "at_low": [-5.0, 3.0], "at_high": [5.0, 1.0]})
    >>> ax = draw_tornado(table, likely=2.0, title="The gain decides", unit="profit (CNY)")
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['gain', 'cost']
    """
    from cimlab.plots.style import PALETTE, axes_for, need_columns, separate_thousands, set_title

    need_columns(table, ["figure", "at_low", "at_high"], "draw_tornado")
    ax, rows = axes_for(ax, figsize=(8, 1.5 + 0.42 * len(table))), range(len(table))
    looks = {"at_low": {"color": PALETTE[1], "hatch": "//"}, "at_high": {"color": PALETTE[0]}}
    for column, look in looks.items():
        label = f"figure {column.replace('_', ' its ')} end"
        ax.barh(rows, table[column] - likely, left=likely, height=0.6, edgecolor="white", label=label, **look)
    ax.axvline(likely, color="#333333", linewidth=1.5)
    ends = [*table["at_low"], *table["at_high"]]
    if min(ends) < 0 < max(ends):
        ax.axvline(0, color="#333333", linewidth=1, linestyle="--")
    ax.set_yticks(rows, [str(name) for name in table["figure"]])
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set_xlabel(unit)
    separate_thousands(ax.xaxis)
    ax.legend(loc="best")
    set_title(ax, title)
    return ax
