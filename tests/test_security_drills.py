"""Known holes, disasters with real files, and a leak against the clock."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from packaging.specifiers import SpecifierSet

import cimlab
from cimlab.security import (
    AUDIT_COMMAND,
    DRILL_STEPS,
    DUTIES,
    EXERCISE_LOCK,
    PLACES,
    SCHEDULE,
    access_matrix,
    affected_persons,
    bill_of_materials,
    chain_entries,
    check_321,
    choose_backup,
    draw_drill,
    draw_incident,
    find_misuse,
    incident_timeline,
    is_affected,
    judge_order,
    make_operations,
    match_advisories,
    play_day,
    read_advisories,
    read_lock,
    recover,
    replay,
    table_sums,
    update_plan,
    which_duties,
)
from cimlab.security.incident import DRILL_RULES, LARGE

LOCK = Path(__file__).resolve().parent.parent / "requirements.txt"
DAY = "2026-06-30"


def at(hour):
    return pd.Timestamp(f"{DAY} {hour}")


def disaster(kind, made, noticed=None):
    return {"kind": kind, "made": at(made), "noticed": at(noticed or made)}


# ----------------------------------------------------------------------------------------------------- vulnerabilities
def test_the_lock_of_the_course_becomes_a_bill_of_materials():
    bill = bill_of_materials(LOCK.read_text(encoding="utf-8")).set_index("name")
    assert bill.index.is_unique and bill["version"].notna().all()
    assert bill.loc["pandas", "direct"] and bill.loc["pandas", "licence"] == "BSD-3-Clause"
    assert not bill.loc["contourpy", "direct"] and bill.loc["contourpy", "needed_by"] == "matplotlib"
    assert (bill["licence"] != "unknown").mean() > 0.8
    assert len(bill) < LOCK.read_text(encoding="utf-8").count("==")  # what is for other systems is left out


def test_without_a_lock_the_installed_parts_are_followed():
    bill = bill_of_materials().set_index("name")
    assert {"pandas", "numpy", "six"} <= set(bill.index) and "cimlab" not in bill.index
    assert bill.loc["pandas", "direct"] and not bill.loc["six", "direct"]
    assert bill["version"].equals(bill["installed"])
    with pytest.raises(ValueError, match="not installed, and no lock"):
        bill_of_materials(project="no-such-project-here")


@pytest.mark.parametrize("line", ["pandas>=2", "pandas", "pandas==2.*", "!!", "pandas==1,!=2"])
def test_a_lock_without_an_exact_version_is_refused(line):
    with pytest.raises(ValueError, match="lock, line 2"):
        read_lock(f"numpy==1.0\n{line}\n")


def test_who_asks_is_read_from_both_forms_and_other_systems_are_left_out():
    lock = read_lock("# top\na==1 ; sys_platform == 'nowhere'\n    # via x\nB_c==2\n    # via\n    #   b\n    #   a\n")
    assert lock[["name", "version"]].values.tolist() == [["b-c", "2"]] and lock["needed_by"][0] == ["b", "a"]
    assert not lock["direct"].any()


@pytest.mark.parametrize("events", list(read_advisories()["events"]))
def test_ranges_agree_with_packaging(events):
    parts, text = [], ""
    for event in events:
        (kind, number), *_ = event.items()
        text = text + f"{'>=' if kind == 'introduced' else '<' if kind == 'fixed' else '<='}{number},"
        if kind != "introduced":
            parts.append(SpecifierSet(text.strip(",")))
            text = ""
    for version in ("1.8", "1.9", "1.10", "1.11", "2.0rc1", "2.3.1", "2.3.2", "8.9", "9.4", "9.9.2", "9.10", "10.0",
                    "10.1.post1", "10.2rc1", "10.2", "10.2.1", "11"):  # fmt: skip
        wanted = any(part.contains(version, prereleases=True) for part in parts)
        if "rc" not in version or version == "2.0rc1":  # SpecifierSet leaves the candidates of an excluded end out
            assert is_affected(version, events) == wanted, version


def test_comparing_as_text_misses_a_hole_and_gives_a_false_alarm():
    bill, advisories = bill_of_materials(EXERCISE_LOCK), read_advisories()
    right = set(match_advisories(bill, advisories)["id"])
    text = set(match_advisories(bill, advisories, compare="text")["id"])
    assert right == {f"EXERCISE-2026-000{number}" for number in (2, 3, 4, 6)}  # 5 was withdrawn
    assert right - text == {"EXERCISE-2026-0006"} and text - right == {"EXERCISE-2026-0001"}
    for wrong in ("word", "size"):
        with pytest.raises(ValueError, match="by version or by text"):
            is_affected("1", [], compare=wrong)
    with pytest.raises(ValueError, match=r"Invalid version: 'x.y'"):
        is_affected("x.y", [])
    assert is_affected("9.9.1", [], versions=["9.9.1"]) and not is_affected("9.9.1", [])


def test_the_plan_updates_to_a_version_without_any_hole():
    advisories = read_advisories()
    found = match_advisories(bill_of_materials(EXERCISE_LOCK), advisories)
    assert found["severity"].tolist() == ["CRITICAL", "HIGH", "HIGH", "LOW"]
    plan = update_plan(found, DAY, advisories).set_index("name")
    assert plan.loc["xudong-tills", ["update_to", "severity", "holes"]].tolist() == ["10.2.1", "CRITICAL", 2]
    assert plan.loc["xudong-tills", "update_by"] == pd.Timestamp("2026-07-02")
    assert pd.isna(plan.loc["xudong-members-web", "update_to"])
    assert plan["how"].tolist() == ["direct", "direct", "carried along"]
    worse = pd.concat([advisories, advisories.assign(events=[[{"introduced": "10.2.1"}]] * len(advisories))])
    assert pd.isna(update_plan(found, DAY, worse).set_index("name").loc["xudong-tills", "update_to"])
    assert update_plan(found.head(0), DAY).empty
    with pytest.raises(ValueError, match="no severity"):
        match_advisories(bill_of_materials(EXERCISE_LOCK), advisories.assign(severity="BAD"))


def test_the_exercise_is_invented_and_matches_no_real_part():
    assert not set(read_advisories()["name"]) & set(bill_of_materials(LOCK.read_text(encoding="utf-8"))["name"])
    assert read_advisories()["summary"].str.startswith("EXERCISE, invented").all()
    assert AUDIT_COMMAND.startswith("pip-audit")


def test_an_advisory_that_lacks_a_part_is_named(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps([{"id": "X", "summary": "s", "affected": []}]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"advisory 0 \(X\) lacks 'database_specific'"):
        read_advisories(path)


# -------------------------------------------------------------------------------------------------------- backup drill
@pytest.fixture(scope="module")
def operations():
    return make_operations()


@pytest.mark.parametrize(
    ("what", "chosen", "lost", "down", "rejected"),
    [
        (disaster("disk", "15:00"), "noon", 3.0, 1.1, {}),
        (disaster("disk", "20:00"), "noon", 8.0, 1.1, {"evening": "is lost or encrypted"}),
        (disaster("disk", "12:20"), "night", 10 + 1 / 3, 1.5, {"noon": "was not finished"}),
        (disaster("delete", "11:00", "20:00"), "night", 18.0, 1.5,
         {"noon": "holds the fault of 11:00", "evening": "holds the fault of 11:00"}),
        (disaster("delete", "13:00", "20:00"), "noon", 8.0, 1.1, {"evening": "holds the fault of 13:00"}),
        (disaster("ransom", "19:00"), "night", 17.0, 1.5,
         {"noon": "is lost or encrypted", "evening": "is lost or encrypted"}),
    ],
)  # fmt: skip
def test_which_backup_what_is_lost_and_the_proof(operations, tmp_path, what, chosen, lost, down, rejected):
    backups = play_day(tmp_path, operations, SCHEDULE, what)
    choice = choose_backup(backups, what)
    assert (choice["backup"], choice["rejected"]) == (chosen, rejected)
    assert choice["hours_lost"] == pytest.approx(lost) and choice["hours_down"] == pytest.approx(down)
    result = recover(choice, operations, tmp_path)
    assert result["proven"] and result["restored"]["rows"].tolist() == [40]
    assert result["operations_lost"] == (operations["at"] > choice["starts_at"]).sum() > 0
    whole = recover(choice, operations, tmp_path, log_until=at("23:59"))
    assert whole["proven"] and whole["operations_lost"] == 0


def test_the_newest_backup_after_a_wrong_delete_is_no_good(operations, tmp_path):
    what = disaster("delete", "11:00", "20:00")
    backups = play_day(tmp_path, operations, SCHEDULE, what)
    assert table_sums(tmp_path / "evening.db")["rows"].tolist() == [21]
    newest = backups.set_index("backup").loc["evening"]
    result = recover({"path": newest["path"], "starts_at": newest["starts_at"]}, operations, tmp_path)
    assert not result["proven"] and result["expected"]["rows"].tolist() == [40]


def test_a_restore_that_went_wrong_is_not_proven(operations, tmp_path):
    what = disaster("disk", "15:00")
    backups = play_day(tmp_path, operations, SCHEDULE, what)
    choice = choose_backup(backups, what)
    replay(choice["path"], operations.tail(1), pd.Timestamp.min, at("23:59"))
    assert not recover(choice, operations, tmp_path)["proven"]


def test_ransom_takes_the_base_and_connected_backups_for_good(operations, tmp_path):
    plan = SCHEDULE[SCHEDULE["place"] != "disk in the safe"]
    what = disaster("ransom", "19:00")
    backups = play_day(tmp_path, operations, plan, what)
    assert table_sums(tmp_path / "base.db") is None and (tmp_path / "base.db").is_file()
    choice = choose_backup(backups, what)
    assert choice["backup"] is None
    with pytest.raises(ValueError, match="everything is lost"):
        recover(choice, operations, tmp_path)


def test_the_rule_321():
    assert check_321(SCHEDULE).set_index("rule")["holds"].tolist() == [True, True, False, True]
    better = pd.concat([SCHEDULE, SCHEDULE.head(1).assign(backup="far", place="other town")])
    assert check_321(better)["holds"].all()
    alone = SCHEDULE[SCHEDULE["place"] == "same disk"]
    assert not check_321(alone)["holds"].any()
    assert set(SCHEDULE["place"]) < set(PLACES)


def test_what_a_drill_refuses(operations, tmp_path):
    with pytest.raises(ValueError, match="no disaster 'flood'"):
        play_day(tmp_path, operations, SCHEDULE, disaster("flood", "15:00"))
    with pytest.raises(ValueError, match="before it happens"):
        play_day(tmp_path, operations, SCHEDULE, disaster("delete", "15:00", "14:00"))
    with pytest.raises(ValueError, match="no place 'cloud'"):
        check_321(SCHEDULE.assign(place="cloud"))
    with pytest.raises(ValueError, match="each card is an operation"):
        make_operations(members=5, count=4)
    assert make_operations().equals(operations) and not make_operations(seed=2).equals(operations)


def test_the_drill_is_drawn(operations, tmp_path):
    what = disaster("delete", "11:00", "20:00")
    backups = play_day(tmp_path, operations, SCHEDULE, what)
    ax = draw_drill(backups, what, choose_backup(backups, what))
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["chosen", "holds the fault of 11:00", "holds the fault of 11:00"]
    assert "work lost: 18.0 hours" in [text.get_text() for text in ax.get_legend().get_texts()]
    plt.close(ax.figure)


# ------------------------------------------------------------------------------------------------------------ incident
@pytest.fixture(scope="module")
def trail():
    rows = [
        ("08:10", "E03", "cashier", "read", "M1", 1),
        ("09:00", "E07", "service", "read", "M2", 1),
        ("23:10", "E07", "service", "read", "M1", 1),
        ("23:12", "E07", "service", "read", "ST02", 3),
        ("23:50", "E09", "analyst", "count", "ST02", 3),
    ]
    events = pd.DataFrame(rows, columns=["at", "actor", "role", "action", "record", "rows"])
    return chain_entries(events.assign(at=[at(hour) for hour in events["at"]], reason=""))


def test_who_was_affected_follows_from_the_trail(trail):
    night = find_misuse(trail, {"hours": {"from": 7, "to": 22}})
    groups = {"ST02": ["M1", "M4", "M5"]}
    matrix = access_matrix(cimlab.describe("members"))
    found = affected_persons(trail, night, groups, matrix).set_index("record")
    assert found["entries"].to_dict() == {"M1": 3, "M4": 2, "M5": 2}
    assert found.loc["M1", "actors"] == "E07, E09" and found.loc["M1", "first_at"] == at("23:10")
    assert set(found["grade"]) == {"medium"}
    count = affected_persons(trail, night[night["actor"] == "E09"], groups, matrix)
    assert set(count["grade"]) == {"general"}
    assert "grade" not in affected_persons(trail, night, groups)
    assert affected_persons(trail, night.head(0), groups, matrix).empty
    with pytest.raises(ValueError, match="entry 4 read 3 rows of 'ST02': say in groups"):
        affected_persons(trail, night)
    with pytest.raises(ValueError, match="entry 99 is not in the trail"):
        affected_persons(trail, pd.DataFrame({"entry_no": [99]}))


def test_duties_follow_from_persons_risk_and_place():
    def applying(*numbers, **facts):
        table = which_duties(*numbers, **facts).query("applies")
        return list(zip(table["article"], table["whom"], strict=True))

    pipl = [("Art. 57", "authority"), ("Art. 57", "persons")]
    assert applying(0) == []
    assert applying(2676) == pipl
    assert applying(2676, harm_prevented=True) == pipl[:1]
    assert applying(LARGE) == [*pipl, ("Art. 4", "authority")]
    assert applying(10, in_europe=True) == [*pipl, ("Art. 33", "authority"), ("Art. 34", "persons")]
    assert applying(10, in_europe=True, risk="some") == [*pipl, ("Art. 33", "authority")]
    assert applying(10, in_europe=True, risk="unlikely") == pipl
    for wrong in ({"persons": -1}, {"persons": 1, "risk": "big"}):
        with pytest.raises(ValueError, match="risk is unlikely"):
            which_duties(**wrong)
    assert DUTIES["source"].str.contains("Art").all()


@pytest.mark.parametrize(
    ("reported", "left", "kept"),
    [("2026-07-03 08:00", 0.0, True), ("2026-07-03 08:01", -1 / 60, False), (None, None, False)],
)
def test_the_clock_of_72_hours(reported, left, kept):
    times = {"found": f"{DAY} 08:00"} | ({"reported": reported} if reported else {})
    _, clocks = incident_timeline(times, which_duties(5, in_europe=True, risk="some"))
    row = clocks.query("article == 'Art. 33'").iloc[0]
    assert row["due_at"] == pd.Timestamp("2026-07-03 08:00") and row["kept"] is kept
    assert pd.isna(row["hours_left"]) if left is None else row["hours_left"] == pytest.approx(left)
    assert clocks.query("law == 'PIPL'")["kept"].isna().all()


def test_a_timeline_needs_the_finding():
    with pytest.raises(ValueError, match="'found'"):
        incident_timeline({"reported": DAY})
    with pytest.raises(ValueError, match="'hidden'"):
        incident_timeline({"found": DAY, "hidden": DAY})
    with pytest.raises(ValueError, match="'contained' lies before"):
        incident_timeline({"found": DAY, "contained": "2026-06-29"})


def test_each_rule_of_the_drill_can_be_broken_alone_or_with_others():
    for first, second, why in DRILL_RULES:
        order = DRILL_STEPS.copy()
        order.insert(first, order.pop(second))
        score, broken = judge_order(order)
        assert why in broken["why"].tolist() and score == 1 - len(broken) / len(DRILL_RULES)
    swapped = DRILL_STEPS.copy()
    swapped[1], swapped[2] = swapped[2], swapped[1]
    assert judge_order(swapped)[0] == 1.0
    for wrong in (DRILL_STEPS[:-1], [*DRILL_STEPS, DRILL_STEPS[0]], ["sleep", *DRILL_STEPS[1:]]):
        with pytest.raises(ValueError, match="judge_order"):
            judge_order(wrong)


def test_the_incident_is_drawn():
    times = {"found": f"{DAY} 08:00", "contained": f"{DAY} 10:00", "reported": "2026-07-03 12:00"}
    ax = draw_incident(*incident_timeline(times, which_duties(LARGE, in_europe=True)))
    texts = [text.get_text() for text in ax.texts]
    assert "GDPR Art. 33: 72 h, missed" in texts and " contained, 2 h " in texts
    plt.close(ax.figure)
