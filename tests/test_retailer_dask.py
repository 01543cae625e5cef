"""Workers of a real Dask cluster write what one process writes."""

import json

import pytest

from cimlab.__main__ import main

distributed = pytest.importorskip("distributed", reason="Dask is not installed (extra [cluster])")


def test_two_dask_workers_write_what_one_process_writes(tmp_path):
    arguments = ["--size", "M", "--tables", "orders,order_lines", "--yes"]
    assert main(["generate", str(tmp_path / "alone"), *arguments, "--jobs", "1"]) == 0
    cluster = distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        local_directory=str(tmp_path / "dask"),
    )
    with cluster:
        scheduler = ["--engine", "dask", "--scheduler", cluster.scheduler_address]
        assert main(["generate", str(tmp_path / "shared"), *arguments, *scheduler]) == 0
    written = []
    for name in ("alone", "shared"):
        descriptor = json.loads((tmp_path / name / "datapackage.json").read_text(encoding="utf-8"))
        written.append([(r["name"], r["path"], r["rows"], r["hash"]) for r in descriptor["resources"]])
    assert written[0] == written[1]
    lines = next(entry for entry in written[0] if entry[0] == "order_lines")
    assert len(lines[1]) == 2, "one block alone shows nothing"
    assert lines[2] > 500_000
