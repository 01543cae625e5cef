"""A JupyterLab server on a copy of the course, and Chromium to look at it."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.notebooks import ROOT

COURSE = ["chapters", "labs", "solutions", "index.ipynb", "nbgrader_config.py"]


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    """A copy of the course as an instructor's folder: a reader may write into it without touching the checkout."""
    folder = tmp_path_factory.mktemp("course")
    for name in COURSE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        else:
            shutil.copy2(source, folder / name)
    return folder


@pytest.fixture(scope="session")
def lab_server(course, tmp_path_factory):
    """Start JupyterLab in the course folder with an empty home; give its address with the token."""
    home = tmp_path_factory.mktemp("home")
    log = home / "server.log"
    # Whatever another test of this process has set: the page shows the course as it is shipped.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CIMLAB_")} | {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
    }
    environment.pop("MPLBACKEND", None)  # set for the tests; with it the notebooks would show no pictures
    environment |= {"JUPYTER_RUNTIME_DIR": str(home / "runtime"), "JUPYTER_DATA_DIR": str(home / "data")}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.port=0"]
    command += ["--LabApp.expose_app_in_browser=True"]  # a test asks the notebook itself which cells have run
    with log.open("w", encoding="utf-8") as stream:
        server = subprocess.Popen(command, cwd=course, env=environment, stdout=stream, stderr=subprocess.STDOUT)
    try:
        yield wait_for_server(server, home / "runtime", log)
    finally:
        server.terminate()
        server.wait(30)


def wait_for_server(server, runtime, log, seconds=120):
    """Return (address, token) once the server answers; what it printed is in the message if it never does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        for file in Path(runtime).glob("jpserver-*.json"):
            try:
                info = json.loads(file.read_text(encoding="utf-8"))
                urllib.request.urlopen(f"{info['url']}api/status?token={info['token']}", timeout=5).close()
            except (json.JSONDecodeError, urllib.error.URLError, OSError):
                continue
            return info["url"], info["token"]
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")


@pytest.fixture
def page(browser, lab_server):
    """A fresh page that is logged in, at a laptop's size; console errors of the page are kept on `page.errors`."""
    address, token = lab_server
    context = browser.new_context(viewport={"width": 1366, "height": 900}, base_url=address)
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(f"{address}lab?token={token}&reset")
    page.wait_for_selector("#jp-MainLogo")
    yield page
    context.close()


@pytest.fixture(scope="session")
def pictures():
    """Where screenshots go: the folder in CIMLAB_PICTURES, or nowhere."""
    folder = os.environ.get("CIMLAB_PICTURES")

    def shoot(page, name):
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png")

    return shoot
