"""nbgrader in this process: its API set up from the course's own configuration."""

import logging
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.apps import NbGraderAPI
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from grader.course import CourseError, load_unit, read_notebook


def nbgrader_config(root: Path, **overrides: dict[str, Any]) -> Config:
    """The configuration in `root`/nbgrader_config.py, with some traits overridden, as in `Stamp={"branch": "v1"}`."""
    config = PyFileConfigLoader("nbgrader_config.py", path=str(root)).load_config()
    config.merge(Config(overrides))
    return config


def nbgrader_api(root: Path, **overrides: dict[str, Any]) -> NbGraderAPI:
    """nbgrader's own API on the course at `root`."""
    # nbgrader starts `alembic` by name to make its database; it lies beside this Python.
    beside = str(Path(sys.executable).parent)
    if beside not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([beside, os.environ.get("PATH", "")])
    # nbgrader 0.9 builds its objects in an order that SQLAlchemy 2.1 remarks on; what it stores is right.
    warnings.filterwarnings("ignore", message="Object of type <Submitted")
    config = nbgrader_config(root, **overrides)
    config.NbGraderAPI.log_level = logging.WARNING
    return NbGraderAPI(config=config)


@dataclass(frozen=True)
class Submission:
    """How grading one submission went. `trouble` says why it needs a human; otherwise it has a score."""

    student: str
    unit: str
    score: float
    max_score: float
    records: tuple[dict, ...] = ()
    trouble: str = ""


def hand_in(root: Path, unit: str, student: str, content: str) -> Path:
    """Put a notebook where nbgrader collects submissions, as its exchange would."""
    folder = root / nbgrader_config(root).CourseDirectory.submitted_directory / student / unit
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{unit}.ipynb"
    path.write_text(content, encoding="utf-8")
    return path


def grade(api: NbGraderAPI, unit: str, student: str) -> Submission:
    """Autograde one submission with nbgrader and read back what it earned. Never raises for what was handed in."""
    root = Path(api.coursedir.root)
    max_score = load_unit(root, unit).max_score
    handed_in = root / api.coursedir.submitted_directory / student / unit / f"{unit}.ipynb"
    try:
        read_notebook(handed_in)
    except CourseError as error:
        return Submission(student, unit, 0.0, max_score, trouble=str(error).replace(f"{handed_in} ", "The file "))
    result = api.autograde(unit, student)
    if not result["success"]:
        lines = (result.get("log", "") + result.get("error", "")).strip().splitlines()
        return Submission(student, unit, 0.0, max_score, trouble=lines[-1] if lines else "nbgrader failed")
    with api.gradebook as gradebook:
        score = gradebook.find_submission(unit, student).score
    graded = read_notebook(root / api.coursedir.autograded_directory / student / unit / f"{unit}.ipynb")
    records = tuple(cell.metadata["sori"] for cell in graded.cells if "sori" in cell.metadata)
    return Submission(student, unit, score, max_score, records)
