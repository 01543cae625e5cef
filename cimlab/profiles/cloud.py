"""Step 4, the picture: a tag cloud (标签云) in which the larger word is the stronger trait."""

import functools

import numpy as np
import pandas as pd
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from cimlab.analysis.columns import need
from cimlab.plots.style import FONT_FILE, PALETTE, axes_for, ink, set_title

# A kind has a colour and a line under its words, so that a grey print tells them apart too.
KIND_LOOK = {
    "fact": ("#000000", "-"),
    "rule": (PALETTE[0], ""),
    "model": (ink(PALETTE[4]), (0, (1, 1.2))),
}
SMALLEST = 0.3  # size of the smallest word against the largest
LANGUAGES = ["en", "zh", "both"]


def cloud_words(labels, customers, all_customers, most_lift=5.0):
    """Measure how strong each label is for some customers: weight × lift.

    The weight is the mean over these customers, 0 for one without the label. The lift is that mean divided by the mean
    over all customers: a label that everybody has tells nothing of these.

    Parameters
    ----------
    labels : pandas.DataFrame
        Of all customers, as returned by `combine_labels`.
    customers : iterable of str
        The customers of the cloud: those of a segment, or a single one.
    all_customers : iterable of str
        The customers who could have labels.
    most_lift : float
        A greater lift counts as this one, so that a label of few customers does not drown the rest.

    Returns
    -------
    pandas.DataFrame
        label, label_zh, kind, share (of these customers that have it), weight (mean), lift, strength; the strongest
        first. Labels that none of them has are left out.

    Raises
    ------
    ValueError
        None of the customers has a label.

    Examples
    --------
    >>> names = ["customer_id", "label", "label_zh", "kind", "weight", "since", "seen_on", "source"]
    >>> labels = pd.DataFrame([["K1", "buys online", "偏好网店", "rule", 0.8, None, None, "s"],
    ...                        ["K2", "buys online", "偏好网店", "rule", 0.8, None, None, "s"],
    ...                        ["K1", "gold card", "金卡会员", "fact", 1.0, None, None, "s"]], columns=names)
    >>> cloud_words(labels, ["K1"], ["K1", "K2"])[["label", "weight", "lift", "strength"]]
             label  weight  lift  strength
    0    gold card     1.0   2.0       2.0
    1  buys online     0.8   1.0       0.8
    """
    here, everybody = pd.Index(list(customers)).unique(), pd.Index(list(all_customers)).unique()
    mine = labels[labels["customer_id"].isin(here)]
    if mine.empty:
        raise ValueError(f"none of the {len(here)} customers has a label: nothing can be drawn of them")
    each = mine.groupby(["label", "label_zh", "kind"])
    words = pd.DataFrame({"share": each["customer_id"].nunique(), "weight": each["weight"].sum()}) / len(here)
    words = words.reset_index()
    common = labels[labels["customer_id"].isin(everybody)].groupby("label")["weight"].sum() / len(everybody)
    words["lift"] = words["weight"] / words["label"].map(common)
    words["strength"] = words["weight"] * words["lift"].clip(upper=most_lift)
    words = words[words["strength"] > 0]
    return words.sort_values(["strength", "label"], ascending=[False, True], ignore_index=True)


def missing_glyphs(texts):
    """Return the characters that the font of the course cannot draw, in the order of the alphabet.

    Examples
    --------
    >>> missing_glyphs(["客户画像", "customer"]), missing_glyphs(["🦄"])
    ([], ['🦄'])
    """
    there = _glyphs()
    return sorted({sign for text in texts for sign in str(text) if ord(sign) not in there})


def place_words(words, language="en", wide=16 / 9, most=25):
    """Lay out the words of a cloud: the strongest in the middle, the others around it, none on another.

    The same words always give the same places: there is no chance in it.

    Parameters
    ----------
    words : pandas.DataFrame
        label, label_zh, kind, strength (above 0).
    language : str
        ``"en"``, ``"zh"`` or ``"both"``.
    wide : float
        Width of the cloud divided by its height.
    most : int
        The strongest words that are shown.

    Returns
    -------
    pandas.DataFrame
        text, kind, strength, size (height of the letters, the largest is 1), x, y (lower left corner of the inked box)
        and width, height, in the same unit.

    Raises
    ------
    ValueError
        There is no word, a strength is not above 0, the language is unknown, or a character cannot be drawn.

    Examples
    --------
    >>> words = pd.DataFrame({"label": ["gold card", "online"], "label_zh": ["金卡会员", "网店"],
    ...                       "kind": ["fact", "rule"], "strength": [2.0, 1.0]})
    >>> place_words(words, "zh")[["text", "size"]]
       text  size
    0  金卡会员  1.00
    1    网店  0.65
    """
    table = need(words, ["label", "label_zh", "kind", "strength"], "table of words")
    if language not in LANGUAGES:
        raise ValueError(f"the language {language!r} is unknown; choose one of: {', '.join(LANGUAGES)}")
    if table.empty or not (table["strength"] > 0).all():
        raise ValueError("a cloud needs one word or more, each with a strength above 0")
    unknown = sorted(set(table["kind"]) - set(KIND_LOOK))
    if unknown:
        raise ValueError(f"the kind {unknown[0]!r} is unknown; choose one of: {', '.join(KIND_LOOK)}")
    table = table.sort_values(["strength", "label"], ascending=[False, True]).head(most).reset_index(drop=True)
    text = {"en": table["label"], "zh": table["label_zh"], "both": table["label_zh"] + " " + table["label"]}[language]
    absent = missing_glyphs(text)
    if absent:
        raise ValueError(
            f"the font of the course cannot draw {' '.join(absent)}: write the label with other characters"
        )
    size = SMALLEST + (1 - SMALLEST) * table["strength"] / table["strength"].max() if len(table) > 1 else 1.0
    if len(table) > 1 and table["strength"].min() == table["strength"].max():
        size = 1.0
    table = table.assign(text=text, size=size)
    boxes = []
    for word in table.itertuples():
        extents = _path(word.text).get_extents()
        # A quarter of a letter of air; room below for the line of the kind.
        width, height = (extents.width + 0.3) * word.size, 1.25 * word.size
        boxes.append((*_free_place(boxes, width, height, wide), width, height))
    x, y, width, height = np.array(boxes).T
    table = table.assign(x=x - width / 2, y=y - height / 2, width=width, height=height)
    return table[["text", "kind", "strength", "size", "x", "y", "width", "height"]]


def tag_cloud(words, title, language="en", most=25, ax=None):
    """Draw a tag cloud: the larger the word, the stronger the trait (weight × lift).

    The letters are drawn as shapes in one common scale, so that no word is cut off or lies on another, however large
    the picture is. Facts have a line under them, scores of a model a dotted one, rules none.

    Parameters
    ----------
    words : pandas.DataFrame
        As returned by `cloud_words`.
    title : str
        What the picture says.
    language : str
        ``"en"``, ``"zh"`` or ``"both"``.
    most : int
        The strongest words that are shown.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure when left out.

    Returns
    -------
    matplotlib.axes.Axes
        Each word is a patch whose label (`get_label`) is the word.

    Raises
    ------
    ValueError
        As for `place_words`.

    References
    ----------
    Viégas, F., Wattenberg, M. and Feinberg, J. (2009). Participatory visualization with Wordle. IEEE TVCG 15(6).

    Examples
    --------
    >>> words = pd.DataFrame({"label": ["gold card", "online"], "label_zh": ["金卡会员", "网店"],
    ...                       "kind": ["fact", "rule"], "strength": [2.0, 1.0]})
    >>> [patch.get_label() for patch in tag_cloud(words, "Two traits").patches]
    ['gold card', 'online']
    """
    ax = axes_for(ax, figsize=(8, 4.8))
    room = ax.get_window_extent()
    placed = place_words(words, language, room.width / room.height, most)
    for word in placed.itertuples():
        color, line = KIND_LOOK[word.kind]
        shape = _path(word.text)
        left, base = word.x + 0.15 * word.size, word.y + 0.3 * word.size
        move = Affine2D().translate(-shape.get_extents().x0, 0).scale(word.size).translate(left, base)
        ax.add_patch(PathPatch(move.transform_path(shape), facecolor=color, linewidth=0, label=word.text))
        if line:
            right = word.x + word.width - 0.15 * word.size
            under = base - 0.2 * word.size
            ax.add_line(Line2D([left, right], [under, under], color=color, linestyle=line, linewidth=1.2))
    corners = placed[["x", "y"]].to_numpy()
    ax.update_datalim(np.concatenate([corners, corners + placed[["width", "height"]].to_numpy()]))
    # One scale for both directions, and limits that grow with the axes: a word is neither bent nor cut.
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0)
    ax.autoscale_view()
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    _explain(ax, placed["kind"], language)
    set_title(ax, title)
    return ax


def _explain(ax, kinds, language):
    """Say below the cloud what size, colour and line mean."""
    zh = language == "zh"
    told = {"fact": "underlined: a fact", "rule": "no line: by a rule", "model": "dotted: by a model"}
    alone = {
        "fact": "all labels are facts",
        "rule": "all labels come from rules",
        "model": "all labels come from a model",
    }
    if zh:
        told = {"fact": "下划线: 事实标签", "rule": "无线: 规则标签", "model": "虚线: 模型标签"}
        alone = {kind: "都是" + words.split(": ")[1] for kind, words in told.items()}
    there = [kind for kind in told if kind in set(kinds)]
    parts = [
        "字号: 权重 × 提升度" if zh else "size: weight × lift",
        *((alone if len(there) == 1 else told)[kind] for kind in there),
    ]
    narrow = ax.get_window_extent().width / ax.figure.dpi < 4.5
    ax.set_xlabel(parts[0] + ("\n" if narrow else ";  ") + ";  ".join(parts[1:]), fontsize=9, color="#444444")


def _free_place(boxes, width, height, wide):
    """Return the first place on a spiral around the middle where a box lies on no other."""
    if not boxes:
        return 0.0, 0.0
    x, y, w, h = np.array(boxes).T
    for step in range(1, 20000):
        angle = 0.35 * np.sqrt(step) * 2
        radius = 0.06 * np.sqrt(step) * 2
        here, there = radius * wide * np.cos(angle), radius * np.sin(angle)
        if not ((np.abs(x - here) < (w + width) / 2) & (np.abs(y - there) < (h + height) / 2)).any():
            return here, there
    raise ValueError("the words find no place; show fewer of them: most=…")


@functools.cache
def _path(text):
    """Return the outline of a text with letters of height 1."""
    return TextPath((0, 0), text, size=1, prop=FontProperties(fname=FONT_FILE))


@functools.cache
def _glyphs():
    return frozenset(FT2Font(str(FONT_FILE)).get_charmap())
