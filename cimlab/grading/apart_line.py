"""The line on which the kernel of a hand-in and its examiner talk, and how the grader puts it up.

Two isolated kernels have neither a network nor a folder in common. Each has the socket of the heartbeat, which nobody
needs: a process whose end is watched does not have to be asked whether it lives. The grader connects to it and hands
each kernel one end of a new pair of sockets for every test. Where kernels are not isolated (no warm kernels, Windows)
both connect to the grader on this computer instead, and it passes on what they say.
"""

import contextlib
import secrets
import socket
import threading

TOKEN = 32  # bytes
WAIT = 20  # seconds for a kernel to come to its end of the line


# ---------------------------------------------------------------------------------------------------------------------
# In a kernel

_control = {}


def free_the_socket():
    """End the heartbeat of this kernel and keep its socket for the line; return whether there is one."""
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    descriptors = getattr(app, "descriptors", None)
    if not descriptors:
        return False
    listener = socket.socket(fileno=socket.dup(descriptors["hb"]))
    app.heartbeat.context.term()
    _control["listener"] = listener
    return True


def take_end(where):
    """Return this kernel's end of the line for one test.

    Parameters
    ----------
    where : dict
        token and, where there is no socket of the heartbeat, the port of the grader.
    """
    token = bytes.fromhex(where["token"])
    if "port" in where:
        connection = socket.create_connection(("127.0.0.1", where["port"]), WAIT)
        connection.sendall(token)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(None)
        return connection
    _control["listener"].settimeout(WAIT)
    while True:
        asking, _ = _control["listener"].accept()
        with asking:
            asking.settimeout(WAIT)
            with contextlib.suppress(OSError):
                got, descriptors, _, _ = socket.recv_fds(asking, TOKEN, 1)
                if secrets.compare_digest(got, token) and descriptors:
                    return socket.socket(fileno=descriptors[0])


# ---------------------------------------------------------------------------------------------------------------------
# In the grader


class Lines:
    """Gives two kernels the two ends of a new line, as often as is wanted."""

    def __init__(self):
        self.listener, self.open_ones = None, []

    def put_up(self, hand_in, examiner):
        """Return what each kernel needs to take its end of a new line.

        Parameters
        ----------
        hand_in, examiner : jupyter_client.KernelManager or None
            None for both where the kernels have no socket of the heartbeat.
        """
        self.hang_up()
        tokens = [secrets.token_bytes(TOKEN) for _ in range(2)]
        if hand_in and examiner:
            theirs, ours = socket.socketpair()
            self.open_ones = [ours]
            with theirs:
                _hand_over(examiner, tokens[1], ours)
                with contextlib.suppress(OSError):  # it is as deaf as it wants to be: the examiner will notice
                    _hand_over(hand_in, tokens[0], theirs)
            return [{"token": token.hex()} for token in tokens]
        if self.listener is None:
            self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=_connect, args=(self.listener, tokens, self.open_ones), daemon=True).start()
        return [{"token": token.hex(), "port": self.listener.getsockname()[1]} for token in tokens]

    def hang_up(self):
        """End the line: who still listens is told."""
        for one in self.open_ones:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.open_ones = []

    def close(self):
        self.hang_up()
        if self.listener is not None:
            self.listener.close()
            self.listener = None


def _hand_over(manager, token, end):
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(WAIT)
        asking.connect(f"{manager.ip}-{manager.hb_port}")
        socket.send_fds(asking, [token], [end.fileno()])


def _connect(listener, tokens, open_ones):
    """Wait for both kernels, then pass on what they say until one of them has gone."""
    came = {}
    listener.settimeout(WAIT)
    with contextlib.suppress(OSError):
        while len(came) < len(tokens):
            connection, _ = listener.accept()
            connection.settimeout(WAIT)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            got = b""
            with contextlib.suppress(OSError):
                while len(got) < TOKEN and (part := connection.recv(TOKEN - len(got))):
                    got += part
            if got in tokens and got not in came:
                connection.settimeout(None)
                came[got] = connection
            else:
                connection.close()
    if len(came) == len(tokens):
        open_ones += came.values()
        one, other = came.values()
        back = threading.Thread(target=_pass_on, args=(other, one), daemon=True)
        back.start()
        _pass_on(one, other)
        back.join()
    for connection in came.values():
        connection.close()


def _pass_on(source, target):
    with contextlib.suppress(OSError):
        while part := source.recv(1 << 18):
            target.sendall(part)
    for connection in (source, target):
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
