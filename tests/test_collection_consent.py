"""Chapter 2, consent and the minimum: what held at a moment, who was written to without it, what a plan may hold."""

import pandas as pd
import pytest

from cimlab import describe, load
from cimlab.collection import (
    NEEDS,
    PLAN_COLUMNS,
    PLAN_RULES,
    audit_plan,
    check_contacts,
    consent_state,
    contact_report,
)


@pytest.fixture
def ledger():
    rows = [
        ["M1", "marketing", "given", "2025-01-01 10:00", "v2"],
        ["M1", "marketing", "withdrawn", "2025-03-01 10:00", "v2"],
        ["M1", "marketing", "given", "2025-06-01 10:00", "v3"],
        ["M1", "profiling", "given", "2025-01-01 10:00", "v2"],
        ["M2", "marketing", "given", "2025-02-01 00:00", "v2"],
    ]
    table = pd.DataFrame(rows, columns=["customer_ref", "purpose", "action", "recorded_at", "notice_version"])
    return table.assign(recorded_at=pd.to_datetime(table["recorded_at"]), method="web form")


@pytest.mark.parametrize(
    ("at", "state"),
    [
        ("2024-12-31", "never given"),
        ("2025-01-01", "never given"),  # its first minute
        ("2025-01-01 10:00", "never given"),
        ("2025-01-01 10:01", "given"),
        ("2025-03-01", "given"),
        ("2025-03-02", "withdrawn"),
        ("2025-06-02", "given"),
    ],
)
def test_the_last_act_before_the_moment_holds(ledger, at, state):
    for rows in (ledger, ledger.iloc[::-1]):
        assert consent_state(rows, at, ["M1"], ["marketing"])["state"].tolist() == [state]


def test_each_record_and_purpose_has_a_row(ledger):
    state = consent_state(ledger, "2025-02-02", records=pd.Series(["M2", "M9", "M2"]))
    assert state["customer_ref"].tolist() == ["M2"] * 3 + ["M9"] * 3
    assert state["state"].tolist() == ["given", *["never given"] * 5]
    assert state.loc[0, ["method", "notice_version"]].tolist() == ["web form", "v2"]
    assert state["since"].notna().tolist() == [True] + [False] * 5
    assert set(consent_state(ledger, "2026-01-01")["customer_ref"]) == {"M1", "M2"}


def test_a_ledger_that_cannot_be_read_is_refused(ledger):
    with pytest.raises(ValueError, match="The consent ledger lacks action, method; it has customer_ref"):
        consent_state(ledger.drop(columns=["action", "method"]), "2025-01-01")
    with pytest.raises(ValueError, match="must be given or withdrawn; the ledger also says 'yes'"):
        consent_state(ledger.assign(action="yes"), "2025-01-01")


def test_who_was_written_to_without_consent(ledger):
    campaigns = pd.DataFrame(
        {"campaign_id": ["CA1", "CA2"], "starts_on": pd.to_datetime(["2025-02-01", "2025-04-01"]), "medium": "sms"}
    )
    contacts = pd.DataFrame(
        {
            "campaign_id": ["CA1", "CA1", "CA1", "CA2", "CA2"],
            "member_id": ["M1", "M2", "M3", "M1", "M2"],
            "arm": ["treated", "treated", "treated", "treated", "holdout"],
        }
    )
    checked = check_contacts(contacts, campaigns, ledger)
    assert checked["member_id"].tolist() == ["M1", "M2", "M3", "M1"]  # who was left out got no message
    # M2's consent came in the first minute of the day: it did not hold before the day
    assert checked["state"].tolist() == ["given", "never given", "never given", "withdrawn"]
    assert checked["allowed"].tolist() == [True, False, False, False]
    report = contact_report(checked)
    assert report.loc["CA1"].to_dict() == {
        "sent": 3, "given": 1, "withdrawn": 0, "never_given": 2, "share_without": pytest.approx(2 / 3),
    }  # fmt: skip
    assert report.loc["CA2", "share_without"] == 1
    assert not check_contacts(contacts, campaigns, ledger, purpose="sharing")["allowed"].any()
    with pytest.raises(ValueError, match="The campaigns CA2 have contacts but do not stand"):
        check_contacts(contacts, campaigns.head(1), ledger)


def test_the_campaigns_of_the_course_against_a_slow_count():
    contacts, campaigns, consents = load("campaign_contacts"), load("campaigns"), load("consents")
    checked = check_contacts(contacts, campaigns, consents)
    assert len(checked) == (contacts["arm"] == "treated").sum()
    marketing = consents[consents["purpose"] == "marketing"]
    for row in checked.iloc[::40].itertuples():
        acts = marketing[(marketing["customer_ref"] == row.member_id) & (marketing["recorded_at"] < row.starts_on)]
        last = acts.sort_values("recorded_at")["action"].tolist()[-1:]
        assert row.state == (last[0] if last else "never given")
    report = contact_report(checked)
    assert report["sent"].sum() == len(checked)
    assert report["share_without"].between(0.3, 0.8).all()
    assert (report[["withdrawn", "never_given"]] > 0).all(axis=None)


# --- the collection plan -------------------------------------------------------------------------------------------

SOUND = ["phone", "delivery", "web_events", "contract", "medium", "1 year", "2 years after the last order"]


def plan_with(**changes):
    return pd.DataFrame([dict(zip(PLAN_COLUMNS, SOUND, strict=True)) | changes])


def test_a_sound_plan_has_no_findings():
    plan = pd.DataFrame(
        [
            SOUND,
            ["email", "marketing", "web_events", "consent", "medium", "1 year", "until withdrawn"],
            ["birth_date", "birthday coupon", "till", "separate consent", "high", "never changes", "2 years"],
            ["product_id", "membership_none", "till", None, "none", None, None],
        ],
        columns=PLAN_COLUMNS,
    )
    assert audit_plan(plan, NEEDS | {"membership_none": ["product_id"]}).empty
    assert audit_plan(plan.iloc[:3]).columns.tolist() == ["row", "field", "purpose", "fault", "law", "advice"]


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"purpose": None}, ["no purpose"]),
        ({"purpose": ""}, ["no purpose"]),
        ({"purpose": "Future use "}, ["vague purpose"]),
        ({"purpose": "以后可能用到"}, ["vague purpose"]),
        ({"purpose": "delivry"}, ["unknown purpose"]),
        ({"field": "gender"}, ["not needed"]),
        ({"field": "id_number", "sensitivity": "high"}, ["sensitive without need"]),
        ({"field": "id_number", "sensitivity": "high", "purpose": None}, ["no purpose", "sensitive without need"]),
        ({"sensitivity": "high", "lawful_basis": "consent"}, ["sensitive without separate consent"]),
        ({"lawful_basis": None}, ["no lawful basis"]),
        ({"lawful_basis": "habit"}, ["no lawful basis"]),
        ({"purpose": "marketing"}, ["use beyond the contract"]),
        ({"source": "bought_list"}, ["bought without separate consent"]),
        ({"source": "bought_list", "lawful_basis": "separate consent"}, []),
        ({"retention": None}, ["no retention"]),
        ({"refresh": ""}, ["no refresh"]),
        ({"sensitivity": "secret"}, ["unknown sensitivity"]),
    ],
)
def test_each_rule_finds_its_fault_and_no_other(changes, faults):
    assert audit_plan(plan_with(**changes))["fault"].tolist() == faults


def test_findings_name_the_row_the_law_and_what_to_do():
    plan = pd.concat([plan_with(), plan_with(retention=None), plan_with()])
    found = audit_plan(plan)
    assert found[["row", "fault"]].to_numpy().tolist() == [
        [2, "no retention"],
        [2, "listed twice"],
        [3, "listed twice"],
    ]
    assert found.loc[0, ["field", "purpose", "law"]].tolist() == ["phone", "delivery", "article 19"]
    assert found["advice"].tolist() == PLAN_RULES.loc[found["fault"], "advice"].tolist()
    with pytest.raises(ValueError, match="The plan lacks the columns purpose; it needs field, purpose, source"):
        audit_plan(plan.drop(columns="purpose"))


def test_a_plan_made_from_the_data_dictionary_can_be_checked():
    fields = describe("members").rename(columns={"column": "field", "personal_data": "sensitivity"})
    plan = fields.assign(
        purpose="membership", source="till", lawful_basis="consent", refresh="1 year", retention="2 years"
    )
    found = audit_plan(plan).set_index("field")["fault"]
    assert "sensitive without need" in found["id_number"].tolist()
    assert found["birth_date"] == "not needed" and "phone" not in found and "name" not in found
