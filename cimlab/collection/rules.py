"""What the quality of each channel is measured by, and what a record of it costs: parameters, to be read and changed.

`QUALITY_RULES` says for each channel the `key`, the `date` on which a record was last confirmed, and for each field

=================  =================================================================================================
``needed``         a record is of no use without it
``read``           how its values are read; what cannot be read is not valid
``unique``         two records with the same value are one too many
``max_age_days``   how long a value stays true
``when``           which records should have it at all: True or False for each; all of them where this is not said
``agrees``         does it agree with the other fields of the record? True, False, or missing if that cannot be said
=================  =================================================================================================
"""

import pandas as pd

from cimlab.collection.fields import as_code, as_date, as_email, as_gender, as_number, as_one_of, as_phone

ID_NUMBER = as_code(r"\d{17}[\dX]")
DAYS = {"phone": 730, "email": 730, "address": 1095}  # assumed: how long a number or an address may be believed


def id_number_agrees(table):
    """Say whether the birth date in the identity number (its 7th to 14th digit) is that of the record."""
    born, inside = as_date(table["birth_date"]), as_date(ID_NUMBER(table["id_number"]).str[6:14])
    return (born == inside).where(born.notna() & inside.notna())


def honorific_agrees(table):
    """Say whether the gender fits the 先生 or 女士 behind the name."""
    said = table["name"].str.extract("(先生|女士|小姐)$", expand=False)
    gender = as_gender(table["gender"])
    return (said.map({"先生": "M", "女士": "F", "小姐": "F"}) == gender).where(said.notna() & gender.notna())


def answers_differ(table):
    """Say whether somebody ticked different answers; q5 is asked the other way round, so that all alike is careless."""
    ticked = table[["q1_quality", "q2_price", "q3_staff", "q5_returns"]]
    alike = ticked.nunique(axis=1).eq(1) & table["q1_quality"].ne(3)
    return (~alike).where(ticked.notna().all(axis=1))


def names_article(table):
    """Say whether an event is about an article."""
    return table["event"].isin(["view", "add_to_cart", "remove_from_cart"])


def is_search(table):
    """Say whether an event is a search."""
    return table["event"].eq("search")


def is_purchase(table):
    """Say whether an event is a purchase."""
    return table["event"].eq("purchase")


def has_firm(table):
    """Say whether a visitor came for a firm."""
    return table["firm"].notna()


def order_fits_event(table):
    """Say whether an order stands at a purchase, and only there."""
    return table["order_id"].notna() == table["event"].eq("purchase")


def position_has_firm(table):
    """Say whether somebody with a position has a firm too."""
    return table["firm"].notna().where(table["position"].notna())


def address_in_city(table):
    """Say whether the address begins with the city."""
    pairs = zip(table["city"], table["address"], strict=True)
    return pd.Series([str(address).startswith(str(city)) for city, address in pairs], index=table.index)


_SCORE = {"read": as_number(1, 5)}

QUALITY_RULES = {
    "till": {
        "key": "member_id",
        "date": "updated_on",
        "fields": {
            "member_id": {"needed": True, "read": as_code("M[0-9A-Z]{5,7}"), "unique": True},
            "name": {"needed": True},
            "gender": {"read": as_gender},
            "birth_date": {"read": as_date},
            "phone": {"needed": True, "read": as_phone, "unique": True, "max_age_days": DAYS["phone"]},
            "email": {"read": as_email, "unique": True, "max_age_days": DAYS["email"]},
            "id_number": {"read": ID_NUMBER, "unique": True, "agrees": id_number_agrees},
            "address": {"max_age_days": DAYS["address"]},
        },
    },
    "web_events": {
        "key": "event_id",
        "date": "happened_at",
        "fields": {
            "event_id": {"needed": True, "read": as_code(r"S[0-9A-Z]{5,7}-\d{1,3}"), "unique": True},
            "account_id": {"needed": True, "read": as_code("W[0-9A-Z]{5,7}")},
            "product_id": {"needed": True, "read": as_code(r"P\d{4}"), "when": names_article},
            "query": {"when": is_search},
            "order_id": {"when": is_purchase, "unique": True, "agrees": order_fits_event},
        },
    },
    "call_notes": {
        "key": "call_id",
        "date": "called_at",
        "fields": {
            "call_id": {"needed": True, "read": as_code("C[0-9A-Z]{5,7}"), "unique": True},
            "caller_name": {},
            "phone": {"needed": True, "read": as_phone, "max_age_days": DAYS["phone"]},
            "city": {},
            "note": {"needed": True},
        },
    },
    "questionnaire": {
        "key": "member_id",
        "date": "submitted_at",
        "fields": {
            "member_id": {"needed": True, "read": as_code("M[0-9A-Z]{5,7}"), "unique": True},
            "seconds": {"needed": True, "read": as_number(40, 3600)},  # nobody reads nine questions in less
            "age_group": {},
            "gender": {"read": as_gender},
            "q1_quality": _SCORE,
            "q2_price": _SCORE,
            "q3_staff": _SCORE,
            "q5_returns": _SCORE | {"agrees": answers_differ},
            "q6_overall": _SCORE,
            "q7_recommend": {"needed": True, "read": as_number(0, 10)},
        },
    },
    "exhibition": {
        "key": "card_no",
        "date": "visited_on",
        "fields": {
            "card_no": {"needed": True, "read": as_code("X[0-9A-Z]{5,7}"), "unique": True},
            "name": {"needed": True},
            "position": {"when": has_firm, "agrees": position_has_firm},
            "phone": {"needed": True, "read": as_phone, "unique": True, "max_age_days": DAYS["phone"]},
            "email": {"read": as_email, "unique": True, "max_age_days": DAYS["email"]},
            "interest": {"needed": True},
        },
    },
    "reviews": {
        "key": "review_id",
        "date": "reviewed_at",
        "fields": {
            "review_id": {"needed": True, "read": as_code("V[0-9A-Z]{5,7}"), "unique": True},
            "account_id": {"read": as_code("W[0-9A-Z]{5,7}")},
            "stars": {"needed": True, "read": as_number(1, 5)},
            "text": {"needed": True},
        },
    },
    "bought_list": {
        "key": "list_no",
        "date": "collected_on",
        "fields": {
            "list_no": {"needed": True, "read": as_code("Z[0-9A-Z]{5,7}"), "unique": True},
            "name": {"needed": True},
            "gender": {"read": as_gender, "agrees": honorific_agrees},
            "age_band": {"max_age_days": 1825},
            "phone": {"needed": True, "read": as_phone, "unique": True, "max_age_days": DAYS["phone"]},
            "address": {"max_age_days": DAYS["address"]},
        },
    },
    "register": {
        "key": "credit_code",
        "date": "founded_on",
        "fields": {
            "credit_code": {"needed": True, "read": as_code("[0-9A-Z]{18}"), "unique": True},
            "name": {"needed": True, "unique": True},
            "legal_representative": {"needed": True},
            "registered_capital": {"read": as_number(0.01, 1e7)},
            "address": {"agrees": address_in_city},
            "status": {"needed": True, "read": as_one_of("in business", "listed as abnormal", "revoked", "cancelled")},
        },
    },
}

# Planning figures in CNY, assumed for the course: put in your own. Work is counted at 36 CNY an hour.
CHANNEL_COSTS = pd.DataFrame(
    [
        ["till", 0.0, 1.80, "3 minutes of a clerk for a card"],
        ["web_events", 200.0, 0.001, "a month of the tracking service, a share of the storage"],
        ["call_notes", 0.0, 1.20, "2 minutes of an operator for the note, not for the call"],
        ["questionnaire", 500.0, 5.00, "the platform for one wave, a coupon for each answer"],
        ["exhibition", 24000.0, 3.00, "two stands at a fair, 5 minutes of a salesman for a card"],
        ["reviews", 0.0, 0.50, "member points for a review"],
        ["bought_list", 0.0, 2.00, "what the dealer asks for an address"],
        ["register", 300.0, 0.0, "the fee of one extract"],
    ],
    columns=["channel", "fixed", "per_record", "basis"],
).set_index("channel")
