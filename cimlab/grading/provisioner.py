"""Hand warm kernels to Jupyter: `jupyter_client` asks a provisioner for a kernel, this one asks the zygote.

nbgrader and nbclient stay as they are: set JUPYTER_DEFAULT_PROVISIONER_NAME to `cimlab-warm` and CIMLAB_ZYGOTE to the
socket of a zygote (see `zygote.start_zygote`). Without a zygote a kernel is started as always, and the log says so.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import time
from pathlib import Path
from queue import Empty

import zmq
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.provisioning import LocalProvisioner
from traitlets import Type

from cimlab.grading.kernel import CHANNELS
from cimlab.grading.zygote import PREFIXES, VARIABLE, private_folder, warm_available

START_TIMEOUT = 60
END_TIMEOUT = 5
STOCK_CLIENT = "jupyter_client.asynchronous.AsyncKernelClient"


class PromptChannel(AsyncZMQSocketChannel):
    """A channel that takes a message which is there already, instead of asking first whether one is."""

    async def get_msg(self, timeout=None):
        await asyncio.sleep(0)  # a flood of messages must not keep the clock of a cell from its turn
        try:
            return await self._recv(flags=zmq.NOBLOCK)
        except zmq.Again:
            return await super().get_msg(timeout)


class WarmClient(AsyncKernelClient):
    """A client that knows when a kernel is ready, instead of waiting until nothing has come for 0.2 s."""

    shell_channel_class = Type(PromptChannel)
    iopub_channel_class = Type(PromptChannel)

    async def _async_wait_for_ready(self, timeout=None):
        ends_at = time.monotonic() + (timeout or float("inf"))
        while time.monotonic() < ends_at:
            asked = self.kernel_info()
            with contextlib.suppress(Empty):
                while (reply := await self.shell_channel.get_msg(timeout=1))["parent_header"].get("msg_id") != asked:
                    pass
                while True:
                    message = await self.iopub_channel.get_msg(timeout=1)
                    idle = message["content"].get("execution_state") == "idle"
                    if idle and message["parent_header"].get("msg_id") == asked:
                        self._handle_kernel_info_reply(reply)
                        return
            if not await self._async_is_alive():
                raise RuntimeError("The kernel died before it was ready.")
        raise RuntimeError(f"The kernel was not ready after {timeout} seconds.")

    wait_for_ready = _async_wait_for_ready


class WarmProvisioner(LocalProvisioner):
    """A kernel from the zygote that CIMLAB_ZYGOTE names; without the variable, a kernel as always."""

    zygote = None
    connection = None
    folder = None
    ended = None  # the exit status

    async def pre_launch(self, **kwargs):
        self.zygote = kwargs.get("env", os.environ).get(VARIABLE) or None
        if self.zygote is None:
            reason = warm_available() or f"No warm kernel: {VARIABLE} names no zygote."
            self.log.warning("%s The kernel is started as always.", reason)
            return await super().pre_launch(**kwargs)
        manager = self.parent
        if self.folder is None:
            self.folder = private_folder(PREFIXES[1])
            Path(self.folder, "root").mkdir()
            manager.transport = "ipc"
            manager.ip = f"{self.folder}/k"
            manager.connection_file = f"{self.folder}/kernel.json"
            manager.cache_ports = False
            if manager.client_class == STOCK_CLIENT:
                manager.client_class = f"{__name__}.{WarmClient.__name__}"
        kwargs["transport_encryption"] = "disabled"  # the sockets are in a folder that only this user may enter
        return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd, **kwargs):
        if self.zygote is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.ended = None
        self.cwd = str(Path(kwargs.get("cwd") or Path.cwd()).absolute())
        ports = {name: self.connection_info[f"{name}_port"] for name in CHANNELS}
        request = {
            "cwd": self.cwd,
            "env": kwargs["env"],
            "ip": self.connection_info["ip"],
            "key": self.connection_info["key"].decode(),
            "ports": ports,
            "private": self.folder,
            "root": f"{self.folder}/root",
        }
        self.connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.ExitStack() as sockets:
            listeners = [sockets.enter_context(_listen(f"{request['ip']}-{ports[name]}")) for name in CHANNELS]
            try:
                self.connection.connect(self.zygote)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 19)
                descriptors = [listener.fileno() for listener in listeners]
                socket.send_fds(self.connection, [json.dumps(request).encode()], descriptors)
            except OSError as error:
                self._close()
                raise RuntimeError(f"The process for warm kernels does not answer at {self.zygote}: {error}.") from None
        self.connection.setblocking(False)
        message = await self._receive(START_TIMEOUT)
        if not message.get("ready"):
            await self.kill()
            self._close()
            raise RuntimeError(f"The kernel did not start: {message.get('failed', 'it ended at once')}")
        return self.connection_info

    @property
    def has_process(self):
        return super().has_process or self.connection is not None

    async def poll(self):
        if self.zygote is None:
            return await super().poll()
        if self.connection is not None and self.ended is None:
            with contextlib.suppress(BlockingIOError):
                self._note(self._read())
        return None if self.connection is not None and self.ended is None else self.ended or 0

    async def wait(self):
        if self.zygote is None:
            return await super().wait()
        while self.connection is not None and self.ended is None:
            await self._receive(None)
        self._close()
        return self.ended

    async def send_signal(self, signum):
        if self.zygote is None:
            await super().send_signal(signum)
        elif self.connection is not None and self.ended is None:
            with contextlib.suppress(OSError):  # it has just ended
                self.connection.send(str(int(signum)).encode())

    async def kill(self, restart=False):
        """End the kernel and all it has started; it is over when this returns."""
        if self.zygote is None:
            await super().kill(restart=restart)
            return
        for number in (signal.SIGTERM, signal.SIGKILL):  # the keeper needs a moment to end what the kernel has left
            await self.send_signal(number)
            ends_at = time.monotonic() + END_TIMEOUT
            while self.connection is not None and self.ended is None and time.monotonic() < ends_at:
                await self._receive(ends_at - time.monotonic())
            if self.connection is None or self.ended is not None:
                return

    async def terminate(self, restart=False):
        if self.zygote is None:
            await super().terminate(restart=restart)
        else:
            await self.kill(restart=restart)

    async def cleanup(self, restart=False):
        await super().cleanup(restart=restart)
        if self.zygote is not None and not restart:
            self._close()
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    async def _receive(self, timeout):
        """Wait for one message of the zygote; return it, or {} if there is none in time."""
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self.connection, arrived.set)
        try:
            await asyncio.wait_for(arrived.wait(), timeout)
        except TimeoutError:
            return {}
        finally:
            loop.remove_reader(self.connection)
        return self._note(self._read())

    def _read(self):
        try:
            return self.connection.recv(1 << 16)
        except ConnectionError:
            return b""

    def _note(self, data):
        message = json.loads(data) if data else {"exit": 128 + signal.SIGKILL}  # the zygote has gone, and all with it
        if "exit" in message:
            self.ended = message["exit"]
        return message

    def _close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def _listen(path):
    Path(path).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(16)
    return listener
