"""A class that was graded without kernels: each answer is judged once, then given to as many students as one likes."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from nbformat.v4 import new_notebook
from nbgrader.api import Grade, Gradebook, Student, SubmittedAssignment, SubmittedNotebook

from grader.answer import answer
from grader.course import CHECK, load_unit
from grader.examiner import Graded
from grader.exercise import find_exercise
from grader.gradebook import hand_in, nbgrader_api, place
from grader.intake import mend
from grader.judge import judge
from grader.outcome import Outcome

#: An answer that passes everything, and a stub as it was released.
RIGHT, NOT_WRITTEN = "right", "not written"


class Answers:
    """The outcomes of one unit's answers: RIGHT, NOT_WRITTEN, the name of a misconception, or code of one's own."""

    def __init__(self, root: Path, unit: str, own: Mapping[str, Callable] | None = None) -> None:
        self.unit = load_unit(root, unit)
        self.own = own or {}
        self.known: dict[tuple[str, str], Outcome] = {}

    def outcome(self, chosen: dict[str, str], seconds: float) -> Outcome:
        """What the examiner makes of a notebook with the answers `chosen` by exercise, and right ones elsewhere."""
        each = [self._outcome(name, chosen.get(name, RIGHT)) for name in self.unit.points]
        whole = {part: {k: v for one in each for k, v in getattr(one, part).items()} for part in PARTS}
        return Outcome(self.unit.name, **whole, outputs=[], seconds=seconds)

    def _outcome(self, exercise: str, given: str) -> Outcome:
        if (exercise, given) not in self.known:
            function = self._function(exercise, given)
            ask = lambda question: answer(function, question)  # noqa: E731
            verdicts = {exercise: judge(find_exercise(exercise), ask, "synthetic")}
            self.known[exercise, given] = Outcome.of(Graded(self.unit, verdicts, 0.0), new_notebook())
        return self.known[exercise, given]

    def _function(self, exercise: str, given: str) -> Callable:
        if given == RIGHT:
            return find_exercise(exercise)
        wrong = {one.name: one.function for one in find_exercise(exercise).misconceptions}
        return {NOT_WRITTEN: _stub, **self.own, **wrong}[given]


#: What an outcome says of each exercise.
PARTS = ("scores", "records", "shown")


def _stub(*_arguments: object) -> None:
    raise NotImplementedError


def enrol(root: Path, answers: Answers, given: dict[str, dict[str, str]], seconds: dict[str, float]) -> None:
    """Write a class as `grader grade` leaves it: `given` has each student's answers by exercise."""
    unit, api = answers.unit, nbgrader_api(root)
    blank = json.dumps(mend(new_notebook(), unit))
    with api.gradebook as gradebook:
        assignment = gradebook.find_assignment(unit.name)
        cells = {cell.name: cell for cell in assignment.notebooks[0].grade_cells}
        for student, chosen in given.items():
            outcome = answers.outcome(chosen, seconds.get(student, 1.0))
            notebook = mend(new_notebook(), unit)
            outcome.write_into(notebook)
            hand_in(root, unit.name, student, blank)
            folder = place(api, "autograded", unit.name, student)
            folder.mkdir(parents=True)
            (folder / f"{unit.name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
            submitted = SubmittedNotebook(notebook=assignment.notebooks[0])
            submitted.grades = [
                Grade(cell=cells[CHECK + name], auto_score=score, needs_manual_grade=False)
                for name, score in outcome.scores.items()
            ]
            gradebook.db.add(
                SubmittedAssignment(assignment=assignment, student=Student(id=student), notebooks=[submitted])
            )
        gradebook.db.commit()


def change(root: Path, what: Callable[[Gradebook], None]) -> None:
    """Change something in the gradebook, as an instructor would."""
    with nbgrader_api(root).gradebook as gradebook:
        what(gradebook)
        gradebook.db.commit()
