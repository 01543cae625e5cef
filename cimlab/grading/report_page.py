"""The page of `cimlab report`: one HTML file that needs no network, runs no script and can be printed."""

import math
import re

import pandas as pd

from cimlab.grading.export import NOTHING, UNREAD
from cimlab.grading.report import PAUSE, by_question, duration, item_figures, spread
from cimlab.grading.report_similarity import RARE, RUN

FEW = 20  # hand-ins below which the reader is told how little a correlation says
MOST = 25  # rows of a long table that are shown

# Nothing is loaded and no script is run, whatever a student's text holds; it is escaped besides.
PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{{ title }}</title>
<style>
{{ font }}
body { font: 15px/1.5 "Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", "Report", "Noto Sans CJK SC", sans-serif;
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .4rem; break-after: avoid; }
p { max-width: 48rem; margin: .4rem 0; } .quiet { color: #555; font-size: .9em; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; font-size: .93em; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid #ccc; }
th { border-bottom: 2px solid #555; font-weight: 600; } thead { display: table-header-group; }
tr { break-inside: avoid; } .n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tr.q td { font-weight: 600; } tr.c td { color: #444; font-size: .94em; } tr.c td:first-child { padding-left: 1.2rem; }
.bar { display: inline-block; width: 6rem; height: .7em; border: 1px solid #555; background: #fff; }
.bar i { display: block; height: 100%; background: #0072B2; print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
.told { overflow-wrap: anywhere; } code { font-size: .95em; } svg { max-width: 100%; height: auto; }
.warn { border-left: 4px solid #D55E00; padding-left: .7rem; }
.why { font-weight: 400; color: #a33f00; }
@media print { body { margin: 0; max-width: none; font-size: 10.5pt; } }
</style></head><body>
{% macro table(heads, rows) %}<table><thead><tr>
{% for head, kind in heads %}<th class="{{ kind }}">{{ head }}</th>{% endfor %}</tr></thead><tbody>
{% for row in rows %}<tr>{% for value in row %}<td class="{{ heads[loop.index0][1] }}">{{ value }}</td>
{% endfor %}</tr>{% endfor %}</tbody></table>{% endmacro %}
<h1>{{ heading }}</h1>
<p class="quiet">{{ subtitle }}</p>
{% for note in notes %}<p class="warn">{{ note }}</p>{% endfor %}
<h2>Points</h2>
<p>{{ points_text }}</p>
{{ picture }}
<h2>Questions: how hard, how telling</h2>
<table><thead><tr><th>question and its checks</th><th class="n">of</th><th colspan="2">mean share of points</th>
<th class="n">all points</th><th class="n">none</th><th class="n">discrimination</th></tr>
</thead><tbody>{% for row in items %}
<tr class="{{ row.kind }}"><td><code>{{ row.name }}</code>
{% if row.why %}<br><span class="why">{{ row.why }}</span>{% endif %}</td>
<td class="n">{{ row.max }}</td>
<td class="n">{{ row.share }}</td>
<td>{% if row.width is not none %}<span class="bar"><i style="width:{{ row.width }}%"></i></span>{% endif %}</td>
<td class="n">{{ row.full }}</td><td class="n">{{ row.none }}</td><td class="n">{{ row.discrimination }}</td>
</tr>{% endfor %}</tbody></table>
<p class="quiet">Discrimination: the correlation of the points here with the points of all other questions (for a check:
of all other checks, its twin among them). About 0.3 and more: who does well in the lab does well here. Near 0 or below:
the question asks for something else, or its check is unjust. Blank: everybody has the same. {{ few }}</p>
<h2>What the checks said most often</h2>
{% if sentences %}{{ table([("check", ""), ("students", "n"), ("what they read", "told"), ("filed mistake", "")],
sentences) }}
<p class="quiet">Sentences that differ only in numbers or quoted values count as one, in their commonest wording.
{{ sentences_rest }}</p>{% else %}<p>No check failed.</p>{% endif %}
<h2>Filed mistakes that were recognised</h2>
{% if mistakes %}{{ table([("mistake", ""), ("question", ""), ("students", "n")], mistakes) }}{% endif %}
<p>{{ mistakes_text }}</p>
<h2>What waits for you</h2>
<p>{{ waiting_text }}</p>
{% if waiting %}{{ table([("question", ""), ("answers", "n"), ("students", "told")], waiting) }}{% endif %}
{% if review %}<p>To look at:</p>{{ table([("student", ""), ("what", "told")], review) }}{% endif %}
<h2>When it was handed in</h2>
<p>{{ late_text }}</p>
{% if late %}{{ table([("student", ""), ("late by", "")], late) }}{% endif %}
<p>{{ minutes_text }}</p>
<h2>Hand-ins that are alike</h2>
<p class="warn"><b>A place to look, never a verdict.</b> Short answers and standard ways look alike without anybody
having copied, and working together may be allowed. Read both notebooks and ask both students before you think
anything.</p>
{% if pairs %}{{ table([("first", ""), ("second", ""), ("similarity", "n"), ("passages shared", "n"),
("rare ones", "n"), ("answers alike by themselves", "told")], pairs) }}
{% else %}<p>No two hand-ins share more than the usual.</p>{% endif %}
<p class="quiet">{{ pairs_rest }} Compared are the answer cells only, as runs of {{ run }} words: the student's own
names, comments, docstrings and layout do not count, nor does what the student version or the chapter gave; what much
of the class wrote weighs little. Rare: in {{ rare }} hand-ins at most. Text from outside the class is unknown
here.</p>
</body></html>
"""


def page(data, lab, heading, number_of_pairs=MOST):
    """Return the page.

    Parameters
    ----------
    data : dict
        As `report_command.figures` returns it.
    lab, heading : str
        Name and title of the lab.
    number_of_pairs : int
        How many pairs of like hand-ins are shown at most.

    Returns
    -------
    str
        A whole HTML document.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    parts = {"title": f"Report on {lab}", "heading": heading, "notes": data["notes"], "run": RUN, "rare": _few(data)}
    parts |= _points(data) | _items(data) | _failed(data) | _waiting(data) | _time(data) | _pairs(data, number_of_pairs)
    parts["subtitle"] = _subtitle(data, lab)
    # Control and direction-changing characters in a student's text could upset a page or a terminal.
    parts = {key: _clean(value) for key, value in parts.items()}
    parts["picture"] = Markup(picture(data["points"].sum(axis=1), data["cells"]["max"].sum()))
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(PAGE)
    text = template.render(parts, font="")
    foreign = "".join(sorted({letter for letter in text if ord(letter) > 0x2E7F}))
    return template.render(parts, font=Markup(_font(foreign))) if foreign else text


def _font(letters):
    from cimlab.plots.style import font_face

    return font_face(letters)


def _clean(value):
    if isinstance(value, str):
        return re.sub(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", "", value)
    if isinstance(value, (list, tuple)):
        return type(value)(_clean(part) for part in value)
    return {key: _clean(part) for key, part in value.items()} if isinstance(value, dict) else value


def picture(totals, most):
    """Return the distribution of the points as SVG: a bar for each step of the points, the median as a line."""
    import numpy as np
    from matplotlib.figure import Figure

    from cimlab.plots.style import PALETTE, as_svg, house_style

    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000, 10**9) if most / step <= 25)
    edges = np.arange(-0.5, most / step + 1) * step if step == 1 else np.arange(0, most + 2 * step, step)
    with house_style():
        figure = Figure(figsize=(8, 3), layout="constrained")
        axes = figure.add_subplot()
        axes.hist(totals, edges, color=PALETTE[0], edgecolor="white", linestyle="-")
        axes.axvline(totals.median(), color="#000000", linestyle="--", label=f"median {totals.median():g}")
        axes.set(xlabel=f"points (of {most:g})", ylabel="hand-ins", title="How the points are spread")
        axes.set_xlim(edges[0], edges[-1])
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.grid(visible=False, axis="x")
        axes.legend(loc="upper left")
        return as_svg(figure, "Distribution of points")


# ---------------------------------------------------------------------------------------------------------------------
# the parts of the page


def _subtitle(data, lab):
    status = data["hand_ins"]["status"]
    parts = [f"{len(data['points'])} graded"] + [
        f"{number} {words}"
        for name, words in ((UNREAD, "handed in but not graded"), (NOTHING, "handed in nothing"))
        if (number := int((status == name).sum()))
    ]
    return f"Report on {lab}. {_plural(len(data['hand_ins']), 'student')}: {', '.join(parts)}."


def _points(data):
    figures, most = spread(data["points"].sum(axis=1)), data["cells"]["max"].sum()
    text = (
        f"{_plural(figures['number'], 'graded hand-in')}. Of {most:g} points: mean {figures['mean']:.1f}, median "
        f"{figures['median']:g}, from {figures['lowest']:g} to {figures['highest']:g}"
    )
    text += f", standard deviation {figures['deviation']:.1f}." if figures["number"] > 1 else "."
    if waiting := data["grades"].loc[data["grades"]["waits"], "student"].nunique():
        text += f" {_plural(waiting, 'hand-in')} still wait{'s' * (waiting == 1)} for a grader: the points so far."
    return {"points_text": text}


def _items(data):
    cells, points = data["cells"], data["points"]
    maxima = cells.groupby("question")["max"].sum()
    questions = item_figures(by_question(points, cells), maxima)
    checks = item_figures(points, cells["max"])
    rows = []
    for question in dict.fromkeys(cells["question"]):
        rows.append(_item("q", question, maxima[question], questions.loc[question], len(points)))
        own = cells.index[cells["question"] == question]
        if list(own) != [question]:
            rows += [_item("c", cell, cells["max"][cell], checks.loc[cell], len(points)) for cell in own]
    few = f"With fewer than {FEW} hand-ins a correlation says little." if len(points) < FEW else ""
    return {"items": rows, "few": few}


def _item(kind, name, most, figures, number):
    share, discrimination = figures["share"], figures["discrimination"]
    marked = (
        "" if figures["marked"] == number else f" of {int(figures['marked'])}" if figures["marked"] else "not marked"
    )
    percent = ["" if pd.isna(value) else f"{value:.0%}" for value in (share, figures["full"], figures["none"])]
    return {
        "kind": kind,
        "name": name,
        "max": f"{most:g}",
        "share": percent[0] + marked,
        "width": None if pd.isna(share) else round(float(min(1, max(0, share)) * 100)),
        "full": percent[1],
        "none": percent[2],
        "discrimination": "" if pd.isna(discrimination) else f"{discrimination:.2f}".replace("-", "\N{MINUS SIGN}"),
        "why": _why(share, discrimination if number >= FEW else math.nan) if kind == "q" else "",
    }


def _why(share, discrimination):
    reasons = [
        ("nobody has points", share == 0),
        ("most could not do it", 0 < share < 0.3),
        ("everybody has all points", share == 1),
        ("strong hand-ins fail it more than weak ones", discrimination < -0.1),
        ("it does not tell strong from weak", -0.1 <= discrimination < 0.1),
    ]
    return "; ".join(words for words, holds in reasons if holds)


def _failed(data):
    sentences, seen = data["sentences"], data["mistakes_seen"]
    names = len(data["mistakes"])
    came = sum(len(name.split(" / ")) for name in seen["mistake"])
    text = f"{came} of {_plural(names, 'filed mistake')} came up." if names else "No mistakes are filed for this lab."
    text += " Names with / between them share a sentence." if any(" / " in name for name in seen["mistake"]) else ""
    if data["unnamed"]:
        text += (
            f" {_plural(len(data['unnamed']), 'wrong answer')} (one student, one question) fitted none: what came "
            "often is worth an entry in mistakes.yaml."
        )
    often, once = seen[seen["students"] > 1].head(MOST), seen[seen["students"] == 1]
    if len(once):
        listed = "; ".join(
            f"{name} ({question})" for name, question in zip(once["mistake"], once["question"], strict=True)
        )
        text += f" By one student each: {listed}."
    rest = len(sentences) - MOST
    columns = ["cell", "students", "sentence", "mistake"]
    return {
        "sentences": sentences[columns].head(MOST).to_numpy().tolist(),
        "sentences_rest": f"{_plural(rest, 'rarer sentence')} left out." if rest > 0 else "",
        "mistakes": often[["mistake", "question", "students"]].to_numpy().tolist(),
        "mistakes_text": text,
    }


def _waiting(data):
    waits = data["grades"][data["grades"]["waits"]]
    rows = [
        (cell, group["student"].nunique(), ", ".join(data["shown"][student] for student in sorted(group["student"])))
        for cell, group in waits.groupby("cell")
    ]
    hint = " Grade them in Formgrader (Nbgrader → Formgrader → Manual Grading)." if rows else ""
    text = (
        f"{_plural(len(waits), 'answer')} of {_plural(waits['student'].nunique(), 'student')} to grade by hand.{hint}"
    )
    review = [(data["shown"][student], why) for student, why in data["review"]]
    return {"waiting": rows, "waiting_text": text if rows else "No answer waits for a grade.", "review": review}


def _time(data):
    hand_ins, due = data["hand_ins"], data["due"]
    handed_in = hand_ins[hand_ins["status"] != NOTHING]
    unknown = int(handed_in["timestamp"].isna().sum())
    late = handed_in[handed_in["late"] > 0].sort_values("late", ascending=False)
    if due is None:
        text = (
            "The gradebook has no date by which the lab was due (set it in Formgrader, or by `nbgrader db assignment "
            "add LAB --duedate=2026-10-12T23:59:00+08:00`, written just so): nothing can be called late."
        )
    else:
        text = f"Due {due:%Y-%m-%d %H:%M} UTC. Late: {len(late)} of {len(handed_in) - unknown} with a known time."
        text += " Extensions that were granted are taken off." if len(late) else ""
    if unknown:
        text += f" Of {_plural(unknown, 'hand-in')} the time is not known (not every platform tells it)."
    minutes = pd.Series(data["minutes"], dtype=float)
    worked = (
        f"Time at work: median {minutes.median():.0f} minutes, from {minutes.min():.0f} to {minutes.max():.0f}, known "
        f"of {_plural(len(minutes), 'hand-in')}. It is what lies between the last runs of the cells, breaks of more "
        f"than {PAUSE} minutes left out, so it is rather too short."
    )
    unknown = "Time at work: not known. JupyterLab keeps it only where Settings → Notebook → Record timing is on."
    return {
        "late_text": text,
        "late": [(data["shown"][student], duration(seconds)) for student, seconds in late["late"].items()],
        "minutes_text": worked if len(minutes) else unknown,
    }


def _pairs(data, most):
    pairs, shown = data["pairs"], data["shown"]
    rows = [
        (shown[row.first], shown[row.second], f"{row.similarity:.0%}", row.shared, row.rare, ", ".join(row.cells))
        for row in pairs.head(most).itertuples()
    ]
    rest = len(pairs) - most
    return {"pairs": rows, "pairs_rest": f"{_plural(rest, 'less similar pair')} left out." if rest > 0 else ""}


def _few(data):
    return max(RARE, int(len(data["points"]) * 0.05))


def _plural(number, word):
    return f"{number} {word}{'' if number == 1 else 's'}"
