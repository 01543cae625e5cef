"""What a profile must not hold, each with the rule that forbids it (画像的禁止内容), and who may be profiled at all.

The articles are those of the Personal Information Protection Law of the People's Republic of China (个人信息保护法,
PIPL, in force since 2021-11-01). The rules find what names and values can show; they are no legal advice.
"""

import re

import pandas as pd

from cimlab.collection.consent import consent_of_customers, consent_state
from cimlab.profiles.variables import ages, owners

_LEAVE = "Leave it out: a profile for marketing does not need it."
# rule: (law, beginnings of English words, Chinese words, what to do)
_LIMITS = {
    "identity number": (
        "PIPL articles 6, 28",
        "idnumber idcard passport identitynumber identitycard ssn",
        "身份证 护照",
        "Leave it out: customer_id tells customers apart, and the number harms the person when it leaks.",
    ),
    "name or contact": (
        "PIPL article 6",
        "name fullname surname callername phone phonenumber mobile email address wechat",
        "姓名 手机 电话号码 邮箱 地址 微信号",
        "Leave it out: who may contact the customer looks it up in the customer file.",
    ),
    "exact birth date": (
        "PIPL article 6",
        "birthdate dateofbirth",
        "出生日期",
        "Keep the age band: it serves the purpose, and the date helps to find the person.",
    ),
    "health": (
        "PIPL article 28",
        "health medic disease illness patient pregnan disab diagnos diabet depress hospital",
        "健康 医疗 疾病 患者 怀孕 孕妇 残疾 糖尿病 抑郁 病史",
        "Leave it out, also as a guess: name what was bought, not what it may say of a body.",
    ),
    "religion": (
        "PIPL article 28",
        "religio muslim buddhis christian church islam islamic faith",
        "宗教 信仰 穆斯林 佛教 基督教 伊斯兰",
        _LEAVE,
    ),
    "specific identity": (
        "PIPL article 28",
        "ethnic race racial politic partymember sexual gay lesbian criminal",
        "民族 种族 政治面貌 党员 性取向 同性恋 犯罪",
        _LEAVE,
    ),
    "biometrics": (
        "PIPL articles 26, 28",
        "biometric fingerprint faceid facerecognition voiceprint iris gene genetic",
        "生物识别 指纹 人脸 声纹 虹膜 基因",
        _LEAVE,
    ),
    "financial account": (
        "PIPL article 28",
        "bankaccount bankcard creditcardnumber iban",
        "银行卡 银行账户 信用卡号 支付账号",
        _LEAVE,
    ),
    "exact whereabouts": (
        "PIPL article 28",
        "gps latitude longitude lat lon whereabouts trajectory geohash",
        "行踪 轨迹 经度 纬度 经纬度 定位",
        "Keep the city at most: a track of places shows where somebody lives and sleeps.",
    ),
    "child under 14": (
        "PIPL articles 28, 31",
        "",
        "",
        "Delete the profile: a parent's consent and rules of its own would be needed.",
    ),
    "no consent for profiling": (
        "PIPL articles 13, 14",
        "",
        "",
        "Delete the labels of these customers, and count them only in groups.",
    ),
}
PROFILE_LIMITS = pd.DataFrame(
    [[rule, law, advice] for rule, (law, _, _, advice) in _LIMITS.items()], columns=["rule", "law", "advice"]
)
# Values that give a forbidden field away whatever its column is called.
_VALUES = {
    "identity number": r"(?<!\d)\d{6}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?![\dA-Za-z])",
    "name or contact": r"(?<!\d)(?:\+?86[ -]?)?1[3-9]\d{9}(?!\d)|[\w.+-]+@[\w-]+\.[\w.-]+",
    "exact whereabouts": r"(?<!\d)\d{1,2}\.\d{4,}\s*[,;]\s*1\d{2}\.\d{4,}",
}


def may_profile(consents, clusters, at):
    """Say of each customer whether consent to profiling holds at a moment.

    A customer may have several records, each with its own entries in the ledger. Consent holds if the newest entry of
    one record gives it and that of no record withdraws it.

    Parameters
    ----------
    consents : pandas.DataFrame
        The table ``consents``.
    clusters : pandas.DataFrame
        record_id, customer_id.
    at : str or pandas.Timestamp
        The moment; a date alone is its first minute.

    Returns
    -------
    pandas.DataFrame
        One row per customer: customer_id, state ("given", "withdrawn", "never given"), since (of the newest entry),
        allowed (bool).

    Examples
    --------
    >>> ledger = pd.DataFrame({"customer_ref": ["M1", "W1"], "purpose": "profiling", "action": ["given", "withdrawn"],
    ...     "recorded_at": pd.to_datetime(["2025-01-01", "2025-06-01"]), "method": "web form", "notice_version": "v2"})
    >>> who = pd.DataFrame({"record_id": ["M1", "W1", "M2"], "customer_id": ["K1", "K1", "K2"]})
    >>> may_profile(ledger, who, "2026-06-30")[["customer_id", "state", "allowed"]]
      customer_id        state  allowed
    0          K1    withdrawn    False
    1          K2  never given    False
    """
    owner = owners(clusters)
    state = consent_state(consents, at, owner.index.to_series(), ["profiling"])
    table = consent_of_customers(state, owner).to_frame()
    table["since"] = state["since"].groupby(state["customer_ref"].map(owner)).max()
    return table.assign(allowed=table["state"] == "given").reset_index()


def check_profile(table, consent=None, birth_date=None, as_of=None):
    """Find what a profile must not hold, with the rule that forbids it.

    Looked at are the names of the columns, the names of the labels (columns label, label_zh), the values of text
    columns (identity numbers, phones, e-mail addresses, coordinates), and, if told, consent and age of the customers.

    Parameters
    ----------
    table : pandas.DataFrame
        Variables or labels, with customer_id.
    consent : pandas.DataFrame, optional
        As returned by `may_profile`; customers who do not stand there have not consented.
    birth_date : pandas.Series, optional
        By customer_id. Only to check; it does not go into the profile.
    as_of : datetime.date or str, optional
        The day of the ages; needed with `birth_date`.

    Returns
    -------
    pandas.DataFrame
        One row per finding: where ("column", "label", "value", "customer"), field, customers (how many it touches),
        rule, law, advice. Empty if nothing was found.

    Raises
    ------
    ValueError
        There is no customer_id, or a birth date is given without a day.

    References
    ----------
    Duhigg, C. (2012). How companies learn your secrets. New York Times: a guess about a body can hurt like a record.

    Examples
    --------
    >>> table = pd.DataFrame({"customer_id": ["K1"], "basket": [80.0], "religion": ["x"],
    ...                       "note": ["id 990101199001011234"]})
    >>> check_profile(table)[["where", "field", "rule", "law"]]
        where     field             rule                  law
    0  column  religion         religion      PIPL article 28
    1   value      note  identity number  PIPL articles 6, 28
    """
    if "customer_id" not in table:
        raise ValueError(f"the profile has no column customer_id; it has: {', '.join(map(str, table.columns))}")
    found = []
    customers = table["customer_id"]
    for column in table.columns.drop("customer_id"):
        found += [["column", column, customers.nunique(), rule] for rule in _rules_of(column)]
    for column in [name for name in ("label", "label_zh") if name in table]:
        for label in table[column].dropna().unique():
            holders = customers[table[column] == label].nunique()
            found += [["label", label, holders, rule] for rule in _rules_of(label)]
    for column in table.select_dtypes(["str", "object"]).columns.drop("customer_id", errors="ignore"):
        text = table[column].astype("str")
        for rule, pattern in _VALUES.items():
            holders = customers[text.str.contains(pattern, regex=True, na=False)].nunique()
            found += [["value", column, holders, rule]] if holders else []
    if birth_date is not None:
        if as_of is None:
            raise ValueError("give as_of, the day on which the ages are counted, together with birth_date")
        age = ages(birth_date, as_of)
        found.append(["customer", "birth date", _count(customers, age.index[age.between(0, 13)]), "child under 14"])
    if consent is not None:
        allowed = consent.loc[consent["allowed"], "customer_id"]
        without = customers[~customers.isin(allowed)].nunique()
        found.append(["customer", "consent", without, "no consent for profiling"])
    findings = pd.DataFrame(found, columns=["where", "field", "customers", "rule"])
    findings = findings[findings["customers"] > 0].drop_duplicates(ignore_index=True)
    return findings.merge(PROFILE_LIMITS, on="rule", how="left")


def refuse_profile(table, consent=None, birth_date=None, as_of=None):
    """Return the profile if it may be kept; otherwise refuse it with every rule that forbids a part of it.

    Parameters
    ----------
    table : pandas.DataFrame
    consent : pandas.DataFrame, optional
    birth_date : pandas.Series, optional
    as_of : datetime.date or str, optional
        All as for `check_profile`.

    Returns
    -------
    pandas.DataFrame
        The table as it was given.

    Raises
    ------
    ValueError
        Something must not stand in it; the message names each field, the rule and what to do.

    Examples
    --------
    >>> refuse_profile(pd.DataFrame({"customer_id": ["K1"], "gps": ["x"]}))
    Traceback (most recent call last):
    ...
    ValueError: a profile must not hold this:
    - column gps (1 customers): exact whereabouts, PIPL article 28. Keep the city at most: a track of places shows ...
    """
    findings = check_profile(table, consent, birth_date, as_of)
    if findings.empty:
        return table
    told = [
        f"- {f.where} {f.field} ({f.customers} customers): {f.rule}, {f.law}. {f.advice}" for f in findings.itertuples()
    ]
    raise ValueError("a profile must not hold this:\n" + "\n".join(told))


def _rules_of(name):
    """Return the rules that a name breaks: one to three of its words in a row make a forbidden one."""
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", str(name)).lower())
    runs = {"".join(words[start : start + size]) for start in range(len(words)) for size in (1, 2, 3)}
    if len(words) > 1:
        runs.discard("name")  # the name of a segment is not that of a person
    broken = []
    for rule, (_, english, chinese, _) in _LIMITS.items():
        # A short one must be the whole word: "lat" does not find "late", nor "faith" a faithful customer.
        hit = any(run == stem or (len(stem) > 5 and run.startswith(stem)) for stem in english.split() for run in runs)
        if hit or any(word in str(name) for word in chinese.split()):
            broken.append(rule)
    return broken


def _count(customers, some):
    return customers[customers.isin(some)].nunique()
