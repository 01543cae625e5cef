"""The decision paper (决策报告): two pages for a manager, written in Markdown, kept as a page (HTML) and as a PDF.

The numbers come out of the notebook into the text through placeholders, so that a number in the paper cannot differ
from the one that was computed.
"""

import html
import re
import string
import warnings
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from cimlab._whole import whole_file
from cimlab.capstone.paper_letters import NO_SHAPE, is_wide, plain_letters
from cimlab.plots.style import as_png

_INLINE = {"text", "strong", "emphasis", "codespan", "link", "image", "softbreak", "linebreak", "inline_html"}
PAGES = 2  # as many as a manager reads
_SIGNS = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&])")  # what Markdown would take for an instruction


class Paper(NamedTuple):
    """What `write_paper` has written: the two files, the pages of the PDF, and what the author should know."""

    html: Path
    pdf: Path
    pages: int
    notes: list


def write_paper(text, numbers, figures, path, title, author=""):
    """Write the decision paper: a page that carries its pictures and letters, and a PDF of A4 pages.

    Parameters
    ----------
    text : str
        Markdown: headings, paragraphs, bold, italics, lists, tables, quotes, links. ``{share:.0%}`` stands for a
        number, ``![what it shows](figure:sizes)`` on a line of its own for a picture, and "60%" behind its name, as in
        ``![…](figure:sizes "60%")``, for its width. A brace that shall be read is written twice.
    numbers : dict of str to number or str
        Name → value. Each is used, and the text uses no other.
    figures : dict of str to matplotlib.figure.Figure
        Name → picture.
    path : str or pathlib.Path
        Where to write, without ending: ``reports/paper`` makes reports/paper.html and reports/paper.pdf. Its folder is
        there. Older files are replaced, both or none.
    title, author : str
        Stand at the top.

    Returns
    -------
    Paper
        html, pdf (paths), pages (of the PDF), notes (list of sentences, each also given as a warning): more than two
        pages, a number or picture that is not used, letters that no font here has.

    Raises
    ------
    ValueError
        The text names a number or a picture that is not given, or a number cannot be written in the form that the text
        asks for, or is missing (NaN).
    FileNotFoundError, PermissionError
        The folder is not there, or a file is open in another program.

    References
    ----------
    CommonMark, https://spec.commonmark.org. Minto, B. (2009). The Pyramid Principle, 3rd ed. Prentice Hall: the answer
    first, then its reasons.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paper = write_paper("**Keep** the {n:,} of 江东.", {"n": 1820}, {}, f"{folder}/paper", "Whom to keep")
    ...     paper.html.name, paper.pdf.name, paper.pages, "Keep</strong> the 1,820" in paper.html.read_text("utf-8")
    ('paper.html', 'paper.pdf', 1, True)
    """
    from cimlab.capstone.paper_pages import page_html
    from cimlab.capstone.paper_pdf import page_pdf

    place = _place(path)
    blocks = parse_paper(fill_numbers(text, numbers), figures)
    notes = _unused(text, numbers, figures)
    pictures = {
        name: (as_png(figure, dpi=170, facecolor="white"), *figure.get_size_inches())
        for name, figure in figures.items()
    }
    title, author = plain_letters(title), plain_letters(author)
    page = page_html(blocks, pictures, title, author)
    pdf, pages, missing = page_pdf(blocks, pictures, title, author)
    if pages > PAGES:
        notes.append(
            f"The paper has {pages} pages; a manager reads {PAGES}. Shorten the text, or make a picture smaller: "
            'figure:name "60%".'
        )
    if missing:
        told = ", ".join(f"{letter} (U+{ord(letter):04X})" for letter in missing[:5])
        notes.append(f"No font of this machine has {told}: a box stands there in the PDF.")
    paths = place.with_name(f"{place.name}.html"), place.with_name(f"{place.name}.pdf")
    _write_both(paths, page.encode("utf-8"), pdf)
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return Paper(*paths, pages, notes)


def fill_numbers(text, numbers):
    """Put the numbers into the text of a paper.

    Parameters
    ----------
    text : str
        With placeholders such as ``{share:.0%}`` or ``{customers:,}``.
    numbers : dict of str to number or str

    Returns
    -------
    str
        What a text (str) among the numbers holds is written as it is, also where it looks like Markdown.

    Raises
    ------
    ValueError
        See `write_paper`.

    Examples
    --------
    >>> fill_numbers("{share:.0%} of {customers:,} customers", {"share": 0.2, "customers": 3091})
    '20% of 3,091 customers'
    >>> fill_numbers("{share:.0%} of {all:,}", {"share": 0.2})
    Traceback (most recent call last):
    ...
    ValueError: the text asks for the number 'all', which is not given; given: share
    """
    parts = []
    for plain, name, form, change in _placeholders(text):
        parts.append(plain)
        if name is not None:
            if name not in numbers:
                given = ", ".join(map(str, numbers)) or "none"
                raise ValueError(f"the text asks for the number {name!r}, which is not given; given: {given}")
            parts.append(_written(name, numbers[name], form, change))
    return "".join(parts)


def _placeholders(text):
    """Return the parts of a text: (words, name, form, change), as ``str.format`` reads them."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        where = f"a brace of the text has no partner ({error}); a brace that shall be read is written twice: {{{{ }}}}"
        raise ValueError(where) from error
    for _, name, _, _ in parts:
        if name is not None and not name.isidentifier():
            raise ValueError(
                f"{{{name}}} is no name of a number: use one of letters, and compute in the notebook; "
                "a brace that shall be read is written twice"
            )
    return parts


def _written(name, value, form, change):
    if isinstance(value, str):
        if form or change:
            raise ValueError(f"{name!r} is a text, {value!r}: it cannot be written as {form or change!r}")
        return _SIGNS.sub(r"\\\1", value)
    if value is None or value != value:
        raise ValueError(f"the number {name!r} is missing (None or NaN): look at how it was computed")
    try:
        return format(value, form)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name!r} is {value!r}, which cannot be written as {form!r}: {error}") from error


def numbers_in(text):
    """Return the names of the numbers that the text of a paper asks for.

    Parameters
    ----------
    text : str
        As for `write_paper`.

    Returns
    -------
    set of str

    Raises
    ------
    ValueError
        A brace has no partner, or holds no name.

    Examples
    --------
    >>> sorted(numbers_in("{share:.0%} of {customers:,}, and no {{number}}"))
    ['customers', 'share']
    """
    return {name for _, name, _, _ in _placeholders(text) if name is not None}


def _unused(text, numbers, figures):
    used = numbers_in(text)
    shown = {unquote(name) for name in re.findall(r"\]\(<?figure:([^\s)>]+)", text)}
    notes = [f"The number {name!r} is given, and the text does not use it." for name in numbers if name not in used]
    return notes + [
        f"The picture {name!r} is given, and the text does not show it." for name in figures if name not in shown
    ]


def parse_paper(text, figures=()):
    """Read the Markdown of a paper into blocks, the same ones for the page and the PDF.

    Parameters
    ----------
    text : str
        Without placeholders.
    figures : iterable of str
        The names that a picture may have.

    Returns
    -------
    list of dict
        The blocks as mistune reads them, and ``{"type": "figure", "name", "children" (of its caption), "width" (0 to
        1)}`` for each picture.

    Raises
    ------
    ValueError
        There is no such picture.

    References
    ----------
    mistune, https://mistune.lepture.com.

    Examples
    --------
    >>> [block["type"] for block in parse_paper("## Sizes\\n\\nSee below.\\n![All](figure:sizes)", ["sizes"])]
    ['heading', 'paragraph', 'figure']
    """
    import mistune

    read = mistune.create_markdown(renderer=None, plugins=["table"])
    # A mark of bold beside a Chinese sign of punctuation is read as one, too: 结论：**先挽留。**其次…
    text = re.sub(r"\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*", rf"**{NO_SHAPE}\1{NO_SHAPE}**", text)
    blocks = []
    for block in read(text):
        pictures = [child for child in block.get("children", []) if child["type"] == "image"]
        blocks += _part(block, set(figures)) if pictures else [] if block["type"] == "blank_line" else [block]
    return blocks


def _part(paragraph, names):
    """Part a paragraph at its pictures: each is a block of its own."""
    blocks, words = [], []
    for child in [*paragraph["children"], None]:
        if child is None or child["type"] == "image":
            while words and words[0]["type"] in ("softbreak", "linebreak"):
                words = words[1:]
            if any(word.get("raw", "x").strip() for word in words if word["type"] != "softbreak"):
                blocks.append({**paragraph, "children": words})
            words = []
        else:
            words.append(child)
        if child is not None and child["type"] == "image":
            blocks.append(_figure(child, names))
    return blocks


def _figure(image, names):
    kind, _, name = unquote(image["attrs"]["url"]).partition(":")
    if kind != "figure" or name not in names:
        given = ", ".join(sorted(names)) or "none"
        raise ValueError(
            f"the text shows the picture {image['attrs']['url']!r}; write figure:NAME, with one of: {given}"
        )
    width = re.fullmatch(r"\s*(\d{1,3})\s*%\s*", image["attrs"].get("title") or "100%")
    if not width or not 10 <= int(width[1]) <= 100:
        raise ValueError(f'the width of the picture {name!r} is {image["attrs"]["title"]!r}; write it as "60%"')
    return {"type": "figure", "name": name, "children": image["children"], "width": int(width[1]) / 100}


def inline_text(children, tags):
    """Write the words of a block, with the tags of the page or of the PDF for bold, italics and code.

    Parameters
    ----------
    children : list of dict
        As mistune reads them.
    tags : dict of str to (str, str)
        "strong", "emphasis", "codespan" → what stands before and after. "link" has a place for the address.

    Returns
    -------
    str
        All other signs that mean something in HTML are written as they look.

    Examples
    --------
    >>> inline_text(parse_paper("**a** < b")[0]["children"], {"strong": ("<b>", "</b>")})
    '<b>a</b> &lt; b'
    """
    out = ""
    for number, child in enumerate(children):
        kind = child["type"]
        if kind == "softbreak":
            after = _first_letter(children[number + 1 :])
            out += "" if is_wide(_last_letter(out)) and is_wide(after) else " "
        elif kind == "linebreak":
            out += "<br/>"
        elif kind == "link":
            address = child["attrs"]["url"]
            inside = inline_text(child["children"], tags)
            safe = re.match(r"(https?|mailto):", address) and "link" in tags
            before, behind = tags["link"] if safe else ("", "")
            out += before.format(html.escape(address)) + inside + behind
        else:
            before, behind = tags.get(kind, ("", ""))
            inside = (
                inline_text(child["children"], tags)
                if "children" in child
                else html.escape(plain_letters(_raw(child)), quote=False)
            )
            out += before + inside + behind
    return out


def table_rows(block):
    """Return the rows of a table, the head first, each a list of cells.

    Examples
    --------
    >>> rows = table_rows(parse_paper("|a|b|\\n|-|-|\\n|1|2|")[0])
    >>> [[cell["children"][0]["raw"] for cell in row] for row in rows]
    [['a', 'b'], ['1', '2']]
    """
    head, *bodies = block["children"]
    return [head["children"], *(row["children"] for body in bodies for row in body["children"])]


def level_of(heading):
    """Return 2 or 3: the title of the paper is the only heading of level 1.

    Examples
    --------
    >>> [level_of(block) for block in parse_paper("# a\\n## b\\n#### c")]
    [2, 2, 3]
    """
    return 2 if heading["attrs"]["level"] <= 2 else 3


def words_of(blocks):
    """Return all words of some blocks, without their marks.

    Examples
    --------
    >>> words_of(parse_paper("**Keep** them\\n\\n- 客户"))
    'Keep them 客户'
    """
    parts = [words_of(block["children"]) if "children" in block else _raw(block) for block in blocks]
    apart = "" if all(block["type"] in _INLINE for block in blocks) else " "
    return plain_letters(apart.join(parts))


def _raw(token):
    """Return the letters of a piece of text; mistune leaves signs such as &copy; as they are written."""
    text = token.get("raw", " ")
    return html.unescape(text) if token["type"] == "text" else text


def _last_letter(text):
    return re.sub(r"<[^>]*>", "", text)[-1:]


def _first_letter(children):
    return plain_letters(re.sub(r"<[^>]*>", "", inline_text(children[:1], {})))[:1] if children else ""


def _place(path):
    place = Path(path)
    if place.suffix.lower() in (".html", ".htm", ".pdf"):
        place = place.with_suffix("")
    if not place.name:
        raise ValueError(f"{str(path)!r} names no file: give one, such as reports/paper")
    if not place.parent.is_dir():
        raise FileNotFoundError(f"the folder {place.parent} does not exist: make it first, or choose another place")
    return place


def _write_both(paths, page, pdf):
    """Write both files, or none. The PDF gets its name first: programs that show one hold it."""
    try:
        with whole_file(paths[0]) as first, whole_file(paths[1]) as second:
            first.write_bytes(page)
            second.write_bytes(pdf)
    except PermissionError as error:
        raise PermissionError(
            f"{paths[0].name} and {paths[1].name} cannot be written: close the program that shows one of them ({error})"
        ) from error
