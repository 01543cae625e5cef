"""Charts with one bar, or one mark, for each name."""

import numpy as np

from cimlab.plots.style import (
    HATCHES,
    PALETTE,
    as_text,
    axes_for,
    need_columns,
    need_few,
    need_numbers,
    separate_thousands,
    set_title,
)


def bar(values, title, unit, category="", ax=None):
    """Draw one bar for each category, with its value written at its end.

    The bars lie, so that long names can be read without turning the head, and the axis starts at zero, so that the
    lengths may be compared.

    Parameters
    ----------
    values : pandas.Series
        One number for each category; the index holds the names. The order is kept, the first on top.
    title : str
        What the picture says.
    unit : str
        Label of the axis of numbers, with the unit: ``"records"``, ``"sales (CNY)"``.
    category : str, optional
        Label of the axis of names.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import pandas as pd
    >>> from cimlab import plots
    >>> ax = plots.bar(pd.Series({"till": 820, "web": 640}), title="Two channels", unit="records")
    >>> [text.get_text() for text in ax.texts]
    ['820', '640']
    """
    ax = axes_for(ax)
    numbers = [float(value) for value in values]
    drawn = ax.barh([str(name) for name in values.index], numbers, color=PALETTE[0])
    whole = all(number.is_integer() for number in numbers)
    ax.bar_label(drawn, labels=[as_text(number, whole) for number in numbers], padding=3)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.margins(x=0.12)
    ax.xaxis.get_major_locator().set_params(integer=whole)
    separate_thousands(ax.xaxis)
    ax.set(xlabel=unit, ylabel=category)
    set_title(ax, title)
    return ax


def stacked_bar(table, title, unit, category="", ax=None):
    """Draw one bar for each row, made up of one part for each column, with the sum written at its end.

    The parts differ in hatch as well as in colour. Only the first part and the whole bar start at a common line: for
    the other parts, compare numbers in a table.

    Parameters
    ----------
    table : pandas.DataFrame
        The index holds the names of the bars, the first on top; the columns are the parts, 0 or more, from left to
        right. Of ``analysis.ageing_table(orders, as_of, by="enterprise_id")`` draw
        ``.set_index("enterprise_id").drop(columns="total").head(10)``.
    title : str
        What the picture says.
    unit : str
        Label of the axis of numbers, with the unit.
    category : str, optional
        Label of the axis of names.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        A column holds no numbers, a part is below 0, a column is the sum of the others, or there are too many parts.

    Examples
    --------
    >>> import pandas as pd
    >>> from cimlab import plots
    >>> owed = pd.DataFrame({"not yet due": [300.0, 0.0], "1-30": [60.0, 40.0]}, index=["E1", "E2"])
    >>> ax = plots.stacked_bar(owed, title="E1 owes most", unit="open invoices (CNY)")
    >>> [text.get_text() for text in ax.texts]
    ['360', '40']
    """
    need_numbers(table, "stacked_bar")
    need_few(table.columns, "parts", "stacked_bar")
    parts = table.fillna(0).astype("float64")
    if parts.lt(0).any(axis=None):
        raise ValueError("stacked_bar: a part is below 0, and a bar cannot be made up of it; draw plots.bar instead")
    for column in parts.columns if parts.shape[1] > 2 else []:
        if np.allclose(parts[column], parts.drop(columns=column).sum(axis="columns")):
            raise ValueError(f"stacked_bar: the column {column} is the sum of the others; leave it out")
    ax = axes_for(ax, figsize=(8, max(3.5, 1.6 + 0.36 * len(parts))))
    names = [str(name) for name in parts.index]
    start = np.zeros(len(parts))
    for number, column in enumerate(parts.columns):
        look = {"color": PALETTE[number], "hatch": HATCHES[number], "edgecolor": "white", "linewidth": 0.5}
        drawn = ax.barh(names, parts[column], left=start, label=str(column), **look)
        start = start + parts[column].to_numpy()
    whole = all(float(total).is_integer() for total in start)
    ax.bar_label(drawn, labels=[as_text(total, whole) for total in start], padding=3)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set_xlim(0, start.max() * 1.12 or 1)
    separate_thousands(ax.xaxis)
    ax.set(xlabel=unit, ylabel=category)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), handlelength=2.5, handleheight=1.2)
    set_title(ax, title)
    return ax


def intervals(table, estimate, low, high, title, unit, category="", ax=None):
    """Draw each estimate as a point, with the interval around it as a line.

    Parameters
    ----------
    table : pandas.DataFrame
        The index holds the names, the first on top. For example ``analysis.regression_table(...).set_index("term")``,
        ``analysis.correlate_all(...)`` or ``analysis.delphi_rounds(...)`` with names as the index.
    estimate, low, high : str
        Columns with the estimate and the two ends of its interval. Where an end is missing, the point stands alone.
    title : str
        What the picture says.
    unit : str
        Label of the axis of numbers, with the unit, and what the interval is: ``"r, with 95 % interval"``.
    category : str, optional
        Label of the axis of names.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes
        If the numbers lie on both sides of 0, a line marks it.

    Raises
    ------
    ValueError
        A column is missing or holds no numbers, or an interval does not hold its estimate.

    Examples
    --------
    >>> import pandas as pd
    >>> from cimlab import plots
    >>> rounds = pd.DataFrame({"median": [9.0, 10.0], "q1": [6.0, 9.0], "q3": [14.0, 11.0]}, index=["first", "second"])
    >>> ax = plots.intervals(rounds, "median", "q1", "q3", title="They agree", unit="sales (CNY), quartiles")
    >>> [text.get_text() for text in ax.texts]
    ['9', '10']
    """
    need_columns(table, [estimate, low, high], "intervals")
    numbers = table[[estimate, low, high]]
    need_numbers(numbers, "intervals")
    point, left, right = (numbers[column].to_numpy("float64") for column in (estimate, low, high))
    wrong = (left > point) | (right < point)
    if wrong.any():
        name = table.index[wrong][0]
        raise ValueError(f"intervals: {estimate} of {name} does not lie between {low} and {high}; are they swapped?")
    ax = axes_for(ax, figsize=(8, max(3.0, 1.4 + 0.42 * len(table))))
    rows = np.arange(len(table))
    ax.hlines(rows, left, right, color=PALETTE[0], linewidth=2)
    ax.plot(point, rows, linestyle="", marker="o", markersize=7, color=PALETTE[0], label=estimate)
    whole = all(float(value).is_integer() for value in point)
    for row, value in zip(rows, point, strict=True):
        if np.isfinite(value):
            text = as_text(value, whole)
            ax.annotate(text, (value, row), (0, 5), textcoords="offset points", ha="center", va="bottom", fontsize=9)
    ends = np.concatenate([point, left, right])
    if np.nanmin(ends) < 0 < np.nanmax(ends):
        ax.axvline(0, color="#333333", linewidth=1, linestyle="-", zorder=1)
    ax.set_yticks(rows, [str(name) for name in table.index])
    ax.set_ylim(len(table) - 0.4, -0.7)
    separate_thousands(ax.xaxis)
    ax.grid(visible=False, axis="y")
    ax.set(xlabel=unit, ylabel=category)
    set_title(ax, title)
    return ax
