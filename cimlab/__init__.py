"""Teach and learn customer information management: its data, its methods and its checked exercises.

The names a student types are here; a chapter's module is imported by its name::

    import cimlab
    from cimlab import database

    orders = cimlab.load("orders")
"""

__version__ = "0.1.0"
__all__ = ["describe", "envelope", "glossary", "load", "locate", "tables"]


def __getattr__(name):
    # Lazy, so that `import cimlab` does not wait for pandas.
    if name == "glossary":
        from cimlab._terms import glossary

        return glossary
    if name == "envelope":
        from cimlab._envelope import envelope

        return envelope
    if name in __all__:
        from cimlab import datasets

        return getattr(datasets, name)
    raise AttributeError(f"module 'cimlab' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
