"""The memory of a room: what its processes use together has a limit, too (Linux; see `kernel`).

Each process has a limit of its own (see `isolate.limit`), but a hand-in may start many. The process that waits for the
end of a kernel looks after them meanwhile, a few times a second; it is the first one of the room, or, with bubblewrap,
one beside it: nothing in the room can end or stop it.

References
----------
`man 5 proc_pid_statm`, `man 5 proc_pid_smaps` (Pss: memory that several processes share counts once).
"""

import contextlib
import os
import select
from pathlib import Path

from cimlab.grading import isolate

PAUSE = 0.25  # seconds between two looks: a core fills some hundred MB meanwhile


def be_left_alone():
    """Have no other process of the same user look into this one, or take it over as a debugger does."""
    isolate.call("prctl", isolate.SET_DUMPABLE, 0, 0, 0, 0, what="to be left alone")


def wait_within(watch, most, end, child=None):
    """Wait for the end of a process; end a room whose processes use too much memory.

    Parameters
    ----------
    watch : int
        Descriptor of the process (`os.pidfd_open`).
    most : int
        Bytes that all processes may use which stand in /proc.
    end : callable
        Ends the room.
    child : int, optional
        The process, if it is a child of this one, which gets the orphans of the room, too: they are buried meanwhile.
    """
    while not select.select([watch], [], [], PAUSE)[0]:
        if child is not None:
            _bury_orphans(child)
        if too_much(most):
            end()
            select.select([watch], [], [])
            return


def _bury_orphans(child):
    """Take note of the end of all children but one, whose end is left to be seen."""
    with contextlib.suppress(ChildProcessError):
        while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if ended.si_pid == child:
                return
            os.waitpid(ended.si_pid, 0)


def too_much(most, proc="/proc"):
    """Return whether the processes that stand in /proc use more bytes of memory than `most`."""
    pids = [name for name in os.listdir(proc) if name.isdigit()]  # noqa: PTH208 (a path for each is slower)
    # The cheap look counts what they share once for each of them: most of what Python and its libraries are.
    if sum(_resident(proc, pid) for pid in pids) <= most:
        return False
    return sum(_own_part(proc, pid) for pid in pids) > most


def _resident(proc, pid):
    with contextlib.suppress(OSError):
        return int(Path(proc, pid, "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0  # it has just ended


def _own_part(proc, pid):
    """Return the bytes of a process, of what it shares its part; all of it if it does not let itself be looked at."""
    try:
        lines = Path(proc, pid, "smaps_rollup").read_text().splitlines()
    except OSError:
        return _resident(proc, pid)
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Pss:", "SwapPss:")))
