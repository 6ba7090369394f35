"""What the set-up cell calls first: is this course new enough for the notebook, and is what it imports here?

It adds what is missing and changes nothing that is installed. Only the standard library is imported, and old Pythons
can read it: this is where they are told.
"""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

#: What the notebooks import, under the names that PyPI knows as well. Colab has all of it.
NEEDED = [
    "torch",
    "torchaudio",
    "numpy",
    "scipy",
    "librosa",
    "matplotlib",
    "safetensors",
    "soundfile",
    "tqdm",
    "ipywidgets",
    "filelock",
]
OLDEST_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parents[1]


class NotSetUpError(Exception):
    """The notebook cannot run here. The message says what to do; Jupyter shows it without a traceback."""

    def _render_traceback_(self) -> list:  # what IPython shows in place of a traceback
        return [str(self)]


def prepare(wanted: str) -> None:
    """Make sure that a notebook that wants version `wanted` of the course can run; add packages that are missing.

    Raises `NotSetUpError`, which says what to do. While a notebook is graded it does nothing.
    """
    if os.environ.get("NBGRADER_EXECUTION"):
        return
    if sys.version_info < OLDEST_PYTHON:
        here, oldest = ".".join(map(str, sys.version_info[:2])), ".".join(map(str, OLDEST_PYTHON))
        raise NotSetUpError(f"This is Python {here}; the course needs {oldest} or newer.")
    found = course_version()
    if _numbers(found) < _numbers(wanted):
        raise NotSetUpError(
            f"This notebook needs version {wanted} of the course; the one in {ROOT} is {found}. If an earlier notebook "
            "fetched that folder, delete it (your answers are in the notebooks, not in it), restart the kernel and "
            "run this cell again. In a copy of the whole course: `git pull`."
        )
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        _add(missing)
    if "google.colab" in sys.modules:
        print("Ready. Colab forgets this machine: to keep your work, File → Save a copy in Drive, or in GitHub.")


def course_version() -> str:
    """The version of the course that this package belongs to."""
    project = ROOT / "pyproject.toml"
    if project.is_file():
        return re.search(r'^version = "([^"]+)"', project.read_text(encoding="utf-8"), re.MULTILINE)[1]
    return metadata.version("sori")


def _numbers(version: str) -> list:
    return [int(number) for number in re.findall(r"\d+", version)]


def _add(missing: list) -> None:
    """Install what is missing, with everything that is installed held at its version: pip may add, not change."""
    asked = [_requirement(name) for name in missing]
    command = "%pip install " + " ".join(f'"{one}"' for one in asked)
    if "torch" in missing:  # gigabytes: nobody should get them by running a cell
        raise NotSetUpError(
            f"Missing here: {', '.join(missing)}. PyTorch is a download of up to some gigabytes, so start it yourself, "
            f"in a cell of its own:\n\n    {command}\n\nThen restart the kernel and run this cell again."
        )
    print(f"Adding what is missing: {', '.join(missing)}.")
    with tempfile.TemporaryDirectory() as scratch:
        held = Path(scratch) / "installed.txt"
        pins = {one.metadata["Name"]: one.version for one in metadata.distributions() if one.metadata["Name"]}
        held.write_text("".join(f"{name}=={version}\n" for name, version in sorted(pins.items())), encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", str(held)]
        done = subprocess.run([*pip, *asked], capture_output=True, text=True)  # noqa: S603  (our own words)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise NotSetUpError(
            f"{', '.join(missing)} could not be added without changing what is installed ({said}). To do it yourself, "
            f"in a cell of its own:\n\n    {command}\n\nThen restart the kernel and run this cell again."
        )
    importlib.invalidate_caches()


def _requirement(name: str) -> str:
    """What to ask pip for: torchaudio of the version of torch, else the range that the course declares."""
    if name == "torchaudio" and importlib.util.find_spec("torch"):
        return "torchaudio=={}".format(metadata.version("torch").partition("+")[0])
    project = ROOT / "pyproject.toml"
    declared = re.search(rf'^    "({name}\b[^"]*)",$', project.read_text(encoding="utf-8"), re.MULTILINE)
    return declared[1] if declared else name
