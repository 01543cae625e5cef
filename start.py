"""Start the course: `python start.py lab` opens it, `python start.py test` runs the tests.

Makes the environment `.venv` beside this file when there is none, repairs it when it is half-made, brings it up
to date when the project has changed, and otherwise leaves it alone. Needs nothing but Python itself.

The syntax of this file stays that of Python 3.6, so that an old Python can say what is wrong instead of failing.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 13)
PREFERRED = ("3.12", "3.13", "3.11")  # the order in which another Python is looked for

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOG = ROOT / ".venv-install.log"
WINDOWS = os.name == "nt"

# command → (extras of the package that it needs, what it does)
COMMANDS = {
    "lab": ((), "open the course in JupyterLab; what follows -- goes to JupyterLab"),
    "test": (("browser", "dev"), "run the tests; all that follows goes to pytest"),
    "dashboard": (("dashboard",), "open the dashboard of a finished customer database; what follows -- goes to Voilà"),
    "setup": ((), "only make or repair the environment"),
    "doctor": ((), "check this machine: an OK line or a remedy for each thing"),
    "kit": ((), "pack what a student gets into one zip file"),
    "generate": ((), "make the retailer's data from its seed"),
    "verify": ((), "check the retailer's data against its dictionary"),
    "pages": (
        ("dev",),
        "renew the pages about the retailer: its facts beside real ones, its parameters and their sources",
    ),
    "bench-data": (("fast", "bench"), "measure how fast the retailer's data is made, against other makers"),
    "bench-scale": (("spark",), "measure the same questions on pandas, DuckDB and Spark at growing sizes"),
    "bench-linking": (("spark",), "measure the record linkage of many customers on DuckDB and on Spark"),
    "bench-kernels": ((), "measure warm and isolated kernels against cold ones"),
    "bench-grading": ((), "measure `cimlab grade` against plain nbgrader on a class of a hundred"),
    "release": ((), "make the student versions of the labs from solutions/"),
    "prove": ((), "prove that the labs mark right and wrong answers as intended"),
    "lock": (("dev",), "renew requirements.txt from pyproject.toml (needs the network)"),
    "environment": (("dev",), "renew environment.yml from pyproject.toml"),
}


class Stop(Exception):
    """Something that the user must put right; the text says what and how."""


def say(text=""):
    """Write a line at once, also where the output is a file or a CI log."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


# ---- Which Python ----------------------------------------------------------------------------------------------


def suitable(version):
    return OLDEST <= tuple(version[:2]) <= NEWEST


def probe(*command):
    """Return [version, is it 64-bit, path] of the Python that `command` starts, or None when it does not work."""
    code = "import json, sys; print(json.dumps([list(sys.version_info[:3]), sys.maxsize > 2**32, sys.executable]))"
    try:
        done = subprocess.run([*command, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30)
        return json.loads(done.stdout.decode("utf-8", "replace")) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def candidates():
    """Yield commands that may start a suitable Python, best first."""
    home = Path.home()
    for version in PREFERRED:
        if WINDOWS:
            yield ["py", "-" + version]
            folder = "Python" + version.replace(".", "")
            yield [str(Path(os.environ.get("LOCALAPPDATA", "C:\\"), "Programs", "Python", folder, "python.exe"))]
            yield [str(Path(os.environ.get("PROGRAMFILES", "C:\\"), folder, "python.exe"))]
            continue
        name = "python" + version
        yield [name]
        for folder in ("/opt/homebrew/bin", "/usr/local/bin", "/usr/bin"):
            yield [folder + "/" + name]
        yield ["/Library/Frameworks/Python.framework/Versions/" + version + "/bin/" + name]
        # pyenv and uv keep theirs in the home folder, one folder for each version
        for pattern in (".pyenv/versions/" + version + ".*", ".local/share/uv/python/cpython-" + version + ".*"):
            for folder in sorted(home.glob(pattern), reverse=True):
                yield [str(folder / "bin" / name)]


def find_python():
    """Return the path of a suitable 64-bit Python on this machine, or None."""
    for command in candidates():
        found = probe(*command) if shutil.which(command[0]) else None
        if found and suitable(found[0]) and found[1]:
            return found[2]
    return None


def check_python(arguments):
    """Go on with a suitable Python; another one hands over to a suitable one or says what to install."""
    bits64 = sys.maxsize > 2**32
    if suitable(sys.version_info) and bits64:
        return
    here = "{}.{}.{}{}".format(*sys.version_info[:3], "" if bits64 else " (32-bit)")
    found = None if os.environ.get("CIMLAB_HANDED_OVER") else find_python()
    if found:
        say(f"This is Python {here}; the course goes on with {found}")
        environment = dict(os.environ, CIMLAB_HANDED_OVER="1")
        sys.exit(subprocess.call([found, str(ROOT / "start.py"), *arguments], env=environment))
    wanted = "{}.{} to {}.{}".format(*(OLDEST + NEWEST))
    raise Stop(
        f"cimlab needs Python {wanted} (64-bit), found {here} at {sys.executable}\n"
        "No suitable Python was found on this machine. What to do:\n"
        "  Windows          winget install Python.Python.3.12   (or the 64-bit installer from python.org)\n"
        "  macOS            brew install python@3.12            (or the installer from python.org)\n"
        "  Debian, Ubuntu   sudo apt install python3 python3-venv   (must be 3.11 or newer)\n"
        "  conda            conda create -n py312 python=3.12, then conda activate py312\n"
        "Then open a new terminal and give the same command again."
    )


# ---- Where we are ----------------------------------------------------------------------------------------------


def notes(root, environment, windows=WINDOWS):
    """Return what is unusual about this place and may cause trouble; none of it stops the installation."""
    found, root = [], str(root)
    conda = environment.get("CONDA_DEFAULT_ENV")
    if conda:
        found.append(f"conda's environment '{conda}' is active. The course makes its own and leaves that one alone.")
    names = ("OneDrive", "OneDriveConsumer", "OneDriveCommercial")
    synced = [environment[name].lower() for name in names if environment.get(name)]
    drives = r"(^|[\\/])(OneDrive|Dropbox|Mobile Documents|iCloudDrive|Nutstore|坚果云)[^\\/]*([\\/]|$)"
    if root.lower().startswith(tuple(synced)) or re.search(drives, root, re.IGNORECASE):
        found.append(
            "a cloud drive (OneDrive or the like) keeps this folder in step. It would copy about 1 GB of packages and\n"
            "      can lock files while they are written. Better: move the folder out of it, for instance to "
            + ("C:\\cimlab" if windows else "~/cimlab")
        )
    if windows and len(root) > 90:
        found.append(
            f"the path of this folder has {len(root)} characters; Windows stops at 260 with all that lies inside.\n"
            "      If the installation fails, move the folder to a short path such as C:\\cimlab"
        )
    return found


def check_place(root=ROOT, need=2.0):
    """Stop before the work starts when it cannot end well; `need` is the room on the disk in GB."""
    missing = [name for name in ("pyproject.toml", "requirements.txt") if not (root / name).exists()]
    if missing:
        raise Stop(f"{' and '.join(missing)} should be beside start.py: unpack the whole course, not this file alone.")
    if not os.access(str(root), os.W_OK):
        raise Stop(f"This folder cannot be written to: {root}\nMove the course to a folder of your own.")
    free = shutil.disk_usage(str(root)).free / 1e9
    if free < need:
        raise Stop(f"The disk is nearly full: {free:.1f} GB free, the packages need {need:.0f} GB. Make room first.")


def check_venv_module():
    """Stop when this Python cannot make environments, as Debian's and Ubuntu's cannot by default."""
    import importlib.util

    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return
    version = "{}.{}".format(*sys.version_info[:2])
    raise Stop(
        f"This Python cannot make environments (its part `ensurepip` is missing): {sys.executable}\n"
        f"  Debian, Ubuntu   sudo apt install python{version}-venv\n"
        "  elsewhere        install Python with its standard parts (venv, ensurepip)\n"
        "Then give the same command again."
    )


# ---- The environment -------------------------------------------------------------------------------------------


def venv_bin():
    return VENV / ("Scripts" if WINDOWS else "bin")


def venv_python():
    return str(venv_bin() / ("python.exe" if WINDOWS else "python"))


def fingerprint(root=ROOT):
    """Return a hash of all that the environment is made from: a change of any of it calls for an update."""
    digest = hashlib.sha256(str(root).encode("utf-8", "surrogateescape"))  # an editable installation knows its folder
    for name in ("pyproject.toml", "requirements.txt"):
        digest.update((root / name).read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def read_stamp():
    """Return what the environment says of itself (state, fingerprint, python, extras), or {} when it says nothing."""
    try:
        stamp = json.loads((VENV / "cimlab-stamp.json").read_text(encoding="utf-8"))
        return stamp if isinstance(stamp, dict) else {}
    except (OSError, ValueError):
        return {}


def write_stamp(**stamp):
    new = VENV / "cimlab-stamp.json.tmp"
    new.write_text(json.dumps(stamp, indent=1, sort_keys=True), encoding="utf-8")
    new.replace(VENV / "cimlab-stamp.json")


def child_environment():
    """Return the environment variables for what runs inside .venv: closed to other Pythons, its programs first."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
    environment.update(
        VIRTUAL_ENV=str(VENV),
        PATH=str(venv_bin()) + os.pathsep + os.environ.get("PATH", ""),
        PYTHONUTF8="1",  # Chinese text in files and terminals is UTF-8 here, also on Windows
        JUPYTER_PREFER_ENV_PATH="1",
        PIP_USER="0",  # a pip that is set to install for the user cannot install into an environment
        PIP_DISABLE_PIP_VERSION_CHECK="1",
    )
    return environment


def make_venv():
    """Make an empty .venv with the Python that runs this, or with the one that it came from when it is in .venv."""
    check_venv_module()
    begun = time.monotonic()
    if VENV.exists():
        say("The environment here is unfinished or broken: it is made anew.")
        try:
            shutil.rmtree(str(VENV))
        except OSError as error:
            raise Stop(f"It cannot be removed: {error}\nClose JupyterLab and all terminals, then try again.") from error
    python = getattr(sys, "_base_executable", None) or sys.executable
    done = subprocess.run([python, "-m", "venv", str(VENV)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        text = done.stdout.decode("utf-8", "replace").strip()
        raise Stop(f"The environment could not be made:\n{text}\n\n{remedy(text)}")
    version = "{}.{}.{}".format(*sys.version_info[:3])
    say(f"[1/3] environment .venv with Python {version}: {time.monotonic() - begun:.0f} s")


def run_pip(extras):
    """Install the package with these extras and return (did it succeed, what pip wrote)."""
    target = "." + (f"[{','.join(extras)}]" if extras else "")
    command = [venv_python(), "-m", "pip", "install", "--no-input", "-c", "requirements.txt", "-e", target]
    begun = time.monotonic()
    if LOG.exists():
        LOG.unlink()
    say("[2/3] packages: about 1 GB on the disk; the first time takes 2 to 10 minutes")
    if sys.stdout.isatty():
        # pip draws its own bars here; a copy of what it says goes to the log
        code = subprocess.call([*command, "--log", str(LOG)], cwd=str(ROOT), env=child_environment())
    else:
        code = run_pip_quietly([*command, "--progress-bar", "off"], begun)
    if code == 0:
        say(f"[3/3] installed: {time.monotonic() - begun:.0f} s")
    return code == 0, LOG.read_text(encoding="utf-8", errors="replace") if LOG.exists() else ""


def run_pip_quietly(command, begun):
    """Run pip with its text in the log file and, now and then, a short line that tells how far it is."""
    count, last, phase = 0, begun, "packages so far"
    with LOG.open("w", buffering=1, encoding="utf-8", newline="\n") as log:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(command, cwd=str(ROOT), env=child_environment(), **pipes)
        for raw in process.stdout:
            line, now = raw.decode("utf-8", "replace"), time.monotonic()
            log.write(line)
            count += line.startswith(("Collecting ", "Processing "))  # the second is a wheel in a folder
            if line.startswith("Installing collected packages"):
                phase = "packages fetched, installing them"
                say(f"      {count} {phase}: {now - begun:.0f} s")
            elif now - last > 15:
                last = now
                say(f"      {count} {phase}: {now - begun:.0f} s")
        return process.wait()


# What pip's text shows → what it means and what to do. The first that fits is said.
REMEDIES = (
    (
        r"No space left on device|Errno 28|WinError 112|not enough space on the disk",
        "The disk is full. Make room (the packages need about 2 GB), then give the same command again.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError|certificate verify failed",
        "The package index was reached, but its certificate is not trusted. Check the clock of this computer. In a\n"
        "company or university network ask for the proxy's certificate: pip config set global.cert FILE",
    ),
    (
        r"NewConnectionError|NameResolutionError|name resolution|getaddrinfo failed|Connect(ion|)Timeout|Read timed out"
        r"|ReadTimeout|ProxyError|unreachable|Connection (refused|reset|aborted|broken)|No route to host|Max retries",
        "The package index does not answer: no network, a slow one, or a proxy between.\n"
        "  - Check the connection, then give the same command again: what was fetched is kept.\n"
        "  - In mainland China use a mirror: pip config set global.index-url ADDRESS   (see README, Mirrors)\n"
        "  - Behind a proxy set the environment variable HTTPS_PROXY to its address.",
    ),
    (
        r"WinError (5|32)\b|PermissionError|Permission denied",
        "A file could not be written. Close JupyterLab and the terminals that use this environment; a virus scanner\n"
        "or a cloud drive may also hold it. Then give the same command again.",
    ),
    (
        r"WinError 206|[Ff]ile ?name or extension is too long|Long Path support",
        "The path is too long for Windows. Move the folder to a short one such as C:\\cimlab, then try again.",
    ),
    (
        r"No matching distribution found|Could not find a version",
        "The package index lacks a version that the course was tested with. A mirror may be some days behind:\n"
        "use another mirror, or none, for this once (see README, Mirrors).",
    ),
    (
        r"Microsoft Visual C\+\+|Failed (to build|building wheel)",
        "There is no ready-made package for this Python on this machine. Use a 64-bit Python 3.12, or conda.",
    ),
)


def remedy(text):
    """Return what to do about a failed installation, from what pip or venv wrote."""
    for pattern, advice in REMEDIES:
        if re.search(pattern, text):
            return advice
    return "This is not one of the known troubles. Please report it with the log named here."


def last_errors(text):
    """Return the few lines of pip's text that say what went wrong."""
    lines = [re.sub(r"^\d{4}-\d\d-\d\dT\S+\s", "", line).rstrip() for line in text.splitlines()]
    errors = [line for line in lines if re.match(r"\s*(\w+Error|ERROR|error):", line)]
    return "\n".join((errors or [line for line in lines if line])[-4:])


def lock_folder():
    """Return a file that only one start.py at a time can hold; the system lets go of it when we end."""
    file = (ROOT / ".venv.lock").open("a")
    try:
        if WINDOWS:
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise Stop("Another start.py is at work on the environment of this folder. Wait until it is done.") from error
    return file


def ensure(extras):
    """Make .venv hold the package with these extras; return quickly when it does already."""
    stamp = read_stamp()
    ready = stamp.get("state") == "ready" and stamp.get("fingerprint") == fingerprint()
    if ready and set(extras) <= set(stamp["extras"]) and (probe(venv_python()) or [0])[0] == stamp["python"]:
        return
    with lock_folder():
        update(extras)


def is_sound(stamp, found):
    """Tell whether the packages of .venv can be added to; one that someone else made with a wrong Python is left."""
    if not found:
        return False
    if not stamp:
        if not suitable(found[0]):
            version = ".".join(map(str, found[0]))
            raise Stop(f"The folder .venv is an environment of Python {version}. Rename or delete it, then try again.")
        return subprocess.call([venv_python(), "-c", "import pip"], stderr=subprocess.DEVNULL) == 0
    return stamp.get("state") == "ready" and found[0] == stamp.get("python")


def update(extras):
    """Make .venv or bring it up to date. An interrupted change is never taken for a finished one."""
    for note in notes(ROOT, os.environ):
        say("Note: " + note)
    stamp, found = read_stamp(), probe(venv_python())
    if not is_sound(stamp, found):
        check_place()
        make_venv()
        stamp, found = {}, probe(venv_python())
        if not found:
            raise Stop(f"The new environment does not start: {venv_python()}\nA virus scanner may hold it: try again.")
    extras = sorted(set(extras) | set(stamp.get("extras", ())))
    write_stamp(state="changing")
    done, text = run_pip(extras)
    if done:
        write_stamp(state="ready", fingerprint=fingerprint(), python=found[0], extras=extras)
        LOG.unlink()
        return
    if "Installing collected packages" not in text:  # pip stopped before it touched anything
        write_stamp(**stamp) if stamp else (VENV / "cimlab-stamp.json").unlink()
    advice, errors = remedy(text), last_errors(text)
    raise Stop(f"\nThe packages could not be installed. {advice}\n\nWhat pip said last:\n{errors}\nAll it said: {LOG}")


def ensure_or_keep(extras):
    """As `ensure`, but where an update fails and the old environment still works, go on with the old one."""
    try:
        ensure(extras)
    except Stop as stop:
        stamp = read_stamp()
        if stamp.get("state") != "ready" or not set(extras) <= set(stamp["extras"]):
            raise
        say(f"{stop}\n\nNote: the environment could not be brought up to date; going on with the one that is here.")


# ---- The commands ----------------------------------------------------------------------------------------------


def run(*command):
    """Run a program of the environment from the project's folder and return its exit status."""
    process = subprocess.Popen([venv_python(), *command], cwd=str(ROOT), env=child_environment())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            pass  # Ctrl-C reaches the program too: JupyterLab asks its question and ends by itself


def lab(arguments):
    """Open JupyterLab on the front door; a root user, as in a container, must be allowed expressly."""
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return run("-m", "jupyterlab", "index.ipynb", *root, *arguments)


def test(arguments):
    """Run pytest on all processors, up to four; the tests of one file stay together since they share costly set-up."""
    if not any(re.match(r"-n|--numprocesses|--dist|--pdb|--co", word) for word in arguments):
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        arguments = ["-n", str(min(cores, 4)), "--dist", "loadscope", *arguments]
    return run("-m", "pytest", *arguments)


def parse(arguments):
    """Return (command, its own arguments); --help and mistakes end here."""
    width = max(map(len, COMMANDS))
    parser = argparse.ArgumentParser(
        prog="start.py",
        usage="python start.py COMMAND [its arguments]",
        description="Start the course. The first time takes some minutes: it makes an environment of its own, .venv.",
        epilog="commands:\n" + "\n".join(f"  {name:{width}}  {text}" for name, (_, text) in COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of those below")
    if not arguments:
        parser.print_help()
        sys.exit(2)
    command, rest = parser.parse_args(arguments[:1]).command, arguments[1:]
    return command, rest[1:] if rest[:1] == ["--"] else rest


def extras_of(command):
    """Return the extras that a command needs; the tests fetch Spark (470 MB) and a database server when told to."""
    extras = COMMANDS[command][0]
    if command == "test":
        wanted = os.environ.get("CIMLAB_MUST_RUN", "").split()
        extras += tuple(name for name in ("postgres", "spark") if name in wanted)
    return extras


def main(arguments):
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a character must not stop the work
    try:
        command, rest = parse(arguments)
        check_python(arguments)
        ensure_or_keep(extras_of(command))
    except Stop as stop:
        say(str(stop))
        return 1
    except KeyboardInterrupt:
        say("\nStopped. Give the same command again: it goes on.")
        return 130
    if command == "lab":
        return lab(rest)
    if command == "dashboard":
        return run("-m", "voila", "dashboard.ipynb", *rest)
    if command == "test":
        return test(rest)
    if command == "setup":
        say(f"The environment is ready: {VENV}")
        return 0
    if command in ("lock", "environment"):
        return run(str(Path("tools", f"make_{command}.py")), *rest)
    if command == "pages":
        tools = [str(Path("tools", f"make_{page}_page.py")) for page in ("dictionary", "facts")]
        return run("-m", "cimlab.retailer.sources") or run(tools[0]) or run(tools[1], *rest)
    if command.startswith("bench-"):
        return run(str(Path("benchmarks", f"{command.replace('-', '_')}.py")), *rest)
    return run("-m", "cimlab", command, *rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
