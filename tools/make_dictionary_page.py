"""Write docs/retailer_dictionary.html.

The data dictionary of the retailer as one page that can be searched and printed.

Run by `make pages`. It is made from the descriptor of datasets/, and needs no network to be read.
"""

import json
import sys
from pathlib import Path

from cimlab.retailer.card import write_page

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "retailer_dictionary.html"


def make_page():
    """Return the page of the edition of the course as HTML."""
    return write_page(json.loads((ROOT / "datasets" / "datapackage.json").read_text(encoding="utf-8")))


def main():
    PAGE.write_text(make_page(), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
