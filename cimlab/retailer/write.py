"""Write an edition of the retailer: the parts of its tables, their files, the data dictionary and the data card."""

import hashlib
import importlib
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cimlab.retailer import card, files, run
from cimlab.retailer.draws import read_settings
from cimlab.retailer.folders import (
    NAMES,
    check_folders,
    check_space,
    open_work,
    read_json,
    replace_folders,
    work_of,
)
from cimlab.retailer.run import (
    SECTIONS,
    generator_version,
    list_blocks,
    make_part,
    part_name,
    run_tasks,
    write_file,
)


def write_edition(
    folder,
    truth_folder=None,
    *,
    customers,
    seed,
    level="normal",
    form=None,
    tables=None,
    core=None,
    progress=None,
    say=lambda text: None,
    **engine,
):
    """Write the data into `folder` and the truth into `truth_folder`: both whole, or nothing at all.

    Parameters
    ----------
    folder, truth_folder : path-like
        Folders to write; an edition of ours that stands there is replaced. No truth is written without `truth_folder`.
    customers : int
        Number of persons, 1 to 2^26.
    seed : int
        The same seed gives the same content on every machine.
    level : {"clean", "light", "normal", "heavy"}
        How dirty the records are.
    form : {"files", "parquet"}, optional
        Files that a reader can open, or Parquet; by default files for up to 20,000 persons.
    tables : list of str, optional
        The tables of the data to write; all if not given.
    core : str, optional
        Another module that makes the rows (`make_tables`, `make_common_tables`) than `cimlab.retailer.edition`.
    progress : callable, optional
        Wraps what is worked through: ``progress(items, total, label)``.
    say : callable
        Takes a line of text for the user.
    **engine
        `jobs`, `engine`, `scheduler` of `cimlab.retailer.run.run_tasks`.

    Returns
    -------
    list of (pathlib.Path, list of dict)
        Each folder with its tables: `table`, `path`, `rows`, `bytes`, `hash`.

    Raises
    ------
    ValueError
        If a folder holds anything that is not an edition of ours, or if one folder lies in the other.
    OSError
        If a folder cannot be written; then nothing was changed. What was finished is kept beside it for the next run.
    """
    targets = check_folders(folder, truth_folder)
    plan = make_plan(customers, seed, level=level, form=form, tables=tables, truth=len(targets) > 1, core=core)
    check_space(targets, estimate(plan))
    with open_work(targets, plan, keep=lambda: is_worth_keeping(plan, targets)) as works:
        written = build(plan, works, progress=progress, say=say, **engine)
        replace_folders(works, targets)
    return list(zip(targets, written, strict=True))


def make_plan(customers, seed, *, level="normal", form=None, tables=None, truth=False, core=None):
    """Return all that decides the content of an edition, as a dict that JSON can keep."""
    if form is None:
        form = "files" if customers <= read_settings("write")["files_up_to"] else "parquet"
    if tables is not None:
        tables = [name for name in read_settings("dictionary")["tables"] if name in tables]
    return {
        "customers": customers,
        "seed": seed,
        "level": level,
        "form": form,
        "tables": tables,
        "truth": truth,
        # the seed is the truth: it is told in the data only where the truth is not kept, or where it is public
        "tell_seed": not truth or seed == read_settings("write")["seed"],
        "core": core or run.CORE,
        "generator": generator_version(),
    }


def estimate(plan):
    """Return about how many bytes an edition needs while it is made: the data and, if it is written, the truth."""
    sizes = read_settings("write")["bytes_per_customer"]
    needs = []
    for section in list(SECTIONS)[: 1 + plan["truth"]]:
        chosen = [table for table in section_tables(plan, section) if table in sizes[section]]
        need = sum(sizes[section][table]["parquet"] for table in chosen)
        if plan["form"] == "files":
            # the parts stay until the last file is written
            need += sum(sizes[section][table]["files"] for table in chosen)
        needs.append(need * plan["customers"])
    return needs


def section_tables(plan, section):
    """Return the tables that a plan writes of the data or of the truth: name → entry of the dictionary."""
    tables = read_settings("dictionary")[SECTIONS[section]]
    if section == "data" and plan["tables"] is not None:
        return {name: tables[name] for name in plan["tables"]}
    return tables


# --- from the parts to the folder -----------------------------------------------------------------------------------


def build(plan, works, *, progress=None, say=lambda text: None, **engine):
    """Make an edition in its working folders, in `edition/` of each; return the tables of each one."""
    progress = progress or (lambda items, total, label: items)
    by_section = dict(zip(SECTIONS, works, strict=False))
    jobs = list_jobs(plan, by_section)
    facts = finish_parts(jobs, progress, say, engine)
    written = []
    for section, work in by_section.items():
        tables = section_tables(plan, section)
        parts = {name: list_parts(section, name, jobs, facts) for name in tables}
        if plan["form"] == "parquet":
            infos = [describe_parts(name, found) for name, found in parts.items()]
        else:
            infos = list(progress(finish_files(work, tables, parts), len(tables), "files"))
        write_descriptor(work / "edition", section, infos, plan)
        shutil.rmtree(work / "parts", ignore_errors=True)
        written.append(infos)
    return written


def list_jobs(plan, by_section):
    """Return the jobs of `make_part`: one for the tables that do not depend on the persons, one for each block."""
    common = set(importlib.import_module(plan["core"]).make_common_tables(plan["seed"]))
    inner = "edition" if plan["form"] == "parquet" else "parts"
    folders = {section: str(work / inner) for section, work in by_section.items()}
    markers = by_section["data"] / "finished"
    wanted = {section: list(section_tables(plan, section)) for section in by_section}
    first = {"plan": plan, "number": None, "start": 0, "stop": 0, "folders": folders}
    first |= {"names": {"data": [name for name in wanted["data"] if name in common]}}
    jobs = [first | {"marker": str(markers / "common.json")}]
    wanted["data"] = [name for name in wanted["data"] if name not in common]
    blocks = list_blocks(plan["customers"]) if any(wanted.values()) else []
    for number, (start, stop) in enumerate(blocks):
        place = {"number": number, "start": start, "stop": stop, "marker": str(markers / f"{number:05d}.json")}
        jobs.append(first | place | {"names": wanted})
    return jobs


def finish_parts(jobs, progress, say, engine):
    """Make the parts that are not there yet; return the facts of all of them."""
    common, *blocks = jobs
    if read_facts(common) is None:
        make_part(common)
    todo = [job for job in blocks if read_facts(job) is None]
    if len(todo) < len(blocks):
        say(f"Going on with a run that was interrupted: {len(blocks) - len(todo)} of {len(blocks)} parts are done.")
    for _ in progress(run_tasks(make_part, todo, **engine), len(todo), "parts"):
        pass
    facts = [read_facts(job) for job in jobs]
    if None in facts:
        raise OSError(
            f"a part is not in {Path(common['marker']).parent}: all workers must see this folder under the same path."
        )
    return facts


def read_facts(job):
    """Return the facts of a finished part; None if it is not finished or a file of it is not as it was."""
    facts = read_json(Path(job["marker"]))
    for section, tables in (facts or {}).items():
        for name, (_, size, _) in tables.items():
            path = Path(job["folders"][section], name, part_name(job["number"]))
            if not path.is_file() or path.stat().st_size != size:
                return None
    return facts


def list_parts(section, name, jobs, facts):
    """Return the parts of a table: path, rows, bytes, hash of each."""
    parts = []
    for job, found in zip(jobs, facts, strict=True):
        if name in found.get(section, {}):
            path = Path(job["folders"][section], name, part_name(job["number"]))
            parts.append((path, *found[section][name]))
    return parts


def describe_parts(name, parts):
    """Return the facts of a table in parts; the hash of several is that of their hashes, one a line."""
    hashes = [digest for *_, digest in parts]
    digest = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    return {
        "table": name,
        "format": "parquet",
        "path": [f"{name}/{path.name}" for path, *_ in parts],
        "rows": sum(rows for _, rows, _, _ in parts),
        "bytes": sum(size for _, _, size, _ in parts),
        "hash": hashes[0] if len(hashes) == 1 else f"sha256:{digest}",
    }


def finish_files(work, tables, parts):
    """Write each table of a small edition as one file in its own form; yield its facts."""
    for name, specification in tables.items():
        read = [pq.ParquetFile(path).read() for path, *_ in parts[name]]
        table = files.sort_rows(pa.concat_tables(read), specification)
        path = work / "edition" / files.file_name(name, specification)
        size, digest = write_file(path, files.format_file(name, table, specification))
        info = {"table": name, "path": path.name, "rows": table.num_rows, "bytes": size, "hash": digest}
        yield info | files.describe_file(name, table, specification)


def write_descriptor(folder, section, infos, plan):
    """Write the data dictionary, the same as Croissant, and the data card of a folder."""
    seed = plan["seed"] if plan["tell_seed"] or section == "truth" else "hidden"
    descriptor = card.describe_package(
        NAMES[section], infos, seed=seed, customers=plan["customers"], level=plan["level"], form=plan["form"]
    )
    for resource, info in zip(descriptor["resources"], infos, strict=True):
        complete_resource(resource, info, {info["table"] for info in infos})
    croissant = json.dumps(card.write_croissant(descriptor), ensure_ascii=False, separators=(",", ":"))
    texts = {}
    core = importlib.import_module(plan["core"])
    if section == "truth" and hasattr(core, "make_planted"):
        texts["planted.json"] = json.dumps(core.make_planted(plan["seed"]), ensure_ascii=False, indent=1) + "\n"
    texts |= {
        "datapackage.json": short_json(descriptor) + "\n",
        "croissant.json": croissant + "\n",
        "README.md": card.write_card(descriptor, truth=section == "truth"),
    }
    for name, text in texts.items():
        write_file(folder / name, text.encode())


def short_json(value, depth=0):
    """Return JSON in which what fits into a line stays in one: a column of a table is a line, not seven.

    Examples
    --------
    >>> short_json({"name": "stores", "fields": [1, 2]})
    '{"name": "stores", "fields": [1, 2]}'
    """
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + depth <= 240 or not isinstance(value, dict | list):
        return line
    inner, pad = depth + 1, "\n" + " " * (depth + 1)
    if isinstance(value, dict):
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {short_json(item, inner)}" for key, item in value.items()]
        return "{" + pad + f",{pad}".join(parts) + "\n" + " " * depth + "}"
    return "[" + pad + f",{pad}".join(short_json(item, inner) for item in value) + "\n" + " " * depth + "]"


def complete_resource(resource, info, present):
    """Add to a resource what its file alone tells; take links to tables out that were not written."""
    if "notes" in info:
        resource["notes"] = info["notes"]
    schema = resource["schema"]
    for field in schema["fields"]:
        field |= {"format": info["times"][field["name"]]} if field["name"] in info.get("times", {}) else {}
    if "foreignKeys" in schema:
        schema["foreignKeys"] = [key for key in schema["foreignKeys"] if key["reference"]["resource"] in present]


def is_worth_keeping(plan, targets):
    """Return whether an interrupted run has finished anything that takes long to make again."""
    finished = list((work_of(targets[0]) / "finished").glob("[0-9]*.json"))
    return len(list_blocks(plan["customers"])) > 1 and bool(finished)
