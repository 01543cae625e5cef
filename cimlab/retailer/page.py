"""The data card as one HTML page: nothing is fetched, and it can be read on a telephone and printed.

The page is made from the Markdown of the card, of which only what the card uses is known: headings, paragraphs, quotes,
lists, tables, `code`, **bold**, *slanted* and links.
"""

import html
import re
from pathlib import Path

HAN = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef┋]+")
INLINE = (
    (re.compile(r"\*\*(.+?)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"(?<!\*)\*([^*\s][^*]*?)\*(?!\*)"), r"<em>\1</em>"),
    (re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])+)\]\(([^()\s]+)\)"), r'<a href="\2">\1</a>'),
)
CELL = re.compile(r"(?<!\\)\|")


def make_page(markdown, title):
    """Return a card as a self-contained HTML page.

    Parameters
    ----------
    markdown : str
        What `write_card` returns.
    title : str
        Title of the page.

    Returns
    -------
    str
        HTML with a table of contents, a box that filters the columns, and its own style and script.
    """
    page, contents = convert(markdown)
    head, rule, body = page.partition("<h2")
    parts = {"TITLE": html.escape(title), "HEAD": head, "CONTENTS": list_contents(contents), "BODY": rule + body}
    template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    return re.sub(r"<!-- ([A-Z]+) -->", lambda place: parts[place[1]], template)


def convert(markdown):
    """Return Markdown as HTML, and its headings as (level, anchor, text)."""
    parts, contents = [], []
    for block in re.split(r"\n{2,}", markdown.strip()):
        lines = block.split("\n")
        if block.startswith("#"):
            level = len(block) - len(block.lstrip("#"))
            text = block[level:].strip()
            anchor = re.sub(r"\W+", "-", text.lower()).strip("-") if level < 3 else text
            contents.append((level, anchor, text))
            parts.append(f'<h{level} id="{anchor}">{style(text)}</h{level}>')
        elif block.startswith("|"):
            parts.append(convert_table(lines))
        elif block.startswith("- "):
            items = re.split(r"^- ", block, flags=re.MULTILINE)[1:]
            parts.append("<ul>" + "".join(f"<li>{style(item.strip())}</li>" for item in items) + "</ul>")
        elif block.startswith(">"):
            text = "\n".join(line.lstrip("> ") for line in lines)
            parts.append(f"<blockquote>{style(text)}</blockquote>")
        else:
            parts.append(f"<p>{style(block)}</p>")
    return "\n".join(parts), contents


def convert_table(lines):
    """Return a Markdown table as HTML; each cell carries the name of its column, for narrow screens."""
    head, rule, *rows = [[cell.strip() for cell in CELL.split(line.strip()[1:-1])] for line in lines]
    right = [cell.endswith(":") for cell in rule]
    heads = "".join(f'<th scope="col">{style(name)}</th>' for name in head)
    body = []
    for row in rows:
        cells = [
            f'<td data-name="{html.escape(name)}"{" class=number" if number else ""}>{style(cell)}</td>'
            for name, number, cell in zip(head, right, row, strict=True)
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    kind = ' class="columns"' if head[0] == "Column" else ""
    return f"<table{kind}><thead><tr>{heads}</tr></thead>\n<tbody>" + "\n".join(body) + "</tbody></table>"


def style(text):
    """Return one piece of Markdown text as HTML; Chinese is marked as such, so that it gets Chinese letter shapes."""
    parts = re.split(r"`([^`]+)`", text.replace("\\|", "|"))
    for number, part in enumerate(parts):
        part = HAN.sub(r'<span lang="zh-CN">\g<0></span>', html.escape(part))
        if number % 2:
            part = f"<code>{part}</code>"
        parts[number] = part
    joined = "".join(parts)
    for pattern, replacement in INLINE:
        # code keeps its stars
        joined = "".join(
            piece if piece.startswith("<code>") and pattern is not INLINE[2][0] else pattern.sub(replacement, piece)
            for piece in ([joined] if pattern is INLINE[2][0] else re.split(r"(<code>.*?</code>)", joined))
        )
    return joined


def list_contents(contents):
    """Return the table of contents: the sections, and under the last of them the tables."""
    found, open_list = ["<ul>"], False
    for level, anchor, text in contents:
        if level == 1:
            continue
        if level == 2 and open_list:
            found.append("</ul></li>")
            open_list = False
        if level == 3 and not open_list:
            found[-1] = found[-1].removesuffix("</li>")
            found.append("<ul>")
            open_list = True
        found.append(f'<li><a href="#{anchor}">{style(text)}</a></li>')
    return "".join([*found, "</ul></li>" if open_list else "", "</ul>"])
