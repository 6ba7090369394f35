"""One gradebook, on SQLite or PostgreSQL: what people wrote into it stays when a class is graded again."""

import json
from datetime import datetime

import pytest
from nbgrader.api import Gradebook

from grader import fleet
from grader.grading import Settings, grade_class, handed_in
from grader.release import release
from tests import postgres
from tests.fleet.conftest import SEED, UNIT, first, verdicts
from tests.fleet.light import outcome

NO_SERVER = "no PostgreSQL server on this machine (apt install postgresql)"


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def course(request, some_of, monkeypatch):
    """Three submissions, the light examiner, and the gradebook's address."""
    root = some_of(3)
    monkeypatch.setenv("GRADER_SEED", SEED)
    monkeypatch.setattr(fleet, "examine", lambda text: outcome(json.loads(text)))
    if request.param == "SQLite":
        yield root, f"sqlite:///{root}/gradebook/gradebook.db"
        return
    if not postgres.programs():
        pytest.skip(NO_SERVER)
    with postgres.server() as server:
        monkeypatch.setenv("GRADER_DB_URL", server.url)
        (root / "gradebook" / "gradebook.db").unlink()
        release(root)
        yield root, server.url
        assert not (root / "gradebook" / "gradebook.db").exists()


def grade(root):
    return grade_class(root, handed_in(root, [UNIT], []), Settings(unsafe=True))


def test_late_penalties_and_grades_given_by_hand_survive_grading_again(course, undisturbed):
    root, url = course
    config = root / "nbgrader_config.py"
    config.write_text(config.read_text() + "\nc.LateSubmissionPlugin.penalty_method = 'zero'\n")
    for student, handed in {"s000": "2026-03-02 10:00:00 UTC", "s001": "2026-03-01 10:00:00 UTC"}.items():
        (root / "gradebook" / "submitted" / student / UNIT / "timestamp.txt").write_text(handed)
    with Gradebook(url) as gradebook:
        gradebook.update_or_create_assignment(UNIT, duedate=datetime(2026, 3, 1, 12))
    grade(root)
    assert verdicts(root, url) == first(undisturbed, 3)
    with Gradebook(url) as gradebook:
        by_hand = gradebook.find_grade("check_rms", UNIT, UNIT, "s001")
        by_hand.manual_score, by_hand.extra_credit = 1.5, 0.25
        gradebook.find_comment("rms", UNIT, UNIT, "s001").manual_comment = "Seen by me."
        gradebook.db.commit()
    again = {one.student: one.score for one in grade(root)}
    assert verdicts(root, url) == first(undisturbed, 3)
    assert again["s001"] == pytest.approx(undisturbed["s001"]["check_num_samples"] + 1.5 + 0.25)
    with Gradebook(url) as gradebook:
        late = gradebook.find_submission(UNIT, "s000")
        assert late.total_seconds_late == 22 * 3600
        assert late.late_submission_penalty == pytest.approx(late.score) == pytest.approx(again["s000"])
        assert gradebook.find_submission(UNIT, "s001").late_submission_penalty == 0
        assert gradebook.find_comment("rms", UNIT, UNIT, "s001").comment == "Seen by me."


def test_a_verdict_is_written_whole_or_not_at_all(course, monkeypatch):
    """The second of two exercises cannot be written: the first is not there either."""
    from grader.autograde import SaveVerdict

    root, url = course
    add = SaveVerdict._add_score

    def fail_at_the_second(self, cell, resources):
        if cell.metadata.nbgrader.grade_id == "check_rms":
            raise RuntimeError("for the test")
        return add(self, cell, resources)

    monkeypatch.setattr(SaveVerdict, "_add_score", fail_at_the_second)
    found = grade(root)
    assert [one.has_verdict for one in found] == [False] * 3
    assert {points for one in verdicts(root, url).values() for points in one.values()} == {None}
