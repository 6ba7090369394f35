"""The grader's end of a student's kernel: starts it, runs cells, asks; what comes back is bounded in time and size."""

import asyncio
import os
import sys
import time
from pathlib import Path
from queue import Empty
from typing import Any

import zmq
from jupyter_client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbclient.util import run_sync
from nbformat import NotebookNode
from traitlets.config import Config

from grader.codec import CodecError

#: What one cell may show in all, in bytes.
MAX_OUTPUT = 8 * 2**20
#: The largest message that is read from a kernel, and how many wait: what it publishes, and what it answers.
_PUBLISHED = (64 * 2**20, 16)
_ANSWERED = (96 * 2**20, 8)
#: Seconds that a kernel has to answer after a cell of its was interrupted.
GRACE_SECONDS = 5.0
#: What taking a message apart may raise, where it is not of the form that kernels send.
_FORMLESS = (KeyError, TypeError, AttributeError, IndexError, ValueError)


def environment() -> dict[str, str]:
    """The environment of a kernel outside the sandbox: this one, without what is the instructor's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRADER_")}
    return {**kept, "NBGRADER_EXECUTION": "autograde", "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}


def kernel_manager(sockets: Path, *, confined: bool, without_test: bool) -> AsyncKernelManager:
    """The manager of one kernel, which it meets at sockets that are files in a folder of ours, where there are such."""
    options: dict[str, Any] = {"client_class": f"{__name__}.BoundedClient", "cache_ports": False}
    if sys.platform != "win32":
        options |= {"transport": "ipc", "connection_file": str(sockets / "kernel.json")}
    if confined:
        from grader.kernels import WarmSpecs

        options["kernel_spec_manager"] = WarmSpecs(without_test=without_test)
    return AsyncKernelManager(kernel_name="python3", **options)


class BoundedClient(AsyncKernelClient):
    """Reads no message of any size, keeps no long queue, and is ready as soon as the kernel is."""

    def _create_connected_socket(self, channel: str, identity: bytes | None = None) -> zmq.Socket:
        size, count = _PUBLISHED if channel == "iopub" else _ANSWERED
        self.context.setsockopt(zmq.MAXMSGSIZE, size)
        self.context.setsockopt(zmq.RCVHWM, count)
        return super()._create_connected_socket(channel, identity)

    async def _async_wait_for_ready(self, timeout: float | None = None) -> None:
        """Ask until the kernel has answered and what it publishes arrives."""
        end = time.monotonic() + (timeout or 60.0)
        answered = heard = False
        while not (answered and heard):
            self.kernel_info()
            answered = answered or await self._hears(self.shell_channel, 1.0)
            heard = heard or await self._hears(self.iopub_channel, 0.1)
            if not await self.parent.is_alive():
                raise RuntimeError("the kernel ended before it was ready")
            if time.monotonic() > end:
                raise RuntimeError("the kernel was not ready in time")

    @staticmethod
    async def _hears(channel: Any, seconds: float) -> bool:
        try:
            await channel.get_msg(timeout=seconds)
        except Empty:
            return False
        return True

    wait_for_ready = _async_wait_for_ready


class CellClient(NotebookClient):
    """nbclient with a deadline that holds, bounded output, and questions between two cells."""

    def __init__(
        self,
        notebook: NotebookNode,
        sockets: Path,
        folder: Path | None,
        *,
        confined: bool,
        without_test: bool = False,
    ) -> None:
        super().__init__(
            notebook,
            km=kernel_manager(sockets, confined=confined, without_test=without_test),
            interrupt_on_timeout=True,
            error_on_timeout={"ename": "TimeoutError", "evalue": "", "traceback": []},
            allow_errors=True,
            resources={"metadata": {"path": str(folder)}} if folder else {},
            shutdown_kernel="immediate",
            config=Config(),
        )
        self.owns_km = True
        self.shown = 0
        self.late = False
        self.ended = ""

    def run_cell(self, cell: NotebookNode, index: int, seconds: float) -> bool:
        """Execute a cell; False where its time ran out. `DeadKernelError` says why where it ended the kernel."""
        self.timeout = seconds
        self.shown = 0
        try:
            self.execute_cell(cell, index)
        except DeadKernelError:
            raise DeadKernelError(self.ended or self._provisioner_says()) from None
        except _FORMLESS:
            self._end("it sent messages that no kernel sends")
            raise DeadKernelError(self.ended) from None
        if not self.late:
            return True
        self.late = False
        try:
            self.evaluate("None", GRACE_SECONDS)
        except CodecError:
            self._end("it went on after its time was up")
            raise DeadKernelError(self.ended) from None
        return False

    def check_ready(self) -> None:
        """End what a cell left running; `DeadKernelError` where it left the kernel unable to answer."""
        sweep = getattr(self.km.provisioner, "sweep", None)
        for wait in (0.0, 0.2, 1.0):
            time.sleep(wait)
            if sweep:
                run_sync(sweep)()
            try:
                if self.evaluate("__import__('grader.answer').answer.ready()", GRACE_SECONDS) == "'ready'":
                    return
            except CodecError:
                continue
        self._end("it left nothing to work with: threads, files, memory, or the code that answers")
        raise DeadKernelError(self.ended)

    async def _async_handle_timeout(self, timeout: int, cell: NotebookNode | None = None) -> dict[str, Any] | None:
        self.late = True
        return await super()._async_handle_timeout(timeout, cell)

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Take one message of a cell's, until they are too many."""
        self.shown += _size(msg["content"])
        if self.shown > MAX_OUTPUT:
            if not self.ended:
                self._end(f"it printed more than {MAX_OUTPUT // 2**20} MiB")
            return None
        return super().process_message(msg, cell, cell_index)

    async def async_evaluate(self, expression: str, seconds: float) -> str:
        """The text of an expression's value in the kernel. `CodecError` where there is none in time, or no text."""
        try:
            return await self._text_of(expression, seconds)
        except CodecError:
            raise
        except _FORMLESS as error:
            raise CodecError(f"its reply has no form that is known ({type(error).__name__})") from error

    async def _text_of(self, expression: str, seconds: float) -> str:
        message_id = self.kc.execute("", silent=True, store_history=False, user_expressions={"reply": expression})
        try:
            async with asyncio.timeout(seconds):
                while True:
                    if not await self.km.is_alive():
                        raise DeadKernelError(self._provisioner_says())
                    try:
                        message = await self.kc.get_shell_msg(timeout=1)
                    except Empty:
                        continue
                    if message["parent_header"].get("msg_id") == message_id:
                        break
        except TimeoutError:
            await self.km.interrupt_kernel()
            raise CodecError("no reply in time") from None
        found = message["content"].get("user_expressions", {}).get("reply", {})
        if found.get("status") != "ok":
            raise CodecError(f"the kernel could not answer ({found.get('ename', 'no reply')})")
        return str(found["data"]["text/plain"])

    evaluate = run_sync(async_evaluate)

    def _end(self, why: str) -> None:
        self.ended = why
        run_sync(self.km.provisioner.kill)()

    def _provisioner_says(self) -> str:
        return getattr(self.km.provisioner, "reason", "")


def _size(content: Any) -> int:
    """Characters in a message's content."""
    if isinstance(content, str):
        return len(content)
    if isinstance(content, dict):
        return sum(_size(key) + _size(value) for key, value in content.items())
    if isinstance(content, list):
        return sum(map(_size, content))
    return 8
