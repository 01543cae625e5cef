"""What a warm kernel prints (see `kernel`)."""

import select

from ipykernel.iostream import OutStream


class Output(OutStream):
    """ipykernel's stream, which does not wait for its thread to send when there is nothing to be sent.

    A kernel flushes both streams several times for each cell; most cells print nothing.
    """

    def flush(self):
        if self._buffers or self._flush_pending or self._subprocess_flush_pending or self._is_something_coming():
            super().flush()

    def _is_something_coming(self):
        """Return whether a process that the cell has started has written something that is not taken yet."""
        return self._fid is not None and bool(select.select([self._fid], [], [], 0)[0])
