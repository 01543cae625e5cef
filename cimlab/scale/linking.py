"""Record linkage (记录链接) of very many records: learn on a sample, apply where the data is, on DuckDB or on Spark.

The method is that of `cimlab.database.link_records`. What changes with the size is the work: the pairs grow with the
square of a block, so that blocks are counted before they are used; the weights are learned once, on a sample; and
the pairs are scored by the engine that holds the records.
"""

import pandas as pd

from cimlab.database.linkage import CUSTOMER_FIELDS, quiet, to_engine, trained_linker, with_dialect
from cimlab.database.match import PAIR
from cimlab.database.text import by_value

# Blocks for a million customers. A full name alone would bring together all who are called Wang Wei.
LARGE_BLOCKS = [
    ["phone"],
    ["email"],
    ["id_number"],
    ["name_pinyin", "birth_date"],
    ["name_pinyin", "city"],
    ["surname", "birth_date"],
    ["surname", "address"],
]


def count_block_pairs(records, blocks=None):
    """Count the pairs that each block would bring together, before anything is compared.

    Parameters
    ----------
    records : pandas.DataFrame
        Standardised records.
    blocks : list of list of str, optional
        Columns that must be equal, one list a block. Default: `LARGE_BLOCKS`.

    Returns
    -------
    pandas.DataFrame
        One row per block: `block`, `records` (that have all its columns), `groups`, `largest` (records of the largest
        group), `pairs` (all pairs inside the groups; a pair of two blocks counts in both).

    Raises
    ------
    ValueError
        A column is missing.

    References
    ----------
    Christen, P. (2012). Data Matching, chapter 4 (indexing). Springer.

    Examples
    --------
    >>> records = pd.DataFrame({"surname": ["li", "li", "li", "wang", None], "city": ["a", "a", "b", "a", "a"]})
    >>> count_block_pairs(records, [["surname"], ["surname", "city"]])
               block  records  groups  largest  pairs
    0        surname        4       2        3      3
    1  surname, city        4       3        2      1
    """
    blocks = LARGE_BLOCKS if blocks is None else blocks
    absent = sorted({column for block in blocks for column in block} - set(records.columns))
    if absent:
        raise ValueError(f"the records have no column {', '.join(absent)}; they have {', '.join(records.columns)}")
    rows = []
    for block in blocks:
        size = records.dropna(subset=block).groupby(block).size()
        pairs = int((size * (size - 1) // 2).sum())
        rows.append([", ".join(block), int(size.sum()), len(size), int(size.max()) if len(size) else 0, pairs])
    return pd.DataFrame(rows, columns=["block", "records", "groups", "largest", "pairs"])


def learn_weights(records, compare=None, blocks=None, sample=50_000, seed=1):
    """Learn the weights of Fellegi and Sunter on a sample of the records.

    The sample is taken by the phones and the birth dates, not by the records: whoever is in it is there with all
    records that share one of them, or there would be hardly a pair to learn from.

    Parameters
    ----------
    records : pandas.DataFrame
        Standardised records with `record_id`.
    compare : dict of str to str, optional
        As for `cimlab.database.link_records`. Default: its fields of customers.
    blocks : list of list of str, optional
        Default: `LARGE_BLOCKS`.
    sample : int
        About how many records are learned from.
    seed : int
        For the random pairs.

    Returns
    -------
    dict
        The model, as `score_large` takes it: `compare`, `blocks` and `settings`, Splink's own form, which can be
        written as JSON. The chance that two records are of one person is that of *all* records.

    Raises
    ------
    ValueError
        As `cimlab.database.link_records`.

    Examples
    --------
    >>> import cimlab
    >>> from cimlab.database import extract_records, standardise_records
    >>> raw = extract_records(cimlab.load("members"), cimlab.load("web_accounts"), cimlab.load("calls"))
    >>> model = learn_weights(standardise_records(raw), sample=3000)
    >>> len(model["settings"]["comparisons"]) == len(model["compare"])
    True
    """
    compare, blocks = compare or CUSTOMER_FIELDS, blocks or LARGE_BLOCKS
    part = _whole_groups(records, sample, seed)
    table = _single_bytes(to_engine(part, compare, blocks), compare)
    with quiet():
        linker = trained_linker(table, compare, blocks, seed)
        settings = linker.misc.save_model_to_json()
    # Of n records there are n² pairs, but only n times a few that belong together.
    settings["probability_two_random_records_match"] *= len(part) / len(records)
    return {"compare": dict(compare), "blocks": [list(block) for block in blocks], "settings": settings}


def _whole_groups(records, sample, seed):
    """Records of about so many, with all that share the phone or the birth date of one of them."""
    if len(records) <= sample:
        return records
    share = sample / len(records) / 2
    chosen = pd.Series(False, index=records.index)
    for column in ("phone", "birth_date"):
        known = pd.Series(records[column].dropna().unique()).sort_values(ignore_index=True)
        chosen |= records[column].isin(known.sample(frac=share, random_state=seed))
    return records[chosen]


def score_large(records, model, engine, threshold=0.5):
    """Score the pairs of all blocks with weights that were learned before, on the engine that is open.

    Parameters
    ----------
    records : pandas.DataFrame
        Standardised records with `record_id`.
    model : dict
        From `learn_weights`.
    engine : ibis.backends.BaseBackend
        From `open_engine`: "duckdb", with or without a limit of memory, or "spark".
    threshold : float
        Pairs with a lower probability are left out.

    Returns
    -------
    pandas.DataFrame
        record_id_a, record_id_b (a before b), probability; sorted by the two ids. The same on both engines, but for a
        few pairs of which a similarity lies at the border of a level: of an odd number of letters in another place
        DuckDB drops half a transposition when it reckons Jaro's similarity, Spark keeps it.

    Raises
    ------
    ValueError
        A column is missing, or record_id is not unique.

    References
    ----------
    Linacre et al. (2022). Splink: Free software for probabilistic record linkage at scale. IJPDS 7(3).

    Examples
    --------
    >>> import cimlab
    >>> from cimlab.database import extract_records, standardise_records
    >>> from cimlab.scale import close_engine, open_engine
    >>> raw = extract_records(cimlab.load("members"), cimlab.load("web_accounts"), cimlab.load("calls"))
    >>> records = standardise_records(raw)
    >>> engine = open_engine("duckdb", {}, memory="1GB")
    >>> score_large(records, learn_weights(records, sample=3000), engine, threshold=0.9).columns.tolist()
    ['record_id_a', 'record_id_b', 'probability']
    >>> close_engine(engine)
    """
    from splink import Linker

    table = _single_bytes(to_engine(records, model["compare"], model["blocks"]), model["compare"])
    settings = with_dialect(model["settings"], model["compare"], {"pyspark": "spark"}.get(engine.name, engine.name))
    with quiet():
        api = _splink_on(engine)
        linker = Linker(api.register(_hand_over(table, engine)), settings, log_level=None)
        found = linker.inference.predict(threshold_match_probability=threshold)
        # Spark's own way to pandas is not ready for pandas 3; through Arrow it is.
        scored = found.as_pandas_dataframe() if engine.name == "duckdb" else _through_arrow(found.as_spark_dataframe())
        linker.table_management.delete_tables_created_by_splink_from_db()
    first, second = scored["record_id_l"].astype("str"), scored["record_id_r"].astype("str")
    turned = first > second
    pairs = pd.DataFrame({PAIR[0]: first.where(~turned, second), PAIR[1]: second.where(~turned, first)})
    pairs["probability"] = scored["match_probability"].astype("float64").round(9)
    return pairs.sort_values(PAIR, ignore_index=True)


def _hand_over(table, engine):
    """Give Spark a file: handed over row by row, a large frame does not fit into its driver."""
    if engine.name == "duckdb":
        return table
    file = engine.cimlab_folder / "records.parquet"
    table.astype("str").where(table.notna(), None).to_parquet(file)
    return engine._session.read.parquet(str(file))


def _through_arrow(frame):
    return frame.toArrow().to_pandas()


def _splink_on(engine):
    """Return Splink's door to an engine; Spark learns the similarity of texts from the file that Splink brings."""
    if engine.name == "duckdb":
        from splink import DuckDBAPI

        engine.con.execute("SET enable_progress_bar = false")
        return DuckDBAPI(connection=engine.con)
    from splink import SparkAPI
    from splink.backends.spark import similarity_jar_location

    session = engine._session
    session.sql(f"ADD JAR '{similarity_jar_location()}'")
    session.conf.set("spark.sql.debug.maxToStringFields", 1000)  # or it warns of each long plan
    return SparkAPI(spark_session=session, break_lineage_method="persist")


def _single_bytes(table, compare):
    """Write each Chinese character of a text as two ASCII ones.

    Jaro and Winkler's similarity is of bytes on DuckDB and of characters on Spark: the same two addresses in Chinese
    are then 0.81 alike on one engine and 0.95 on the other (see the test). Of ASCII both say the same.
    """
    texts = [column for column, kind in compare.items() if kind == "text"]
    return table.assign(**{column: by_value(table[column], _ascii) for column in texts})


def _ascii(text):
    return "".join(
        sign if ord(sign) < 128 else chr(35 + ord(sign) % 90) + chr(35 + ord(sign) // 90 % 90) for sign in text
    )
