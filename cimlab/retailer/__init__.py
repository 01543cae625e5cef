"""The synthetic retailer Xudong (旭东): persons, firms, purchases and calls from a seed, and the dirt of its records.

A wing of the package: no chapter imports it. It writes files; `cimlab.load` reads them.
"""

from cimlab.retailer.truth import read_truth

__all__ = ["read_truth"]
