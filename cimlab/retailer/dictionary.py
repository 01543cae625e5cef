"""The descriptor of an edition, a Frictionless Data Package, made from the one data dictionary (`dictionary.yaml`).

Beside the standard properties a resource has some of ours: `group` and `channel` (where the table belongs), `structure`
(structured, semi-structured, unstructured), `header` (the names of the columns as the file has them, where they are not
ours), `paths` (JSON lines: where in the object each column stands), `sheet` (a workbook: the column that names the
sheet). A field has `unit` and `personalData`. The package has `seed`, `customers`, `referenceDate`, `level`, `form`.
"""

from cimlab.retailer.draws import read_settings

DATA_NAME, TRUTH_NAME = "xudong", "xudong-truth"
DATE_FORMATS = {"date": "%Y-%m-%d", "datetime": "%Y-%m-%d %H:%M"}
LICENCE = {
    "name": "CC-BY-4.0",
    "title": "Creative Commons Attribution 4.0",
    "path": "https://creativecommons.org/licenses/by/4.0/",
}
# Of the MIME types of JSON lines, notes and Parquet those that Croissant's readers know.
MEDIA_TYPES = {
    "csv": "text/csv",
    "jsonl": "application/jsonlines",
    "notes": "text/plain",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/x-parquet",
}
BINARY = {"xlsx", "parquet"}
TAB = "\t"


def describe_package(name, tables_info, *, seed, customers, level, form):
    """Return the descriptor of a folder of tables.

    Parameters
    ----------
    name : str
        "xudong" for the data, "xudong-truth" for the truth.
    tables_info : list of dict
        One per table: `table`, `path` (str, or a list of str for the parts of a Parquet table), `rows`, `bytes`, `hash`
        (None where there is none), `format` (csv, jsonl, notes, xlsx or parquet) and, for JSON lines, `paths` (column →
        dotted path).
    seed, customers : int
        What the edition was made from.
    level : str
        How dirty the records are: clean, light, normal or heavy.
    form : str
        Form of the files of the edition, "files" or "parquet".

    Returns
    -------
    dict
        A Frictionless Data Package; the resources stand in the order of the data dictionary.

    Raises
    ------
    ValueError
        If a table is not in the data dictionary.

    Examples
    --------
    >>> info = {"table": "stores", "path": "stores.csv", "rows": 12, "bytes": 700, "hash": None, "format": "csv"}
    >>> package = describe_package("xudong", [info], seed=1, customers=100, level="normal", form="files")
    >>> [field["name"] for field in package["resources"][0]["schema"]["fields"]]
    ['store_id', 'name', 'city', 'opened_on']
    """
    dictionary = read_settings("dictionary")
    section = dictionary["tables" if name == DATA_NAME else "truth"]
    unknown = [info["table"] for info in tables_info if info["table"] not in section]
    if unknown:
        raise ValueError(f"the data dictionary has no table {unknown[0]!r}; add it to dictionary.yaml.")
    order = list(section)
    given = sorted(tables_info, key=lambda info: order.index(info["table"]))
    resources = [describe_resource(info, section) for info in given]
    tabular = all(resource["profile"] == "tabular-data-resource" for resource in resources)
    return {
        "name": name,
        "title": dictionary["title"] + (": the truth" if name == TRUTH_NAME else ""),
        "profile": "tabular-data-package" if tabular else "data-package",
        "licenses": [dict(LICENCE)],
        "seed": seed,
        "customers": customers,
        "referenceDate": dictionary["reference_date"].isoformat(),
        "level": level,
        "form": form,
        "resources": resources,
    }


def describe_resource(info, section):
    """Return the descriptor of one table; `section` holds the tables of the dictionary that it may refer to."""
    table, kind = info["table"], info["format"]
    specification = section[table]
    resource = {
        "name": table,
        "path": info["path"],
        "description": specification["meaning"],
        "profile": "tabular-data-resource" if kind == "csv" else "data-resource",
        "format": kind,
        "mediatype": MEDIA_TYPES[kind],
    }
    resource |= {key: specification[key] for key in ("group", "channel", "structure") if key in specification}
    if kind not in BINARY:
        resource["encoding"] = specification.get("encoding", "utf-8")
    if kind == "csv":
        resource |= describe_csv(specification)
    if kind == "xlsx" and "sheet" in specification:
        resource["sheet"] = specification["sheet"]
    if info.get("paths"):
        resource["paths"] = dict(info["paths"])
    resource |= {"rows": info["rows"], "bytes": info["bytes"]}
    if info.get("hash"):
        resource["hash"] = info["hash"]
    return resource | {"schema": describe_schema(table, section)}


def describe_csv(specification):
    """Return what a reader of a CSV file must know: delimiter and, where it is not ours, the header."""
    delimiter = specification.get("delimiter", ",")
    found = {"dialect": {"delimiter": delimiter, "header": True}}
    if delimiter == TAB:
        found["mediatype"] = "text/tab-separated-values"
    if "header" in specification:
        found["header"] = list(specification["header"])
    return found


def describe_schema(table, section):
    """Return the columns and keys of one table."""
    specification = section[table]
    schema = {
        "fields": [describe_field(name, facts) for name, facts in specification["columns"].items()],
        "missingValues": [""],
        "primaryKey": list(specification["key"]),
    }
    if "foreign" in specification:
        schema["foreignKeys"] = [
            {"fields": column, "reference": {"resource": other, "fields": section[other]["key"][0]}}
            for column, other in specification["foreign"].items()
        ]
    return schema


def describe_field(name, facts):
    """Return the descriptor of one column."""
    kind, unit, grade, meaning, *extra = facts
    field = {"name": name, "type": kind, "description": meaning, "unit": unit, "personalData": grade}
    if kind in DATE_FORMATS:
        field["format"] = DATE_FORMATS[kind]
    if extra:
        field["constraints"] = dict(extra[0])
    return field
