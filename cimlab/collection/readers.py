"""The channels (渠道) as files: each reader opens one form of file and returns a table.

==================  ==============================================================================  ==================
`read_till`         CSV of the tills: cards, slips or lines of slips                                structured
`read_web_events`   what visitors clicked: JSON lines, objects within objects                       semi-structured
`read_call_notes`   blocks of text from the call centre                                             unstructured
`read_questionnaire`  export of a survey platform: Chinese titles, several choices in one cell      semi-structured
`read_exhibition`   a workbook with a sheet for each fair                                           semi-structured
`read_bought_list`  addresses from a dealer: semicolons, Chinese encoding GB 18030                  structured
`read_reviews`      reviews of the web shop: JSON lines with a text                                 unstructured
`read_register`     an extract of a register of firms, parted by tabs                               structured
==================  ==============================================================================  ==================

Nothing is cleaned: a phone number stays as it was typed. A damaged file is refused, with the place of the damage.
"""

import re
from datetime import datetime
from pathlib import Path

import pandas as pd

from cimlab.collection.files import damaged, read_cells, read_json_lines, read_text, set_types

# What the tills deliver: the member cards, the slips, and the lines of the slips.
TILL_FILES = {
    "members": "member_id name gender birth_date phone email id_number city address store_id tier joined_on updated_on",
    "orders": "order_id channel customer_ref store_id ordered_at amount",
    "order_lines": "order_id line_no product_id quantity unit_price discount amount",
}
TILL_TYPES = {"member_id": "key", "order_id": "key", "joined_on": "date", "updated_on": "date", "ordered_at": "time",
              "line_no": "whole", "quantity": "whole", "unit_price": "number", "discount": "number",
              "amount": "number"}  # fmt: skip
EVENT_VALUES = {
    "event_id": "event_id",
    "session.id": "session_id",
    "session.device": "device",
    "session.source": "source",
    "account_id": "account_id",
    "at": "happened_at",
    "event": "event",
    "item.product_id": "product_id",
    "query": "query",
    "order_id": "order_id",
}
REVIEW_VALUES = {
    "review_id": "review_id",
    "author.account_id": "account_id",
    "item.order_id": "order_id",
    "item.product_id": "product_id",
    "stars": "stars",
    "text": "text",
    "at": "reviewed_at",
    "helpful": "helpful",
}
QUESTIONS = {
    "序号": "response_no",
    "会员卡号": "member_id",
    "提交时间": "submitted_at",
    "所用秒数": "seconds",
    "年龄段": "age_group",
    "性别": "gender",
    "Q1 商品质量": "q1_quality",
    "Q2 价格": "q2_price",
    "Q3 店员服务": "q3_staff",
    "Q4 送货": "q4_delivery",
    "Q5 退换货": "q5_returns",
    "Q6 总体满意": "q6_overall",
    "Q7 推荐可能性": "q7_recommend",
    "Q8 常用渠道": "q8_channels",
    "Q9 意见": "q9_comment",
}
LIST_TITLES = {"编号": "list_no", "姓名": "name", "性别": "gender", "年龄": "age_band", "手机": "phone",
               "城市": "city", "地址": "address", "兴趣": "interests", "采集日期": "collected_on"}  # fmt: skip
VISITOR_TITLES = ["card_no", "visited_on", "name", "firm", "position", "phone", "email", "interest", "manner"]
REGISTER_TITLES = "credit_code name legal_representative registered_capital founded_on industry city address status"
# The first line of a call, [number] time topic, and the lines with a label below it.
CALL = re.compile(r"\[(\w+)\] (\d{4}-\d\d-\d\d \d\d:\d\d) (\w+)")
CALL_LABELS = {"caller": "caller_name", "phone": "phone", "city": "city"}
CALL_COLUMNS = ["call_id", "caller_name", "phone", "city", "called_at", "topic", "note"]


def read_till(path):
    """Read a file of the tills: the member cards, the slips (orders) or the lines of the slips.

    Parameters
    ----------
    path : path-like
        ``cimlab.locate("members")``, ``cimlab.locate("orders")`` or ``cimlab.locate("order_lines")``. The first line
        of the file says which of the three it is.

    Returns
    -------
    pandas.DataFrame
        The columns of the file. Dates and numbers have their type, all else is text as typed.

    Raises
    ------
    ValueError
        If the file is damaged: the message says the file, the line, the column and what to do.

    Examples
    --------
    >>> import cimlab
    >>> read_till(cimlab.locate("orders")).dtypes[["order_id", "ordered_at", "amount"]]
    order_id                 str
    ordered_at    datetime64[us]
    amount               float64
    dtype: object
    """
    first = read_text(path).partition("\n")[0].strip().split(",")
    layouts = [names.split() for names in TILL_FILES.values()]
    nearest = max(layouts, key=lambda names: len(set(names) & set(first)))
    return set_types(read_cells(path, nearest), path, TILL_TYPES)


def read_web_events(path):
    """Read what visitors did in the web shop: JSON lines; what stands in an object within becomes a column.

    Parameters
    ----------
    path : path-like
        ``cimlab.locate("web_events")``.

    Returns
    -------
    pandas.DataFrame
        event_id, session_id, device, source, account_id, happened_at, event, product_id, query, order_id. What an
        event does not have is missing.

    Raises
    ------
    ValueError
        If the file is damaged: the message says where and what to do.

    Examples
    --------
    >>> import cimlab
    >>> events = read_web_events(cimlab.locate("web_events"))
    >>> events.loc[events["event"] == "search", "product_id"].isna().all()
    np.True_
    """
    table = read_json_lines(path, EVENT_VALUES)
    return set_types(table, path, {"event_id": "key", "session_id": "key", "event": "key", "happened_at": "time"})


def read_call_notes(path):
    """Read the notes of the call centre: blocks of lines, parted by an empty line.

    Parameters
    ----------
    path : path-like
        ``cimlab.locate("calls")``.

    Returns
    -------
    pandas.DataFrame
        call_id, caller_name, phone, city, called_at, topic and note (free text). What was not noted is missing.

    Raises
    ------
    ValueError
        If the file is damaged: the message says where and what to do.

    Examples
    --------
    >>> import cimlab
    >>> read_call_notes(cimlab.locate("calls")).columns.tolist()
    ['call_id', 'caller_name', 'phone', 'city', 'called_at', 'topic', 'note']
    """
    calls, places, lines = [], [], read_text(path).split("\n")
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        if number == 1 or not lines[number - 2]:  # the first line of a block
            header = CALL.fullmatch(line)
            if header is None:
                shape = "'[C52H7S] 2024-07-04 11:02 return'"
                raise damaged(path, f"line {number}", f"a call should begin like {shape}; it reads {line[:60]!r}")
            calls.append(dict(zip(["call_id", "called_at", "topic"], header.groups(), strict=True)))
            places.append(f"line {number}")
            continue
        if "note" in calls[-1]:
            raise damaged(path, f"line {number}", f"{line[:60]!r} stands behind the note; is an empty line missing?")
        label, colon, value = line.partition(": ")
        column = CALL_LABELS.get(label) if colon else None
        calls[-1][column or "note"] = (value or None) if column else line
    return set_types(pd.DataFrame(calls, columns=CALL_COLUMNS, index=places), path, {"called_at": "time"})


def read_questionnaire(path):
    """Read the answers to the survey, as the platform exports them; the Chinese titles become short names.

    The choices of question 8 stay in one cell, joined by ┋; `split_choices` gives each its column.

    Parameters
    ----------
    path : path-like
        ``cimlab.locate("questionnaire")``.

    Returns
    -------
    pandas.DataFrame
        response_no, member_id, submitted_at, seconds, age_group, gender, q1_quality … q7_recommend (``Int64``, since a
        question may be left out), q8_channels, q9_comment.

    Raises
    ------
    ValueError
        If the file is damaged: the message says where and what to do.

    Examples
    --------
    >>> import cimlab
    >>> read_questionnaire(cimlab.locate("questionnaire"))["q1_quality"].dtype
    Int64Dtype()
    """
    answers = read_cells(path, list(QUESTIONS)).rename(columns=QUESTIONS)
    types = {column: "whole or blank" for column in answers if re.match(r"q[1-7]_", column)}
    types |= {"response_no": "whole", "member_id": "key", "submitted_at": "time", "seconds": "whole"}
    return set_types(answers, path, types)


def read_exhibition(path):
    """Read the visitors that the stands noted: a workbook with a sheet for each fair.

    Parameters
    ----------
    path : path-like
        ``cimlab.locate("exhibition")``.

    Returns
    -------
    pandas.DataFrame
        card_no, fair (the title of the sheet), visited_on, name, firm, position, phone, email, interest, manner.

    Raises
    ------
    ValueError
        If the file is damaged: the message says where and what to do.

    Examples
    --------
    >>> import cimlab
    >>> read_exhibition(cimlab.locate("exhibition"))["fair"].unique().tolist()
    ['Shanghai 2025-05', 'Hangzhou 2026-04']
    """
    import openpyxl

    if not Path(path).is_file():
        read_text(path)  # says that there is no such file
    try:
        book = openpyxl.load_workbook(path, data_only=True)
    except Exception as error:  # a workbook is a zip file with many parts: each can be damaged in its own way
        raise damaged(path, "the whole file", f"it is no workbook that can be opened ({error})") from None
    visitors, places = [], []
    for sheet in book:
        if sheet.dimensions == "A1:A1" and sheet["A1"].value is None:
            continue  # an empty sheet, as spreadsheets add them
        titles, *rows = sheet.iter_rows(values_only=True)
        if list(titles) != VISITOR_TITLES:
            expected, found = ", ".join(VISITOR_TITLES), ", ".join(map(str, titles))
            raise damaged(path, f"sheet {sheet.title}, row 1", f"the titles should be {expected}; it reads {found!r}")
        for number, row in enumerate(rows, start=2):
            if any(cell is not None for cell in row):
                cells = [str(cell)[:10] if isinstance(cell, datetime) else cell for cell in row]
                visitors.append(dict(zip(VISITOR_TITLES, cells, strict=True)) | {"fair": sheet.title})
                places.append(f"sheet {sheet.title}, row {number}")
    table = pd.DataFrame(visitors, columns=["card_no", "fair", *VISITOR_TITLES[1:]], index=places)
    return set_types(table, path, {"card_no": "key", "visited_on": "date"})


def read_bought_list(path):
    """Read a list of addresses bought from a dealer: cells parted by semicolons, encoding GB 18030.

    Parameters
    ----------
    path : path-like
        ``cimlab.locate("bought_list")``.

    Returns
    -------
    pandas.DataFrame
        list_no, name, gender, age_band, phone, city, address, interests, collected_on.

    Raises
    ------
    ValueError
        If the file is damaged: the message says where and what to do.

    Examples
    --------
    >>> import cimlab
    >>> read_bought_list(cimlab.locate("bought_list")).columns[:5].tolist()
    ['list_no', 'name', 'gender', 'age_band', 'phone']
    """
    table = read_cells(path, list(LIST_TITLES), sep=";", encoding="gb18030").rename(columns=LIST_TITLES)
    return set_types(table, path, {"list_no": "key", "collected_on": "date"})


def read_reviews(path):
    """Read the reviews of the web shop: JSON lines with stars and a text.

    Parameters
    ----------
    path : path-like
        ``cimlab.locate("reviews")``.

    Returns
    -------
    pandas.DataFrame
        review_id, account_id, order_id, product_id, stars, text (free text, may be missing), reviewed_at, helpful.

    Raises
    ------
    ValueError
        If the file is damaged: the message says where and what to do.

    Examples
    --------
    >>> import cimlab
    >>> sorted(read_reviews(cimlab.locate("reviews"))["stars"].unique().tolist())
    [1, 2, 3, 4, 5]
    """
    table = read_json_lines(path, REVIEW_VALUES)
    return set_types(table, path, {"review_id": "key", "stars": "whole", "helpful": "whole", "reviewed_at": "time"})


def read_register(path):
    """Read the extract of the register of firms: cells parted by tabs.

    Parameters
    ----------
    path : path-like
        ``cimlab.locate("business_register")``.

    Returns
    -------
    pandas.DataFrame
        credit_code, name, legal_representative, registered_capital (10,000 CNY), founded_on, industry, city, address,
        status.

    Raises
    ------
    ValueError
        If the file is damaged: the message says where and what to do.

    Examples
    --------
    >>> import cimlab
    >>> read_register(cimlab.locate("business_register"))["registered_capital"].dtype
    dtype('float64')
    """
    table = read_cells(path, REGISTER_TITLES.split(), sep="\t")
    return set_types(table, path, {"credit_code": "key", "registered_capital": "number", "founded_on": "date"})
