"""The set-up from nothing: start.py, the lock, conda's file, the wheel, and the files that hold them in step."""

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.txt").read_text(encoding="utf-8")
PINS = [Requirement(line.split("#")[0]) for line in LOCK.splitlines() if re.match(r"\w", line)]


def load_tool(path):
    """Import a file that is no part of the package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stated(extras=()):
    """Return the requirements of pyproject.toml: the base, and those of the extras."""
    project = PYPROJECT["project"]
    texts = project["dependencies"] + [text for extra in extras for text in project["optional-dependencies"][extra]]
    return [Requirement(text) for text in texts]


# ---- start.py in a folder of its own ---------------------------------------------------------------------------


# A build backend of twenty lines inside the project: pip needs no network to build with it.
BACKEND = """
import zipfile
META = "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\nProvides-Extra: dev\\nProvides-Extra: browser\\n"
def get_requires_for_build_editable(config_settings=None):
    return []
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "tiny-1.0-py3-none-any.whl"
    info = "tiny-1.0.dist-info/"
    with zipfile.ZipFile(folder + "/" + name, "w") as w:
        w.writestr("tiny.py", "")
        w.writestr(info + "METADATA", META)
        w.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        w.writestr(info + "RECORD", "")
    return name
"""
TINY = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n[project]\nname = "tiny"\n'


@pytest.fixture
def place(tmp_path):
    """A folder with start.py and a project that needs nothing; its path has a space and Chinese characters."""
    folder = tmp_path / "课程 copy"
    folder.mkdir()
    shutil.copy2(ROOT / "start.py", folder)
    (folder / "backend.py").write_text(BACKEND, encoding="utf-8")
    (folder / "pyproject.toml").write_text(TINY, encoding="utf-8")
    (folder / "requirements.txt").write_text("", encoding="utf-8")
    return folder


@pytest.fixture
def start(place):
    """start.py of that folder as a module."""
    return load_tool(place / "start.py")


def run_start(place, *arguments, **environment):
    """Run start.py as a user does; return the finished process with its text."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "VIRTUAL_ENV", "CONDA"))}
    return subprocess.run(
        [sys.executable, "start.py", *arguments],
        cwd=place, env={**plain, "PIP_NO_INDEX": "1", **environment}, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip


@pytest.mark.setup
def test_from_nothing_then_again_then_after_a_change_and_an_interruption(place):
    first = run_start(place, "setup")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "[1/3]" in first.stdout and "[3/3]" in first.stdout
    again = run_start(place, "setup")
    assert again.returncode == 0 and "[" not in again.stdout, "the second time nothing is done"

    (place / "requirements.txt").write_text("# changed\n", encoding="utf-8")
    marker = place / ".venv" / "marker"
    marker.touch()
    changed = run_start(place, "setup")
    assert changed.returncode == 0 and "[2/3]" in changed.stdout
    assert marker.exists(), "a sound environment is brought up to date, not made anew"

    stamp = place / ".venv" / "cimlab-stamp.json"
    assert json.loads(stamp.read_text(encoding="utf-8"))["state"] == "ready"
    stamp.write_text('{"state": "changing"}', encoding="utf-8")
    repaired = run_start(place, "setup")
    assert repaired.returncode == 0 and "made anew" in repaired.stdout
    assert not marker.exists(), "what an interrupted installation left behind is not built upon"


@pytest.mark.setup
def test_a_failed_update_leaves_a_working_environment_in_use(place):
    assert run_start(place, "setup").returncode == 0
    (place / "pyproject.toml").write_text(TINY.replace("requires = []", 'requires = ["absent"]'), encoding="utf-8")
    kept = run_start(place, "setup")
    assert kept.returncode == 0, kept.stdout
    assert "could not be brought up to date" in kept.stdout
    more = run_start(place, "test")
    assert more.returncode == 1, "what is missing in the old environment cannot be done with it"
    assert "No matching distribution found for absent" in more.stdout


@pytest.fixture
def with_pip(start, monkeypatch):
    """start.py whose pip says what the test wants, and whose environment is made in no time."""

    def make_venv():
        (start.VENV).mkdir(exist_ok=True)

    def use(code, text):
        calls = []

        def run_pip(extras):
            calls.append(extras)
            start.LOG.write_text(text, encoding="utf-8")
            return code == 0, text

        monkeypatch.setattr(start, "run_pip", run_pip)
        return calls

    monkeypatch.setattr(start, "make_venv", make_venv)
    monkeypatch.setattr(start, "probe", lambda *command: [[3, 12, 1], True, "python"] if start.VENV.exists() else None)
    start.use_pip = use
    return start


def test_the_extras_of_an_environment_only_grow(with_pip):
    calls = with_pip.use_pip(0, "")
    with_pip.ensure(("browser", "dev"))
    with_pip.ensure(())
    assert calls == [["browser", "dev"]], "an environment for tests serves the lab too"
    (with_pip.ROOT / "requirements.txt").write_text("# new\n", encoding="utf-8")
    with_pip.ensure(())
    assert calls[1] == ["browser", "dev"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("WARNING: Retrying ... NewConnectionError(...): [Errno -3]", "does not answer"),
        ("pip._vendor.urllib3 ReadTimeoutError: Read timed out.", "does not answer"),
        ("SSLCertVerificationError: CERTIFICATE_VERIFY_FAILED", "certificate is not trusted"),
        ("ERROR: No matching distribution found for pandas==3.1.1", "lacks a version"),
        ("PermissionError: [WinError 32] The process cannot access the file", "Close JupyterLab"),
        ("FileNotFoundError: [WinError 206] The filename or extension is too long", "path is too long"),
        ("error: Microsoft Visual C++ 14.0 or greater is required", "no ready-made package"),
        ("ERROR: something new", "not one of the known troubles"),
    ],
)
def test_a_failure_is_explained(with_pip, text, said):
    with_pip.use_pip(1, text)
    with pytest.raises(with_pip.Stop) as stop:
        with_pip.ensure(())
    assert said in str(stop.value)
    assert text in str(stop.value), "pip's own words are shown too"


def test_an_installation_that_broke_off_half_way_is_not_trusted(with_pip):
    with_pip.use_pip(0, "")
    with_pip.ensure(())
    (with_pip.ROOT / "requirements.txt").write_text("# new\n", encoding="utf-8")
    with_pip.use_pip(1, "Installing collected packages: a, b\nERROR: [Errno 28] No space left on device")
    with pytest.raises(with_pip.Stop):
        with_pip.ensure_or_keep(())
    assert with_pip.read_stamp()["state"] == "changing"


def test_two_at_a_time_do_not_meet(start):
    with start.lock_folder(), pytest.raises(start.Stop, match=r"Another start\.py"):
        start.lock_folder()
    start.lock_folder().close()


def test_a_foreign_environment_is_not_deleted(with_pip, monkeypatch):
    with_pip.VENV.mkdir()
    monkeypatch.setattr(with_pip, "probe", lambda *command: [[3, 14, 0], True, "python"])
    with pytest.raises(with_pip.Stop, match=r"Python 3\.14\.0"):
        with_pip.ensure(())


# ---- start.py: where it runs -----------------------------------------------------------------------------------


def test_start_speaks_the_syntax_of_python_3_6():
    ast.parse((ROOT / "start.py").read_text(encoding="utf-8"), feature_version=(3, 6))


def other_pythons():
    """Return Pythons on this machine that are too old for the course."""
    folder = Path.home() / ".pyenv" / "versions"
    found = [shutil.which(f"python3.{minor}") for minor in range(6, 11)]
    found += [str(path) for minor in range(6, 11) for path in folder.glob(f"3.{minor}.*/bin/python")]
    return [path for path in found if path and not subprocess.run([path, "-c", ""], capture_output=True).returncode]


@pytest.mark.setup
def test_an_old_python_says_what_to_do(place):
    old = other_pythons()
    if not old:
        pytest.skip("no Python older than 3.11 on this machine")
    environment = {**os.environ, "CIMLAB_HANDED_OVER": "1"}  # as if no other Python were found
    done = subprocess.run([old[0], "start.py", "lab"], cwd=place, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "needs Python 3.11 to 3.13" in done.stdout and "winget install" in done.stdout
    assert not done.stderr


def test_another_python_hands_over_to_a_suitable_one(start, monkeypatch):
    called = []
    monkeypatch.setattr(start.sys, "version_info", (3, 14, 0, "final", 0))
    monkeypatch.setattr(start, "find_python", lambda: "/opt/python3.12")
    monkeypatch.setattr(start.subprocess, "call", lambda command, env: called.append((command, env)) or 7)
    monkeypatch.delenv("CIMLAB_HANDED_OVER", raising=False)
    with pytest.raises(SystemExit) as exit:
        start.check_python(["test", "-k", "x"])
    assert exit.value.code == 7
    assert called[0][0] == ["/opt/python3.12", str(start.ROOT / "start.py"), "test", "-k", "x"]
    assert called[0][1]["CIMLAB_HANDED_OVER"] == "1", "two Pythons must not hand over to each other for ever"


def test_a_32_bit_python_is_refused(start, monkeypatch):
    monkeypatch.setattr(start.sys, "maxsize", 2**31 - 1)
    monkeypatch.setattr(start, "find_python", lambda: None)
    with pytest.raises(start.Stop, match=r"\(32-bit\)"):
        start.check_python(["lab"])


def test_a_python_is_only_taken_when_it_works_and_fits(start, monkeypatch):
    answers = {
        "python3.12": None,
        "python3.13": [[3, 13, 1], False, "narrow"],
        "python3": [[3, 14, 0], True, "new"],
        "python3.11": [[3, 11, 9], True, "good"],
    }
    monkeypatch.setattr(start, "candidates", lambda: [[name] for name in answers])
    monkeypatch.setattr(start.shutil, "which", lambda name: name)
    monkeypatch.setattr(start, "probe", lambda name: answers[name])
    assert start.find_python() == "good"


def test_windows_asks_its_launcher(start, monkeypatch):
    monkeypatch.setattr(start, "WINDOWS", True)
    monkeypatch.setenv("LOCALAPPDATA", "C:\\Users\\li\\AppData\\Local")
    assert ["py", "-3.12"] in list(start.candidates())


@pytest.mark.parametrize(
    ("root", "environment", "windows", "said"),
    [
        ("C:\\Users\\li\\OneDrive - Uni\\cimlab", {}, True, "cloud drive"),
        ("D:\\sync\\cimlab", {"OneDriveCommercial": "D:\\Sync"}, True, "cloud drive"),
        ("/Users/li/Library/Mobile Documents/cimlab", {}, False, "cloud drive"),
        ("C:\\" + "x" * 100, {}, True, "103 characters"),
        ("/home/li/cimlab", {"CONDA_DEFAULT_ENV": "base"}, False, "conda's environment 'base'"),
    ],
)
def test_an_unusual_place_is_noted(start, root, environment, windows, said):
    assert said in "\n".join(start.notes(root, environment, windows))


def test_a_usual_place_is_not_noted(start):
    assert start.notes("C:\\Users\\李明\\我的 课程\\cimlab", {"OneDrive": ""}, True) == []
    assert start.notes("/home/li/" + "x" * 100, {}, False) == []


def test_a_full_disk_is_seen_before_the_work(start, monkeypatch):
    monkeypatch.setattr(start.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12, 3 * 10**8))
    with pytest.raises(start.Stop, match=r"0\.3 GB free"):
        start.check_place(start.ROOT)


def test_start_alone_is_not_enough(start):
    (start.ROOT / "requirements.txt").unlink()
    with pytest.raises(start.Stop, match=r"requirements\.txt should be beside start\.py"):
        start.check_place(start.ROOT)


def test_a_python_without_ensurepip_says_which_package_is_missing(start, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else find(name))
    with pytest.raises(start.Stop, match=r"sudo apt install python3\.\d+-venv"):
        start.check_venv_module()


def test_arguments_reach_jupyterlab_and_pytest(start, monkeypatch):
    monkeypatch.delenv("CIMLAB_MUST_RUN", raising=False)
    ran = []
    monkeypatch.setattr(start, "ensure", lambda extras: ran.append(extras))
    monkeypatch.setattr(start, "run", lambda *command: ran.append(command) or 5)
    monkeypatch.setattr(start.os, "geteuid", lambda: 0, raising=False)
    assert start.main(["lab", "--", "--no-browser", "--port", "9999"]) == 5
    assert ran[1] == ("-m", "jupyterlab", "index.ipynb", "--allow-root", "--no-browser", "--port", "9999")
    monkeypatch.setattr(start.os, "geteuid", lambda: 1000, raising=False)
    start.main(["lab"])
    assert ran[3] == ("-m", "jupyterlab", "index.ipynb")
    start.main(["test", "tests/test_plots.py", "-k", "bar"])
    assert ran[4] == ("browser", "dev")
    assert ran[5][:3] == ("-m", "pytest", "-n") and ran[5][-3:] == ("tests/test_plots.py", "-k", "bar")
    start.main(["test", "-n0"])
    assert ran[7] == ("-m", "pytest", "-n0")
    start.main(["doctor", "--json"])
    assert ran[9] == ("-m", "cimlab", "doctor", "--json")


def test_the_programs_of_the_environment_come_first_and_other_pythons_stay_out(start, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PYTHONHOME", "/elsewhere")
    environment = start.child_environment()
    assert environment["PATH"].startswith(str(start.venv_bin()) + os.pathsep)
    assert not {"PYTHONPATH", "PYTHONHOME"} & set(environment)


def test_every_command_is_told_and_a_wrong_one_refused(place):
    told = run_start(place, "--help").stdout
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in load_tool(ROOT / "start.py").COMMANDS:
        assert re.search(rf"^  {command} ", told, re.M)
        assert command == "setup" or f"start.py {command}" in makefile
    wrong = run_start(place, "lap")
    assert wrong.returncode == 2 and "invalid choice" in wrong.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")
def test_make_alone_lists_the_targets():
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert {"lab", "test", "course", "data", "release", "prove"} <= set(targets)
    for target in targets:
        assert f"make {target} " in listed


# ---- The files made from pyproject.toml ------------------------------------------------------------------------


def test_the_lock_holds_every_dependency_in_its_bounds():
    by_name = {}
    for pin in PINS:
        by_name.setdefault(canonicalize_name(pin.name), []).append(next(iter(pin.specifier)).version)
    for need in stated(PYPROJECT["project"]["optional-dependencies"]):
        versions = by_name.get(canonicalize_name(need.name))
        assert versions, f"{need.name} is not in requirements.txt: make lock"
        for version in versions:
            assert need.specifier.contains(version), f"{need}: requirements.txt has {version}: make lock"


def test_the_lock_is_exact_and_names_its_command():
    assert PINS and all([one.operator for one in pin.specifier] == ["=="] for pin in PINS)
    assert "make lock" in LOCK.splitlines()[1]


def test_the_lock_names_no_host_and_no_path():
    for number, line in enumerate(LOCK.splitlines(), 1):
        assert not re.search(r"://|^-|@ |file:|(^|\s)[/~\\]|[A-Za-z]:\\", line), (
            f"requirements.txt, line {number}: {line}"
        )


def test_environment_yml_is_in_step():
    made = load_tool(ROOT / "tools" / "make_environment.py").environment()
    there = (ROOT / "environment.yml").read_bytes()
    assert there == made.encode(), "environment.yml is not what pyproject.toml makes: make environment"


def test_conda_reads_every_entry_and_the_bounds_are_those_of_pyproject():
    from rattler import MatchSpec

    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    conda = [MatchSpec(text, strict=True) for text in listed["dependencies"] if isinstance(text, str)]
    pip = next(entry["pip"] for entry in listed["dependencies"] if isinstance(entry, dict))
    assert "-e ." in pip, "conda's environment holds the course itself"

    renamed = {"python-duckdb": "duckdb"}
    bounds = {renamed.get(spec.name.normalized, spec.name.normalized): str(spec.version or "") for spec in conda}
    bounds |= {need.name: str(need.specifier) for need in map(Requirement, set(pip) - {"-e ."})}
    assert bounds.pop("pip") == ""
    assert SpecifierSet(bounds.pop("python")) == SpecifierSet(PYPROJECT["project"]["requires-python"])
    assert {name: SpecifierSet(text) for name, text in bounds.items()} == {
        canonicalize_name(need.name): need.specifier for need in stated()
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The names in the course's own wheel, built as pip builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "No matching distribution found for hatchling" in done.stderr + done.stdout:
        pytest.skip("pip cannot fetch hatchling, which builds the wheel: no network")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as file:
        return file.namelist()


@pytest.mark.setup
def test_the_wheel_carries_the_data(wheel):
    for path in (ROOT / "datasets").iterdir():
        assert f"cimlab/_datasets/{path.name}" in wheel
    assert "cimlab/fonts/cimlabSansSC-Regular.otf" in wheel and "cimlab/fonts/OFL.txt" in wheel
    assert any(name.endswith("share/jupyter/lab/settings/overrides.d/cimlab.json") for name in wheel)


@pytest.mark.setup
def test_the_wheel_holds_no_answer(wheel):
    assert not [name for name in wheel if re.search(r"truth/|solutions/|tests/|ledger|entity_map|persons\.csv", name)]


def test_the_licences_are_whole():
    assert "BSD 3-Clause" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Section 8" in (ROOT / "LICENSES" / "CC-BY-4.0.txt").read_text(encoding="utf-8")
    font = (ROOT / "LICENSES" / "OFL-1.1.txt").read_bytes()
    assert font == (ROOT / "cimlab" / "fonts" / "OFL.txt").read_bytes()


def test_tests_fetch_the_heavy_parts_only_when_told_to(start, monkeypatch):
    monkeypatch.delenv("CIMLAB_MUST_RUN", raising=False)
    assert start.extras_of("test") == ("browser", "dev")
    monkeypatch.setenv("CIMLAB_MUST_RUN", "browser outside spark postgres")
    assert start.extras_of("test") == ("browser", "dev", "postgres", "spark")
    assert start.extras_of("lab") == ()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {extra for extras, _ in start.COMMANDS.values() for extra in extras} <= set(project["optional-dependencies"])
