"""The collection plan (采集方案) checked: is each field needed, allowed, protected, kept fresh and thrown away in time?

The articles are those of the Personal Information Protection Law of the People's Republic of China (个人信息保护法,
PIPL, in force since 2021-11-01). The rules find what a table can show; they are no legal advice.
"""

import pandas as pd

PLAN_COLUMNS = ["field", "purpose", "source", "lawful_basis", "sensitivity", "refresh", "retention"]
LAWFUL_BASES = ["consent", "separate consent", "contract", "legal duty", "made public"]  # of article 13
SENSITIVITIES = ["none", "general", "medium", "high"]
VAGUE_PURPOSES = ["other", "others", "analysis", "research", "future use", "for later", "business needs"]
VAGUE_PURPOSES += ["其他", "备用", "分析", "业务需要", "以后可能用到"]
# What a purpose needs and no more: the minimum (最小必要). Put in your own.
NEEDS = {
    "membership": ["name", "phone"],
    "delivery": ["name", "phone", "city", "address"],
    "marketing": ["phone", "email"],
    "birthday coupon": ["birth_date", "phone"],
    "profiling": ["gender", "birth_date", "city", "orders"],
    "complaint handling": ["name", "phone", "note"],
    "satisfaction survey": ["age_group", "gender", "answers"],
    "enterprise invoice": ["firm", "credit_code", "address"],
}
PLAN_RULES = pd.DataFrame(
    [
        ["no purpose", "article 6", "Say what the field is for, or do not collect it."],
        ["vague purpose", "article 6", "Name one use that the customer would understand and expect."],
        [
            "unknown purpose",
            "article 6",
            "Add the purpose and the fields that it needs to `needs`, or correct its name.",
        ],
        ["not needed", "article 6", "Leave it out: the purpose can be served without it."],
        ["sensitive without need", "articles 6, 28", "Leave it out at once: it harms the customer when it leaks."],
        ["no lawful basis", "article 13", f"Choose one of: {', '.join(LAWFUL_BASES)}."],
        ["sensitive without separate consent", "article 29", "Ask for this field by itself, and say why it is needed."],
        [
            "use beyond the contract",
            "articles 13, 24",
            "Ask for consent: no order needs marketing, profiling or sharing.",
        ],
        ["bought without separate consent", "article 23", "Let the dealer show each person's consent, or do not buy."],
        ["no retention", "article 19", "Say when it is deleted: the shortest time that the purpose needs."],
        ["no refresh", "article 8", "Say how often it is confirmed: what changes is wrong after a while."],
        ["unknown sensitivity", "article 51", f"Grade the field: {', '.join(SENSITIVITIES)}."],
        ["listed twice", "house rule", "Keep one row for each field and purpose."],
    ],
    columns=["fault", "law", "advice"],
).set_index("fault")


def audit_plan(plan, needs=None):
    """Check a collection plan against the rules of `PLAN_RULES`.

    Parameters
    ----------
    plan : pandas.DataFrame
        One row for each field and purpose: field, purpose, source (the channel), lawful_basis, sensitivity (none,
        general, medium or high, as `cimlab.describe` grades a column), refresh and retention (text such as "2 years").
    needs : dict, optional
        Purpose → the fields that it needs; `NEEDS` when left out.

    Returns
    -------
    pandas.DataFrame
        One row a finding: row (its number in the plan, the first is 1), field, purpose, fault, law, advice. Empty if
        nothing was found.

    Raises
    ------
    ValueError
        If the plan lacks a column.

    Examples
    --------
    >>> plan = pd.DataFrame([["phone", "delivery", "web", "contract", "medium", "1 year", "2 years"],
    ...                      ["id_number", "membership", "till", "consent", "high", "never changes", None]],
    ...                     columns=PLAN_COLUMNS)
    >>> audit_plan(plan)[["row", "field", "fault", "law"]]
       row      field                               fault             law
    0    2  id_number              sensitive without need  articles 6, 28
    1    2  id_number  sensitive without separate consent      article 29
    2    2  id_number                        no retention      article 19
    """
    missing = [column for column in PLAN_COLUMNS if column not in plan]
    if missing:
        raise ValueError(f"The plan lacks the columns {', '.join(missing)}; it needs {', '.join(PLAN_COLUMNS)}")
    plan = plan.reset_index(drop=True)
    findings = []
    for fault, found in _find_faults(plan, NEEDS if needs is None else needs).items():
        findings += [[number + 1, fault] for number in plan.index[found]]
    table = pd.DataFrame(findings, columns=["row", "fault"]).sort_values("row", kind="stable", ignore_index=True)
    table = table.join(PLAN_RULES, on="fault")
    facts = plan.loc[table["row"] - 1, ["field", "purpose"]].reset_index(drop=True)
    return pd.concat([table["row"], facts, table[["fault", "law", "advice"]]], axis=1)


def _find_faults(plan, needs):
    """Return for each fault which rows of the plan have it."""
    blank = plan[PLAN_COLUMNS].isna() | plan[PLAN_COLUMNS].eq("")
    purpose, basis, grade = plan["purpose"], plan["lawful_basis"], plan["sensitivity"]
    personal, sensitive = grade.ne("none"), grade.eq("high")
    vague = purpose.astype("str").str.strip().str.lower().isin(VAGUE_PURPOSES)
    pairs = zip(plan["field"], purpose, strict=True)
    unneeded = pd.Series([p in needs and field not in needs[p] for field, p in pairs], index=plan.index, dtype="bool")
    return {
        "no purpose": blank["purpose"],
        "vague purpose": vague,
        "unknown purpose": ~blank["purpose"] & ~vague & ~purpose.isin(needs),
        "not needed": unneeded & ~sensitive,
        "sensitive without need": sensitive & (unneeded | blank["purpose"] | vague),
        "no lawful basis": personal & ~basis.isin(LAWFUL_BASES),
        "sensitive without separate consent": sensitive & basis.eq("consent"),
        "use beyond the contract": purpose.isin(["marketing", "profiling", "sharing"]) & basis.eq("contract"),
        "bought without separate consent": plan["source"].eq("bought_list") & personal & basis.ne("separate consent"),
        "no retention": personal & blank["retention"],
        "no refresh": personal & blank["refresh"],
        "unknown sensitivity": ~grade.isin(SENSITIVITIES),
        "listed twice": plan.duplicated(["field", "purpose"]),
    }
