"""A student's feedback as one page: no network, no script, nothing of hidden tests, readable on paper."""

import base64
import re

from nbconvert.exporters import HTMLExporter
from nbgrader.api import Gradebook
from traitlets import Unicode

from cimlab.grading import feedback, feedback_read
from cimlab.grading.feedback_read import WAITS
from cimlab.grading.repair import released_cells

# Nothing is loaded and no script is run, whatever stands in a hand-in or in a comment; it is cleaned besides.
PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{{ title }} · {{ student }}</title>
<style>
{{ font }}
body { font: 15px/1.5 "Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", "Report", "Noto Sans CJK SC", sans-serif;
  max-width: 56rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .3rem; break-after: avoid; }
h1, h2, p, td { overflow-wrap: anywhere; } p { margin: .4rem 0; } .quiet { color: #555; font-size: .92em; }
.score { font-size: 1.25rem; font-weight: 600; } .box { border-left: 4px solid #0072B2; padding: .1rem .8rem;
  margin: .8rem 0; } .warn { border-color: #D55E00; }
table.all { border-collapse: collapse; width: 100%; margin: .8rem 0; font-size: .95em; }
table.all th, table.all td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0;
  border-bottom: 1px solid #ccc; }
table.all th { border-bottom: 2px solid #555; } thead { display: table-header-group; } tr { break-inside: avoid; }
.s { min-width: 3.8rem; }
.n { white-space: nowrap; text-align: right !important; font-variant-numeric: tabular-nums; }
.check { margin: .5rem 0; padding-left: .9rem; border-left: 2px solid #bbb; break-inside: avoid; }
.check b { font-weight: 600; } .said { margin: .15rem 0 0; } .mark { font-weight: 700; }
pre { font: 13px/1.45 "Cascadia Mono", Consolas, "DejaVu Sans Mono", "Report", monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; background: #f6f6f6; border: 1px solid #ddd; padding: .5rem .7rem; margin: .4rem 0; }
code { font-family: "Cascadia Mono", Consolas, "DejaVu Sans Mono", "Report", monospace; font-size: .93em; }
.written { border: 1px solid #ddd; padding: .1rem .8rem; margin: .4rem 0; overflow-x: auto; }
.written table { border-collapse: collapse; } .written td, .written th { border: 1px solid #bbb; padding: .1rem .5rem; }
.written img { max-width: 100%; } a { color: #00578a; }
details > summary { cursor: pointer; color: #333; }
{{ code_style }}
@media print { body { margin: 0; max-width: none; font-size: 10.5pt; } pre { background: #fff; font-size: 8.5pt; }
  a { color: inherit; text-decoration: none; } }
</style></head><body>
{% macro place(q) %}{% for one in q.sections %}<a href="{{ chapters }}{{ one.address }}">chapter {{ one.chapter }},
“{{ one.section }}”</a>{% if not loop.last %}; {% endif %}{% endfor %}{% endmacro %}
<h1>{{ title }}</h1>
<p class="quiet">{{ student }}{% if file %} · {{ file }}{% endif %}{% if when %} · handed in {{ when }}{% endif %}</p>
{% if review %}<div class="box warn"><p><b>Your work could not be graded yet.</b> {{ review }}</p>
<p>This is no grade of 0: nothing has been decided. Ask your instructor if the sentence above does not help.</p></div>
{% else %}
<p class="score">{{ score }}</p>
<p>{{ standing }}</p>
{% for note in notes %}<div class="box warn"><p>{{ note }}</p></div>{% endfor %}
{% if repaired %}<div class="box"><p>Your notebook was damaged on its way, and was repaired before it was graded
(what you handed in is kept):</p><ul>{% for line in repaired %}<li>{{ line }}</li>{% endfor %}</ul></div>{% endif %}
<table class="all"><thead><tr><th>question</th><th class="n">points</th><th>state</th><th>read again</th></tr></thead>
<tbody>{% for q in questions %}<tr><td><a href="#{{ q.name }}">{{ q.heading }}</a></td>
<td class="n">{{ q.shown }}</td><td class="s">{{ q.state }}</td>
<td>{% if q.sections and q.state != "right" %}{{ place(q) }}{% endif %}</td></tr>{% endfor %}</tbody></table>
{% for q in questions %}<h2 id="{{ q.name }}">{{ q.heading }} <span class="quiet">{{ q.shown }} points</span></h2>
{% for check in q.checks %}<div class="check"><span class="mark">{{ check.sign }}</span> <b>{{ check.criterion }}</b>
<span class="quiet">{{ check.shown }}</span>
{% if check.sentence %}<p class="said">{{ check.sentence }}</p>{% endif %}
{% if check.report %}<pre>{{ check.report }}</pre>{% endif %}</div>{% endfor %}
{% if q.hint %}<p><b>Where to begin:</b> {{ q.hint }}</p>{% endif %}
{% if q.comment %}<div class="box"><p><b>Comment of your instructor</b></p>{{ q.comment }}</div>{% endif %}
{% if q.sections and q.state != "right" %}<p>Read again: {{ place(q) }}.</p>{% endif %}
{% if q.answer %}<p class="quiet">Your answer:</p>{{ q.answer }}{% endif %}
{% endfor %}
<p class="quiet">Not shown here: the tests that run after submission, and what your cells print; you have your own
notebook for that. A point more or less than you expect? Take this page to your instructor.</p>
{% endif %}
</body></html>
"""
TAGS = "p br hr h1 h2 h3 h4 h5 h6 ul ol li strong em b i code pre blockquote table thead tbody tr th td del sub sup img"
PICTURES = re.compile(r"data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/=\s]+")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class FeedbackPage(HTMLExporter):
    """The exporter of `nbgrader generate_feedback` and `cimlab feedback`."""

    chapters = Unicode(
        feedback.CHAPTERS,
        help="Where the chapters are, as seen from the page (`nbgrader fetch_feedback`: labs/LAB/feedback/TIME/).",
    ).tag(config=True)

    def from_notebook_node(self, nb, resources=None, **keywords):
        info = resources["nbgrader"]
        student, lab, book = info["student"], info["assignment"], info["notebook"]
        with Gradebook(info["db_url"]) as gradebook:
            marks = feedback_read.marks_of(gradebook, student, lab, book)
            who = name_of(gradebook.find_student(student))
            handed_in = gradebook.find_submission(lab, student)
            about = {"total": (handed_in.score, handed_in.max_score), "penalty": handed_in.late_submission_penalty or 0}
            about |= {"books": len(handed_in.notebooks), "when": handed_in.timestamp, "file": f"{book}.ipynb"}
        data = feedback_read.gather(nb, marks, released_cells(self.parent.coursedir, lab, book), lab)
        page = make_page(data, who, about, self.chapters)
        found = feedback.leaks(page, data["leaky"])
        if found:
            raise LeakError(f"the feedback of {student} would show a hidden line ({found[0][:60]!r}); no page was made")
        resources.setdefault("outputs", {})
        resources["output_extension"] = ".html"
        return page, resources


class LeakError(Exception):
    """A page that would show what students must not see is not written."""


def make_page(data, who, about, chapters):
    """Return the page of a graded notebook.

    Parameters
    ----------
    data : dict
        As `feedback_read.gather` returns it.
    who : str
        The student, as the page is to name them.
    about : dict
        total (score and maximum of the whole assignment), penalty, books (their number), when (datetime or None), file.
    chapters : str
        Where the chapters are, as seen from the page.

    Returns
    -------
    str
        A whole HTML document.
    """
    from markupsafe import Markup

    questions = [_shown(question) for question in data["questions"]]
    points, of = (sum(question[key] for question in data["questions"]) for key in ("points", "of"))
    notes = []
    if about["penalty"]:
        notes.append(f"{about['penalty']:g} points are taken off because the work was late.")
    if about["books"] > 1:
        notes.append(f"This notebook is one of {about['books']}; together: {_of(*about['total'])} points.")
    when = f"{about['when']:%Y-%m-%d %H:%M} UTC" if about["when"] else ""
    parts = {"title": data["title"], "student": who, "file": about["file"], "when": when, "review": ""}
    parts |= {"score": f"{_of(points, of)} points", "standing": standing(data["questions"]), "notes": notes}
    parts |= {"repaired": [with_code(line) for line in data["repaired"]], "questions": questions}
    return _render({**parts, "chapters": chapters, "code_style": Markup(_code_style())})


def make_review_page(title, who, reason):
    """Return the page of a hand-in without marks: why, and what to do.

    Parameters
    ----------
    title, who, reason : str
    """
    empty = {"file": "", "when": "", "code_style": "", "chapters": ""}
    return _render({"title": title, "student": who, "review": with_code(reason), **empty})


def standing(questions):
    """Say in one sentence whether anything is still to come.

    Examples
    --------
    >>> standing([{"state": "right"}, {"state": "waits for a person"}])
    '1 answer waits for a person: these are the points so far, more may be added.'
    >>> standing([{"state": "right"}])
    'Everything is graded.'
    """
    waiting = sum(question["state"] == WAITS for question in questions)
    if not waiting:
        return "Everything is graded."
    verb = "answer waits" if waiting == 1 else "answers wait"
    return f"{waiting} {verb} for a person: these are the points so far, more may be added."


# ---------------------------------------------------------------------------------------------------------------------
# parts of the page


def _render(parts):
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    parts = {key: _clean(value) for key, value in parts.items()}
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(PAGE)
    text = template.render(parts, font="")
    foreign = "".join(sorted({letter for letter in text if ord(letter) > 0x2E7F}))
    if not foreign:
        return text
    from cimlab.plots.style import font_face

    return template.render(parts, font=Markup(font_face(foreign)))


def _shown(question):
    shown = {key: question[key] for key in ("name", "sections", "state")}
    shown |= {
        "heading": with_code(question["heading"]),
        "shown": _of(question["points"], question["of"], question["state"] == WAITS),
        "hint": with_code(question["hint"]),
    }
    shown["comment"] = safe_html(question["comment"]) if question["comment"] else ""
    shown["checks"] = [
        {
            "criterion": with_code(check["criterion"]),
            "shown": f"{_of(check['points'], check['of'], check['waits'])} {'point' if check['of'] == 1 else 'points'}",
            "sentence": with_code(check["sentence"]),
            "report": check["report"],
            "sign": "…" if check["waits"] else _sign(check["points"], check["of"]),
        }
        for check in question["checks"]
    ]
    shown["answer"] = _answer(question)
    return shown


def _answer(question):
    from markupsafe import Markup

    if question["untouched"] or not question["source"].strip():
        return ""
    if question["kind"] == "text":
        body = safe_html(question["source"], question["attachments"])
        return Markup('<div class="written">{}</div>').format(body)
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    code = highlight(_plain(question["source"]), PythonLexer(), HtmlFormatter(nowrap=True))
    return Markup('<pre class="code">{}</pre>').format(Markup(code))


def safe_html(text, attachments=None):
    """Return Markdown as HTML without anything that runs, loads or leads elsewhere; pictures of the notebook stay.

    Parameters
    ----------
    text : str
        Markdown, perhaps with HTML in it.
    attachments : dict, optional
        The pictures of the cell, as nbformat keeps them.

    Returns
    -------
    markupsafe.Markup

    Examples
    --------
    >>> safe_html("**Yes** <script>alert(1)</script> <img src=x onerror=alert(1)>")
    Markup('<p><strong>Yes</strong>  </p>')
    """
    import bleach
    from markupsafe import Markup
    from mistune import create_markdown

    # What stands between the tags of a script is no text.
    text = re.sub(r"<(script|style)\b.*?(</\1\s*>|\Z)", "", text, flags=re.DOTALL | re.IGNORECASE)
    pictures = {}
    for number, (name, bundle) in enumerate((attachments or {}).items()):
        text = text.replace(f"attachment:{name}", f"picture-{number}")
        for kind, data in bundle.items() if isinstance(bundle, dict) else []:
            if kind in ("image/png", "image/jpeg", "image/gif") and isinstance(data, str):
                pictures[f'"picture-{number}"'] = f'"data:{kind};base64,{_whole(data)}"'
    rendered = create_markdown(escape=False, plugins=["table", "strikethrough"])(_plain(text))
    for place, picture in pictures.items():
        rendered = rendered.replace(place, picture)

    def keep(tag, attribute, value):
        return tag == "img" and (attribute == "alt" or (attribute == "src" and bool(PICTURES.fullmatch(value))))

    clean = bleach.clean(rendered, tags=set(TAGS.split()), attributes=keep, protocols={"data"}, strip=True)
    clean = re.sub(r"<img(?![^>]*\bsrc=)[^>]*>", "", clean)
    return Markup(clean.strip())


def _whole(data):
    """Return base64 text as it must be; nothing else gets into an attribute."""
    try:
        return base64.b64encode(base64.b64decode(data)).decode("ascii")
    except ValueError:
        return ""


def with_code(text):
    """Return a sentence as HTML, with what stands between backticks as code and between stars as emphasis.

    Examples
    --------
    >>> with_code("`x` is *not* <right>.")
    Markup('<code>x</code> is <em>not</em> &lt;right&gt;.')
    """
    from markupsafe import Markup, escape

    parts = _plain(text).split("`")
    if len(parts) % 2 == 0:  # an odd number of backticks is no markup
        return escape(_plain(text))
    marked = [
        Markup("<code>{}</code>").format(part)
        if place % 2
        else Markup(re.sub(r"\*(\w[^*]*)\*", r"<em>\1</em>", str(escape(part))))  # the text is escaped
        for place, part in enumerate(parts)
    ]
    return Markup("").join(marked)


def _plain(text):
    # Control and direction-changing characters could upset a page or its reader.
    return CONTROL.sub("", str(text).encode("utf-8", "replace").decode("utf-8"))


def _clean(value):
    from markupsafe import Markup

    if isinstance(value, str):
        return value if isinstance(value, Markup) else _plain(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_clean(part) for part in value)
    return {key: _clean(part) for key, part in value.items()} if isinstance(value, dict) else value


def _code_style():
    from pygments.formatters import HtmlFormatter

    return HtmlFormatter(style="bw").get_style_defs(".code")


def _sign(points, most):
    return "✓" if points >= most else "✗" if points <= 0 else "partly ·"


def _of(points, most, waits=False):
    return f"{'–' if waits and not points else f'{round(points, 2):g}'} of {most:g}"


def name_of(student):
    """Return how a page names a student (`nbgrader.api.Student`): the id, and the name as it is written."""
    last, first = student.last_name or "", student.first_name or ""
    name = f"{last}{first}" if not first.isascii() else f"{first} {last}"
    return f"{student.id} {name}".strip()
