"""Write docs/retailer_facts.md: the facts of the retailer, measured, beside those of real retailers and of a benchmark.

Run it with the environment of the course, after the data have changed:  .venv/bin/python tools/make_facts_page.py
The column of the large edition is kept from the page as it is, unless one is given:

  cimlab generate ../large --truth ../large-truth --size L --jobs 2
  .venv/bin/python tools/make_facts_page.py --large ../large --large-truth ../large-truth
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import cimlab  # noqa: E402
from cimlab.retailer import read_truth  # noqa: E402
from cimlab.retailer.draws import read_settings  # noqa: E402
from cimlab.retailer.facts_measure import (  # noqa: E402
    edition_tables,
    file_reader,
    listed_facts,
    measure_all,
    parquet_reader,
)

PAGE = ROOT / "docs" / "retailer_facts.md"
OTHERS = ("cdnow", "uci", "complete_journey", "tpcds")
HEAD = """\
# Is Xudong like a retailer?

Xudong (旭东) is synthetic. A method that is tried on data without the shape of real data teaches nothing, so this page
measures that shape: each line is a fact of real retailers, with the band in which Xudong must lie. The tests
(`tests/test_truth.py`) hold the edition of the course (S, 3,000 persons) against it in every run, and one of a million
persons (L) if `CIMLAB_SCALE=1` is set. **Bold** is outside the band. Customers are true persons, so that purchases
without a card count with those of their buyer.

The same functions (`cimlab/retailer/facts.py`, `facts_baskets.py`) measured CDNOW, a record shop (23,570 customers),
the Complete Journey, a grocer's panel of 2,469 frequent buyers (its package calls it simulated on real patterns), and
TPC-DS, the benchmark of databases, at scale factor 1. The figures of UCI Online Retail, a wholesaler's web shop, are
cited.

"""


def write_number(value):
    """Return a number as the page shows it: three figures or so."""
    if value is None:
        return "–"
    text = f"{value:.3f}" if abs(value) < 2 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
    return text.replace("-", "−") if float(text) else text.replace("-", "")


def write_band(band):
    """Return a band as the page shows it."""
    return " to ".join(f"{end:g}".replace("-", "−") for end in band)


def write_row(name, fact, small, large, kept):
    """Return the line of one fact."""

    def cell(value, band):
        text = write_number(value)
        return text if value is None or band[0] <= value <= band[1] else f"**{text}**"

    band, measured = fact["band"], fact.get("measured", {})
    bands = write_band(band) + (f" (S: {write_band(fact['small'])})" if "small" in fact else "")
    cells = [fact["fact"], bands, cell(small[name], fact.get("small", band))]
    cells.append(cell(large[name], band) if large else kept.get(fact["fact"], "–"))
    cells += [cell(measured.get(other), band) for other in OTHERS]
    return "| " + " | ".join([*cells, fact["source"]]) + " |"


def kept_column():
    """Return the column of the large edition as it stands on the page, by fact."""
    if not PAGE.is_file():
        return {}
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \| ([^|]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {fact: value for fact, value in rows if fact not in ("fact", "---")}


def make_page(small, large=None):
    """Return the text of the page from the facts as measured on the small edition and, if it is new, on a large one."""
    sets = read_settings("facts")["sets"]
    titles = ["fact", "band", "Xudong S", "Xudong L", *(sets[other] for other in OTHERS), "source of the band"]
    rows = ["| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles)]
    kept = kept_column()
    rows += [write_row(name, fact, small, large, kept) for name, fact in listed_facts().items()]
    return HEAD + "\n".join(rows) + "\n"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--large", type=Path, metavar="DIR", help="an edition of a million persons")
    parser.add_argument("--large-truth", type=Path, metavar="DIR", help="its truth")
    parser.add_argument("--print", action="store_true", help="print the page instead of writing it")
    given = parser.parse_args(arguments)
    if (given.large is None) != (given.large_truth is None):
        parser.error("--large and --large-truth belong together")
    large = None
    if given.large:
        large = measure_all(edition_tables(parquet_reader(given.large), parquet_reader(given.large_truth, "truth")))
    page = make_page(measure_all(edition_tables(file_reader(cimlab.load), file_reader(read_truth))), large)
    if given.print:
        sys.stdout.buffer.write(page.encode("utf-8"))
    else:
        PAGE.write_text(page, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
