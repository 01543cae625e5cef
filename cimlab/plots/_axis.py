"""Where things stand: dates along the axis, and names at the ends of lines, none upon another."""

import matplotlib.dates as mdates
import numpy as np
import pandas as pd

from cimlab.plots.style import ink


def places(index):
    """Return where the entries of an index stand on the horizontal axis: dates, numbers, or one place for each name."""
    if isinstance(index, pd.PeriodIndex):
        return mdates.date2num(index.to_timestamp())
    if isinstance(index, pd.DatetimeIndex):
        return mdates.date2num(index)
    if pd.api.types.is_numeric_dtype(index):
        return index.to_numpy("float64")
    return np.arange(len(index), dtype="float64")


def settle_axis(ax, index):
    """Write the horizontal axis as the index writes itself: 2026-04 for a month, 2026Q2 for a quarter."""
    if index.name is not None:
        ax.set_xlabel(str(index.name).replace("_", " "))
    if isinstance(index, pd.PeriodIndex | pd.DatetimeIndex):
        _settle_dates(ax, index)
    elif not pd.api.types.is_numeric_dtype(index):
        ax.set_xticks(range(len(index)), [str(name) for name in index])
    elif pd.api.types.is_integer_dtype(index):
        ax.xaxis.get_major_locator().set_params(integer=True)


def _settle_dates(ax, index):
    """Put as many dates on the axis as there is room for, each at the beginning of a period."""
    room = ax.get_position().width * ax.figure.get_figwidth()
    stamps = index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
    months = (stamps.max() - stamps.min()).days / 30.4
    kind = index.freqstr[0] if isinstance(index, pd.PeriodIndex) else "D"
    if kind in "QYM" or months > 4:
        least = {"Q": 3, "Y": 12}.get(kind, 1)
        step = next((step for step in (1, 3, 6, 12) if months / step <= room / 0.7 and step >= least), None)
        years = int(np.ceil(months / 12 / room * 0.7))
        locator = mdates.MonthLocator(range(1, 13, step)) if step else mdates.YearLocator(years)
    else:
        locator = mdates.AutoDateLocator(minticks=2, maxticks=max(3, int(room / 0.95)))

    def write(place, _):
        day = mdates.num2date(place)
        if kind == "Q":
            return f"{day.year}Q{(day.month + 2) // 3}"
        return day.strftime("%Y" if kind == "Y" else "%Y-%m" if kind == "M" or months > 4 else "%Y-%m-%d")

    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(write)


def label_ends(ax, ends):
    """Write the name of each line at its end, in its colour; names too near to each other move apart.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With all lines drawn.
    ends : list of tuple
        For each line the place of its last point (x, y), its name, its colour.
    """
    bottom, top = ax.get_ylim()
    points = ax.get_position().height * ax.figure.get_figheight() * 72
    for x in sorted({end[0] for end in ends}):
        here = sorted((end for end in ends if end[0] == x), key=lambda end: end[1])
        wanted = np.array([(y - bottom) / (top - bottom) * points for _, y, _, _ in here])
        for (_, y, name, color), moved in zip(here, _apart(wanted, 15, points) - wanted, strict=True):
            leader = {"arrowstyle": "-", "color": color, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 3}
            ax.annotate(
                name,
                (x, y),
                (14 if abs(moved) > 3 else 8, moved),
                textcoords="offset points",
                va="center",
                color=ink(color),
                annotation_clip=False,
                arrowprops=leader if abs(moved) > 3 else None,
            )


def _apart(wanted, least, room):
    """Move heights, given from low to high, as little as needed to stand at least so far apart, within the room."""
    heights = wanted.copy()
    for _ in range(50):
        for one in range(len(heights) - 1):
            short = least - (heights[one + 1] - heights[one])
            if short > 0:
                heights[one : one + 2] += [-short / 2, short / 2]
        heights = np.clip(heights, 0, room)
    return heights
