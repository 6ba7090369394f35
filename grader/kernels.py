"""Warm, confined kernels for Jupyter: a kernel provisioner, by entry point `sori-warm`.

The kernel is forked by the nursery, a process of this one's that has imported torch and the others, and runs in
the sandbox. Where that cannot be (macOS, Windows, a container without namespaces), the stock kernel serves.
"""

import asyncio
import atexit
import itertools
import json
import os
import select
import signal
import socket
import subprocess
import sys
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.provisioning import KernelProvisionerBase
from traitlets import Bool

from grader.held_out import covers
from grader.sandbox import Limits

PROVISIONER = "sori-warm"
#: Every library's threads: one, because a forked process has no others, and graders run side by side.
_ONE_THREAD = ("OMP", "MKL", "OPENBLAS", "NUMBA", "NUMEXPR", "VECLIB_MAXIMUM")
_START_SECONDS = 60.0
#: How long a warm process may take to import everything, in seconds: a machine may be busy, librosa not compiled.
_WARM_UP_SECONDS = 300.0


def plain_environment() -> dict[str, str]:
    """A kernel's environment: nothing of the instructor's but where programs lie."""
    threads = {f"{name}_NUM_THREADS": "1" for name in _ONE_THREAD}
    path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"])
    return {"PATH": path, "LANG": "C.UTF-8", "MPLBACKEND": "agg", "NBGRADER_EXECUTION": "autograde", **threads}


class _Nursery:
    """The warm process of this one, seen from here."""

    def __init__(self) -> None:
        self.slots = itertools.count(os.getpid() * 1000 % 400_000_000)
        self.channel, theirs = socket.socketpair()
        command = [sys.executable, "-m", "grader.nursery", str(theirs.fileno())]
        modules = os.pathsep.join(entry for entry in sys.path if entry)
        # librosa's compiled functions may be kept in the home folder; the kernels get another home
        environment = {**plain_environment(), "PYTHONPATH": modules, "HOME": str(Path.home())}
        self.process = subprocess.Popen(  # noqa: S603  (this Python, our own module)
            command, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd="/"
        )
        theirs.close()
        self.ready = False
        atexit.register(self.close)

    def wait_until_ready(self) -> None:
        """Return when everything is imported. `RuntimeError` where that ended, or did not end in time."""
        if self.ready:
            return
        self.channel.settimeout(_WARM_UP_SECONDS)
        try:
            self.ready = self.channel.recv(16) == b"ready\n"
        except OSError:
            self.ready = False
        if not self.ready:
            self.close()
            raise RuntimeError("the process that warm kernels are forked from did not start")

    def start(self, line: socket.socket, **request: Any) -> None:
        """Fork a kernel; its warden listens and reports on `line`."""
        message = json.dumps({"slot": next(self.slots), "environment": plain_environment(), **request})
        socket.send_fds(self.channel, [message.encode()], [line.fileno()])

    def close(self) -> None:
        """End the warm process; with it end its kernels."""
        self.channel.close()
        self.process.kill()
        self.process.wait()


@cache
def _nursery(_process: int) -> _Nursery:
    return _Nursery()


def begin_to_warm() -> None:
    """Start the warm process of this one, if there is none, and let it import while the caller does other things."""
    _nursery(os.getpid())


def _warm_process() -> _Nursery:
    """This process's nursery, or a new one where it has ended: a worker that lost it would fail all that follow."""
    if _nursery(os.getpid()).process.poll() is not None:
        _nursery.cache_clear()
    return _nursery(os.getpid())


class WarmProvisioner(KernelProvisionerBase):
    """Starts, interrupts and ends one confined kernel."""

    limits = Limits()
    without_test = Bool(False, help="whether the held-out recordings are hidden from it")
    line: socket.socket | None = None
    folder: str = ""
    exit_code: int | None = None
    #: Why the kernel was ended, where its warden ended it.
    reason = ""

    @property
    def has_process(self) -> bool:
        """Whether a kernel was started and not yet cleaned up."""
        return self.line is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Write the connection file; nothing else is needed."""
        manager = self.parent
        manager.write_connection_file()
        self.connection_info = manager.get_connection_info()
        self.folder = str(kwargs.pop("cwd", None) or "")
        kwargs.pop("extra_arguments", None)
        return await super().pre_launch(cmd=[], **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork the kernel and wait until it has bound its sockets."""
        self.line, theirs = socket.socketpair()
        self.exit_code, self.reason = None, ""
        self.line.settimeout(_START_SECONDS)
        nursery = _warm_process()
        with theirs:
            await asyncio.to_thread(nursery.wait_until_ready)
            nursery.start(
                theirs,
                connection_file=self.parent.connection_file,
                folder=self.folder,
                limits=asdict(self.limits),
                covers=str(covers()) if self.without_test else "",
            )
        found = await asyncio.to_thread(self.line.recv, 4096)
        if not found.strip().isdigit():
            raise RuntimeError(f"the confined kernel did not start: {found.decode(errors='replace').strip()}")
        return self.connection_info

    async def poll(self) -> int | None:
        """None while the kernel runs; otherwise its exit code."""
        if self.line is None:
            return 0
        if self.exit_code is None and select.select([self.line], [], [], 0)[0]:
            code, _, self.reason = self.line.recv(4096).decode().strip().partition(" ")
            self.exit_code = int(code) if code.lstrip("-").isdigit() else 1
        return self.exit_code

    async def wait(self) -> int | None:
        """Wait for the kernel's end."""
        while await self.poll() is None:
            await asyncio.sleep(0.01)
        return self.exit_code

    async def send_signal(self, signum: int) -> None:
        """Interrupt the kernel; any other signal ends it."""
        await self._order(b"i" if signum == signal.SIGINT else b"k")

    async def kill(self, restart: bool = False) -> None:
        """End the kernel and every process that it started."""
        await self._order(b"k")

    async def terminate(self, restart: bool = False) -> None:
        """The same: a student's kernel is not asked whether it is ready to end."""
        await self._order(b"k")

    async def sweep(self) -> None:
        """End every process but the kernel itself."""
        await self._order(b"s")

    async def _order(self, letter: bytes) -> None:
        if self.line is not None and await self.poll() is None:
            try:
                self.line.sendall(letter)
            except OSError:
                self.exit_code = 1

    async def cleanup(self, restart: bool = False) -> None:
        """Let go of the warden."""
        if self.line is not None:
            self.line.close()
            self.line = None


class WarmSpecs(KernelSpecManager):
    """Knows one kernel: the warm one."""

    without_test = Bool(False, help="whether the held-out recordings are hidden from it")

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Its specification, whatever the name."""
        return KernelSpec(
            argv=[sys.executable],
            display_name="Python 3, warm and confined",
            language="python",
            metadata={
                "kernel_provisioner": {
                    "provisioner_name": PROVISIONER,
                    "config": {"without_test": self.without_test},
                }
            },
        )
