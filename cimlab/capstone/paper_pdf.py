"""A decision paper as A4 pages (PDF), with letters of its own, so that Chinese can be read on any machine."""

import html
import io

from cimlab.capstone.paper import inline_text, level_of, table_rows, words_of
from cimlab.capstone.paper_letters import is_wide, language_of, make_letters

_FONT = "cimlab-paper"
_TAGS = {
    "strong": ("<b>", "</b>"),
    "emphasis": ("<i>", "</i>"),
    "link": ('<a href="{}" color="#0A4D78">', "</a>"),
}
_MM = 72 / 25.4
_MARGIN, _TOP, _WIDTH = 19 * _MM, 16 * _MM, (210 - 2 * 19) * _MM
# Kind of paragraph → size, line, space before and after (points), bold.
_LOOKS = {
    "title": (17, 21, 0, 1, True),
    "author": (9.5, 13, 0, 5, False),
    "heading2": (12.5, 16, 8, 2, True),
    "heading3": (10.5, 14, 6, 1, True),
    "paragraph": (10, 14, 0, 5, False),
    "item": (10, 14, 0, 2, False),
    "cell": (9.2, 12, 0, 0, False),
    "head": (9.2, 12, 0, 0, True),
    "caption": (9, 12, 2, 6, False),
    "code": (9, 12, 0, 5, False),
}


def page_pdf(blocks, pictures, title, author=""):
    """Write the paper as A4 pages with their numbers.

    Parameters
    ----------
    blocks, pictures, title, author
        As for `page_html`.

    Returns
    -------
    pdf : bytes
        The same for the same paper, on any day.
    pages : int
    missing : list of str
        Letters for which a box stands, since no font here has them.

    References
    ----------
    ReportLab PDF Library User Guide, chapter 5 (Platypus).

    Examples
    --------
    >>> from cimlab.capstone.paper import parse_paper
    >>> pdf, pages, missing = page_pdf(parse_paper("客户"), {}, "Paper")
    >>> pdf[:5], pages, missing
    (b'%PDF-', 1, [])
    """
    slanted = "'emphasis'" in repr(blocks)
    text = f"{title} {author} {words_of(blocks)} 0123456789./•"
    fonts, missing = make_letters(text, ["regular", "bold"] + ["italic", "bolditalic"] * slanted)
    _register(fonts)
    pages = _build(blocks, pictures, title, author, "")[1]  # once to count the pages, once to write their number
    return _build(blocks, pictures, title, author, f" / {pages}")[0], pages, missing


def _register(fonts):
    """Make the letters of this paper known to ReportLab, in the place of an earlier paper's."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    for face, data in fonts.items():
        pdfmetrics.registerFont(TTFont(f"{_FONT}-{face}", io.BytesIO(data)))
    names = {face: f"{_FONT}-{face if face in fonts else 'regular'}" for face in ("italic", "bold", "bolditalic")}
    pdfmetrics.registerFontFamily(
        f"{_FONT}-regular", f"{_FONT}-regular", names["bold"], names["italic"], names["bolditalic"]
    )
    pdfmetrics.registerFontFamily(
        f"{_FONT}-bold", names["bold"], names["bold"], names["bolditalic"], names["bolditalic"]
    )


def _build(blocks, pictures, title, author, of):
    """Return (PDF, number of pages); `of` is what follows the number of a page."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    stream = io.BytesIO()
    file = SimpleDocTemplate(
        stream, pagesize=A4, leftMargin=_MARGIN, rightMargin=_MARGIN, topMargin=_TOP, bottomMargin=_TOP, title=title,
        author=author, creator="cimlab", lang=language_of(f"{title} {author} {words_of(blocks)}"), invariant=1,
    )  # fmt: skip
    file.leftMargin, file.rightMargin = file.leftMargin - 6, file.rightMargin - 6  # a frame has 6 points of its own

    def foot(canvas, _):
        canvas.setFont(f"{_FONT}-regular", 8.5)
        canvas.drawRightString(A4[0] - _MARGIN, 9 * _MM, f"{canvas.getPageNumber()}{of}")

    file.build(_story(blocks, pictures, title, author), onFirstPage=foot, onLaterPages=foot)
    return stream.getvalue(), file.page


def _story(blocks, pictures, title, author):
    from reportlab.platypus import HRFlowable

    story = [_paragraph(html.escape(title, quote=False), "title")]
    story += [_paragraph(html.escape(author, quote=False), "author")] if author else []
    story.append(HRFlowable(width="100%", thickness=0.7, color="#777777", spaceBefore=2, spaceAfter=6))
    for block in blocks:
        story += _flow(block, pictures)
    return story


def _flow(block, pictures, kind="paragraph"):
    """Return what ReportLab places for one block."""
    from reportlab.platypus import HRFlowable, Indenter

    name, inside = block["type"], block.get("children", [])
    if name in ("paragraph", "block_text"):
        return [_paragraph(inline_text(inside, _TAGS), kind)]
    if name == "heading":
        return [_paragraph(inline_text(inside, _TAGS), f"heading{level_of(block)}")]
    if name == "list":
        return [_list(block, pictures)]
    if name == "table":
        return [_table(table_rows(block))]
    if name == "figure":
        return [_picture(block, pictures)]
    if name == "block_quote":
        return [Indenter(14, 14), *(flow for part in inside for flow in _flow(part, pictures)), Indenter(-14, -14)]
    if name == "thematic_break":
        return [HRFlowable(width="100%", thickness=0.5, color="#777777", spaceBefore=4, spaceAfter=6)]
    lines = html.escape(block.get("raw", "").rstrip(), quote=False).splitlines()
    return [_paragraph("<br/>".join(line.replace("  ", "\u00a0 ") for line in lines), "code")] if lines else []


def _paragraph(markup, kind, align="left"):
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    size, line, before, after, bold = _LOOKS[kind]
    style = ParagraphStyle(
        kind, fontName=f"{_FONT}-{'bold' if bold else 'regular'}", fontSize=size, leading=line, spaceBefore=before,
        spaceAfter=after, keepWithNext=kind.startswith("heading"),
        alignment={"left": 0, "center": 1, "right": 2}[align],
        # Chinese has no spaces at which a line could end.
        wordWrap="CJK" if any(map(is_wide, markup)) else None,
    )  # fmt: skip
    return Paragraph(markup, style)


def _list(block, pictures):
    from reportlab.platypus import ListFlowable, ListItem

    numbered = block["attrs"].get("ordered")
    items = [
        ListItem([flow for part in item["children"] for flow in _flow(part, pictures, "item")], spaceAfter=2)
        for item in block["children"]
    ]
    return ListFlowable(
        items, bulletType="1" if numbered else "bullet", start=block["attrs"].get("start", 1) if numbered else "•",
        bulletFormat="%s." if numbered else None, bulletFontName=f"{_FONT}-regular", bulletFontSize=_LOOKS["item"][0],
        leftIndent=16, bulletDedent=14, spaceAfter=4,
    )  # fmt: skip


def _picture(block, pictures):
    from reportlab.platypus import Image, KeepTogether

    data, wide, high = pictures[block["name"]]
    width = _WIDTH * block["width"]
    height = width * high / wide
    most = 225 * _MM  # with its caption it has to fit on a page
    width, height = (width, height) if height <= most else (most * wide / high, most)
    parts = [Image(io.BytesIO(data), width, height, hAlign="LEFT")]
    caption = inline_text(block["children"], _TAGS)
    return KeepTogether(parts + ([_paragraph(caption, "caption")] if caption else []))


def _table(rows):
    from reportlab.platypus import Table

    cells = [
        [
            _paragraph(
                inline_text(cell["children"], _TAGS),
                "head" if cell["attrs"].get("head") else "cell",
                cell["attrs"].get("align") or "left",
            )
            for cell in row
        ]
        for row in rows
    ]
    look = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEBELOW", (0, 0), (-1, 0), 1, "#444444"),
        ("LINEBELOW", (0, 1), (-1, -1), 0.4, "#BBBBBB"), ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ("RIGHTPADDING", (0, 0), (-1, -1), 8), ("TOPPADDING", (0, 0), (-1, -1), 1.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ]  # fmt: skip
    return Table(cells, _column_widths(rows), repeatRows=1, hAlign="LEFT", style=look, spaceBefore=3, spaceAfter=7)


def _column_widths(rows):
    """Give each column the width of its longest cell; what is too much in all is taken from the wide ones."""
    lengths = [max(_points(words_of(cell["children"])) for cell in column) + 14 for column in zip(*rows, strict=True)]
    most = max(lengths)
    while sum(min(length, most) for length in lengths) > _WIDTH:
        most *= 0.97
    return [min(length, most) for length in lengths]


def _points(words):
    """Return how wide these words are in a table, in points."""
    from reportlab.pdfbase import pdfmetrics

    return pdfmetrics.stringWidth(words, f"{_FONT}-bold", _LOOKS["cell"][0])
