"""Charts of lines: over time, over a threshold, over the customers."""

import numpy as np
import pandas as pd

from cimlab.plots._axis import label_ends, places, settle_axis
from cimlab.plots.style import (
    DASHES,
    MARKERS,
    PALETTE,
    axes_for,
    ink,
    look,
    need_columns,
    need_few,
    need_numbers,
    separate_thousands,
    set_title,
)


def lines(table, title, unit, ax=None):
    """Draw one line for each column over the index, with its name at its end.

    Parameters
    ----------
    table : pandas.DataFrame or pandas.Series
        The index is the horizontal axis: periods, days, numbers or names, in order; its name becomes the label. One
        line for each column, up to eight; where a value is missing, the line has a gap.
    title : str
        What the picture says.
    unit : str
        Label of the axis of numbers, with the unit: ``"sales (CNY)"``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        A column holds no numbers, or there are too many columns.

    Examples
    --------
    >>> import pandas as pd
    >>> from cimlab import plots
    >>> months = pd.period_range("2026-01", periods=3, freq="M", name="month")
    >>> sales = pd.DataFrame({"shops": [30.0, 28.0, 31.0], "web shop": [10.0, 12.0, 15.0]}, index=months)
    >>> ax = plots.lines(sales, title="The web shop grows", unit="sales (1,000 CNY)")
    >>> sorted(text.get_text() for text in ax.texts)
    ['shops', 'web shop']
    """
    table = table.to_frame() if isinstance(table, pd.Series) else table
    need_numbers(table, "lines")
    need_few(table.columns, "lines", "lines")
    ax = axes_for(ax)
    x, ends = places(table.index), []
    for number, column in enumerate(table.columns):
        y = table[column].to_numpy("float64", na_value=np.nan)
        ax.plot(x, y, label=str(column), markevery=max(1, len(y) // 25), **look(number))
        if np.isfinite(y).any():
            last = np.flatnonzero(np.isfinite(y))[-1]
            ends.append((x[last], y[last], str(column), PALETTE[number]))
    ax.margins(x=0.02)
    settle_axis(ax, table.index)
    separate_thousands(ax.yaxis)
    ax.set_ylabel(unit)
    set_title(ax, title)
    if table.shape[1] > 1:
        label_ends(ax, ends)
    return ax


def forecast(history, forecasts, title, unit, lower=None, upper=None, band="range of the forecast", ax=None):
    """Draw what was (solid) and what the methods forecast (dashed, with markers).

    Parameters
    ----------
    history : pandas.Series
        One value per period. For a long one, draw the last part: ``history.tail(36)``.
    forecasts : pandas.DataFrame, dict of str to pandas.Series, or pandas.Series
        One forecast for each method, indexed by the periods that it is for, as the methods of ``analysis`` return them.
    title : str
        What the picture says.
    unit : str
        Label of the axis of numbers, with the unit.
    lower, upper : pandas.Series, optional
        The two ends of a band around a forecast, such as an interval.
    band : str, optional
        What the band is, for the legend: ``"95 % interval"``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        History and forecasts count their periods in different ways, only one end of the band is given, or there are too
        many methods.

    Examples
    --------
    >>> import pandas as pd
    >>> from cimlab import plots
    >>> from cimlab.analysis import seasonal_naive
    >>> sales = pd.Series([10.0, 30.0, 12.0, 32.0], index=pd.period_range("2025Q1", periods=4, freq="Q"))
    >>> ax = plots.forecast(sales, {"seasonal naive": seasonal_naive(sales, 2, season=2)}, "As before", "sales (CNY)")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['history', 'seasonal naive']
    """
    if isinstance(forecasts, pd.Series):
        forecasts = {str(forecasts.name or "forecast"): forecasts}
    forecasts = dict(forecasts.items())
    need_few(["history", *forecasts], "lines", "forecast")
    if (lower is None) != (upper is None):
        raise ValueError("forecast: a band has two ends; give both lower and upper, or neither")
    ends = {} if lower is None else {"lower end": lower, "upper end": upper}
    for name, values in {"history": history, **forecasts, **ends}.items():
        _check_series(name, values, history)
    ax = axes_for(ax)
    index = history.index
    ax.plot(places(index), history.to_numpy("float64"), color="#333333", linestyle="-", linewidth=1.8, label="history")
    if lower is not None:
        low, high = lower.align(upper, join="inner")
        shade = {"color": PALETTE[0], "alpha": 0.2, "linewidth": 0, "label": band}
        ax.fill_between(places(low.index), low.to_numpy("float64"), high.to_numpy("float64"), **shade)
    for number, (name, values) in enumerate(forecasts.items()):
        style = look(number) | {"linestyle": DASHES[number + 1]}
        every = max(1, len(values) // 25)
        ax.plot(places(values.index), values.to_numpy("float64"), label=str(name), markevery=every, **style)
        index = index.union(values.index)
    ax.margins(x=0.02)
    settle_axis(ax, index)
    separate_thousands(ax.yaxis)
    ax.set_ylabel(unit)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), handlelength=3.5)
    set_title(ax, title)
    return ax


def threshold_curve(table, chosen=None, title="Precision and recall over the match threshold", ax=None):
    """Draw how precision, recall and F1 change with the threshold above which two records count as one person.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each threshold, with the columns ``threshold`` (0 to 1), ``precision``, ``recall`` and ``f1``
        (shares, 0 to 1), as ``database.score_thresholds`` returns it.
    chosen : float, optional
        A threshold to mark by a vertical line.
    title : str, optional
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        When one of the four columns is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from cimlab import plots
    >>> table = pd.DataFrame({"threshold": [0.2, 0.8], "precision": [0.7, 0.9], "recall": [0.9, 0.8]})
    >>> table["f1"] = [0.79, 0.85]
    >>> ax = plots.threshold_curve(table, chosen=0.8)
    >>> ax.get_xlabel()
    'match threshold (probability)'
    """
    missing = [name for name in ("threshold", "precision", "recall", "f1") if name not in table.columns]
    if missing:
        raise ValueError(
            f"threshold_curve needs the columns threshold, precision, recall and f1; not there: {', '.join(missing)}. "
            "Make the table with database.score_thresholds(pairs, reviewed, thresholds)."
        )
    ax = axes_for(ax)
    table = table.sort_values("threshold")
    for number, (column, label) in enumerate({"precision": "precision", "recall": "recall", "f1": "F1"}.items()):
        ax.plot(table["threshold"], table[column], label=label, **look(number))
    if chosen is not None:
        ax.axvline(chosen, color="#555555", linewidth=1, linestyle="-", label=f"chosen: {chosen:g}")
    ax.set(xlabel="match threshold (probability)", ylabel="share (0 to 1)", ylim=(0, 1.03))
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), handlelength=3.5)
    set_title(ax, title)
    return ax


def pareto(curve, title, mark=0.2, value="value", ax=None):
    """Draw which part of the value the best customers bring.

    Parameters
    ----------
    curve : pandas.DataFrame
        As returned by ``analysis.pareto_curve``: customers_share and value_share (0 to 1), the best first.
    title : str
        What the picture says.
    mark : float or None, optional
        The part of the customers (0 to 1) whose part of the value is written into the picture.
    value : str, optional
        What the value is, for the labels: ``"revenue"``, ``"profit"``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        A column is missing, or the mark is no part of the customers.

    Examples
    --------
    >>> import pandas as pd
    >>> from cimlab import plots
    >>> from cimlab.analysis import pareto_curve
    >>> spent = pd.DataFrame({"customer_id": ["a", "b", "c", "d"], "monetary": [10.0, 60.0, 20.0, 10.0]})
    >>> ax = plots.pareto(pareto_curve(spent, "monetary"), title="One in four brings most", mark=0.25, value="revenue")
    >>> ax.texts[0].get_text()
    '25 % of the customers\\nbring 60 % of the revenue'
    """
    need_columns(curve, ["customers_share", "value_share"], "pareto")
    if mark is not None and not 0 < mark < 1:
        raise ValueError(f"pareto: the mark is a part of the customers between 0 and 1 (20 % is 0.2), not {mark}")
    ax = axes_for(ax)
    x = np.r_[0, curve["customers_share"].to_numpy("float64")] * 100
    y = np.r_[0, curve["value_share"].to_numpy("float64")] * 100
    ax.plot(x, y, color=PALETTE[0], linestyle="-", linewidth=2, label=f"the {value} they bring")
    ax.plot([0, 100], [0, 100], color="#777777", linestyle="--", linewidth=1.2, label="if all brought the same")
    if mark is not None:
        brings = float(np.interp(mark * 100, x, y))
        ax.plot([mark * 100, mark * 100, 0], [0, brings, brings], color="#333333", linestyle=":", linewidth=1.2)
        ax.plot(mark * 100, brings, marker=MARKERS[0], markersize=7, color=ink(PALETTE[4]), linestyle="")
        text = f"{mark:.3g} %" if mark * 100 < 1 else f"{mark * 100:.3g} %"
        text = f"{text} of the customers\nbring {brings:.0f} % of the {value}"
        ax.annotate(text, (mark * 100, brings), (10, -6), textcoords="offset points", ha="left", va="top")
    ax.set(xlim=(0, 100), ylim=(0, 102), ylabel=f"share of the {value} (%)")
    ax.set_xlabel("share of the customers, the best first (%)")
    ax.legend(loc="lower right", handlelength=3)
    set_title(ax, title)
    return ax


def _check_series(name, values, history):
    """Refuse what is no series of numbers, or counts its periods in another way than the history."""
    if not isinstance(values, pd.Series):
        raise ValueError(f"forecast: {name} must be a Series with one value per period, not a {type(values).__name__}")
    if not pd.api.types.is_numeric_dtype(values) or not values.notna().any():
        raise ValueError(f"forecast: {name} holds no numbers")
    if values.index.dtype.kind != history.index.dtype.kind or (
        isinstance(values.index, pd.PeriodIndex) and values.index.dtype != history.index.dtype
    ):
        raise ValueError(
            f"forecast: {name} is indexed by {values.index.dtype}, the history by {history.index.dtype}; both must "
            "count the same periods"
        )
