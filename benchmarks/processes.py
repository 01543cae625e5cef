"""What the processes of a run use, its children too, read from /proc while they run (Linux only)."""

import os
import time
from pathlib import Path


def watch(process, peaks, cpu, most=None, every=0.1):
    """Note the greatest memory (MB) and the processor time (s) of each process, by its id.

    Parameters
    ----------
    process : subprocess.Popen
    peaks, cpu : dict of int to float
        Filled while the process runs; they stay empty on other systems.
    most : float, optional
        MB of all processes together; beyond it the process is ended.
    every : float
        Seconds between two looks.
    """
    tick = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
    while process.poll() is None:
        for pid in family(process.pid):
            try:
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
                times = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            except OSError:
                continue
            cpu[pid] = (int(times[11]) + int(times[12])) / tick
            for line in status.splitlines():
                if line.startswith("VmHWM"):
                    peaks[pid] = int(line.split()[1]) / 1024
        if most is not None and sum(peaks.values()) > most:
            process.kill()
        time.sleep(every)


def family(pid):
    """Return the ids of a process and all its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    except OSError:
        return [pid]
    return [pid, *(descendant for child in children for descendant in family(int(child)))]
