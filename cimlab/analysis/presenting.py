"""Hand the result over: a dashboard of a few numbers, a report that needs no network (分析结果的呈现)."""

import base64
import html
import io
import re
from pathlib import Path

import pandas as pd

from cimlab._whole import whole_file

LABELS = {
    "en": {"question": "Question", "answer": "Answer", "source": "Source", "as_of": "Data up to"},
    "zh": {"question": "问题", "answer": "结论", "source": "来源", "as_of": "数据截至"},
}
SECTION_KEYS = ("heading", "text", "figure", "alt", "table")
MOST_ROWS = 25
TILE_COLUMNS = ("value", "unit", "before", "better")
NUMBER = re.compile(r"[-+−]?[\d,.]+ ?%?|–")
STYLE = """
@page { size: A4; margin: 13mm 15mm; }
* { box-sizing: border-box; }
body { font: 15px/1.45 "Report", "Noto Sans SC", "PingFang SC", "Microsoft YaHei", sans-serif; color: #1a1a1a;
  max-width: 46rem; margin: 1.5rem auto; padding: 0 1rem; background: #fff; }
h1 { font-size: 1.5rem; margin: 0 0 .6rem; } h2 { font-size: 1.1rem; margin: .9rem 0 .3rem; break-after: avoid; }
p { margin: .3rem 0; } ul { margin: .3rem 0; padding-left: 1.2rem; }
.answer { border-left: 5px solid #0072B2; background: #eef4f9; padding: .5rem .8rem; font-size: 1.08rem; }
.label { font-weight: bold; margin-right: .4em; }
figure { margin: .4rem 0; break-inside: avoid; } img { max-width: 100%; height: auto; display: block; margin: auto; }
.table { overflow-x: auto; break-inside: avoid; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { padding: .14rem .5rem; border-bottom: 1px solid #bbb; text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid #333; } th.number, td.number { text-align: right; white-space: nowrap; }
footer { margin-top: 1rem; border-top: 1px solid #bbb; padding-top: .3rem; font-size: .85rem; color: #444; }
@media print { body { font-size: 10pt; line-height: 1.35; max-width: none; margin: 0; padding: 0; }
  .answer { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""


def write_report(path, title, sections, question, answer, source, as_of, language="en"):
    """Write a report as one HTML file that holds all it needs: pictures, tables, style and letters (分析报告).

    The reader is a manager: the question comes first, then the answer in one sentence, then the reasons. The file needs
    no network, prints on A4, and is written whole or not at all.

    Parameters
    ----------
    path : pathlib.Path or str
        Where to write, with the ending ``.html``; its folder must be there.
    title, question, answer, source : str
        `source` names the tables that the numbers come from.
    sections : list of dict
        Each has a ``heading``, and any of ``text`` (a text, or a list of texts for a bulleted list), ``figure`` (a
        matplotlib figure or axes) with ``alt`` (what it shows, for a reader who cannot see it), and ``table`` (a
        DataFrame of at most 25 rows; a missing value becomes –).
    as_of : datetime.date or str
        The last day that the data knows of.
    language : str
        ``"en"`` or ``"zh"``: language of the few words that the page adds itself.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ValueError
        A text is empty, a section has a key that is not known, a figure has no words, or a table is too long.
    FileNotFoundError
        The folder is not there.

    References
    ----------
    Minto, B. (2009). The Pyramid Principle: the answer first. W3C (2018). Web Content Accessibility Guidelines 2.1,
    1.1.1: a text for each picture.

    Examples
    --------
    >>> import tempfile
    >>> debts = pd.DataFrame({"firm": ["旭日酒店"], "overdue (CNY)": [1200.0]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_report(Path(folder, "report.html"), "Who owes us?", [{"heading": "Debts", "table": debts}],
    ...                         question="Whom do we remind?", answer="One firm.", source="enterprise_orders",
    ...                         as_of="2026-06-30")
    ...     "1,200" in path.read_text(encoding="utf-8")
    True
    """
    path = Path(path)
    if path.suffix != ".html":
        raise ValueError(f"{path.name} should end with .html, so that a browser opens it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} is not there: make it first, with .mkdir()")
    if language not in LABELS:
        raise ValueError(f"the language {language!r} is unknown; choose 'en' or 'zh'")
    given = {"title": title, "question": question, "answer": answer, "source": source}
    empty = [name for name, text in given.items() if not isinstance(text, str) or not text.strip()]
    if empty:
        raise ValueError(f"a report needs a text for: {', '.join(empty)}")
    words, safe = LABELS[language], {name: html.escape(text) for name, text in given.items()}
    body = "\n".join(
        [
            f"<h1>{safe['title']}</h1>",
            *(f'<p class="{k}"><span class="label">{words[k]}</span>{safe[k]}</p>' for k in ("question", "answer")),
            *(_section(section) for section in sections),
            f"<footer>{words['source']}: {safe['source']}. {words['as_of']} {pd.Timestamp(as_of).date()}.</footer>",
        ]
    )
    head = f'<meta charset="utf-8"><title>{safe["title"]}</title><meta name="viewport" content="width=device-width">'
    from cimlab.plots.style import font_face

    style = f"<style>{font_face(body)}{STYLE}</style>"
    lang = {"en": "en", "zh": "zh-CN"}[language]
    page = f'<!DOCTYPE html>\n<html lang="{lang}"><head>{head}{style}</head>\n<body>{body}</body></html>\n'
    with whole_file(path) as place:
        place.write_text(page, encoding="utf-8")
    return path


def show_report(path, height=700):
    """Show a report inside a notebook; the page travels with the output, so that no path has to be right.

    Parameters
    ----------
    path : pathlib.Path or str
        What `write_report` returned.
    height : int
        Height of the frame in pixels; the page scrolls in it.

    Returns
    -------
    IPython.display.HTML

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_report(Path(folder, "r.html"), "T", [], "Q?", "A.", "orders", "2026-06-30")
    ...     'title="report"' in show_report(path).data
    True
    """
    from IPython.display import HTML

    page = html.escape(Path(path).read_text(encoding="utf-8"))
    style = "width: 100%; border: 1px solid #999"
    return HTML(f'<div><iframe title="report" height="{int(height)}" style="{style}" srcdoc="{page}"></iframe></div>')


def dashboard(tiles, charts=(), title="", since=""):
    """Draw a small dashboard: a row of big numbers with their change, and up to three small charts (仪表板).

    Parameters
    ----------
    tiles : pandas.DataFrame
        One row for each number, up to five, named by the index, with the column value and any of unit (``"CNY"``,
        ``"%"``, …), before (the value that it is compared with) and better (``"higher"`` or ``"lower"``, so that the
        change is judged). The change of a per cent is told in points.
    charts : list of callable
        Each is given axes to draw on: ``lambda ax: plots.bar(values, "Overdue by city", "CNY", ax=ax)``.
    title : str
    since : str
        What the change refers to, such as ``"since March"``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        The tiles have no values or an unknown column, or there is too much for one look.

    References
    ----------
    Few, S. (2013). Information Dashboard Design: what matters, on one screen, at a glance.

    Examples
    --------
    >>> tiles = pd.DataFrame({"value": [93.5], "unit": ["%"], "before": [95.0], "better": ["higher"]},
    ...                      index=["Collection rate"])
    >>> figure = dashboard(tiles, title="Credit", since="since March")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['Collection rate', '93.5 %', '−1.5 points since March: worse']
    """
    if not 1 <= len(tiles) <= 5 or len(charts) > 3:
        raise ValueError(f"one look holds 1 to 5 numbers and up to 3 charts, not {len(tiles)} and {len(charts)}")
    odd = [column for column in tiles.columns if column not in TILE_COLUMNS]
    if odd or "value" not in tiles or tiles["value"].isna().any():
        raise ValueError(
            f"the tiles need the column value, filled, and may have unit, before and better; yours are {list(tiles)}"
        )
    import matplotlib.pyplot as plt

    with plt.rc_context({"font.size": 9, "axes.titlesize": 10.5}):
        figure = plt.figure(figsize=(10, 4.7 if charts else 1.9), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.08)
        figure.suptitle(title, x=0.01, ha="left", fontsize=14)
        rows = figure.add_gridspec(2 if charts else 1, 1, height_ratios=[1, 2.3] if charts else None)
        for place, (name, tile) in zip(rows[0].subgridspec(1, len(tiles)), tiles.iterrows(), strict=True):
            _draw_tile(figure.add_subplot(place), str(name), tile, since)
        if charts:
            for place, draw in zip(rows[1].subgridspec(1, len(charts)), charts, strict=True):
                draw(figure.add_subplot(place))
    return figure


def _draw_tile(ax, name, tile, since):
    """Draw one number of a dashboard; whether a change is good stands there in words, not in the colour alone."""
    unit, (change, verdict) = tile.get("unit", ""), _change(tile)
    ax.set(xticks=[], yticks=[], facecolor="#F0F3F6", xlim=(0, 1), ylim=(0, 1))
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.text(0.05, 0.86, name, va="top", fontsize=10)
    ax.text(0.05, 0.45, f"{_number(tile['value'])} {unit}".strip(), va="center", fontsize=18)
    told = " ".join(filter(None, [change, since])) + (f": {verdict}" if verdict else "")
    from cimlab.plots import PALETTE

    color = {"better": PALETTE[0], "worse": "#9C3D00"}.get(verdict, "#444444")
    ax.text(0.05, 0.1, told if change else "", va="bottom", fontsize=9, color=color)


def _change(tile):
    """Return how much a tile has changed, and whether for the better."""
    before, value = tile.get("before"), tile["value"]
    if before is None or pd.isna(before):
        return "", ""
    step = value - before
    size = f"{_number(abs(step))} points" if tile.get("unit") == "%" else _number(abs(step))
    if tile.get("unit") != "%" and before > 0:
        size = f"{_number(100 * abs(step) / before)} %"
    if float(re.sub(r"[^\d.]", "", size)) == 0:
        return "unchanged", ""
    good = {"higher": step > 0, "lower": step < 0}.get(tile.get("better"))
    return ("+" if step > 0 else "−") + size, {True: "better", False: "worse", None: ""}[good]


def _number(value):
    """Write a number as a manager reads it: 12,345; 93.5; 0.25."""
    if float(value).is_integer() or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def _section(section):
    """Return one section of the report as HTML."""
    odd = [str(key) for key in section if key not in SECTION_KEYS]
    if odd or "heading" not in section:
        raise ValueError(
            f"a section needs heading, and may have text, figure with alt, and table; this one has {', '.join(section)}"
        )
    parts = [f"<h2>{html.escape(section['heading'])}</h2>"]
    text = section.get("text", "")
    if isinstance(text, str):
        parts += [f"<p>{html.escape(part.strip())}</p>" for part in text.split("\n\n") if part.strip()]
    else:
        parts.append("<ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in text) + "</ul>")
    if section.get("figure") is not None:
        parts.append(_picture(section["figure"], section.get("alt", ""), section["heading"]))
    if section.get("table") is not None:
        parts.append(_table(section["table"], section["heading"]))
    return f"<section>{''.join(parts)}</section>"


def _picture(figure, alt, heading):
    """Return a figure as an HTML picture that carries its own bytes."""
    if len(alt.split()) < 3 and len(alt) < 8:
        raise ValueError(f"the figure of {heading!r} needs alt: one sentence that says what it shows")
    figure = getattr(figure, "figure", figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=160, facecolor="white")
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    width = round(96 * figure.get_size_inches()[0])
    return f'<figure><img alt="{html.escape(alt)}" width="{width}" src="data:image/png;base64,{data}"></figure>'


def _table(table, heading):
    """Return a table as HTML, its numbers to the right; an index that was set names the rows."""
    if len(table) > MOST_ROWS:
        raise ValueError(
            f"the table of {heading!r} has {len(table)} rows; a report takes at most {MOST_ROWS}: sort it, then head()"
        )
    named = not isinstance(table.index, pd.RangeIndex)
    cells = (table.reset_index() if named else table).astype("object").map(_cell)
    right = [cells.iloc[:, place].map(NUMBER.fullmatch).notna().all() for place in range(cells.shape[1])]
    looks = [' class="number"' if number else "" for number in right]
    head = [
        f'<th scope="col"{look}>{html.escape(str(name))}</th>' for name, look in zip(cells.columns, looks, strict=True)
    ]
    rows = ["".join(head)]
    for row in cells.itertuples(index=False, name=None):
        tags = ['th scope="row"' if named and place == 0 else "td" for place in range(len(row))]
        filled = zip(tags, looks, row, strict=True)
        rows.append("".join(f"<{tag}{look}>{html.escape(text)}</{tag[:2]}>" for tag, look, text in filled))
    body = "".join(f"<tr>{row}</tr>" for row in rows[1:])
    return f'<div class="table"><table><thead><tr>{rows[0]}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value):
    """Write one cell."""
    if pd.isna(value):
        return "–"
    if isinstance(value, pd.Timestamp):
        return str(value.date())
    return (
        value if isinstance(value, (str, bool)) else _number(value) if isinstance(value, (int, float)) else str(value)
    )
