"""What the programs are made of (软件物料清单), and which part of it has a known hole (漏洞管理).

The list of parts is real: the lock of this course, or what is installed. The advisories that come with the course are
an EXERCISE: invented packages, invented holes, the real form (OSV). They say nothing about the real parts. Whoever
wants to know that needs a network and a tool that asks today's lists: ``AUDIT_COMMAND``. Nothing here calls it.
"""

import json
import re
from importlib import metadata
from pathlib import Path

import pandas as pd

from cimlab.analysis.columns import need

AUDIT_COMMAND = "pip-audit --requirement requirements.txt"
EXERCISE_FILE = Path(__file__).with_name("advisories.json")
SEVERITIES = ["LOW", "MODERATE", "HIGH", "CRITICAL"]
DEADLINES = {"CRITICAL": 2, "HIGH": 7, "MODERATE": 30, "LOW": 90}  # days; a policy, to be argued about
BILL = ["name", "version", "installed", "licence", "direct", "needed_by"]

# The parts of an invented shop, for the invented advisories.
EXERCISE_LOCK = """
xudong-coupons==10.0
    # via shop (pyproject.toml)
xudong-members-web==2.3.0
    # via shop (pyproject.toml)
xudong-tills==10.1
    # via
    #   shop (pyproject.toml)
    #   xudong-coupons
xudong-printer==1.10
    # via xudong-tills
"""


def read_lock(text):
    """Read a lock file: each package with its exact version, and who asked for it.

    Parameters
    ----------
    text : str
        In the form of requirements.txt as pip-compile and uv write it. Lines for another system are left out.

    Returns
    -------
    pandas.DataFrame
        name, version, needed_by (list of str), direct (the course itself asks for it).

    Raises
    ------
    ValueError
        A line is no package with an exact version: such a lock does not say what is installed.

    Examples
    --------
    >>> read_lock(EXERCISE_LOCK)[["name", "version", "direct"]].tail(2).to_string(index=False, header=False).split()
    ['xudong-tills', '10.1', 'True', 'xudong-printer', '1.10', 'False']
    """
    from packaging.requirements import InvalidRequirement, Requirement

    rows, kept = [], False
    for number, line in enumerate(text.splitlines(), start=1):
        word = line.strip()
        if word.startswith("#"):
            asker = re.sub(r"^#\s*(via\b)?\s*", "", word)
            if kept and asker and line[0] == " ":
                rows[-1][2].append(asker)
        elif word:
            try:
                part = Requirement(word)
            except InvalidRequirement as error:
                raise ValueError(f"lock, line {number}: {word!r} is no package") from error
            pinned = re.fullmatch(r"==([^*,]+)", str(part.specifier))
            if not pinned:
                raise ValueError(f"lock, line {number}: {word!r} has no exact version (name==1.2.3)")
            kept = part.marker is None or part.marker.evaluate()
            if kept:
                rows.append((_plain_name(part.name), pinned[1], []))
    lock = pd.DataFrame(rows, columns=["name", "version", "needed_by"])
    return lock.assign(direct=[any("pyproject" in asker for asker in askers) for askers in lock["needed_by"]])


def bill_of_materials(lock=None, project="cimlab"):
    """List the parts of a program: name, version, licence, and who needs them (software bill of materials).

    Parameters
    ----------
    lock : str, optional
        Text of a lock file, such as requirements.txt of the course. Without it, what is installed for `project`.
    project : str
        Name of the installed program, if there is no lock.

    Returns
    -------
    pandas.DataFrame
        name, version (that the lock asks for), installed (missing if it is not), licence ("unknown" if the package does
        not say), direct (asked for by the program itself), needed_by (text).

    Raises
    ------
    ValueError
        The lock cannot be read, or without a lock the project is not installed.

    References
    ----------
    NTIA (2021), The minimum elements for a software bill of materials.

    Examples
    --------
    >>> bill = bill_of_materials("pandas==1.0\\n    # via cimlab (pyproject.toml)\\n")
    >>> bill[["name", "version", "licence", "direct"]].values.tolist()
    [['pandas', '1.0', 'BSD-3-Clause', True]]
    """
    parts = _installed_parts(project) if lock is None else read_lock(lock)
    facts = [_facts(name) for name in parts["name"]]
    parts = parts.assign(installed=[fact[0] for fact in facts], licence=[fact[1] for fact in facts])
    parts["needed_by"] = [", ".join(sorted(askers)) for askers in parts["needed_by"]]
    return parts[BILL].sort_values("name", ignore_index=True)


def read_advisories(path=EXERCISE_FILE):
    """Read advisories in the OSV form.

    Parameters
    ----------
    path : str or pathlib.Path
        A JSON file with a list of them; the exercise by default.

    Returns
    -------
    pandas.DataFrame
        A row an advisory and package: id, name, severity, summary, events (of the ranges), versions (named singly).
        Withdrawn ones are left out.

    Raises
    ------
    ValueError
        An advisory lacks a part.

    References
    ----------
    Open Source Vulnerability format, https://ossf.github.io/osv-schema/.

    Examples
    --------
    >>> read_advisories()[["id", "name", "severity"]].iloc[1].tolist()
    ['EXERCISE-2026-0002', 'xudong-tills', 'CRITICAL']
    """
    rows = []
    for place, entry in enumerate(json.loads(Path(path).read_text(encoding="utf-8"))):
        if "withdrawn" in entry:
            continue
        try:
            severity, told = entry["database_specific"]["severity"], (entry["id"], entry["summary"])
            for affected in entry["affected"]:
                events = [one for part in affected.get("ranges", []) for one in part["events"]]
                name = _plain_name(affected["package"]["name"])
                rows.append((told[0], name, severity, told[1], events, affected.get("versions", [])))
        except KeyError as error:
            raise ValueError(f"advisory {place} ({entry.get('id', 'no id')}) lacks {error}") from error
    return pd.DataFrame(rows, columns=["id", "name", "severity", "summary", "events", "versions"])


def is_affected(version, events, versions=(), compare="version"):
    """Say whether a version lies in the ranges of an advisory.

    Parameters
    ----------
    version : str
    events : list of dict
        Each one of introduced, fixed (the first good one) or last_affected (the last bad one).
    versions : list of str
        Versions named singly.
    compare : str
        "version" (1.10 comes after 1.9) or "text", the mistake to be shown: as text "10.0" comes before "9.0".

    Returns
    -------
    bool

    Raises
    ------
    ValueError
        A version has not the form of one (PEP 440), or there is no such way to compare.

    Examples
    --------
    >>> events = [{"introduced": "0"}, {"fixed": "9.4"}]
    >>> is_affected("10.0", events), is_affected("10.0", events, compare="text")
    (False, True)
    """
    from packaging.version import InvalidVersion, Version

    if compare not in ("version", "text"):
        raise ValueError(f"is_affected compares by version or by text, not by {compare!r}")
    read = str if compare == "text" else Version
    order = {"introduced": 0, "fixed": 1, "last_affected": 2}
    try:
        own, singles = read(version), [read(one) for one in versions]
        steps = [(read(number), order[kind]) for event in events for kind, number in event.items()]
    except InvalidVersion as error:
        raise ValueError(f"is_affected: {error}") from error
    inside = False
    for number, kind in sorted(steps):
        if number < own or (number == own and kind < 2):
            inside = kind == 0
    return inside or own in singles


def match_advisories(bill, advisories, compare="version"):
    """Find the parts that have a known hole.

    Parameters
    ----------
    bill : pandas.DataFrame
        name, version, direct, as `bill_of_materials` returns them.
    advisories : pandas.DataFrame
        As `read_advisories` returns them. No match means: not on *this* list, on its day.
    compare : str
        As in `is_affected`.

    Returns
    -------
    pandas.DataFrame
        name, version, direct, id, severity, summary, fixed (the first version above that is in no advisory's range;
        missing if none is known); the worst first.

    Raises
    ------
    ValueError
        A column is missing or a severity is unknown.

    Examples
    --------
    >>> found = match_advisories(bill_of_materials(EXERCISE_LOCK), read_advisories())
    >>> found[["name", "id", "fixed"]].iloc[0].tolist()
    ['xudong-tills', 'EXERCISE-2026-0002', '10.2']
    """
    bill = need(bill, ["name", "version", "direct"], "bill of materials")
    advisories = need(advisories, ["id", "name", "severity", "summary", "events", "versions"], "table of advisories")
    odd = sorted(set(advisories["severity"]) - set(SEVERITIES))
    if odd:
        raise ValueError(f"no severity {odd[0]!r}; there are: {', '.join(SEVERITIES)}")
    pairs = bill.merge(advisories, on="name")
    hit = [
        is_affected(version, events, singles, compare)
        for version, events, singles in zip(pairs["version"], pairs["events"], pairs["versions"], strict=True)
    ]
    found = pairs[pd.Series(hit, index=pairs.index, dtype=bool)]
    fixes = [_first_fix(version, events) for version, events in zip(found["version"], found["events"], strict=True)]
    found = found.assign(fixed=pd.Series(fixes, index=found.index, dtype=object)).drop(columns=["events", "versions"])
    return found.sort_values(
        ["severity", "name", "id"], key=lambda part: part.map(_rank) if part.name == "severity" else part
    ).reset_index(drop=True)


def update_plan(found, today, advisories=None, days=None):
    """Say what to update to which version, and until when.

    Parameters
    ----------
    found : pandas.DataFrame
        What `match_advisories` returns.
    today : str or datetime.date
        Day on which it was found.
    advisories : pandas.DataFrame, optional
        With it, a version that another advisory names is no goal.
    days : dict of str to int, optional
        Severity → days; `DEADLINES` by default.

    Returns
    -------
    pandas.DataFrame
        A row a package: name, version, update_to (missing: there is no repaired version; take it out or shield it),
        severity (the worst), holes, update_by, how ("direct", or "carried along": who needs it has to allow it).

    Examples
    --------
    >>> advisories = read_advisories()
    >>> found = match_advisories(bill_of_materials(EXERCISE_LOCK), advisories)
    >>> update_plan(found, "2026-06-30", advisories)[["name", "update_to", "how"]].values.tolist()
    [['xudong-tills', '10.2.1', 'direct'], ['xudong-members-web', nan, 'direct'],
     ['xudong-printer', '1.11', 'carried along']]
    """
    from packaging.version import Version

    days = DEADLINES if days is None else days
    rows = []
    for name, part in found.groupby("name", sort=False):
        worst = max(part["severity"], key=SEVERITIES.index)
        goal = None if part["fixed"].isna().any() else max(part["fixed"], key=Version)
        if goal is not None and advisories is not None:
            others = advisories[advisories["name"] == name]
            bad = any(is_affected(goal, *pair) for pair in zip(others["events"], others["versions"], strict=True))
            goal = None if bad else goal
        by = pd.Timestamp(today) + pd.Timedelta(days=days[worst])
        how = "direct" if part["direct"].iloc[0] else "carried along"
        rows.append((name, part["version"].iloc[0], goal, worst, len(part), by, how))
    names = ["name", "version", "update_to", "severity", "holes", "update_by", "how"]
    plan = pd.DataFrame(rows, columns=names).astype({"update_by": "datetime64[us]"})
    return plan.assign(update_to=plan["update_to"].astype(object)).sort_values("update_by", kind="stable")


def _rank(severity):
    return -SEVERITIES.index(severity)


def _first_fix(version, events):
    """Return the lowest repaired version above this one."""
    from packaging.version import Version

    fixes = [Version(event["fixed"]) for event in events if "fixed" in event]
    above = [fix for fix in fixes if fix > Version(version)]
    return str(min(above)) if above else None


def _plain_name(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def _facts(name):
    """Return the installed version of a package and its licence, as far as it says."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None, "unknown"
    own = about.get("License-Expression") or (about.get("License") or "").strip()
    if not own or len(own.splitlines()) > 1 or len(own) > 60:  # some put the whole text there
        kinds = [line.split(" :: ")[-1] for line in about.get_all("Classifier") or [] if line.startswith("License :: ")]
        own = " / ".join(kinds) or "unknown"
    return about["Version"], own


def _installed_parts(project):
    """Follow from package to package what is needed, as far as it is installed."""
    from packaging.requirements import Requirement

    found, line = {}, [(project, None)]
    while line:
        name, asker = line.pop()
        name = _plain_name(name)
        known = name in found
        found.setdefault(name, set()).update([asker] if asker else [])
        try:
            wanted = [] if known else metadata.requires(name) or []
        except metadata.PackageNotFoundError as error:
            if asker is None:
                raise ValueError(f"{project} is not installed, and no lock was given") from error
            continue
        parts = [Requirement(text) for text in wanted]
        line += [(part.name, name) for part in parts if part.marker is None or part.marker.evaluate({"extra": ""})]
    rows = [
        (name, _facts(name)[0], askers, _plain_name(project) in askers)
        for name, askers in found.items()
        if name != _plain_name(project)
    ]
    return pd.DataFrame(rows, columns=["name", "version", "needed_by", "direct"])
