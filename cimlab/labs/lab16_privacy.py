"""Lab 16: what is given, and what its visible checks look at.

The notebook calls one function per question, so that a student who presses Validate sees the sentence that helps and
not fifty lines of test code above it. The hidden tests stand in `solutions/`, and only there.

Every `check_…` takes the student's names (``globals()``) and raises `cimlab.checks.CheckFailed` with one sentence.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from math import isclose

import numpy as np
import pandas as pd

import cimlab
from cimlab import checks, database

TODAY = pd.Timestamp("2026-06-30")
K, MOST = 5, 0.05
KNOWN = ["gender", "birth_year", "city", "store_id"]
STEPS = [list(range(0, 100, width)) for width in (5, 10, 15, 30)]
REGIONS = dict.fromkeys(("杭州", "宁波", "绍兴", "金华", "嘉兴", "温州", "台州"), "浙江")
REGIONS |= dict.fromkeys(("南京", "苏州", "无锡", "常州", "南通"), "江苏") | {"上海": "上海"}
SOURCES = {"members": "member_id", "web_accounts": "account_id", "calls": "call_id"}
LINKED = ("orders", "returns", "consents", "reviews")
ROW_KEYS = SOURCES | {"orders": "order_id", "returns": "return_id", "consents": "consent_id", "reviews": "review_id"}
ROW_KEYS |= {"mailing": "mail_no", "backup": "member_id"}
TEXTS = {"calls": "note", "reviews": "text"}


def prepare():
    """Return what the questions start from, so that none of them needs the answer to another one.

    Returns
    -------
    tables : dict of str to pandas.DataFrame
        members, web_accounts, calls, orders, returns, consents, reviews, as they come.
    release : pandas.DataFrame
        One row a card that bought at a till, without name or number: gender, birth_date, birth_year, age, city,
        store_id, last_bought, baby (yes or no: bought baby goods).
    known : pandas.DataFrame
        What somebody knows of 300 card holders: name, gender, birth_year, city, store_id.

    Examples
    --------
    >>> tables, release, known = prepare()
    >>> len(tables), len(known)
    (7, 300)
    """
    tables = {name: cimlab.load(name) for name in (*SOURCES, *LINKED)}
    members, orders = tables["members"], tables["orders"]
    cards = members[["member_id", "name", "store_id"]].assign(
        gender=database.standardise_genders(members["gender"]),
        birth_date=database.standardise_dates(members["birth_date"], "1920-01-01", "2015-12-31"),
        city=database.standardise_cities(members["city"]),
    )
    cards["birth_year"] = cards["birth_date"].dt.year.astype("Int64")
    bought = orders[orders["channel"] == "till"].dropna(subset="customer_ref")
    lines = cimlab.load("order_lines").merge(cimlab.load("products")[["product_id", "category"]], on="product_id")
    baby = bought["order_id"].isin(lines.loc[lines["category"] == "baby", "order_id"]).groupby(bought["customer_ref"])
    seen = pd.DataFrame({"baby": baby.any().map({True: "yes", False: "no"})})
    seen["last_bought"] = bought.groupby("customer_ref")["ordered_at"].max().dt.normalize()
    release = cards.dropna(subset="birth_date").join(seen, on="member_id", how="inner")
    birthday = 100 * release["birth_date"].dt.month + release["birth_date"].dt.day
    release["age"] = TODAY.year - release["birth_date"].dt.year - (birthday > 100 * TODAY.month + TODAY.day)
    release = release.astype({"age": "int64", "birth_year": "int64"})
    columns = ["gender", "birth_date", "birth_year", "age", "city", "store_id", "last_bought", "baby"]
    known = cards.sort_values("member_id").sample(300, random_state=16, ignore_index=True)[["name", *KNOWN]]
    return tables, release.sort_values("member_id", ignore_index=True)[columns], known


@lru_cache(maxsize=100_000)
def plain_phone(text):
    """Return the last eleven digits of a number as typed.

    Examples
    --------
    >>> plain_phone("(+86) 174-0012-3456"), plain_phone("１７４００１２３４５６")
    ('17400123456', '17400123456')
    """
    digits = re.sub(r"[^0-9]", "", unicodedata.normalize("NFKC", text)) if isinstance(text, str) else ""
    return digits[-11:] or None


def plain_email(text):
    """Return an e-mail address in small letters without spaces around it."""
    return text.strip().lower() if isinstance(text, str) else None


def persons(tables, count=2):
    """Return the persons who left the most kinds of records: dicts of name, phone, email, ids.

    Examples
    --------
    >>> sorted(persons(prepare()[0])[0])
    ['email', 'ids', 'name', 'phone']
    """
    accounts, members = tables["web_accounts"].dropna(subset=["phone", "email"]), tables["members"]
    called = set(tables["calls"]["phone"].map(plain_phone)) & set(members["phone"].map(plain_phone))
    bought = tables["orders"]["customer_ref"].value_counts()
    able = accounts.assign(phone=accounts["phone"].map(plain_phone), email=accounts["email"].map(plain_email))
    able = able[able["phone"].isin(called) & able["account_id"].isin(tables["reviews"]["account_id"])]
    able = able.assign(orders=able["account_id"].map(bought).fillna(0)).drop_duplicates("phone")
    found = []
    for row in able.sort_values(["orders", "account_id"], ascending=[False, True]).itertuples():
        ids = find_ids(tables, row.phone, row.email)
        names = members.loc[members["member_id"].isin(ids), "name"]
        if names.str.len().between(2, 4).any() and len(row.phone) == 11 and len(found) < count:
            name = names[names.str.len().between(2, 4)].iloc[0]
            found.append({"name": name, "phone": row.phone, "email": row.email, "ids": sorted(ids)})
    return found


def add_copies(tables, person):
    """Return the tables with a mailing extract and a backup, and with two notes that others left about the person.

    mailing (mail_no, name, phone, email; a namesake is in it) and backup (the members of a month ago, with a former
    number) come last. The account gets one consent more. The person is a dict as `persons` returns it.

    Examples
    --------
    >>> tables, *_ = prepare()
    >>> list(add_copies(tables, persons(tables)[0]))[-2:]
    ['mailing', 'backup']
    """
    members = tables["members"]
    held = {name: table.copy() for name, table in tables.items()}
    backup = members[members["joined_on"] < TODAY - pd.Timedelta("30D")].reset_index(drop=True)
    mine = backup["member_id"].isin(person["ids"])
    backup["phone"] = backup["phone"].mask(mine & (mine.cumsum() == 1), "13490000000")  # a number of former days
    extract = members[members["email"].notna() | members["member_id"].isin(person["ids"])].reset_index(drop=True)
    hers = extract["member_id"].isin(person["ids"])
    extract.loc[hers, ["phone", "email"]] = ["+86 " + person["phone"], None]
    numbers = [f"A{number:04d}" for number in range(1, len(extract) + 1)]
    mailing = extract[["name", "phone", "email"]].assign(mail_no=pd.Series(numbers, dtype="str"))
    mailing.loc[len(mailing)] = {"name": person["name"], "phone": "13490000001", "mail_no": "A9999"}  # a namesake
    others = held["calls"].index[~held["calls"]["call_id"].isin(person["ids"])][[5, 50]]
    told = [f"，请转告{person['name']}", f"，改打{person['phone']}（{person['name']}）"]
    held["calls"].loc[others, "note"] = held["calls"].loc[others, "note"].fillna("") + told
    account = next(record for record in person["ids"] if record.startswith("W"))
    agreed = held["consents"].head(1).assign(consent_id="L99999", customer_ref=account)
    held["consents"] = pd.concat([held["consents"], agreed], ignore_index=True)
    return held | {"mailing": mailing[["mail_no", "name", "phone", "email"]], "backup": backup}


def board(release, known):
    """Return the figures of question 8: the release as it is, and two that are less harmful.

    Parameters
    ----------
    release, known : pandas.DataFrame
        As `prepare` returns them.

    Returns
    -------
    pandas.DataFrame
        One row a form of the release. In per cent: suppressed (of the cards), unique (of the known persons exactly one
        row fits), below_5 (of the rows, in classes of fewer than 5), told (of the rows, in classes that share one value
        of baby). smallest (class), l (values of baby in the poorest class), years (how far the middle of the band lies
        from the age, on average).

    Examples
    --------
    >>> _, release, known = prepare()
    >>> board(release, known)["smallest"].tolist()[0]
    1
    """
    coarse = anonymise_one_by_one(release, STEPS, REGIONS, K, MOST)
    quasi = ["gender", "age_from", "region"]
    values = coarse.groupby(quasi, dropna=False)["baby"].transform(lambda column: column.nunique(dropna=False))
    edges = next(step for step in STEPS if set(coarse["age_from"]) <= set(step))
    seen = known.assign(age=TODAY.year - known["birth_year"], region=known["city"].map(REGIONS).fillna("other"))
    seen["age_from"] = _from(seen["age"].fillna(0), edges).where(seen["age"].notna())
    forms = {"as it is": (release, KNOWN), "5-anonymous": (coarse, quasi)}
    forms["5-anonymous, 2 values"] = (coarse[values > 1], quasi)
    rows = {}
    for form, (table, columns) in forms.items():
        classes, told = classes_one_by_one(table, columns, K), diversity_one_by_one(table, columns, "baby")
        away = table["age_from"] + edges[1] / 2 - release["age"] if "age_from" in table else pd.Series(0.0, table.index)
        rows[form] = {
            "rows": len(table),
            "suppressed": 100 * (1 - len(table) / len(release)),
            "unique": 100 * attack_one_by_one(table, seen, columns)["share"],
            "smallest": classes["smallest"],
            "below_5": 100 * classes["below"],
            "l": told["l"],
            "told": 100 * told["share"],
            "years": away.abs().mean(),
        }
    table = pd.DataFrame.from_dict(rows, orient="index").round(1).rename_axis("form")
    return table.astype(dict.fromkeys(("rows", "smallest", "l"), "int64"))


def count_rows(before, after):
    """Return how many rows each table has before and after, as far as there is an answer."""
    return pd.DataFrame({"before": pd.Series(before).map(len), "after": pd.Series(after or {}, dtype=object).map(len)})


def parted(right, *wrong):
    """Return functions that know a wrong value of one key of a dict: `wrong` holds key, value and sentence of each.

    A wrong value that happens to be the right one is left out.
    """

    def found(key, value):
        return lambda got: isclose(got[key], value, rel_tol=1e-9, abs_tol=1e-9)

    return [(found(key, value), say) for key, value, say in wrong if not isclose(value, right[key], abs_tol=1e-9)]


def same(wrong, by="index"):
    """Return a function that says whether a student's table is this wrong one."""

    def found(got):
        try:
            checks.equal(got[list(wrong.columns)], wrong, "table", by=by)
        except checks.CheckFailed:
            return False
        return True

    return found


# ---------------------------------------------------------------------------------------------------------- question 1
def few_tables():
    """Return the tables of the visible checks of questions 1 and 7, and the person: 林晓梅, who has a namesake."""
    person = {"name": "林晓梅", "phone": "17400123456", "email": "lin.xm@example.com"}
    people = """M1;林晓梅;174-0012-3456;
        M2;林晓梅;13490000001;
        M3;林小梅;１７４００１２３４５６;
        M4;王强;;
        M5;赵敏;+86 13490000002;zhao@example.com
        M6;林晓敏;; Lin.XM@example.com"""
    accounts = """W1;Lin Xiaomei;+8617400123456;lin.xm@example.com
        W2;陈静;13490000003;lin.xm@example.com.cn
        W3;晓梅;;LIN.XM@example.com
        W4;小林;;lin.xm@example.com"""
    calls = """C1;林女士;(+86)17400123456;问到货
        C2;王强;13490000009;请回电17400123456，找林晓梅，周六
        C3;林晓梅;13490000001;问积分
        C4;周先生;;"""
    orders = """O1;till;M1;2026-05-03;40
        O2;web;W1;2026-05-09;25.5
        O3;call;C1;2026-05-20;18
        O4;till;;2026-05-21;9.9
        O5;till;M2;2026-06-01;30
        O6;web;W3;2026-06-02;77
        O7;till;M6;2026-06-03;12.5
        O8;web;W2;2026-06-08;60
        O9;call;C3;2026-06-09;21"""
    tables = {
        "members": _rows("member_id name phone email", people),
        "web_accounts": _rows("account_id full_name phone email", accounts),
        "calls": _rows("call_id caller_name phone note", calls),
        "orders": _rows("order_id channel customer_ref ordered_at amount", orders).astype({"amount": float}),
        "returns": _rows("return_id order_id refund", "R1;O2;5\nR2;O5;30\nR3;O3;18").astype({"refund": float}),
        "consents": _rows("consent_id customer_ref", "L1;M1\nL2;W1\nL3;M2\nL4;W3\nL5;M5"),
        "reviews": _rows(
            "review_id account_id order_id text", "V1;W1;O2;很好\nV2;W2;O8;和林晓梅一起买的，好\nV3;W3;O6;"
        ),
    }
    tables["orders"]["ordered_at"] = pd.to_datetime(tables["orders"]["ordered_at"])
    return tables, person | {"ids": sorted(find_ids(tables, person["phone"], person["email"]))}


def _rows(columns, lines):
    """Return a table of lines with semicolons; nothing between two of them is a blank."""
    rows = [[cell or None for cell in line.strip().split(";")] for line in lines.splitlines()]
    return pd.DataFrame(rows, columns=columns.split())


def find_ids(tables, phone, email, wrong=""):
    """Ask row by row whose record it is: the slow way; `wrong` names one step that is taken wrongly."""
    ids, names, labels = set(), set(), ("name", "full_name", "caller_name")
    rows = []
    for source, key in SOURCES.items():
        table = tables[source]
        label = next((column for column in labels if column in table), None)
        emails = table["email"].tolist() if "email" in table else [None] * len(table)
        facts = (table[column].tolist() for column in (key, label, "phone"))
        rows += zip(*facts, emails, [source] * len(table), strict=True)
    for key, name, typed, mail, source in rows:
        wide = wrong == "full width" and isinstance(typed, str) and typed != unicodedata.normalize("NFKC", typed)
        by_phone = (typed if wrong == "phone as typed" or wide else plain_phone(typed)) == phone
        by_mail = email is not None and (mail if wrong == "email as typed" else plain_email(mail)) == email
        by_mail = by_mail or (wrong == "blank is blank" and not email and source != "calls" and pd.isna(mail))
        either = by_phone or (by_mail and wrong != "phone only")
        hit = by_phone and by_mail if wrong == "both" and source != "calls" else either
        if hit and not (wrong == "members only" and source != "members"):
            ids.add(key)
            names.add(name)
    if wrong == "names":
        ids |= {key for key, name, *_ in rows if name in names}
    return ids


def records_one_by_one(tables, phone, email, wrong=""):
    """Count the rows of a person in each table; `wrong` names one step that is taken wrongly."""
    ids = find_ids(tables, phone, email, wrong)
    cards = set(tables["members"]["member_id"].tolist()) & ids
    accounts = set(tables["web_accounts"]["account_id"].tolist()) & ids
    buyers = {"cards only": cards, "no calls": cards | accounts}.get(wrong, ids)
    orders = tables["orders"]
    bought = zip(orders["order_id"].tolist(), orders["customer_ref"].tolist(), strict=True)
    mine = {order for order, ref in bought if ref in buyers}
    counts = {name: sum(key in ids for key in tables[name][column].tolist()) for name, column in SOURCES.items()}
    counts["orders"] = len(mine)
    returned = tables["returns"]["order_id"].tolist()
    counts["returns"] = 0 if wrong == "no returns" else sum(order in mine for order in returned)
    refs = tables["consents"]["customer_ref"].tolist()
    counts["consents"] = sum(ref in (cards if wrong == "cards only" else ids) for ref in refs)
    counts["reviews"] = sum(account in ids for account in tables["reviews"]["account_id"].tolist())
    shown = {name: count for name, count in counts.items() if wrong != "found ones" or count}
    return pd.DataFrame({"table": list(shown), "rows": list(shown.values())})


FIND_MISTAKES = {
    "phone as typed": "You compare phones as they were typed: 174-0012-3456 is the same number. Keep the digits (after "
    "`.str.normalize('NFKC')`), and of these the last eleven.",
    "full width": "A number in full-width digits is not found: `.str.normalize('NFKC')` makes plain ones of them.",
    "email as typed": "You compare e-mails as they were typed: take the spaces off, and make small letters of them.",
    "both": "You ask for the phone *and* the e-mail. One of them is enough: many records hold only one.",
    "phone only": "Records that hold her e-mail but no phone are missing.",
    "blank is blank": "A blank e-mail is not her e-mail: with `email=None` you find everybody who gave none.",
    "names": "You look for her name as well. A name is no link: a namesake's records would go to a stranger.",
    "members only": "You looked in `members` only. She has an account and called as well: ask all three tables first.",
    "cards only": "You follow the cards only. Her orders without a card hang on the account and on the call: "
    "`customer_ref` holds all three kinds of number.",
    "no calls": "You forgot what she ordered by telephone: there `customer_ref` is the number of the call.",
    "no returns": "The returns are missing: they hang on her *orders*, by `order_id`.",
    "found ones": "Tables without a row of hers are missing: one row for *each* table, 0 rows too. (We looked there.)",
}


def find_mistakes(tables, phone, email):
    """Return the wrong tables that students get, each with its sentence."""
    right = records_one_by_one(tables, phone, email)
    wrong = [(records_one_by_one(tables, phone, email, name), say) for name, say in FIND_MISTAKES.items()]
    return [(same(table, "table"), say) for table, say in wrong if not table.equals(right)]


def check_find_rows(names):
    """Question 1."""
    find_rows = checks.answer(names, "find_rows", "function")
    tables, person = few_tables()
    for phone, email in ((person["phone"], person["email"]), (person["phone"], None), ("13490000002", None)):
        right, mistakes = records_one_by_one(tables, phone, email), find_mistakes(tables, phone, email)
        got = checks.call(find_rows, tables, phone, email)
        what = f"find_rows(few_tables, {phone!r}, {email!r})"
        checks.equal(got, right, what, by="table", row="one per table", mistakes=mistakes)


# ---------------------------------------------------------------------------------------------------------- question 2
def few_known():
    """Return release and known persons of the visible check of question 2; two of the persons are namesakes."""
    rows = [("F", 1980, "宁波"), ("F", 1980, "宁波"), ("M", 1975, "上海"), (None, 1990, "杭州"), ("F", 1990, "杭州")]
    rows += [("M", 1969, "宁波"), ("F", 1955, None), ("M", 1988, "上海"), ("M", 1988, "上海"), ("M", 1988, "上海")]
    people = """刘敏;F;1980;宁波
        王军;M;1975;上海
        王军;M;1969;宁波
        孙丽;;1990;杭州
        周芳;F;1990;杭州
        何静;F;1991;杭州
        吴梅;F;1955;
        陈涛;M;1988;上海
        赵刚;M;1975;上海"""
    release = pd.DataFrame(rows, columns=["gender", "birth_year", "city"]).assign(baby="no")
    return release, _rows("name gender birth_year city", people).astype({"birth_year": "int64"})


def _class_keys(table, quasi):
    return [tuple("?" if pd.isna(value) else value for value in row) for row in table[quasi].itertuples(index=False)]


def fits_one_by_one(release, known, on, blanks=False):
    """Count for each known person the rows that fit; `blanks` lets a blank fit a blank, which is wrong."""
    sizes = Counter(_class_keys(release, on))
    return np.array([0 if "?" in key and not blanks else sizes[key] for key in _class_keys(known, on)])


def attack_one_by_one(release, known, on):
    """Look each person up: the slow way."""
    fits = fits_one_by_one(release, known, on)
    unique = int((fits == 1).sum())
    return {"matched": int((fits > 0).sum()), "unique": unique, "share": unique / len(known)}


def attack_mistakes(release, known, on):
    """Return the wrong answers that students get, each with its sentence."""
    right = attack_one_by_one(release, known, on)
    fits, loose = fits_one_by_one(release, known, on), fits_one_by_one(release, known, on, blanks=True)
    whole = int(known[on].notna().all(axis=1).sum())
    named = pd.Series(fits).groupby(known["name"].to_numpy()).sum()
    named_loose = pd.Series(loose).groupby(known["name"].to_numpy()).sum()
    blank = "A blank fits a blank in a merge of pandas. Blank is unknown, it fits nobody: drop them."
    by_name = "You group by name, and so two namesakes become one person. One *row* of `known` is one person."
    alone = int((release.groupby(on)[on[0]].transform("size") == 1).sum())
    alone_loose = int((release.groupby(on, dropna=False)[on[0]].transform("size") == 1).sum())
    own = "You count rows of the release that are alone in it. How many *known* persons hit exactly one row?"
    join = "You count the rows of the join. Who fits three rows is one person: count the fitting rows of each person."
    some = "You count everybody who fits anything. Who fits two rows is not yet found: exactly *one* has to fit."
    part = "Your `share` is that of the matched. Who is not in the release counts as well: of *all* known."
    less = "Persons of whom something is blank are missing below the line. They are not found, but they count."
    unique = right["unique"]
    return parted(
        right,
        ("matched", fits.sum(), join),
        ("matched", loose.sum(), join),
        ("unique", (loose == 1).sum(), blank),
        ("matched", (loose > 0).sum(), blank),
        ("unique", (named == 1).sum(), by_name),
        ("unique", (named_loose == 1).sum(), by_name),
        ("unique", alone, own),
        ("unique", alone_loose, own),
        ("unique", right["matched"], some),
        ("share", 100 * right["share"], "Your `share` is in per cent; a fraction is asked for."),
        ("share", unique / max(right["matched"], 1), part),
        ("share", unique / max(whole, 1), less),
    )


def check_attack(names):
    """Question 2."""
    attack = checks.answer(names, "attack", "function")
    release, known = few_known()
    for on in (["gender", "birth_year", "city"], ["birth_year", "city"]):
        right, mistakes = attack_one_by_one(release, known, on), attack_mistakes(release, known, on)
        got = checks.call(attack, release, known, on)
        checks.equal(got, right, f"attack(ten_rows, nine_persons, {on})", mistakes=mistakes)


# ---------------------------------------------------------------------------------------------------------- question 3
def few_rows():
    """Return the table of the visible check of questions 3 and 5: classes of 1 to 5, blanks among them."""
    parts = [("F", "宁波", "ynn"), ("F", None, "nn"), ("M", "宁波", "nnnn"), (None, "上海", "---")]
    parts += [("M", "上海", "n-n"), ("F", "上海", "yy"), ("M", "杭州", "yn-ny"), (None, "杭州", "--")]
    words = {"y": "yes", "n": "no", "-": None}
    rows = [(gender, city, words[value]) for gender, city, values in parts for value in values]
    table = pd.DataFrame(rows, columns=["gender", "city", "baby"])
    return table.sample(frac=1, random_state=2, ignore_index=True)


def classes_one_by_one(table, quasi, k):
    """Count the classes row by row: the slow way."""
    keys = _class_keys(table, quasi)
    sizes = Counter(keys)
    return {"smallest": min(sizes.values()), "below": sum(sizes[key] < k for key in keys) / len(keys)}


def class_mistakes(table, quasi, k):
    """Return the wrong answers that students get, each with its sentence."""
    right = classes_one_by_one(table, quasi, k)
    whole = table.dropna(subset=quasi)
    kept = classes_one_by_one(whole, quasi, k) if len(whole) else right
    every = classes_one_by_one(table, list(table.columns), k)
    sizes = np.array(list(Counter(_class_keys(table, quasi)).values()))
    left_out = "`groupby` drops rows with a blank. It is a value of its own, which the attacker sees: `dropna=False`."
    every_column = "You take all columns. Only `quasi` makes the classes; `baby` is sensitive."
    exact = "A class of exactly k is large enough: *smaller* than k is `<`."
    shares = "You give the share of the *classes*. The rows in them are asked for: `transform('size')`."
    return parted(
        right,
        ("smallest", every["smallest"], every_column),
        ("below", every["below"], every_column),
        ("smallest", kept["smallest"], left_out),
        ("below", kept["below"], left_out),
        ("below", kept["below"] * len(whole) / len(table), left_out),
        ("smallest", sizes.max(), "This is the largest class. The one that hides least is asked for: `min`."),
        ("smallest", len(sizes), "This is the number of classes; the *size* of the smallest is asked for."),
        ("below", classes_one_by_one(table, quasi, k + 1)["below"], exact),
        ("below", (sizes < k).mean(), shares),
        ("below", right["below"] * len(table), "You count the rows; their *share* is asked for."),
        ("below", 1 - right["below"], "This is the share that is safe; that in the small classes is asked for."),
    )


def check_class_report(names):
    """Question 3."""
    class_report = checks.answer(names, "class_report", "function")
    table = few_rows()
    for quasi, k in ((["gender", "city"], 3), (["city"], 5), (["gender"], 9)):
        right, mistakes = classes_one_by_one(table, quasi, k), class_mistakes(table, quasi, k)
        got = checks.call(class_report, table, quasi, k)
        checks.equal(got, right, f"class_report(few_rows, {quasi}, {k})", mistakes=mistakes)


# ---------------------------------------------------------------------------------------------------------- question 4
def few_cards(seed=4, rows=64):
    """Return cards of the checks of question 4; ages at the edge of a band and blank genders are frequent."""
    draw = np.random.default_rng(seed)
    table = pd.DataFrame({"age": draw.choice([20, 24, 25, 29, 30, 34, 35, 40, 41, 59, 60, 77], rows)})
    table["gender"] = pd.Series(draw.choice(["F", "M", "?"], rows, p=[0.45, 0.35, 0.2])).replace("?", None)
    table["city"] = draw.choice(["宁波", "杭州", "上海", "昆明"], rows, p=[0.35, 0.3, 0.25, 0.1])
    table["birth_date"] = pd.Timestamp("2026-01-01") - pd.to_timedelta(table["age"] * 365.25 // 1, unit="D")
    table["baby"] = draw.choice(["yes", "no"], rows, p=[0.3, 0.7])
    table.loc[table.index[::11], "baby"] = None
    return table.set_axis([f"r{number:02d}" for number in range(rows)])


def _from(ages, edges, upper=False):
    """Return where the band of each age begins; `upper` puts an age at the edge into the band below, which is wrong."""
    ends = [max([edge for edge in edges if (edge < age if upper else edge <= age)], default=edges[0]) for age in ages]
    return pd.Series(ends, index=ages.index)


def anonymise_one_by_one(table, steps, regions, k, most, wrong=""):
    """Try each step, row by row: the slow way; `wrong` names one step that is taken wrongly."""
    rest, limit = table, k + (wrong == "more than k")
    for edges in reversed(steps) if wrong == "coarsest" else steps:
        shown = pd.DataFrame({"gender": rest["gender"]})
        shown["age_from"] = _from(rest["age"], edges, wrong == "upper edge")
        shown["region"] = [regions.get(city, "other") for city in rest["city"]]
        shown["baby"] = rest["baby"]
        quasi = ["gender", "age_from", "region"] + ["baby"] * (wrong == "sensitive too")
        keys = _class_keys(shown, quasi)
        sizes = Counter(keys)
        hidden = np.array([sizes[key] < limit or (wrong == "blanks" and "?" in key) for key in keys], dtype=bool)
        share = hidden.sum() / len(table)
        if wrong == "share of classes":
            share = np.mean([size < k for size in sizes.values()])
        if share < most or (share <= most and wrong != "less than most") or wrong == "first step":
            return shown if wrong == "none hidden" else shown[~hidden]
        rest = rest[~hidden] if wrong == "cumulative" else rest
    return None


RELEASE_MISTAKES = {
    "upper edge": "An age at the edge of a band stands in the band below: who is 30 belongs to the band that begins at "
    "30. With `pd.cut` say `right=False`.",
    "blanks": "All cards with a blank gender are gone. Blank is a value of its own: `dropna=False`.",
    "more than k": "You hide classes of exactly k as well. They are large enough.",
    "coarsest": "You took a coarser step than needed: the *first* one that fits loses least of the use.",
    "less than most": "Exactly `most` may be hidden: `<=`.",
    "cumulative": "You go on with what an earlier step has left. Begin each step anew with the whole table.",
    "sensitive too": "You formed classes with `baby`. The attacker does not know it; it must not decide who is hidden.",
    "share of classes": "You compare the share of the *classes* with `most`; it is the share of the cards that counts.",
    "first step": "You took the first step although it hides more than `most` of the cards.",
    "none hidden": "Small classes are still there: hide what remains after the bands.",
}


def release_mistakes(given):
    """Return the wrong releases that students get, each with its sentence."""
    right, (table, _, _, k, _) = anonymise_one_by_one(*given), given
    quasi = ["gender", "age_from", "region"]
    wrong = [(anonymise_one_by_one(*given, name), say) for name, say in RELEASE_MISTAKES.items()]
    return [
        (
            lambda got: bool(set(got.columns) & {"birth_date", "birth_year", "last_bought", "age", "city", "store_id"}),
            lambda got: (
                f"Your release still shows `{sorted(set(got.columns) - {*quasi, 'baby'})[0]}`. An exact value in "
                "another column undoes the bands: give the four columns only."
            ),
        ),
        (lambda got: got["region"].isna().any(), "A city that is not in `regions` gets the region `other`."),
        (lambda got: len(got) == 0, "You hide everybody. That is safe, and of no use."),
        *[(same(release), say) for release, say in wrong if release is not None and not release.equals(right)],
        (
            lambda got: got.index.isin(table.index).all() and not got["baby"].equals(table["baby"].loc[got.index]),
            "`baby` is changed. It is what the university wants to know: leave it as it is, blanks too.",
        ),
        (
            lambda got: not got.index.isin(table.index).all(),
            "The rows have another index than in `table`: leave it as it is, without `reset_index`.",
        ),
        (
            lambda got: classes_one_by_one(got, quasi, k)["below"] > 0,
            "Your release holds a class of fewer than k cards.",
        ),
    ]


def release_refused(anonymise, given, what):
    """Check that no release comes where no step is coarse enough."""
    copies = tuple(part.copy() if isinstance(part, pd.DataFrame) else part for part in given)
    checks.refuses(
        lambda: anonymise(*copies),
        f"`{what}` gives a release although each step hides more than `most`: raise a ValueError.",
        ValueError,
    )


def check_anonymise(names):
    """Question 4."""
    anonymise = checks.answer(names, "anonymise", "function")
    steps = [[0, 25, 30, 35, 40, 60], [0, 25, 40, 60], [0, 40], [0]]
    for seed, k, most in ((2, 3, 0.25), (17, 3, 0.25), (20, 4, 0.45)):
        given = (few_cards(seed), steps, REGIONS, k, most)
        right = anonymise_one_by_one(*given)
        got = checks.call(anonymise, *given)
        what = f"anonymise(64_cards, steps, regions, {k}, {most})"
        checks.equal(got, right, what, by="index", row="one per card that is shown", mistakes=release_mistakes(given))
    release_refused(anonymise, (few_cards(4), steps[:1], REGIONS, 30, 0.1), "anonymise(…, k=30, most=0.1)")


# ---------------------------------------------------------------------------------------------------------- question 5
def diversity_one_by_one(table, quasi, sensitive, drop=False):
    """Look into each class: the slow way; `drop` leaves rows with a blank sensitive value out, which is wrong."""
    classes = {}
    for key, value in zip(_class_keys(table, quasi), table[sensitive], strict=True):
        if not (drop and pd.isna(value)):
            classes.setdefault(key, []).append("?" if pd.isna(value) else value)
    told = [values for values in classes.values() if len(set(values)) == 1 and "?" not in values]
    least = min(len(set(values)) for values in classes.values())
    return {"l": least, "classes": len(told), "share": sum(map(len, told)) / len(table)}


def diversity_mistakes(table, quasi, sensitive):
    """Return the wrong answers that students get, each with its sentence."""
    right, dropped = diversity_one_by_one(table, quasi, sensitive), diversity_one_by_one(table, quasi, sensitive, True)
    filled = diversity_one_by_one(table.fillna({sensitive: "blank"}), quasi, sensitive)
    whole = diversity_one_by_one(table.dropna(subset=quasi), quasi, sensitive)
    groups = table.groupby(quasi, dropna=False)[sensitive]
    different, sizes = groups.nunique(dropna=False), groups.size()
    lost = "`nunique` leaves blanks out: a class of no, no and blank then looks as if all shared one. `dropna=False`."
    below = "Below the line stand all rows, those with a blank value too."
    valued = max(int(table[sensitive].notna().sum()), 1)
    told = "A class in which *all* are blank tells nothing: it is not disclosed."
    blank = "Classes with a blank quasi-identifier are missing: `groupby(…, dropna=False)`."
    return parted(
        right,
        ("classes", dropped["classes"], lost),
        ("l", groups.nunique().min(), lost),
        ("share", dropped["share"], lost),
        ("classes", filled["classes"], told),
        ("share", filled["share"], told),
        ("share", right["classes"] / len(sizes), "You give the share of the *classes*; that of the persons, please."),
        ("share", whole["share"], blank),
        ("classes", whole["classes"], blank),
        ("l", different.max(), "This is the largest number of values; the *poorest* class counts: `min`."),
        ("l", sizes.min(), "This is the size of the smallest class (k); l counts the *different* values in a class."),
        ("l", table[sensitive].nunique(), "You count the values of the whole table; the poorest *class* counts."),
        ("share", right["share"] * len(table), "You count the persons; their *share* is asked for."),
        ("share", right["share"] * len(table) / valued, below),
        ("classes", right["share"] * len(table), "`classes` counts classes; you count the persons in them."),
    )


def check_diversity(names):
    """Question 5."""
    diversity = checks.answer(names, "diversity", "function")
    table = few_rows()
    small = table[(table["city"] == "杭州") | ((table["gender"] == "M") & (table["city"] == "上海"))]
    for part, quasi in ((table, ["gender", "city"]), (small, ["gender", "city"]), (small, ["gender"])):
        right, mistakes = diversity_one_by_one(part, quasi, "baby"), diversity_mistakes(part, quasi, "baby")
        got = checks.call(diversity, part, quasi, "baby")
        checks.equal(got, right, f"diversity({len(part)}_rows, {quasi}, 'baby')", mistakes=mistakes)


# ---------------------------------------------------------------------------------------------------------- question 6
def noise_of(ask, epsilon, sensitivity, count=100, times=4000):
    """Return what a student's `ask` adds to a count, over and over, with a budget that never ends."""
    rng = np.random.default_rng(16)
    results = checks.call_often(ask, count, epsilon, 0.0, 1e9, rng, sensitivity, times=times)
    pair = isinstance(results[0], tuple) and len(results[0]) == 2
    checks.require(pair, "`ask(…)` has to return two values, the answer and what is spent: `return answer, spent`.")
    checks.require(results[0][0] is not None, "`ask(…)` refuses a question although the budget is far from spent.")
    return np.array([float(answer) for answer, _ in results]) - count


def check_noise(ask, settings=((0.5, 1), (2.0, 3))):
    """Look at the size and the form of the noise; `settings` are pairs of epsilon and sensitivity."""
    for epsilon, sensitivity in settings:
        noise = noise_of(ask, epsilon, sensitivity)
        scale, size = sensitivity / epsilon, np.abs(noise).mean()

        def near(value, size=size):
            return abs(size / value - 1) < 0.07

        again = "A generator that is made inside begins anew with each question: use the `rng` that is handed over."
        checks.require(noise.std() > 0, f"`ask` adds the same noise each time. {again}")
        whole = "`ask` gives whole numbers: leave the noise as it is. Rounded or cut, most of a small noise is gone."
        checks.require(not np.allclose(noise, np.round(noise)), whole)
        checks.require(
            abs(np.mean(noise)) < 0.15 * scale,
            "`ask` adds noise that is not 0 on average: the noise goes up as often as down.",
        )
        for wrong, sentence in (
            (epsilon, "Your noise grows with epsilon. The scale is sensitivity / epsilon: less epsilon, more noise."),
            (epsilon / sensitivity, "Your scale is upside down: sensitivity / epsilon."),
            (1 / epsilon, "Your noise does not know the sensitivity: the scale is sensitivity / epsilon."),
            (sensitivity * epsilon, "Your noise grows with epsilon. The scale is sensitivity / epsilon."),
            (0.798 * scale, "This is normal noise (`rng.normal`), whose tails are too thin: `rng.laplace`."),
            (1.128 * scale, "This is normal noise (`rng.normal`), whose tails are too thin: `rng.laplace`."),
        ):
            if abs(wrong / scale - 1) > 0.1:
                checks.require(not near(wrong), sentence)
        checks.require(
            near(scale), f"`ask` adds noise of {size:.2f} on average; with the scale asked for it is {scale:.2f}."
        )
    low = noise_of(ask, 1.0, 1, count=0, times=300)
    checks.require(low.min() < 0, "`ask` gives no negative answers. If they are cut off, the average is too high.")
    checks.require(
        noise_of(ask, 1.0, 1, times=3).tolist() == noise_of(ask, 1.0, 1, times=3).tolist(),
        "Two generators with one seed get two answers from `ask`: draw from the `rng` that is handed over.",
    )


def check_budget(ask, cases):
    """Look at the account: `cases` are (epsilon, spent, budget, answered, sentence)."""
    for epsilon, spent, budget, answered, sentence in cases:
        got = checks.call(ask, 100, epsilon, spent, budget, np.random.default_rng(1), 1)
        what = f"ask(100, {epsilon:g}, spent={spent:g}, budget={budget:g}, …)"
        checks.require((got[0] is not None) == answered, sentence)
        now = float(spent + epsilon * answered)
        checks.equal(float(got[1]), now, f"{what}[1]", mistakes=budget_mistakes(epsilon, spent, budget, answered))


def budget_mistakes(epsilon, spent, budget, answered):
    """Return the wrong accounts that students return, each with its sentence."""
    wrong = [
        (spent + epsilon, "A refused question costs nothing: what is spent stays as it was."),
        (budget - spent - epsilon * answered, "You return what is left; what is *spent* is asked for."),
        (epsilon, "You return the epsilon of this question; all that is spent so far is asked for."),
        (spent, "The question is answered, but not paid for: `spent + epsilon`."),
    ]
    return [(float(value), say) for value, say in wrong if abs(value - spent - epsilon * answered) > 1e-9]


BUDGET_CASES = (
    (0.4, 0.0, 1.0, True, "A question within the budget is refused."),
    (0.5, 0.5, 1.0, True, "The last of the budget may be spent: a sum *equal* to the budget is not above it."),
    (0.1, 0.2, 0.3, True, "0.1 + 0.2 is 0.30000000000000004 in a computer, and you refuse it: allow 1e-9 more."),
    (0.5, 0.6, 1.0, False, "You answer although this question does not fit in: compare *spent + epsilon*."),
    (0.1, 1.0, 1.0, False, "The budget is spent, and you still answer. Return None for the answer."),
)


def check_average(average, ask, reveal=True):
    """Look at the averaging attack: how often it is answered, and its mean."""
    for epsilon, budget, times in ((0.1, 1.0, 50), (0.25, 1e6, 400), (0.3, 3.0, 4)):
        spent, rng, answers = 0.0, np.random.default_rng(7), []
        for _ in range(times):
            answer, spent = ask(250, epsilon, spent, budget, rng)
            answers += [] if answer is None else [answer]
        right = (float(np.mean(answers)), len(answers))
        got = checks.call(average, 250, epsilon, budget, times, np.random.default_rng(7))
        what = f"average(250, {epsilon:g}, {budget:g}, {times}, rng)" if reveal else "average(…)"
        checks.require(
            isinstance(got, tuple) and len(got) == 2, f"`{what}` has to return the mean and the number of answers."
        )
        if len(answers) < times:
            refused = "Only the answers that came count: leave the refused ones (None) out."
            checks.require(int(got[1]) != times, f"`{what}`: {refused} Did you hand `spent` on to the next question?")
            checks.require(
                not isclose(got[0], sum(answers) / times, rel_tol=1e-9),
                "You divide by all questions; divide by the answers that came.",
            )
        checks.equal((float(got[0]), int(got[1])), right, what, reveal=reveal)


def check_ask(names):
    """Question 6."""
    ask = checks.answer(names, "ask", "function")
    average = checks.answer(names, "average", "function")
    check_noise(ask)
    check_budget(ask, BUDGET_CASES)
    free = "`ask(100, 0, …)` gives an answer: raise a ValueError for an epsilon of 0 or less."
    checks.refuses(lambda: ask(100, 0, 0.0, 1.0, np.random.default_rng(1)), free, ValueError)
    check_average(average, ask)


# ---------------------------------------------------------------------------------------------------------- question 7
def few_copies():
    """Return the tables of the visible check of question 7, with extract and backup, and the person."""
    tables, person = few_tables()
    rows = "A1;林晓梅;1740 012 3456;\nA2;林晓梅;13490000001;\nA3;小林;;Lin.XM@example.com\nA4;王强;;"
    mailing = _rows("mail_no name phone email", rows)
    backup = tables["members"].drop(index=[2, 5]).reset_index(drop=True)
    backup.loc[0, "phone"] = "13490000077"
    return tables | {"mailing": mailing, "backup": backup}, person


def erase_one_by_one(held, person):
    """Go through the rows of each table: the slow way."""
    ids, new = set(person["ids"]), {}
    for name, table in held.items():
        table = table.copy()
        if name == "mailing":
            phones, emails = table["phone"].map(plain_phone), table["email"].map(plain_email)
            gone = [
                phone == person["phone"] or (person["email"] is not None and email == person["email"])
                for phone, email in zip(phones, emails, strict=True)
            ]
            table = table[~np.array(gone)]
        elif name == "orders":
            table["customer_ref"] = table["customer_ref"].mask(table["customer_ref"].isin(ids))
        elif name != "returns":
            key = {"consents": "customer_ref", "reviews": "account_id"}.get(name, ROW_KEYS[name])
            table = table[~table[key].isin(ids)]
        if name in TEXTS:
            for word in (person["name"], person["phone"], person["email"]):
                if word is not None:
                    table[TEXTS[name]] = table[TEXTS[name]].str.replace(word, "***", regex=False)
        new[name] = table
    return new


def left_of(tables, person):
    """Search each cell of each table for the person: the first find as (table, column, value), or None."""
    for name, table in tables.items():
        for column in table.columns[[not pd.api.types.is_numeric_dtype(table[column]) for column in table.columns]]:
            for cell in table[column].dropna().astype("str").unique().tolist():
                bare = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", cell)).lower()
                words = [word for word in (person["name"], person["phone"], person["email"]) if word and word in bare]
                same = plain_phone(cell) == person["phone"] or plain_email(cell) == person["email"]
                if words if column in TEXTS.values() else same or cell in person["ids"]:
                    return name, column, cell
    return None


LEFT_SENTENCES = {
    "mailing": "The extract has no numbers of cards: find her there by phone (eleven digits) or e-mail.",
    "backup": "The next restore would bring her back: erase her there as well, by the number of the card.",
    "orders": "The row stays for the books, but `customer_ref` has to be blank.",
    "consents": "`customer_ref` holds cards and accounts.",
    "text": "The text is somebody else's and stays; her name and phone in it become `***`.",
}


def check_erased_tables(got, held, person, reveal=True):
    """Look at erased tables: nothing left of the person, the books whole, nobody else touched."""
    checks.require(isinstance(got, dict), "`erase(…)` has to return a dict of tables, like the one it gets.")
    checks.require(set(got) == set(held), "`erase(…)` has to return all tables, under their names.")
    for name, table in got.items():
        checks.require(isinstance(table, pd.DataFrame), f"`erase(…)`: `{name}` is no table.")
        checks.require(list(table.columns) == list(held[name].columns), f"`erase(…)`: `{name}` has other columns.")
    kept, before = got["orders"], held["orders"]
    books = "Orders are gone, and so the sums of the months: the books must keep them. Blank `customer_ref` only."
    checks.require(len(kept) == len(before), books)
    sums = [table.groupby(table["ordered_at"].dt.to_period("M"))["amount"].sum() for table in (kept, before)]
    equal = sums[0].index.equals(sums[1].index) and np.allclose(*sums)
    checks.require(equal, "The sums of the months are not what they were.")
    empty = (kept["customer_ref"].astype("object") == "").any()
    checks.require(not empty, "A blank is None or NaN (`mask`), not an empty text.")
    others = before["customer_ref"].notna() & ~before["customer_ref"].isin(person["ids"])
    own = kept.set_index("order_id")["customer_ref"].reindex(before["order_id"]).to_numpy()[others.to_numpy()]
    checks.require(not pd.isna(own).any(), "Orders of other people have lost their customer: only hers become blank.")
    find = left_of(got, person)
    if find:
        name, column, value = find
        place = "text" if column in TEXTS.values() else name
        say = LEFT_SENTENCES.get(place, "Her rows there go, by the numbers in `ids`.")
        checks.require(False, f"`{name}` still leads to her, in `{column}`{f' ({value!r})' if reveal else ''}. {say}")
    right = erase_one_by_one(held, person)
    for name, table in right.items():
        key, own = ROW_KEYS[name], set(got[name][ROW_KEYS[name]])
        gone = set(table[key]) - own
        example = f", for example {min(gone)!r}" if gone and reveal else ""
        words = f"`{name}` has lost rows of others{example}."
        if name == "returns":
            words += " Refunds stand in the books: keep them."
        elif name in TEXTS:
            words += " A text of somebody else stays; only her name and phone in it become `***`."
        elif name == "mailing":
            words += " A namesake is another person: find her by phone or e-mail."
        checks.require(not gone, words)
        if name in TEXTS:
            check_texts(got[name], table, held[name], name)
        checks.equal(got[name], table, f"erase(…)[{name!r}]", by=key, reveal=reveal)


def check_texts(got, right, before, name):
    """Look at what became of the texts of others."""
    key, column = ROW_KEYS[name], TEXTS[name]
    own = got.set_index(key)[column].reindex(right[key])
    asked, old = right.set_index(key)[column], before.set_index(key)[column].reindex(right[key])
    touched = (asked != old) & asked.notna()
    checks.require(
        not own[touched].isna().any() and not (own[touched] == "***").any(),
        f"A whole `{column}` of somebody else is blank or replaced: only her name and phone in it become `***`.",
    )


def check_erase(names):
    """Question 7."""
    erase = checks.answer(names, "erase", "function")
    held, person = few_copies()
    copies = {name: table.copy() for name, table in held.items()}
    for who in (person, person | {"email": None, "ids": ["C1", "M1", "M3", "W1"]}):
        got = checks.call(erase, copies, who, may_change=True)
        erase_unchanged(erase, held, who)
        check_erased_tables(got, held, who)


def erase_unchanged(erase, held, person):
    """Check that the tables that go in stay as they are."""
    inside = dict(given := {name: table.copy() for name, table in held.items()})
    try:
        erase(inside, dict(person))
    except Exception as error:
        raise checks.CheckFailed(f"`erase(…)` stops with {type(error).__name__}: {error}") from None
    changed = [name for name in held if not given[name].equals(held[name]) or inside.get(name) is not given[name]]
    why = "If it stops halfway, half is gone: work on copies (`.copy()`), and return a new dict."
    checks.require(not changed, f"`erase(…)` changes `{'`, `'.join(changed)}` that it was given. {why}")
