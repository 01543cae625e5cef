"""Charts of two dimensions: points, profiles, cells."""

import numpy as np
import pandas as pd
from matplotlib import ticker

from cimlab.plots.style import (
    PALETTE,
    as_text,
    axes_for,
    look,
    luminance,
    need_columns,
    need_few,
    need_numbers,
    separate_thousands,
    set_title,
)

_SPANS = {"M": "months", "Q": "quarters", "W": "weeks", "Y": "years", "D": "days"}


def scatter(table, x, y, title, xlabel, ylabel, trend=False, ax=None):
    """Draw one point for each row.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows in which one of the two is missing are left out.
    x, y : str
        The columns of numbers to draw.
    title : str
        What the picture says.
    xlabel, ylabel : str
        Labels of the axes, with units.
    trend : bool, optional
        Also draw the straight line that fits best (least squares).
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        A column is missing or holds no numbers, or all x are equal where a line is asked for.

    Examples
    --------
    >>> import pandas as pd
    >>> from cimlab import plots
    >>> shops = pd.DataFrame({"visits": [1, 2, 3, 4], "sales": [2.0, 4.0, 5.0, 9.0]})
    >>> ax = plots.scatter(shops, "visits", "sales", "More visits, more sales", "visits", "sales (CNY)", trend=True)
    >>> len(ax.lines)
    1
    """
    need_columns(table, [x, y], "scatter")
    need_numbers(table[list(dict.fromkeys([x, y]))], "scatter")
    points = pd.DataFrame({"x": table[x], "y": table[y]}).dropna().astype("float64")
    if points.empty:
        raise ValueError(f"scatter: no row has both {x} and {y}, there is nothing to draw")
    if trend and points["x"].nunique() < 2:
        raise ValueError(f"scatter: {x} is the same in all rows, so that no line can be drawn; leave out trend=True")
    ax = axes_for(ax)
    many = len(points)
    look = {"s": 30 if many <= 300 else 14, "alpha": float(np.clip(60 / many**0.8, 0.12, 0.8)), "linewidths": 0}
    ax.scatter(points["x"], points["y"], color=PALETTE[0], **look)
    if trend:
        slope, start = np.polyfit(points["x"], points["y"], 1)
        ends = np.array([points["x"].min(), points["x"].max()])
        ax.plot(
            ends, start + slope * ends, color="#000000", linestyle="--", linewidth=1.8, label="line that\nfits best"
        )
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), handlelength=3)
    separate_thousands(ax.xaxis, ax.yaxis)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    set_title(ax, title)
    return ax


def radar(points, title, ax=None):
    """Draw the profile of each row as a closed line on one spoke for each indicator.

    Parameters
    ----------
    points : pandas.DataFrame
        As returned by ``analysis.radar_points``: name, indicator, angle (radians), value.
    title : str
        What the picture says.
    ax : matplotlib.projections.polar.PolarAxes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.projections.polar.PolarAxes

    Raises
    ------
    ValueError
        A column or a value is missing, there are too many profiles, or `ax` is no polar axes.

    Examples
    --------
    >>> import pandas as pd
    >>> from cimlab import plots
    >>> from cimlab.analysis import radar_points
    >>> scaled = pd.DataFrame({"sales": [0.2, 1.0], "visits": [0.6, 0.0], "praise": [1.0, 0.5]}, index=["ST01", "ST02"])
    >>> ax = plots.radar(radar_points(scaled), title="ST01 is praised, ST02 sells")
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['sales', 'visits', 'praise']
    """
    need_columns(points, ["name", "indicator", "angle", "value"], "radar")
    need_few(points["name"].unique(), "profiles", "radar")
    if points["value"].isna().any():
        gap = points[points["value"].isna()].iloc[0]
        raise ValueError(f"radar: {gap['name']} has no value of {gap['indicator']}; fill it, or leave one of them out")
    if ax is not None and ax.name != "polar":
        raise ValueError('radar: ax must be polar axes: plt.subplots(subplot_kw={"projection": "polar"})')
    ax = axes_for(ax, figsize=(8, 5.2), subplot_kw={"projection": "polar"})
    for number, (name, line) in enumerate(points.groupby("name", sort=False)):
        ax.plot(line["angle"], line["value"], label=str(name), linewidth=1.8, **look(number))
    spokes = points.drop_duplicates("indicator")
    ax.set_theta_zero_location("N")
    ax.set_theta_direction(-1)
    ax.set_xticks(spokes["angle"], [str(name).replace("_", " ") for name in spokes["indicator"]])
    for angle, label in zip(spokes["angle"], ax.get_xticklabels(), strict=True):
        side = np.sin(angle)
        label.set_horizontalalignment("center" if abs(side) < 0.2 else "left" if side > 0 else "right")
    low, high = points["value"].min(), points["value"].max()
    if low >= 0 and high <= 1:
        ax.set_ylim(0, 1)
        ax.set_yticks([0.25, 0.5, 0.75, 1])
    else:
        ax.set_ylim(low - 0.15 * (high - low), high + 0.05 * (high - low))
        ax.yaxis.set_major_locator(ticker.MaxNLocator(5))
    ax.set_rlabel_position(np.degrees(spokes["angle"].iloc[1]) / 2)
    ax.tick_params(axis="y", labelsize=9, labelcolor="#444444")
    ax.spines["polar"].set_color("#BBBBBB")
    ax.legend(loc="upper left", bbox_to_anchor=(1.15, 1), handlelength=3.5)
    set_title(ax, title)
    return ax


def heatmap(table, title, unit, xlabel="", ylabel="", shares=False, ax=None):
    """Draw a table as coloured cells, with each number written in its cell; blank where there is none.

    Parameters
    ----------
    table : pandas.DataFrame
        Numbers; the index names the rows, from above, the columns name the columns.
    title : str
        What the picture says.
    unit : str
        Label of the scale of colours, with the unit.
    xlabel, ylabel : str, optional
        What the columns and the rows are.
    shares : bool, optional
        The numbers are shares (0 to 1), to be written as whole percent.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure, as large as the table needs, when left out.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        A column holds no numbers, or there is nothing to draw.

    Examples
    --------
    >>> import pandas as pd
    >>> from cimlab import plots
    >>> table = pd.DataFrame({"1": [4.0, 1.0], "2": [2.0, None]}, index=["5", "4"])
    >>> ax = plots.heatmap(table, "Most came once", "customers", xlabel="frequency score", ylabel="recency score")
    >>> [text.get_text() for text in ax.texts]
    ['4', '2', '1']
    """
    need_numbers(table, "heatmap")
    return _cells(table, table, title, unit, xlabel, ylabel, shares, ax)


def cohort_heatmap(table, title, unit="", ax=None):
    """Draw the triangle of cohorts, with each value written in its cell.

    The first column of a table of retention is 100 % for every cohort. It is written, but not coloured: it would take
    up the scale, and the rest would look all alike.

    Parameters
    ----------
    table : pandas.DataFrame
        As returned by ``analysis.cohort_table``: one row per cohort, one column per age. If all values lie between 0
        and 1, they are drawn as percent.
    title : str
        What the picture says.
    unit : str, optional
        Label of the scale of colours; ``"% of the cohort"`` for shares.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure, as large as the table needs, when left out.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        A column holds no numbers, or there is nothing to draw.

    Examples
    --------
    >>> import pandas as pd
    >>> from cimlab import plots
    >>> months = pd.PeriodIndex(["2026-05", "2026-06"], freq="M")
    >>> table = pd.DataFrame({0: [1.0, 1.0], 1: [0.25, None]}, index=months)
    >>> ax = plots.cohort_heatmap(table, title="One in four comes back in the next month")
    >>> [text.get_text() for text in ax.texts], ax.get_xlabel()
    (['100', '25', '100'], 'age (months since the first purchase)')
    """
    need_numbers(table, "cohort_heatmap")
    shares = bool(table.min(axis=None) >= 0 and table.max(axis=None) <= 1)
    colored = table.astype("float64")
    if shares and table.shape[1] > 1 and table.iloc[:, 0].dropna().eq(1).all():
        colored.iloc[:, 0] = np.nan
    kind = table.index.freqstr[0] if isinstance(table.index, pd.PeriodIndex) else ""
    age = f"age ({_SPANS.get(kind, 'periods')} since the first purchase)"
    unit = unit or ("% of the cohort" if shares else "")
    names = [str(name) for name in table.index]
    if kind == "W":
        names = [str(name.start_time.date()) for name in table.index]
    return _cells(table.set_axis(names), colored.set_axis(names), title, unit, age, "first purchase", shares, ax)


def _cells(table, colored, title, unit, xlabel, ylabel, shares, ax):
    """Draw the cells: the numbers of one table, the colours of the other."""
    numbers, tones = (part.to_numpy("float64", na_value=np.nan) * (100 if shares else 1) for part in (table, colored))
    written = _short(numbers[np.isfinite(numbers)])
    rows, columns = numbers.shape
    widest = max(len(text) for text in written)
    size = (max(6.5, 2.4 + columns * (0.16 + 0.1 * widest)), max(3.2, 1.5 + 0.32 * rows))
    ax = axes_for(ax, figsize=size)
    picture = ax.imshow(np.ma.masked_invalid(tones), aspect="auto", cmap="cividis")
    texts = iter(written)
    for row, column in np.argwhere(np.isfinite(numbers)):
        color = picture.to_rgba(tones[row, column])[:3] if np.isfinite(tones[row, column]) else (1, 1, 1)
        # Black on a cell reads better than white where (L + 0.05) / 0.05 > 1.05 / (L + 0.05).
        dark = luminance(color) < 0.179
        text = {"ha": "center", "va": "center", "fontsize": 9, "color": "white" if dark else "black"}
        ax.text(column, row, next(texts), **text)
    ax.set_xticks(range(columns), [str(name) for name in table.columns])
    ax.set_yticks(range(rows), [str(name) for name in table.index])
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    ax.grid(visible=True, which="minor", color="white", linestyle="-", linewidth=1.5)
    ax.tick_params(which="minor", length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    if np.isfinite(tones).any():
        scale = ax.figure.colorbar(picture, ax=ax, label=unit, pad=0.02)
        separate_thousands(scale.ax.yaxis)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    set_title(ax, title)
    return ax


def _short(numbers):
    """Write all numbers of a table alike: 1,820, or 48.2k where they are long, or 0.125 where they are small."""
    largest = np.abs(numbers).max()
    if largest >= 10_000:
        return [f"{number / 1000:,.1f}k" if number else "0" for number in numbers]
    if largest >= 10 or all(float(number).is_integer() for number in numbers):
        return [f"{number:,.0f}" for number in numbers]
    return [as_text(number, whole=False) for number in numbers]
