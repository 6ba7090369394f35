"""What a student's kernel may see, use and reach.

A kernel in the sandbox has its own processes, network (none), root folder and user rights. It sees, read-only, the
Python it runs on, this package without its exercises, and the course's recordings; it writes to a scratch folder
of limited size. `enter` makes it so for the calling process; `Warden` stands outside and enforces what the kernel
of Linux does not: memory in all, and the end of everything when the kernel ends.
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from grader import confine
from grader.files import copy_plain_files
from grader.recordings import DATA

MIB = 2**20
#: Where a kernel writes, and its home in there.
SCRATCH = Path("/tmp/student")  # noqa: S108  (inside the sandbox)
_PACKAGE = Path(__file__).resolve().parent
_SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin")
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "fonts", "alternatives")
_DEVICES = ("null", "zero", "full", "random", "urandom")
#: Seconds between two looks at the memory.
_LOOK_EVERY = 0.1
#: How often a sweep begins again while processes start others.
_SWEEPS = 200


@dataclass(frozen=True)
class Limits:
    """What one kernel may use in all. Bytes, and seconds of processor time for a process."""

    memory: int = 3 * 1024 * MIB
    disk: int = 256 * MIB
    file_size: int = 64 * MIB
    processes: int = 128
    open_files: int = 512
    cpu_seconds: int = 1800


@dataclass(frozen=True)
class View:
    """What a kernel sees besides the system: `folder`'s plain files as copies, `sockets` where it meets its client.

    Files of `covers` stand in the place of the recordings' files of the same names.
    """

    sockets: Path
    folder: Path | None = None
    limits: Limits = field(default_factory=Limits)
    covers: Path | None = None


def isolate() -> None:
    """Leave the machine's namespaces; the next fork is the first process of a new world."""
    flags = confine.CLONE_NEWNS | confine.CLONE_NEWPID | confine.CLONE_NEWNET
    flags |= confine.CLONE_NEWIPC | confine.CLONE_NEWUTS | confine.CLONE_NEWCGROUP
    if os.geteuid() == 0:
        confine.unshare(flags)
    else:
        uid, gid = os.geteuid(), os.getegid()
        confine.unshare(flags | confine.CLONE_NEWUSER)
        confine.map_self(uid, gid)


def enter(view: View, uid: int) -> None:
    """Make the view this process's root and give up every right. Called by the first process after `isolate`.

    `uid` is whom to become where the grader is root; an ordinary user stays who they are, without rights.
    """
    root = os.geteuid() == 0
    owner = uid if root else os.geteuid()
    confine.mount("none", Path("/"), flags=confine.MS_REC | confine.MS_PRIVATE)
    new = view.sockets / "root"
    new.mkdir()
    confine.mount("tmpfs", new, "tmpfs", confine.MS_NOSUID, "size=1m,mode=755")
    _give_scratch(new, view, owner)  # first: the course may lie in /tmp
    _show_system(new, owner)
    if view.covers:
        _cover(new, view.covers)
    confine.mount("proc", _folder(new, Path("/proc")), "proc", _PLAIN)
    confine.change_root(new)
    confine.make_read_only(Path("/"), below=False)
    _limit(view.limits)
    if root:
        confine.become(uid, uid)
    confine.drop_capabilities()
    confine.filter_system_calls()
    confine.die_with_parent()
    os.setsid()
    os.chdir(SCRATCH)


_PLAIN = confine.MS_NOSUID | confine.MS_NODEV | confine.MS_NOEXEC


def _show_system(new: Path, owner: int) -> None:
    """Read-only: the system's programs, this Python, this package without its exercises, the recordings."""
    wanted = [Path(path) for path in _SYSTEM]
    wanted += [Path(path) for path in (sys.base_prefix, sys.prefix)]
    wanted += [Path(path).resolve() for path in (sys.base_prefix, sys.prefix)]
    wanted += [path for entry in sys.path if (path := Path(entry)).name in ("site-packages", "dist-packages")]
    wanted += [_PACKAGE, DATA]
    shown: list[Path] = []
    for path in wanted:
        if path.is_symlink() and path.parent == Path("/"):
            (new / path.name).symlink_to(path.readlink())
        elif path.is_dir() and not any(path.is_relative_to(one) for one in shown):
            _bind(path, new)
            shown.append(path)
    _hide(new, _PACKAGE / "exercises")
    etc = _folder(new, Path("/etc"))
    for name in _ETC:
        if (Path("/etc") / name).exists():
            _bind(Path("/etc") / name, new)
    (etc / "passwd").write_text(f"student:x:{owner}:{owner}::{SCRATCH}:/bin/sh\n")
    (etc / "hosts").write_text("127.0.0.1 localhost\n")
    for name in _DEVICES:
        target = _folder(new, Path("/dev")) / name
        target.touch()
        confine.bind(Path("/dev") / name, target)


def _give_scratch(new: Path, view: View, owner: int) -> None:
    """Writable, of limited size: /tmp with the student's folder in it, and shared memory."""
    limits = view.limits
    for path, size in ((Path("/tmp"), limits.disk), (Path("/dev/shm"), limits.disk)):  # noqa: S108
        options = f"size={size},nr_inodes=20000,mode=1777"
        confine.mount("tmpfs", _folder(new, path), "tmpfs", confine.MS_NOSUID | confine.MS_NODEV, options)
    scratch = _folder(new, SCRATCH)
    if view.folder:
        copy_plain_files(view.folder, scratch)
    for path in (scratch, *scratch.rglob("*")):
        os.chown(path, owner, -1, follow_symlinks=False)
    sockets = _folder(new, view.sockets)
    for path in (view.sockets, *view.sockets.iterdir()):
        os.chown(path, owner, -1)
    confine.bind(view.sockets, sockets, below=False)


def _folder(new: Path, path: Path) -> Path:
    """The folder `path` under the new root, made if it is not there."""
    target = new / path.relative_to("/")
    target.mkdir(parents=True, exist_ok=True)
    return target


def _bind(path: Path, new: Path) -> None:
    target = new / path.relative_to("/")
    if path.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    confine.bind(path, target)
    confine.make_read_only(target)


def _hide(new: Path, path: Path) -> None:
    """Cover a folder with an empty one."""
    target = new / path.relative_to("/")
    confine.mount("tmpfs", target, "tmpfs", _PLAIN, "size=4k,mode=555")
    confine.make_read_only(target)


def _cover(new: Path, covers: Path) -> None:
    """Put each file of `covers` in the place of the recordings' file of that name."""
    for path in covers.rglob("*"):
        if path.is_file():
            target = new / DATA.relative_to("/") / path.relative_to(covers)
            confine.bind(path, target)
            confine.make_read_only(target)


def _limit(limits: Limits) -> None:
    import resource  # not on Windows, where this module is imported too

    now = _kib("/proc/self/status", ("VmData:",)) * 1024
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, limits.file_size),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_DATA, now + limits.memory),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        resource.setrlimit(what, (most, most))


class Warden:
    """Stands outside one sandbox: ends it when its client goes, when its memory is used up, or when told to.

    `line` is a socket to the client: the bytes "i" (interrupt), "s" (sweep: end all but the kernel) and "k" (kill)
    come in; what ended the kernel goes out as a line of text.
    """

    def __init__(self, kernel: int, line: socket.socket, limits: Limits) -> None:
        self.kernel = kernel
        self.line = line
        self.limits = limits
        self.reason = ""

    def watch(self) -> None:
        """Stay until the kernel has ended, and say how it did."""
        ended = os.pidfd_open(self.kernel)
        while True:
            ready, _, _ = select.select([ended, self.line], [], [], _LOOK_EVERY)
            if ended in ready:
                break
            if self.line in ready:
                self._obey(self.line.recv(16))
            if not self.reason and self._memory() > self.limits.memory:
                self._end(f"it used more than {self.limits.memory // MIB} MiB of memory")
        _, status = os.waitpid(self.kernel, 0)
        with contextlib.suppress(OSError):
            self.line.sendall(f"{os.waitstatus_to_exitcode(status)} {self.reason}\n".encode())

    def _obey(self, orders: bytes) -> None:
        if not orders or b"k" in orders:
            self._end("")
        elif b"i" in orders:
            os.kill(self.kernel, signal.SIGINT)
        if b"s" in orders:
            self._sweep()

    def _sweep(self) -> None:
        """End every process but the kernel, which is number 1 in there: first stopped, so that none starts others."""
        for _ in range(_SWEEPS):
            others = [path for path in Path("/proc").iterdir() if path.name.isdigit() and path.name != "1"]
            running = [path for path in others if _state(path) not in "XZ"]
            if not running:
                return
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for path in running:
                    _signal(path, number)
            time.sleep(0.002)

    def _end(self, reason: str) -> None:
        self.reason = self.reason or reason
        os.kill(self.kernel, signal.SIGKILL)

    def _memory(self) -> int:
        """Bytes that all processes of the sandbox use; /proc here shows these alone."""
        pids = [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]
        used = sum(_kib(f"/proc/{pid}/status", ("RssAnon:", "RssShmem:")) for pid in pids) * 1024
        if used > self.limits.memory:  # counts pages that processes share as often as they are shared
            used = sum(_kib(f"/proc/{pid}/smaps_rollup", ("Pss_Anon:", "Pss_Shmem:")) for pid in pids) * 1024
        return used


def _state(process: Path) -> str:
    """The letter of a process's state: Z where it has ended and nobody asked, X where it has gone."""
    with contextlib.suppress(OSError):
        return (process / "stat").read_text().rpartition(") ")[2][0]
    return "X"


def _signal(process: Path, number: int) -> None:
    """Signal a process by its folder in /proc: its number there is another than the one here."""
    with contextlib.suppress(OSError):
        handle = os.open(process, os.O_RDONLY | os.O_DIRECTORY)
        try:
            signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def _kib(path: str, names: tuple[str, ...]) -> int:
    """The sum of some lines of a table in /proc, in KiB; 0 for a process that has gone."""
    with contextlib.suppress(OSError):
        return sum(int(line.split()[1]) for line in Path(path).read_text().splitlines() if line.startswith(names))
    return 0


@cache
def missing() -> str:
    """Why this machine cannot confine kernels; empty where it can. Tried once, in a process of its own."""
    reason = confine.supported()
    if reason:
        return reason
    with tempfile.TemporaryDirectory(prefix="sori-") as sockets:
        command = [sys.executable, "-c", "import sys; from grader.sandbox import _try; _try(sys.argv[1])", sockets]
        tried = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=_PACKAGE.parent)  # noqa: S603
    return "" if tried.returncode == 0 else (tried.stderr.strip().splitlines() or ["it failed"])[-1]


def _try(sockets: str) -> None:
    """Enter a sandbox and leave; the exit status says whether that worked."""
    isolate()
    child = os.fork()
    if child == 0:
        try:
            enter(View(Path(sockets)), 1_400_000_000)
            os._exit(0)
        except OSError as error:
            os.write(2, f"{error}\n".encode())
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))
