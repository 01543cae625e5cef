"""Each number of the synthetic world beside its source: read from the settings files, listed in one page of docs/.

The convention for every YAML file of this folder but the data dictionary. A number must say where it comes from, in
words that hold "chosen" (with the reason) or name a source: a year, one of the words data, report, release, bulletin,
census, statistics, log, study, fit, law, regulation, standard, or one of the names in `SOURCE`. These words stand in
one of these places; the nearest one is taken:

1. in a comment at the end of the line of the number;
2. in a key beside it: `why` or `source` for all numbers of a mapping, `NAME_why` or `NAME_source` for the key NAME;
3. in the comment above its paragraph: the comment lines above the key, with only lines of settings between, no blank
   line and no other comment;
4. in one of these places of a key that it stands under.

A comment that says only what a number means is no source. The list `references` of a file ([what for, source]) is what
the data card cites. Dates and numbers inside text (`王 wang 7100`) are not counted; the comment above is theirs by
custom.

Run `python -m cimlab.retailer.sources` to write the page anew.
"""

import re
import sys
from functools import cache
from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER.parents[1] / "docs" / "retailer_parameters.md"
# Without numbers of the world: the dictionary fixes columns, and its limits are rules.
NOT_SETTINGS = {"dictionary.yaml"}
SOURCE = re.compile(
    r"\b(chosen|1[89]\d\d|20\d\d|data|reports?|releases?|bulletins?|census|statistics|logs?|stud(y|ies)|fit|laws?"
    r"|regulations?|standards?|RFC|GB|AHIMA|CDNOW|Complete Journey|CNNIC|ECRI|NRF|UCI)\b",
    re.IGNORECASE,
)
NUMBERS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
MOST_LETTERS = 160  # of a value on the page
INTRODUCTION = """\
# The numbers behind the retailer

Each number of the synthetic world and where it comes from. This page is made from the settings files in
`cimlab/retailer/` by `python -m cimlab.retailer.sources`; change a number there, with its reason, not here.
"""


def list_parameters(folder=FOLDER):
    """Return every parameter of the settings files with its source.

    Parameters
    ----------
    folder : path-like
        Folder of the YAML files.

    Returns
    -------
    list of (str, str, object, str)
        File, path of the key (`orders.lines`, `channels.by_age`), value, source; the source is "" where there is none.
        A list or a mapping on one line is one parameter. Only parameters that hold a number are listed.

    Examples
    --------
    >>> [value for file, path, value, source in list_parameters() if (file, path) == ("calendar.yaml", "weekday")]
    [[96, 94, 95, 98, 112, 119, 116]]
    """
    files = sorted(path for path in Path(folder).glob("*.yaml") if path.name not in NOT_SETTINGS)
    return [(path.name, *parameter) for path in files for parameter in read_parameters(path.read_text("utf-8"))]


def find_unsourced(folder=FOLDER):
    """Return the parameters (file, path) beside which stands neither a source nor "chosen"."""
    return [(file, path) for file, path, _, source in list_parameters(folder) if not source]


@cache
def list_references(folder=FOLDER):
    """Return the works that the settings files cite, as [what for, source], each once."""
    found = []
    for path in sorted(Path(folder).glob("*.yaml")):
        if path.name not in NOT_SETTINGS:
            settings = yaml.load(path.read_text("utf-8"), Loader=LOADER)
            cited = settings.get("references", []) if isinstance(settings, dict) else []
            found += [entry for entry in cited if entry not in found]
    return found


def write_parameters(path=PAGE, folder=FOLDER):
    """Write the page of all parameters and return its text."""
    text = make_page(list_parameters(folder))
    Path(path).write_text(text, encoding="utf-8", newline="\n")
    return text


def make_page(parameters):
    """Return the page of all parameters as Markdown, one table for each file."""
    parts = [INTRODUCTION]
    for file in dict.fromkeys(file for file, *_ in parameters):
        rows = [
            f"| `{path}` | {show_value(value)} | {escape(source) or '**no source**'} |"
            for name, path, value, source in parameters
            if name == file
        ]
        parts.append(
            "\n".join([f"## {file}", "", "| Number | Value | Where it comes from |", "|---|---|---|", *rows, ""])
        )
    return "\n".join(parts)


def show_value(value):
    """Return a value as one short line."""
    text = yaml.dump(value, default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False)
    text = text.removesuffix("\n...\n").strip()
    return f"`{text[:MOST_LETTERS]}{' …' if len(text) > MOST_LETTERS else ''}`".replace("|", "\\|")


def escape(text):
    """Return text that may stand in a cell of a Markdown table."""
    return text.replace("|", "\\|")


# --- reading ---------------------------------------------------------------------------------------------------------


# The C loader is faster and knows the same places.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_parameters(text):
    """Return (path, value, source) of each parameter of one settings file that holds a number."""
    root = yaml.compose(text, Loader=LOADER)
    if root is None:
        return []
    comments = read_comments(text)
    found = []
    for path, node, key_line, hints in walk(root, "", []):
        if path.split(".")[0] == "references" or not any(True for _ in numbers(node)):
            continue
        value = yaml.SafeLoader("").construct_document(node)
        found.append((path, value, find_source(node, key_line, hints, comments)))
    return found


def walk(node, path, hints):
    """Yield (path, node, line of the key, hints) of each parameter.

    `hints` are the places of the keys above, nearest last: a line number, or the text of a `why`.
    """
    if isinstance(node, yaml.MappingNode):
        texts = {key.value: value.value for key, value in node.value if isinstance(value, yaml.ScalarNode)}
        shared = [texts[name] for name in ("source", "why") if name in texts]
        for key, value in node.value:
            own = [texts[f"{key.value}_{name}"] for name in ("source", "why") if f"{key.value}_{name}" in texts]
            place, line = f"{path}.{key.value}".lstrip("."), key.start_mark.line
            if is_parameter(value):
                yield place, value, line, [*hints, *shared, *own]
            else:
                yield from walk(value, place, [*hints, *shared, *own, line])
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            line = value.start_mark.line
            if is_parameter(value):
                yield f"{path}[{number}]", value, line, hints
            else:
                yield from walk(value, f"{path}[{number}]", [*hints, line])


def is_parameter(node):
    """Return whether a node is listed as one: a word, a list or mapping on one line, or a list of such."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style:
        return True
    return isinstance(node, yaml.SequenceNode) and all(is_parameter(value) for value in node.value)


def numbers(node):
    """Yield the numbers within a node."""
    if isinstance(node, yaml.ScalarNode):
        if node.tag in NUMBERS:
            yield node
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from numbers(value)
    else:
        for _, value in node.value:
            yield from numbers(value)


def read_comments(text):
    """Return the lines of a YAML text as (what stands before the comment, comment)."""
    lines = text.splitlines()
    quoted = set()
    for token in yaml.scan(text, Loader=LOADER):
        if isinstance(token, yaml.ScalarToken) and token.style:
            start, end = token.start_mark, token.end_mark
            for line in range(start.line, end.line + 1):
                first = start.column if line == start.line else 0
                last = end.column if line == end.line else len(lines[line]) if line < len(lines) else 0
                quoted.update((line, column) for column in range(first, last))
    return [split_comment(line, number, quoted) for number, line in enumerate(lines)]


def split_comment(line, number, quoted):
    """Return one line as (what stands before the comment, comment)."""
    for column, letter in enumerate(line):
        if letter == "#" and (number, column) not in quoted and (column == 0 or line[column - 1] in " \t"):
            return line[:column].rstrip(), line[column:].lstrip("# ").strip()
    return line.rstrip(), ""


def find_source(node, key_line, hints, comments):
    """Return the source of a parameter, "" if there is none or if it is not said of each of its numbers."""
    lines = sorted({number.start_mark.line for number in numbers(node)})
    beside = [comments[line][1] for line in range(key_line, lines[-1] + 1) if all(comments[line])]
    nearest = find_nearest(key_line, hints, comments)
    if nearest:
        # what a number means stands beside it, and its source above
        meaning = beside[0] if len(beside) == 1 and beside[0] not in nearest else ""
        return f"{meaning}; {nearest}" if meaning else nearest
    if not isinstance(node, yaml.ScalarNode) and node.flow_style:
        # a list over several lines has its comment at its end
        lines = [node.end_mark.line]
    texts = [comments[line][1] for line in lines]
    return "; ".join(dict.fromkeys(texts)) if all(SOURCE.search(text) for text in texts) else ""


def find_nearest(line, hints, comments):
    """Return the nearest text with a source: beside the line, above it, then those of the keys above."""
    for place in [line, *reversed(hints)]:
        texts = [place] if isinstance(place, str) else [comments[place][1], read_above(place, comments)]
        for text in texts:
            # a `why` was written to say where a number comes from, whatever its words
            if text and (isinstance(place, str) or SOURCE.search(text)):
                return text
    return ""


def read_above(line, comments):
    """Return the comment above the paragraph of a line; "" if there is none."""
    indent = indent_of(comments[line][0])
    line -= 1
    while line >= 0:
        content, comment = comments[line]
        if not content.strip() and not comment:
            return ""
        if not content.strip() and len(content) <= indent:
            break
        line -= 1
    block = []
    while line >= 0 and not comments[line][0].strip() and comments[line][1]:
        block.append(comments[line][1])
        line -= 1
    return " ".join(reversed(block))


def indent_of(content):
    """Return how many blanks a line begins with."""
    return len(content) - len(content.lstrip())


if __name__ == "__main__":
    write_parameters()
    missing = find_unsourced()
    for file, path in missing:
        sys.stderr.write(f'{file}: {path} has no source; write it, or "chosen" with the reason, beside it.\n')
    sys.exit(1 if missing else 0)
