"""The page of `cimlab preview`: one HTML file that needs no network, runs no script and can be printed."""

from cimlab.grading.feedback_page import with_code
from cimlab.grading.report_page import _clean, _font

MOST = 30  # students in the picture of who moves where; above, how many move how far

PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Preview of {{ lab }}</title>
<style>
{{ font }}
body { font: 15px/1.5 "Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", "Report", "Noto Sans CJK SC", sans-serif;
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .4rem; break-after: avoid; }
.quiet { color: #555; font-size: .92em; } .warn { border-left: 4px solid #D55E00; padding-left: .7rem; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; font-size: .93em; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid #ccc; }
.told { overflow-wrap: anywhere; }
th { border-bottom: 2px solid #555; } thead { display: table-header-group; } tr { break-inside: avoid; }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
svg { max-width: 100%; height: auto; }
@media print { body { margin: 0; max-width: none; font-size: 10.5pt; } }
</style></head><body>
<h1>Preview: what a changed lab does to marks</h1>
<p>{{ headline }}</p>
<p class="quiet">Nothing has been written: the gradebook is as it was.</p>
{% for note in notes %}<p class="warn">{{ note }}</p>{% endfor %}
{% if rows %}{{ picture }}
<h2>By check</h2>
<table><thead><tr><th>check</th><th class="n">up</th><th class="n">down</th><th class="n">points in all</th>
<th>why</th></tr></thead><tbody>{% for row in checks %}<tr><td><code>{{ row.check }}</code></td>
<td class="n">{{ row.up }}</td><td class="n">{{ row.down }}</td><td class="n">{{ row.sum }}</td>
<td>{{ row.why }}</td></tr>
{% endfor %}</tbody></table>
<h2>By student</h2>
<table><thead><tr><th>student</th><th>check</th><th class="n">before</th><th class="n">after</th><th>it said</th>
<th>it says</th></tr></thead><tbody>{% for row in rows %}<tr><td>{{ row.student }}</td>
<td><code>{{ row.check }}</code></td><td class="n">{{ row.before }}</td><td class="n">{{ row.after }}</td>
<td class="told">{{ row.said }}</td><td class="told">{{ row.says }}</td></tr>{% endfor %}</tbody></table>{% endif %}
</body></html>
"""


def page(data):
    """Return the page.

    Parameters
    ----------
    data : dict
        As `preview.preview` returns it.

    Returns
    -------
    str
        A whole HTML document.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    from cimlab.grading.preview import headline

    changes = data["changes"]
    shown = changes.assign(before=changes["before"].map("{:g}".format), after=changes["after"].map("{:g}".format))
    parts = {"lab": data["lab"], "headline": headline(data), "notes": data["notes"]}
    parts |= {"rows": shown.to_dict("records"), "checks": _by_check(changes)}
    parts = {key: _clean(value) for key, value in parts.items()}
    for row in parts["rows"]:
        row |= {key: with_code(row[key]) for key in ("said", "says")}
    parts["picture"] = Markup(picture(data)) if len(changes) else ""  # drawn here, no text of a student in it
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(PAGE)
    text = template.render(parts, font="")
    foreign = "".join(sorted({letter for letter in text if ord(letter) > 0x2E7F}))
    return template.render(parts, font=Markup(_font(foreign))) if foreign else text


def _by_check(changes):
    rows = []
    for check, group in changes.groupby("check", sort=False):
        up, down = int((group["change"] > 0).sum()), int((group["change"] < 0).sum())
        rows.append({"check": check, "up": up, "down": down, "sum": f"{group['change'].sum():+g}"})
        rows[-1]["why"] = group["why"].iloc[0]
    return rows


def picture(data):
    """Return the shift as SVG: who moves from where to where; of many, how many move how far."""
    from matplotlib.figure import Figure

    from cimlab.plots.style import PALETTE, as_svg, house_style

    moved = data["points"][data["points"]["change"] != 0].sort_values(["after", "before", "student"])
    with house_style():
        few = len(moved) <= MOST
        figure = Figure(figsize=(8, max(2.4, 0.28 * len(moved) + 1.2) if few else 3), layout="constrained")
        axes = figure.add_subplot()
        if few:
            for place, row in enumerate(moved.itertuples()):
                axes.annotate("", (row.after, place), (row.before, place), arrowprops={"arrowstyle": "->", "lw": 1.5})
            axes.plot(moved["before"], range(len(moved)), "o", mfc="white", mec="black", ls="none", label="before")
            axes.plot(moved["after"], range(len(moved)), "o", color=PALETTE[0], ls="none", label="after")
            axes.set_yticks(range(len(moved)), [student.replace("$", r"\$") for student in moved["student"]])
            axes.set(xlabel=f"points (of {data['of'][1]:g})", ylabel="student", title="Whose marks would change")
            axes.margins(x=0.08, y=0.12)
            axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
        else:
            axes.hist(data["points"]["change"], 25, color=PALETTE[0], edgecolor="white", linestyle="-")
            axes.axvline(0, color="black", linestyle="--")
            axes.set(xlabel="change in points", ylabel="hand-ins", title="How far marks would move")
        axes.grid(visible=False, axis="y")
        return as_svg(figure, "Shift of the marks")  # letters of an id become outlines: none can be markup here
