"""Record linkage of many customers: `make bench-linking`, or  .venv/bin/python benchmarks/bench_linking.py [--size L]

Makes an edition with its truth in a temporary folder, standardises the records, counts the pairs of each block, learns
the weights on a sample, scores all pairs on DuckDB and (with --spark) on Spark, puts the pairs into customers, and
compares with the truth. The verdict is about results: the engines give the same pairs but one in a thousand, and the
customers found are right to the gates. The seconds are for orders of magnitude; the load stands beside them.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from cimlab.database import (
    cluster_pairs,
    extract_records,
    find_conflicts,
    pairs_in_groups,
    score_pairs,
    standardise_records,
)
from cimlab.scale import close_engine, count_block_pairs, learn_weights, missing_spark, open_engine, score_large

# As measured: .978 and .897 of 100,000 customers, .955 and .870 of a million, where more people share name and city.
GATES = {"precision": 0.94, "recall": 0.85, "apart": 0.001}
NAIVE_BLOCK = ["name_pinyin"]  # what the small edition could afford


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["S", "M", "L"], default="M", help="customers: 3,000, 100,000, a million")
    parser.add_argument("--sample", type=int, default=50_000, help="records to learn from (default %(default)s)")
    parser.add_argument("--threshold", type=float, default=0.5, help="least probability (default %(default)s)")
    parser.add_argument("--memory", help="limit of the engines, as 2GB (default: DuckDB's own; Spark 4GB)")
    parser.add_argument("--spark", action="store_true", help="score on a local Spark too")
    arguments = parser.parse_args()
    if arguments.spark and missing_spark():
        parser.error(missing_spark())
    with tempfile.TemporaryDirectory() as folder:
        make_edition(Path(folder), arguments.size)
        records, truth = read_edition(Path(folder))
        verdict = compare(records, truth, arguments)
    say(f"load of the machine {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "")
    say("verdict: " + ("as it should be" if not verdict else "; ".join(verdict)))
    return 1 if verdict else 0


def make_edition(folder, size):
    command = [sys.executable, "-m", "cimlab", "generate", str(folder / "data"), "--size", size, "--truth"]
    tables = ["--tables", "members,web_accounts,calls", "--form", "parquet"]
    subprocess.run([*command, str(folder / "truth"), *tables], check=True, stdout=subprocess.DEVNULL)


def read_edition(folder):
    os.environ["CIMLAB_DATA"] = str(folder / "data")
    import cimlab

    raw = extract_records(*(cimlab.load(name) for name in ("members", "web_accounts", "calls")))
    records = timed(f"standardise {len(raw):,} records", lambda: standardise_records(raw))
    truth = pd.read_parquet(folder / "truth" / "entity_map").rename(columns={"person_id": "person_no"})
    return records, truth[truth["record_id"].isin(records["record_id"])]


def compare(records, truth, arguments):
    blocks = timed("count the pairs of the blocks", lambda: count_block_pairs(records))
    naive = count_block_pairs(records, [NAIVE_BLOCK])["pairs"].iloc[0]
    say(blocks.to_string(index=False))
    say(f"a block by the full name alone would compare {naive:,} pairs, these {blocks['pairs'].sum():,}")
    model = timed(
        f"learn on about {arguments.sample:,} records", lambda: learn_weights(records, sample=arguments.sample)
    )
    pairs = score_on("duckdb", records, model, arguments)
    found = timed("put the pairs into customers", lambda: find_customers(records, pairs))
    scores = score_pairs(pairs_in_groups(found), truth).iloc[0]
    say(f"{len(pairs):,} pairs, {found['customer_id'].nunique():,} customers, truth {truth['person_no'].nunique():,}")
    say(f"pairs of the customers: precision {scores['precision']:.3f}, recall {scores['recall']:.3f}")
    wrong = [f"{name} below {GATES[name]}" for name in ("precision", "recall") if scores[name] < GATES[name]]
    return wrong + (compare_engines(records, model, pairs, arguments) if arguments.spark else [])


def find_customers(records, pairs):
    return cluster_pairs(records, pairs, find_conflicts(records, pairs))


def score_on(name, records, model, arguments):
    memory = arguments.memory or ("4GB" if name == "spark" else None)
    engine = timed(f"start {name}", lambda: open_engine(name, {}, memory=memory))
    try:
        return timed(f"score on {name}", lambda: score_large(records, model, engine, arguments.threshold))
    finally:
        close_engine(engine)


def compare_engines(records, model, pairs, arguments):
    other = score_on("spark", records, model, arguments)
    both = pairs.merge(other, on=["record_id_a", "record_id_b"], how="outer", suffixes=("", "_other"))
    alone = int(both[["probability", "probability_other"]].isna().any(axis="columns").sum())
    largest = (both["probability"] - both["probability_other"]).abs().max()
    say(f"pairs on one engine only: {alone}; largest difference of a probability: {largest:.1g}")
    apart = (both["probability"] - both["probability_other"]).abs().fillna(1) > 1e-4
    say(f"pairs whose probability differs by more than 0.0001: {apart.mean():.3%} (a similarity at a level's border)")
    return ["the engines differ"] if apart.mean() > GATES["apart"] else []


def timed(what, work):
    begun = time.perf_counter()
    result = work()
    say(f"{what:<45}{time.perf_counter() - begun:8.1f} s")
    return result


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
