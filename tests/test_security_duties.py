"""The duties under five laws: the table can be trusted, the states are computed, the route follows the thresholds."""

import importlib

import pandas as pd
import pytest

from cimlab import collection, describe, load, security
from cimlab.security import check_duties, duties_table, transfer_route
from cimlab.security.duties import _CHECKS, FACTS, LAWS, ROUTES, STATES

DAY = "2026-06-30"


def state_of(facts, duty, law="PIPL", as_of=DAY):
    table = check_duties(facts, as_of)
    row = table[(table["duty"] == duty) & (table["law"] == law)].iloc[0]
    return row["state"], row["found"]


def test_the_table_of_duties_is_whole():
    table = duties_table()
    assert len(table) > 40 and set(table["law"]) == set(LAWS)
    assert not table.duplicated(["duty", "law"]).any()
    assert table.drop(columns=["check", "limit"]).notna().all(axis=None)
    assert len(table[["duty", "title"]].drop_duplicates()) == table["duty"].nunique()
    assert set(table["check"].dropna()) == set(_CHECKS)
    assert {fact for fact, _ in _CHECKS.values()} == set(FACTS)
    assert (table["limit"].notna() & table["check"].isna()).sum() == 0
    timed = table[table["check"] == "requests in time"]
    assert timed["limit"].notna().all() and set(timed["duty"]) == {"copy", "correction"}


def test_what_answers_a_duty_is_there():
    for name in duties_table()["evidence"].unique():
        module, _, last = name.rpartition(".")
        assert callable(getattr(importlib.import_module(module), last)), name


def test_the_articles_are_those_of_the_laws():
    """The pairs that a reader looks up first, so that a slip in the table shows."""
    table = duties_table().set_index(["duty", "law"])["article"]
    for duty, law, article in (
        ("lawful basis", "PIPL", "13-14"),
        ("retention", "PIPL", "19"),
        ("automated decision", "PIPL", "24"),
        ("sensitive", "PIPL", "28-29"),
        ("cross-border", "PIPL", "38-40"),
        ("assessment", "PIPL", "55-56"),
        ("incident", "PIPL", "57"),
        ("copy", "GDPR", "12(3), 15"),
        ("incident", "GDPR", "33-34"),
        ("erasure", "CCPA", "1798.105, 1798.130"),
        ("cross-border", "DSL", "31"),
    ):
        assert table[duty, law] == article


def test_without_facts_nothing_is_said_to_be_met():
    table = check_duties({}, DAY)
    assert set(table["state"]) == {"cannot be computed"} and len(table) == len(duties_table())
    people = table.loc[duties_table()["check"].isna(), "found"]
    assert set(people) == {"people must judge it"}
    assert table["found"].str.startswith("no facts: ").sum() == len(table) - len(people)
    for fact, columns in FACTS.items():
        empty = check_duties({fact: pd.DataFrame(columns=columns)}, DAY)
        met = set(empty.loc[empty["state"] == "met", "duty"])
        assert met <= {"erasure", "necessary"}, fact  # there no finding is the good news


@pytest.mark.parametrize(
    ("fact", "duty", "good", "bad"),
    [
        ("messages", "lawful basis", {"allowed": [True, True]}, {"allowed": [True, False]}),
        ("profiles", "automated decision", {"allowed": [True]}, {"allowed": [False]}),
        ("shared", "passing on", {"allowed": [True]}, {"allowed": [False]}),
        ("uses", "withdrawal", {"effect": ["may go on", "stays lawful"]}, {"effect": ["must stop", "may go on"]}),
        (
            "consents",
            "notice",
            {"state": ["given", "withdrawn"], "notice_version": ["v3", "v1"]},
            {"state": ["given", "given"], "notice_version": ["v3", "v1"]},
        ),
        ("plan", "necessary", {"fault": []}, {"fault": ["not needed"]}),
        ("left", "erasure", {"table": []}, {"table": ["backup"]}),
        (
            "retention",
            "retention",
            {"table": ["calls"], "rows": [9], "due": [0]},
            {"table": ["calls"], "rows": [9], "due": [2]},
        ),
        (
            "columns",
            "security",
            {"personal_data": ["high", "general"], "protection": ["encrypted", "plain"]},
            {"personal_data": ["high", "high"], "protection": ["masked", None]},
        ),
        (
            "partners",
            "processors",
            {"partner": ["a"], "contract_until": [DAY]},
            {"partner": ["a", "b"], "contract_until": ["2026-06-29", None]},
        ),
        (
            "transfers",
            "cross-border",
            {"persons": [2600], "sensitive": [0], "done": [None]},
            {"persons": [60_000, 50_000], "sensitive": [0, 0], "done": ["standard contract", None]},
        ),
        (
            "assessments",
            "assessment",
            {"use": ["export"], "began_on": ["2026-02-01"], "assessed_on": ["2026-02-01"]},
            {"use": ["export"], "began_on": ["2026-02-01"], "assessed_on": ["2026-02-02"]},
        ),
        (
            "incidents",
            "incident",
            {"noticed_at": ["2026-02-01 08:00"], "told_at": ["2026-02-09 08:00"]},
            {"noticed_at": ["2026-02-01 08:00"], "told_at": [None]},
        ),
    ],
)
def test_a_state_is_met_or_not_met_by_the_facts(fact, duty, good, bad):
    assert state_of({fact: pd.DataFrame(good)}, duty)[0] == "met"
    assert state_of({fact: pd.DataFrame(bad)}, duty)[0] == "not met"
    assert state_of({fact: pd.DataFrame(good)}, duty)[1].startswith("0 ")


def test_each_law_has_its_own_time_limit_and_an_open_request_counts_too():
    asked = pd.DataFrame(
        {
            "kind": ["copy", "copy", "copy", "erasure"],
            "received_on": ["2026-03-31", "2026-05-01", "2026-05-31", "2025-01-01"],
            "answered_on": ["2026-04-30", "2026-06-15", None, None],
        }
    )
    table = check_duties({"requests": asked}, DAY)
    copies = table[table["duty"] == "copy"].set_index("law")
    assert copies["found"].to_dict() == {
        "PIPL": "1 of 3 are too late",  # 45 days; the open one is 30 days old today
        "GDPR": "1 of 3 are too late",  # a month from 31 March ends on 30 April
        "CCPA": "0 of 3 are too late",
    }
    assert set(table.loc[table["duty"] == "correction", "state"]) == {"cannot be computed"}  # nobody asked
    tomorrow = check_duties({"requests": asked}, "2026-07-01").set_index(["duty", "law"])["found"]
    assert tomorrow["copy", "PIPL"] == tomorrow["copy", "GDPR"] == "2 of 3 are too late"
    told = pd.DataFrame({"noticed_at": ["2026-02-01 08:00"] * 2, "told_at": ["2026-02-04 08:00", "2026-02-04 08:01"]})
    assert state_of({"incidents": told}, "incident", "GDPR") == ("not met", "1 of 2 were not told in 72 hours")
    assert state_of({"incidents": told}, "incident", "PIPL")[0] == "met"


@pytest.mark.parametrize(
    ("persons", "sensitive", "more", "route", "article"),
    [
        (0, 0, {}, "none", "5(4)"),
        (99_999, 0, {}, "none", "5(4)"),
        (100_000, 0, {}, "standard contract or certification", "8"),
        (999_999, 9_999, {}, "standard contract or certification", "8"),
        (1, 1, {}, "standard contract or certification", "8"),
        (1_000_000, 0, {}, "security assessment", "7(2)"),
        (0, 10_000, {}, "security assessment", "7(2)"),
        (1, 0, {"critical_operator": True}, "security assessment", "7(1)"),
        (1, 0, {"important_data": True}, "security assessment", "7"),
        (5_000_000, 20_000, {"exempt": "contract"}, "none", "5"),
        (1, 0, {"exempt": "contract", "critical_operator": True}, "none", "5"),
        (5_000_000, 0, {"exempt": "free trade zone list"}, "none", "6"),
        (1, 0, {"exempt": "contract", "important_data": True}, "security assessment", "7"),
    ],
)
def test_the_route_follows_the_thresholds_to_the_person(persons, sensitive, more, route, article):
    found = transfer_route(persons, sensitive, **more)
    assert (found["route"], found["article"]) == (route, article) and found["why"]
    assert found["route"] in ROUTES


def test_wrong_questions_are_refused():
    for wrong in ({"persons": -1}, {"persons": 1, "sensitive": -1}, {"persons": 1, "exempt": "we want to"}):
        with pytest.raises(ValueError, match="0 or more"):
            transfer_route(**wrong)
    with pytest.raises(ValueError, match="not known: newsletters"):
        check_duties({"newsletters": pd.DataFrame()}, DAY)
    with pytest.raises(ValueError, match="fact messages has no column allowed"):
        check_duties({"messages": pd.DataFrame({"state": ["given"]})}, DAY)
    with pytest.raises(ValueError, match="not known: magic"):
        check_duties({}, DAY, duties_table().assign(check="magic"))


def test_the_retailers_own_state_is_computed():
    sent = collection.check_contacts(load("campaign_contacts"), load("campaigns"), load("consents"))
    consents = collection.consent_state(load("consents"), "2026-07-01", purposes=["marketing"])
    rules = pd.DataFrame(
        {"table": ["calls"], "date_column": "called_at", "months": 12, "blank": "", "reason": "claims"}
    )
    kept = security.retention_due({"calls": load("calls")}, rules, DAY)
    columns = describe("members").assign(protection="plain")
    facts = {"messages": sent, "consents": consents, "retention": kept, "columns": columns}
    table = check_duties(facts, DAY)
    found = table.set_index(["duty", "law"])
    assert found.loc[("lawful basis", "PIPL"), "state"] == "not met"
    assert (
        found.loc[("lawful basis", "PIPL"), "found"] == f"{(~sent['allowed']).sum()} of {len(sent)} are without consent"
    )
    assert found.loc[("security", "PIPL"), "found"] == "1 of 1 columns of grade high are plain"
    assert found.loc[("retention", "GDPR"), "found"].startswith(f"{kept['due'].sum()} of {kept['rows'].sum()} ")
    assert found.loc[("grading", "DSL"), "state"] == "met"
    safe = check_duties({"columns": columns.assign(protection="encrypted")}, DAY).set_index(["duty", "law"])
    assert safe.loc[("security", "PIPL"), "state"] == "met"
    assert set(table["state"]) == set(STATES)
