"""A course with secrets planted in it, and a look at what hostile code did to it."""

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import nbformat
import pytest
from nbformat import NotebookNode

from grader.course import grade_id, load_unit
from grader.examiner import Graded, examine_notebook
from grader.intake import mend
from tests.conftest import edited, is_solution, make_course
from tests.hostile.notebooks import LEFT_BEHIND, SECRET, Hostile

UNIT = "00_start"


@dataclass(frozen=True)
class Trap:
    """A course to be attacked: its root, and the port of a server on this machine that tells the secret."""

    root: Path
    port: int

    def notebook(self, hostile: Hostile) -> NotebookNode:
        """What `hostile` hands in."""
        answers = {"num_samples": hostile.num_samples, "rms": hostile.rms}
        notebook = edited(self.root, UNIT, lambda cell: answers.get(grade_id(cell)) if is_solution(cell) else None)
        for cell in notebook.cells:
            if grade_id(cell) == "check_num_samples" and hostile.metadata:
                cell.metadata.update({**hostile.metadata, "nbgrader": _forged(cell, hostile)})
        about = f"ROOT, PORT, ABSTRACT = {str(self.root)!r}, {self.port}, {_abstract()!r}\n"
        notebook.cells.insert(2, nbformat.v4.new_code_cell(about + hostile.code))
        return notebook

    def examine(self, hostile: Hostile, **options: object) -> tuple[Graded, NotebookNode]:
        """Grade it, with every secret in this process's environment."""
        unit = load_unit(self.root, UNIT)
        mended = mend(self.notebook(hostile), unit)
        with mock.patch.dict(os.environ, GRADER_SEED=SECRET, SORI_TEST_SECRET=SECRET):
            return examine_notebook(mended, unit, SECRET, cell_seconds=4.0, folder=self.submission, **options), mended

    @property
    def submission(self) -> Path:
        """The folder of the one who attacks."""
        return self.root / "gradebook" / "submitted" / "mallory" / UNIT

    def state(self) -> str:
        """A digest of every file of the course."""
        digest = hashlib.sha256()
        for path in sorted(self.root.rglob("*")):
            digest.update(str(path).encode() + (path.read_bytes() if path.is_file() else b""))
        return digest.hexdigest()


def _abstract() -> str:
    """The name of this process's server on an abstract socket."""
    return f"\0sori-hostile-test-{os.getpid()}"


def _forged(cell: NotebookNode, hostile: Hostile) -> object:
    forged = hostile.metadata.get("nbgrader", {})
    return {**cell.metadata["nbgrader"], **forged} if isinstance(forged, dict) else forged


@pytest.fixture(scope="session")
def trap(tmp_path_factory) -> Iterator[Trap]:
    """The course, its secrets, and two servers that tell them."""
    root = make_course(tmp_path_factory.mktemp("trap"), [UNIT])
    for place in (
        "solutions/00_start/notes.txt",
        "gradebook/seed",
        "gradebook/submitted/alice/00_start/00_start.ipynb",
    ):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(SECRET)
    (root / "gradebook" / "submitted" / "mallory" / UNIT).mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(_abstract())
        abstract.listen()
        for server in (tcp, abstract):
            threading.Thread(target=_tell, args=(server,), daemon=True).start()
        yield Trap(root, tcp.getsockname()[1])


def _tell(server: socket.socket) -> None:
    while True:
        try:
            line, _ = server.accept()
        except OSError:
            return
        with line:
            line.sendall(SECRET.encode())


@pytest.fixture
def left_running() -> Callable[[], list[str]]:
    """The processes that hostile code left behind."""

    def look() -> list[str]:
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                words = (place / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if LEFT_BEHIND.encode() in words:
                found.append(place.name)
        return found

    return look
