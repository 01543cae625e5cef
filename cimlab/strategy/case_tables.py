"""Small tables for the eight cases, each with its failure planted, or without it to see the difference."""

import numpy as np
import pandas as pd

END = pd.Timestamp("2026-06-30")


def _ids(letter, number):
    return [f"{letter}{row:04d}" for row in range(1, number + 1)]


def _phones(rng, number):
    """Return numbers of a range that rings nowhere."""
    return [
        f"1740{digit}{rest:06d}"
        for digit, rest in zip(rng.integers(0, 6, number), rng.integers(0, 10**6, number), strict=True)
    ]


def _days(rng, number, first, last):
    """Return days between so many days before the end, in no order."""
    return END - pd.to_timedelta(rng.integers(last, first + 1, number), unit="D")


def _bank(rng, planted):
    central = pd.DataFrame({"customer_id": _ids("B", 300), "phone": _phones(rng, 300)})
    central["updated_on"] = _days(rng, 300, 900, 60)
    copies = central.sample(360, replace=True, random_state=int(rng.integers(2**31))).reset_index(drop=True)
    copies.insert(0, "branch", rng.choice(["East", "West", "North", "Port"], 360))
    late = pd.to_timedelta(rng.integers(1, 50, 360), unit="D")
    stale = rng.random(360) < (0.35 if planted else 0.0)
    slip = ~stale & (rng.random(360) < 0.02)  # somebody typed it wrongly: that is no stale copy
    copies["copied_on"] = copies["updated_on"] + late.where(~stale, -4 * late)
    copies["phone"] = copies["phone"].where(~(stale | slip), pd.Series(_phones(rng, 360)))
    copies = copies.drop(columns="updated_on").drop_duplicates(["branch", "customer_id"])
    return {"central": central, "branches": copies.reset_index(drop=True)}


def _e_commerce(rng, planted):
    products, stars = _ids("P", 12), [1, 2, 3, 4, 5]
    orders = pd.DataFrame({"account_id": rng.choice(_ids("W", 250), 400), "product_id": rng.choice(products, 400)})
    orders = orders.drop_duplicates().reset_index(drop=True)
    orders["ordered_on"] = _days(rng, len(orders), 360, 40)
    true = orders.sample(frac=0.6, random_state=int(rng.integers(2**31)))
    ratings = true[["account_id", "product_id"]].assign(
        stars=rng.choice(stars, len(true), p=[0.12, 0.10, 0.18, 0.30, 0.30]),
        rated_on=true["ordered_on"] + pd.to_timedelta(rng.integers(2, 30, len(true)), unit="D"),
    )
    guests = 140 if planted else 30  # a few honest people rate what they got as a present
    extra = pd.DataFrame({"account_id": _ids("V", guests), "product_id": rng.choice(products, guests)})
    extra["stars"] = rng.choice(stars, guests, p=[0.12, 0.10, 0.18, 0.30, 0.30])
    extra["rated_on"] = _days(rng, guests, 350, 10)
    if planted:
        bought = np.arange(guests) >= 20
        extra.loc[bought, "product_id"] = rng.choice(products[:3], bought.sum())
        extra.loc[bought, "stars"] = 5
        extra.loc[bought, "rated_on"] = _days(rng, bought.sum(), 24, 20)
    ratings = pd.concat([ratings, extra]).sort_values(["rated_on", "account_id", "product_id"])
    return {"ratings": ratings.reset_index(drop=True), "orders": orders}


def _maker(rng, planted):
    items = [(number, colour) for number in range(7, 31) for colour in ("BLACK", "RED")]
    short = {"BLACK": "BK", "RED": "RD"}
    sold = [f"A-{number:04d}/{colour}" for number, colour in items]
    stored = [f"{number}{short[colour]}" for number, colour in items] if planted else sold
    built = [f"P{number:04d}-{colour.lower()}" for number, colour in items] if planted else sold
    row = rng.integers(0, len(items), 300)
    orders = pd.DataFrame({"order_no": _ids("O", 300), "item_code": [sold[item] for item in row]})
    orders = orders.assign(quantity=rng.integers(1, 20, 300), ordered_on=_days(rng, 300, 90, 0))
    stock = pd.DataFrame({"stock_code": stored, "on_hand": rng.integers(0, 60, len(items))})
    production = pd.DataFrame({"batch": _ids("L", 96), "part_no": built * 2, "quantity": rng.integers(0, 30, 96)})
    return {"orders": orders, "stock": stock, "production": production}


_SAYINGS = {
    "quiet": ["wants a quiet room", "要安静的房间", "complained of noise"],
    "high": ["asked for a high floor", "喜欢高楼层", "upper floors please"],
    "vegetarian": ["vegetarian breakfast", "素食", "no meat"],
}


def _hotel(rng, planted):
    guests = _ids("G", 110)
    wish = dict(zip(guests, rng.choice(["quiet", "high", "vegetarian", "none"], 110), strict=True))
    stays = pd.DataFrame({"stay_id": _ids("S", 330), "guest_id": rng.choice(guests, 330)})
    stays["hotel"] = rng.choice(["Lake", "Station", "Airport"], 330)
    stays["arrived_on"] = _days(rng, 330, 700, 0)
    stays = stays.sort_values(["arrived_on", "stay_id"]).reset_index(drop=True)
    wished = stays["guest_id"].map(wish)
    known = (wished != "none") & (rng.random(330) < (0.10 if planted else 0.96))
    stays["preference"] = wished.where(known).astype("str").where(known)
    notes = ["desk_note", "kitchen_note", "bill_note"]
    place, words = rng.integers(0, 3, 330), rng.integers(0, 3, 330)
    speaks = ~known | ~stays["guest_id"].duplicated()  # whose wish is known need not say it again
    said = [_SAYINGS[name][word] if name != "none" else None for name, word in zip(wished, words, strict=True)]
    for number, note in enumerate(notes):
        stays[note] = pd.Series(said, dtype="str").where((place == number) & speaks)
    return {"stays": stays}


def _retailer(rng, planted):
    staff = _ids("T", 24)
    days = pd.date_range(END - pd.Timedelta(days=13), END)
    logins = pd.DataFrame([(person, day) for person in staff for day in days], columns=["staff_id", "day"])
    logins["logged_in"] = rng.random(len(logins)) < 0.95
    entries = pd.DataFrame({"entry_id": _ids("E", 400), "staff_id": rng.choice(staff, 400)})
    entries["entered_on"] = rng.choice(days, 400)
    lag = rng.random(24) * 0.5 + 0.05 if planted else rng.random(24) * 0.1 + 0.88  # how much of it in the new one
    chance = entries["staff_id"].map(dict(zip(staff, lag, strict=True)))
    entries["system"] = np.where(rng.random(400) < chance, "new", "old")
    entries["system"] = entries["system"].astype("str")
    return {"logins": logins, "entries": entries}


def _finance(rng, planted):
    accounts = pd.DataFrame({"account_id": _ids("K", 200), "opened_on": _days(rng, 200, 1800, 600)})
    leaves = rng.random(200) < 0.30
    ends = np.where(leaves, rng.integers(200, 360, 200), 0)  # days before the end
    closes = leaves & (rng.random(200) < (0.10 if planted else 1.0))
    closed = END - pd.to_timedelta(np.where(leaves, ends - 20, 0), unit="D")
    accounts["closed_on"] = pd.Series(closed).where(closes)
    rows = [
        (account, END - pd.Timedelta(days=int(day)))
        for account, stop in zip(accounts["account_id"], ends, strict=True)
        for day in range(int(stop) + int(rng.integers(0, 40)), 600, 120)
    ]
    payments = pd.DataFrame(rows, columns=["account_id", "paid_on"])
    payments["amount"] = rng.lognormal(6, 0.8, len(payments)).round(2)
    return {"accounts": accounts, "payments": payments}


def _clinic(rng, planted):
    number = 240
    family, given = list("王李张刘陈杨赵黄周吴"), list("伟芳娜敏静丽强磊洋艳勇军杰娟涛明超霞平刚")
    patients = pd.DataFrame({"name": rng.choice(family, number)})
    patients["name"] += pd.Series(rng.choice(given, number)) + pd.Series(rng.choice(given, number))
    patients["birth_date"] = _days(rng, number, 30000, 4000)
    patients["allergy"] = pd.Series(rng.choice(["penicillin", "aspirin"], number)).where(rng.random(number) < 0.25)
    patients = patients.drop_duplicates(["name", "birth_date"]).reset_index(drop=True)
    if planted:
        again = patients[patients["allergy"].notna()].sample(frac=0.4, random_state=int(rng.integers(2**31)))
        plain = patients[patients["allergy"].isna()].sample(12, random_state=int(rng.integers(2**31)))
        patients = pd.concat([patients, again.assign(allergy=None), plain], ignore_index=True)
    patients = patients.sample(frac=1, random_state=int(rng.integers(2**31))).reset_index(drop=True)
    patients["allergy"] = patients["allergy"].astype("str").where(patients["allergy"].notna())
    patients.insert(0, "patient_id", _ids("N", len(patients)))
    drugs = pd.DataFrame({"patient_id": rng.choice(patients["patient_id"], 420)})
    drugs["drug"] = rng.choice(["penicillin", "aspirin", "ibuprofen", "statin"], 420)
    own = patients.set_index("patient_id")["allergy"]
    drugs = drugs[drugs["drug"] != drugs["patient_id"].map(own)].reset_index(drop=True)  # the check by number works
    return {"patients": patients, "prescriptions": drugs.assign(prescribed_on=_days(rng, len(drugs), 365, 0))}


def _failed_project(rng, planted):
    number = 360
    records = pd.DataFrame({"record_id": _ids("R", number), "seller": rng.choice(_ids("T", 12), number)})
    records["period"] = np.where(np.arange(number) < number // 2, "before", "after")
    records["period"] = records["period"].astype("str")
    after = (records["period"] == "after").to_numpy()
    records["industry"] = rng.choice(["food", "trade", "office", "school", "hotel", "other"], number)
    records["sold"] = rng.lognormal(8, 0.7, number).round(-2)
    records["expected"] = (records["sold"] * rng.lognormal(0, 0.3, number)).round(-2)
    records["next_contact"] = END + pd.to_timedelta(rng.integers(1, 90, number), unit="D")
    fields = {"industry": "other", "expected": 1.0, "next_contact": END + pd.Timedelta(days=184)}
    for field, filler in fields.items():
        records.loc[rng.random(number) < 0.35, field] = None
        if planted:  # the blanks are filled, and what was true gives way to what is quick
            quick = after & (records[field].isna().to_numpy() | (rng.random(number) < 0.45))
            records.loc[quick, field] = filler
    return {"records": records}


_MAKERS = {
    "bank": _bank,
    "e-commerce": _e_commerce,
    "maker": _maker,
    "hotel": _hotel,
    "retailer": _retailer,
    "finance": _finance,
    "clinic": _clinic,
    "failed project": _failed_project,
}


def case_data(name, seed=0, planted=True):
    """Make the tables of a case: a few hundred rows, the same for the same seed.

    Parameters
    ----------
    name : str
        As in ``CASES["case"]``.
    seed : int
    planted : bool
        False makes the same firm without the failure: what the measures say when all is well.

    Returns
    -------
    dict of str to pandas.DataFrame

    Raises
    ------
    ValueError
        There is no such case.

    Examples
    --------
    >>> {name: table.shape for name, table in case_data("retailer").items()}
    {'logins': (336, 3), 'entries': (400, 4)}
    """
    if name not in _MAKERS:
        raise ValueError(f"there is no case {name!r}; choose one of {', '.join(_MAKERS)}")
    return _MAKERS[name](np.random.default_rng([seed, sorted(_MAKERS).index(name)]), planted)
