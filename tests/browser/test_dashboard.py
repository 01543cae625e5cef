"""The dashboard as a manager sees it: a page of its own under voila, in Chromium."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from cimlab.capstone import checkpoint
from tests.notebooks import ROOT

pytestmark = pytest.mark.browser


@pytest.fixture
def address(tmp_path):
    """Serve dashboard.ipynb with a student's base beside it; give the address."""
    pytest.importorskip("voila", reason="voila is not installed (extra [dashboard])")
    course = tmp_path / "course"
    course.mkdir()
    shutil.copy2(ROOT / "dashboard.ipynb", course)
    shutil.copyfile(checkpoint("base"), course / "xudong_customers.db")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = {name: str(tmp_path / "home") for name in ("HOME", "USERPROFILE", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    environment = {**os.environ, **home, "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}
    environment.pop("MPLBACKEND", None)
    command = [sys.executable, "-m", "voila", "dashboard.ipynb", "--no-browser", f"--port={port}"]
    log = tmp_path / "server.log"
    with log.open("w", encoding="utf-8") as stream:
        server = subprocess.Popen(command, cwd=course, env=environment, stdout=stream, stderr=subprocess.STDOUT)
    try:
        yield wait_for(f"http://127.0.0.1:{port}/", server, log)
    finally:
        server.terminate()
        server.wait(30)


def wait_for(address, server, log, seconds=120):
    """Return the address once something answers there; what the server printed is in the message if it never does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(f"{address}voila/static/voila.js", timeout=60).close()
        except urllib.error.HTTPError:
            return address  # it answers, whatever it thinks of the question
        except OSError:
            time.sleep(0.2)
        else:
            return address
    raise RuntimeError(f"voila did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")


def test_a_manager_opens_the_dashboard(browser, address, pictures):
    context = browser.new_context(viewport={"width": 1366, "height": 880})
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(address)
    board = page.locator(".cimlab-live")
    board.locator(".tile").first.wait_for()
    board.locator("img").first.wait_for()
    page.wait_for_timeout(500)
    pictures(page, "dashboard")  # the picture of the README
    assert board.locator(".tile").count() == 5
    assert "Read from xudong_customers.db" in board.inner_text()
    assert page.locator(".cimlab-still").is_hidden(), "the figures that stand still are seen beside the live ones"

    first = board.locator("h3").first.inner_text()
    page.get_by_placeholder("number, name, city").fill("李 杭州")
    page.wait_for_function("document.querySelector('.cimlab-live select[size]').options.length < 50")
    board.locator("select[size]").select_option(index=2)
    page.wait_for_function("first => document.querySelector('.cimlab-live h3').innerText !== first", arg=first)
    assert "****" in board.inner_text() and "+86" not in board.inner_text()
    page.get_by_label("I am").select_option("service")
    page.wait_for_function("document.querySelector('.cimlab-live').innerText.includes('+86')")
    pictures(page, "page_dashboard_service")

    for number, words in ((1, "before and after"), (2, "may be contacted for marketing"), (3, "brings most")):
        page.locator(".lm-TabBar-tab").nth(number).click()
        board.locator("p:visible", has_text=words).or_(board.locator("h3:visible", has_text=words)).first.wait_for()
        board.locator("img:visible").first.wait_for()
        assert board.locator("img:visible").evaluate_all("all => all.every(image => image.naturalWidth > 100)")
        pictures(page, f"page_dashboard_{number}")
    assert "cannot be shown" not in page.locator("body").inner_text()
    context.close()
