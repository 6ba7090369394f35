"""What the gradebook says that a class earned, grades given by hand and late penalties included."""

from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import Assignment, BaseCell, Grade, MissingEntry, Student, SubmittedAssignment, SubmittedNotebook

from grader.course import CHECK, CourseError, load_unit
from grader.gradebook import nbgrader_api


@dataclass(frozen=True)
class Grades:
    """One student's grades of one unit: `scores` in points by exercise, `penalty` in points for handing in late.

    `scores` is empty where what was handed in has no grades yet. `lms_id` is the student's number in the learning
    management system; names, address and number are empty where the gradebook has none.
    """

    student: str
    first_name: str
    last_name: str
    email: str
    lms_id: str
    scores: dict[str, float]
    penalty: float

    @property
    def total(self) -> float:
        """The points that count, as nbgrader counts them: the penalty taken away, never less than nothing."""
        return round(max(0.0, sum(self.scores.values()) - self.penalty), 4)

    @property
    def name(self) -> str:
        """`Last, First`, or as much as is known, or the id."""
        return ", ".join(part for part in (self.last_name, self.first_name) if part) or self.student


def read_grades(root: Path, unit: str) -> list[Grades]:
    """The grades of everybody who handed in `unit`, by student id. `CourseError` where the unit was never released."""
    load_unit(root, unit)
    found: dict[str, Grades] = {}
    with nbgrader_api(root).gradebook as gradebook:
        try:
            gradebook.find_assignment(unit)
        except MissingEntry:
            raise CourseError(
                f"The gradebook has no {unit} yet. `grader release` puts it there, `grader grade {unit}` grades it."
            ) from None
        people = (Student.id, Student.first_name, Student.last_name, Student.email, Student.lms_user_id)
        query = (
            gradebook.db.query(*people, SubmittedNotebook.late_submission_penalty, BaseCell.name, Grade)
            .select_from(SubmittedAssignment)
            .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
            .join(Student, SubmittedAssignment.student_id == Student.id)
            .outerjoin(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .outerjoin(Grade, Grade.notebook_id == SubmittedNotebook.id)
            .outerjoin(BaseCell, Grade.cell_id == BaseCell.id)
            .filter(Assignment.name == unit)
            .order_by(Student.id, BaseCell.name)
        )
        for student, first, last, email, lms_id, penalty, cell, grade in query:
            details = (first or "", last or "", email or "", lms_id or "")
            one = found.setdefault(student, Grades(student, *details, scores={}, penalty=penalty or 0.0))
            if grade is not None and (grade.auto_score is not None or grade.manual_score is not None):
                one.scores[cell.removeprefix(CHECK)] = grade.score
    return list(found.values())
