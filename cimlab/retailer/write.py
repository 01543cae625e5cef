"""Write an edition to folders: tables as CSV, the data dictionary as a Frictionless Data Package, the data card."""

import csv
import hashlib
import io
import json
import shutil
import tempfile
from pathlib import Path

from cimlab.retailer.card import write_card
from cimlab.retailer.draws import read_settings

DATA_NAME, TRUTH_NAME = "xudong", "xudong-truth"
DATE_FORMATS = {"date": "%Y-%m-%d", "datetime": "%Y-%m-%d %H:%M"}


def write_edition(edition, folder, truth_folder=None, *, seed, customers):
    """Write the data into `folder` and the truth into `truth_folder`: both whole, or nothing at all.

    Parameters
    ----------
    edition : tuple of dict
        What `make_edition` returns.
    folder, truth_folder : path-like
        Folders to write; an edition of ours that stands there is replaced. No truth is written without `truth_folder`.
    seed, customers : int
        What the edition was made from; written into the descriptor.

    Raises
    ------
    ValueError
        If a folder holds anything that is not an edition of ours, or if one folder lies in the other.
    OSError
        If a folder cannot be written; then nothing was changed.
    """
    targets = check_folders(folder, truth_folder)
    made = []
    try:
        for target, name, tables in zip(targets, (DATA_NAME, TRUTH_NAME), edition, strict=False):
            target.parent.mkdir(parents=True, exist_ok=True)
            made.append(Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent)))
            write_folder(made[-1], name, tables, seed=seed, customers=customers)
        replace_folders(made, targets)
    finally:
        for leftover in made:
            shutil.rmtree(leftover, ignore_errors=True)


def write_folder(folder, name, tables, *, seed, customers):
    """Write the tables, the descriptor and the card of one folder."""
    section = read_settings("dictionary")["tables" if name == DATA_NAME else "truth"]
    resources = []
    for table, specification in section.items():
        content = format_csv(list(specification["columns"]), tables[table])
        (folder / f"{table}.csv").write_bytes(content)
        resources.append(describe_resource(table, specification, content, len(tables[table])))
    descriptor = describe_package(name, resources, seed, customers)
    text = json.dumps(descriptor, ensure_ascii=False, indent=1) + "\n"
    (folder / "datapackage.json").write_text(text, encoding="utf-8", newline="\n")
    (folder / "README.md").write_text(write_card(descriptor, truth=name == TRUTH_NAME), encoding="utf-8", newline="\n")
    # mkdtemp makes a folder that only its owner may read
    folder.chmod(0o755)


def format_csv(columns, rows):
    """Return the bytes of a CSV file: UTF-8, LF."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def describe_package(name, resources, seed, customers):
    """Return the descriptor of a folder."""
    dictionary = read_settings("dictionary")
    package = {"name": name, "title": dictionary["title"], "profile": "tabular-data-package"}
    if name == TRUTH_NAME:
        package["title"] += ": the truth"
    licence = {
        "name": "CC-BY-4.0",
        "title": "Creative Commons Attribution 4.0",
        "path": "https://creativecommons.org/licenses/by/4.0/",
    }
    package |= {"licenses": [licence], "seed": seed, "customers": customers}
    return package | {"referenceDate": dictionary["reference_date"].isoformat(), "resources": resources}


def describe_resource(table, specification, content, rows):
    """Return the Frictionless descriptor of one table."""
    schema = {"fields": [describe_field(name, facts) for name, facts in specification["columns"].items()]}
    schema |= {"missingValues": [""], "primaryKey": specification["key"]}
    if "foreign" in specification:
        tables = read_settings("dictionary")["tables"]
        schema["foreignKeys"] = [
            {"fields": column, "reference": {"resource": other, "fields": tables[other]["key"][0]}}
            for column, other in specification["foreign"].items()
        ]
    return {
        "name": table,
        "path": f"{table}.csv",
        "description": specification["meaning"],
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "rows": rows,
        "bytes": len(content),
        "hash": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "schema": schema,
    }


def describe_field(name, facts):
    """Return the Frictionless descriptor of one column; `unit` and `personalData` are ours."""
    kind, unit, grade, meaning, *extra = facts
    field = {"name": name, "type": kind, "description": meaning, "unit": unit, "personalData": grade}
    if kind in DATE_FORMATS:
        field["format"] = DATE_FORMATS[kind]
    if extra:
        field["constraints"] = extra[0]
    return field


def check_folders(folder, truth_folder=None):
    """Return the folders to write as absolute paths, or raise ValueError if one of them must not be written."""
    data = Path(folder).resolve()
    check_replaceable(data, DATA_NAME)
    if truth_folder is None:
        return [data]
    truth = Path(truth_folder).resolve()
    if data == truth or data in truth.parents or truth in data.parents:
        raise ValueError(f"the truth must stay apart from the data: {truth} and {data} lie in one another.")
    check_replaceable(truth, TRUTH_NAME)
    return [data, truth]


def check_replaceable(folder, name):
    """Raise ValueError unless the folder is missing, empty, or holds nothing but an edition of ours."""
    if folder == Path.cwd():
        raise ValueError(f"{folder} is the folder you are in; name another one, since it is replaced as a whole.")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file; name a folder.")
    found = {path.name for path in folder.iterdir()}
    if not found:
        return
    try:
        descriptor = json.loads((folder / "datapackage.json").read_text(encoding="utf-8-sig"))
        ours = {resource["path"] for resource in descriptor["resources"]} if descriptor["name"] == name else set()
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    if not ours:
        raise ValueError(
            f"{folder} is not empty and is no edition made by this command; name another folder or an empty one."
        )
    strange = sorted(found - ours - {"datapackage.json", "README.md"})
    if strange:
        raise ValueError(f"{folder} holds {strange[0]!r}, which this command did not make; move it away first.")


def replace_folders(made, targets):
    """Put the made folders in the place of the targets; if one cannot be replaced, put all back as they were."""
    moved, put = [], []
    try:
        for new, target in zip(made, targets, strict=True):
            if target.exists():
                aside = new.with_name(f"{new.name}-old")
                target.replace(aside)
                moved.append((aside, target))
            new.replace(target)
            put.append(target)
    except OSError:
        for target in put:
            shutil.rmtree(target, ignore_errors=True)
        for aside, target in moved:
            aside.replace(target)
        raise
    for aside, _ in moved:
        shutil.rmtree(aside, ignore_errors=True)
