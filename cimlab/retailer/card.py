"""The data card: a README for people, made from the descriptor, the documented numbers and the words of card.md.

`write_card` gives Markdown, `write_page` the same as one HTML page (page.py). `describe_package` (dictionary.py) and
`write_croissant` (croissant.py) can be imported from here as well.
"""

import re
from functools import cache
from pathlib import Path

from cimlab.retailer.croissant import write_croissant
from cimlab.retailer.dictionary import describe_package
from cimlab.retailer.sources import list_references

__all__ = ["describe_package", "write_card", "write_croissant", "write_page"]

GROUPS = {
    "master": "Shops, articles and offers",
    "contact": "Persons and contacts, as the channels note them",
    "behaviour": "What people bought and did",
    "voice": "What people say",
    "enterprise": "Enterprise customers",
    "external": "Brought in from outside",
}
ENCODINGS = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8 with a mark in front", "gb18030": "GB 18030"}
LICENCE = "[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/), the authors of cimlab."


def write_card(descriptor, truth=False):
    """Return the data card of a folder as Markdown.

    Parameters
    ----------
    descriptor : dict
        What `describe_package` returns.
    truth : bool
        The folder holds the truth.

    Returns
    -------
    str
        Warnings, the tables and how to open them, what is invented and what is wrong, every column, the sources.
    """
    facts = {
        "seed": descriptor["seed"],
        "customers": descriptor["customers"],
        "reference_date": descriptor["referenceDate"],
        "level": descriptor["level"],
    }
    words = read_words()
    parts = [f"# {descriptor['title']}", words["truth" if truth else "introduction"].format(**facts)]
    parts += ["## Tables", list_tables(descriptor), "## Files", list_files(descriptor)]
    if not truth:
        parts += [words[name] for name in ("invented", "wrong", "levels", "what_not", "grades")]
    parts.append("## Columns")
    parts += [describe_table(resource) for resource in descriptor["resources"]]
    if not truth:
        parts += ["## Sources of the numbers", write_references()]
    parts += ["## Licence", LICENCE]
    return "\n\n".join(parts) + "\n"


def write_page(descriptor, truth=False):
    """Return the data card of a folder as one self-contained HTML page; see `write_card`."""
    from cimlab.retailer.page import make_page

    return make_page(write_card(descriptor, truth), descriptor["title"])


@cache
def read_words():
    """Return the fixed texts of the card by name."""
    text = Path(__file__).with_name("card.md").read_text(encoding="utf-8")
    names = re.split(r"^<!-- (\w+) -->\n", text, flags=re.MULTILINE)[1:]
    return {name: words.strip() for name, words in zip(names[::2], names[1::2], strict=True)}


def list_tables(descriptor):
    """Return the tables of a folder as Markdown, one table for each group."""
    resources = descriptor["resources"]
    known = [name for name in GROUPS if any(resource.get("group") == name for resource in resources)]
    if not known:
        return tabulate_tables(resources)
    parts = [
        f"**{GROUPS[name]}**\n\n" + tabulate_tables([r for r in resources if r.get("group") == name]) for name in known
    ]
    return "\n\n".join(parts)


def tabulate_tables(resources):
    """Return some tables, with their rows and meaning, as a Markdown table."""
    head = ["| Table | Rows | Channel | What it holds |", "|---|---:|---|---|"]
    rows = [
        f"| [`{r['name']}`](#{r['name']}) | {r['rows']:,} | {r.get('channel', '–')} | {escape(r['description'])} |"
        for r in resources
    ]
    return "\n".join([*head, *rows])


def list_files(descriptor):
    """Return how each file is opened without cimlab, as a Markdown table."""
    head = ["A blank cell is a missing value.", "", "| File | Form | Open it with |", "|---|---|---|"]
    groups = {}
    for resource in descriptor["resources"]:
        facts = (describe_form(resource), show_opening(resource))
        groups.setdefault(facts if is_plain(resource) else (*facts, resource["name"]), []).append(resource)
    rows = []
    for (form, opening, *_), resources in groups.items():
        files = ", ".join(f"`{show_path(resource)}`" for resource in resources)
        rows.append(f"| {files} | {escape(form)} | {escape(opening)} |")
    return "\n".join([*head, *rows])


def is_plain(resource):
    """Return whether a table is a CSV or Parquet file like all the others, so that one line says how it is opened."""
    odd = resource["format"] not in ("csv", "parquet") or "header" in resource
    return not odd and resource.get("dialect", {}).get("delimiter", ",") == ","


def show_path(resource):
    """Return the path of a table for people: `orders/*.parquet` for one that lies in parts."""
    path = resource["path"]
    return path if isinstance(path, str) else f"{path[0].rsplit('/', 1)[0]}/*.{resource['format']}"


def describe_form(resource):
    """Return the form of a file in words."""
    kind, encoding = resource["format"], resource.get("encoding", "utf-8")
    if kind == "csv":
        delimiter = {",": "comma", ";": "semicolon", "\t": "tab"}[resource["dialect"]["delimiter"]]
        code = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8 with a mark in front", "gb18030": "GB 18030"}.get(
            encoding, encoding
        )
        header = ", header of its own: " + ", ".join(resource["header"]) if "header" in resource else ""
        return f"CSV, {code}, {delimiter}{header}"
    return {
        "jsonl": "JSON lines: one object a line, nested",
        "notes": "text blocks, one a call, as the operator's program prints them",
        "xlsx": f"Excel workbook, one sheet for each `{resource.get('sheet', '')}`",
        "parquet": "Parquet",
    }[kind]


def show_opening(resource):
    """Return how a file is opened with what people have at hand."""
    kind, path = resource["format"], show_path(resource)
    options = [f'encoding="{resource["encoding"]}"'] if resource.get("encoding", "utf-8") != "utf-8" else []
    delimiter = resource.get("dialect", {}).get("delimiter", ",")
    if delimiter != ",":
        options.append('sep="\\t"' if delimiter == "\t" else f'sep="{delimiter}"')
    first = "FILE" if is_plain(resource) else path
    return {
        "csv": f"`pd.read_csv({', '.join([quote(first), *options, 'dtype=str'])})`",
        "jsonl": f'`pd.json_normalize([json.loads(line) for line in open({quote(path)}, encoding="utf-8")])`',
        "notes": "any editor; taking it apart is the exercise",
        "xlsx": f"`pd.read_excel({quote(path)}, sheet_name=None, dtype=str)`",
        "parquet": "`pd.read_parquet(FOLDER)`, or DuckDB: `from 'FOLDER/*.parquet'`",
    }[kind]


def quote(path):
    """Return a path as it stands in a call."""
    return path if path == "FILE" else f'"{path}"'


def escape(text):
    """Return text that may stand in a cell of a Markdown table."""
    return text.replace("|", "\\|")


def describe_table(resource):
    """Return the columns of one table as a section of Markdown."""
    schema = resource["schema"]
    links = {key["fields"]: key["reference"]["resource"] for key in schema.get("foreignKeys", [])}
    rows = []
    for field in schema["fields"]:
        meaning = field["description"]
        if "enum" in field.get("constraints", {}):
            meaning += f" ({', '.join(field['constraints']['enum'])})"
        if field["name"] in links:
            meaning += f" → `{links[field['name']]}`"
        if field["name"] in schema["primaryKey"]:
            meaning += " · key"
        unit, grade = field["unit"] or "–", field["personalData"]
        rows.append(f"| `{field['name']}` | {field['type']} | {unit} | {grade} | {escape(meaning)} |")
    head = ["| Column | Type | Unit | Personal data | Meaning |", "|---|---|---|---|---|"]
    where = f"`{show_path(resource)}`, {resource['rows']:,} rows. {escape(resource['description'])}"
    return "\n".join([f"### {resource['name']}", "", where, "", *head, *rows])


def write_references():
    """Return the sources of the numbers as a list."""
    chosen = (
        "- **All others** are chosen; the reason stands beside each in the settings of `cimlab/retailer/`, "
        "and `docs/retailer_parameters.md` lists them."
    )
    return "\n".join([*(f"- **{used_for}**: {source}." for used_for, source in list_references()), chosen])
