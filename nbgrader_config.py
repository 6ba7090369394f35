"""nbgrader's configuration: `nbgrader generate_assignment | autograde | generate_feedback | formgrader` from here."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent
WORK = "gradebook"  # submissions, grades and feedback: nothing in it belongs in the repository
EXCHANGE = Path("/usr/local/share/nbgrader/exchange")  # where a machine of many users has it
if not EXCHANGE.is_dir():
    EXCHANGE = ROOT / WORK / "exchange"
    EXCHANGE.mkdir(parents=True, exist_ok=True)
(ROOT / WORK).mkdir(exist_ok=True)

c = get_config()  # noqa: F821  (nbgrader provides it)
c.CourseDirectory.root = str(ROOT)
c.CourseDirectory.course_id = "sori"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "course"
c.CourseDirectory.submitted_directory = f"{WORK}/submitted"
c.CourseDirectory.autograded_directory = f"{WORK}/autograded"
c.CourseDirectory.feedback_directory = f"{WORK}/feedback"
# A class of thousands keeps its grades in PostgreSQL: GRADER_DB_URL=postgresql+psycopg://user:password@host/database
c.CourseDirectory.db_url = os.environ.get("GRADER_DB_URL") or f"sqlite:///{ROOT / WORK / 'gradebook.db'}"
c.Exchange.root = str(EXCHANGE)
c.Exchange.assignment_dir = str(ROOT / "course")  # where the assignment list fetches to and submits from
c.Execute.timeout = 900  # nbgrader's Validate: a training cell takes minutes
# Whatever else lies beside a unit's notebook would be copied to the students: never the source.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "__pycache__", "*.py", "*.pyc", ".sori"]

c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
c.GenerateAssignment.preprocessors = [
    "grader.release.SelectLanguage",
    "grader.release.Stamp",
    "nbgrader.preprocessors.LockCells",
    "nbgrader.preprocessors.ClearSolutions",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.SaveCells",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.CheckCellMetadata",
]

c.OverwriteCells.add_missing_cells = True
c.Autograde.sanitize_preprocessors = [
    "grader.intake.Mend",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.DeduplicateIds",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "grader.autograde.Examine",
    "nbgrader.preprocessors.LimitOutput",
    "grader.autograde.SaveVerdict",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
