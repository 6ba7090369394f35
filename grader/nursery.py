"""A process that has imported what every notebook imports, and forks a confined kernel from itself when asked.

Started by `kernels` as `python -m grader.nursery FD`; over the socket FD come requests, each a line of JSON with one
file descriptor: the socket between the new kernel's warden and its client. No student code runs in this process.
It must hold no secret (its memory is its kernels' memory) and have one thread (a forked child has no others).
"""

import fcntl
import gc
import json
import os
import random
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

from grader import confine, sandbox

#: User ids for kernels where the grader is root: far from anybody's; RLIMIT_NPROC counts by user.
_FIRST_UID = 1_500_000_000
#: Between a kernel and its guard: my sockets are bound; nothing more can be put beside them.
_BOUND, _CLOSED = b"bound", b"closed"


def main(channel: socket.socket) -> None:
    """Serve requests until the other end of `channel` is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the instructor's terminal is the client's to handle
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _warm_up()
    threads = sum(1 for _ in Path("/proc/self/task").iterdir())
    if threads != 1:
        raise RuntimeError(f"the warm process has {threads} threads; a fork would lose them")
    gc.collect()
    gc.freeze()  # the collector would touch, and so copy, every page in every child
    channel.sendall(b"ready\n")
    while True:
        request, lines, _, _ = socket.recv_fds(channel, 65536, 1)
        if not request:
            return
        if os.fork() == 0:
            channel.close()
            _stand_guard(json.loads(request), socket.socket(fileno=lines[0]))
        os.close(lines[0])


def _warm_up() -> None:
    import ipykernel.kernelapp  # noqa: F401
    import librosa
    import matplotlib
    import torch
    import torchaudio.functional  # noqa: F401  (loaded for the children)

    matplotlib.use("agg")
    import matplotlib.pyplot

    import grader.notebook  # noqa: F401
    from grader.compiled import compile_librosa

    torch.set_num_threads(1)
    with Path(librosa.__file__).open() as only_one_at_a_time:
        fcntl.flock(only_one_at_a_time, fcntl.LOCK_EX)
        compile_librosa()


def _stand_guard(request: dict[str, Any], line: socket.socket) -> NoReturn:
    """The forked child: isolates itself, forks the kernel, and watches it."""
    status = 1
    try:
        confine.die_with_parent()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        folder = Path(request["folder"]) if request["folder"] else None
        covers = Path(request["covers"]) if request["covers"] else None
        limits = sandbox.Limits(**request["limits"])
        view = sandbox.View(Path(request["connection_file"]).parent, folder, limits, covers)
        ours, theirs = socket.socketpair()
        sandbox.isolate()
        kernel = os.fork()
        if kernel == 0:
            ours.close()
            line.close()
            _be_kernel(request, view, theirs)
        theirs.close()
        warden = sandbox.Warden(kernel, line, view.limits)
        said = ours.recv(1000)
        if said == _BOUND:
            confine.make_read_only(view.sockets)  # its sockets are bound: nothing more is written there
            ours.sendall(_CLOSED)
            line.sendall(f"{kernel}\n".encode())
            warden.watch()
        else:
            line.sendall(b"error " + said + b"\n")
        status = 0
    except BaseException as error:
        line.sendall(f"error {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)


def _be_kernel(request: dict[str, Any], view: sandbox.View, guard: socket.socket) -> NoReturn:
    try:
        os.environ.clear()
        os.environ.update(
            request["environment"], HOME=str(sandbox.SCRATCH), IPYTHONDIR=str(sandbox.SCRATCH / ".ipython")
        )
        sandbox.enter(view, _FIRST_UID + request["slot"])
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        _run_ipykernel(request["connection_file"], guard)
    except Exception as error:
        guard.sendall(f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(1)


def _kernel_class() -> type:
    from ipykernel.kernelapp import IPKernelApp

    class Quiet(IPKernelApp):
        def log_connection_info(self) -> None:
            """Nobody at a terminal connects to it."""

    return Quiet


def _run_ipykernel(connection_file: str, guard: socket.socket) -> None:
    import numpy as np
    import torch
    from traitlets.config import Config

    seed = int.from_bytes(os.urandom(4), "little")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    app = _kernel_class().instance(config=Config({"HistoryManager": {"enabled": False}}))
    app.initialize(["-f", connection_file])
    guard.sendall(_BOUND)
    guard.recv(len(_CLOSED))
    guard.close()
    app.start()


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
