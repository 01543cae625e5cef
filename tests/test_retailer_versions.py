"""The same seed gives the same content with other versions of numpy and pyarrow, and on processors that can do less."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Wheels of numpy 2.0 end with Python 3.12.
OLDEST = "numpy==2.0.2" if sys.version_info < (3, 13) else "numpy==2.1.3"
# The oldest pair is the lower bound of pyproject.toml, the second one lies half way to today.
VERSIONS = [(OLDEST, "pyarrow==18.1.0"), ("numpy==2.2.6", "pyarrow==21.0.0")]
# The first persons, and some on both sides of the row where a new part of the tables and longer identifiers begin.
STARTS = [(0, 400), (65536 - 200, 65536 + 200)]
HASH = f"""
import hashlib, json, sys
import numpy, pyarrow
from numpy._core._multiarray_umath import __cpu_features__ as features
from cimlab.retailer import edition

found = {{}}
for start, stop in {STARTS}:
    data, truth = edition.make_tables(11, "normal", start, stop)
    for section, tables in (("data", data), ("truth", truth)):
        for name, table in tables.items():
            content = "".join(f"{{key}}: {{table[key].to_pylist()!r}}\\n" for key in table.column_names)
            found[f"{{section}}/{{name}} from {{start}}"] = hashlib.sha256(content.encode()).hexdigest()
print(json.dumps({{
    "hashes": found,
    "versions": [f"numpy=={{numpy.__version__}}", f"pyarrow=={{pyarrow.__version__}}"],
    "features": [name for name, there in features.items() if there],
    "arrow": pyarrow.runtime_info().simd_level,
    "place": edition.__file__,
}}))
"""


def run_hashes(python=sys.executable, **more):
    """Return what the script prints: the hash of the content of each table, and what it was made with."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NPY_", "ARROW_"))}
    environment = {**plain, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **more}
    done = subprocess.run([str(python), "-c", HASH], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert Path(found["place"]).is_relative_to(ROOT), "the checkout is tested, no installed copy"
    return found


def changed(here, there):
    """Return the tables whose content is not the same."""
    return sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))


@pytest.fixture(scope="module")
def present():
    """What the present environment makes."""
    found = run_hashes()
    assert len(found["hashes"]) > 60
    return found


def test_a_processor_without_wide_vectors_gives_the_same(present):
    from numpy._core._multiarray_umath import __cpu_dispatch__ as dispatch

    # numpy refuses to switch off what it was built for, so only what it chooses at run time is named
    off = [name for name in dispatch if name in present["features"]]
    if not off:
        pytest.skip("numpy uses nothing on this processor that can be switched off")
    plain = run_hashes(NPY_DISABLE_CPU_FEATURES=" ".join(off), ARROW_USER_SIMD_LEVEL="NONE")
    assert not set(off) & set(plain["features"]), "they were not switched off"
    assert plain["arrow"] == "none"
    assert not changed(present["hashes"], plain["hashes"])


@pytest.mark.setup
@pytest.mark.parametrize("versions", VERSIONS, ids=" ".join)
def test_other_versions_of_numpy_and_pyarrow_give_the_same(versions, present, tmp_path):
    if set(versions) & set(present["versions"]):
        pytest.skip("these are the versions of the present environment")
    other = run_hashes(make_environment(tmp_path / "other", *versions, "pyyaml"))
    assert other["versions"] == list(versions)
    assert not changed(present["hashes"], other["hashes"])


def make_environment(folder, *packages):
    """Make a virtual environment with some packages only and return its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--only-binary=:all:"]
    done = subprocess.run([*command, *packages], capture_output=True, text=True)
    missing = re.search(
        r"No matching distribution found for \S+|ReadTimeout|ConnectionError", done.stderr + done.stdout
    )
    if done.returncode and missing:
        pytest.skip(f"pip cannot fetch {' '.join(packages)}: {missing.group(0)}")
    assert done.returncode == 0, done.stderr
    return python
