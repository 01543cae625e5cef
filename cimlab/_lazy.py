"""A chapter's package loads a module when one of its names is used: who only counts does not wait for Splink."""

import importlib
import sys


def lazy_names(package, home):
    """Return `__getattr__`, `__dir__` and `__all__` of a package whose names are imported when they are first used.

    Parameters
    ----------
    package : str
        ``__name__`` of the package.
    home : dict of str to list of str
        Module → its names. A module of the package is named by itself, any other by its full name.

    Returns
    -------
    tuple of (function, function, list of str)

    References
    ----------
    PEP 562, module ``__getattr__``.

    Examples
    --------
    >>> get, list_names, names = lazy_names("cimlab.analysis", {"recency": ["rfm"], "cimlab.collection": ["rake"]})
    >>> names, get("rake").__module__
    (['rake', 'rfm'], 'cimlab.collection.weighting')
    >>> get("rmf")
    Traceback (most recent call last):
    ...
    AttributeError: module 'cimlab.analysis' has no attribute 'rmf'; it has: rake, rfm
    """
    where = {name: module if "." in module else f"{package}.{module}" for module in home for name in home[module]}
    names = sorted(where)

    def get(name):
        if name in where:
            return getattr(importlib.import_module(where[name]), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}; it has: {', '.join(names)}")

    return get, lambda: sorted([*vars(sys.modules[package]), *names]), names
