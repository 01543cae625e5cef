"""Part B of the capstone: what is given to start from, the tools, and the sentences of the visible checks."""

import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

from cimlab import capstone, profiles
from cimlab.checks import CheckFailed
from cimlab.labs import capstone_profiles as lab

CLAIMS = pd.DataFrame(
    [["buys online", "share_web", "more"], ["buys at weekends", "weekend", "more"], ["long away", "orders", "less"]],
    columns=["label", "outcome", "direction"],
)


@pytest.fixture(scope="module")
def given():
    return lab.prepare()


def test_the_base_is_told_and_a_broken_one_is_not_used(given, tmp_path):
    assert "checkpoint" in given.about
    own = tmp_path / capstone.OWN_BASES[0]
    own.write_bytes(b"no base at all, and long enough to be looked into")
    path, about = lab.find_base(tmp_path)
    assert path != own and "it is no SQLite base" in about
    own.unlink()
    with closing(sqlite3.connect(own)) as door:
        for name, columns in lab.NEEDED.items():
            pd.DataFrame(columns=columns).to_sql(name, door, index=False)
    assert "0 customers of customer_file have a purchase in transactions" in lab.find_base(tmp_path)[1]
    cards = pd.DataFrame({"order_id": range(2000), "customer_id": [f"M{number}" for number in range(2000)]})
    with closing(sqlite3.connect(own)) as door:  # the numbers of cards are no customers, however many there are
        cards.reindex(columns=lab.NEEDED["transactions"]).to_sql("transactions", door, index=False, if_exists="replace")
    assert "0 customers of customer_file" in lab.find_base(tmp_path)[1]
    with closing(sqlite3.connect(own)) as door:
        door.execute("DROP TABLE customer_source")
    assert "there is no table customer_source" in lab.find_base(tmp_path)[1]
    own.unlink()
    own.write_bytes(path.read_bytes())
    path, about = lab.find_base(tmp_path)
    assert path == own and about == "This is your own base, xudong_customers.db."
    live = tmp_path / capstone.OWN_BASES[1]
    live.parent.mkdir(parents=True)
    own.rename(live)
    assert lab.find_base(tmp_path) == (live, "This is your own base, base.db.")


def test_what_is_given_cannot_be_spoilt(given):
    mine = lab.prepare()
    mine.lines["amount"] = 0.0
    mine.buyers.clear()
    again = lab.prepare()
    assert again.lines.equals(given.lines) and again.buyers == given.buyers


def test_the_tool_for_labels_says_what_the_scorer_says(given):
    labels = profiles.rule_labels(given.lines, lab.LABELS_AT)
    labels = labels[labels["label"].isin(CLAIMS["label"])]
    lifts = lab.label_lifts(given.lines, labels, CLAIMS, lab.LABELS_AT, lab.TODAY)
    later = capstone.later_behaviour(given.lines, lab.LABELS_AT, lab.buyers_at(given.lines, lab.LABELS_AT))
    report = capstone.score_labels(labels, CLAIMS, later, lab.LABELS_AT)
    assert report["value"].iloc[1] == pytest.approx(lifts["true"].mean())
    assert lifts.set_index("label").loc["long away", "true"]
    turned = CLAIMS.assign(direction=CLAIMS["direction"].map({"more": "less", "less": "more"}))
    assert not lab.label_lifts(given.lines, labels, turned, lab.LABELS_AT, lab.TODAY)["true"].any()


def test_what_none_of_the_others_does_is_a_lift_without_end(given):
    later = capstone.later_behaviour(given.lines, lab.LABELS_AT, lab.buyers_at(given.lines, lab.LABELS_AT))
    holders = later.index[later["share_pet"] > 0]
    labels = pd.DataFrame({"customer_id": holders, "label": "likes pet goods", "seen_on": lab.LABELS_AT})
    claims = pd.DataFrame([["likes pet goods", "share_pet", "more"]], columns=CLAIMS.columns)
    told = lab.label_lifts(given.lines, labels, claims, lab.LABELS_AT, lab.TODAY).iloc[0]
    report = capstone.score_labels(labels, claims, later, lab.LABELS_AT)
    assert (told["measured"], told["lift"], told["true"]) == (len(holders), np.inf, True)
    assert report["value"].iloc[1] == 1.0


def test_the_target_and_the_regulars_against_a_count_by_hand(given):
    came, regular = lab.came_back(given.orders), set(lab.regulars_of(given.orders, lab.TODAY))
    days = (lab.CUTOFF - given.orders["ordered_at"].dt.normalize()).dt.days
    for who in came.index[:: len(came) // 40]:
        mine = days[given.orders["customer_id"] == who]
        assert mine.between(0, 364).any() and came[who] == mine.between(-90, -1).any()
    back = (lab.TODAY - given.orders["ordered_at"].dt.normalize()).dt.days
    for who in given.buyers[:: len(given.buyers) // 40]:
        mine = back[given.orders["customer_id"] == who]
        assert (who in regular) == ((mine < 365).sum() >= 3 and mine.min() < 180)


def test_consent_is_that_of_the_base_of_part_a(given):
    states = capstone.checkpoint("consent").pivot_table("state", "customer_id", "purpose", aggfunc="first")
    mine = given.consent.set_index("customer_id")[["marketing", "profiling"]]
    assert mine.equals(states[["marketing", "profiling"]].reindex(mine.index).rename_axis(columns=None))


def test_numbers_that_a_text_names():
    numbers = {"auc": 1, "auc_low": 2, "cost": 3}
    assert lab.named_in("{auc:.2f} {cost}", numbers) == {"auc": 1, "cost": 3}
    assert lab.named_in("a brace stays: {{auc:.2f}}, and {cost}", numbers) == {"cost": 3}


def says(check, names):
    with pytest.raises(CheckFailed) as failed:
        check(names)
    return str(failed.value)


def test_sentences_on_segments_and_cards(given):
    half = pd.DataFrame({"customer_id": given.buyers[::2], "segment": "all"})
    assert "`buyers` have no segment" in says(lab.check_segments, {"segments": half})
    strange = pd.concat([half, pd.DataFrame({"customer_id": ["K0"], "segment": "all"})])
    assert "1 customers in `segments` are not in `buyers`" in says(lab.check_segments, {"segments": strange})
    whole = pd.DataFrame({"customer_id": given.buyers, "segment": "all"})
    lab.check_segments({"segments": whole})
    assert "no card for 1 of 1 segments" in says(lab.check_cards, {"segments": whole, "cards": {}, "one": {}})
    assert "is no persona card" in says(lab.check_cards, {"segments": whole, "cards": {"all": {}}, "one": {}})


def test_sentences_on_contacts_and_numbers():
    contacts = pd.DataFrame({"customer_id": ["K1"], "stay_away": [40.0], "gain": [1.0]})
    assert "`stay_away` is a chance" in says(lab.check_contacts, {"threshold": 0.3, "contacts": contacts})
    assert "`threshold` is 30" in says(lab.check_contacts, {"threshold": 30.0, "contacts": contacts})
    numbers = dict.fromkeys(lab.NUMBERS, 0.5)
    lab.check_numbers({"numbers": numbers})
    assert "it is a share from 0 to 1" in says(lab.check_numbers, {"numbers": numbers | {"labelled": 83.0}})
    assert "is no number" in says(lab.check_numbers, {"numbers": numbers | {"auc": "0.72"}})
    assert "is no number" in says(lab.check_numbers, {"numbers": numbers | {"auc": np.nan}})
    del numbers["gain"]
    assert "`numbers` lacks gain." in says(lab.check_numbers, {"numbers": numbers})


def test_a_paper_needs_its_files_and_two_pages(tmp_path):
    text = " ".join(f"{{{name}}}" for name in lab.NUMBERS) + "\n\n![a](figure:b)"
    assert "`text` is still empty" in says(lab.check_paper, {"text": " ", "paper": None})
    assert "There is no HTML" in says(lab.check_paper, {"text": text, "paper": object()})
    for kind in ("html", "pdf"):
        (tmp_path / f"paper.{kind}").write_text("")
    paper = capstone.Paper(tmp_path / "paper.html", tmp_path / "paper.pdf", 3, [])
    assert "has 3 pages" in says(lab.check_paper, {"text": text, "paper": paper})
    lab.check_paper({"text": text, "paper": paper._replace(pages=2)})
    assert "uses 1 of the numbers" in says(lab.check_paper, {"text": "{auc}", "paper": paper._replace(pages=2)})
