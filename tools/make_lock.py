"""Renew requirements.txt: the exact versions that the course is tested with, for every system and Python at once.

`make lock`, or `python start.py lock`. Takes uv's arguments: `--upgrade` for the newest versions that
pyproject.toml allows, `--upgrade-package NAME` for one package. Without them only what has to change changes.
The file names no package index and no path, so that it works with any mirror.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADER = """\
# The exact versions that the course is tested with, for all systems and Python 3.11 to 3.13.
# Made from pyproject.toml by:  make lock   (or python start.py lock); not edited by hand.
"""


def main(arguments):
    """Let uv resolve all extras for all systems; write the file whole or not at all."""
    target, new = ROOT / "requirements.txt", ROOT / "requirements.txt.tmp"
    old = target.read_text(encoding="utf-8") if target.exists() else ""
    new.write_text(old, encoding="utf-8", newline="\n")  # uv keeps the versions that it finds in its output file
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--universal", "--all-extras"]
    command += ["--python-version", "3.11", "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--quiet"]
    done = subprocess.run([*command, "--output-file", new.name, *arguments], cwd=ROOT)
    if done.returncode:
        new.unlink()
        sys.stderr.write("requirements.txt was left as it is. uv needs the network to look versions up.\n")
        return done.returncode
    text = HEADER + new.read_text(encoding="utf-8")
    new.write_text(text, encoding="utf-8", newline="\n")
    new.replace(target)
    pins = sum("==" in line for line in text.splitlines())
    sys.stdout.write(f"requirements.txt: {pins} versions, {'unchanged' if text == old else 'renewed'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
