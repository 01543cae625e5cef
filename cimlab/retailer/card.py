"""The data card: a README for people, made from the descriptor and from the documented numbers."""

from cimlab.retailer.draws import read_settings

INTRODUCTION = """\
> **Nobody here is real.** Every person, firm, number, address and purchase was made by a program.
> **Never call these numbers, never write to these addresses, never look these codes up in a real register.**

This is one edition of Xudong (旭东), a retailer that does not exist, with shops, a web shop, a call centre and a member
programme. It is made for teaching.

- Reference date ("today" in the data): {reference_date}. Persons: {customers:,}. Seed: {seed}.
- Made by `cimlab generate`: the same seed gives the same bytes on every machine. Do not edit the files.
- Load a table with `cimlab.load("members")`; read what its columns mean with `cimlab.describe("members")`.
- The files are CSV (UTF-8, comma, LF; a blank cell is a missing value). `datapackage.json` is their dictionary, a
  [Frictionless Data Package](https://specs.frictionlessdata.io/data-package/) with two properties of ours, `unit` and
  `personalData`."""

INVENTED = """\
## What is invented

| Value | How it is kept harmless |
|---|---|
| Mobile numbers | 1740[0-5]xxxxxx, a range of satellite numbers: valid for every checker, nobody's in the street |
| E-mail addresses | example.com, example.net and example.org only (RFC 2606) |
| Identity numbers | region 99 does not exist; the check digit is right unless somebody mistyped |
| Credit codes | region 99; the check characters are right unless somebody mistyped |
| Addresses | cities and districts are real; streets and housing estates are put together from words |
| Names | put together by chance from common characters and words; one may belong to somebody by accident |

## What is wrong with the data, on purpose

The columns marked *as typed* hold what cashiers, customers and operators typed: several formats, slips, homophone
characters, pinyin in several orders, blanks that depend on who and when, former numbers and addresses, numbers of
relatives. Mistakes come together: a careless sitting makes them in all columns of a record. Some persons are on file
twice in one channel. The rates, each with its reason, stand in `cimlab/retailer/dirt.yaml`; those of behaviour in
`cimlab/retailer/parameters.yaml`.

## What it is not

It is no sample of Chinese consumers: no result about real people follows from it. It has no returns, stock or costs."""

GRADES = """\
## Grades of personal data

`none` (not about a person) · `general` (一般) · `medium` (中) · `high` (高度机密). A real table with these columns
would have to be kept by these grades; this one may be passed on freely."""

TRUTH = """\
> **For tests and instructors only.** Whoever has these files has the answers. They are in no student's kit.

The truth behind the edition of seed {seed} with {customers:,} persons. Made by `cimlab generate OUT --truth DIR`; read
with `cimlab.retailer.read_truth("persons")`. Putting the clean values of `ledger` into the typed columns of `members`,
`web_accounts`, `calls` and `enterprises` gives the truth back, cell for cell; a cell that is not in it is clean."""


def write_card(descriptor, truth=False):
    """Return the data card of a folder as Markdown."""
    facts = {
        "seed": descriptor["seed"],
        "customers": descriptor["customers"],
        "reference_date": descriptor["referenceDate"],
    }
    parts = [f"# {descriptor['title']}", (TRUTH if truth else INTRODUCTION).format(**facts)]
    if not truth:
        parts += [INVENTED, GRADES]
    parts += ["## Tables", list_tables(descriptor)]
    parts += [describe_table(resource) for resource in descriptor["resources"]]
    if not truth:
        parts += ["## Sources of the numbers", list_references()]
    parts += ["## Licence", "[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/), the authors of cimlab."]
    return "\n\n".join(parts) + "\n"


def list_tables(descriptor):
    """Return the tables of a folder as a Markdown table."""
    rows = [f"| [`{r['name']}`](#{r['name']}) | {r['rows']:,} | {r['description']} |" for r in descriptor["resources"]]
    return "\n".join(["| Table | Rows | What it holds |", "|---|---:|---|", *rows])


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
        meaning = meaning.replace("|", "\\|")
        rows.append(
            f"| `{field['name']}` | {field['type']} | {field['unit'] or '–'} | {field['personalData']} | {meaning} |"
        )
    head = ["| Column | Type | Unit | Personal data | Meaning |", "|---|---|---|---|---|"]
    return "\n".join(
        [f"### {resource['name']}", "", f"`{resource['path']}`, {resource['rows']:,} rows.", "", *head, *rows]
    )


def list_references():
    """Return the sources of the numbers of behaviour as a list."""
    references = read_settings("parameters")["references"]
    chosen = "- **All others** are chosen; the reason stands beside each in the two files named above."
    return "\n".join([*(f"- **{used_for}**: {source}." for used_for, source in references), chosen])
