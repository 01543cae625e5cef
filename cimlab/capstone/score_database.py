"""Part A, the customers: are they the right ones, do their purchases and their true values stand with them?"""

import pandas as pd

from cimlab.analysis.columns import need
from cimlab.capstone.bands import judge
from cimlab.database import (
    pairs_in_groups,
    score_pairs,
    standardise_addresses,
    standardise_cities,
    standardise_dates,
    standardise_emails,
    standardise_genders,
    standardise_names,
    standardise_phones,
)

_NAN = float("nan")


def owner_of_customers(sources, entity_map):
    """Say whose a customer is: the person of more than half of its records.

    Parameters
    ----------
    sources : pandas.DataFrame
        record_id, customer_id: what the student linked.
    entity_map : pandas.DataFrame
        record_id, person_id: the truth.

    Returns
    -------
    pandas.Series of str
        person_id by customer_id. Each person once: with the customer who holds most of his records.

    Examples
    --------
    >>> sources = pd.DataFrame({"record_id": ["r1", "r2", "r3"], "customer_id": ["K1", "K1", "K2"]})
    >>> owner_of_customers(sources, pd.DataFrame({"record_id": ["r1", "r2", "r3"], "person_id": "N1"})).to_dict()
    {'K1': 'N1'}
    """
    rows = need(sources, ["record_id", "customer_id"], "table of sources").drop_duplicates().dropna()
    rows["person_id"] = rows["record_id"].map(entity_map.set_index("record_id")["person_id"])
    counts = rows.groupby(["customer_id", "person_id"]).size().rename("records").reset_index()
    counts = counts[counts["records"] * 2 > counts["customer_id"].map(rows["customer_id"].value_counts())]
    counts = counts.sort_values(["records", "customer_id"], ascending=[False, True]).drop_duplicates("person_id")
    return counts.set_index("customer_id")["person_id"].sort_index()


def score_linkage(sources, entity_map, records):
    """Judge whether the records of a person stand together, and nobody else's with them.

    Parameters
    ----------
    sources : pandas.DataFrame
        record_id, customer_id. A record that is not there was lost, and counts as alone.
    entity_map : pandas.DataFrame
        record_id, person_id (missing: a stranger, a person of his own).
    records : list of str or pandas.Series
        The records that had to be linked.

    Returns
    -------
    pandas.DataFrame
        Two rows of the report: by pairs (a customer of ten records weighs 45 times one of two), and by records.

    Raises
    ------
    ValueError
        A column is missing, or a record stands under two customers.

    References
    ----------
    Bagga, A. and Baldwin, B. (1998). Entity-based cross-document coreferencing using the vector space model. COLING-ACL
    (B-cubed). Christen, P. (2012). Data Matching, chapter 7. Springer.

    Examples
    --------
    >>> truth = pd.DataFrame({"record_id": ["r1", "r2", "r3"], "person_id": ["N1", "N1", "N2"]})
    >>> alone = truth.assign(customer_id=["K1", "K2", "K3"])
    >>> score_linkage(alone, truth, ["r1", "r2", "r3"])[["value", "points", "of"]].round(2)
       value  points  of
    0    0.0       0  10
    1    0.8       0   5
    """
    mine = need(sources, ["record_id", "customer_id"], "table of sources").drop_duplicates()
    if mine["record_id"].duplicated().any():
        twice = mine.loc[mine["record_id"].duplicated(), "record_id"].iloc[0]
        raise ValueError(f"the record {twice} stands under two customers: a record belongs to one")
    rows = pd.DataFrame({"record_id": pd.unique(pd.Series(records))})
    person, customer = entity_map.set_index("record_id")["person_id"], mine.set_index("record_id")["customer_id"]
    rows["person_no"] = rows["record_id"].map(person).fillna("? " + rows["record_id"])
    rows["customer_id"] = rows["record_id"].map(customer)
    lost = int(rows["customer_id"].isna().sum())
    rows["customer_id"] = rows["customer_id"].fillna("? " + rows["record_id"])
    pairs = score_pairs(pairs_in_groups(rows), rows).iloc[0]
    both = rows.groupby(["customer_id", "person_no"])["record_id"].transform("size")
    clean = (both / rows.groupby("customer_id")["record_id"].transform("size")).mean()
    whole = (both / rows.groupby("person_no")["record_id"].transform("size")).mean()
    by_pairs, by_records = _linkage_words(pairs, clean, whole, lost, len(rows))
    f1 = 2 * clean * whole / (clean + whole)
    return pd.concat(
        [judge("linkage by pairs", pairs["f1"], *by_pairs), judge("linkage by records", f1, *by_records)],
        ignore_index=True,
    )


def _linkage_words(pairs, clean, whole, lost, size):
    precision, recall = pairs["precision"], pairs["recall"]
    told = f"{precision:.0%} of your pairs are one person" if pairs["found_pairs"] else "You linked no two records"
    says = f"{told}, and you found {recall:.0%} of the pairs there are."
    split = "Too much is left apart: link on several fields at once, with values written in one way, and lower the bar."
    glued = "Different persons run together: raise the threshold, and keep records apart that cannot be one person."
    advice = glued if precision < recall - 0.02 else (split if not pairs["found_pairs"] or recall < precision else None)
    gone = f" {lost} of {size} records stand under no customer at all." if lost else ""
    words = (
        f"On average {clean:.0%} of the records of a customer are of one person, and {whole:.0%} of the records of a"
    )
    words = f"{words} person stand together.{gone}"
    return (says, advice), (words, advice)


def score_purchases(transactions, sources, orders, entity_map):
    """Judge whether the purchases reached the base, each under the customer who is the person that bought.

    Parameters
    ----------
    transactions : pandas.DataFrame
        order_id, customer_id, amount: the table of the base.
    sources, entity_map : pandas.DataFrame
        As for `score_linkage`.
    orders : pandas.DataFrame
        The table ``orders``: order_id, customer_ref, amount. An order without a card, account or call is not judged.

    Returns
    -------
    pandas.DataFrame
        One row of the report. Whose a customer is, says `owner_of_customers`; one whose records are of many persons is
        nobody's.

    Examples
    --------
    >>> orders = pd.DataFrame({"order_id": ["O1", "O2"], "customer_ref": ["r1", "r2"], "amount": [5.0, 7.0]})
    >>> who = pd.DataFrame({"record_id": ["r1", "r2"], "customer_id": ["K1", "K2"], "person_id": ["N1", "N2"]})
    >>> mine = pd.DataFrame({"order_id": ["O1", "O2"], "customer_id": ["K1", "K1"], "amount": [5.0, 7.0]})
    >>> score_purchases(mine, who, orders, who)["value"].item()
    0.5
    """
    known = need(orders, ["order_id", "customer_ref", "amount"], "orders table").set_index("order_id")
    known["person"] = known["customer_ref"].map(entity_map.set_index("record_id")["person_id"])
    known = known.dropna(subset="person")
    mine = need(transactions, ["order_id", "customer_id", "amount"], "table of transactions")
    mine = mine.drop_duplicates("order_id").set_index("order_id").reindex(known.index)
    same = (mine["amount"].astype("float64") - known["amount"]).abs() < 0.005
    whose = mine["customer_id"].map(owner_of_customers(sources, entity_map))
    right = float((same & (whose == known["person"])).mean()) if len(known) else _NAN
    gone = int(mine["amount"].isna().sum())
    says = f"{right:.1%} of the purchases with a card, account or call stand under the customer who bought; "
    return judge("purchases kept", right, f"{says}{gone} of {len(known)} are missing.")


def score_survivors(file, sources, entity_map, persons, records):
    """Judge the values that were chosen for each customer, against the true ones.

    Only a choice counts: where the records of the person differ, and one of them holds the true value. Only customers
    count of whom one can say who they are (see `owner_of_customers`).

    Parameters
    ----------
    file : pandas.DataFrame
        customer_id, phone, email, address, birth_date.
    sources, entity_map : pandas.DataFrame
        As for `score_linkage`.
    persons : pandas.DataFrame
        The truth: person_id and the same fields.
    records : pandas.DataFrame
        record_id and the same fields, of all channels, standardised; a record may stand there in several versions.

    Returns
    -------
    pandas.DataFrame
        One row of the report; not measured if fewer than half of the persons can be found among the customers.

    Examples
    --------
    >>> values = {"phone": "17400000001", "email": "a@example.com", "address": None, "birth_date": "1990-01-05"}
    >>> who = pd.DataFrame({"record_id": ["r1", "r2"], "customer_id": "K1", "person_id": "N1"})
    >>> records = pd.DataFrame([values, values]).assign(record_id=["r1", "r2"])
    >>> records["email"], records["phone"] = ["a@example.com", "b@example.com"], ["17400000001", "17400000002"]
    >>> file = pd.DataFrame([values]).assign(customer_id="K1", email="b@example.com")
    >>> score_survivors(file, who, who, pd.DataFrame([values]).assign(person_id="N1"), records)["value"].item()
    0.5
    """
    fields = ["phone", "email", "address", "birth_date"]
    owner = owner_of_customers(sources, entity_map)
    person = records["record_id"].map(entity_map.set_index("record_id")["person_id"])
    share = len(owner) / max(person.nunique(), 1)
    chosen = need(file, ["customer_id", *fields], "customer file").drop_duplicates("customer_id")
    chosen = chosen.set_index("customer_id").reindex(owner.index).set_axis(owner.to_numpy())
    true = need(persons, ["person_id", *fields], "table of persons").set_index("person_id").reindex(owner.to_numpy())
    right = {}
    for field in fields:
        held = pd.DataFrame({"person": person, "value": one_way(records[field], field)}).dropna()
        want = one_way(true[field], field)
        keys = set(zip(held["person"], held["value"], strict=True))
        several = held.drop_duplicates().groupby("person").size().reindex(want.index) > 1
        could = pd.Series([pair in keys for pair in want.items()], index=want.index) & several
        right[field] = (one_way(chosen[field], field) == want)[could]
    every = pd.concat(right.values())
    if share < 0.5 or every.empty:
        return judge("surviving values", _NAN, f"Only {share:.0%} of the persons can be found among your customers.")
    shares = {field: part.mean() for field, part in right.items() if len(part)}
    worst = min(shares, key=shares.get)
    says = f"Of {len(every)} values on which the records of a person differ, {every.mean():.0%} were chosen rightly; "
    says += f"least of {worst}: {shares[worst]:.0%}. {share:.0%} of the persons could be judged."
    return judge("surviving values", float(every.mean()), says)


def one_way(values, field):
    """Return the values of a field written in one way, as text; what cannot be read is missing."""
    ways = {"phone": standardise_phones, "email": standardise_emails, "address": standardise_addresses,
            "birth_date": standardise_dates, "city": standardise_cities, "gender": standardise_genders,
            "name": standardise_names}  # fmt: skip
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.dt.strftime("%Y-%m-%d").astype("str")
    read = ways[field](values.astype("str"))
    return read.dt.strftime("%Y-%m-%d").astype("str") if field == "birth_date" else read
