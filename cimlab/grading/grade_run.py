"""Have hand-ins graded: by processes of this machine, or by the workers of a Dask cluster (see `grade_engine`)."""

import concurrent.futures
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from cimlab.grading.kernel import DATA, QUIET
from cimlab.grading.zygote import NAME, end

START = "import sys; sys.path.append(sys.argv[1]); from cimlab.grading.grade_engine import main; main(sys.argv[2])"


class EngineEnded(Exception):
    """The process that grades is gone: what it had to do is not done."""


class RefusedToStart(Exception):
    """Isolation is required and cannot be had, or the process that grades did not start; the text says why."""


class Engine:
    """A process that grades.

    Parameters
    ----------
    config : dict
        What `grade_engine.main` reads: template, lab, warm, isolation, hidden, imports, deadline.

    Attributes
    ----------
    ready : dict
        kernels ("isolated", "warm" or "cold") and why (sentences about what could not be had).
    """

    def __init__(self, config):
        self._waiting, self._lock = {}, threading.Lock()
        self._folder = tempfile.mkdtemp(prefix="cimlab-engine-")
        path = Path(self._folder, "config.json")
        path.write_text(json.dumps(config), encoding="utf-8")
        environment = os.environ | QUIET
        if environment.get(DATA):
            environment[DATA] = str(Path(environment[DATA]).absolute())
        environment["JUPYTER_DEFAULT_PROVISIONER_NAME"] = NAME if config["warm"] else "local-provisioner"
        package = str(Path(__file__).absolute().parents[2])
        with Path(self._folder, "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore", "-c", START, package, str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                encoding="utf-8",
            )
        try:
            self.ready = json.loads(self.process.stdout.readline() or "null")
            if self.ready is None:
                said = Path(self._folder, "log").read_text(errors="replace").strip().splitlines() or ["it said nothing"]
                raise RefusedToStart(f"The process that grades did not start: {said[-1]}")
            if "refused" in self.ready:
                raise RefusedToStart(self.ready["refused"])
        except BaseException:
            self.close()
            raise
        threading.Thread(target=self._listen, daemon=True).start()

    def submit(self, folder, variables):
        """Have the task of a folder done; return a Future, whose result is whether its time was up.

        `variables` of the environment are those of this hand-in only.
        """
        future = concurrent.futures.Future()
        future.started = time.monotonic()
        with self._lock:
            self._waiting[str(folder)] = future
        try:
            self.process.stdin.write(json.dumps({"folder": str(folder), "variables": variables}) + "\n")
            self.process.stdin.flush()
        except OSError:
            self._give_up()
        return future

    def _listen(self):
        with contextlib.suppress(ValueError, OSError):
            for line in self.process.stdout:
                answer = json.loads(line)
                with self._lock:
                    future = self._waiting.pop(answer["done"])
                future.set_result(answer.get("late", False))
        self._give_up()

    def _give_up(self):
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            future.set_exception(EngineEnded())

    def close(self):
        end(self.process, self._folder, 15)


def for_later(config, ready):
    """Return the settings for processes that are started later: what was announced as isolated stays so."""
    kept = ready["kernels"] == "isolated" and config["isolation"] == "auto"
    return config | {"isolation": "required"} if kept else config


class Pool:
    """The processes of this machine: one that forks where kernels are warm, else as many as hand-ins at once."""

    def __init__(self, config, jobs):
        self.engines, self.jobs = [Engine(config)], jobs
        self.ready = self.engines[0].ready
        self.config = for_later(config, self.ready)
        self._futures = {}  # of what is being done → (engine, task)

    def run(self, tasks):
        """Yield (task, what happened) as the tasks are done: "done", "late" or "ended".

        Parameters
        ----------
        tasks : iterable of grade_plan.Task
            Each is made when its turn comes: its files are copied then.
        """
        waiting, suspects = iter(tasks), []
        while True:
            while len(self._futures) < self.jobs and (task := next(waiting, None)) is not None:
                self._begin(task)
            if not self._futures:
                break
            for task, happened in self._wait():
                if happened == "ended":
                    suspects.append(task)
                else:
                    yield task, happened
        # One of these ended the process in which all of them ran: each alone now.
        for task in suspects:
            self._begin(task)
            while self._futures:
                yield from self._wait()

    def _begin(self, task):
        taken = [engine for engine, _ in self._futures.values()]
        most = self.jobs if self.config["warm"] else 1
        engine = next((one for one in self.engines if taken.count(one) < most and one.process.poll() is None), None)
        if engine is None:
            engine = Engine(self.config)
            self.engines.append(engine)
        self._futures[engine.submit(task.folder, task.variables)] = (engine, task)

    def _wait(self):
        done, _ = concurrent.futures.wait(self._futures, timeout=1, return_when=concurrent.futures.FIRST_COMPLETED)
        for future in done:
            engine, task = self._futures.pop(future)
            try:
                yield task, "late" if future.result() else "done"
            except EngineEnded:
                self._drop(engine)
                yield task, "ended"
        if not self.config["warm"]:
            for future, (engine, task) in list(self._futures.items()):
                if time.monotonic() - future.started > self.config["deadline"]:
                    del self._futures[future]
                    engine.process.kill()
                    self._drop(engine)
                    yield task, "late"

    def _drop(self, engine):
        if engine in self.engines:
            self.engines.remove(engine)
            engine.close()

    def close(self):
        for engine in self.engines:
            engine.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
