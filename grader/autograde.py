"""The place of nbgrader's `Execute` in `nbgrader autograde`: the score is decided by the examiner."""

from pathlib import Path

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades
from traitlets import Bool, Float, Unicode

from grader import sandbox
from grader.course import CourseError, course_root, load_unit
from grader.examiner import CELL_SECONDS, NOTEBOOK_SECONDS, examine_notebook
from grader.outcome import Outcome
from grader.seed import grading_seed

#: Outcomes of submissions that were examined before nbgrader came to them, by unit and student.
READY: dict[tuple[str, str], Outcome] = {}


def confined(unsafe: bool) -> bool:
    """Whether kernels are confined here. `CourseError` where they cannot be and nobody said that this is fine."""
    reason = sandbox.missing()
    if reason and not unsafe:
        raise CourseError(
            f"This machine cannot confine student code ({reason}). Grade where `grader doctor` says that it can; or, "
            "for notebooks of people you trust with your own rights, add --unsafe (nbgrader: Examine.unsafe = True)."
        )
    return not reason


class Examine(NbGraderPreprocessor):
    """Examines a notebook, or takes its outcome where it was examined already, and writes it where nbgrader looks."""

    cell_seconds = Float(CELL_SECONDS, help="How long one cell may run, in seconds.").tag(config=True)
    notebook_seconds = Float(NOTEBOOK_SECONDS, help="How long all cells of a notebook may run.").tag(config=True)
    root = Unicode("", help="The course's folder; by default the one around the submission.").tag(config=True)
    unsafe = Bool(False, help="Run student code with your own rights where there is no sandbox.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Write the verdicts into the check cells, where nbgrader finds score and feedback."""
        marks = resources["nbgrader"]
        outcome = READY.pop((marks["assignment"], marks["student"]), None)
        if outcome is None:
            folder = Path(resources["metadata"]["path"])
            root = course_root(Path(self.root) if self.root else folder)
            graded = examine_notebook(
                nb,
                load_unit(root, marks["assignment"]),
                grading_seed(root),
                folder=folder,
                confined=confined(self.unsafe),
                cell_seconds=self.cell_seconds,
                notebook_seconds=self.notebook_seconds,
            )
            outcome = Outcome.of(graded, nb)
        outcome.write_into(nb)
        return nb, resources


class SaveVerdict(SaveAutoGrades):
    """nbgrader's `SaveAutoGrades`, in one transaction: a verdict is in the gradebook whole or not at all.

    nbgrader writes cell by cell, so that whoever looks, or whatever ends the process, in between finds half a verdict.
    """

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Write all points and comments, then commit."""
        marks = resources["nbgrader"]
        self.notebook_id, self.assignment_id = marks["notebook"], marks["assignment"]
        self.student_id, self.db_url = marks["student"], marks["db_url"]
        with Gradebook(self.db_url) as self.gradebook:
            session = self.gradebook.db
            commit, session.commit = session.commit, session.flush
            for index, cell in enumerate(nb.cells):
                self.preprocess_cell(cell, resources, index)
            commit()
        return nb, resources
