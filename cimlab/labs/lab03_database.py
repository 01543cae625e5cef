"""Lab 3: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import numpy as np
import pandas as pd

import cimlab
from cimlab import checks, database

# How often a field agrees within one person (m) and between two (u); chosen near what the reviewed records show.
GIVEN_M = {
    "name_pinyin": 0.85,
    "gender": 0.98,
    "birth_date": 0.9,
    "phone": 0.84,
    "city": 0.97,
    "address": 0.8,
    "email": 0.9,
}
GIVEN_U = {
    "name_pinyin": 0.005,
    "gender": 0.5,
    "birth_date": 0.0005,
    "phone": 0.001,
    "city": 0.11,
    "address": 0.005,
    "email": 0.0005,
}


def prepare(members, reviewed):
    """Return what the questions start from, so that none of them needs the answer to another one.

    Parameters
    ----------
    members, reviewed : pandas.DataFrame
        The tables ``members`` and ``reviewed``.

    Returns
    -------
    records : pandas.DataFrame
        The records of all channels, standardised.
    compared : pandas.DataFrame
        Every two records of the first 300 persons reviewed: 1.0 where a field agrees, 0.0 where not, and `same_person`.
    weighed : pandas.DataFrame
        Candidate pairs of all records with their match weight in bits.
    matched : pandas.DataFrame
        record_id, customer_id, phone, updated_at: the pairs of at least 11 bits, clustered.

    Examples
    --------
    >>> import cimlab
    >>> _, compared, _, _ = prepare(cimlab.load("members"), cimlab.load("reviewed"))
    >>> compared.columns.tolist()
    ['name_pinyin', 'gender', 'birth_date', 'phone', 'city', 'same_person']
    """
    calls, accounts = cimlab.load("calls"), cimlab.load("web_accounts")
    records = database.standardise_records(database.extract_records(members, accounts, calls))

    # All reviewed records would be 700,000 pairs and most of the time that this lab takes.
    persons = reviewed["person_no"].drop_duplicates().head(300)
    some = reviewed[reviewed["person_no"].isin(persons)]
    every_two = database.pairs_in_groups(some.assign(sample=1), by="sample")
    person = reviewed.set_index("record_id")["person_no"]
    same = every_two["record_id_a"].map(person) == every_two["record_id_b"].map(person)
    exact = {"name_pinyin": "exact", "gender": "exact", "birth_date": "exact", "phone": "exact", "city": "exact"}
    compared = database.compare_pairs(records, every_two, exact)[list(exact)].assign(same_person=same)

    candidates = database.candidate_pairs(records, database.CUSTOMER_BLOCKS)
    kinds = exact | {"name_pinyin": "name", "address": "name", "email": "exact"}
    weighed = database.match_weights(database.compare_pairs(records, candidates, kinds), GIVEN_M, GIVEN_U)
    clusters = database.cluster_pairs(records, weighed[weighed["weight"] >= 11])
    matched = clusters.merge(records[["record_id", "phone", "updated_at"]], on="record_id")
    return records, compared, weighed, matched


def check_clean_phone(names):
    """Question 1."""
    clean_phone = checks.answer(names, "clean_phone", "function")
    checks.cases(
        clean_phone,
        [
            ("17401234567", "+8617401234567", "+86 and the eleven digits are one text; `return` it, not `print`."),
            ("1740 123-4567", "+8617401234567", "keep only the digits (step 3), then write +86 before them."),
            ("+86 174 0123 4567", "+8617401234567", "+86 is there already: take it away first (step 4)."),
            ("0086-17401234567", "+8617401234567", "0086 is the same country code as +86 (step 4)."),
            ("86 17401234568", "+8617401234568", "was the last digit taken away too? `strip` takes from both ends."),
            (
                "１７４０１２３４５６７",
                "+8617401234567",
                "full-width digits look like digits, but are others (step 2).",
            ),
            (
                "+86 1740 286 8631",
                "+8617402868631",
                "the other 86s belong to the number: take 86 away only at the start.",
            ),
            ("1740123456", None, "ten digits are no mobile number: count them (step 5)."),
            (None, None, "a blank gives None (step 1)."),
            (float("nan"), None, "a blank in pandas is NaN; `pd.isna(text)` finds it (step 1)."),
        ],
    )


def check_key_report(names):
    """Question 2."""
    key_report = checks.answer(names, "key_report", "function")
    six_cards = pd.DataFrame(
        {
            "card": ["M1", "M2", "M3", "M4", "M5", "M6"],
            "phone": ["a", "a", "b", "b", "c", None],
            "email": ["x", None, None, None, None, None],
            "tier": ["gold", "gold", "gold", "gold", "gold", "gold"],
        }
    )
    right = pd.DataFrame({"filled": [1, 5 / 6, 1 / 6, 1], "unique": [1.0, 0.2, 1.0, 0.0]}, index=six_cards.columns)

    def is_shares(column, card, phone, email):
        return lambda got: np.allclose(got.loc[["card", "phone", "email"], column], [card, phone, email])

    mistakes = [
        (
            lambda got: "field" in got.columns or "column" in got.columns or list(got.index) == [0, 1, 2, 3],
            "The names of the columns must stand in the index of your table, not in a column (`set_index`).",
        ),
        (
            lambda got: list(got.index) == ["filled", "unique"],
            "Your table lies on its side: one *row* per column of `table` is asked for. `.T` turns a table over.",
        ),
        (
            is_shares("filled", 100, 500 / 6, 100 / 6),
            "`filled` is in per cent; the task asks for fractions from 0 to 1: do not multiply by 100.",
        ),
        (
            is_shares("filled", 6, 5, 1),
            "`filled` counts rows; the task asks for their share: divide by the number of rows, `len(table)`.",
        ),
        (
            is_shares("filled", 0, 1 / 6, 5 / 6),
            "`filled` is the share of the *blanks*: `isna` finds blanks, `notna` finds values.",
        ),
        (
            is_shares("filled", 1, 1, 1),
            "`filled` is 1 even where cells are blank: count the cells with a value only (`notna`).",
        ),
        (
            is_shares("unique", 1, 1 / 6, 1 / 6),
            "`unique` is a share of *all* rows. The task asks for the share of the *filled* rows: "
            "divide by the number of values (`count`).",
        ),
        (
            lambda got: any(np.isclose(got.loc["phone", "unique"], share) for share in (3 / 5, 3 / 6, 4 / 6, 4 / 5)),
            "`unique` counts each *different* value. A value that stands in two rows must not be counted at all: "
            "it tells neither row from the other (`value_counts() == 1`, or `duplicated(keep=False)`).",
        ),
        (
            lambda got: any(np.isclose(got.loc["phone", "unique"], share) for share in (2 / 5, 2 / 6)),
            "`unique` treats the blank as a value. Leave the blanks out before you count (`dropna`).",
        ),
        (
            is_shares("unique", 6, 1, 1),
            "`unique` is a count; the task asks for a share: divide by the number of filled rows.",
        ),
    ]
    got = checks.call(key_report, six_cards)
    checks.equal(got, right, "key_report(six_cards)", by="index", row="one per column", mistakes=mistakes)


def check_find_pairs(names):
    """Question 3."""
    find_pairs = checks.answer(names, "find_pairs", "function")
    seven_records = pd.DataFrame(
        {
            "record_id": ["r1", "r2", "r3", "r4", "r5", "r6", "r7"],
            "surname": ["wang", "wang", "li", "li", "zhang", "zhang", "wang"],
            "birth_date": pd.to_datetime(
                ["1990-01-05", "1990-01-05", "1985-07-30", "1985-07-30", None, None, "2001-03-09"]
            ),
            "phone": ["+861", "+861", "+861", None, None, None, "+867"],
        }
    )

    def couples(got):
        return list(zip(got["record_id_a"], got["record_id_b"], strict=True))

    def in_both_orders(got):
        return not set(couples(got)).isdisjoint((b, a) for a, b in couples(got))

    mistakes = [
        (
            lambda got: any(a == b for a, b in couples(got)),
            "`find_pairs(…)` pairs a record with itself: keep only the rows with record_id_a < record_id_b.",
        ),
        (
            in_both_orders,
            "`find_pairs(…)` has each pair twice, as (r1, r2) and as (r2, r1): "
            "keep only the rows with record_id_a < record_id_b.",
        ),
        (
            lambda got: any(a > b for a, b in couples(got)),
            "`find_pairs(…)` has the larger id in record_id_a: keep the rows with record_id_a < record_id_b.",
        ),
        (
            lambda got: {("r4", "r5"), ("r5", "r6")} & set(couples(got)),
            "`find_pairs(…)` pairs records because both are blank: `merge` takes two blanks for the same value. "
            "Drop the rows with a blank in the shared columns (`dropna`) before each merge.",
        ),
        (
            lambda got: len(set(couples(got))) < len(got),
            "`find_pairs(…)` has a pair twice when both rules find it: `drop_duplicates` after `pd.concat`.",
        ),
        (
            lambda got: couples(got) == [("r1", "r2")],
            "`find_pairs(…)` asks for the phone *and* for surname and birth date. One of the two is enough: "
            "merge once for each rule, then put the results under one another (`pd.concat`).",
        ),
        (
            lambda got: ("r1", "r7") in couples(got),
            "`find_pairs(…)` pairs records by the surname alone. Surname and birth date must both be the same: "
            "give both to `on`.",
        ),
        (
            lambda got: set(couples(got)) == {("r1", "r2"), ("r1", "r3"), ("r2", "r3")},
            "`find_pairs(…)` misses (r3, r4), which share surname and birth date, but no phone. Each of the two rules "
            "needs its own merge, for which only the rows with a blank in its own columns are dropped.",
        ),
        (
            lambda got: set(couples(got)) == {("r1", "r2"), ("r3", "r4")},
            "`find_pairs(…)` misses pairs that share only the phone, such as (r1, r3): each rule needs its own merge.",
        ),
    ]
    pair = ["record_id_a", "record_id_b"]
    right = pd.DataFrame([("r1", "r2"), ("r1", "r3"), ("r2", "r3"), ("r3", "r4")], columns=pair)
    checks.equal(checks.call(find_pairs, seven_records), right, "find_pairs(seven_records)", by=pair, mistakes=mistakes)
    records = names["records"]
    right = database.candidate_pairs(records, [["phone"], ["surname", "birth_date"]])
    checks.equal(checks.call(find_pairs, records), right, "find_pairs(records)", by=pair, mistakes=mistakes[:3])


def check_field_weights(names):
    """Question 4."""
    field_weights = checks.answer(names, "field_weights", "function")
    few_pairs = pd.DataFrame(
        {
            "phone": [1.0] * 8 + [0.0] * 2 + [None] * 2 + [1.0] * 1 + [0.0] * 9 + [None] * 2,
            "gender": [1.0] * 9 + [0.0] * 3 + [1.0] * 6 + [0.0] * 6,
            "same_person": [True] * 12 + [False] * 12,
        }
    )
    right = pd.DataFrame(
        {"m": [0.8, 0.75], "u": [0.1, 0.5], "agree": [3.0, 0.584962500721], "disagree": [-2.169925001442, -1.0]},
        index=["phone", "gender"],
    )
    mistakes = [
        (
            lambda got: np.isclose(got.loc["phone", "m"], 8 / 12),
            "`m` of the phone counts blanks as disagreements. A blank says nothing: "
            "only the pairs with 1.0 or 0.0 count.",
        ),
        (
            lambda got: np.allclose(got["m"], [8 / 9, 9 / 15]),
            "`m` is the share of one person among the pairs that agree. The task asks the other way round: "
            "the share that agree among the pairs of one person.",
        ),
        (
            lambda got: np.isclose(got.loc["phone", "m"], 8 / 20) or np.isclose(got.loc["phone", "m"], 8 / 24),
            "`m` is a share of *all* pairs. Take the pairs with `same_person` first, "
            "then the share of these that agree.",
        ),
        (
            lambda got: np.isclose(got.loc["phone", "u"], 9 / 20),
            '`u` comes from *all* pairs; take only the pairs of two persons, `compared[~compared["same_person"]]`.',
        ),
        (
            lambda got: np.isclose(got.loc["gender", "m"], 0.9),
            "`m` of the gender leaves out pairs whose *phone* is blank. Leave blanks out field by field, "
            "not whole pairs (`mean` leaves them out by itself).",
        ),
        (
            lambda got: np.allclose(got["agree"], [8, 1.5]),
            "`agree` is m / u itself; a weight is its logarithm to the base 2: `np.log2`.",
        ),
        (
            lambda got: list(got.index) == ["m", "u", "agree", "disagree"],
            "Your table lies on its side: one *row* per field is asked for. `.T` turns a table over.",
        ),
        (
            lambda got: "same_person" in got.index,
            "`same_person` is not a field: leave it out of your table (`drop`).",
        ),
        (
            right.assign(m=right["u"], u=right["m"], agree=-right["agree"], disagree=-right["disagree"]),
            "m and u are swapped: m comes from the pairs of *one* person, u from the pairs of two persons.",
        ),
        (
            right.assign(agree=-right["agree"], disagree=-right["disagree"]),
            "The weights have the wrong sign: divide m by u, not u by m. Agreement must count in favour of one person.",
        ),
        (
            lambda got: np.allclose(got["agree"], right["agree"] * np.log(2)),
            "The weights are natural logarithms (`np.log`). Bits are logarithms to the base 2: `np.log2`.",
        ),
        (
            lambda got: np.allclose(got["agree"], right["agree"] * np.log10(2)),
            "The weights are logarithms to the base 10. Bits are logarithms to the base 2: `np.log2`.",
        ),
        (
            right.assign(disagree=-right["agree"]),
            "`disagree` is `agree` with a minus. It has probabilities of its own: 1 − m for one person, 1 − u for two.",
        ),
        (
            right.assign(disagree=0.0),
            "`disagree` is 0, but a disagreement is evidence too: log2((1 − m) / (1 − u)).",
        ),
    ]
    checks.equal(
        checks.call(field_weights, few_pairs), right, "field_weights(few_pairs)", by="index", mistakes=mistakes
    )


def check_precision_recall(names):
    """Question 5."""
    precision_recall = checks.answer(names, "precision_recall", "function")
    six_reviewed = pd.DataFrame({"record_id": ["r1", "r2", "r3", "r4", "r5", "r6"], "person_no": [1, 1, 1, 2, 3, 3]})
    six_found = pd.DataFrame(
        [("r1", "r2"), ("r3", "r1"), ("r2", "r4"), ("r3", "r5"), ("r4", "r9"), ("r8", "r9")],
        columns=["record_id_a", "record_id_b"],
    )
    mistakes = [
        (
            {"precision": 1 / 2, "recall": 2 / 5},
            "Precision and recall are swapped: precision divides by what was *found*, recall by what is *true*.",
        ),
        (
            {"precision": 2 / 6, "recall": 1 / 2},
            "Precision divides by all found pairs. Nobody knows whether (r8, r9) is right: "
            "judge only the pairs with a reviewed record.",
        ),
        (
            {"precision": 1 / 5, "recall": 1 / 4},
            "The pair (r3, r1) is right, but `true_pairs` has it as (r1, r3). Put the smaller id first, then compare.",
        ),
        (
            {"precision": 1 / 6, "recall": 1 / 4},
            "The pair (r3, r1) is right, but `true_pairs` has it as (r1, r3). Put the smaller id first, then compare. "
            "Then judge only the pairs with a reviewed record.",
        ),
        (
            {"precision": 1 / 2, "recall": 1 / 2},
            "The pair (r4, r9) is left out. One of its records was reviewed, and r9 is not of the same person: "
            "it is judged, and wrong. At least one reviewed record is enough.",
        ),
        ({"precision": 40.0, "recall": 50.0}, "These are per cent; the task asks for fractions from 0 to 1."),
        (
            lambda got: abs(got["recall"] - 2 / 6) < 1e-6,
            "Recall divides by the reviewed *records* or by the found pairs; it must divide by the true *pairs*.",
        ),
    ]
    right = {"precision": 2 / 5, "recall": 1 / 2}
    got = checks.call(precision_recall, six_found, six_reviewed)
    checks.equal(got, right, "precision_recall(six_found, six_reviewed)", mistakes=mistakes)


def check_golden_records(names):
    """Question 6."""
    golden_records = checks.answer(names, "golden_records", "function")
    seven_matched = pd.DataFrame(
        {
            "customer_id": ["K1", "K1", "K1", "K2", "K2", "K2", "K3"],
            "record_id": ["r1", "r2", "r3", "r4", "r5", "r6", "r7"],
            "phone": ["+861", "+862", None, "+864", "+865", "+866", None],
            "updated_at": pd.to_datetime(
                ["2024-05-01", "2025-02-01", "2026-01-01", "2025-08-01", "2026-03-01", "2023-11-01", "2025-06-01"]
            ),
        }
    )

    def is_golden(phones, origins=None):
        def found(got):
            rows = got.set_index("customer_id").loc[["K1", "K2"]]
            same_origins = origins is None or rows["phone_from"].tolist() == origins
            return rows["phone"].fillna("").tolist() == phones and same_origins

        return found

    mistakes = [
        (
            lambda got: got["customer_id"].duplicated().any(),
            "`golden_records(…)` has several rows for one customer; keep only the row with the newest phone "
            '(`drop_duplicates("customer_id", …)`).',
        ),
        (
            is_golden(["+861", "+866"]),
            'These are the *oldest* phones. After `sort_values("updated_at")` the newest row comes last: '
            "keep the last.",
        ),
        (
            is_golden(["", "+865"]),
            "The newest record of K1 has no phone, and its blank won: drop the blank phones, then take the newest.",
        ),
        (
            lambda got: any(is_golden(phones)(got) for phones in (["+862", "+866"], ["+861", "+864"], ["", "+866"])),
            "This is the first or the last row as the table happens to stand. Sort by `updated_at` before you choose.",
        ),
        (
            is_golden(["+862", "+865"], ["r3", "r5"]),
            "The phones are right, but `phone_from` of K1 says r3, its newest record, which has no phone. Take phone "
            "and record_id from the *same* row (`groupby(…).last()` takes the last filled value of each column "
            "by itself).",
        ),
        (
            lambda got: got.set_index("customer_id")["phone_from"].get("K3") == "r7",
            "K3 has no phone, so there is no record that it comes from: `phone_from` of K3 must be blank too.",
        ),
        (
            lambda got: set(got["customer_id"]) == {"K1", "K2"},
            "K3 is lost: a customer without any phone is still a customer. "
            'Start from all customers and add the phones with `merge(…, how="left")`.',
        ),
    ]
    right = pd.DataFrame(
        {"customer_id": ["K1", "K2", "K3"], "phone": ["+862", "+865", None], "phone_from": ["r2", "r5", None]}
    )
    got = checks.call(golden_records, seven_matched)
    checks.equal(
        got, right, "golden_records(seven_matched)", by="customer_id", row="one per customer", mistakes=mistakes
    )


DEFAULTS = pd.to_datetime(["1900-01-01", "1990-01-01"])


def id_number(born, serial="123"):
    """Return an identity number of the region 990101 with a right check digit.

    Examples
    --------
    >>> id_number("1990-01-01")
    '990101199001011230'
    """
    digits = "990101" + born.replace("-", "") + serial
    rest = sum(int(digit) * 2 ** (17 - place) for place, digit in enumerate(digits)) % 11
    return digits + "10X98765432"[rest]


def mistyped(number):
    """Return the identity number with another check digit, so that it cannot be right."""
    return number[:-1] + ("0" if number[-1] != "0" else "1")


def births(*rows):
    """Return a table for question 7 from (birth date, identity number), with the records r1, r2 …"""
    return pd.DataFrame(
        {
            "record_id": [f"r{place}" for place in range(1, len(rows) + 1)],
            "birth_date": pd.to_datetime([born for born, _ in rows]),
            "id_number": pd.Series([number for _, number in rows], dtype="str"),
        }
    )


def right_births(records, dates, origins):
    """Return what question 7 asks for: the records with these dates and where each comes from."""
    return records[["record_id"]].assign(birth_date=pd.to_datetime(dates), origin=origins)


def check_repair_births(names):
    """Question 7."""
    repair_births = checks.answer(names, "repair_births", "function")
    nine = births(
        ("1985-04-12", None),
        ("1985-04-12", id_number("1985-12-04")),
        (None, id_number("1971-08-30")),
        ("1990-01-01", None),
        ("1990-01-01", id_number("1990-01-01")),
        ("2070-09-07", None),
        ("1890-05-05", id_number("1963-02-11")),
        (None, mistyped(id_number("1971-08-30"))),
        (None, None),
    )
    dates = ["1985-04-12", "1985-12-04", "1971-08-30", None, "1990-01-01", None, "1963-02-11", None, None]
    origins = ["typed", "number", "number", "missing", "number", "missing", "number", "missing", "missing"]
    right = right_births(nine, dates, origins)

    def date_of(got, record):
        if not pd.api.types.is_datetime64_any_dtype(got["birth_date"]):
            raise TypeError("no dates: the general comparison says so")
        found = got.loc[got["record_id"] == record, "birth_date"]
        return found.iloc[0] if len(found) == 1 else None

    def says(record, day):
        return lambda got: date_of(got, record) == pd.Timestamp(day)

    mistakes = [
        (
            lambda got: len(got["record_id"]) < len(nine),
            "Records are lost. A record without a birth date stays, with a blank date: take the *date* away (`mask`), "
            "not the row.",
        ),
        (
            lambda got: pd.notna(date_of(got, "r9")),
            "r9 has neither a date nor an identity number, and yet it gets a birth date. The mean, or what most people "
            "have, is an invented fact: what nobody knows stays blank.",
        ),
        (
            lambda got: pd.notna(date_of(got, "r8")),
            "r8 gets its date from an identity number that cannot be right. Ask `id_number_status` first "
            'and take only the numbers that are "ok".',
        ),
        (
            says("r2", "1985-04-12"),
            "r2 keeps a typed date that contradicts its identity number. The number has passed its check digit, a date "
            "has none: the number counts, whatever was typed (step 2).",
        ),
        (
            says("r4", "1990-01-01"),
            "r4 still has 1990-01-01. That is what the till writes when nobody asks: take the dates in `DEFAULTS` "
            "away (step 1).",
        ),
        (
            lambda got: pd.isna(date_of(got, "r5")) and pd.notna(date_of(got, "r3")),
            "r5 was really born on 1990-01-01: its identity number says so. First take the typed default dates away, "
            "*then* read the number: the order of the steps counts.",
        ),
        (
            lambda got: pd.notna(date_of(got, "r6")) or says("r7", "1890-05-05")(got),
            "A customer born in 2070 or in 1890 is left. Take away what makes somebody younger than 14 or older than "
            "110 years on the day `on` (step 1).",
        ),
        (
            lambda got: not says("r3", "1971-08-30")(got),
            "r3 must get 1971-08-30 from its identity number. Characters 7 to 14 hold the date; Python counts from 0 "
            "and leaves the end out: `.str[6:14]`.",
        ),
        (
            lambda got: "origin" in got and got["origin"].isna().any(),
            '`origin` is blank where there is no date: it says "missing" there.',
        ),
        (
            lambda got: got.set_index("record_id")["origin"][["r2", "r5"]].eq("typed").any(),
            'The dates are right, but `origin` of r2 or r5 says "typed". Where a right identity number stands, it says '
            '"number", even if the typed date is the same.',
        ),
    ]
    got = checks.call(repair_births, nine, "2026-06-30")
    checks.equal(got, right, "repair_births(nine, …)", by="record_id", row="one per record", mistakes=mistakes)
