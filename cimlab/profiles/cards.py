"""Step 4, the persona card (画像卡) of a segment and of one customer: as a picture, and as a page of its own."""

import html
import textwrap
import unicodedata

import matplotlib.pyplot as plt
import pandas as pd

from cimlab.plots.style import font_face
from cimlab.profiles.cloud import KIND_LOOK, LANGUAGES, cloud_words, tag_cloud
from cimlab.profiles.limits import refuse_profile

# What a card tells: the variable, how the number is written, and its name, in English and Chinese.
_FACTS = {
    "tenure": ("{:,.0f} days", "{:,.0f} 天", "customer for", "关系时长"),
    "recency": ("{:,.0f} days ago", "{:,.0f} 天前", "last purchase", "最近购买"),
    "frequency": ("{:,.1f}", "{:,.1f} 次", "purchases", "购买次数"),
    "basket": ("{:,.0f} CNY", "{:,.0f} 元", "a purchase", "客单价"),
    "on_offer": ("{:.0%}", "{:.0%}", "bought on offer", "促销占比"),
    "share_web": ("{:.0%}", "{:.0%}", "bought online", "网店占比"),
}
_WHO = {"gender": "性别", "age_band": "年龄段", "city": "城市", "tier": "会员等级"}
_VALUES_ZH = {"F": "女", "M": "男", "basic": "普通", "silver": "银卡", "gold": "金卡"}
_TOLD = {
    "en": {"here": "here", "all": "all customers", "do": "What to do", "from": "Labels and where they come from"},
    "zh": {"here": "本画像", "all": "全体客户", "do": "行动建议", "from": "标签及来源"},
}
_HEADS = {"en": ["label", "kind", "weight", "source"], "zh": ["标签", "类型", "权重", "来源"]}
_KINDS_ZH = {"fact": "事实", "rule": "规则", "model": "模型"}
_STYLE = """
* { box-sizing: border-box; }
body { font: 15px/1.45 "Report", "Noto Sans SC", "PingFang SC", "Microsoft YaHei", sans-serif; color: #1a1a1a;
  background: #fff; margin: 1rem; }
article { max-width: 44rem; border: 1px solid #888; border-top: 6px solid #0072B2; padding: .8rem 1.1rem; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: .8rem 0 .2rem; } p { margin: .2rem 0; }
.cloud { line-height: 1.25; text-align: center; margin: .6rem 0; }
.cloud span { display: inline-block; margin: 0 .35em; white-space: nowrap; text-underline-offset: .2em;
  text-decoration-thickness: 2px; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { padding: .15rem .5rem; border-bottom: 1px solid #bbb; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
td.number, th.number { text-align: right; }
td:not(:last-child), th { white-space: nowrap; }
.action { border-left: 5px solid #0072B2; padding-left: .7rem; }
footer { margin-top: .7rem; font-size: .82rem; color: #444; }
"""


def segment_persona(table, labels, customers, name, name_zh, action="", most=12):
    """Gather the persona of a segment: who they are, what they do, what sets them apart.

    Parameters
    ----------
    table : pandas.DataFrame
        All customers, as returned by `gather_variables`.
    labels : pandas.DataFrame
        Of all customers.
    customers : iterable of str
        The customers of the segment.
    name, name_zh : str
        What the segment is called.
    action : str
        What one does with it.
    most : int
        The strongest labels that are told.

    Returns
    -------
    dict
        name, who, note (each also in Chinese: name_zh, …), action; facts (DataFrame: fact, here, all, each also in
        Chinese), words (as from `cloud_words`), sources (DataFrame: label, label_zh, kind, weight, source).

    Raises
    ------
    ValueError
        Fewer than 10 customers: a mean of so few tells of persons. Or one of the labels must not stand in a profile.

    Examples
    --------
    >>> table = pd.DataFrame({"customer_id": [f"K{n}" for n in range(20)], "basket": 50.0, "city": "杭州"})
    >>> names = ["customer_id", "label", "label_zh", "kind", "weight", "since", "seen_on", "source"]
    >>> labels = pd.DataFrame([["K1", "buys online", "偏好网店", "rule", 0.8, None, None, "s"]], columns=names)
    >>> persona = segment_persona(table, labels, table["customer_id"].head(10), "Online ten", "网购十人")
    >>> persona["who"], persona["facts"]["here"].tolist()
    ('10 of 20 customers (50\xa0%); city: 杭州 100\xa0%', ['50 CNY'])
    """
    here = table[table["customer_id"].isin(pd.Index(list(customers)))]
    if len(here) < 10:
        raise ValueError(f"the segment has {len(here)} customers; a card for fewer than 10 would tell of persons")
    words = cloud_words(labels, here["customer_id"], table["customer_id"]).head(most)
    refuse_profile(words.assign(customer_id="segment"))
    who, who_zh = _who(here)
    count, share = f"{len(here):,}", _percent(len(here) / len(table))
    sources = words[["label", "label_zh", "kind", "weight"]].assign(
        source=[
            f"{_percent(share)} of the segment, lift {lift:.1f}"
            for share, lift in zip(words["share"], words["lift"], strict=True)
        ]
    )
    return {
        "name": name,
        "name_zh": name_zh,
        "who": "; ".join([f"{count} of {len(table):,} customers ({share})", *who]),
        "who_zh": "; ".join([f"{count} 人，占 {share}", *who_zh]),
        "facts": _facts(here.mean(numeric_only=True), table.mean(numeric_only=True)),
        "words": words,
        "sources": sources,
        "action": action,
        "note": "Means and shares of the group; no single person is described.",
        "note_zh": "均为群体的均值与占比，不描述任何个人。",
    }


def customer_persona(table, labels, customer_id, consent, action="", most=12):
    """Gather the persona of one customer, who must have agreed to profiling.

    Parameters
    ----------
    table : pandas.DataFrame
        All customers, as returned by `gather_variables`.
    labels : pandas.DataFrame
        Of all customers.
    customer_id : str
    consent : pandas.DataFrame
        As returned by `may_profile`.
    action : str
        What one does.
    most : int
        The strongest labels that are told.

    Returns
    -------
    dict
        As `segment_persona` returns it. The card names nobody: it shows the customer_id.

    Raises
    ------
    ValueError
        The customer is not there or has no label, has not agreed, or a label must not stand in a profile.

    Examples
    --------
    >>> table = pd.DataFrame({"customer_id": ["K1", "K2"], "basket": [80.0, 20.0], "city": ["杭州", "上海"]})
    >>> names = ["customer_id", "label", "label_zh", "kind", "weight", "since", "seen_on", "source"]
    >>> labels = pd.DataFrame([["K1", "buys online", "偏好网店", "rule", 0.8, None, None, "orders o1"]], columns=names)
    >>> consent = pd.DataFrame({"customer_id": ["K1"], "state": ["given"], "allowed": [True],
    ...                         "since": pd.to_datetime(["2025-05-01"])})
    >>> persona = customer_persona(table, labels, "K1", consent)
    >>> persona["who"], persona["note"]
    ('city: 杭州', 'Agreed to profiling on 2025-05-01.')
    """
    here = table[table["customer_id"] == customer_id]
    if len(here) != 1:
        raise ValueError(
            f"the customer {customer_id!r} stands {len(here)} times in the table; he must stand there once"
        )
    mine = labels[labels["customer_id"] == customer_id]
    refuse_profile(mine if len(mine) else here, consent)
    words = cloud_words(labels, [customer_id], table["customer_id"]).head(most)
    row = here.iloc[0]
    who, who_zh = _who(here)
    sources = words.merge(mine[["label", "source"]], on="label")[["label", "label_zh", "kind", "weight", "source"]]
    since = consent.loc[consent["customer_id"] == customer_id, "since"].iloc[0]
    return {
        "name": f"Customer {customer_id}",
        "name_zh": f"客户 {customer_id}",
        "who": "; ".join(who),
        "who_zh": "; ".join(who_zh),
        "facts": _facts(row, table.mean(numeric_only=True)),
        "words": words,
        "sources": sources,
        "action": action,
        "note": f"Agreed to profiling on {pd.Timestamp(since).date()}.",
        "note_zh": f"{pd.Timestamp(since).date()} 同意画像。",
    }


def persona_figure(persona, language="en"):
    """Draw a persona card: who, the numbers against all customers, and the tag cloud.

    Parameters
    ----------
    persona : dict
        As returned by `segment_persona` or `customer_persona`.
    language : str
        ``"en"``, ``"zh"`` or ``"both"`` (name and labels in both, the rest in English).

    Returns
    -------
    matplotlib.figure.Figure
        Keep it with ``figure.savefig("card.png")``.

    Raises
    ------
    ValueError
        The language is unknown.

    Examples
    --------
    >>> facts = pd.DataFrame([["a purchase", "客单价", "80 CNY", "80 元", "50 CNY", "50 元"]],
    ...                      columns=["fact", "fact_zh", "here", "here_zh", "all", "all_zh"])
    >>> words = pd.DataFrame([["online", "网店", "rule", 1.0]], columns=["label", "label_zh", "kind", "strength"])
    >>> persona = {"name": "Online", "name_zh": "网购", "who": "city: 杭州", "who_zh": "城市: 杭州", "facts": facts,
    ...            "words": words, "sources": words, "action": "", "note": "", "note_zh": ""}
    >>> len(persona_figure(persona).axes)
    2
    """
    told = _told(language)
    figure = plt.figure(figsize=(10, 5.2), layout="constrained", facecolor="white")
    figure.suptitle(_in(persona, "name", language), x=0.015, ha="left", fontsize=16)
    left, right = figure.add_gridspec(1, 2, width_ratios=[1, 1.45]).subplots()
    left.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[], facecolor="#F0F3F6")
    left.grid(visible=False)
    left.spines[:].set_visible(False)
    who = [line for part in _in(persona, "who", told).split("; ") for line in _wrap(part)]
    notes = [line for part in (persona["action"], _in(persona, "note", told)) for line in _wrap(part)]
    left.text(0.04, 0.97, "\n".join(who), va="top", fontsize=10, linespacing=1.3)
    left.text(0.04, 0.02, "\n".join(notes), va="bottom", fontsize=9.5, linespacing=1.3)
    rows = _fact_rows(persona, language, told)
    top, bottom = 0.93 - 0.052 * len(who), 0.05 + 0.05 * len(notes)
    _draw_facts(left, [["", _TOLD[told]["here"], _TOLD[told]["all"]], *rows], top, (top - bottom) / (len(rows) + 1))
    tag_cloud(persona["words"], "", language, ax=right)
    return figure


def persona_html(persona, language="en"):
    """Write a persona card as a page that carries its own letters and needs no network.

    The words of the cloud are text, their size tells the strength; below stands where each label comes from.

    Parameters
    ----------
    persona : dict
        As returned by `segment_persona` or `customer_persona`.
    language : str
        ``"en"``, ``"zh"`` or ``"both"`` (name and labels in both, the rest in English).

    Returns
    -------
    str
        HTML. Keep it with ``Path("card.html").write_text(page, encoding="utf-8")``.

    Raises
    ------
    ValueError
        The language is unknown.

    Examples
    --------
    >>> facts = pd.DataFrame([["a purchase", "客单价", "80 CNY", "80 元", "50 CNY", "50 元"]],
    ...                      columns=["fact", "fact_zh", "here", "here_zh", "all", "all_zh"])
    >>> words = pd.DataFrame([["online", "网店", "rule", 0.8, 1.0, "orders o1"]],
    ...                      columns=["label", "label_zh", "kind", "weight", "strength", "source"])
    >>> persona = {"name": "Online", "name_zh": "网购", "who": "city: 杭州", "who_zh": "城市: 杭州", "facts": facts,
    ...            "words": words, "sources": words, "action": "Write.", "note": "", "note_zh": ""}
    >>> "orders o1" in persona_html(persona), "http" in persona_html(persona)
    (True, False)
    """
    told, safe = _told(language), html.escape
    words, told_words = persona["words"], _TOLD[told]
    sizes = 0.95 + 1.65 * words["strength"] / words["strength"].max()
    spans = [
        f'<span style="font-size:{size:.2f}rem;color:{KIND_LOOK[word["kind"]][0]};'
        f"text-decoration-line:{'none' if word['kind'] == 'rule' else 'underline'};"
        f'text-decoration-style:{"dotted" if word["kind"] == "model" else "solid"}">'
        f"{safe(_in(word, 'label', language))}</span>"
        for word, size in zip(words.to_dict("records"), sizes, strict=True)
    ]
    sources = [
        [_in(row, "label", language), _kind(row["kind"], told), f"{row['weight']:.2f}", row["source"]]
        for row in persona["sources"].to_dict("records")
    ]
    name, action = safe(_in(persona, "name", language)), safe(persona["action"])
    body = [
        f"<article><h1>{name}</h1><p>{safe(_in(persona, 'who', told))}</p>",
        f'<p class="action"><b>{told_words["do"]}:</b> {action}</p>' if action else "",
        f'<p class="cloud">{" ".join(spans)}</p>',
        _rows(["", told_words["here"], told_words["all"]], _fact_rows(persona, language, told), {1, 2}),
        f"<h2>{told_words['from']}</h2>",
        _rows(_HEADS[told], sources, {2}),
        f"<footer>{safe(_in(persona, 'note', told))}</footer></article>",
    ]
    page = "\n".join(part for part in body if part)
    head = f'<meta charset="utf-8"><title>{name}</title><meta name="viewport" content="width=device-width">'
    style = f"<style>{font_face(page)}{_STYLE}</style>"
    lang = {"en": "en", "zh": "zh-CN"}[told]
    return f'<!DOCTYPE html>\n<html lang="{lang}"><head>{head}{style}</head>\n<body>{page}</body></html>\n'


def _who(here):
    """Say who the customers are: for several the commonest value and its share, for one the value."""
    told, told_zh = [], []
    for column, column_zh in _WHO.items():
        if column not in here or here[column].isna().all():
            continue
        shares = here[column].value_counts(normalize=True)
        value, share = shares.index[0], f" {_percent(shares.iloc[0])}" if len(here) > 1 else ""
        told.append(f"{column.replace('_', ' ')}: {value}{share}")
        told_zh.append(f"{column_zh}: {_VALUES_ZH.get(value, value)}{share}")
    return told, told_zh


def _percent(share):
    return f"{100 * share:.0f}\u00a0%"


def _facts(here, everybody):
    """Return the numbers of a card as text, those of the group or customer beside those of all."""
    rows = []
    for variable, (written, written_zh, fact, fact_zh) in _FACTS.items():
        if variable in here and pd.notna(here[variable]):
            both = (here[variable], everybody[variable])
            rows.append([fact, fact_zh, *(form.format(value) for value in both for form in (written, written_zh))])
    facts = pd.DataFrame(rows, columns=["fact", "fact_zh", "here", "here_zh", "all", "all_zh"], dtype="str")
    return facts.apply(lambda column: column.str.replace("%", "\u00a0%"))


def _fact_rows(persona, language, told):
    """Return the name of each number in one language, the numbers in another."""
    facts = persona["facts"].to_dict("records")
    return [[_in(fact, "fact", language), _in(fact, "here", told), _in(fact, "all", told)] for fact in facts]


def _draw_facts(ax, rows, top, step):
    """Write the numbers in three columns, the first row as a heading."""
    step = min(step, 0.075)
    for number, (fact, here, everybody) in enumerate(rows):
        y = top - step * number
        ax.text(0.04, y, fact, va="top", fontsize=10)
        ax.text(0.7, y, here, va="top", ha="right", fontsize=9 if number == 0 else 10.5)
        ax.text(0.98, y, everybody, va="top", ha="right", fontsize=9, color="#444444")
        ax.plot([0.04, 0.98], [y + 0.2 * step] * 2, color="#BBBBBB", linewidth=0.8, linestyle="-")


def _wrap(text, wide=46):
    """Break a text into lines; a Chinese character is as wide as two letters."""
    chinese = any(unicodedata.east_asian_width(sign) in "WF" for sign in text)
    return textwrap.wrap(text, wide // 2 + 2 if chinese else wide)


def _told(language):
    """Return the language of headings and numbers: "both" is for names and labels, the rest is English then."""
    if language not in LANGUAGES:
        raise ValueError(f"the language {language!r} is unknown; choose one of: {', '.join(LANGUAGES)}")
    return "zh" if language == "zh" else "en"


def _in(words, name, language):
    """Return a text of a card in a language."""
    chinese, english = words[f"{name}_zh"], words[name]
    return {"en": english, "zh": chinese, "both": f"{chinese} {english}"}[language]


def _kind(kind, language):
    return _KINDS_ZH[kind] if language == "zh" else kind


def _rows(heads, rows, right):
    """Return a table as HTML; the columns with these numbers stand to the right."""
    looks = [' class="number"' if place in right else "" for place in range(len(heads))]
    head = "".join(f'<th scope="col"{look}>{html.escape(name)}</th>' for name, look in zip(heads, looks, strict=True))
    body = ""
    for row in rows:
        cells = zip(row, looks, strict=True)
        body += "<tr>" + "".join(f"<td{look}>{html.escape(str(cell))}</td>" for cell, look in cells) + "</tr>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
