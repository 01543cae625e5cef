"""A warm kernel and its keeper: what a zygote becomes for one hand-in, after the fork (Linux; see `zygote`)."""

import contextlib
import dataclasses
import json
import os
import signal
import socket
import sys
import time
import traceback
from pathlib import Path

from cimlab.grading import bubblewrap, isolate
from cimlab.grading.room_memory import be_left_alone, wait_within

DATA = "CIMLAB_DATA"
CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
# What the room's kernel learns of the environment of who asked for it.
PASSED_ON = ("LANG", "LANGUAGE", "LC_", "TZ", DATA, "CIMLAB_SEED", "CIMLAB_OTHERS", "MPLBACKEND", "NBGRADER_")
PASSED_ON += ("JAVA_HOME", "SPARK_LOCAL_IP")
JEMALLOC = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}  # pyarrow brings a thread
QUIET = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
} | JEMALLOC
ROOM = {"HOME": isolate.HOME, "USER": "student", "TMPDIR": "/tmp", "PATH": "/usr/local/bin:/usr/bin:/bin"}


def keep(zygote, connection, request, descriptors, room):
    """Fork the kernel, wait for its end, end what it has left, and end as it did."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # until it knows what to end
    isolate.die_with_parent(zygote, signal.SIGTERM)
    os.setpgid(0, 0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    made_here = room and not room.bubblewrap
    if made_here:
        uid = isolate.separate()
        child = os.fork()
        if child == 0:
            _first_process(connection, request, descriptors, room, uid)
    else:
        isolate.inherit_orphans()
        keeper = os.getpid()
        child = os.fork()
        if child == 0 and room:
            _guarded(connection, lambda: _beside_bubblewrap(keeper, connection, request, descriptors, room))
        if child == 0:
            _guarded(connection, lambda: _become_kernel(keeper, connection, request, descriptors))
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    connection.close()
    code = _wait_for(child)
    if not made_here:
        _end_all_children()
    os._exit(code)


def _first_process(connection, request, descriptors, room, uid):
    """Process 1 of a room: its end is the end of all others in it."""

    def work():
        isolate.die_with_parent(0)  # the keeper is outside: it has no number here
        request["cwd"] = isolate.enter(_with_own_data(room, request), request["root"], request["cwd"], uid)
        isolate.die_with_parent(0)  # a change of user has cancelled it
        kernel = os.fork()
        if kernel == 0:
            isolate.limit(room)
            _guarded(connection, lambda: _become_kernel(1, connection, _inside(request), descriptors))
        connection.close()
        be_left_alone()
        wait_within(os.pidfd_open(kernel), room.all_memory, lambda: os.kill(-1, signal.SIGKILL), kernel)
        os._exit(_wait_for(kernel))

    _guarded(connection, work)


def _beside_bubblewrap(keeper, connection, request, descriptors, room):
    """The process that has bubblewrap make a room and puts the kernel there: its end is the end of the room."""
    isolate.die_with_parent(keeper)
    uid, name = isolate.uid_for_room(), Path(request["cwd"]).name
    given = os.open(request["cwd"], os.O_RDONLY | os.O_DIRECTORY)  # the last look at the world outside
    holder = bubblewrap.separate(_with_own_data(room, request))
    isolate.die_with_parent(keeper)  # a change of rights has cancelled it
    ours, theirs = socket.socketpair()
    between = os.fork()
    if between == 0:
        if os.fork():
            os._exit(0)  # so the kernel becomes a child of the room's first process, which nothing in the room can end

        def work():
            while os.getppid() != 1:
                time.sleep(0.001)
            with ours, theirs:
                watch = os.pidfd_open(os.getpid())
                socket.send_fds(theirs, [b"."], [watch])
                os.close(watch)
            request["cwd"] = bubblewrap.enter(room, holder, given, name, uid)
            isolate.limit(room)
            _become_kernel(1, connection, _inside(request), descriptors)

        _guarded(connection, work)
    for own in (connection, theirs):
        own.close()
    os.close(given)
    os.waitpid(between, 0)
    watches = socket.recv_fds(ours, 1, 1)[1]
    if watches:
        wait_within(watches[0], room.all_memory, holder.kill)
    os._exit(1)


def _with_own_data(room, request):
    own = request["env"].get(DATA)  # a retailer of the student's own
    return dataclasses.replace(room, read_only=(*room.read_only, own)) if own else room


def _inside(request):
    """Return the request as it is in a room."""
    kept = {name: value for name, value in request["env"].items() if name.startswith(PASSED_ON)}
    return request | {"env": kept | ROOM, "private": ROOM["TMPDIR"]}


def _wait_for(child):
    """Wait for the end of a child, also of any other; return its exit status, as a shell gives it."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _end_all_children():
    """End what a kernel without a room has left: orphans become children of the keeper."""
    with contextlib.suppress(ChildProcessError):
        while True:
            for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            os.waitpid(-1, 0)


def _guarded(connection, work):
    try:
        work()
    except BaseException as error:
        complain(connection, error)
    os._exit(1)


def complain(connection, error):
    """Tell who has asked for a kernel why there is none."""
    known = isinstance(error, isolate.IsolationError)
    words = str(error) if known else "".join(traceback.format_exception(error))[-4000:]
    with contextlib.suppress(OSError):
        connection.send(json.dumps({"failed": words}).encode())


# ---------------------------------------------------------------------------------------------------------------------
# The kernel


def _become_kernel(parent, connection, request, descriptors):
    isolate.die_with_parent(parent)
    _forget(request["env"])
    os.chdir(request["cwd"])
    app = _kernel_app()(dict(zip(CHANNELS, descriptors, strict=True)), request)
    app.initialize([])
    if "cimlab.grading.grade_ready" in sys.modules:  # what the lab prepares has been prepared
        sys.modules["cimlab.grading.grade_ready"].install(app.shell)
    connection.send(b'{"ready": true}')
    connection.close()
    app.start()
    os._exit(0)


def _forget(environment):
    """Give this process its own environment and its own random numbers."""
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if "numpy" in sys.modules:  # `random` does it by itself
        sys.modules["numpy"].random.seed()


def _kernel_app():
    import zmq
    from ipykernel.heartbeat import Heartbeat
    from ipykernel.kernelapp import IPKernelApp

    class Beat(Heartbeat):
        def _try_bind_socket(self, port):
            self.socket.setsockopt(zmq.USE_FD, self.descriptor)
            return super()._try_bind_socket(port)

    class Kernel(IPKernelApp):
        """ipykernel at sockets that are open already: who asked for it may connect at once, and no folder is shared."""

        def parse_command_line(self, argv=None):  # there is none, and to read it takes longer than all the rest
            self.argv, self.extra_args = [], []

        def load_config_file(self, suppress_errors=True):
            """Read nobody's settings."""

        def _bind_socket(self, s, port):
            s.setsockopt(zmq.USE_FD, self.descriptors[self.names[port]])
            return super()._bind_socket(s, port)

        def init_control(self, context):
            super().init_control(context)
            self.debug_shell_socket.disconnect(self.shell_socket.getsockopt(zmq.LAST_ENDPOINT))

        def init_heartbeat(self):
            self.heartbeat = Beat(zmq.Context(), (self.transport, self.ip, self.hb_port))
            self.heartbeat.descriptor = self.descriptors["hb"]
            self.heartbeat.start()

    def make(descriptors, request):
        private = Path(request["private"])
        app = Kernel.instance(
            transport="ipc",
            ip=request["ip"],
            connection_file=str(private / ".kernel.json"),
            **{f"{name}_port": request["ports"][name] for name in CHANNELS},
        )
        (private / ".ipython").mkdir(exist_ok=True)  # empty: nobody's own settings
        app.ipython_dir = str(private / ".ipython")
        app.config.HistoryManager.enabled = False
        app.session.key = request["key"].encode()
        app.outstream_class = "cimlab.grading.kernel_output.Output"
        app.descriptors = descriptors
        app.names = {request["ports"][name]: name for name in CHANNELS}
        return app

    return make
