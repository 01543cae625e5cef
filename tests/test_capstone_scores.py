"""The scoring of the capstone: a model answer, a lazy one, one that matches too much, a model that knows the future.

The answers are made from the loaded edition, and judged against its truth: what is stated here holds on any seed.
"""

import shutil
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import cimlab
from cimlab import capstone, database, mining, profiles, security
from cimlab.collection import consent_of_customers, consent_state

TODAY = pd.Timestamp("2026-06-30")
CUTOFF = pd.Timestamp("2026-03-31")
LABELS_AT = pd.Timestamp("2025-12-31")
ROLES = {
    "analyst": {"city": "read", "gender": "read", "name": "none", "phone": "none", "id_number": "none"},
    "service": {"name": "read", "phone": "read", "id_number": "none"},
}
RIGHTS = pd.DataFrame(
    [(role, column, right) for role, columns in ROLES.items() for column, right in columns.items()],
    columns=["role", "column", "right"],
)
CLAIMS = {
    "hunts offers": ("on_offer", "more"),
    "pays full price": ("on_offer", "less"),
    "buys online": ("share_web", "more"),
    "buys in shops": ("share_till", "more"),
    "buys at weekends": ("weekend", "more"),
    "comes often": ("orders", "more"),
    "spends much": ("spend", "more"),
    "long away": ("orders", "less"),
}


@pytest.fixture(scope="module")
def given():
    """What all answers start from, and the truth."""
    names = ["members", "web_accounts", "calls", "orders", "order_lines", "products", "consents"]
    tables = {name: cimlab.load(name) for name in names}
    raw = database.extract_records(*(tables[name] for name in names[:3]))
    plain = database.standardise_records(raw)
    mended, _ = database.repair_typed(raw, on=TODAY)
    clean, _ = database.repair_values(database.standardise_records(mended), on=TODAY)
    clean, _ = database.repair_missing(clean)
    truth = {name: cimlab.envelope(name) for name in ("entity_map", "persons", "traits")}
    pairs = database.link_records(clean, threshold=0.001)
    return SimpleNamespace(**tables, raw=raw, plain=plain, clean=clean, versions=pd.concat([plain, clean]), pairs=pairs,
                           **truth)  # fmt: skip


def careful_base(given, clusters, folder):
    """Everything after the linkage, done with care: so that only the linkage differs between two answers."""
    customers, lineage = database.merge_records(given.clean, clusters)
    file = database.make_customer_file(customers.dropna(subset="name"))
    known = clusters[clusters["customer_id"].isin(file["customer_id"])].merge(given.clean[["record_id", "source"]])
    refs = given.orders["customer_ref"].where(given.orders["customer_ref"].isin(known["record_id"]))
    transactions = database.make_transactions(given.orders.assign(customer_ref=refs), known)
    base = folder / "base.db"
    engine = database.create_database(base)
    database.fill_database(engine, customer_file=file, customer_source=known, transactions=transactions)
    database.back_up(engine, folder / "backup.db")
    proof = database.fingerprint(folder / "backup.db")
    matrix = RIGHTS.assign(table="customer_file")
    rows = {role: {"rows": "all"} for role in ROLES}
    opened = {role: security.open_as(base, role, matrix, roles=rows) for role in ROLES}
    states = consent_states(given, known.set_index("record_id")["customer_id"])
    return SimpleNamespace(base=base, backup=folder / "backup.db", file=file, sources=known, lineage=lineage,
                           transactions=transactions, proof=proof, opened=opened, states=states,
                           quality=quality(given, file))  # fmt: skip


def describe(base):
    """The columns of a base, explained in the same easy way by all answers."""
    sql = "SELECT m.name AS 'table', c.name AS 'column' FROM sqlite_master m, pragma_table_info(m.name) c"
    with closing(sqlite3.connect(base)) as door:
        columns = pd.read_sql(f"{sql} WHERE m.type = 'table'", door)
    return columns.assign(meaning=columns["column"] + " of the row", personal_data="medium")


def consent_states(given, owner):
    state = consent_state(given.consents, TODAY, owner.index, sorted(given.consents["purpose"].unique()))
    each = {purpose: consent_of_customers(part, owner) for purpose, part in state.groupby("purpose")}
    return pd.concat(each, names=["purpose", "customer_id"]).rename("state").reset_index()


def quality(given, file):
    figures = [capstone.quality_figures(given.raw, "before"), capstone.quality_figures(file, "after")]
    return pd.concat(figures, ignore_index=True)


def lazy_base(given, folder):
    """Duplicates dropped by name, nothing linked, nothing declared, and each promise kept in the easiest way."""
    file = given.plain.drop_duplicates("name").rename(columns={"record_id": "customer_id"})
    sources = pd.DataFrame({"record_id": file["customer_id"], "source": file["source"]})
    sources["customer_id"] = sources["record_id"]
    orders = given.orders.rename(columns={"customer_ref": "customer_id"})
    transactions = orders[["order_id", "customer_id", "channel", "store_id", "ordered_at", "amount"]]
    base = folder / "base.db"
    with closing(sqlite3.connect(base)) as door, door:
        tables = {"customer_file": file, "customer_source": sources, "transactions": transactions}
        for name, table in tables.items():
            table.to_sql(name, door, index=False)
    shutil.copy(base, folder / "backup.db")
    newest = given.consents.sort_values("recorded_at").drop_duplicates(["customer_ref", "purpose"], keep="first")
    states = newest.rename(columns={"customer_ref": "customer_id", "action": "state"})
    return SimpleNamespace(base=base, backup=folder / "backup.db", file=file, sources=sources,
                           lineage=pd.DataFrame({"customer_id": [], "field": [], "record_id": []}, dtype="str"),
                           transactions=transactions, proof=pd.DataFrame({"table": [], "rows": []}),
                           opened=dict.fromkeys(ROLES, base), states=states,
                           quality=capstone.quality_figures(given.raw, "before"))  # fmt: skip


def score_base(given, answer, erased):
    """Part A, as a notebook will put it together."""
    truth, own = given.entity_map, capstone
    rows = [
        own.score_linkage(answer.sources, truth, given.raw["record_id"]),
        own.score_constraints(answer.base),
        own.score_purchases(answer.transactions, answer.sources, given.orders, truth),
        own.score_survivors(answer.file, answer.sources, truth, given.persons, given.plain),
        own.score_lineage(answer.file, answer.lineage, answer.sources, given.versions),
        own.score_quality(answer.quality, given.raw, answer.file),
        own.score_dictionary(describe(answer.base), answer.base, {"phone": "medium"}),
        own.score_access(answer.opened, RIGHTS, answer.file),
        own.score_consent(answer.states, given.consents, answer.sources, truth, TODAY),
        own.score_erasure(*erased),
        own.score_backup(answer.base, answer.backup, answer.proof),
    ]
    return pd.concat(rows, ignore_index=True)


def erasure(given, answer, folder, careful):
    """Erase one customer of several records, with care from all tables and the file, or from the file alone."""
    several = answer.sources["customer_id"].value_counts()
    owner = capstone.owner_of_customers(answer.sources, given.entity_map)
    customer = min(several[(several >= min(3, several.max())) & several.index.isin(owner.index)].index)
    records = answer.sources.loc[answer.sources["customer_id"] == customer, "record_id"].tolist()
    person = [customer, *records]
    extract = answer.file[["customer_id", "name", "phone"]]
    before = {"customer_file": answer.file, "customer_source": answer.sources, "transactions": answer.transactions,
              "lineage": answer.lineage[["customer_id", "record_id"]], "extract": extract}  # fmt: skip
    before = {name: table.reset_index(drop=True) for name, table in before.items()}
    who = {name: ["customer_id"] for name in before}
    also = capstone.known_by(owner[customer], given.persons, given.plain, given.entity_map)
    if not careful:
        return before, before | {"customer_file": before["customer_file"].iloc[1:]}, who, person, also, [answer.backup]
    after, _ = security.erase_person(before, who, person, keep={"transactions": (["customer_id"], "accounts")})
    path = folder / "after.db"
    with closing(sqlite3.connect(path)) as door:
        for name, table in after.items():
            table.to_sql(name, door, index=False)
    return before, after, who, person, also, [path]


def link(given, threshold, transitive=False):
    pairs = given.pairs[given.pairs["probability"] >= threshold]
    return database.cluster_pairs(
        given.clean, pairs, None if transitive else database.find_conflicts(given.clean, pairs)
    )


@pytest.fixture(scope="module")
def reports(given, tmp_path_factory):
    """The report of part A for each answer."""
    made = {}
    kinds = {
        "model": lambda folder: careful_base(given, link(given, 0.1), folder),
        "lazy": lambda folder: lazy_base(given, folder),
        "by name": lambda folder: careful_base(given, by_name(given), folder),
        "over-matching": lambda folder: careful_base(given, link(given, 0.001, transitive=True), folder),
    }
    answers = {}
    for kind, make in kinds.items():
        folder = tmp_path_factory.mktemp("answer")
        answers[kind] = make(folder)
        erased = erasure(given, answers[kind], folder, careful=kind != "lazy")
        made[kind] = score_base(given, answers[kind], erased)
        for door in answers[kind].opened.values():
            if isinstance(door, sqlite3.Connection):
                door.close()
    return SimpleNamespace(reports=made, answers=answers)


def by_name(given):
    """Whoever is called the same is one customer, whatever else is known."""
    name = given.clean["name"].fillna(given.clean["record_id"])
    number = "K" + (pd.factorize(name)[0] + 1).astype(str).astype(object)
    return pd.DataFrame({"record_id": given.clean["record_id"], "customer_id": number.astype(str)})


def points(report, criterion):
    return int(report.set_index("criterion").loc[criterion, "points"])


def part_a(report):
    return int(capstone.sum_points(report).loc["A", "points"])


@pytest.fixture(scope="module")
def profile(given):
    """The model answer of part B: labels, segments and a model, made of the careful linkage."""
    clusters = link(given, 0.1)
    owner = clusters.set_index("record_id")["customer_id"]
    tables = (given.orders, given.order_lines, given.products)
    lines = profiles.purchase_lines(*tables, clusters, TODAY)
    past = lines[lines["ordered_at"] < LABELS_AT + pd.Timedelta(days=1)]
    buyers = sorted(past.loc[past["ordered_at"] > LABELS_AT - pd.Timedelta(days=365), "customer_id"].unique())
    labels = profiles.rule_labels(past, LABELS_AT)
    claims = [(label, *claim) for label, claim in CLAIMS.items()]
    likes = profiles.RULES[profiles.RULES["label"].str.startswith("likes")]
    category = likes["condition"].str.extract("'(.*)'", expand=False)
    claims += [(label, f"share_{name}", "more") for label, name in zip(likes["label"], category, strict=True)]
    orders = given.orders.assign(customer_id=given.orders["customer_ref"].map(owner)).dropna(subset="customer_id")
    return SimpleNamespace(clusters=clusters, lines=lines, past=past, buyers=buyers, labels=labels, orders=orders,
                           claims=pd.DataFrame(claims, columns=["label", "outcome", "direction"]),
                           later=capstone.later_behaviour(lines, LABELS_AT, buyers))  # fmt: skip


def segments_of(profile, k=5):
    """Segments of the customers who bought in two years, by how often, how much, on offer, and where."""
    lines = profile.lines[profile.lines["ordered_at"] > TODAY - pd.Timedelta(days=730)]
    who, orders = lines.groupby("customer_id"), lines.drop_duplicates("order_id")
    table = pd.DataFrame({"frequency": who["order_id"].nunique(), "monetary": who["amount"].sum()})
    table["basket"] = table["monetary"] / table["frequency"]
    table["on_offer"] = lines["amount"].where(lines["discount"] > 0, 0).groupby(lines["customer_id"]).sum()
    table["on_offer"] /= table["monetary"]
    table["share_web"] = orders["channel"].eq("web").groupby(orders["customer_id"]).mean()
    frame = {"habit": ["frequency"], "basket": ["basket"], "price": ["on_offer"], "channel": ["share_web"]}
    scaled = profiles.scale_frame(table.reset_index(), frame)
    return mining.segment_customers(scaled, k)


def build_then(rows, cutoff):
    return mining.label_customers(rows, cutoff)[["customer_id", *mining.FEATURES]]


def build_today(rows, cutoff):
    """Features of the last day of the data, whatever the cutoff: they know who came back."""
    return mining.label_customers(rows, rows["ordered_at"].max(), lookback=730)[["customer_id", *mining.FEATURES]]


def modelled(profile, leaking=False):
    """A model that says who will buy in the 90 days after the cutoff; the leaking one learns and tests on today."""
    stacked = mining.stack_cutoffs(profile.orders, ["2025-06-30", "2025-09-30", "2025-12-31", CUTOFF], days=90)
    train, test = mining.split_in_time(stacked, CUTOFF)
    actual = test.set_index("customer_id")["repurchase"]
    if leaking:
        test = test[["customer_id", "cutoff", "until", "repurchase"]].merge(build_today(profile.orders, CUTOFF))
        train = test.sample(frac=0.5, random_state=1)
    model = mining.fit_model(train, "repurchase")
    test = test.assign(score=mining.predict_scores(model, test), actual=test["repurchase"])
    test = test[["customer_id", "cutoff", *mining.FEATURES, "score", "actual"]]
    auc = mining.judge_scores(test["actual"], test["score"])["auc"]
    return SimpleNamespace(train=train, test=test, actual=actual, auc=auc, build=build_today if leaking else build_then)


@pytest.fixture(scope="module")
def honest(profile):
    return modelled(profile)


@pytest.fixture(scope="module")
def leaking(profile):
    return modelled(profile, leaking=True)


# --- Part A ----------------------------------------------------------------------------------------------------------


def test_the_model_answer_has_nearly_all_points(reports):
    report = reports.reports["model"].set_index("criterion")
    assert report.index.tolist() == capstone.bands_table("A")["criterion"].unique().tolist()
    assert part_a(reports.reports["model"]) == 60, report.loc[report["points"] < report["of"], "sentence"].tolist()
    assert report["sentence"].str.endswith(".").all()


def test_a_more_careful_threshold_is_an_answer_too(given):
    report = capstone.score_linkage(link(given, 0.9), given.entity_map, given.raw["record_id"])
    assert report["points"].tolist() == [10, 5]


def test_the_lazy_answer_has_a_low_mark(reports):
    report = reports.reports["lazy"]
    assert part_a(report) <= 10
    assert points(report, "linkage by pairs") == points(report, "linkage by records") == 0
    text = report.set_index("criterion")["sentence"]
    assert "You linked no two records" in text["linkage by pairs"]
    assert "analyst: name can be read" in text["access"]
    assert "the bytes of backup.db" in text["erasure"]


@pytest.mark.parametrize("kind", ["by name", "over-matching"])
def test_tidy_tables_of_the_wrong_customers_have_a_low_mark(reports, kind):
    report = reports.reports[kind]
    assert points(report, "linkage by pairs") == points(report, "linkage by records") == 0
    assert points(report, "lineage") == 5  # all else was done with care
    assert part_a(report) <= 18 < capstone.sum_points(report).loc["A", "earned"]
    limited = capstone.limit_points(report, 0).set_index("criterion")
    assert limited.loc["lineage", "points"] == 2
    assert "linkage below 4 of 15 points" in limited.loc["lineage", "sentence"]
    free = capstone.sum_points(report, from_checkpoint=True).loc["A", "points"]
    assert free == capstone.sum_points(report).loc["A", "earned"]


def test_over_matching_is_told_as_such(reports, given):
    text = reports.reports["over-matching"].set_index("criterion")["sentence"]
    assert "Different persons run together" in text["linkage by pairs"]
    assert points(reports.reports["over-matching"], "consent") == 0
    chained = capstone.score_linkage(link(given, 0.1, transitive=True), given.entity_map, given.raw["record_id"])
    assert chained["points"].sum() < 4
    assert chained["sentence"].str.contains("Different persons run together").all()


def test_linkage_against_a_count_by_hand():
    truth = pd.DataFrame({"record_id": list("abcde"), "person_id": ["N1", "N1", "N1", "N2", None]})
    mine = pd.DataFrame({"record_id": list("abcd"), "customer_id": ["K1", "K1", "K2", "K2"]})
    report = capstone.score_linkage(mine, truth, list("abcde"))
    assert report["value"].iloc[0] == pytest.approx(2 * 0.5 * (1 / 3) / (0.5 + 1 / 3))  # 1 of 2 right, 1 of 3 found
    clean, whole = (1 + 1 + 0.5 + 0.5 + 1) / 5, (2 / 3 + 2 / 3 + 1 / 3 + 1 + 1) / 5
    assert report["value"].iloc[1] == pytest.approx(2 * clean * whole / (clean + whole))
    assert "1 of 5 records stand under no customer" in report["sentence"].iloc[1]
    with pytest.raises(ValueError, match="two customers"):
        capstone.score_linkage(pd.concat([mine, mine.assign(customer_id="K9")]), truth, list("abcde"))


def test_owner_needs_more_than_half_and_each_person_once():
    truth = pd.DataFrame({"record_id": list("abcdef"), "person_id": ["N1", "N1", "N1", "N2", "N2", "N1"]})
    mine = pd.DataFrame({"record_id": list("abcdef"), "customer_id": ["K1", "K1", "K2", "K2", "K3", "K4"]})
    assert capstone.owner_of_customers(mine, truth).to_dict() == {"K1": "N1", "K3": "N2"}


def test_constraints_are_counted_and_tried_and_the_base_stays(reports, tmp_path):
    good = reports.answers["model"].base
    copy = tmp_path / "broken.db"
    shutil.copy(good, copy)
    with closing(sqlite3.connect(copy)) as door, door:
        door.execute("PRAGMA ignore_check_constraints = ON")
        keys = [row[0] for row in door.execute("SELECT customer_id FROM customer_file ORDER BY 1 LIMIT 3")]
        door.execute("UPDATE customer_file SET gender = 'X' WHERE customer_id = ?", keys[:1])
        door.execute(
            "UPDATE transactions SET customer_id = 'K999999' WHERE rowid IN (SELECT rowid FROM transactions LIMIT 2)"
        )
    before = copy.read_bytes()
    report = capstone.score_constraints(copy)
    assert report["value"].tolist() == [3, 1]
    assert "transactions, customer unknown: 2" in report["sentence"].iloc[0]
    assert copy.read_bytes() == before
    with closing(sqlite3.connect(copy)) as door, door:
        door.execute("DELETE FROM transactions")
    assert capstone.score_constraints(copy)["points"].tolist() == [0, 0]  # an empty table keeps any rule
    with closing(sqlite3.connect(copy)) as door, door:
        door.execute("DROP TABLE transactions")
    assert "no such table: transactions" in capstone.score_constraints(copy)["sentence"].iloc[0]


def test_survivors_follow_the_rule_that_was_chosen(reports, given):
    answer = reports.answers["model"]
    rest = (answer.sources, given.entity_map, given.persons, given.plain)
    best = reports.reports["model"].set_index("criterion").loc["surviving values", "value"]
    oldest = given.clean.merge(answer.sources[["record_id", "customer_id"]]).sort_values("updated_at")
    fields = ["phone", "email", "address", "birth_date"]
    file = oldest.groupby("customer_id")[fields].first().reset_index()
    report = capstone.score_survivors(file, *rest)
    assert report["value"].item() < best - 0.2
    assert report["points"].item() == 0
    nothing = capstone.score_survivors(file.assign(**dict.fromkeys(fields)), *rest)
    assert nothing["value"].item() == 0  # a blank is no right value


def test_a_wrong_lineage_is_found(reports, given):
    answer = reports.answers["model"]
    rest = (answer.sources, given.versions)
    turned = answer.lineage.assign(record_id=np.roll(answer.lineage["record_id"], 1000))
    assert capstone.score_lineage(answer.file, turned, *rest)["value"].item() < 0.1
    invented = answer.file.assign(city="月亮")
    report = capstone.score_lineage(invented, answer.lineage, *rest)
    assert report["points"].item() <= 1
    half = answer.lineage.iloc[::2]
    assert 0.4 < capstone.score_lineage(answer.file, half, *rest)["value"].item() < 0.6


def test_a_dictionary_with_holes_and_low_grades(reports):
    base = reports.answers["model"].base
    good = describe(base)
    assert capstone.score_dictionary(good, base, {"phone": "medium"})["points"].item() == 2
    low = good.assign(personal_data=good["personal_data"].mask(good["column"] == "phone", "none"))
    report = capstone.score_dictionary(low, base, {"phone": "medium"})
    assert report["points"].item() == 1
    assert "customer_file.phone is of grade medium, not none" in report["sentence"].item()
    holes = good[good["table"] == "customer_file"]
    report = capstone.score_dictionary(holes, base, {})
    assert report["points"].item() == 0
    assert "is not explained" in report["sentence"].item()
    more = pd.concat([good, good.tail(1).assign(column="fax"), good.head(1).assign(column="x", meaning="y")])
    assert "transaction_lines.fax does not exist" in capstone.score_dictionary(more, base, {})["sentence"].item()
    blank = good.assign(meaning=good["meaning"].where(good["table"] != "transactions"))
    assert "two words" in capstone.score_dictionary(blank, base, {})["sentence"].item()


def test_an_invented_quality_report_is_found(reports, given):
    answer = reports.answers["model"]
    better = answer.quality.assign(completeness=answer.quality["completeness"] + 0.05)
    report = capstone.score_quality(better, given.raw, answer.file)
    assert report["value"].item() == pytest.approx(2 / 3)
    assert "completeness of name before" in report["sentence"].item()
    blank = answer.quality.assign(completeness=np.nan, validity=np.nan, uniqueness=np.nan)
    assert capstone.score_quality(blank, given.raw, answer.file)["value"].item() == 0


def test_access_views_on_the_open_base_leak_and_an_empty_copy_serves_nobody(reports, tmp_path):
    answer = reports.answers["model"]
    matrix, rows = RIGHTS.assign(table="customer_file"), {role: {"rows": "all"} for role in ROLES}
    views = {role: security.open_as(answer.base, role, matrix, roles=rows, guard="view") for role in ROLES}
    report = capstone.score_access(views, RIGHTS, answer.file)
    [door.close() for door in views.values()]
    assert report["points"].item() <= 2
    assert "analyst: name can be read" in report["sentence"].item()
    files = {}
    for role in ROLES:  # a copy with one hidden column forgotten in a second table
        files[role] = tmp_path / f"{role}.db"
        needed = [column for column, right in ROLES[role].items() if right == "read"]
        with closing(sqlite3.connect(files[role])) as door:
            answer.file[needed].to_sql("customers", door, index=False)
    good = capstone.score_access(files, RIGHTS, answer.file)
    assert good["points"].item() == 6, good["sentence"].item()
    with closing(sqlite3.connect(files["analyst"])) as door:
        answer.file[["phone"]].head(1).to_sql("notes", door, index=False)
    assert capstone.score_access(files, RIGHTS, answer.file)["points"].item() == 2
    with closing(sqlite3.connect(":memory:")) as one, closing(sqlite3.connect(":memory:")) as two:
        empty = capstone.score_access({"analyst": one, "service": two}, RIGHTS, answer.file)
    assert "cannot be read" in empty["sentence"].item()
    assert empty["points"].item() < 6
    assert capstone.score_access({}, RIGHTS, answer.file)["points"].item() == 0


def test_consent_of_another_day_is_wrong(reports, given):
    answer = reports.answers["model"]
    everybody = answer.states.assign(state="given")
    report = capstone.score_consent(everybody, given.consents, answer.sources, given.entity_map, TODAY)
    assert report["points"].item() == 0
    assert "write to somebody who did not allow it" in report["sentence"].item()
    early = capstone.score_consent(answer.states, given.consents, answer.sources, given.entity_map, "2025-01-01")
    assert early["points"].item() == 0


def test_an_erasure_by_deleting_leaves_the_row_in_the_file(tmp_path):
    path = tmp_path / "base.db"
    table = pd.DataFrame({"member_id": ["M1", "M2"], "phone": ["17400000001", "17400000002"]})
    with closing(sqlite3.connect(path)) as door:
        table.to_sql("members", door, index=False)
        door.execute("PRAGMA secure_delete = OFF")
        door.execute("DELETE FROM members WHERE member_id = 'M1'")
        door.commit()
    given = ({"members": table}, {"members": table.iloc[1:]}, {"members": ["member_id"]}, ["M1"], ["17400000001"])
    assert capstone.score_erasure(*given)["points"].item() == 5
    report = capstone.score_erasure(*given, files=[path])
    assert (report["value"].item(), report["points"].item()) == (1, 3)
    with closing(sqlite3.connect(path)) as door:
        door.execute("VACUUM")
    assert capstone.score_erasure(*given, files=[path])["points"].item() == 5
    note = {"note": pd.DataFrame({"text": ["ring 174 0000-0001 again"]})}
    kept = capstone.score_erasure(given[0], given[1] | note, *given[2:])
    assert kept["value"].item() == 1
    assert "the person: note" in kept["sentence"].item()
    gone = capstone.score_erasure(given[0], {"members": table.iloc[:0]}, *given[2:])
    assert "1 row of others is lost" in gone["sentence"].item()


def test_a_backup_of_yesterday_and_a_damaged_one(reports, tmp_path):
    answer = reports.answers["model"]
    old = tmp_path / "old.db"
    shutil.copy(answer.backup, old)
    with closing(sqlite3.connect(old)) as door, door:
        door.execute("DELETE FROM transactions WHERE order_id = (SELECT max(order_id) FROM transactions)")
    report = capstone.score_backup(answer.base, old, answer.proof)
    assert report["points"].item() == 2
    assert "transactions comes back with" in report["sentence"].item()
    old.write_bytes(old.read_bytes()[:5000])
    assert capstone.score_backup(answer.base, old, answer.proof)["points"].item() == 0
    assert capstone.score_backup(answer.base, tmp_path / "none.db", answer.proof)["band"].item() == "not measured"


# --- Part B ----------------------------------------------------------------------------------------------------------


def test_labels_of_the_model_answer_hold(profile):
    report = capstone.score_labels(profile.labels, profile.claims, profile.later, LABELS_AT)
    assert report["points"].tolist() == [4, 7], report["sentence"].tolist()


def test_labels_by_chance_of_today_and_for_all_are_worth_nothing(profile):
    draw = np.random.default_rng(1)
    chance = profile.labels.assign(customer_id=draw.permutation(profile.labels["customer_id"]))
    assert points(capstone.score_labels(chance, profile.claims, profile.later, LABELS_AT), "label lift") == 0
    today = profiles.rule_labels(profile.lines, TODAY)
    report = capstone.score_labels(today, profile.claims, profile.later, LABELS_AT)
    assert points(report, "label lift") == 0
    assert "known, not foretold" in report["sentence"].iloc[1]
    every = pd.DataFrame({"customer_id": profile.buyers, "label": "customer", "seen_on": LABELS_AT})
    assert capstone.score_labels(every, profile.claims, profile.later, LABELS_AT)["points"].sum() == 0
    assert capstone.score_labels(every.head(0), profile.claims, profile.later, LABELS_AT)["points"].sum() == 0


def test_segments_of_behaviour_tell_and_those_by_chance_do_not(profile, given):
    found = segments_of(profile)
    customers = found.index
    truth = (profile.clusters, given.entity_map, given.traits)
    assert capstone.score_segments(found, customers, *truth)["points"].tolist() == [3, 7]
    chance = pd.Series(np.random.default_rng(1).integers(0, 5, len(found)), index=customers)
    assert capstone.score_segments(chance, customers, *truth)["points"].tolist() == [3, 0]
    assert capstone.score_segments(found.iloc[: len(found) // 2], customers, *truth)["points"].iloc[0] == 0
    one = capstone.score_segments(pd.Series("C1", index=customers), customers, *truth)
    assert one["points"].sum() == 0
    with pytest.raises(ValueError, match="two segments"):
        capstone.score_segments(pd.concat([found, found.head(1)]), customers, *truth)


def judged(profile, model, build=None):
    leaks = capstone.score_leaks(build or model.build, profile.orders, model.train, model.test)
    return pd.concat([leaks, capstone.score_holdout(model.test, model.actual, model.auc, int(leaks["value"].item()))])


def test_an_honest_model_has_full_points(profile, honest):
    report = judged(profile, honest)
    assert report["points"].tolist() == [6, 6, 4], report["sentence"].tolist()


def test_a_leaking_model_loses_its_points(profile, leaking):
    report = judged(profile, leaking)
    assert report["points"].sum() == 0
    assert report.set_index("criterion").loc["hold-out", "value"] > 0.9  # that is why it must be looked for
    assert "when the future is taken away" in report["sentence"].iloc[0]


def test_each_kind_of_leak_is_found_alone(profile, honest):
    def findings(build=build_then, train=honest.train, test=honest.test):
        return capstone.score_leaks(build, profile.orders, train, test)

    assert findings()["value"].item() == 0
    one = honest.test.drop(columns="recency").merge(build_today(profile.orders, CUTOFF)[["customer_id", "recency"]])
    assert "recency of" in findings(test=one)["sentence"].item()  # the table is not what the function makes
    late = honest.train.assign(until=CUTOFF + pd.Timedelta(days=90))
    assert "the model learned from days up to 2026-06-29" in findings(train=late)["sentence"].item()
    assert "tier is known only later" in findings(test=honest.test.assign(tier=1))["sentence"].item()
    told = honest.test.assign(score=honest.test["actual"].astype("float64"))
    assert "better than behaviour allows" in findings(test=told)["sentence"].item()
    assert findings(build=None)["points"].item() == 0


def test_scores_stated_too_high_uncalibrated_or_blind(honest):
    boast = capstone.score_holdout(honest.test, honest.actual, honest.auc + 0.05)
    assert boast["points"].tolist() == [3, 4]
    heavy = mining.fit_model(honest.train, "repurchase", weighted=True)
    weighted = honest.test.assign(score=mining.predict_scores(heavy, honest.test))
    auc = mining.judge_scores(honest.test["actual"], weighted["score"])["auc"]
    report = capstone.score_holdout(weighted, honest.actual, auc)
    assert report["points"].iloc[0] == 6
    assert report["points"].iloc[1] <= 1
    same = capstone.score_holdout(honest.test.assign(score=honest.actual.mean()), honest.actual, 0.5)
    assert same["points"].tolist() == [0, 0]
    few = capstone.score_holdout(honest.test.head(100), honest.actual, honest.auc)
    assert few["band"].tolist() == ["not measured"] * 2
    logits = capstone.score_holdout(honest.test.assign(score=honest.test["score"] * 5 - 1), honest.actual, honest.auc)
    assert logits["band"].tolist()[1] == "not measured"


def test_numbers_of_the_paper():
    computed = pd.DataFrame({"name": ["a", "b", "c", "d"], "value": [10, 0.25, 3, 4], "tolerance": [0, 0.01, 0, 0]})
    right = computed[["name", "value"]]
    assert capstone.score_numbers(right.assign(value=[10, 0.26, 3, 4]), computed)["points"].item() == 3
    wrong = capstone.score_numbers(right.assign(value=[11, 0.25, 3, 4]).iloc[:3], computed)
    assert wrong["value"].item() == 0.5
    assert "a: 11 stated, 10 computed; d: not stated, 4 computed" in wrong["sentence"].item()
    two = pd.concat([right, right.assign(value=[11, 0.25, 3, 4])])
    assert capstone.score_numbers(two, computed)["value"].item() == 0.75  # one of two values is no statement


# --- The bands -------------------------------------------------------------------------------------------------------


def test_bands_are_a_hundred_points_in_order():
    table = capstone.bands_table()
    assert capstone.bands_table("A").groupby("criterion")["points"].max().sum() == 60
    assert capstone.bands_table("B").groupby("criterion")["points"].max().sum() == 40
    for criterion, (_, _, better, bands, _) in capstone.CRITERIA.items():
        bounds, worth = zip(*bands, strict=True)
        assert list(worth) == sorted(set(worth), reverse=True), criterion
        assert list(bounds) == sorted(set(bounds), reverse=better == "high"), criterion
    assert table.groupby("criterion")["points"].min().eq(0).all()


def test_judge_at_the_edges():
    assert capstone.judge("linkage by pairs", 0.92, "x")["points"].item() == 10
    assert capstone.judge("linkage by pairs", 0.9199, "x")["points"].item() == 7
    assert capstone.judge("erasure", 2, "x")["points"].item() == 3
    assert capstone.judge("erasure", 6, "x")["band"].item() == "above 5"
    missing = capstone.judge("linkage by pairs", float("nan"), "x")
    assert (missing["points"].item(), missing["band"].item()) == (0, "not measured")
    assert capstone.judge("linkage by pairs", 1, "x", at_most=3)["points"].item() == 3
    with pytest.raises(ValueError, match="no criterion"):
        capstone.judge("beauty", 1, "x")
    with pytest.raises(ValueError, match="stands twice"):
        capstone.sum_points(pd.concat([missing, missing]))
