"""nbgrader in this process: its API set up from the course's own configuration."""

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from nbgrader.apps import NbGraderAPI
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader


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


def hand_in(root: Path, unit: str, student: str, content: str) -> Path:
    """Put a notebook where nbgrader collects submissions, as its exchange would."""
    folder = root / nbgrader_config(root).CourseDirectory.submitted_directory / student / unit
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{unit}.ipynb"
    path.write_text(content, encoding="utf-8")
    return path


def place(api: NbGraderAPI, kind: str, unit: str, student: str) -> Path:
    """A student's folder of one unit: `kind` is "submitted", "autograded" or "feedback"."""
    return Path(api.coursedir.root) / getattr(api.coursedir, f"{kind}_directory") / student / unit
