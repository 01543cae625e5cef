"""Our methods on data that nobody here made: what others published must come out."""

import pytest

from cimlab.database import link_records, score_pairs
from tests.outside import cdnow_sample, complete_journey, febrl4

pytestmark = pytest.mark.outside


def test_febrl_4():
    """5,000 + 5,000 records. Splink's own example model reaches F1 .9991 (P 1.0000, R .9982)."""
    records, truth = febrl4()
    assert len(records) == 10_000 and truth["person_no"].nunique() == 5_000
    fields = {
        "given_name": "name",
        "surname": "name",
        "date_of_birth": "digits",
        "soc_sec_id": "digits",
        "street_number": "exact",
        "postcode": "digits",
        "suburb": "text",
        "address_1": "text",
    }
    blocks = [
        ["soc_sec_id"],
        ["surname", "given_name"],
        ["date_of_birth", "postcode"],
        ["given_name", "date_of_birth"],
        ["surname", "date_of_birth"],
        ["postcode", "given_name"],
        ["postcode", "surname"],
        ["suburb", "street_number"],
        ["address_1", "street_number"],
    ]
    scores = score_pairs(link_records(records, fields, blocks, link_between="file"), truth).iloc[0]
    assert scores["true_pairs"] == 5_000
    assert scores["f1"] >= 0.998, scores.to_dict()


def test_cdnow_is_the_published_sample():
    """Fader and Hardie: 6,696 purchase days of 2,357 customers, 1997-01-01 to 1998-06-30."""
    sales = cdnow_sample()
    assert sales["customer_id"].nunique() == 2_357
    assert len(sales.drop_duplicates(["customer_id", "day"])) == 6_696
    assert (str(sales["day"].min().date()), str(sales["day"].max().date())) == ("1997-01-01", "1998-06-30")


def test_complete_journey_is_whole():
    transactions = complete_journey("transactions")
    assert transactions.shape == (1_469_307, 11)
    assert complete_journey("demographics").shape == (801, 8)
