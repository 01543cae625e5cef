"""Step 3, match, by a library: Splink learns the weights of Fellegi and Sunter from the data, without labels.

A thousand records take about a second and ten thousand about ten, so there is no progress bar.
"""

import logging
from contextlib import contextmanager

import pandas as pd

from cimlab.database.match import PAIR, _columns, candidate_pairs

# What the kit compares for customers (columns of `standardise_records`), and on what a pair must agree to be compared.
CUSTOMER_FIELDS = {
    "name_pinyin": "full name",
    "gender": "exact",
    "birth_date": "digits",
    "phone": "digits",
    "email": "email",
    "city": "exact",
    "address": "text",
    "id_number": "digits",
}
CUSTOMER_BLOCKS = [
    ["phone"],
    ["email"],
    ["id_number"],
    ["name_pinyin"],
    ["surname", "birth_date"],
    ["surname", "address"],
]


def link_records(records, compare=None, blocks=None, threshold=0.5, seed=1, link_between=None):
    """Find the pairs of records that belong to one person, with the probability of each.

    What the chapter does by hand, on the library Splink 5 and the engine DuckDB: the pairs of the blocks are
    compared in levels (equal, one digit off, similar, different); u is measured on random pairs, m is learned by
    expectation maximisation (EM) with each block in turn; common names count less than rare ones. Same data and
    same seed give the same answer.

    Parameters
    ----------
    records : pandas.DataFrame
        With record_id and the columns to compare; standardised, or else equal values do not look equal.
    compare : dict of str to str, optional
        Column to kind: "full name" (``surname givenname``; a surname alone is weak evidence), "name" (one part of a
        name), "digits" (dates, phones, numbers: one or two typing errors), "email", "text" (addresses), "exact".
        Default: `CUSTOMER_FIELDS`.
    blocks : list of list of str, optional
        As for `candidate_pairs`. Default: `CUSTOMER_BLOCKS`.
    threshold : float
        Pairs with a lower probability are left out.
    seed : int
        For the random pairs.
    link_between : str, optional
        A column that tells two sets apart (two files, each without duplicates): only pairs across are made. Default:
        every pair can be one person.

    Returns
    -------
    pandas.DataFrame
        record_id_a, record_id_b (a before b), probability; sorted by the two ids.

    Raises
    ------
    ValueError
        A column is missing, a kind is unknown, record_id is not unique, or a field stands in every block.

    References
    ----------
    Fellegi and Sunter (1969), A theory for record linkage, JASA 64(328). Linacre et al. (2022), Splink, IJPDS 7(3).

    Examples
    --------
    >>> import cimlab
    >>> from cimlab.database import extract_records, standardise_records
    >>> raw = extract_records(cimlab.load("members"), cimlab.load("web_accounts"), cimlab.load("calls"))
    >>> link_records(standardise_records(raw), threshold=0.9).columns.tolist()
    ['record_id_a', 'record_id_b', 'probability']
    """
    compare, blocks = compare or CUSTOMER_FIELDS, blocks or CUSTOMER_BLOCKS
    table = to_engine(records, compare, blocks, link_between)
    with quiet():
        linker = trained_linker(table, compare, blocks, seed, link_between)
        scored = linker.inference.predict(threshold_match_probability=threshold).as_pandas_dataframe()
    ids = scored[["record_id_l", "record_id_r"]].astype("str")
    pairs = pd.DataFrame(
        {
            "record_id_a": ids.min(axis="columns"),
            "record_id_b": ids.max(axis="columns"),
            # Nine digits: more than that depends on the order in which a machine adds.
            "probability": scored["match_probability"].astype("float64").round(9),
        }
    )
    return pairs.sort_values(PAIR, ignore_index=True)


def trained_linker(table, compare, blocks, seed, link_between=None):
    """Return Splink's linker on DuckDB with its weights learned; `table` as `to_engine` makes it."""
    import duckdb
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    rules = [block_on(*block) for block in blocks]
    settings = SettingsCreator(
        link_type="link_only" if link_between else "dedupe_only",
        unique_id_column_name="record_id",
        probability_two_random_records_match=_prior(table, blocks, link_between),
        comparisons=[_comparison(column, kind) for column, kind in compare.items()],
        blocking_rules_to_generate_predictions=rules,
        retain_matching_columns=False,
    )
    connection = duckdb.connect(":memory:", config={"threads": 1})  # one thread: the same sums always
    connection.execute("SET enable_progress_bar = false")  # it would be drawn over the notebook on a slow machine
    engine = DuckDBAPI(connection=connection)
    if link_between:
        sets = [engine.register(part.drop(columns=link_between)) for _, part in table.groupby(link_between, sort=True)]
    else:
        sets = engine.register(table)
    linker = Linker(sets, settings, log_level=None)
    linker.training.estimate_u_using_random_sampling(max_pairs=2e5, seed=seed, num_chunks=1, min_count_per_level=None)
    for rule in rules:
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    return linker


def _prior(table, blocks, link_between):
    """How likely two records taken at random are one person: the share of pairs that two blocks or more agree on."""
    found = pd.concat([candidate_pairs(table, [block]) for block in blocks])
    sure = found[found.duplicated()].drop_duplicates()
    possible = len(table) * (len(table) - 1) / 2
    if link_between:
        side = table.set_index("record_id")[link_between]
        sure = sure[sure["record_id_a"].map(side).to_numpy() != sure["record_id_b"].map(side).to_numpy()]
        possible = side.value_counts().prod()
    return min(max(len(sure), 1) / possible, 0.5)


def with_dialect(settings, compare, engine):
    """Return learned settings in the words of another engine: the weights stay, the SQL of each level is its own.

    Parameters
    ----------
    settings : dict
        Of Splink, learned on DuckDB.
    compare : dict of str to str
        As for `link_records`; the comparisons in its order.
    engine : str
        "duckdb" or "spark".
    """
    comparisons = []
    for (column, kind), learned in zip(compare.items(), settings["comparisons"], strict=True):
        own = _comparison(column, kind, engine).create_comparison_dict(engine)
        levels = [
            level | {key: value for key, value in known.items() if key not in ("sql_condition", "label_for_charts")}
            for level, known in zip(own["comparison_levels"], learned["comparison_levels"], strict=True)
        ]
        comparisons.append(learned | {"comparison_levels": levels})
    return settings | {"comparisons": comparisons, "sql_dialect": engine}


def _comparison(column, kind, engine="duckdb"):
    import splink.comparison_library as cl

    if kind == "exact":
        return cl.ExactMatch(column).configure(term_frequency_adjustments=True)
    if kind == "name":
        return cl.NameComparison(column)
    if kind == "full name":
        return cl.CustomComparison(_full_name_levels(column, engine), output_column_name=column)
    if kind == "digits":
        return cl.DamerauLevenshteinAtThresholds(column, [1, 2])
    if kind == "email":
        return cl.EmailComparison(column)
    if kind == "text":
        return cl.JaroWinklerAtThresholds(column, [0.9, 0.7])
    kinds = "full name, name, digits, email, text, exact"
    raise ValueError(f"the column {column!r} is to be compared as {kind!r}; choose one of: {kinds}")


def _full_name_levels(column, engine):
    quote, sort, split, similar = {
        "duckdb": ('"', "list_sort", "string_split", "jaro_winkler_similarity"),
        "spark": ("`", "array_sort", "split", "jaro_winkler"),
    }[engine]
    left, right = f"{quote}{column}_l{quote}", f"{quote}{column}_r{quote}"
    surname, given = "split_part({0}, ' ', 1)", "split_part({0}, ' ', 2)"
    one_half = f"({given.format(left)} = '' or {given.format(right)} = '')"
    same_surname = f"{surname.format(left)} = {surname.format(right)}"
    similar_given = f"{similar}({given.format(left)}, {given.format(right)}) >= 0.88"
    levels = {
        "missing": f"{left} is null or {right} is null",
        "only a surname known, the same": f"{one_half} and {same_surname}",
        "same full name": f"{left} = {right}",
        "same words in another order": f"{sort}({split}({left}, ' ')) = {sort}({split}({right}, ' '))",
        "same surname, similar given name": f"{same_surname} and {similar_given}",
        "a letter or two differ": f"{similar}({left}, {right}) >= 0.92 and not {same_surname}",
        "same surname, another given name": same_surname,
    }
    made = [{"sql_condition": sql, "label_for_charts": label} for label, sql in levels.items()]
    made[0]["is_null_level"] = True
    made[2] |= {"tf_adjustment_column": column, "tf_adjustment_weight": 1.0}
    return [*made, {"sql_condition": "ELSE", "label_for_charts": "different"}]


def to_engine(records, compare, blocks, link_between=None):
    """Return the columns that an engine needs: dates as text, missing values as None, sorted by record_id."""
    wanted = ["record_id", *compare, *(column for block in blocks for column in block)]
    table = _columns(records, [*wanted, *([link_between] if link_between else [])]).copy()
    if table["record_id"].duplicated().any():
        raise ValueError("record_id must be unique: one row per record")
    everywhere = set.intersection(*(set(block) for block in blocks)) & set(compare)
    if everywhere:
        raise ValueError(
            f"{', '.join(sorted(everywhere))} stands in every block, so that its weight cannot be learned: "
            "add a block without it"
        )
    if link_between and table[link_between].nunique() != 2:
        raise ValueError(f"{link_between!r} must tell two sets apart; it has {table[link_between].nunique()} values")
    for column in table:
        if pd.api.types.is_datetime64_any_dtype(table[column]):
            table[column] = table[column].dt.strftime("%Y%m%d").astype("str")
    # Sorted, so that the order of the rows cannot change the answer; None is how the engine spells missing.
    table = table.sort_values("record_id", ignore_index=True)
    return table.astype("object").where(table.notna(), None)


@contextmanager
def quiet():
    """Splink says nothing of its progress."""
    # Splink reports its progress through logging; a reader of the chapter does not need it.
    logger = logging.getLogger("splink")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
