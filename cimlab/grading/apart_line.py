"""The line on which the kernel of a hand-in and its examiner talk, and how the grader puts it up.

Two isolated kernels have neither a network nor a folder in common. A warm kernel has the socket of the heartbeat, which
nobody needs: a process whose end is watched does not have to be asked whether it lives. The grader connects to it and
hands each kernel one end of a new pair of sockets for every test.
"""

import contextlib
import secrets
import socket

TOKEN = 32  # bytes
WAIT = 20  # seconds for a kernel to come to its end of the line


# ---------------------------------------------------------------------------------------------------------------------
# In a kernel

_control = {}


def free_the_socket():
    """End the heartbeat of this kernel and keep its socket for the line.

    Raises
    ------
    RuntimeError
        If this is no warm kernel.
    """
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    descriptors = getattr(app, "descriptors", None)
    if not descriptors:
        raise RuntimeError("Only tests in warm kernels can be run apart from the code of a hand-in.")
    listener = socket.socket(fileno=socket.dup(descriptors["hb"]))
    app.heartbeat.context.term()
    _control["listener"] = listener


def take_end(token):
    """Return this kernel's end of the line for one test; `token` is what the grader hands over with it, in hex."""
    token = bytes.fromhex(token)
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


class Line:
    """Gives two kernels the two ends of a new line, as often as is wanted."""

    def __init__(self):
        self.held = None  # the examiner's end: who has it too can end the line

    def put_up(self, hand_in, examiner):
        """Return the token with which each kernel takes its end of a new line.

        Parameters
        ----------
        hand_in, examiner : jupyter_client.KernelManager
        """
        self.hang_up()
        tokens = [secrets.token_bytes(TOKEN) for _ in range(2)]
        theirs, self.held = socket.socketpair()
        with theirs:
            _hand_over(examiner, tokens[1], self.held)
            with contextlib.suppress(OSError):  # it is as deaf as it wants to be: the examiner will notice
                _hand_over(hand_in, tokens[0], theirs)
        return [token.hex() for token in tokens]

    def hang_up(self):
        """End the line: who still listens is told."""
        if self.held is not None:
            with contextlib.suppress(OSError):
                self.held.shutdown(socket.SHUT_RDWR)
            self.held.close()
            self.held = None


def _hand_over(manager, token, end):
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(WAIT)
        asking.connect(f"{manager.ip}-{manager.hb_port}")
        socket.send_fds(asking, [token], [end.fileno()])
