"""What all charts have in common: the colours, the font, the titles, and the sentences about tables that do not fit."""

import base64
import html
import io
import textwrap
import unicodedata
from contextlib import contextmanager
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib import colors, font_manager, ticker

FONT_FILE = Path(__file__).parents[1] / "fonts" / "cimlabSansSC-Regular.otf"
FONT_FAMILY = "cimlab Sans SC"

# Okabe and Ito's eight colours, ordered so that neighbours differ in lightness as well as in hue.
PALETTE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#000000"]
DASHES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)), (0, (8, 3))]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]
HATCHES = ["", "//", "..", "xx", "\\\\", "oo", "--", "++"]


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


@contextmanager
def house_style():
    """Draw in the house style for a while, and leave the style of the notebook as it is.

    It stands before a block (``with house_style():``) or above a function (``@house_style()``).

    Examples
    --------
    >>> before = plt.rcParams.copy()
    >>> with house_style():
    ...     plt.rcParams["axes.titlelocation"]
    'left'
    >>> plt.rcParams == before
    True
    """
    with plt.rc_context():
        use_house_style()
        yield


def as_png(figure, dpi=150, facecolor="auto"):
    """Return a figure as the bytes of a PNG, the same bytes each time.

    Examples
    --------
    >>> as_png(axes_for(None).figure)[:4]
    b'\x89PNG'
    """
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi, metadata={"Software": None}, facecolor=facecolor)
    return file.getvalue()


def as_svg(figure, words):
    """Return a figure as SVG that stands in a page, with words for those who do not see it; the same each time.

    Letters become outlines, not text: no name in the picture can be markup of the page.

    Examples
    --------
    >>> as_svg(axes_for(None).figure, "Points")[:35]
    '<svg role="img" aria-label="Points"'
    """
    file = io.StringIO()
    with plt.rc_context({"svg.hashsalt": "cimlab", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    drawing = file.getvalue()
    return drawing[drawing.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{html.escape(words)}"', 1)


def axes_for(ax, **figure):
    """Return the axes to draw on: those given, or those of a new figure in which nothing is cut off.

    Examples
    --------
    >>> axes_for(None).figure.get_constrained_layout()
    True
    """
    return plt.subplots(layout="constrained", **figure)[1] if ax is None else ax


def set_title(ax, title):
    """Write the title, in as many lines as it needs: a Chinese character is as wide as two letters.

    Examples
    --------
    >>> ax = axes_for(None, figsize=(4, 3))
    >>> set_title(ax, "Who came in spring comes back more often")
    >>> ax.title.get_text().count("\\n") + ax._left_title.get_text().count("\\n")
    1
    """
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in title)
    inches = ax.get_position().width * ax.figure.get_figwidth()
    letters = inches * 10.5 * len(title) / max(1, len(title) + wide)
    ax.set_title("\n".join(textwrap.wrap(title, max(20, int(letters)), break_long_words=wide > 0)))


def luminance(color):
    """Return how light a colour is, 0 (black) to 1 (white): what is left of it in a grey print (WCAG 2).

    Examples
    --------
    >>> round(luminance("#0072B2"), 2), luminance("white")
    (0.15, 1.0)
    """
    rgb = np.array(colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def ink(color):
    """Darken a colour until text in it can be read on white (contrast 4.5 to 1, WCAG 2).

    Examples
    --------
    >>> ink("#000000"), luminance(ink("#F0E442")) < 0.184
    ('#000000', True)
    """
    rgb = np.array(colors.to_rgb(color))
    while 1.05 / (luminance(rgb) + 0.05) < 4.5:
        rgb = rgb * 0.95
    return colors.to_hex(rgb)


def look(number):
    """Return colour, dash and marker of the line with this number, from 0.

    Examples
    --------
    >>> look(1)
    {'color': '#E69F00', 'linestyle': '--', 'marker': 's', 'markersize': 5}
    """
    return {"color": PALETTE[number], "linestyle": DASHES[number], "marker": MARKERS[number], "markersize": 5}


def need_columns(table, columns, chart):
    """Refuse a table that lacks a column, in a sentence that names what is there.

    Examples
    --------
    >>> need_columns(pd.DataFrame({"r": [0.5]}), ["r", "low"], "intervals")
    Traceback (most recent call last):
    ...
    ValueError: intervals needs the column low; the table has: r
    """
    if not isinstance(table, pd.DataFrame):
        raise ValueError(f"{chart} draws a table (DataFrame), not a {type(table).__name__}")
    missing = [str(column) for column in columns if column not in table.columns]
    if missing:
        has = ", ".join(map(str, table.columns))
        raise ValueError(f"{chart} needs the column {' and '.join(missing)}; the table has: {has}")
    if table.empty:
        raise ValueError(f"{chart}: the table has no rows, there is nothing to draw")


def need_numbers(table, chart):
    """Refuse a table in which a column holds anything but numbers, or which has nothing to draw.

    Examples
    --------
    >>> need_numbers(pd.DataFrame({"firm": ["E1"], "open": [1.0]}), "stacked_bar")
    Traceback (most recent call last):
    ...
    ValueError: stacked_bar: the column firm holds no numbers. If it names the rows, make it the index:
    table.set_index('firm')
    """
    if not isinstance(table, pd.DataFrame):
        raise ValueError(f"{chart} draws a table (DataFrame), not a {type(table).__name__}")
    if table.empty or table.isna().all(axis=None):
        raise ValueError(f"{chart}: the table holds no numbers, there is nothing to draw")
    for column in table.columns:
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise ValueError(
                f"{chart}: the column {column} holds no numbers. If it names the rows, make it the index: "
                f"table.set_index({column!r})"
            )


def need_few(names, what, chart):
    """Refuse more parts than a reader can tell apart.

    Examples
    --------
    >>> need_few(range(12), "lines", "lines")
    Traceback (most recent call last):
    ...
    ValueError: lines: 12 lines are too many to tell apart; choose up to 8 of them, or draw several pictures
    """
    if len(names) > len(PALETTE):
        raise ValueError(
            f"{chart}: {len(names)} {what} are too many to tell apart; choose up to {len(PALETTE)} of them, "
            "or draw several pictures"
        )


def separate_thousands(*axes):
    """Write large numbers along these axes as 48,000, as the tables do.

    Examples
    --------
    >>> ax = axes_for(None)
    >>> ax.set_ylim(0, 48000)
    (0.0, 48000.0)
    >>> separate_thousands(ax.yaxis)
    >>> ax.yaxis.get_major_formatter()(48000)
    '48,000'
    """
    for axis in axes:
        if max(map(abs, axis.get_view_interval())) >= 1000:
            axis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))


def as_text(number, whole):
    """Write a number for a reader: 1,820 or 0.125.

    Examples
    --------
    >>> as_text(1820.0, whole=True), as_text(0.1254, whole=False), as_text(48211.5, whole=False)
    ('1,820', '0.125', '48,212')
    """
    return f"{number:,.0f}" if whole or abs(number) >= 1000 else f"{number:,.3g}"


def font_face(text):
    """Return the characters of a page as a style sheet's font: Chinese is readable where no Chinese font is installed.

    Examples
    --------
    >>> font_face("客户")[:37]
    '@font-face { font-family: "Report"; s'
    """
    from fontTools import subset

    options, stream = subset.Options(flavor="woff"), io.BytesIO()
    with subset.load_font(str(FONT_FILE), options) as font:
        cutter = subset.Subsetter(options)
        cutter.populate(text=text)
        cutter.subset(font)
        subset.save_font(font, stream, options)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    return f'@font-face {{ font-family: "Report"; src: url("data:font/woff;base64,{data}") format("woff"); }}'
