"""One submission as plain data, and how a worker examines it: needs no shared files and no gradebook."""

import hashlib
import json
import tempfile
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import nbformat

from grader.autograde import confined
from grader.course import CourseError, Unit
from grader.examiner import examine_notebook
from grader.outcome import Outcome

_PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Work:
    """What examining one submission takes, the seed included; it goes to workers, never into a student's kernel.

    `notebook` is a mended notebook's JSON, `files` what was handed in beside it, by relative path, in base64;
    `unit` is what `Unit.to_plain` gives, `grader` the fingerprint of the package that made this.
    """

    notebook: str
    files: dict[str, str]
    unit: dict
    seed: str
    unsafe: bool
    cell_seconds: float
    notebook_seconds: float
    grader: str

    @property
    def key(self) -> str:
        """Names this work and no other: the same submission, unit, seed, limits and grader give the same outcome."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Work":
        """From the text of `to_json`."""
        return cls(**json.loads(text))


def files_beside(folder: Path) -> dict[str, str]:
    """The plain files of a folder but its notebooks, as `Work.files`."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".ipynb")
    return {path.relative_to(folder).as_posix(): b64encode(path.read_bytes()).decode() for path in found}


@cache
def fingerprint() -> str:
    """Twelve characters that differ where this package's code or its tables of recordings do."""
    digest = hashlib.sha256()
    for path in sorted([*_PACKAGE.rglob("*.py"), *(_PACKAGE.parent / "data").glob("*.tsv")]):
        digest.update(path.relative_to(_PACKAGE.parent).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def examine(text: str) -> str:
    """Examine the `Work` in `text` in a kernel of its own; its `Outcome` as JSON.

    Raises `CourseError` where this machine is not fit to examine it: another grader, or no sandbox.
    """
    sent = json.loads(text).get("grader")
    if sent != fingerprint():
        raise CourseError(
            f"The grader installed at {_PACKAGE.parent} on a worker has the fingerprint {fingerprint()}, the one that "
            f"sent it work has {sent}. Install the same commit of this project, with its data/, on every machine."
        )
    work = Work.from_json(text)
    notebook = nbformat.reads(work.notebook, as_version=4)
    with tempfile.TemporaryDirectory(prefix="sori-work-") as place:
        for name, content in work.files.items():
            path = Path(place) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b64decode(content))
        graded = examine_notebook(
            notebook,
            Unit.from_plain(work.unit),
            work.seed,
            folder=Path(place),
            confined=confined(work.unsafe),
            cell_seconds=work.cell_seconds,
            notebook_seconds=work.notebook_seconds,
        )
    return Outcome.of(graded, notebook).to_json()
