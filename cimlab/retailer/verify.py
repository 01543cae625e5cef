"""Check the files of an edition against their descriptor, and their books, by SQL in DuckDB.

The rules of the descriptor are those of a Frictionless check: columns, types, required, unique, enum, pattern, minimum,
maximum, primary and foreign keys, the number of rows, sizes and hashes. What must hold between columns and tables
stands in rules.py.
"""

import hashlib
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from cimlab.datasets import read_descriptor, read_table
from cimlab.retailer.dictionary import TRUTH_NAME
from cimlab.retailer.draws import read_settings
from cimlab.retailer.rules import RULES, TRUTH_RULES

COLUMNS = ["table", "column", "rule", "rows", "example"]
# Types of DuckDB that are right for a type of the dictionary.
TYPES = {
    "string": ("VARCHAR", "ENUM"),
    "integer": ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
    "number": ("DOUBLE", "FLOAT"),
    "boolean": ("BOOLEAN",),
    "date": ("DATE", "TIMESTAMP"),
    "datetime": ("TIMESTAMP",),
}
NUMBER = r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?"
TEXT_FORMS = ("csv", "jsonl")
LONGEST = 60  # letters of an example
CHUNK = 1 << 20


def check_edition(folder):
    """Look for faults in a folder of tables that `cimlab generate` made.

    Parameters
    ----------
    folder : path-like
        Folder of the data or of the truth, with its datapackage.json.

    Returns
    -------
    pandas.DataFrame
        One row per broken rule: `table`, `column` ("" for the whole table), `rule`, `rows` (how many break it) and
        `example` (the key of the first one and its value). It is empty if all is well.

    Raises
    ------
    FileNotFoundError
        If there is no datapackage.json in the folder.
    ValueError
        If datapackage.json is damaged.
    """
    folder = Path(folder)
    descriptor = read_descriptor(folder)
    faults = []
    with duckdb.connect() as base:
        open_tables = {}
        for resource in descriptor["resources"]:
            faults += check_files(folder, resource)
            try:
                is_text = open_table(base, folder, resource)
            except (OSError, ValueError, pa.ArrowException, duckdb.Error) as error:
                faults.append([resource["name"], "", "readable", resource["rows"], shorten(str(error), 200)])
            else:
                open_tables[resource["name"]] = resource
                faults += check_cells(base, resource, is_text)
        for resource in open_tables.values():
            faults += check_keys(base, resource, open_tables)
        faults += check_books(base, descriptor, open_tables)
    return pd.DataFrame(faults, columns=COLUMNS)


# --- files -----------------------------------------------------------------------------------------------------------


def check_files(folder, resource):
    """Return the faults of the size and the hash of a table's files."""
    paths = list_paths(folder, resource)
    missing = [path for path in paths if not path.is_file()]
    if missing:
        return [[resource["name"], "", "file", len(missing), f"{missing[0]} is not there"]]
    faults = []
    size = sum(path.stat().st_size for path in paths)
    if size != resource.get("bytes", size):
        faults.append([resource["name"], "", "bytes", 1, f"{size:,} instead of {resource['bytes']:,}"])
    wanted = resource.get("hash", "")
    if wanted.startswith("sha256:"):
        hashes = [hash_file(path) for path in paths]
        # the hash of a table in parts is that of the hashes of its parts, one a line
        found = hashes[0] if len(hashes) == 1 else hash_text("\n".join(hashes))
        if wanted != found:
            faults.append([resource["name"], "", "hash", 1, f"{shorten(found, 20)} instead of {shorten(wanted, 20)}"])
    return faults


def list_paths(folder, resource):
    """Return the files of a table."""
    path = resource["path"]
    return [folder / part for part in ([path] if isinstance(path, str) else path)]


def hash_file(path):
    """Return the SHA-256 of a file as the descriptor writes it."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            total.update(piece)
    return f"sha256:{total.hexdigest()}"


def hash_text(text):
    """Return the SHA-256 of a text as the descriptor writes it."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def open_table(base, folder, resource):
    """Make a table of DuckDB from the files of a resource; return whether its cells were read as text.

    Cells that were read as text are turned into the types of the dictionary; what could not be is missing, and the text
    stands in a column `raw …`, where `check_cells` finds it.
    """
    name, kind, fields = resource["name"], resource["format"], resource["schema"]["fields"]
    paths = list_paths(folder, resource)
    if kind == "parquet":
        base.execute(f'create view "{name}" as from read_parquet({[path.as_posix() for path in paths]})')
        found = [row[0] for row in base.execute(f'describe "{name}"').fetchall()]
        compare_columns(found, [field["name"] for field in fields])
        return False
    if kind in TEXT_FORMS:
        read_text = read_csv if kind == "csv" else read_jsonl
        base.register("cells", read_text(base, paths[0], resource))
        columns = [part for field in fields for part in convert(field)]
        base.execute(f'create table "{name}" as select {", ".join(columns)} from cells')
    else:
        base.register("cells", pa.Table.from_pandas(read_table(folder, resource), preserve_index=False))
        base.execute(f'create table "{name}" as from cells')
    base.unregister("cells")
    return kind in TEXT_FORMS


def read_csv(base, path, resource):
    """Return a CSV file as a table of text; the columns get the names of the dictionary."""
    names = [field["name"] for field in resource["schema"]["fields"]]
    encoding = resource.get("encoding", "utf-8").removesuffix("-sig")
    table = pa.csv.read_csv(
        path,
        pa.csv.ReadOptions(encoding=encoding),
        pa.csv.ParseOptions(delimiter=resource.get("dialect", {}).get("delimiter", ","), newlines_in_values=True),
        pa.csv.ConvertOptions(
            column_types=dict.fromkeys(resource.get("header", names), pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    compare_columns(table.column_names, resource.get("header", names))
    return table.rename_columns(names)


def read_jsonl(base, path, resource):
    """Return a file of JSON lines as a table of text, one column for each path."""
    paths = resource.get("paths", {})
    columns = []
    for field in resource["schema"]["fields"]:
        keys = "".join(f'."{key}"' for key in paths.get(field["name"], field["name"]).split("."))
        columns.append(f"json ->> '${keys}' as \"{field['name']}\"")
    source = f"read_ndjson_objects('{path.as_posix()}')"
    return base.sql(f"select {', '.join(columns)} from {source}").to_arrow_table()


def compare_columns(found, expected):
    """Raise ValueError if the columns of a file are not the expected ones."""
    if list(found) != list(expected):
        raise ValueError(f"the columns should be {', '.join(expected)}; they are {', '.join(found)}")


def convert(field):
    """Return the SQL columns for a text cell of a field: its typed value and, if it is no text, the text."""
    name = f'"{field["name"]}"'
    if field["type"] == "string":
        return [name]
    value = {
        "integer": f"try_cast(case when regexp_full_match({name}, '[+-]?[0-9]+') then {name} end as bigint)",
        "number": f"try_cast(case when regexp_full_match({name}, '{NUMBER}') then {name} end as double)",
        "boolean": f"case {name} when 'true' then true when 'false' then false end",
        "date": f"cast(try_strptime({name}, '{field.get('format')}') as date)",
        "datetime": f"try_strptime({name}, '{field.get('format')}')",
    }[field["type"]]
    return [f"{value} as {name}", f'{name} as "raw {field["name"]}"']


# --- cells -----------------------------------------------------------------------------------------------------------


def check_cells(base, resource, is_text):
    """Return the faults of single cells and the number of rows, all found in one pass over the table."""
    table, fields = resource["name"], resource["schema"]["fields"]
    faults = [] if is_text else check_types(base, resource)
    wrong = {column for _, column, *_ in faults}
    rules = [
        (field, rule, condition)
        for field in fields
        if field["name"] not in wrong
        for rule, condition in list_rules(field, is_text)
    ]
    counts = "".join(f", count(*) filter (where {condition})" for _, _, condition in rules)
    rows, *found = base.execute(f'select count(*){counts} from "{table}"').fetchall()[0]
    if rows != resource["rows"]:
        faults.append([table, "", "rows", abs(rows - resource["rows"]), f"{rows:,} instead of {resource['rows']:,}"])
    for (field, rule, condition), count in zip(rules, found, strict=True):
        if count:
            shown = f"raw {field['name']}" if is_text and field["type"] != "string" else field["name"]
            faults.append([table, field["name"], rule, count, show_example(base, resource, shown, condition)])
    return faults


def check_types(base, resource):
    """Return the columns of a typed table that have not the type of the dictionary."""
    table = resource["name"]
    found = {row[0]: row[1] for row in base.execute(f'describe "{table}"').fetchall()}
    return [
        [table, field["name"], "type", resource["rows"], f"{found[field['name']]} instead of {field['type']}"]
        for field in resource["schema"]["fields"]
        if not found[field["name"]].startswith(TYPES[field["type"]])
    ]


def list_rules(field, is_text):
    """Yield (rule, SQL condition of a cell that breaks it) for one field."""
    column, raw, limits = f'"{field["name"]}"', f'"raw {field["name"]}"', field.get("constraints", {})
    if is_text and field["type"] != "string":
        yield "type", f"{raw} is not null and {column} is null"
    if limits.get("required"):
        yield "required", f"{raw if is_text and field['type'] != 'string' else column} is null"
    if "enum" in limits:
        values = ", ".join(quote(value) for value in limits["enum"])
        yield "enum", f"{column} not in ({values})"
    if "pattern" in limits:
        yield "pattern", f"not regexp_full_match({column}, {quote(limits['pattern'])})"
    for name, sign in (("minimum", "<"), ("maximum", ">")):
        if name in limits:
            yield name, f"{column} {sign} {limits[name]}"
    if field["type"] == "number":
        yield "finite", f"not isfinite({column})"


def quote(value):
    """Return a text as SQL writes it."""
    return "'" + str(value).replace("'", "''") + "'"


def show_example(base, resource, column, condition):
    """Return the key and the value of the first row that breaks a rule."""
    names = resource["schema"]["primaryKey"]
    key = ", ".join(f'"{name}"' for name in names)
    texts = ", ".join(f'cast("{name}" as varchar)' for name in [*names, column])
    # no `where`: DuckDB skips parts of Parquet by statistics that leave out what is no number
    sql = f'select min_by([{texts}], row({key})) filter (where {condition}) from "{resource["name"]}"'
    *key, value = base.execute(sql).fetchall()[0][0]
    return shorten(f"{' '.join(part or 'blank' for part in key)}: {value or 'blank'}", LONGEST)


def shorten(text, length):
    """Return a text of at most that many letters."""
    return text if len(text) <= length else text[: length - 1] + "…"


# --- keys and books --------------------------------------------------------------------------------------------------


def check_keys(base, resource, open_tables):
    """Return the faults of the primary key, of unique columns and of the foreign keys of a table."""
    table, schema = resource["name"], resource["schema"]
    faults = []
    sets = [("primary key", schema["primaryKey"])]
    sets += [("unique", [f["name"]]) for f in schema["fields"] if f.get("constraints", {}).get("unique")]
    for rule, names in sets:
        columns = ", ".join(f'"{name}"' for name in names)
        groups = f'select {columns}, count(*) - 1 as again from "{table}" group by {columns} having again > 0'
        given = " and ".join(f'"{name}" is not null' for name in names)
        found = base.execute(f"select * from ({groups}) where {given} order by {columns}").fetchall()
        if found:
            example = " ".join(str(part) for part in found[0][:-1])
            faults.append([table, " ".join(names), rule, sum(row[-1] for row in found), shorten(example, LONGEST)])
    for link in schema.get("foreignKeys", []):
        column, other, target = link["fields"], link["reference"]["resource"], link["reference"]["fields"]
        if other in open_tables:
            join = f'"{table}" a anti join "{other}" b on a."{column}" = b."{target}" where a."{column}" is not null'
            count, example = base.execute(f'select count(*), min(a."{column}") from {join}').fetchall()[0]
            if count:
                faults.append([table, column, "foreign key", count, f"{example} is not in {other}"])
    return faults


def check_books(base, descriptor, open_tables):
    """Return the faults between columns and tables; a rule whose tables are not all there is left out."""
    rules = TRUTH_RULES if descriptor["name"] == TRUTH_NAME else RULES
    days = {"first": read_settings("calendar")["first_day"], "last": descriptor["referenceDate"]}
    faults = []
    for rule in rules:
        if not {rule["table"], *rule["needs"]} <= set(open_tables):
            continue
        key = " || ' ' || ".join(
            f'cast(a."{name}" as varchar)' for name in open_tables[rule["table"]]["schema"]["primaryKey"]
        )
        fault = rule["fault"].format(**days)
        count, example = base.execute(f"select count(*), min({key}) from {rule['of']} where {fault}").fetchall()[0]
        if count:
            faults.append([rule["table"], rule["column"], rule["rule"], count, shorten(example, LONGEST)])
    return faults
