"""A decision paper as a page that carries all it needs (HTML)."""

import base64
import html

from cimlab.capstone.paper import inline_text, level_of, table_rows, words_of
from cimlab.capstone.paper_letters import language_of

_HTML = {
    "strong": ("<strong>", "</strong>"),
    "emphasis": ("<em>", "</em>"),
    "codespan": ("<code>", "</code>"),
    "link": ('<a href="{}">', "</a>"),
}
_STYLE = """
@page { size: A4; margin: 17mm 19mm; @bottom-right { content: counter(page) " / " counter(pages); font-size: 9pt; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 "Report", "Noto Sans SC", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
  color: #1a1a1a; background: #fff; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .2rem; } h2 { font-size: 1.15rem; margin: 1.2rem 0 .3rem; }
h3 { font-size: 1rem; margin: .9rem 0 .2rem; } p { margin: .4rem 0; } ul, ol { margin: .4rem 0; padding-left: 1.5rem; }
.author { color: #444; border-bottom: 1px solid #888; padding-bottom: .5rem; margin-bottom: .8rem; }
table { border-collapse: collapse; margin: .6rem 0; font-size: .92em; }
th, td { border-bottom: 1px solid #bbb; padding: .2rem .7rem .2rem 0; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #444; }
figure { margin: .7rem 0; break-inside: avoid; } figure img { display: block; width: 100%; }
figcaption { font-size: .88em; color: #444; margin-top: .2rem; }
blockquote { border-left: 4px solid #888; margin: .5rem 0; padding-left: .8rem; }
pre { background: #f3f3f3; padding: .5rem; overflow-x: auto; font-size: .88em; }
h1, h2, h3 { break-after: avoid; } tr { break-inside: avoid; }
@media print { body { font-size: 10pt; max-width: none; margin: 0; padding: 0; } a { color: inherit; } }
"""


def page_html(blocks, pictures, title, author=""):
    """Write the paper as a page that needs neither network nor a Chinese font.

    Parameters
    ----------
    blocks : list of dict
        As `parse_paper` returns them.
    pictures : dict of str to (bytes, float, float)
        Name → (PNG, width, height in inches).
    title, author : str

    Returns
    -------
    str

    Examples
    --------
    >>> from cimlab.capstone.paper import parse_paper
    >>> "<li>客户</li>" in page_html(parse_paper("- 客户"), {}, "Paper")
    True
    """
    from cimlab.plots.style import font_face

    body = "\n".join(_block_html(block, pictures) for block in blocks)
    told = f'<p class="author">{html.escape(author)}</p>' if author else '<p class="author"></p>'
    words = f"{title} {author} {words_of(blocks)} •"
    return (
        f'<!DOCTYPE html>\n<html lang="{language_of(words)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{font_face(words)}\n{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{html.escape(title)}</h1>\n{told}\n{body}\n</main>\n</body>\n</html>\n"
    )


def _block_html(block, pictures):
    kind, inside = block["type"], block.get("children", [])
    if kind in ("paragraph", "block_text"):
        text = inline_text(inside, _HTML)
        return f"<p>{text}</p>" if kind == "paragraph" else text
    if kind == "heading":
        level = level_of(block)
        return f"<h{level}>{inline_text(inside, _HTML)}</h{level}>"
    if kind == "list":
        name = "ol" if block["attrs"].get("ordered") else "ul"
        start = block["attrs"].get("start", 1)
        first = f' start="{start}"' if start != 1 else ""
        items = ("".join(_block_html(part, pictures) for part in item["children"]) for item in inside)
        return f"<{name}{first}>" + "".join(f"<li>{item}</li>" for item in items) + f"</{name}>"
    if kind == "table":
        rows = ("".join(_cell_html(cell) for cell in row) for row in table_rows(block))
        return "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"
    if kind == "figure":
        data = base64.b64encode(pictures[block["name"]][0]).decode("ascii")
        caption = inline_text(inside, _HTML)
        alt = html.escape(words_of(inside))
        return (
            f'<figure style="width: {block["width"]:.0%}"><img alt="{alt}" src="data:image/png;base64,{data}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    if kind == "block_quote":
        return "<blockquote>" + "".join(_block_html(part, pictures) for part in inside) + "</blockquote>"
    if kind == "thematic_break":
        return "<hr>"
    return f"<pre>{html.escape(block['raw'].rstrip())}</pre>" if block.get("raw") else ""


def _cell_html(cell):
    name = "th" if cell["attrs"].get("head") else "td"
    align = cell["attrs"].get("align")
    look = f' style="text-align: {align}"' if align else ""
    return f"<{name}{look}>{inline_text(cell['children'], _HTML)}</{name}>"
