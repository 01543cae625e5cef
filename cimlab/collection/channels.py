"""What a channel is (渠道): its structure, the kinds of information it brings, its records and its fields."""

import pandas as pd

# What each channel is; the reader of the same name is in `readers`.
CHANNELS = pd.DataFrame(
    [
        ["till", "internal", "point of sale", "CSV", "structured"],
        ["web_events", "internal", "communication: web shop and app", "JSON lines", "semi-structured"],
        ["call_notes", "internal", "communication: call centre", "text", "unstructured"],
        ["questionnaire", "internal", "survey", "CSV of a platform", "semi-structured"],
        ["exhibition", "internal", "marketing: fairs", "workbook", "semi-structured"],
        ["reviews", "internal", "business process: after the deal", "JSON lines", "unstructured"],
        ["bought_list", "external", "bought database", "CSV, GB 18030", "structured"],
        ["register", "external", "government data", "text with tabs", "structured"],
    ],
    columns=["channel", "side", "origin", "form", "structure"],
).set_index("channel")

# What a field tells: who the customer is (descriptive, 描述类), what the customer does (behavioural, 行为类), or what
# the customer feels and prefers (associated, 关联类). A key only says whose record it is.
FIELD_KINDS = {
    "key": """member_id order_id account_id call_id customer_ref event_id session_id review_id response_no card_no
        list_no credit_code product_id store_id line_no""",
    "descriptive": """name full_name caller_name gender birth_date age_group age_band phone email id_number city address
        tier joined_on updated_on registered_on firm position manner legal_representative registered_capital founded_on
        industry status collected_on""",
    "behavioural": """channel ordered_at amount quantity unit_price discount device source happened_at event query
        called_at topic fair visited_on submitted_at seconds q8_channels reviewed_at""",
    "associated": """note stars text helpful interest interests q1_quality q2_price q3_staff q4_delivery q5_returns
        q6_overall q7_recommend q9_comment""",
}
FREE_TEXT = {"note", "text", "q9_comment", "query", "manner"}
SEVERAL_VALUES = {"q8_channels", "interest", "interests"}


def describe_channel(channel, table):
    """Say in one row what a channel is: its structure, its kinds of information, its records and its fields.

    Parameters
    ----------
    channel : str
        A name of `CHANNELS`: till, web_events, call_notes, questionnaire, exhibition, bought_list, reviews, register.
    table : pandas.DataFrame
        What the reader of the channel returned.

    Returns
    -------
    pandas.DataFrame
        One row, indexed by the channel: side (internal or external), origin, form, structure (structured, 结构化;
        semi-structured, 半结构化; unstructured, 非结构化), kinds (descriptive, behavioural, associated: those that
        occur, the most frequent first), records, fields (their number), filled (share of the cells), first and last
        (of the first column with dates or times), free_text (the fields that hold sentences).

    Raises
    ------
    ValueError
        If the channel is not known.

    Examples
    --------
    >>> import cimlab
    >>> from cimlab.collection import read_reviews
    >>> reviews = read_reviews(cimlab.locate("reviews"))
    >>> describe_channel("reviews", reviews)[["structure", "kinds", "fields", "free_text"]]
                structure                    kinds  fields free_text
    channel
    reviews  unstructured  associated, behavioural       8      text
    """
    if channel not in CHANNELS.index:
        raise ValueError(f"There is no channel {channel!r}; the channels are {', '.join(CHANNELS.index)}")
    fields = describe_fields(table)
    kinds = fields["kind"][fields["kind"].isin(["descriptive", "behavioural", "associated"])].value_counts()
    dates = table.select_dtypes("datetime")
    measured = {
        "kinds": ", ".join(kinds.index),
        "records": len(table),
        "fields": table.shape[1],
        "filled": table.notna().to_numpy().mean() if table.size else float("nan"),
        "first": dates.iloc[:, 0].min() if dates.shape[1] else pd.NaT,
        "last": dates.iloc[:, 0].max() if dates.shape[1] else pd.NaT,
        "free_text": ", ".join(fields["field"][fields["form"] == "free text"]),
    }
    return CHANNELS.loc[[channel]].assign(**measured)


def describe_channels(tables):
    """Say what several channels are, one row a channel.

    Parameters
    ----------
    tables : dict
        Channel → the table that its reader returned.

    Returns
    -------
    pandas.DataFrame
        One row a channel, as `describe_channel` returns it.

    Examples
    --------
    >>> import cimlab
    >>> from cimlab.collection import read_call_notes, read_register
    >>> calls, firms = read_call_notes(cimlab.locate("calls")), read_register(cimlab.locate("business_register"))
    >>> describe_channels({"call_notes": calls, "register": firms})[["side", "structure", "fields"]]
                    side     structure  fields
    channel
    call_notes  internal  unstructured       7
    register    external    structured       9
    """
    return pd.concat([describe_channel(channel, table) for channel, table in tables.items()])


def describe_fields(table):
    """Say what each field of a channel tells and how it looks.

    Parameters
    ----------
    table : pandas.DataFrame
        What a reader returned.

    Returns
    -------
    pandas.DataFrame
        One row a field: field, kind (descriptive, behavioural, associated, key, or "not listed"), form (one value,
        several values, free text), filled (share), values (how many different ones), example (the first one).

    Examples
    --------
    >>> import cimlab
    >>> from cimlab.collection import read_exhibition
    >>> visitors = read_exhibition(cimlab.locate("exhibition"))
    >>> describe_fields(visitors).set_index("field").loc[["phone", "interest", "manner"], ["kind", "form"]]
                     kind            form
    field
    phone     descriptive       one value
    interest   associated  several values
    manner    descriptive       free text
    """
    kind_of = {field: kind for kind, fields in FIELD_KINDS.items() for field in fields.split()}
    rows = []
    for field, values in table.items():
        filled = values.dropna()
        form = "free text" if field in FREE_TEXT else "several values" if field in SEVERAL_VALUES else "one value"
        example = filled.iloc[0] if len(filled) else None
        rows.append([field, kind_of.get(field, "not listed"), form, values.notna().mean(), filled.nunique(), example])
    return pd.DataFrame(rows, columns=["field", "kind", "form", "filled", "values", "example"])
