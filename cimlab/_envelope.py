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
    descriptor = datasets.read_descriptor(datasets.data_folder())
    if folder := os.environ.get(TRUTH_VARIABLE, "").strip():
        _check(Path(folder))
        return _look(Path(folder), name)
    seed = descriptor.get("seed")
    if not isinstance(seed, int):
        raise ValueError(
            "The envelope of this edition stays sealed: your instructor keeps its seed. All else in this chapter works "
            f"without it. Instructors: the environment variable {TRUTH_VARIABLE} names the folder of the truth."
        )
    opened = _make_truth(seed, descriptor["customers"], descriptor["level"])
    _need_name(name, opened)
    return deepcopy(opened[name])


def _need_name(name, names):
    if name not in names:
        raise ValueError(f"The envelope holds no {name!r}; it holds {', '.join(sorted(names))}")


def _names(folder):
    """Return what the envelope of a folder holds."""
    return ["planted", *(resource["name"] for resource in datasets.read_descriptor(folder)["resources"])]


def _look(folder, name):
    """Return one thing from the truth in a folder."""
    from cimlab.retailer.truth import read_truth

    _need_name(name, _names(folder))
    if name == "planted":
        return json.loads((folder / "planted.json").read_text(encoding="utf-8"))
    return read_truth(name, folder)


def _check(folder):
    """See that a folder is a truth, and that of the loaded edition."""
    if not (folder / datasets.DESCRIPTOR).is_file() or not (folder / "planted.json").is_file():
        raise FileNotFoundError(
            f"{TRUTH_VARIABLE} names {folder}, which is no truth as `cimlab generate --truth` makes it"
        )
    if not set(datasets.load("members")["member_id"]) <= set(_look(folder, "entity_map")["record_id"]):
        raise ValueError(f"{TRUTH_VARIABLE} names {folder}, the truth of another edition: it does not know all cards")


@cache
def _make_truth(seed, customers, level):
    """Make the edition again in a folder that goes away, and keep its truth: it is the same at every call."""
    from cimlab.retailer.write import write_edition

    with tempfile.TemporaryDirectory() as folder:
        truth = Path(folder, "truth")
        write_edition(Path(folder, "edition"), truth, customers=customers, seed=seed, level=level)
        return {name: _look(truth, name) for name in _names(truth)}
