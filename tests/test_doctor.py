"""`cimlab doctor`: right on a sound machine, and each trouble is seen and given a remedy."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from cimlab import doctor


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def is_problem(finding, said):
    """Tell whether a finding is a problem that says this and comes with a remedy."""
    return finding.status == "problem" and said in finding.detail and bool(finding.remedy)


def test_everything_is_well_on_a_sound_machine():
    done = subprocess.run([sys.executable, "-m", "cimlab", "doctor"], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines].count("!! ") == 0
    assert sum(line.startswith("OK ") for line in lines) >= 8
    assert lines[-1] == "Everything that the course needs is here."


def test_an_old_python(monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 10, 2))
    assert is_problem(doctor.check_python(), "bit")


def test_a_python_that_is_too_new(monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 14, 0))
    assert "3.11 to 3.13" in doctor.check_python().remedy


def test_a_narrow_python(monkeypatch):
    monkeypatch.setattr(doctor.sys, "maxsize", 2**31 - 1)
    assert is_problem(doctor.check_python(), "32-bit")


def test_the_versions_looked_at_are_those_of_pyproject():
    names = {need.name for need in doctor.requirements()}
    assert {"pandas", "nbgrader", "splink"} <= names
    assert not names & {"pytest", "pyspark"}, "extras are not needed"


def test_packages_missing_old_and_new(monkeypatch):
    needs = [Requirement("tea>=2"), Requirement("milk<3"), Requirement("sugar>=1")]
    monkeypatch.setattr(doctor, "requirements", lambda: needs)
    monkeypatch.setattr(doctor, "version_of", {"milk": "3.1", "sugar": "1.0"}.get)
    finding = doctor.check_packages()
    assert is_problem(finding, "tea is missing (wanted >=2)")
    assert "milk 3.1 (wanted <3)" in finding.detail and "sugar" not in finding.detail


def test_version_of_a_package_that_is_not_there():
    assert doctor.version_of("no-such-package-here") is None
    assert doctor.version_of("pytest") == importlib.metadata.version("pytest")


def test_the_lab_extension_is_missing(monkeypatch):
    monkeypatch.setattr("jupyterlab_server.config.get_federated_extensions", lambda folders: {})
    assert is_problem(doctor.check_extensions(), "@jupyter/nbgrader is not installed")


def test_an_extension_was_switched_off(tmp_path, monkeypatch):
    for kind in ("labconfig", "jupyter_server_config.d"):
        (tmp_path / kind).mkdir()
    off = {"disabledExtensions": {"@jupyter/nbgrader:validate-assignment": True}}
    (tmp_path / "labconfig" / "page_config.json").write_text(json.dumps(off), encoding="utf-8")
    server = {"ServerApp": {"jpserver_extensions": {"nbgrader.server_extensions.formgrader": False}}}
    (tmp_path / "jupyter_server_config.d" / "nbgrader.json").write_text(json.dumps(server), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path))
    finding = doctor.check_extensions()
    assert is_problem(finding, "@jupyter/nbgrader:validate-assignment is disabled")
    assert "the server extension formgrader is off" in finding.detail
    assert "assignment_list" not in finding.detail


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    """A place for kernels that Jupyter looks at first."""
    folder = tmp_path / "kernels" / "python3"
    folder.mkdir(parents=True)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    return folder


def test_a_kernel_of_another_environment(kernels):
    other = str(Path(kernels.anchor, "elsewhere", "bin", "python"))
    spec = {"argv": [other, "-m", "ipykernel_launcher"], "display_name": "x"}
    (kernels / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    finding = doctor.check_kernel()
    assert is_problem(finding, other) and str(kernels) in finding.remedy


def test_a_kernel_of_this_environment(kernels):
    spec = {"argv": [sys.executable, "-m", "ipykernel_launcher"], "display_name": "x"}
    (kernels / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    assert doctor.check_kernel().status == "ok"


def test_no_kernel(monkeypatch):
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    def fail(self, name):
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", fail)
    assert is_problem(doctor.check_kernel(), "no kernel python3")


def test_data_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("CIMLAB_DATA", str(tmp_path / "absent"))
    finding = doctor.check_data()
    assert is_problem(finding, "absent") and "CIMLAB_DATA" in finding.remedy


def test_the_kits_own_data_is_damaged(monkeypatch):
    from cimlab import datasets

    def fail():
        raise ValueError("stores.csv, row 3: no date")

    monkeypatch.delenv("CIMLAB_DATA", raising=False)
    monkeypatch.setattr(datasets, "tables", fail)
    finding = doctor.check_data()
    assert is_problem(finding, "stores.csv, row 3") and "git restore datasets" in finding.remedy


def test_the_font_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr("cimlab.plots.FONT_FILE", tmp_path / "absent.otf")
    assert is_problem(doctor.check_font(), "missing or damaged")


def test_the_font_has_no_chinese(monkeypatch):
    import matplotlib

    latin = Path(matplotlib.get_data_path(), "fonts", "ttf", "cmr10.ttf")
    monkeypatch.setattr("cimlab.plots.FONT_FILE", latin)
    assert is_problem(doctor.check_font(), "missing or damaged")


def test_a_folder_that_cannot_be_written_to(here, monkeypatch):
    monkeypatch.setattr(doctor, "is_writable", lambda folder: False)
    assert is_problem(doctor.check_folder(), "cannot write")
    assert is_problem(doctor.check_runtime(), "cannot write")


def test_is_writable(tmp_path):
    assert doctor.is_writable(tmp_path)
    assert not doctor.is_writable(tmp_path / "absent")
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_jupyters_folder_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "file" / "runtime"))
    assert is_problem(doctor.check_runtime(), "cannot make")


@pytest.mark.skipif(os.name == "nt", reason="nbgrader has no exchange on Windows")
def test_the_exchange_folder_is_that_of_the_course(here, monkeypatch):
    monkeypatch.delenv("CIMLAB_EXCHANGE", raising=False)
    (here / "nbgrader_config.py").touch()
    inside = here / "labs" / "lab03_database"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert doctor.check_exchange().status == "note", "a student alone needs no exchange"
    (here / "exchange").mkdir()
    assert doctor.check_exchange() == ("ok", f"exchange folder {doctor.shorten(here / 'exchange')}", "")


@pytest.mark.skipif(os.name == "nt", reason="nbgrader has no exchange on Windows")
def test_the_exchange_folder_that_was_asked_for_must_be_there(here, monkeypatch):
    monkeypatch.setenv("CIMLAB_EXCHANGE", str(here / "absent"))
    assert is_problem(doctor.check_exchange(), "does not exist")
    (here / "absent").mkdir()
    assert doctor.check_exchange().status == "ok"
    monkeypatch.setattr(doctor, "is_writable", lambda folder: False)
    assert is_problem(doctor.check_exchange(), "cannot be written to")


def test_windows_is_told_that_zip_is_the_way(monkeypatch):
    monkeypatch.setattr(doctor.os, "name", "nt")
    finding = doctor.check_exchange()
    monkeypatch.undo()
    assert finding.status == "note" and "zip" in finding.detail


def test_a_full_disk(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**12, 10**12, 10**8))
    assert is_problem(doctor.check_disk(), "0.1 GB free")


def test_browser_spark_and_a_server_are_good_to_know_but_not_needed(monkeypatch):
    monkeypatch.delenv("CIMLAB_CHROMIUM", raising=False)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setenv("PATH", "")
    assert doctor.check_browser() == ("note", "no Chromium; only the tests of the pages need it", "")
    monkeypatch.setattr("cimlab.scale.missing_spark", lambda: "Java is not there", raising=False)
    monkeypatch.setattr("cimlab.security.missing_postgres", lambda: "the driver is not there", raising=False)
    for check in (doctor.check_spark, doctor.check_postgres):
        assert check().status == "note" and "is not there" in check().detail
    monkeypatch.setattr("cimlab.scale.missing_spark", lambda: None, raising=False)
    monkeypatch.setattr("cimlab.security.missing_postgres", lambda: None, raising=False)
    for check in (doctor.check_spark, doctor.check_postgres):
        assert check().status == "note" and "can be started" in check().detail


def test_one_broken_check_does_not_hide_the_others():
    def broken():
        raise ImportError("no module named tea\nand more")

    found = doctor.examine({"tea": broken, "disk": doctor.check_disk})
    assert found[0]["status"] == "problem" and found[0]["detail"] == "ImportError: no module named tea"
    assert found[1]["check"] == "disk"


@pytest.fixture
def one_problem(monkeypatch):
    checks = {
        "tea": lambda: doctor.Finding("problem", "the pot is empty", "boil water"),
        "cup": lambda: doctor.Finding("ok", "客"),
    }
    monkeypatch.setattr(doctor, "CHECKS", checks)


def test_a_problem_is_marked_given_a_remedy_and_fails(one_problem, capsys):
    assert doctor.run(Namespace(json=False)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("!!  tea") and "the pot is empty" in lines[0]
    assert "what to do: boil water" in lines[1]
    assert lines[2].startswith("OK  cup")
    assert lines[3] == "To be put right: 1"


def test_json_for_a_bug_report(one_problem, capsys):
    assert doctor.run(Namespace(json=True)) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["checks"][0] == {
        "check": "tea",
        "status": "problem",
        "detail": "the pot is empty",
        "remedy": "boil water",
    }
    assert told["packages"]["pandas"] == importlib.metadata.version("pandas")
    assert told["python"] and told["system"] and told["cimlab"]


def test_json_comes_out_when_the_package_itself_is_broken(one_problem, monkeypatch, capsys):
    def fail():
        raise importlib.metadata.PackageNotFoundError("cimlab")

    monkeypatch.setattr(doctor, "requirements", fail)
    assert doctor.run(Namespace(json=True)) == 1
    assert "error" in json.loads(capsys.readouterr().out)["packages"]


def test_a_report_does_not_hold_the_users_name(monkeypatch):
    monkeypatch.setattr(doctor.Path, "home", lambda: Path(os.sep, "home", "li"))
    assert doctor.shorten(Path(os.sep, "home", "li", "cimlab")) == str(Path("~", "cimlab"))
    assert doctor.shorten(Path(os.sep, "home", "lily")) == str(Path(os.sep, "home", "lily"))
