"""The explorer of the profit curve: what a contact costs, what a success brings, how many to contact."""

import ipywidgets

from cimlab import plots
from cimlab._explorer import Explorer
from cimlab.plots.style import need_columns

_LOOK = {"style": {"description_width": "190px"}, "layout": {"width": "500px"}, "continuous_update": False}


def profit_explorer(scored, value=100.0, cost=5.0, success=0.1, contacted=None):
    """Move the cost of a contact, the value of a success and the number of contacts, and see what it earns.

    Parameters
    ----------
    scored : pandas.DataFrame
        One row per customer of a test window: score (a high one is contacted first) and actual (True for a hit).
    value : float, optional
        What a success brings, CNY; the slider goes to three times as much.
    cost : float, optional
        Of one contact, CNY; the slider goes to three times as much.
    success : float, optional
        Share of the hits in which the contact does its work, 0 to 1; no control.
    contacted : int, optional
        The number of contacts at the beginning; a fifth of the customers when left out.

    Returns
    -------
    Explorer
        With the controls ``cost``, ``value`` and ``contacted``.

    Raises
    ------
    ValueError
        A column is missing, or as ``mining.profit_curve``.

    Examples
    --------
    >>> import pandas as pd
    >>> scored = pd.DataFrame({"score": [0.9, 0.6, 0.5, 0.1], "actual": [True, False, True, False]})
    >>> explorer = profit_explorer(scored, value=10, cost=3, success=1, contacted=1)
    >>> explorer.controls["contacted"].value = 2
    >>> explorer.sentence
    'Contact 2 of 4 customers, those with a score of 0.60 or more: 1 hit. Precision 0.50: of 100 contacted, 50 are hits.
    Recall 0.50: of 100 hits, 50 are contacted. Profit 4 CNY. The best is 3 contacts: 11 CNY. A contact pays from a
    probability of 0.30 on.'
    """
    from cimlab import mining

    need_columns(scored, ["score", "actual"], "profit_explorer")
    mining.break_even(value, cost, success)
    size = len(scored)
    contacted = max(1, size // 5) if contacted is None else contacted
    if not 0 <= contacted <= size:
        raise ValueError(f"profit_explorer: {contacted} of {size} customers cannot be contacted")
    curve = mining.profit_curve(scored["actual"], scored["score"], value, cost, success)

    def draw(ax, cost, value, contacted):
        now = curve.assign(profit=curve["hits"] * success * value - curve["contacted"] * cost)
        row, best = now.loc[contacted], mining.best_contacts(now)
        title = f"{contacted:,} contacts earn {_money(row['profit'])} CNY; the best, {_money(best['profit'])} CNY"
        plots.profit(now, title, chosen=contacted, ax=ax)
        return _say(row, best, size, mining.break_even(value, cost, success))

    controls = {
        "cost": ipywidgets.FloatSlider(
            value=cost,
            min=0,
            max=max(3 * cost, 1),
            step=_step(cost),
            description="Cost of a contact (CNY)",
            readout_format=".2f",
            **_LOOK,
        ),
        "value": ipywidgets.FloatSlider(
            value=value,
            min=_step(value),
            max=3 * value,
            step=_step(value),
            description="Value of a success (CNY)",
            readout_format=".0f" if value >= 10 else ".2f",
            **_LOOK,
        ),
        "contacted": ipywidgets.IntSlider(
            value=contacted, min=0, max=size, step=max(1, size // 200), description="Customers contacted", **_LOOK
        ),
    }
    return Explorer(controls, draw)


def _step(number):
    """Return a step with which a slider reaches three times a number in some sixty steps."""
    return number / 20 if number > 0 else 0.05


def _money(amount):
    """Write an amount in whole CNY, never as -0."""
    return f"{round(float(amount)) + 0:,}"


def _say(row, best, size, least):
    """Say whom a choice contacts, what it finds and what it earns."""
    earned = f"Profit {_money(row['profit'])} CNY. The best is {best['contacted']:,.0f} contacts: "
    earned += f"{_money(best['profit'])} CNY. "
    earned += f"A contact pays from a probability of {least:.2f} on." if least <= 1 else "No contact can pay."
    if not row["contacted"]:
        return f"Contact nobody of {size:,} customers. {earned}"
    hits = f"{row['hits']:,.0f} {'hit' if round(row['hits']) == 1 else 'hits'}"
    whom = f"{row['contacted']:,.0f} of {size:,} customers, those with a score of {row['score']:.2f} or more"
    return (
        f"Contact {whom}: {hits}. "
        f"Precision {row['precision']:.2f}: of 100 contacted, {100 * row['precision']:.0f} are hits. "
        f"Recall {row['recall']:.2f}: of 100 hits, {100 * row['recall']:.0f} are contacted. {earned}"
    )
