"""The house style of the course's pictures, and the few charts that several chapters share.

Colours are told apart by colour-blind readers, and lines differ in dash and marker too, so that a grey print still
shows which is which. A small Chinese font is part of the package: labels such as 客户 are drawn on every machine.
"""

from pathlib import Path

import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib import font_manager

FONT_FILE = Path(__file__).parent / "fonts" / "cimlabSansSC-Regular.otf"
FONT_FAMILY = "cimlab Sans SC"

# Okabe and Ito's eight colours, ordered so that neighbours differ in lightness as well as in hue.
PALETTE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#000000"]
DASHES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)), (0, (8, 3))]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]


def use_house_style():
    """Draw all pictures from here on in the house style, with Chinese labels.

    Call it once, near the imports; after ``seaborn.set_theme()`` where that is used, since seaborn sets the font back.
    It can be called again at any time.

    References
    ----------
    Okabe, M. and Ito, K. (2008). *Color Universal Design*: the palette for readers with any kind of colour vision.

    Examples
    --------
    >>> from cimlab import plots
    >>> plots.use_house_style()
    >>> import matplotlib
    >>> matplotlib.rcParams["font.sans-serif"][0]
    'cimlab Sans SC'
    """
    if FONT_FAMILY not in {font.name for font in font_manager.fontManager.ttflist}:
        font_manager.fontManager.addfont(FONT_FILE)
    plt.rcParams.update(
        {
            "font.family": "sans-serif",
            "font.sans-serif": [FONT_FAMILY, "DejaVu Sans"],
            "font.size": 11,
            "figure.figsize": (8, 4.5),
            "figure.constrained_layout.use": True,
            "savefig.dpi": 150,
            "axes.facecolor": "white",
            "axes.edgecolor": "#333333",
            "axes.prop_cycle": cycler(color=PALETTE) + cycler(linestyle=DASHES),
            "axes.titlelocation": "left",
            "axes.titlesize": 13,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.grid": True,
            "grid.color": "#DDDDDD",
            "grid.linestyle": "-",
            "image.cmap": "cividis",
            "legend.frameon": False,
        }
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
    ax = plt.subplots()[1] if ax is None else ax
    numbers = [float(value) for value in values]
    drawn = ax.barh([str(name) for name in values.index], numbers, color=PALETTE[0])
    whole = all(number.is_integer() for number in numbers)
    ax.bar_label(drawn, labels=[f"{number:,.0f}" if whole else f"{number:,.3g}" for number in numbers], padding=3)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.margins(x=0.12)
    ax.set(title=title, xlabel=unit, ylabel=category)
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
    ax = plt.subplots()[1] if ax is None else ax
    table = table.sort_values("threshold")
    for number, (column, label) in enumerate({"precision": "precision", "recall": "recall", "f1": "F1"}.items()):
        look = {"color": PALETTE[number], "linestyle": DASHES[number], "marker": MARKERS[number], "markersize": 5}
        ax.plot(table["threshold"], table[column], label=label, **look)
    if chosen is not None:
        ax.axvline(chosen, color="#555555", linewidth=1, linestyle="-", label=f"chosen: {chosen:g}")
    ax.set(title=title, xlabel="match threshold (probability)", ylabel="share (0 to 1)", ylim=(0, 1.03))
    ax.legend(loc="lower center", ncols=4)
    return ax
