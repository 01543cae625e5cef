"""The parts of the dashboard as they are seen: tables and pictures as HTML."""

import base64
import html

import numpy as np
import pandas as pd

from cimlab.capstone.dashboard_groups import DIMENSIONS
from cimlab.plots.style import HATCHES, PALETTE, as_png, house_style
from cimlab.profiles.words import CHANNELS as CHINESE

STYLE = """<style>
/* The pictures are white: so is the board, also where JupyterLab is dark. */
.cimlab-board { --line: #c9d1d9; --jp-widgets-horizontal-tab-width: 190px; --jp-layout-color0: #fff;
  --jp-layout-color1: #fff; --jp-layout-color2: #eee; --jp-layout-color3: #bdbdbd; --jp-border-color1: #bdbdbd;
  --jp-border-color2: #ddd; --jp-ui-font-color0: #000; --jp-ui-font-color1: #222; --jp-ui-font-color2: #555;
  --jp-content-font-color1: #1a1a1a; --jp-widgets-color: #1a1a1a; --jp-widgets-label-color: #1a1a1a;
  --jp-widgets-input-color: #1a1a1a; --jp-widgets-input-background-color: #fff; --jp-widgets-input-border-color: #999;
  font-family: "Noto Sans SC", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
  color: #1a1a1a; background: #fff; }
.cimlab-board .tiles { display: flex; flex-wrap: wrap; gap: 10px; margin: 2px 0 8px; }
.cimlab-board .tile { flex: 1 1 150px; border: 1px solid var(--line); border-top: 4px solid #0072B2; padding: 6px 10px;
  line-height: 1.3; background: #fff; color: #1a1a1a; }
.cimlab-board .tile b { display: block; font-size: 22px; font-weight: 600; white-space: nowrap; }
.cimlab-board .tile small { color: #444; font-size: 12.5px; }
.cimlab-board table.board { border-collapse: collapse; font-size: 13px; line-height: 1.35; margin: 4px 0 8px; }
.cimlab-board table.board :is(th, td) { border: 0; border-bottom: 1px solid #ddd; padding: 3px 10px 3px 2px;
  text-align: left; vertical-align: top; background: #fff; color: #1a1a1a; max-width: 150px; overflow-wrap: anywhere; }
.cimlab-board table.board th { border-bottom: 2px solid #555; font-weight: 600; white-space: nowrap; }
.cimlab-board table.board .number { text-align: right; }
.cimlab-board .none { color: #767676; }
.cimlab-board h3 { font-size: 17px; line-height: 1.3; margin: 2px 0 4px; }
.cimlab-board h4 { font-size: 14px; line-height: 1.3; margin: 8px 0 2px; }
.cimlab-board p { line-height: 1.45; margin: 3px 0; max-width: 900px; font-size: 13.5px; }
.cimlab-board .chip { display: inline-block; border: 1.5px solid #767676; border-radius: 11px; padding: 0 9px;
  margin: 2px 6px 2px 0; font-size: 13px; line-height: 20px; background: #fff; color: #1a1a1a; }
.cimlab-board .chip.yes { border-color: #007A5A; background: #E4F4EE; }
.cimlab-board .chip.label { border-color: #0072B2; border-radius: 3px; }
.cimlab-board img { display: block; max-width: 100%; height: auto; }
.cimlab-board .sides { display: flex; flex-wrap: wrap; gap: 4px 22px; align-items: flex-start; }
.cimlab-board .sides > div + div { flex: 1 1 330px; max-width: 440px; }
</style>"""
CHANNELS = {name: f"{name} {chinese}" for name, chinese in CHINESE.items()}
_FIELDS = {
    "name": "name 姓名", "name_pinyin": "pinyin 拼音", "gender": "gender 性别", "birth_date": "birth date 出生日期",
    "phone": "phone 电话", "email": "e-mail 邮箱", "id_number": "identity number 身份证号", "city": "city 城市",
    "address": "address 地址", "tier": "tier 等级",
}  # fmt: skip
_INDICATORS = {
    "frequency": ("purchases a year", "{:.1f}"),
    "basket": ("CNY a purchase", "{:,.0f}"),
    "on_offer": ("bought on offer", "{:.0%}"),
    "share_web": ("bought online", "{:.0%}"),
}
_PURPOSES = {"marketing": "marketing 营销", "profiling": "profiling 画像", "sharing": "sharing 共享"}


def tiles(figures):
    """Write the head figures.

    Examples
    --------
    >>> figures = pd.DataFrame({"figure": ["customers"], "value": [9], "text": ["9"], "told": ["of 12 records"]})
    >>> tiles(figures)
    '<div class="tiles"><div class="tile">customers<b>9</b><small>of 12 records</small></div></div>'
    """
    parts = (
        f'<div class="tile">{_safe(row.figure)}<b>{_safe(row.text)}</b><small>{_safe(row.told)}</small></div>'
        for row in figures.itertuples()
    )
    return f'<div class="tiles">{"".join(parts)}</div>'


def grid(table, numbers=()):
    """Write a table; None and blanks as a dash.

    Examples
    --------
    >>> grid(pd.DataFrame({"way": ["phone"], "may": [None]}), numbers=["may"])[-82:]
    '<tr><td>phone</td><td class="number"><span class="none">–</span></td></tr></table>'
    """
    look = {name: ' class="number"' if name in numbers else "" for name in table.columns}
    head = "".join(f"<th{look[name]}>{_safe(name)}</th>" for name in table.columns)
    rows = (
        "".join(f"<td{look[name]}>{_cell(value)}</td>" for name, value in zip(table.columns, row, strict=True))
        for row in table.itertuples(index=False)
    )
    return f'<table class="board"><tr>{head}</tr>{"".join(f"<tr>{row}</tr>" for row in rows)}</table>'


def trouble(error):
    """Say that a part cannot be shown.

    Examples
    --------
    >>> trouble(ValueError("no column <a>"))
    '<p>This cannot be shown of this base: no column &lt;a&gt; (ValueError).</p>'
    """
    return f"<p>This cannot be shown of this base: {_safe(error)} ({type(error).__name__}).</p>"


def card_page(customer_id, card, consent, profile, months):
    """Write the single customer view.

    Parameters
    ----------
    customer_id : str
    card : pandas.DataFrame
        As `card_values` returns it.
    consent : dict of str to str
    profile : tuple
        As `profile_of` returns it.
    months : pandas.DataFrame
        As `monthly_orders` returns it.

    Returns
    -------
    str
    """
    labels, segment, why = profile
    seen = pd.DataFrame(
        {
            "field": [_FIELDS[field] for field in card["field"]],
            "value": card["value"],
            "comes from": [
                f"{CHANNELS.get(source, source)} · {record}" if record else None
                for source, record in zip(card["source"], card["record_id"], strict=True)
            ],
            "chosen by": card["rule"],
        }
    )
    name = card.loc[card["field"] == "name", "value"]
    named = f" · {_safe(name.iloc[0])}" if len(name) and name.iloc[0] else ""
    spent = months.to_numpy().sum()
    chips = "".join(f'<span class="chip label">{_label(row)}</span>' for row in labels.head(8).itertuples())
    told = f"<p>Segment: <b>{_safe(segment)}</b></p>" if segment else ""
    return (
        f"<h3>Customer {_safe(customer_id)}{named}</h3>"
        f'<div class="sides"><div>{grid(seen)}</div><div><h4>Consent 同意</h4>{_consent(consent)}'
        f"<h4>Profile 画像</h4>{told}{chips}{f'<p>{_safe(why)}</p>' if why else ''}"
        f"<h4>Purchases 购买: {spent:,.0f} CNY in {len(months)} months</h4>{months_picture(months)}</div></div>"
    )


def _label(row):
    chinese = getattr(row, "label_zh", "")
    return _safe(f"{row.label} {chinese}".strip())


def _consent(consent):
    if not consent:
        return "<p>The base has no table consent_state: treat everything as not agreed to.</p>"
    return "".join(
        f'<span class="chip{" yes" if state == "given" else ""}">{"✓" if state == "given" else "✗"} '
        f"{_safe(_PURPOSES.get(purpose, purpose))}: {_safe(state)}</span>"
        for purpose, state in consent.items()
    )


@house_style()
def months_picture(months):
    """Draw what a customer spent by month, in parts for the channels.

    Examples
    --------
    >>> index = pd.period_range("2026-05", periods=2, freq="M")
    >>> months_picture(pd.DataFrame({"web": [0.0, 20.0]}, index=index))[:48]
    '<img alt="spent by month: 2026-06 20 CNY" style='
    """
    figure, ax = _axes(4.5, 2.4)
    start = np.zeros(len(months))
    for number, channel in enumerate(name for name in CHANNELS if name in months):
        look = {"color": PALETTE[number], "hatch": HATCHES[number], "edgecolor": "white", "linewidth": 0.4}
        ax.bar(range(len(months)), months[channel], bottom=start, label=CHANNELS[channel], width=0.8, **look)
        start = start + months[channel].to_numpy()
    step = 6 if len(months) > 12 else 1
    ticks = range((len(months) - 1) % step, len(months), step)
    ax.set_xticks(ticks, [str(months.index[tick]) for tick in ticks])
    ax.set_ylim(0, max(start.max() * 1.1, 10))
    ax.grid(visible=False, axis="x")
    ax.set_ylabel("CNY a month")
    ax.tick_params(labelsize=9)
    ax.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1), fontsize=9, columnspacing=1.2)
    told = "; ".join(f"{month} {spent:,.0f} CNY" for month, spent in zip(months.index, start, strict=True) if spent)
    return _image(figure, f"spent by month: {told or 'nothing'}")


def quality_page(change):
    """Write quality before and after: a picture, and what got worse."""
    said = _say_change(change)
    return f"<h3>Data quality 数据质量, before and after</h3><p>{_safe(said)}</p>{quality_picture(change, said)}"


def _say_change(change):
    worse = change[change["change"] < -0.005]
    better = int((change["change"] > 0.005).sum())
    said = f"{better} of {len(change)} figures are higher than before."
    if len(worse):
        told = (f"{row.dimension} of {row.field} {row.before:.0%} → {row.after:.0%}" for row in worse.itertuples())
        said += f" Lower: {'; '.join(told)}: before, a record counts once; after, a customer does."
    return said


@house_style()
def quality_picture(change, words=""):
    """Draw the shares before and after, a panel for each dimension."""
    from matplotlib import ticker

    shown = [name for name in DIMENSIONS if (change["dimension"] == name).any()]
    figure, axes = _axes(10.6, 3.7, len(shown))
    before = []
    for ax, dimension in zip(np.atleast_1d(axes), shown, strict=True):
        part = change[change["dimension"] == dimension].set_index("field")
        fields = part.index.tolist()
        for shift, stage, look in (
            (-0.2, "before", {"color": "#BBBBBB", "hatch": "//", "edgecolor": "#777777"}),
            (0.2, "after", {"color": PALETTE[0]}),
        ):
            drawn = ax.barh(
                np.arange(len(fields)) + shift, part[stage], height=0.38, label=stage, linewidth=0.4, **look
            )
            texts = [f"{value:.0%}" if value == value else "" for value in part[stage]]
            ax.bar_label(drawn, labels=texts, padding=2, fontsize=8)
        names = [name.replace("_", " ") for name in fields] if fields != before else [""] * len(fields)
        ax.set_yticks(range(len(fields)), names, fontsize=10)
        before = fields
        ax.invert_yaxis()
        ax.set_xlim(0, 1.16)
        ax.set_xticks([0, 0.5, 1])
        ax.xaxis.set_major_formatter(ticker.PercentFormatter(1))
        ax.grid(visible=False, axis="y")
        ax.set_title(dimension, fontsize=11)
    np.atleast_1d(axes)[-1].legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=9)
    return _image(figure, words)


def consent_page(purpose, shares, channels, ways):
    """Write who agreed to what, over which channel, and, for marketing, who may be contacted how."""
    total = ways.set_index("way").loc["all customers"]
    contact = purpose == "marketing"
    said = (
        f"{total['may']:,} customer{'' if total['may'] == 1 else 's'} "
        f"{'may be contacted for' if contact else 'agreed to'} {purpose}, "
        f"{total['active']:,} of them bought in the last 12 months. {total['may_not']:,} "
        f"{'may not' if contact else 'did not'}: they never agreed, or took it back."
    )
    picture = shares_picture({"by purpose 目的": shares, f"{purpose}, by channel 渠道": channels}, said)
    page = f"<h3>Consent 同意: who may be contacted?</h3><p>{_safe(said)}</p>{picture}"
    if not contact:
        return page
    names = {"way": "way 联系方式", "may": "may 可联系", "active": "of these active", "may_not": "may not 不可联系"}
    told, numbers = ways.rename(columns=names), list(names.values())[1:]
    told[numbers] = told[numbers].map("{:,}".format)
    return f"{page}<h4>How they can be reached</h4>{grid(told, numbers)}"


@house_style()
def shares_picture(tables, words=""):
    """Draw shares that make up a whole: a bar each row, a panel each table."""
    from matplotlib import ticker

    figure, axes = _axes(10.6, 2.6, len(tables))
    looks = [("#009E73", ""), (PALETTE[1], "//"), ("#CCCCCC", "..")]
    for ax, (title, table) in zip(np.atleast_1d(axes), tables.items(), strict=True):
        start, names = np.zeros(len(table)), [CHANNELS.get(name, _PURPOSES.get(name, name)) for name in table.index]
        for (color, hatch), column in zip(looks, table.columns, strict=False):
            drawn = ax.barh(names, table[column], left=start, color=color, hatch=hatch, edgecolor="white", label=column)
            texts = [f"{share:.0%}" if share > 0.06 else "" for share in table[column]]
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            ax.bar_label(drawn, labels=texts, label_type="center", fontsize=9, bbox=box if any(texts) else None)
            start = start + table[column].to_numpy()
        ax.invert_yaxis()
        ax.set_xlim(0, 1)
        ax.xaxis.set_major_formatter(ticker.PercentFormatter(1))
        ax.grid(visible=False, axis="y")
        ax.set_title(title, fontsize=11)
    np.atleast_1d(axes)[-1].legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=9)
    return _image(figure, words)


def segment_page(told, view):
    """Write the segments: a picture (sizes or profile) above their table."""
    first = told.iloc[0]
    said = (
        f"The segment {told.index[0]} brings most: {first['revenue_share']:.0%} of the revenue with "
        f"{first['share']:.0%} of the customers who bought in two years."
    )
    picture = profile_picture(told, said) if view == "profile" else sizes_picture(told, said)
    shown = pd.DataFrame(
        {
            "segment 分群": told.index,
            "customers": told["customers"].map("{:,}".format),
            "revenue, CNY a year": told["revenue"].map("{:,.0f}".format),
            **{title: told[column].map(form.format) for column, (title, form) in _INDICATORS.items()},
        }
    ).replace({"nan": None, "nan%": None})
    note = "Groups only: no single customer is described, and a group of fewer than 10 has no means."
    return (
        f"<h3>Segments 分群</h3><p>{_safe(said)}</p>{picture}{grid(shown, list(shown.columns)[1:])}"
        f'<p class="none">{note}</p>'
    )


@house_style()
def sizes_picture(told, words=""):
    """Draw the share of customers and of revenue of each segment, side by side."""
    from matplotlib import ticker

    figure, ax = _axes(8.6, 0.9 + 0.5 * len(told))
    for shift, column, label, look in (
        (-0.2, "share", "of the customers", {"color": "#BBBBBB", "hatch": "//", "edgecolor": "#777777"}),
        (0.2, "revenue_share", "of the revenue", {"color": PALETTE[0]}),
    ):
        drawn = ax.barh(np.arange(len(told)) + shift, told[column], height=0.38, label=label, linewidth=0.4, **look)
        ax.bar_label(drawn, labels=[f"{share:.0%}" for share in told[column]], padding=3, fontsize=9)
    ax.set_yticks(range(len(told)), told.index)
    ax.invert_yaxis()
    ax.margins(x=0.1)
    ax.xaxis.set_major_formatter(ticker.PercentFormatter(1))
    ax.grid(visible=False, axis="y")
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=9)
    return _image(figure, words)


@house_style()
def profile_picture(told, words=""):
    """Draw what the segments do: a panel for each indicator, in its own unit."""
    means = told[list(_INDICATORS)].dropna(axis="columns", how="all")
    if means.shape[1] == 0:
        return "<p>Each segment has fewer than 10 customers: no means are shown.</p>"
    figure, axes = _axes(10.6, 0.9 + 0.45 * len(told), means.shape[1])
    for number, (ax, column) in enumerate(zip(np.atleast_1d(axes), means, strict=True)):
        title, form = _INDICATORS[column]
        drawn = ax.barh(range(len(means)), means[column].fillna(0), height=0.6, color=PALETTE[0])
        texts = [form.format(mean) if mean == mean else "" for mean in means[column]]
        ax.bar_label(drawn, labels=texts, padding=3, fontsize=9)
        ax.set_yticks(range(len(means)), means.index if number == 0 else [""] * len(means))
        ax.invert_yaxis()
        ax.margins(x=0.22)
        ax.set_xticks([0])
        ax.grid(visible=False)
        ax.set_title(title, fontsize=11)
    return _image(figure, words)


def _axes(width, height, count=1):
    """Return a figure, apart from those of a notebook, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    return figure, figure.subplots(1, count)


def _image(figure, words):
    """Return a figure as HTML, with words for those who do not see it."""
    data, wide = base64.b64encode(as_png(figure)).decode("ascii"), round(figure.get_figwidth() * 96)
    return f'<img alt="{_safe(words)}" style="width: {wide}px" src="data:image/png;base64,{data}">'


def _cell(value):
    none = value is None or (isinstance(value, float) and value != value)
    return '<span class="none">–</span>' if none else _safe(value)


def _safe(value):
    return html.escape(str(value))
