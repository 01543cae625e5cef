"""Charts that judge a score: what it promised against what came, and what it earns."""

import numpy as np
import pandas as pd

from cimlab.plots.style import (
    MARKERS,
    PALETTE,
    axes_for,
    ink,
    look,
    need_columns,
    need_few,
    separate_thousands,
    set_title,
)


def calibration(tables, title, event="did it", ax=None):
    """Draw for groups of customers what a score promised and what came; on the diagonal both are the same.

    Parameters
    ----------
    tables : pandas.DataFrame, or dict of str to pandas.DataFrame
        As returned by ``mining.calibration_table``: predicted, actual, low, high (0 to 1). A dict draws several scores,
        each with its name.
    title : str
        What the picture says.
    event : str, optional
        What is predicted, for the labels: ``"bought within 90 days"``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        A column is missing, or there are too many scores to tell apart.

    Examples
    --------
    >>> import pandas as pd
    >>> from cimlab import plots
    >>> table = pd.DataFrame({"predicted": [0.2, 0.6], "actual": [0.2, 0.3], "low": [0.1, 0.1], "high": [0.5, 0.6]})
    >>> ax = plots.calibration(table, title="The high score promises too much", event="bought")
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('predicted (%)', 'bought (%)')
    """
    tables = {"score": tables} if isinstance(tables, pd.DataFrame) else dict(tables)
    need_few(tables, "scores", "calibration")
    for table in tables.values():
        need_columns(table, ["predicted", "actual", "low", "high"], "calibration")
    ax = axes_for(ax)
    top = 100 * max(table[["predicted", "high"]].max().max() for table in tables.values())
    ax.plot([0, top], [0, top], color="#777777", linestyle="--", linewidth=1.2, label="as promised")
    for number, (name, table) in enumerate(tables.items()):
        x, y, low, high = (100 * table[column] for column in ("predicted", "actual", "low", "high"))
        style = look(number) | {"markersize": 6}
        # rounding may put the end of an interval on the wrong side of its share
        error = np.clip([y - low, high - y], 0, None)
        ax.errorbar(x, y, yerr=error, label=str(name), elinewidth=1, capsize=3, **style)
    ax.set(xlim=(0, top * 1.03), ylim=(0, top * 1.03), xlabel="predicted (%)", ylabel=f"{event} (%)")
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), handlelength=3.5)
    set_title(ax, title)
    return ax


def profit(curve, title, chosen=None, bands=None, band="90 % of the draws", ax=None):
    """Draw what it earns to contact the first n customers by score, for each n.

    Parameters
    ----------
    curve : pandas.DataFrame
        As returned by ``mining.profit_curve``: contacted, profit (CNY).
    title : str
        What the picture says.
    chosen : int, optional
        A number of contacts to mark; a row of the curve.
    bands : pandas.DataFrame, optional
        As returned by ``mining.profit_bands``: contacted, low, high (CNY).
    band : str, optional
        What the band is, for the legend.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        A column is missing, or `chosen` is no row of the curve.

    Examples
    --------
    >>> import pandas as pd
    >>> from cimlab import plots
    >>> curve = pd.DataFrame({"contacted": [0, 1, 2], "profit": [0.0, 7.0, 4.0]})
    >>> ax = plots.profit(curve, title="One contact is best", chosen=1)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['profit', 'best: 1 contacted, 7 CNY', 'chosen: 1 contacted, 7 CNY']
    """
    need_columns(curve, ["contacted", "profit"], "profit")
    earned = curve.set_index("contacted")["profit"]
    if chosen is not None and chosen not in earned.index:
        raise ValueError(f"profit: {chosen} contacts are not in the curve; it goes to {earned.index.max()}")
    ax = axes_for(ax)
    if bands is not None:
        need_columns(bands, ["contacted", "low", "high"], "profit")
        shade = {"color": PALETTE[0], "alpha": 0.2, "linewidth": 0, "label": band}
        ax.fill_between(bands["contacted"], bands["low"], bands["high"], **shade)
    ax.plot(earned.index, earned, color=PALETTE[0], linestyle="-", linewidth=2, label="profit")
    ax.axhline(0, color="#333333", linestyle="-", linewidth=0.8)
    best = earned.round(9).idxmax()
    marks = {"best": (best, MARKERS[0], PALETTE[4])} | (
        {} if chosen is None else {"chosen": (chosen, MARKERS[1], "black")}
    )
    for number, (name, (place, marker, color)) in enumerate(marks.items()):
        label = f"{name}: {place:,} contacted, {earned[place]:,.0f} CNY"
        hollow = {"markerfacecolor": "none", "markeredgewidth": 2} if number else {}
        size = 8 + 5 * number
        ax.plot(
            place, earned[place], marker=marker, markersize=size, color=ink(color), linestyle="", label=label, **hollow
        )
    ax.set(xlabel="customers contacted, the highest score first", ylabel="profit (CNY)", xlim=(0, earned.index.max()))
    separate_thousands(ax.xaxis, ax.yaxis)
    ax.legend(loc="upper left", bbox_to_anchor=(0, -0.16), ncols=2, handlelength=3)
    set_title(ax, title)
    return ax
