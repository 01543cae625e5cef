"""Renew environment.yml, for those who use conda, from pyproject.toml.

`make environment`, or `python start.py environment`. The names that differ on conda-forge, and what must come from
pip, stand in pyproject.toml under [tool.pyproject2conda].
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "environment.yml"
HEADER = """\
# The course with conda:
#   conda env create -f environment.yml
#   conda activate cimlab
#   jupyter lab index.ipynb
# Made from pyproject.toml by:  make environment   (or python start.py environment); not edited by hand.
"""


def environment():
    """Return the text of environment.yml."""
    command = [sys.executable, "-m", "pyproject2conda", "yaml", "--name", "cimlab", "--python-include", "infer"]
    command += ["--req", "-e .", "--no-header"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"pyproject2conda failed:\n{done.stderr}")
    return HEADER + done.stdout.rstrip("\n") + "\n"


if __name__ == "__main__":
    new = TARGET.with_suffix(".tmp")
    new.write_text(environment(), encoding="utf-8", newline="\n")
    new.replace(TARGET)
    sys.stdout.write(f"{TARGET.name}: renewed\n")
