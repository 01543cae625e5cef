"""The line on which the kernel of a hand-in and its examiner talk, and how the grader puts it up.

Two isolated kernels have neither a network nor a folder in common. A warm kernel has the socket of the heartbeat, which
nobody needs: a process whose end is watched does not have to be asked whether it lives. The grader connects to it and
hands each kernel one end of a new pair of sockets for every test.
"""

import contextlib
import secrets
import select
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
    while (end := _take_next(token)) is None:
        pass
    return end


def end_that_waits(token):
    """Return the newest end that has been handed over and not been taken, or None; the token remains the same."""
    found = None
    while select.select([_control["listener"]], [], [], 0)[0]:
        end = _take_next(token)
        if end is not None:
            if found is not None:
                found.close()
            found = end
    return found


def _take_next(token):
    """Return what the next who comes hands over; None if that is somebody else than the grader."""
    _control["listener"].settimeout(WAIT)
    asking, _ = _control["listener"].accept()
    with asking:
        asking.settimeout(WAIT)
        with contextlib.suppress(OSError):
            got, descriptors, _, _ = socket.recv_fds(asking, TOKEN, 1)
            if secrets.compare_digest(got, bytes.fromhex(token)) and descriptors:
                return socket.socket(fileno=descriptors[0])
    return None


# ---------------------------------------------------------------------------------------------------------------------
# In the grader


def new_token():
    """Return what nobody can guess, in hex."""
    return secrets.token_hex(TOKEN)


class Line:
    """Gives two kernels the two ends of a new line, as often as is wanted."""

    def __init__(self):
        self.held = None  # the examiner's end: who has it too can end the line

    def put_up(self, hand_in, examiner, known):
        """Hand each kernel its end of a new line; return the token with which that of the hand-in takes it.

        Parameters
        ----------
        hand_in, examiner : jupyter_client.KernelManager
        known : str
            The token that the examiner knows already, and takes whatever comes with it.
        """
        self.hang_up()
        token = new_token()
        theirs, self.held = socket.socketpair()
        with theirs:
            _hand_over(examiner, known, self.held)
            with contextlib.suppress(OSError):  # it is as deaf as it wants to be: the examiner will notice
                _hand_over(hand_in, token, theirs)
        return token

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
        socket.send_fds(asking, [bytes.fromhex(token)], [end.fileno()])
