"""A retailer of one's own: the edition of a seed, made once on this machine and kept in the cache of its user.

The seed stands in the environment variable CIMLAB_SEED, or in the file own_seed.txt beside the package, as a student's
kit has it. Nothing here is for use in a notebook; `cimlab.load` comes here by itself.
"""

import os
import sys
import time
from pathlib import Path

from cimlab import __version__

VARIABLE, FILE = "CIMLAB_SEED", "own_seed.txt"
CACHE = "CIMLAB_CACHE"
DESCRIPTOR = "datapackage.json"
PATIENCE = 300  # seconds to wait for another notebook that makes the same retailer


def find_seed():
    """Return the text that should be a seed, and the place where it stands: the variable goes before the file.

    Returns
    -------
    tuple of (str, str or pathlib.Path)
        The place is the name of the variable or the path of the file; (None, None) if there is neither.
    """
    if text := os.environ.get(VARIABLE, "").strip():
        return text, VARIABLE
    file = Path(__file__).resolve().parent.parent / FILE
    try:
        return file.read_text(encoding="utf-8-sig", errors="replace").strip(), file
    except OSError:
        return None, None


def own_seed():
    """Return the seed of this student's own retailer, or None.

    Raises
    ------
    ValueError
        If it is no whole number; the message says where it stands.
    """
    text, place = find_seed()
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    if place == VARIABLE:
        where, remedy = (
            f"The environment variable {VARIABLE}",
            "Set it to the number you were given, or remove it.",
        )
    else:
        where, remedy = f"The file {place}", "Take it from your kit again, or ask your instructor for it."
    raise ValueError(f"{where} holds {text!r}; the seed of a retailer is a whole number. {remedy}")


def own_folder(seed, **settings):
    """Return the folder of the retailer of a seed; make it first where it is not there: whole, or not at all.

    Parameters
    ----------
    seed : int
    **settings
        Other `customers` or `level` than the course has.

    Returns
    -------
    pathlib.Path
        A folder in the user's cache. Another version of cimlab makes another one.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    named = "".join(f"-{value}" for value in settings.values())
    folder = cache_folder() / "retailers" / f"{__version__}-{seed}{named}"
    if not (folder / DESCRIPTOR).is_file():
        _make(folder, seed, settings)
    return folder


def cache_folder():
    """Return where the user's programs keep what they can make again: that of CIMLAB_CACHE, else that of the system."""
    if chosen := os.environ.get(CACHE, "").strip():
        return Path(chosen).expanduser().absolute()
    home = Path.home()
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "cimlab" / "Cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "cimlab"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "cimlab"


def _make(folder, seed, settings):
    from cimlab.retailer.draws import read_settings
    from cimlab.retailer.write import write_edition

    usual = read_settings("write")
    settings = {"customers": usual["customers"], "level": usual["level"], "seed": seed} | settings
    # On stdout: a test cell that writes to stderr gets no points.
    sys.stdout.write(f"Your retailer is made, once; it will stand in {folder}. This takes some seconds …\n")
    sys.stdout.flush()
    started = time.monotonic()
    while not (folder / DESCRIPTOR).is_file():
        try:
            write_edition(folder, form="files", **settings)
        except BlockingIOError:  # another notebook is at it
            if time.monotonic() - started > PATIENCE:
                raise
            time.sleep(0.2)
    sys.stdout.write(f"… it is there after {time.monotonic() - started:.0f} seconds.\n")
