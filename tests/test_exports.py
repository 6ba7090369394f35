"""What Canvas and Moodle import: their columns, the points that count, names that do no harm."""

import csv
import re
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grader import cli
from grader.course import CourseError
from grader.export import export_feedback, export_grades, safe_name
from tests.conftest import make_course
from tests.synthetic import NOT_WRITTEN, Answers, change, enrol

UNIT = "00_start"
FORMULA = '=HYPERLINK("http://example.org")'


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """Ada is right; bora is late; chul has a grade by hand and odd names; dana's notebook could not be examined."""
    root = make_course(tmp_path_factory.mktemp("exports"), [UNIT])
    given = {"ada": {}, "bora": {}, "chul": {"rms": NOT_WRITTEN}, "dana": {}, "ada+2@x.org": {}}
    enrol(root, Answers(root, UNIT), given, {})

    def by_hand(gradebook):
        gradebook.update_or_create_student("ada", first_name="Ada", last_name="Ağaoğlu", lms_user_id="4711")
        gradebook.update_or_create_student("bora", first_name="Bora", email="Bora@example.org")
        gradebook.update_or_create_student("chul", last_name=FORMULA)
        gradebook.add_student("eve")
        gradebook.find_submission(UNIT, "bora").notebooks[0].late_submission_penalty = 5.0
        grades = {grade.name: grade for grade in gradebook.find_submission(UNIT, "chul").notebooks[0].grades}
        grades["check_rms"].manual_score = 1.5
        for grade in gradebook.find_submission(UNIT, "dana").notebooks[0].grades:
            grade.auto_score = None

    change(root, by_hand)
    for student in given:
        page = root / "gradebook" / "feedback" / student / UNIT / f"{UNIT}.html"
        page.parent.mkdir(parents=True)
        page.write_text(f"<p>Dear {student}</p>", encoding="utf-8")
    return root


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_canvas_gets_its_columns_and_the_points_possible(course, tmp_path):
    exported = export_grades(course, UNIT, "canvas", tmp_path / "canvas.csv", "Start (12345)")
    heading, possible, *students = rows(exported.path)
    assert heading == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Start (12345)"]
    assert possible == ["    Points Possible", "", "", "", "", "3.0"]
    by_login = {row[3]: row for row in students}
    assert by_login["ada"] == ["Ağaoğlu, Ada", "4711", "", "ada", "", "3.0"]


def test_moodle_gets_columns_that_say_who_it_is_and_one_grade_item(course, tmp_path):
    heading, *students = rows(export_grades(course, UNIT, "moodle", tmp_path / "moodle.csv").path)
    assert heading == ["First name", "Last name", "Username", "ID number", "Email address", UNIT]
    assert ["Ada", "Ağaoğlu", "ada", "4711", "", "3.0"] in students


@pytest.mark.parametrize("system", ["canvas", "moodle"])
def test_points_count_as_nbgrader_counts_them(course, tmp_path, system):
    """A penalty takes at most everything away; a grade by hand counts instead of the grader's."""
    heading, *students = rows(export_grades(course, UNIT, system, tmp_path / "x.csv").path)
    who = heading.index("SIS Login ID" if system == "canvas" else "Username")
    points = {row[who]: row[-1] for row in students}
    assert points["bora"] == "0.0"
    assert points["chul"] == "2.5"


@pytest.mark.parametrize("system", ["canvas", "moodle"])
def test_who_has_no_grade_is_left_out_and_named(course, tmp_path, system):
    exported = export_grades(course, UNIT, system, tmp_path / "x.csv")
    assert exported.left_out == ["dana"]
    assert exported.students == 4
    text = exported.path.read_text(encoding="utf-8")
    assert "dana" not in text
    assert "eve" not in text


def test_a_name_that_is_a_formula_is_text(course, tmp_path):
    cells = [cell for row in rows(export_grades(course, UNIT, "canvas", tmp_path / "x.csv").path) for cell in row]
    assert f"'{FORMULA}" in cells
    assert not any(cell.startswith("=") for cell in cells)


def test_nbgraders_own_export_says_the_same_points(course, tmp_path):
    from nbgrader.plugins import CsvExportPlugin

    from grader.gradebook import nbgrader_api

    with nbgrader_api(course).gradebook as gradebook:
        CsvExportPlugin(to=str(tmp_path / "nbgrader.csv"), assignment=[UNIT]).export(gradebook)
    heading, *theirs = rows(tmp_path / "nbgrader.csv")
    stock = {row[heading.index("student_id")]: row[heading.index("score")] for row in theirs}
    ours = {row[2]: row[-1] for row in rows(export_grades(course, UNIT, "moodle", tmp_path / "x.csv").path)}
    assert (ours["ada"], ours["bora"]) == (stock["ada"], stock["bora"]) == ("3.0", "0.0")


def test_feedback_is_one_zip_with_a_page_a_student_under_safe_names(course, tmp_path):
    exported = export_feedback(course, UNIT, tmp_path / "feedback.zip")
    with zipfile.ZipFile(exported.path) as archive:
        names = archive.namelist()
        assert archive.read("ada_00_start.html") == b"<p>Dear ada</p>"
    assert sorted(names) == sorted(
        f"{student}_{UNIT}.html" for student in ("ada", "bora", "chul", "dana", "ada-2@x.org")
    )
    assert exported.left_out == []


def test_with_moodles_worksheet_the_names_are_those_that_moodle_hands_out(course, tmp_path):
    worksheet = tmp_path / "Grades.csv"
    worksheet.write_text(
        "\ufeffIdentifier,Full name,Email address,Status,Grade\n"
        "Participant 901,Bora B_../Öz,bora@example.org,Submitted,\n"
        "Participant 902,Ada,ada,Submitted,\n"
        "Participant 903,Somebody,else@example.org,,\n",
        encoding="utf-8",
    )
    exported = export_feedback(course, UNIT, tmp_path / "feedback.zip", worksheet)
    with zipfile.ZipFile(exported.path) as archive:
        names = sorted(archive.namelist())
    assert names == ["Ada_902_assignfeedback_file_00_start.html", "Bora-B-..-Öz_901_assignfeedback_file_00_start.html"]
    for name in names:  # as Moodle reads it: full name, participant, kind, plugin, and the file's own name
        _, participant, kind, plugin, file = name.split("_", 4)
        assert (kind, plugin, file) == ("assignfeedback", "file", "00_start.html")
        assert participant.isdigit()
    assert sorted(exported.left_out) == ["ada+2@x.org", "chul", "dana"]


def test_a_worksheet_of_another_class_is_refused_in_one_sentence(course, tmp_path):
    worksheet = tmp_path / "Grades.csv"
    worksheet.write_text("Identifier,Full name,Email address\nParticipant 1,X,x@example.org\n", encoding="utf-8")
    with pytest.raises(CourseError, match="names nobody of this class"):
        export_feedback(course, UNIT, tmp_path / "feedback.zip", worksheet)
    with pytest.raises(CourseError, match="cannot be read"):
        export_feedback(course, UNIT, tmp_path / "feedback.zip", tmp_path / "missing.csv")


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "a/b", "a\\b", "C:x", ".hidden", "a\nb", "a_b", ""])
def test_a_name_in_the_zip_leads_nowhere_else(name):
    safe = safe_name(name)
    assert re.fullmatch(r"[^\W_][\w.@-]*", safe)
    assert "_" not in safe


def test_two_students_never_share_a_name(tmp_path, course):
    for student in ("x y", "x-y", "X-Y"):
        page = course / "gradebook" / "feedback" / student / UNIT / f"{UNIT}.html"
        page.parent.mkdir(parents=True)
        page.write_text(student, encoding="utf-8")
    with zipfile.ZipFile(export_feedback(course, UNIT, tmp_path / "feedback.zip").path) as archive:
        pages = {archive.read(name).decode() for name in archive.namelist()}
        assert len({name.casefold() for name in archive.namelist()}) == len(archive.namelist())
    assert {"x y", "x-y", "X-Y"} <= pages


def test_the_command_writes_into_the_gradebook_folder_and_says_who_was_left_out(course, monkeypatch):
    monkeypatch.chdir(course)
    done = CliRunner().invoke(cli.app, ["export", UNIT, "--to", "canvas"])
    assert done.exit_code == 0, done.output
    assert (course / "gradebook" / "export" / "00_start_canvas.csv").is_file()
    assert "4 students" in done.output
    assert "Left out: dana" in done.output


@pytest.mark.parametrize("options", [[], ["--to", "canvas", "--feedback"]])
def test_it_is_grades_or_feedback(course, monkeypatch, options):
    monkeypatch.chdir(course)
    with pytest.raises(CourseError, match="either --to canvas"):
        CliRunner().invoke(cli.app, ["export", UNIT, *options], catch_exceptions=False)


def test_another_system_is_one_sentence_that_names_those_there_are(course, tmp_path):
    with pytest.raises(CourseError, match="to canvas or moodle, not to 'blackboard'"):
        export_grades(course, UNIT, "blackboard", tmp_path / "x.csv")


def test_out_is_a_file_here_and_a_folder_there(course, monkeypatch, tmp_path):
    monkeypatch.chdir(course)
    (tmp_path / "file").touch()
    with pytest.raises(CourseError, match="takes the name of a file"):
        CliRunner().invoke(cli.app, ["export", UNIT, "--feedback", "--out", str(tmp_path)], catch_exceptions=False)
    with pytest.raises(CourseError, match="takes the name of a folder"):
        CliRunner().invoke(cli.app, ["report", UNIT, "--out", str(tmp_path / "file")], catch_exceptions=False)
