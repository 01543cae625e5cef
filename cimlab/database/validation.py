"""Step 3, process: rules for a whole table, checked at once, with every failure by row and column."""

import pandas as pd

from cimlab.database.codes import credit_code_status, id_number_status
from cimlab.database.schema import GENDERS


def customer_rules():
    """Return the rules that a table of customers must meet before it goes into the base.

    Returns
    -------
    pandera.pandas.DataFrameSchema
        For `validate`. Each check carries its reason in plain words.

    References
    ----------
    ITU-T E.164 (phones), GB 11643-1999 (identity numbers).

    Examples
    --------
    >>> sorted(customer_rules().columns)
    ['birth_date', 'customer_id', 'email', 'gender', 'id_number', 'name', 'phone']
    """
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            "customer_id": _column(pa.Check.str_matches(r"^K\d{6}$", error="is not K and six digits"), key=True),
            "name": _column(pa.Check.str_matches(r"^\D+$", error="holds a digit, or nothing"), required=True),
            "gender": _column(pa.Check.isin(GENDERS, error="is neither F nor M")),
            "birth_date": _column(pa.Check.ge(pd.Timestamp("1900-01-01"), error="is before 1900")),
            "phone": _column(pa.Check.str_matches(r"^\+[1-9]\d{6,14}$", error="is not in the form +8617401234567")),
            "email": _column(pa.Check.str_matches(r"^[^@\s]+@[^@\s]+\.[^@\s]+$", error="is not an e-mail address")),
            "id_number": _column(_status_check(id_number_status, "is not a right identity number")),
        }
    )


def enterprise_rules():
    """Return the rules that a table of enterprises must meet before it goes into the base.

    Returns
    -------
    pandera.pandas.DataFrameSchema
        For `validate`.

    References
    ----------
    GB 32100-2015 (unified social credit codes).

    Examples
    --------
    >>> sorted(enterprise_rules().columns)
    ['contact_phone', 'credit_code', 'enterprise_id', 'name']
    """
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            "enterprise_id": _column(pa.Check.str_matches(r"^E\d{4,}$", error="is not E and four digits"), key=True),
            "name": _column(pa.Check.str_length(min_value=2, error="has fewer than two characters"), required=True),
            "credit_code": _column(_status_check(credit_code_status, "is not a right credit code"), unique=True),
            "contact_phone": _column(
                pa.Check.str_matches(r"^\+[1-9]\d{6,14}$", error="is not in the form +8617401234567")
            ),
        }
    )


def validate(frame, rules):
    """Check a table against rules and list every failure, not only the first.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table; it needs every column that the rules name. Other columns are not checked.
    rules : pandera.pandas.DataFrameSchema
        From `customer_rules`, `enterprise_rules` or written by yourself.

    Returns
    -------
    pandas.DataFrame
        row (label of the index), column, value (text), reason; empty when all is well. Sorted by row.

    Raises
    ------
    ValueError
        The table lacks a column that the rules name.

    References
    ----------
    Bantilan, N. (2020). pandera: Statistical data validation of pandas dataframes. SciPy.

    Examples
    --------
    >>> customers = pd.DataFrame({"customer_id": ["K000001", "K000002"], "name": ["曾国藩", "李梅"], "email": None,
    ...                           "gender": ["M", "X"], "birth_date": pd.NaT, "id_number": None,
    ...                           "phone": ["17401234567", "+8617401234568"]})
    >>> validate(customers, customer_rules())
       row  column        value                             reason
    0    0   phone  17401234567  is not in the form +8617401234567
    1    1  gender            X                 is neither F nor M
    """
    from pandera.errors import SchemaErrors

    absent = [column for column in rules.columns if column not in frame.columns]
    if absent:
        raise ValueError(f"the table has no column {', '.join(absent)}, which the rules need")
    try:
        rules.validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        failures = pd.DataFrame(
            {
                "row": cases["index"],
                "column": cases["column"],
                "value": cases["failure_case"].astype("str"),
                "reason": cases["check"].replace(_BUILT_IN_REASONS),
            }
        )
        return failures.drop_duplicates().sort_values(["row", "column"], kind="stable", ignore_index=True)
    return pd.DataFrame(columns=["row", "column", "value", "reason"])


_BUILT_IN_REASONS = {"not_nullable": "is missing", "field_uniqueness": "occurs more than once"}


def _column(check, key=False, required=False, unique=False):
    import pandera.pandas as pa

    return pa.Column(checks=check, nullable=not (key or required), unique=key or unique)


def _status_check(status, reason):
    import pandera.pandas as pa

    return pa.Check(lambda values: status(values).isin(["ok", "blank"]), error=reason)
