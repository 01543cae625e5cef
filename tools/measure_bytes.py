"""Measure how many bytes a person adds to each table and write them into cimlab/retailer/write.yaml.

    python tools/measure_bytes.py

`cimlab generate` tells from them, before it starts, how much room an edition needs. Run it again when the tables have
changed much; a test says when the numbers are too far from what is written.
"""

import tempfile
from pathlib import Path

from cimlab.retailer.draws import FOLDER, read_settings
from cimlab.retailer.run import SECTIONS
from cimlab.retailer.write import write_edition

PERSONS = 20_000
START = "bytes_per_customer:\n"


def measure():
    """Return section → table → [bytes a person in Parquet, as a file]."""
    found = {section: {} for section in SECTIONS}
    with tempfile.TemporaryDirectory() as folder:
        for form in ("parquet", "files"):
            out = Path(folder, form)
            seed = read_settings("write")["seed"]
            written = write_edition(out, f"{out}-truth", customers=PERSONS, seed=seed, form=form)
            for section, (_, tables) in zip(SECTIONS, written, strict=True):
                for info in tables:
                    found[section].setdefault(info["table"], []).append(round(info["bytes"] / PERSONS, 2))
    return found


def main():
    """Put the numbers at the end of the settings."""
    path = FOLDER / "write.yaml"
    head = path.read_text(encoding="utf-8").partition(START)[0]
    lines = [START]
    for section, tables in measure().items():
        lines.append(f"  {section}:\n")
        lines += [f"    {table}: {{parquet: {sizes[0]}, files: {sizes[1]}}}\n" for table, sizes in tables.items()]
    path.write_text(head + "".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
