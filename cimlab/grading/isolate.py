"""A room of its own for the code of one hand-in (Linux): its folder, the libraries, the data, and nothing else.

`separate` gives a process new namespaces, `enter` puts its child into a new file system that holds only what a `Room`
names and drops every right, `limit` sets what one process may use. All three are for a process that was forked for it,
in this order; there is no way back. Only ctypes and the standard library are used: no program has to be installed.

What all processes of a room use together is looked after in `room_memory`. Whatever the libraries and the data hold can
be read.

References
----------
`man 7 namespaces`, `man 2 pivot_root`, `man 7 user_namespaces`, `man 7 capabilities`, `man 2 setrlimit`.
"""

import contextlib
import ctypes
import functools
import os
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

MB = 1_000_000
NOBODY = 65534
FIRST_UID = 0x7000_0000  # where root may choose: one user id for each room, so that each counts its own processes
OLDEST = (5, 14)  # the first Linux that counts the processes of a user namespace by itself
HOME = "/home/student"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
SETTINGS = ("ld.so.cache", "alternatives", "fonts", "localtime", "mime.types", "os-release", "timezone", "java-*")
DEVICES = ("null", "zero", "full", "random", "urandom")
DEVICE_LINKS = (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2"))  # of /proc/self/fd
WRITABLE = (("home", "755"), ("tmp", "1777"), ("dev/shm", "1777"))

OWN_SETTINGS = {
    "/etc/passwd": f"student:x:{NOBODY}:{NOBODY}::{HOME}:/usr/sbin/nologin\n",
    "/etc/group": f"student:x:{NOBODY}:\n",
    "/etc/hosts": "127.0.0.1 localhost student\n",
}

NEW_USER, NEW_CGROUP = 0x10000000, 0x02000000
NEW_MOUNT, NEW_UTS, NEW_IPC, NEW_PID, NEW_NET = 0x00020000, 0x04000000, 0x08000000, 0x20000000, 0x40000000
READ_ONLY, NO_SUID, NO_DEVICES, NO_EXEC, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
DETACH, HERE, WITH_CHILDREN, MOUNT_SETATTR = 2, -100, 0x8000, 442
SET_PARENT_DEATH, SET_DUMPABLE, DROP_BOUNDING, INHERIT_ORPHANS, NO_NEW_RIGHTS = 1, 4, 24, 36, 38


class IsolationError(Exception):
    """The room cannot be made; the text says why."""


@dataclass(frozen=True)
class Room:
    """What the code of a hand-in finds, and what it may use.

    Attributes
    ----------
    read_only : tuple of str
        Folders and files to be seen at the same place, besides the system and this Python.
    hidden : tuple of str
        Folders that must not be seen: a room that would show one is refused.
    memory, all_memory, disk, file_size : int
        Bytes: memory of one process above what it starts with, of all together, the sum of the files, one file.
    processes, files : int
        Processes and threads of the room; open files of a process.
    cpu_seconds : int
        Processor time of one process.
    bubblewrap : str
        Path of the program bwrap, if that makes the room (see `bubblewrap`); if empty, it is made here.
    """

    read_only: tuple = ()
    hidden: tuple = ()
    memory: int = 2_000 * MB
    all_memory: int = 3_000 * MB
    disk: int = 256 * MB
    file_size: int = 256 * MB
    processes: int = 96
    files: int = 512
    cpu_seconds: int = 600
    bubblewrap: str = ""

    def shown(self):
        """Return the paths of this room that are shown read-only, the outer ones first."""
        package = Path(__file__).absolute().parents[1]
        wanted = [*SYSTEM, sys.prefix, sys.base_prefix, sys.exec_prefix, str(package), *self.read_only]
        wanted += [os.path.realpath(path) for path in wanted if not Path(path).is_symlink()]
        shown = []
        for path in sorted({Path(path) for path in wanted if os.path.lexists(path)}):
            if not any(above in path.parents for above in shown if not above.is_symlink()):
                shown.append(path)
        for secret in self.hidden:
            real = Path(os.path.realpath(secret))
            for path in shown:
                if path == real or path in real.parents:
                    raise IsolationError(f"{secret} must stay hidden, but it lies in {path}, which Python needs.")
        return shown


@functools.cache
def isolation_available():
    """Return None if a room can be made on this machine, or a sentence that says why not (a room is made to find out).

    Examples
    --------
    >>> reason = isolation_available()
    >>> reason is None or reason.endswith(".")
    True
    """
    if reason := unfit_system():
        return reason
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-I", "-c", TRIAL, __file__, folder]
        tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode == 0:
        return None
    lines = (tried.stderr.strip() or f"the trial ended with {tried.returncode}").splitlines()
    return f"This system does not let hand-ins be isolated: {lines[-1].rstrip('.')}."


def unfit_system():
    """Return None if this is a Linux that isolates hand-ins, whoever asks it to, or a sentence that says why not."""
    if sys.platform != "linux":
        return "Hand-ins are isolated by namespaces of Linux, and this is another system."
    if tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2]) < OLDEST:
        return f"Linux {OLDEST[0]}.{OLDEST[1]} or newer is needed to isolate hand-ins; this is {os.uname().release}."
    return None


TRIAL = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("isolate", sys.argv[1])
isolate = sys.modules["isolate"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(isolate)
isolate.attempt(sys.argv[2])
"""


def attempt(folder):
    """Make a room in this process and leave: its exit status is 0 if that worked, else the reason is on stderr."""
    for name in ("root", "work"):
        (Path(folder) / name).mkdir()
    try:
        uid = separate()
    except (IsolationError, OSError) as error:
        sys.exit(str(error))
    child = os.fork()
    if child:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    try:
        enter(Room(), f"{folder}/root", f"{folder}/work", uid)
        limit(Room())
    except (IsolationError, OSError) as error:
        os.write(2, f"{error}\n".encode())
        os._exit(1)
    os._exit(0)


# ---------------------------------------------------------------------------------------------------------------------
# The three steps


def separate():
    """Give this process namespaces of its own; its next child is the first process of the new room.

    Returns
    -------
    int
        The user id for the room, to be handed to `enter`.
    """
    spaces = NEW_MOUNT | NEW_UTS | NEW_IPC | NEW_PID | NEW_NET | NEW_CGROUP
    if os.geteuid() == 0:
        call("unshare", spaces, what="new namespaces")
    else:
        _new_user(spaces)
    return uid_for_room()


def uid_for_room():
    """Return the user id for the room of this process: root may choose one that nobody else has."""
    return FIRST_UID + os.getpid() if os.geteuid() == 0 else NOBODY


def enter(room, root, work, uid):
    """Put this process, the first one of a new PID namespace, into a room and drop all its rights.

    Parameters
    ----------
    room : Room
    root : str
        An empty folder, where the room is built.
    work : str
        The folder of the hand-in; the room gets a copy of it, and what is written there is lost with the room.
    uid : int
        What `separate` has returned.

    Returns
    -------
    str
        The copy of `work` in the room; it is the current folder.
    """
    root = Path(root)
    os.umask(0o022)
    _mount(None, "/", None, RECURSIVE | PRIVATE)
    _mount("tmpfs", root, "tmpfs", NO_SUID | NO_DEVICES, f"size={MB},mode=755")
    size = f"size={room.disk},nr_inodes=20000"
    for folder, mode in WRITABLE:
        (root / folder).mkdir(parents=True)
        _mount("tmpfs", root / folder, "tmpfs", NO_SUID | NO_DEVICES, f"{size},mode={mode}")
    _show_system(room, root)  # after these: the course, and this Python with it, may lie in somebody's home or in /tmp
    bring(room, work, root / HOME[1:], Path(work).name, uid)
    _move_in(root)
    with contextlib.suppress(OSError):
        _loopback_up()
    call("sethostname", b"student", 7, what="a name of its own")
    drop_rights(uid)
    inside = f"{HOME}/{Path(work).name}"
    os.chdir(inside)
    return inside


def bring(room, work, home, name, uid):
    """Make the home of a room, and in it a copy of a hand-in's folder under a name."""
    owner = uid if os.geteuid() == 0 else -1
    try:
        home.mkdir()
        _copy(Path(work), home / name, owner)
        os.chown(home, owner, owner)
    except OSError as error:
        raise IsolationError(f"The files handed in do not fit into {room.disk // MB} MB: {error}.") from None


def limit(room):
    """Set the limits of this process and of all that it starts."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    memory = pages * resource.getpagesize() + room.memory
    limits = {"AS": memory, "NPROC": room.processes, "FSIZE": room.file_size, "NOFILE": room.files}
    for name, most in (limits | {"CORE": 0, "CPU": room.cpu_seconds}).items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))


def die_with_parent(parent, number=9):
    """Have the system end this process when its parent, whose id is given, has ended."""
    call("prctl", SET_PARENT_DEATH, int(number), 0, 0, 0, what="to end with its parent")
    if os.getppid() != parent:
        os._exit(1)


def inherit_orphans():
    """Have the orphans among the descendants of this process become its children."""
    call("prctl", INHERIT_ORPHANS, 1, 0, 0, 0, what="to inherit orphans")


# ---------------------------------------------------------------------------------------------------------------------
# The file system of a room


def everything_shown(room):
    """Return what a room shows read-only at the same place: what it names, and settings of the system."""
    return [*room.shown(), *(path for pattern in SETTINGS for path in Path("/etc").glob(pattern))]


def _show_system(room, root):
    (root / "etc").mkdir()
    for path in everything_shown(room):
        _show(path, root)
    for path, text in OWN_SETTINGS.items():
        (root / path[1:]).write_text(text)
    for name in DEVICES:
        (root / "dev" / name).touch()
        _mount(f"/dev/{name}", root / "dev" / name, None, BIND)
    for name, target in DEVICE_LINKS:
        (root / "dev" / name).symlink_to(f"/proc/self/fd{target}")
    (root / "proc").mkdir()
    _mount("proc", root / "proc", "proc", NO_SUID | NO_DEVICES | NO_EXEC)


def _show(path, root):
    place = root / path.relative_to("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        place.symlink_to(path.readlink())
        return
    if path.is_dir():
        place.mkdir(exist_ok=True)
    else:
        place.touch()
    _mount(path, place, None, BIND | RECURSIVE)
    wish = struct.pack("QQQQ", READ_ONLY | NO_SUID | NO_DEVICES, 0, 0, 0)
    place = os.fsencode(place)
    call("syscall", MOUNT_SETATTR, HERE, place, WITH_CHILDREN, wish, len(wish), what=f"{path} read-only")


def _copy(source, target, owner):
    """Copy files, folders and links as links; anything else (a pipe, a device) is left out."""
    target.mkdir()
    os.chown(target, owner, owner)
    for entry in os.scandir(source):
        place = target / entry.name
        kind = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(kind):
            _copy(Path(entry.path), place, owner)
        elif stat.S_ISREG(kind) or stat.S_ISLNK(kind):
            shutil.copyfile(entry.path, place, follow_symlinks=False)
            os.chown(place, owner, owner, follow_symlinks=False)


def _move_in(root):
    """Make `root` the root of the file system and forget the old one."""
    os.chdir(root)
    call("pivot_root", b".", b".", what="a new root")
    call("umount2", b".", DETACH, what="to forget the old root")
    os.chdir("/")
    _mount(None, "/", None, REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEVICES)


def _loopback_up():
    """Let the processes of a room talk to one another; the address reaches nobody else."""
    import fcntl
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


# ---------------------------------------------------------------------------------------------------------------------
# Rights


def _new_user(other_spaces=0):
    uid, gid = os.geteuid(), os.getegid()
    call("unshare", NEW_USER | other_spaces, what="new namespaces")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{NOBODY} {uid} 1"),
        ("gid_map", f"{NOBODY} {gid} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(text)


def drop_rights(uid):
    """Become the user of a room, and give up all rights."""
    root = os.geteuid() == 0
    if root:
        try:
            _become(uid)
        except OSError:  # in a container, where high ids may not exist
            _become(NOBODY)
    call("prctl", SET_DUMPABLE, 1, 0, 0, 0, what="its own entry in /proc")
    if root:
        # Where an ordinary user may make no namespace, the code of the hand-in cannot make one either.
        with contextlib.suppress(IsolationError):
            _new_user()
    # A new user namespace would give all rights within it, and with them more ways to attack the system.
    with contextlib.suppress(OSError):
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
    Path("/proc/self/oom_score_adj").write_text("1000")
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in range(last + 1):
        with contextlib.suppress(IsolationError):  # without the right to drop rights there is none to lose
            call("prctl", DROP_BOUNDING, capability, 0, 0, 0, what="to drop a right")
    header, none = struct.pack("Ii", 0x20080522, 0), bytes(24)
    call("capset", header, none, what="to drop all rights")
    call("prctl", NO_NEW_RIGHTS, 1, 0, 0, 0, what="to renounce new rights")


def _become(uid):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


# ---------------------------------------------------------------------------------------------------------------------
# The system


@functools.cache
def _libc():
    return ctypes.CDLL(None, use_errno=True)


def call(name, *arguments, what):
    """Call a function of the C library; what is refused raises IsolationError."""
    arguments = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    if getattr(_libc(), name)(*arguments) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise IsolationError(f"the system refuses {what} ({name}: {reason}).")


def _mount(source, target, kind, flags, options=None):
    def text(value):
        return None if value is None else os.fsencode(value)

    call("mount", text(source), text(target), text(kind), flags, text(options), what=f"to mount {target}")
