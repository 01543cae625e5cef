"""The sealed envelope: what was planted in the retailer, opened at the end of a chapter to see what was found."""

import json
import os
import tempfile
from copy import deepcopy
from functools import cache
from pathlib import Path

from cimlab import datasets

__all__ = ["envelope"]

TRUTH_VARIABLE = "CIMLAB_TRUTH"


def envelope(name):
    """Open the sealed envelope: what was planted in the loaded edition of the retailer.

    No real firm has such a thing. A method is tried first on what the firm knows; then the envelope tells what was
    there to be found. The edition is made again from its seed, with its truth, in about two seconds. Where an
    instructor made the edition and keeps its seed, the envelope opens once the folder of the truth is handed out: the
    environment variable ``CIMLAB_TRUTH`` names it.

    Parameters
    ----------
    name : str
        ``planted`` for the numbers that the retailer was made with, or a table of the truth: ``traits`` (what drives
        each person: segment, satisfaction, purchases to come …), ``entity_map`` (which record is whose), ``persons``,
        ``review_facts``, ``call_facts`` and others.

    Returns
    -------
    dict or pandas.DataFrame
        ``planted`` is a dict, all else a table typed as `load` types it.

    Raises
    ------
    ValueError
        If there is no such table, if the seed of the edition is kept by the instructor, or if ``CIMLAB_TRUTH`` is the
        truth of another edition.
    FileNotFoundError
        If the folder that ``CIMLAB_TRUTH`` names is no truth.

    Examples
    --------
    >>> import cimlab
    >>> cimlab.envelope("traits").columns[:3].tolist()
    ['person_id', 'segment', 'favourites']
    >>> cimlab.envelope("planted")["pairs"][0]
    ['Cat food', 'Cat litter', 0.33]
    """
    planted, tables = _open()
    if name == "planted":
        return deepcopy(planted)
    if name not in tables:
        raise ValueError(f"The envelope holds no {name!r}; it holds planted, {', '.join(sorted(tables))}")
    return tables[name].copy()


def _open():
    """Return (planted numbers, tables) from the folder of the truth if one is named, else from the seed."""
    descriptor = datasets.read_descriptor(datasets.data_folder())
    if folder := os.environ.get(TRUTH_VARIABLE, "").strip():
        return _check(_read_truth(Path(folder)), folder)
    seed = descriptor.get("seed")
    if not isinstance(seed, int):
        raise ValueError(
            "The envelope of this edition stays sealed: your instructor keeps its seed. All else in this chapter works "
            f"without it. Instructors: the environment variable {TRUTH_VARIABLE} names the folder of the truth."
        )
    return _make_truth(seed, descriptor["customers"], descriptor["level"])


def _read_truth(folder):
    """Return (planted numbers, tables) of a folder."""
    if not (folder / datasets.DESCRIPTOR).is_file() or not (folder / "planted.json").is_file():
        raise FileNotFoundError(
            f"{TRUTH_VARIABLE} names {folder}, which is no truth as `cimlab generate --truth` makes it"
        )
    planted = json.loads((folder / "planted.json").read_text(encoding="utf-8"))
    descriptor = datasets.read_descriptor(folder)
    names = [resource["name"] for resource in descriptor["resources"]]
    tables = {name: datasets.read_table(folder, datasets.find_resource(descriptor, name)) for name in names}
    return planted, tables


def _check(opened, folder):
    """Return what was opened, if it belongs to the loaded edition."""
    if not set(datasets.load("members")["member_id"]) <= set(opened[1]["entity_map"]["record_id"]):
        raise ValueError(f"{TRUTH_VARIABLE} names {folder}, the truth of another edition: it does not know all cards")
    return opened


@cache
def _make_truth(seed, customers, level):
    """Make the edition again in a folder that goes away, and keep its truth: it is the same at every call."""
    from cimlab.retailer.write import write_edition

    with tempfile.TemporaryDirectory() as folder:
        truth = Path(folder, "truth")
        write_edition(Path(folder, "edition"), truth, customers=customers, seed=seed, level=level)
        return _read_truth(truth)
