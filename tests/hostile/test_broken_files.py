"""Files that are not as they should be: each gets a grade, or a zero with its reason, and stops nobody else."""

import json
import os
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from grader.course import grade_id
from grader.gradebook import hand_in
from grader.grading import Settings, grade_class, handed_in
from tests.conftest import make_course, solved

UNIT = "00_start"
FULL = 3.0


def unreadable(path: Path) -> None:
    path.write_bytes(b"Dear teacher, it would not save.")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def no_file(path: Path) -> None:
    path.rename(path.with_name("my answers (2).ipynb"))


def a_link_to_another(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parents[2] / "right" / UNIT / path.name)


def another_unit(path: Path) -> None:
    cells = [nbformat.v4.new_code_cell("def softmax(x): return x")]
    path.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=cells)))


def outputs_of_200_mb(path: Path) -> None:
    notebook = json.loads(path.read_text())
    next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": "a" * 200_000_000}
    ]
    path.write_text(json.dumps(notebook))


def another_encoding(path: Path) -> None:
    path.write_text(json.dumps({"cells": "é"}, ensure_ascii=False), encoding="latin-1")


def not_a_dictionary(path: Path) -> None:
    path.write_text("[[[]]]")


def with_a_byte_order_mark(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


def format_3(path: Path) -> None:
    path.write_text(nbformat.writes(nbformat.convert(nbformat.read(path, 4), 3), version=3))


def format_4_0_without_ids(path: Path) -> None:
    notebook = json.loads(path.read_text())
    notebook["nbformat_minor"] = 0
    for cell in notebook["cells"]:
        cell.pop("id", None)
    path.write_text(json.dumps(notebook))


def doubled_cells(path: Path) -> None:
    rewrite(path, lambda cells: [one for cell in cells for one in (cell, json.loads(json.dumps(cell)))])


def checks_lost(path: Path) -> None:
    rewrite(path, lambda cells: [cell for cell in cells if not is_check(cell)])


def marks_of_every_kind(path: Path) -> None:
    def change(cells):
        for cell in cells:
            if "nbgrader" in cell["metadata"]:
                cell["metadata"]["nbgrader"] |= {"points": 1000, "schema_version": 1, "locked": "?", "task": True}
        cells[0]["metadata"]["nbgrader"] = {"grade_id": "unknown", "grade": True, "points": 7, "schema_version": 99}
        return cells

    rewrite(path, change)


def cells_of_another_type(path: Path) -> None:
    def change(cells):
        for cell in cells:
            if is_check(cell):
                cell["cell_type"] = "raw"
                cell.pop("outputs", None)
                cell.pop("execution_count", None)
        return cells

    rewrite(path, change)


def is_check(cell: dict) -> bool:
    return cell["metadata"].get("nbgrader", {}).get("grade_id", "").startswith("check_")


def rewrite(path: Path, change) -> None:
    notebook = json.loads(path.read_text())
    notebook["cells"] = change(notebook["cells"])
    path.write_text(json.dumps(notebook))


def with_links_and_odd_names_beside_it(path: Path) -> None:
    (path.parent / "to-the-seed").symlink_to(path.parents[3] / "seed")
    (path.parent / "to-everything").symlink_to("/")
    (path.parent / "naïve \n name;rm -rf.txt").write_text("hello")
    os.mkfifo(path.parent / "pipe")


ZERO = [
    unreadable, empty, cut_short, a_folder, no_file, a_link_to_another, another_unit, outputs_of_200_mb,
    another_encoding, not_a_dictionary,
]  # fmt: skip
GRADED = [
    with_a_byte_order_mark, format_3, format_4_0_without_ids, doubled_cells, checks_lost, marks_of_every_kind,
    cells_of_another_type, with_links_and_odd_names_beside_it,
]  # fmt: skip


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The class, graded by two jobs; the course's root, the results, and whether what was handed in is as it was."""
    root = make_course(tmp_path_factory.mktemp("broken"), [UNIT])
    text = nbformat.writes(solved(root, UNIT))
    hand_in(root, UNIT, "right", text)
    for damage in ZERO + GRADED:
        damage(hand_in(root, UNIT, damage.__name__, text))
    before = listing(root)
    results = grade_class(root, handed_in(root, [UNIT], []), Settings(jobs=2, unsafe=True))
    return root, {one.student: one for one in results}, listing(root) == before


def listing(root: Path) -> list:
    submitted = root / "gradebook" / "submitted"
    return sorted((str(path), path.lstat().st_size, path.lstat().st_mtime_ns) for path in submitted.rglob("*"))


@pytest.mark.parametrize("damage", ZERO, ids=lambda damage: damage.__name__)
def test_what_holds_nothing_to_grade_gets_a_zero_and_its_reason(graded, damage):
    result = graded[1][damage.__name__]
    assert result.score == 0
    assert result.trouble.endswith((".", "?"))
    assert str(graded[0]) not in result.trouble


@pytest.mark.parametrize("damage", GRADED, ids=lambda damage: damage.__name__)
def test_what_can_be_mended_is_graded_like_any_other(graded, damage):
    result = graded[1][damage.__name__]
    assert (result.score, result.trouble) == (FULL, "")


def test_nobody_is_lost_and_what_was_handed_in_stays_as_it_was(graded):
    root, results, untouched = graded
    assert untouched
    assert results["right"].score == FULL
    with Gradebook(f"sqlite:///{root}/gradebook/gradebook.db") as gradebook:
        known = {one.student.id: one.score for one in gradebook.assignment_submissions(UNIT)}
    assert known == {student: result.score for student, result in results.items()}


def test_grading_again_keeps_scores_and_grades_given_by_hand(graded):
    root = graded[0]
    with Gradebook(f"sqlite:///{root}/gradebook/gradebook.db") as gradebook:
        submission = gradebook.find_submission_notebook(UNIT, UNIT, "unreadable")
        next(grade for grade in submission.grades if grade.name == "check_rms").manual_score = 1.5
        gradebook.db.commit()
    wanted = [(UNIT, "unreadable"), (UNIT, "right")]
    again = grade_class(root, wanted, Settings(unsafe=True))
    assert [one.score for one in again] == [1.5, FULL]
    assert [grade_id(cell) for cell in nbformat.read(autograded(root, "right"), 4).cells if grade_id(cell)]


def autograded(root: Path, student: str) -> Path:
    return root / "gradebook" / "autograded" / student / UNIT / f"{UNIT}.ipynb"
