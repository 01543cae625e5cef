"""A room made by bubblewrap (`bwrap`): for machines on which that program may make namespaces and we may not.

Where a distribution forbids namespaces to its users' programs (AppArmor on Ubuntu 24.04, for example), bubblewrap, the
program that Flatpak relies on, is the first for which an exception is made. `separate` has it build the room that an
`isolate.Room` describes, and goes there: bubblewrap starts a program that only waits, in new namespaces, and this
process joins these. Its next child is in the room; `enter` brings the folder of the hand-in there and drops all rights.
So kernels remain warm: they are forked and have everything imported, as in a room that `isolate` makes.

What a room of bubblewrap does not have: a limit for the number of (empty) files. All else is as in `isolate`.

References
----------
`man 1 bwrap`, `man 2 setns`.
"""

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cimlab.grading import isolate
from cimlab.grading.isolate import HOME, NOBODY, IsolationError

PROGRAM = "bwrap"
INSTALL = "Install bubblewrap 0.8 or newer (Debian, Ubuntu: `apt install bubblewrap`; Fedora: `dnf install bubblewrap`)"
# Process 1 of the room, which nothing there can end: says what it hears, ends with its input, forgets orphans that end.
WAITER = ("/bin/sh", "-c", "trap '' CHLD; exec /bin/cat")
WAIT = 30  # seconds for the trial
APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")  # of Ubuntu
SPACES = {
    "user": isolate.NEW_USER,
    "cgroup": isolate.NEW_CGROUP,
    "mnt": isolate.NEW_MOUNT,
    "uts": isolate.NEW_UTS,
    "ipc": isolate.NEW_IPC,
    "pid": isolate.NEW_PID,
    "net": isolate.NEW_NET,
}
TRIAL = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from cimlab.grading.bubblewrap import attempt; attempt(sys.argv[2], sys.argv[3])"
)


def find_bubblewrap():
    """Return the path of the program, or None."""
    return shutil.which(PROGRAM)


def bubblewrap_available():
    """Return None if bubblewrap can make a room on this machine, or a sentence that says why not (it is tried out).

    Examples
    --------
    >>> reason = bubblewrap_available()
    >>> reason is None or reason.endswith(".")
    True
    """
    return isolate.unfit_system() or _tried(find_bubblewrap())


@functools.cache
def _tried(program):
    if program is None:
        return f"The program {PROGRAM} is not there. {INSTALL}."
    package = str(Path(__file__).absolute().parents[2])
    with tempfile.TemporaryDirectory(prefix="cimlab-trial-") as folder:
        try:
            tried = subprocess.run(
                [sys.executable, "-I", "-c", TRIAL, package, program, folder],
                capture_output=True,
                text=True,
                check=False,
                timeout=WAIT,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            return f"Bubblewrap ({program}) did not make a room within {WAIT} seconds."
    if tried.returncode == 0:
        return None
    lines = (tried.stderr.strip() or f"the trial ended with {tried.returncode}").splitlines()
    if "nknown option" in lines[-1]:
        return f"Bubblewrap ({program}) is too old. {INSTALL}."
    hint = " AppArmor forbids it: docs/instructors.md says who can allow it." if _apparmor_forbids() else ""
    return f"Bubblewrap ({program}) does not work on this system: {lines[-1].rstrip('.')}.{hint}"


def _apparmor_forbids():
    with contextlib.suppress(OSError):
        return APPARMOR.read_text().strip() != "0"
    return False


def attempt(program, folder):
    """Make a room in this process and leave: its exit status is 0 if that worked, else the reason is on stderr."""
    room, uid = isolate.Room(bubblewrap=program), isolate.uid_for_room()
    given = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        holder = separate(room)
    except (IsolationError, OSError) as error:
        sys.exit(str(error))
    child = os.fork()
    if child:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        holder.kill()
        holder.wait()
        os._exit(code)
    try:
        enter(room, holder, given, "trial", uid)
        isolate.limit(room)
    except (IsolationError, OSError) as error:
        os.write(2, f"{error}\n".encode())
        os._exit(1)
    os._exit(0)


# ---------------------------------------------------------------------------------------------------------------------
# The two steps


def separate(room):
    """Have bubblewrap make a room, and join its namespaces; the next child of this process is in the room.

    Parameters
    ----------
    room : isolate.Room
        Its `bubblewrap` is the path of the program.

    Returns
    -------
    subprocess.Popen
        Bubblewrap itself; the room ends with it, and it ends with this process.
    """
    holder, waiter = _start(room)
    wanted = {name: flag for name, flag in SPACES.items() if name != "user" or os.geteuid() != 0}
    for name in wanted:  # a program that only calls itself bwrap may have made none
        if Path(f"/proc/{waiter}/ns/{name}").samefile(f"/proc/self/ns/{name}"):
            raise IsolationError(f"it has made no namespace of its own ({name}).")
    process = os.pidfd_open(waiter)
    try:
        isolate.call("setns", process, sum(wanted.values()), what="to join the namespaces of bubblewrap")
    finally:
        os.close(process)
    return holder


def enter(room, holder, given, name, uid):
    """Bring the folder of a hand-in into a room, and drop all rights of this process.

    Parameters
    ----------
    room : isolate.Room
    holder : subprocess.Popen
        What `separate` has returned in the parent of this process.
    given : int
        A descriptor of the folder, which is closed: the folder lies outside of the room.
    name : str
        Of the copy in the room.
    uid : int
        What `isolate.uid_for_room` has returned outside.

    Returns
    -------
    str
        The copy; it is the current folder.
    """
    os.umask(0o022)
    for stream in (holder.stdin, holder.stdout, holder.stderr):
        stream.close()
    isolate.bring(room, f"/proc/self/fd/{given}", Path(HOME), name, uid)
    os.close(given)
    isolate.drop_rights(uid)
    os.chdir(f"{HOME}/{name}")
    return f"{HOME}/{name}"


def _start(room):
    """Start bubblewrap; return its process, and the id of the first one in the room."""
    with contextlib.ExitStack() as open_ones:
        told, tell = os.pipe()
        open_ones.callback(os.close, told)
        files = {path: _pipe_with(text) for path, text in isolate.OWN_SETTINGS.items()}
        passed = [tell, *files.values()]
        command = [room.bubblewrap, *options(room, files), "--as-pid-1", "--info-fd", str(tell), *WAITER]
        try:
            holder = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=passed,
                bufsize=0,
                env={},
                cwd="/",
            )
        except OSError as error:
            raise IsolationError(f"{room.bubblewrap} cannot be started: {error.strerror}.") from None
        finally:
            for descriptor in passed:
                os.close(descriptor)
        with contextlib.suppress(BrokenPipeError):
            holder.stdin.write(b"\n")
        if not holder.stdout.read(1):  # the room stands when somebody answers in it
            said = holder.stderr.read().decode(errors="replace").strip().splitlines()
            raise IsolationError(said[-1] if said else f"bubblewrap ended with {holder.wait()}, and said nothing.")
        try:
            return holder, int(json.loads(os.read(told, 4096))["child-pid"])
        except (ValueError, TypeError, LookupError):
            raise IsolationError("bubblewrap does not say which process is in the room.") from None


def _pipe_with(text):
    out, into = os.pipe()
    os.write(into, text.encode())
    os.close(into)
    return out


def options(room, files):
    """Return the options of bwrap for a room.

    Parameters
    ----------
    room : isolate.Room
    files : dict
        Path of a file → descriptor from which its content is read.

    Returns
    -------
    list of str

    Examples
    --------
    >>> words = options(isolate.Room(disk=5), {})
    >>> "--unshare-net" in words, "--die-with-parent" in words, words[-2:]
    (True, True, ['--remount-ro', '/'])
    """
    words = ["--die-with-parent", "--cap-drop", "ALL", "--hostname", "student"]
    words += [f"--unshare-{name}" for name in ("ipc", "pid", "net", "uts", "cgroup")]
    if os.geteuid() != 0:  # root can become somebody else without
        words += ["--unshare-user", "--disable-userns", "--uid", str(NOBODY), "--gid", str(NOBODY)]
    words += ["--dir", "/dev", "--dir", "/etc"]
    for folder, mode in isolate.WRITABLE:
        words += ["--perms", mode, "--size", str(room.disk), "--tmpfs", f"/{folder}"]
    shown = isolate.everything_shown(room)
    # Bubblewrap by itself would make the folders above these for the user who made the room only.
    for folder in sorted({folder for path in shown for folder in path.parents} - {Path("/")}):
        words += ["--dir", str(folder)]
    for path in shown:
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), str(path)]
        else:
            words += ["--ro-bind", str(path), str(path)]
    for path, descriptor in files.items():
        words += ["--perms", "0644", "--file", str(descriptor), path]
    for name in isolate.DEVICES:
        words += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    for name, target in isolate.DEVICE_LINKS:
        words += ["--symlink", f"/proc/self/fd{target}", f"/dev/{name}"]
    return [*words, "--proc", "/proc", "--remount-ro", "/"]
