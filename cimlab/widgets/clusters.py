"""The explorer of segments: how many, by which method, seen from which side."""

import ipywidgets

from cimlab import plots
from cimlab._explorer import LOOK, Explorer
from cimlab.plots.style import need_columns, separate_thousands, set_title

_MOST = 8  # more groups than colours and markers could be told apart


def cluster_explorer(table, frame=None, k=5, value="monetary", labels=None, seed=1):
    """Choose the number of segments, the method and two variables, and see the segments and what they bring.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per customer: customer_id, the variables of the frame without blanks, and `value`.
    frame : dict of str to list of str, optional
        Side → its variables, as for ``profiles.scale_frame``; ``profiles.FRAME`` when left out. Two or more variables.
    k : int, optional
        The number of segments at the beginning, 2 to 8.
    value : str, optional
        The column of what a customer brought (CNY).
    labels : dict of str to str, optional
        Variable → label of its axis, with the unit.
    seed : int, optional

    Returns
    -------
    Explorer
        With the controls ``k``, ``method`` (one of ``mining.SEGMENT_METHODS``), ``x`` and ``y`` (variables). Both axes
        show the variables in their own units; a skewed one has a logarithmic axis, as it is scaled.

    Raises
    ------
    ValueError
        A column is missing or blank, the frame has one variable, k is not 2 to 8, or there are too few customers.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"customer_id": list("abcdefgh"), "frequency": [3, 4, 3, 4, 20, 25, 22, 21],
    ...                       "on_offer": [0.1, 0.2, 0.1, 0.2, 0.5, 0.6, 0.5, 0.6], "monetary": [50] * 4 + [150] * 4})
    >>> explorer = cluster_explorer(table, {"habit": ["frequency"], "price": ["on_offer"]}, k=2)
    >>> explorer.sentence
    'k-means, 2 segments: C1 4 customers (50 %), C2 4 customers (50 %). Silhouette 0.86: clear groups. C2 brings most,
    75 % of the revenue with 50 % of the customers.'
    """
    from cimlab import mining, profiles

    frame = profiles.FRAME if frame is None else frame
    columns = [column for side in frame.values() for column in side]
    need_columns(table, ["customer_id", *columns, value], "cluster_explorer")
    if len(columns) < 2:
        raise ValueError("cluster_explorer: a picture has two axes, so the frame must have two variables or more")
    scaled = profiles.scale_frame(table, frame)
    largest = min(_MOST, len(scaled) // 2)
    if not 2 <= k <= largest:
        raise ValueError(f"cluster_explorer: k is from 2 to {largest} for {len(scaled)} customers, k={k} is not")
    shown = table.set_index("customer_id").loc[scaled.index]
    known = {}

    def draw(ax, k, method, x, y):
        if (k, method) not in known:
            segments = mining.segment_customers(scaled, k, method, seed)
            known[k, method] = segments, _silhouette(scaled, segments)
        segments, clear = known[k, method]
        _draw_points(ax, shown, segments, x, y, labels or {})
        set_title(ax, f"{method}, {segments.nunique()} segments: silhouette {clear:.2f}")
        return _say_segments(method, segments, clear, shown[value])

    look = {"continuous_update": False, **LOOK}
    controls = {
        "k": ipywidgets.IntSlider(value=k, min=2, max=largest, description="Segments", **look),
        "method": ipywidgets.Dropdown(options=list(mining.SEGMENT_METHODS), description="Method", **LOOK),
        "x": ipywidgets.Dropdown(options=columns, value=columns[0], description="Across", **LOOK),
        "y": ipywidgets.Dropdown(options=columns, value=columns[1], description="Up", **LOOK),
    }
    return Explorer(controls, draw)


def _silhouette(scaled, segments):
    """Return the mean silhouette; of more than 2,000 customers, that of 2,000 drawn ones."""
    from sklearn.metrics import silhouette_score

    if segments.nunique() < 2:
        return 0.0
    return float(silhouette_score(scaled, segments, sample_size=min(len(scaled), 2000), random_state=1))


def _draw_points(ax, shown, segments, x, y, labels):
    """Draw one point for each customer, and a large one at the medians of each segment."""
    from cimlab import profiles

    for number, name in enumerate(sorted(segments.unique())):
        points = shown[segments == name]
        look = {"color": plots.PALETTE[number], "marker": plots.MARKERS[number]}
        ax.scatter(points[x], points[y], s=22, alpha=0.45, linewidths=0, label=f"{name}: {len(points):,}", **look)
        middle = points[x].median(), points[y].median()
        ax.scatter(*middle, s=170, edgecolors="black", linewidths=1.5, zorder=3, **look)
    for axis, name in {ax.xaxis: x, ax.yaxis: y}.items():
        if name in profiles.clusters.LOGGED and (shown[name] > 0).all():
            axis.axes.set(**{f"{axis.axis_name}scale": "log"})
            axis.set_major_formatter("{x:,.0f}")
            axis.set_minor_formatter(lambda number, _: f"{number:,.0f}" if str(number)[0] in "235" else "")
        else:
            separate_thousands(axis)
    ax.set(xlabel=labels.get(x, x.replace("_", " ")), ylabel=labels.get(y, y.replace("_", " ")))
    title = "Segment: customers\n(large: the median)"
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), title=title, alignment="left", markerscale=1.6)


def _say_segments(method, segments, clear, spent):
    """Say how large the segments are, how clear, and which of them brings most."""
    sizes, brought = segments.value_counts().sort_index(), spent.groupby(segments).sum()
    each = ", ".join(f"{name} {n:,} customers ({100 * n / len(segments):.0f} %)" for name, n in sizes.items())
    words = "clear groups" if clear > 0.5 else "groups that touch" if clear > 0.25 else "hardly any gap between them"
    told = f"{method}, {len(sizes)} segments: {each}. Silhouette {clear:.2f}: {words}."
    if not brought.sum() > 0:
        return f"{told} They brought nothing."
    best = brought.idxmax()
    share, part = 100 * brought[best] / brought.sum(), 100 * sizes[best] / len(segments)
    return f"{told} {best} brings most, {share:.0f} % of the revenue with {part:.0f} % of the customers."
