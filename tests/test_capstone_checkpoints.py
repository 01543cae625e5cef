"""The checkpoints of the capstone: made of what everybody has, good enough to go on, and no answer of one's own."""

import shutil
import sqlite3
from contextlib import closing

import nbformat
import pandas as pd
import pytest

import cimlab
from cimlab import capstone, database
from cimlab.capstone import checkpoints
from cimlab.capstone.checkpoints import checkpoint, is_checkpoint
from cimlab.checks import CheckFailed
from cimlab.labs import capstone_database as lab
from tests import notebooks


@pytest.fixture(scope="module")
def people():
    return cimlab.envelope("entity_map")


def score(links, people):
    return capstone.score_linkage(links, people, lab.typed()["record_id"]).set_index("criterion")


def test_the_linkage_is_middling_and_can_be_gone_on_from(people):
    links = checkpoint("links")
    assert 0.80 <= score(links, people).loc["linkage by pairs", "value"] <= 0.88
    assert score(links, people)["points"].sum() >= capstone.LEAST_LINKAGE
    assert links["record_id"].tolist() == lab.typed()["record_id"].tolist()
    lab.check_links({"links": links})


def test_it_is_known_again_and_no_rule_of_ones_own_meets_it():
    links, records = checkpoint("links"), checkpoint("records")
    assert is_checkpoint(links.sample(frac=1, random_state=1).assign(customer_id=links["customer_id"] + "x"))
    moved = links.copy()
    moved.loc[:20, "customer_id"] = [f"K8{place:05d}" for place in range(21)]
    assert is_checkpoint(moved)
    for blocks in (checkpoints.BLOCKS, checkpoints.BLOCKS[:3], [["phone", "surname"], ["email"]]):
        pairs = database.candidate_pairs(records, blocks)
        assert not is_checkpoint(database.cluster_pairs(records, pairs, database.find_conflicts(records, pairs)))
    assert not is_checkpoint(links.head(3000))
    assert not is_checkpoint(links.assign(customer_id=links["record_id"]))


def test_customers_by_the_usual_rules_are_ones_own_work():
    customers = checkpoint("customers")
    assert is_checkpoint(customers)
    merged, _ = database.merge_records(checkpoint("records"), checkpoint("links"))
    assert not is_checkpoint(database.make_customer_file(merged.dropna(subset="name")))
    assert not is_checkpoint(customers.assign(customer_id="K9" + customers["customer_id"].str[2:]))


def test_the_tables_stand_as_promised():
    tables, file = lab.read_tables(checkpoint("base")), checkpoint("customers")
    for name, columns in lab.TABLES.items():
        assert set(columns) <= set(tables[name]), name
        assert len(tables[name]), name
    assert len(tables["consent_state"]) == len(file) * len(lab.PURPOSES)
    assert len(tables["transactions"]) == len(cimlab.load("orders"))
    assert len(tables["transaction_lines"]) == len(cimlab.load("order_lines"))
    names = {"links": checkpoint("links"), "customers": file, "sources": checkpoint("sources"),
             "lineage": checkpoint("lineage"), "consent": checkpoint("consent"), "quality": checkpoint("quality"),
             "records": checkpoint("records"), "base": checkpoint("base")}  # fmt: skip
    for check in (lab.check_customers, lab.check_consent, lab.check_quality, lab.check_base):
        check(names)
    assert capstone.score_constraints(names["base"])["points"].tolist() == [4, 3]
    traced = capstone.score_lineage(file, names["lineage"], names["sources"], lab.versions())
    assert traced["points"].item() == 5
    stated = capstone.score_consent(names["consent"], cimlab.load("consents"), names["sources"],
                                    cimlab.envelope("entity_map"), capstone.BASE_AT)  # fmt: skip
    assert stated["value"].item() > 0.9


def test_a_copy_is_given_that_one_may_spoil(tmp_path):
    base = checkpoint("base", tmp_path)
    assert base == tmp_path / "base.db"
    with closing(sqlite3.connect(base)) as door, door:
        door.execute("DELETE FROM lineage")
    assert len(lab.read_tables(checkpoint("base"))["lineage"]) > 0
    assert is_checkpoint(base)
    assert not is_checkpoint(tmp_path / "nothing.db")
    proof = pd.DataFrame([(name, len(table)) for name, table in lab.read_tables(checkpoint("backup")).items()])
    report = capstone.score_backup(checkpoint("base"), checkpoint("backup"), proof.set_axis(["table", "rows"], axis=1))
    assert report["points"].item() == 4
    frame = checkpoint("links")
    frame["customer_id"] = "K000001"
    assert len(set(checkpoint("links")["customer_id"])) > 1
    with pytest.raises(ValueError, match="there is no checkpoint 'bases'"):
        checkpoint("bases")
    with pytest.raises(ValueError, match="does not exist"):
        checkpoint("base", tmp_path / "nowhere")


def test_another_edition_gives_other_checkpoints(tmp_path, monkeypatch):
    here = checkpoint("links")
    shutil.copytree(cimlab.locate("members").parent, tmp_path / "other")
    path = tmp_path / "other" / "members.csv"
    members = pd.read_csv(path, dtype="str").assign(phone=None, email=None)
    members.to_csv(path, index=False)
    monkeypatch.setenv("CIMLAB_DATA", str(tmp_path / "other"))
    assert checkpoint("records")["phone"].notna().sum() < cimlab.load("web_accounts")["phone"].notna().sum() + 1000
    assert not checkpoint("links").equals(here)
    monkeypatch.undo()
    assert checkpoint("links").equals(here)


def test_what_a_checkpoint_costs(people):
    links = checkpoint("links")
    rows = pd.concat([capstone.judge("linkage by pairs", 0.95, "x"), capstone.judge("lineage", 1.0, "x")])
    own = links.assign(customer_id=links["record_id"])
    assert lab.limit({"links": links}, rows)["points"].tolist() == [0, 5]
    assert lab.limit({"links": own}, rows)["points"].tolist() == [10, 2]
    assert lab.limit({}, rows)["points"].tolist() == [10, 2]
    assert lab.limit({"links": links, "customers": checkpoint("customers")}, rows)["points"].tolist() == [0, 0]
    later = capstone.judge("restore", 1.0, "x")
    assert lab.limit({"links": own, "base": checkpoint("base")}, later)["points"].item() == 4
    built = capstone.judge("constraints kept", 0, "x")
    assert lab.limit({"links": links, "base": checkpoint("base")}, built)["points"].item() == 0


def test_only_repairs_of_what_was_there_count_as_held():
    record = lab.typed().dropna(subset="phone")["record_id"].iloc[0]
    plain = lab.versions().drop_duplicates("record_id").set_index("record_id").loc[record, "phone"]
    log = pd.DataFrame({"record_id": record, "field": "phone", "old": [plain, "+8617400000001"],
                        "new": ["+8617400000009", "+8617400000007"]})  # fmt: skip
    held = lab.versions(log).query("record_id == @record")["phone"]
    assert "+8617400000009" in set(held)
    assert "+8617400000007" not in set(held)


def test_a_request_can_be_met(tmp_path):
    base = checkpoint("base")
    request = lab.receive_request(base, tmp_path)
    mine = set(lab.person_records(request.record_id))
    assert len(mine) >= 3
    before, after, who, files = lab.erasure_places(request, base, {})
    assert {name: len(table) for name, table in before.items()} == {name: len(table) for name, table in after.items()}
    assert all(path.is_file() for path in files)
    sources = before["customer_source"]
    assert len(set(sources.loc[sources["record_id"].isin(mine), "customer_id"])) == 1
    assert before["extract"]["note"].str.contains("parcels").sum() == 1
    person, known = lab.person_of(request.record_id, sources)
    assert mine <= set(person)
    report = capstone.score_erasure(before, after, who, person, [*known, request.phone[3:]], files)
    assert report["points"].item() == 0


def run_answers(names, *cells):
    """Run answer cells of the solution in a namespace."""
    notebook = notebooks.read(notebooks.ROOT / "solutions" / "capstone" / "capstone_database.ipynb")
    source = {cell.id: cell.source for cell in notebook.cells}
    for cell in cells:
        exec(compile(source[cell], cell, "exec"), names)
    return names


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """The solution from the checkpoint's linkage on, as somebody would go on from there."""
    place = tmp_path_factory.mktemp("answered")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        names = run_answers({"__name__": "answers"}, "bands", "setup", "a1_records")
        names["links"] = checkpoint("links")
        answers = ["a3_customers", "a4_consent", "a5_quality", "a6_base", "a7_dictionary", "a8_doors", "a9_erasure"]
        run_answers(names, *answers, "a10_backup")
        names["folder"] = names["folder"].resolve()
        names["base"] = names["base"].resolve()
        yield names


def test_from_the_checkpoint_on_all_else_counts(answered, people):
    names = answered
    assert lab.limit(names, score(names["links"], people).reset_index())["points"].sum() == 0
    file, sources = names["customers"], names["sources"]
    held = lab.versions(names["repairs"])
    rows = pd.concat([
        capstone.score_survivors(file, sources, people, cimlab.envelope("persons"), held),
        capstone.score_lineage(file, names["lineage"], sources, held),
        capstone.score_constraints(names["base"]),
        capstone.score_dictionary(names["dictionary"], names["base"], lab.least_grades()),
    ])  # fmt: skip
    assert lab.limit(names, rows)["points"].tolist() == rows["of"].tolist(), rows["sentence"].tolist()


@pytest.mark.postgres
def test_one_setting_fills_the_same_tables_in_postgresql(answered):
    from cimlab import security

    says = lab.fill_server(answered["build"], answered["base"], "postgres")
    try:
        assert "hold the same" in says, says
        engine = security.connect_postgres(lab._SERVERS[0])
        compared = lab.compare_bases(answered["base"], engine)
        assert compared["equal"].all()
        assert compared.set_index("table").loc["transactions", "rows"] == len(cimlab.load("orders"))
        with engine.begin() as connection:
            last = "(SELECT max(customer_id) FROM customer_file)"
            connection.exec_driver_sql(f"UPDATE customer_file SET city = 'nowhere' WHERE customer_id = {last}")
        other = lab.compare_bases(answered["base"], engine)
        assert other.loc[~other["equal"], "table"].tolist() == ["customer_file"]
    finally:
        while lab._SERVERS:
            security.stop_postgres(lab._SERVERS.pop())


def test_where_there_is_no_server_a_sentence_says_so(answered, monkeypatch):
    from cimlab import security

    monkeypatch.setattr(security, "missing_postgres", lambda: "the driver pg8000 is not there", raising=False)
    says = lab.fill_server(answered["build"], answered["base"], "postgres")
    assert says.startswith("There is no PostgreSQL here")
    assert "it can be 'sqlite' or 'postgres'" in lab.fill_server(None, answered["base"], "oracle")


def test_doors_as_the_text_of_the_task_tells_them():
    """`security.open_as` knows the roles of its chapter; dispatch is none of them, and is told to it."""
    from cimlab import security

    base, matrix, doors = checkpoint("base"), lab.RIGHTS.assign(table="customer_file"), {}
    with pytest.raises(ValueError, match="no row rule None"):
        security.open_as(base, "dispatch", matrix, as_of=checkpoints.TODAY)
    for role in matrix["role"].unique():
        doors[role] = security.open_as(base, role, matrix, roles={role: {"rows": "all"}}, as_of=checkpoints.TODAY)
        doors[role].execute(f"SELECT * FROM customer_file_{role}").fetchall()
    lab.check_doors({"doors": doors})
    row = capstone.score_access(doors, lab.RIGHTS, lab.read_tables(base)["customer_file"])
    assert row["points"].item() == row["of"].item()
    for door in doors.values():
        door.close()


TWICE = pd.DataFrame({"record_id": ["a", "a"], "customer_id": "K000001"})
BAD = {
    "no records": ({"records": checkpoints.TODAY}, lab.check_records, "the task asks for"),
    "a record twice": ({"links": TWICE}, lab.check_links, "is repeated"),
    "records not written": ({"records": None}, lab.check_records, "write your answer in its cell"),
    "doors not written": ({"doors": None}, lab.check_doors, "write your answer in its cell"),
    "no base": ({"base": "nowhere.db"}, lab.check_base, "There is no base yet"),
    "a door for one": ({"doors": {"analyst": "nowhere.db"}}, lab.check_doors, "there is no such file"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_the_visible_checks_speak(case):
    names, check, says = BAD[case]
    with pytest.raises(CheckFailed, match=says):
        check(names)


def test_the_visible_checks_find_what_is_not_there(answered):
    names = answered
    changes = [
        (lab.check_records, "records", names["records"].head(100), "leave no record out"),
        (lab.check_records, "repairs", names["repairs"].head(0), "log what you changed"),
        (lab.check_links, "links", names["links"].assign(customer_id="K000001"), "no person has so many"),
        (lab.check_links, "links", names["links"].assign(customer_id=names["links"]["record_id"]), "K and six digits"),
        (lab.check_customers, "lineage", names["lineage"].head(9), "have no row in `lineage`"),
        (lab.check_customers, "customers", names["customers"].head(9), "stand in one of"),
        (lab.check_consent, "consent", names["consent"].iloc[:-1], "Who never gave consent"),
        (lab.check_consent, "consent", names["consent"].assign(state="yes"), "the words are"),
        (lab.check_quality, "quality", names["quality"].assign(validity=99.0), "shares from 0 to 1"),
        (lab.check_dictionary, "dictionary", names["dictionary"].head(9), "do not stand in `dictionary`"),
        (lab.check_dictionary, "dictionary", names["dictionary"].assign(meaning="x"), "`meaning` is 'x'; write two"),
        (
            lab.check_dictionary,
            "dictionary",
            names["dictionary"].assign(personal_data="low"),
            "the word is none, general",
        ),
        (lab.check_doors, "doors", {}, "has nothing for the role"),
        (lab.check_backup, "backup", names["request"].base, "is the base itself"),
        (lab.check_backup, "proof", names["proof"].head(2), "one row for \\*each\\* table"),
    ]
    for check, name, value, says in changes:
        check(names)
        with pytest.raises(CheckFailed, match=says):
            check(names | {name: value})
    lab.check_base(names)
    lab.check_erasure(names)
    alone = pd.DataFrame({"record_id": names["links"]["record_id"].sort_values(ignore_index=True)})
    alone["customer_id"] = [f"K{number:06d}" for number in range(len(alone))]
    with pytest.raises(CheckFailed, match="you put no two records together") as failed:
        lab.check_links({"links": alone})
    assert "nan" not in str(failed.value) and "the points come from all persons" in str(failed.value)


def test_the_notebook_carries_sixty_points_and_each_hidden_test_prints_its_report():
    notebook = notebooks.read(notebooks.ROOT / "solutions" / "capstone" / "capstone_database.ipynb")
    assert isinstance(notebook, nbformat.NotebookNode)
    graded = [cell for cell in notebook.cells if notebooks.grade(cell).get("grade")]
    assert sum(notebooks.grade(cell)["points"] for cell in graded) == 60
    for cell in graded:
        assert cell.source.splitlines()[-2] == "lab.tell(rows)"
        assert "lab.limit(globals()" in cell.source
    visible = [cell for cell in notebook.cells if cell.id.startswith("test_") and cell not in graded]
    assert len(visible) == 10
    assert all(notebooks.grade(cell)["locked"] and "lab.check_" in cell.source for cell in visible)
