"""The synthetic retailer Xudong (旭东): persons, firms, purchases and calls from a seed, and the dirt of its records.

A wing of the package: no chapter imports it. It writes files; `cimlab.load` reads them. Its numbers stand in the YAML
files beside it, each with its source or the reason for it.
"""

__all__ = ["read_truth"]


def __getattr__(name):
    # Lazy, so that `cimlab generate` does not wait for pandas, which it does not need.
    if name in __all__:
        from cimlab.retailer import truth

        return getattr(truth, name)
    raise AttributeError(f"module 'cimlab.retailer' has no attribute {name!r}")
