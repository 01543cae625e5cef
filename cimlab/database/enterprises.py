"""Enterprise customers (企业客户): the same steps with other columns."""

import re

from cimlab.database.codes import credit_code_status, standardise_codes
from cimlab.database.names import standardise_names
from cimlab.database.standardise import _cities_by_pinyin, standardise_cities, standardise_phones
from cimlab.database.text import by_value, clean_text

# One firm, two records: the same credit code, or the same core of the name in the same city.
ENTERPRISE_BLOCKS = [["credit_code"], ["name_key", "city"]]
ENTERPRISE_RULES = {
    "name": "most complete",
    "credit_code": "newest",
    "industry": "newest",
    "contact_name": "newest",
    "contact_phone": "with:contact_name",
    "city": "vote",
}

INDUSTRIES = {
    "餐饮": "catering", "教育": "education", "培训": "education", "科技": "technology", "物业": "property",
    "商贸": "trade", "贸易": "trade", "酒店": "hotel", "医疗": "health", "健康": "health", "制造": "manufacturing",
}  # fmt: skip
LEGAL_FORM = re.compile(r"(股份有限公司|有限责任公司|有限公司|分公司|总公司|公司|集团)+$")


def standardise_enterprises(enterprises):
    """Standardise enterprise records, for matching and merging like those of persons.

    Parameters
    ----------
    enterprises : pandas.DataFrame
        Table ``enterprises``: enterprise_id, name, credit_code, industry, contact_name, contact_phone, city, source,
        updated_on.

    Returns
    -------
    pandas.DataFrame
        record_id (the enterprise_id), source, name, credit_code (missing unless its check character is right),
        industry, contact_name, contact_phone, city, updated_at, and name_key: the name without city, brackets and
        legal form, by which 嘉森供应链(杭州)股份有限公司 meets 杭州嘉森供应链有限公司.

    References
    ----------
    GB 32100-2015 (credit codes); ITU-T E.164 (phones).

    Examples
    --------
    >>> import pandas as pd
    >>> firm = {"enterprise_id": "E0001", "name": "嘉森供应链(杭州)股份有限公司", "credit_code": "91990105MADY8XML7L",
    ...         "industry": "商贸", "contact_name": "朱雅玲", "contact_phone": "17402728259", "city": "杭州市",
    ...         "source": "sales", "updated_on": pd.Timestamp("2023-11-15")}
    >>> standardise_enterprises(pd.DataFrame([firm])).loc[0, ["name_key", "industry", "city"]].tolist()
    ['嘉森供应链', 'trade', '杭州']
    """
    names = clean_text(enterprises["name"]).str.replace(r"\s", "", regex=True)
    industries = clean_text(enterprises["industry"]).str.lower()
    right_code = credit_code_status(enterprises["credit_code"]) == "ok"
    return enterprises.rename(columns={"enterprise_id": "record_id", "updated_on": "updated_at"}).assign(
        name=names,
        name_key=by_value(names, _name_key),
        credit_code=standardise_codes(enterprises["credit_code"]).where(right_code),
        industry=industries.map(lambda word: INDUSTRIES.get(word, word), na_action="ignore"),
        contact_name=standardise_names(enterprises["contact_name"]),
        contact_phone=standardise_phones(enterprises["contact_phone"]),
        city=standardise_cities(enterprises["city"]),
    )


def _name_key(name):
    core = LEGAL_FORM.sub("", name)
    cities = "|".join(_cities_by_pinyin().values())
    core = re.sub(rf"[(（]?({cities})市?[)）]?", "", core)
    return core or name
