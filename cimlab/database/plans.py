"""Step 2, index (索引): see how a database finds a row."""

import pandas as pd
from sqlalchemy.exc import DatabaseError


def query_plan(engine, sql):
    """Ask SQLite how it will find the rows of a query, and say it in plain words.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        A SQLite database.
    sql : str
        One query, without the word EXPLAIN.

    Returns
    -------
    pandas.DataFrame
        step, plan (SQLite's words), meaning.

    Raises
    ------
    ValueError
        The database is not SQLite, or the query cannot be read.

    References
    ----------
    SQLite, EXPLAIN QUERY PLAN, https://sqlite.org/eqp.html.

    Examples
    --------
    >>> from cimlab.database import create_database
    >>> engine = create_database(":memory:")
    >>> query_plan(engine, "SELECT * FROM transactions WHERE customer_id = 'K000001'")["meaning"][0]
    'looks up the rows of transactions by the index ix_transactions_customer_id'
    >>> query_plan(engine, "SELECT * FROM transactions WHERE amount > 100")["meaning"][0]
    'reads the whole table transactions, row by row'
    >>> engine.dispose()
    """
    if engine.dialect.name != "sqlite":
        raise ValueError(f"query_plan reads the plans of SQLite; this is {engine.dialect.name}: use EXPLAIN there")
    try:
        with engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all()
    except DatabaseError as error:
        raise ValueError(f"SQLite cannot read the query: {error.orig}") from error
    rows = [{"step": i + 1, "plan": row[3], "meaning": _plain_words(row[3])} for i, row in enumerate(plan)]
    return pd.DataFrame(rows, columns=["step", "plan", "meaning"])


def _plain_words(plan):
    words = plan.split()
    if plan.startswith("SEARCH") and "USING" in words:
        if "PRIMARY" in words or "sqlite_autoindex" in plan:
            return f"looks up the rows of {words[1]} by the primary key or a unique column"
        index = words[words.index("INDEX") + 1] if "INDEX" in words else "key"
        return f"looks up the rows of {words[1]} by the index {index}"
    if plan.startswith("SCAN") and "INDEX" in words:
        return f"reads the whole index {words[words.index('INDEX') + 1]} of {words[1]}, row by row"
    if plan.startswith("SCAN"):
        return f"reads the whole table {words[1]}, row by row"
    if plan.startswith("USE TEMP B-TREE"):
        return f"sorts the rows for {' '.join(words[4:])}"
    return plan.lower()
