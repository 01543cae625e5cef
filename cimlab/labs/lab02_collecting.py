"""Lab 2: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import math

import numpy as np
import pandas as pd

import cimlab
from cimlab import checks, collection

TODAY = pd.Timestamp("2026-06-30")
TABLES = {"till": "members", "call_notes": "calls", "exhibition": "exhibition", "bought_list": "bought_list"}


def prepare():
    """Return what the questions start from, so that none of them needs the answer to another one.

    Returns
    -------
    records : pandas.DataFrame
        The records of four channels: channel, record_id, phone (as read; blank if it cannot be right), confirmed_on.
    prices : pandas.DataFrame
        By channel: fixed, per_record (CNY).
    asked : pandas.DataFrame
        Who was asked to answer the survey: member_id, group (of age; "not known" if the card does not tell).
    answers : pandas.DataFrame
        Who answered: member_id, seconds, and the questions q1 to q7 as numbers.
    messages : pandas.DataFrame
        The messages of the campaigns: message_id, customer_ref, purpose, sent_at.
    ledger : pandas.DataFrame
        The consent ledger, in no order: customer_ref, purpose, action, recorded_at.
    labelled : pandas.DataFrame
        Labelled calls: call_id, note, phone.

    Examples
    --------
    >>> records, prices, asked, answers, messages, ledger, labelled = prepare()
    >>> prices.index.tolist()
    ['till', 'call_notes', 'exhibition', 'bought_list']
    >>> messages["purpose"].unique().tolist()
    ['marketing']
    """
    parts = []
    for channel, name in TABLES.items():
        table, rules = cimlab.load(name), collection.QUALITY_RULES[channel]
        columns = {"record_id": table[rules["key"]], "phone": collection.as_phone(table["phone"])}
        parts.append(
            pd.DataFrame(columns | {"confirmed_on": table[rules["date"]].dt.normalize()}).assign(channel=channel)
        )
    records = pd.concat(parts, ignore_index=True)[["channel", "record_id", "phone", "confirmed_on"]]
    prices = collection.CHANNEL_COSTS.loc[list(TABLES), ["fixed", "per_record"]]

    cards = cimlab.load("survey_invitations").merge(cimlab.load("members"), on="member_id")
    age = TODAY.year - collection.as_date(cards["birth_date"]).dt.year
    groups = pd.cut(age, [0, 39, 59, 120], labels=["under 40", "40 to 59", "60 and over"])
    asked = cards[["member_id"]].assign(group=groups.astype("str").fillna("not known"))
    answers = cimlab.load("questionnaire")
    questions = [column for column in answers if column[:2] in {f"q{number}" for number in range(1, 8)}]
    answers = answers[["member_id", "seconds", *questions]].astype(dict.fromkeys(questions, "float64"))

    sent = cimlab.load("campaign_contacts").query("arm == 'treated'").merge(cimlab.load("campaigns"), on="campaign_id")
    messages = pd.DataFrame(
        {
            "message_id": sent["campaign_id"] + "-" + sent["member_id"],
            "customer_ref": sent["member_id"],
            "purpose": "marketing",
            "sent_at": sent["starts_on"] + pd.Timedelta(hours=9),
        }
    )
    ledger = cimlab.load("consents")[["customer_ref", "purpose", "action", "recorded_at"]]
    ledger = ledger.sample(frac=1, random_state=0, ignore_index=True)
    notes = cimlab.load("calls")[["call_id", "note"]].dropna()
    labelled = cimlab.load("labelled_calls")[["call_id", "phone"]].merge(notes, on="call_id")
    return records, prices, asked, answers, messages, ledger, labelled[["call_id", "note", "phone"]]


def bought_facts():
    """Return what Xudong knows of the bought list: numbers of records, and prices in CNY.

    Examples
    --------
    >>> facts = bought_facts()
    >>> bool(facts["usable and agreed to marketing"] < facts["usable"] < facts["addresses"])
    True
    """
    bought, members = cimlab.load("bought_list"), cimlab.load("members")
    usable = collection.usable_records(bought, collection.QUALITY_RULES["bought_list"], TODAY)
    cards = members.assign(phone=collection.as_phone(members["phone"])).dropna(subset="phone")
    card = collection.as_phone(bought["phone"]).map(cards.drop_duplicates("phone").set_index("phone")["member_id"])
    consent = collection.consent_state(cimlab.load("consents"), TODAY, card.dropna(), ["marketing"])
    state = card.map(consent.set_index("customer_ref")["state"])
    agreed = int((usable & state.eq("given")).sum())
    price = collection.CHANNEL_COSTS.loc["bought_list", "per_record"] * len(bought)
    facts = {
        "addresses": len(bought),
        "price of the list (CNY)": price,
        "usable": int(usable.sum()),
        "strangers": int(card.isna().sum()),
        "known by a card": int(card.notna().sum()),
        "of these, withdrawn": int(state.eq("withdrawn").sum()),
        "usable and agreed to marketing": agreed,
        "price of a usable one (CNY)": price / max(int(usable.sum()), 1),
        "price of a usable one who agreed (CNY)": price / agreed if agreed else math.inf,
    }
    return pd.Series(facts, name="bought_list").round(2)


def check_measure_field(names):
    """Question 1."""
    measure_field = checks.answer(names, "measure_field", "function")
    typed = ["174 0123 4567", "17401234567", "0086-17401234568", "1740123", None, "17401234569"]
    right = pd.Series({"completeness": 5 / 6, "validity": 4 / 5, "uniqueness": 3 / 4})

    def is_share(name, value):
        return lambda got: np.isclose(got[name], value)

    mistakes = [
        (dict(right), "The numbers are right, but they stand in a dict; the task asks for a Series: `pd.Series(…)`."),
        (
            lambda got: got.max() > 1,
            "These are numbers of values, or per cent; the task asks for fractions from 0 to 1.",
        ),
        (
            is_share("completeness", 4 / 6),
            "`completeness` counts the values that can be *read*. A wrong value is filled, too: `values.notna()`.",
        ),
        (
            is_share("validity", 4 / 6),
            "`validity` is a share of all six values. A blank is neither right nor wrong: divide by the *filled* ones.",
        ),
        (
            lambda got: is_share("uniqueness", 1)(got) or is_share("uniqueness", 5 / 6)(got),
            "`uniqueness` compares the values as typed. 174 0123 4567 and 17401234567 are one number: compare them as "
            "*read*.",
        ),
        (
            is_share("uniqueness", 2 / 4),
            "`uniqueness` leaves out both of a repeated number. It counts *different* values: `nunique()`.",
        ),
        (
            lambda got: any(is_share("uniqueness", 3 / part)(got) for part in (5, 6)),
            "`uniqueness` is a share of those that can be *read*: four values, not five or six.",
        ),
    ]
    got = checks.call(measure_field, pd.Series(typed), collection.as_phone)
    checks.equal(got, right, "measure_field(six_phones, as_phone)", by="index", mistakes=mistakes)


def few_records():
    """Return the records and prices of the visible check of question 2."""
    rows = [
        ("till", "A", "2026-01-10"),
        ("till", "A", "2023-01-10"),
        ("till", None, "2026-02-01"),
        ("till", "L", "2026-02-01"),
        ("till", "L", "2026-01-15"),
        ("fair", "F", "2026-04-12"),
        ("fair", "E", "2026-04-12"),
        ("fair", "G", "2023-05-10"),
        ("fair", "G", "2026-04-12"),
        ("fair", None, "2026-04-12"),
        ("calls", "N", "2024-06-30"),
        ("calls", "O", "2024-06-29"),
        ("calls", "F", "2026-05-01"),
        ("calls", "E", "2026-05-01"),
        ("list", "J", "2020-07-01"),
        ("list", None, "2026-06-01"),
    ]
    records = pd.DataFrame(rows, columns=["channel", "phone", "confirmed_on"])
    records["confirmed_on"] = pd.to_datetime(records["confirmed_on"])
    prices = pd.DataFrame({"fixed": [0.0, 100.0, 0.0, 0.0], "per_record": [2.0, 4.0, 1.0, 1.0]})
    return records, prices.set_axis(["till", "fair", "calls", "list"])


def check_usable_costs(names):
    """Question 2."""
    usable_costs = checks.answer(names, "usable_costs", "function")
    records, prices = few_records()
    number, usable = np.array([5, 5, 4, 2]), np.array([2, 3, 3, 0])
    cost = prices["fixed"] + prices["per_record"] * number
    right = pd.DataFrame(
        {"records": number, "usable": usable, "cost_per_usable": cost / np.where(usable, usable, np.nan)}
    )

    def counts(*wrong):
        return lambda got: list(got["usable"].reindex(prices.index)) == list(wrong)

    def costs(wrong):
        return lambda got: np.allclose(got["cost_per_usable"].reindex(prices.index)[:3], (wrong / usable)[:3])

    with np.errstate(divide="ignore", invalid="ignore"):
        paid_usable = costs(prices["fixed"] + prices["per_record"] * usable)
        no_fixed = costs(prices["per_record"] * number)
    mistakes = [
        (
            lambda got: "channel" in got.columns,
            'The channels stand in a column; the task asks for them in the index: `set_index("channel")`.',
        ),
        (
            lambda got: "usable" in got.columns and ("list" not in got.index or got["usable"].isna().any()),
            "`list` has no usable record, but it was paid for: it needs a row with `usable` 0 (`reindex`, then "
            "`fillna(0)` and `astype(int)`).",
        ),
        (counts(3, 3, 3, 0), "At the till two young records have the phone L: the older one is not usable."),
        (
            counts(0, 2, 3, 0),
            "Of a repeated phone you leave out *all* records (`keep=False`). The newest one is usable.",
        ),
        (
            lambda got: counts(1, 3, 3, 0)(got) or counts(2, 2, 3, 0)(got),
            "Of a repeated phone you keep the first or last in the order of the table; the *newest* counts: sort by "
            "`confirmed_on` first.",
        ),
        (
            counts(2, 1, 3, 0),
            "F and E stand at a fair and in a call. That is no repetition: only records of *one channel* are compared "
            '(`drop_duplicates(["channel", "phone"])`).',
        ),
        (counts(2, 3, 2, 0), "N was confirmed 730 days before `today`. At most 730 days includes 730: `<=`."),
        (
            lambda got: counts(2, 3, 4, 1)(got) or counts(3, 4, 4, 2)(got),
            "Records that were confirmed more than 730 days ago are in it: O and J are not usable.",
        ),
        (
            lambda got: got["usable"].get("till") == 3 and got["usable"].get("fair") == 4,
            'A record without a phone is not usable: `dropna(subset="phone")`.',
        ),
        (
            lambda got: got["cost_per_usable"].eq(0).any() or np.isinf(got["cost_per_usable"]).any(),
            "`list` has no usable record, so no price can be told: leave it blank (NaN), neither 0 nor infinite.",
        ),
        (costs(cost / number * usable), "`cost_per_usable` is divided by all records; divide by the usable ones."),
        (paid_usable, "`cost_per_usable` pays for the usable records only. *Every* record is paid for."),
        (no_fixed, "`cost_per_usable` leaves out the fixed price: the fair costs 100 CNY before anybody comes."),
    ]
    got = checks.call(usable_costs, records, prices, TODAY)
    checks.equal(got, right, "usable_costs(…)", by="index", row="one per channel", mistakes=mistakes)


def check_invitations(names):
    """Question 3."""
    invitations = checks.answer(names, "invitations", "function")
    for population, margin, rate in [(2000, 0.05, 0.4), (300, 0.1, 0.6), (50_000, 0.03, 0.25), (500, 0.05, 0.2)]:
        large = 1.96**2 * 0.25 / margin**2
        exact = large / (1 + (large - 1) / population)
        answers = math.ceil(exact)
        right = min(math.ceil(answers / rate), population)
        mistakes = [
            (answers, "This is the number of *answers*. Only the share `rate` of the invited answers: divide by it."),
            (
                math.ceil(answers * rate),
                "You multiply by `rate`. More must be invited than shall answer: divide by it.",
            ),
            (
                lambda got, large=large, rate=rate: (
                    got in (math.ceil(math.ceil(large) / rate), math.ceil(large / rate))
                ),
                "The correction for a small population is missing: n = n₀ / (1 + (n₀ − 1) / N).",
            ),
            (
                lambda got, exact=exact, rate=rate: type(got) is float and abs(got - exact / rate) < 2,
                "Nobody can invite a part of a person: round up to a whole number (`math.ceil`, then int).",
            ),
            (
                lambda got, exact=exact, rate=rate: got in (int(exact / rate), int(int(exact) / rate)),
                "You round down, and so get too few answers. Round *up*, after each of the two steps: `math.ceil`.",
            ),
            (
                lambda got, exact=exact, rate=rate: got in (math.ceil(exact / rate), round(exact / rate)),
                "Round up twice: first the answers, then the invitations.",
            ),
            (
                lambda got, population=population: got > population,
                f"There are only {population:,} people: nobody can be invited twice. Take the smaller number (`min`).",
            ),
        ]
        got = checks.call(invitations, population, margin, rate)
        checks.equal(got, right, f"invitations({population}, {margin}, {rate})", mistakes=mistakes)


def few_asked():
    """Return who was asked and who answered in the visible check of question 4."""
    groups = {"young": ["Y1", "Y2", "Y3", "Y4", "Y5", "Y6"], "old": ["O1", "O2", "O3", "O4"], "not known": ["U1", "U2"]}
    asked = pd.DataFrame([(who, group) for group, listed in groups.items() for who in listed])
    answers = pd.DataFrame({"member_id": ["O1", "Y1", "O2", "Y2", "O3"], "mood": [5.0, 2.0, 4.0, np.nan, 3.0]})
    return asked.set_axis(["member_id", "group"], axis=1), answers


def check_weighted_score(names):
    """Question 4."""
    weighted_score = checks.answer(names, "weighted_score", "function")
    young, old, raw = 2.0, (5 + 4 + 3) / 3, (5 + 2 + 4 + 3) / 4
    right = pd.Series({"raw": raw, "weighted": (6 * young + 4 * old) / 10})

    def is_weighted(value):
        return lambda got: np.isclose(got["weighted"], value)

    mistakes = [
        (dict(right), "The numbers are right, but they stand in a dict; the task asks for a Series: `pd.Series(…)`."),
        (
            lambda got: np.isnan(got["raw"]) or np.isnan(got["weighted"]),
            "The result is blank. Y2 left the question out, and nobody `not known` answered: leave both out first.",
        ),
        (
            lambda got: np.isclose(got["raw"], 14 / 5),
            "`raw` counts the blank answer of Y2 as 0. A blank says nothing: leave it out.",
        ),
        (
            is_weighted((young + old) / 2),
            "`weighted` counts each *group* once. The young are six of those who were asked, the old four: weigh by "
            "these numbers.",
        ),
        (is_weighted(raw), "`weighted` is the plain mean: each group should count with its number of people *asked*."),
        (
            is_weighted((3 * young + 4 * old) / 7),
            "The weights count Y2, who left this question out. Leave out the blank answers *before* you count a group.",
        ),
        (
            is_weighted((6 * young + 4 * old) / 12),
            "`weighted` divides by all twelve who were asked. Nobody `not known` answered: leave that group out.",
        ),
        (
            lambda got: (
                is_weighted((young / 6 + 3 * old * 3 / 4) / (1 / 6 + 9 / 4))(got)
                or is_weighted((young * 1 / 6 + old * 3 / 4) / (1 / 6 + 3 / 4))(got)
            ),
            "The weights are upside down: a group that answers *little* needs a *large* weight (asked / answered).",
        ),
        (
            is_weighted((6 * young + 3 * 4 * old) / (6 + 3 * 4)),
            "Each answer got the size of its group as weight, so a group counts once for every answer: divide the size "
            "by the number of its answers.",
        ),
    ]
    got = checks.call(weighted_score, *few_asked(), "mood")
    checks.equal(got, right, 'weighted_score(twelve_asked, five_answers, "mood")', by="index", mistakes=mistakes)


def few_ticks():
    """Return the answers of the visible check of question 5; the index says why each is there."""
    rows = {
        "pleased": (90, 5, 4, 1),
        "angry": (80, 1, 2, 5),
        "middling": (70, 3, 3, 2),
        "just in time": (40, 4, 5, 2),
        "mixed": (200, 2, 3, 3),
        "too fast": (39, 1, 5, 4),
        "one column": (95, 5, 5, 5),
        "alike after turning": (60, 5, 5, 1),
        "left one out": (75, 2, None, 4),
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["seconds", "goods", "staff", "hard_to_return"])


def check_reliability(names):
    """Question 5."""
    reliability = checks.answer(names, "reliability", "function")
    answers, items = few_ticks(), ["goods", "staff", "hard_to_return"]
    kept = [row for row in answers.index if row not in ("too fast", "one column", "left one out")]

    def result(rows, reverse=("hard_to_return",), high=5):
        alpha = collection.cronbach_alpha(answers.loc[rows, items], list(reverse), low=1, high=high)
        return pd.Series({"people": len(rows), "alpha": alpha})

    def without(*rows):
        return [row for row in kept if row not in rows]

    right, complete = result(kept), [row for row in answers.index if row != "left one out"]
    turned_first = [*without("alike after turning"), "one column"]
    mistakes = [
        (dict(right), "The numbers are right, but they stand in a dict; the task asks for a Series: `pd.Series(…)`."),
        (
            lambda got: np.isclose(got["alpha"], result(kept, ())["alpha"]),
            "`hard_to_return` was not turned round. Whoever is pleased ticks 1 there: give it in `reverse`.",
        ),
        (
            lambda got: (
                int(got["people"]) == len(turned_first) and np.isclose(got["alpha"], result(turned_first)["alpha"])
            ),
            "You looked for equal ticks *after* turning. 5, 5, 1 is a careful answer, and 5, 5, 5 is one column ticked "
            "down: look before you turn.",
        ),
        (
            lambda got: np.isclose(got["alpha"], result(without("just in time"))["alpha"]),
            "Who took exactly 40 seconds stays: only *below* 40 is left out.",
        ),
        (
            lambda got: np.isclose(got["alpha"], result([*kept, "one column"])["alpha"]),
            "5, 5, 5 is still in it: with a reversed item among them, nobody who reads ticks the same in all.",
        ),
        (lambda got: np.isclose(got["alpha"], result([*kept, "too fast"])["alpha"]), "39 seconds is too fast."),
        (
            lambda got: np.isclose(got["alpha"], result(complete)["alpha"]),
            "Nobody was left out but for the blank. First leave out those who did not read.",
        ),
        (
            lambda got: np.isclose(got["alpha"], right["alpha"]) and int(got["people"]) == len(kept) + 1,
            "`people` counts the one who left an item out; alpha cannot use that answer.",
        ),
        (
            lambda got: np.isclose(got["alpha"], right["alpha"]),
            "`alpha` is right. `people` says how many answers it was made from.",
        ),
        (
            lambda got: got["alpha"] > 1,
            "Alpha is never above 1: it is k / (k − 1) × (1 − sum of the variances / variance of the *sum*).",
        ),
    ]
    got = checks.call(reliability, answers, items, ["hard_to_return"])
    checks.equal(got, right, "reliability(nine_answers, …)", by="index", mistakes=mistakes)


def few_messages():
    """Return the messages and the ledger of the visible check of question 6."""
    messages = [
        ("T3", "M2", "marketing", "2025-03-01 09:00"),
        ("T1", "M1", "marketing", "2025-03-01 09:00"),
        ("T2", "M1", "marketing", "2025-07-01 09:00"),
        ("T4", "M3", "marketing", "2025-03-01 09:00"),
        ("T5", "M4", "marketing", "2025-03-01 09:00"),
        ("T6", "M5", "marketing", "2025-03-01 09:00"),
        ("T7", "M6", "marketing", "2025-03-01 09:00"),
        ("T8", "M7", "sharing", "2025-03-01 09:00"),
    ]
    entries = [
        ("M1", "marketing", "withdrawn", "2025-06-01 12:00"),
        ("M1", "marketing", "given", "2025-01-05 10:00"),
        ("M2", "marketing", "given", "2025-03-01 09:00"),
        ("M3", "marketing", "given", "2025-02-20 18:00"),
        ("M3", "marketing", "withdrawn", "2025-02-10 18:00"),
        ("M4", "marketing", "given", "2025-01-01 08:00"),
        ("M4", "profiling", "withdrawn", "2025-02-01 08:00"),
        ("M6", "profiling", "given", "2025-01-15 11:00"),
        ("M7", "sharing", "given", "2025-03-01 08:59"),
    ]
    messages = pd.DataFrame(messages, columns=["message_id", "customer_ref", "purpose", "sent_at"])
    ledger = pd.DataFrame(entries, columns=["customer_ref", "purpose", "action", "recorded_at"])
    return messages.assign(sent_at=pd.to_datetime(messages["sent_at"])), ledger.assign(
        recorded_at=pd.to_datetime(ledger["recorded_at"])
    )


def check_consent_of(names):
    """Question 6."""
    consent_of = checks.answer(names, "consent_of", "function")
    messages, ledger = few_messages()
    states = {"T1": "given", "T2": "withdrawn", "T3": "never given", "T4": "given", "T5": "given"}
    states |= {"T6": "never given", "T7": "never given", "T8": "given"}
    right = pd.DataFrame({"message_id": messages["message_id"], "state": messages["message_id"].map(states)})

    def has(**wrong):
        return lambda got: all(got.set_index("message_id")["state"].get(t) == state for t, state in wrong.items())

    mistakes = [
        (
            lambda got: got["message_id"].duplicated().any(),
            "A message stands in several rows, one for each entry of its customer: keep only the last entry before it.",
        ),
        (
            lambda got: not {"T6", "T7"} <= set(got["message_id"]),
            "Messages to people without an entry are lost. They belong in the table, as 'never given' "
            '(`merge` with `how="left"`, or `merge_asof`).',
        ),
        (lambda got: got["state"].isna().any(), 'The state of a message is blank: `fillna("never given")`.'),
        (
            has(T1="withdrawn"),
            "M1 withdrew three months *after* message T1, which was allowed. Later entries do not count.",
        ),
        (
            has(T2="given", T1="given"),
            "M1 had withdrawn a month before message T2. The ledger is in no order: sort by `recorded_at` first, and "
            "take the *last* entry before the message.",
        ),
        (
            has(T4="withdrawn"),
            "M3 withdrew, and agreed again ten days later. The ledger is in no order: sort by `recorded_at` first.",
        ),
        (
            has(T5="withdrawn"),
            "M4 withdrew from profiling, not from marketing: match the `purpose`, too.",
        ),
        (
            has(T7="given"),
            "M6 agreed to profiling only, and T7 is marketing: match the `purpose`, too.",
        ),
        (
            has(T3="given"),
            "M2 agreed in the very minute in which T3 was sent. Only entries *before* it count: `<`, or "
            "`allow_exact_matches=False`.",
        ),
        (
            has(T8="never given"),
            "M7 agreed to sharing at 8:59, and T8 went out at 9:00 of the same day. Compare moments, not days.",
        ),
    ]
    got = checks.call(consent_of, messages, ledger)
    what = "consent_of(eight_messages, ledger)"
    checks.equal(got, right, what, by="message_id", row="one per message", mistakes=mistakes)


def check_precision_recall(names):
    """Question 7, the measure."""
    precision_recall = checks.answer(names, "precision_recall", "function")
    found = pd.Series(["174", "134", "135", None, None, "139", None, None])
    there = pd.Series(["174", "134", "136", "137", None, None, None, "138"])
    right = pd.Series({"precision": 2 / 4, "recall": 2 / 5})

    def is_share(name, *values):
        return lambda got: any(np.isclose(got[name], value) for value in values)

    mistakes = [
        (dict(right), "The numbers are right, but they stand in a dict; the task asks for a Series: `pd.Series(…)`."),
        (
            lambda got: is_share("precision", 2 / 5)(got) and is_share("recall", 2 / 4)(got),
            "Precision and recall are swapped: precision divides by what was *found*, recall by what *is there*.",
        ),
        (
            lambda got: is_share("recall", 4 / 5)(got) or is_share("recall", 4 / 8)(got),
            "Nothing found where nothing is there is no hit: two blanks must not count as right.",
        ),
        (
            is_share("precision", 3 / 4),
            "A number that is there but is another one (135 for 136) is not right: compare the values.",
        ),
        (
            is_share("precision", 2 / 8),
            "You divide by all eight notes: precision divides by what was found, recall by what is there.",
        ),
        (
            is_share("precision", 2 / 3),
            "`precision` leaves out the note in which nothing is there, but 139 was found: that find is wrong, too.",
        ),
        (
            is_share("recall", 2 / 3),
            "`recall` leaves out what was *not* found (137, 138): divide by all that are there.",
        ),
    ]
    got = checks.call(precision_recall, found, there)
    checks.equal(got, right, "precision_recall(eight_found, eight_right)", by="index", mistakes=mistakes)


def check_find_phone(names):
    """Question 7, the rule."""
    find_phone = checks.answer(names, "find_phone", "function")
    as_number = [(17401234567, "A phone is a text: as a number it would lose a 0 in front, and nobody adds phones.")]
    checks.cases(
        find_phone,
        [
            ("call 17401234567 after six", "17401234567"),
            ("请回电17401234567", "17401234567", "Chinese signs may touch the number: `\\b` does not help here."),
            ("call 174 0123 4567 after six", "17401234567", "take out the blanks between digits first."),
            ("call 134-9123-4567", "13491234567", "take out the dashes between digits, too."),
            ("回电+8617401234567", "17401234567", "86 may stand in front; it is no part of the 11 digits."),
            ("no phone was given", None, "return None where there is none."),
            ("小票202604171234", None, "a row of twelve digits is the number of a receipt, no phone."),
            ("小票20260417401234567", None, "the last eleven digits of a longer row are no phone."),
            ("code 17401234567890", None, "the first eleven digits of a longer row are no phone."),
            ("order 12401234567", None, "the second digit of a phone is 3 to 9."),
        ],
        mistakes=as_number,
    )
