"""What students get: made from the sources, fresh, and without anything that is not theirs."""

import ast
import json
import re
from pathlib import Path

import jupytext
import nbformat
import pytest

from grader.alone import course_version
from grader.course import CHECK, CourseError, grade_id, load_unit, read_notebook, visible
from grader.exercise import all_exercises, exercises_of
from grader.release import release, repository_address, stale_files
from tests.conftest import ROOT, UNITS, author_notebook, is_solution, make_course

COURSE = sorted((ROOT / "course").rglob("*.ipynb"))


def test_every_generated_file_is_fresh():
    assert stale_files(ROOT) == []


def test_a_change_in_a_source_makes_its_files_stale(tmp_path):
    root = make_course(tmp_path, ["00_start"])
    source = root / "solutions" / "00_start" / "00_start.py"
    source.write_text(source.read_text(encoding="utf-8") + "\n# %%\nprint('new')\n", encoding="utf-8")
    (root / "course" / "notes.txt").write_text("stray")
    assert stale_files(root) == [
        "course/00_start/00_start.ipynb",
        "course/notes.txt",
        "solutions/00_start/00_start.ipynb",
    ]


def test_releasing_again_changes_nothing_and_removes_what_has_no_source(tmp_path):
    root = make_course(tmp_path, ["00_start"])
    (root / "course" / "98_gone").mkdir()
    before = (root / "course" / "00_start" / "00_start.ipynb").read_bytes()
    release(root)
    assert (root / "course" / "00_start" / "00_start.ipynb").read_bytes() == before
    assert [path.name for path in (root / "course").iterdir()] == ["00_start"]


@pytest.mark.parametrize("unit", UNITS)
def test_the_jupytext_round_trip_is_exact(unit):
    text = (ROOT / "solutions" / unit / f"{unit}.py").read_text(encoding="utf-8")
    notebook = nbformat.read(ROOT / "solutions" / unit / f"{unit}.ipynb", as_version=4)
    assert jupytext.writes(notebook, "py:percent") == text


@pytest.mark.parametrize("path", [*COURSE, *sorted((ROOT / "solutions").rglob("*.ipynb"))], ids=lambda path: path.stem)
def test_no_outputs_are_stored_and_ids_are_unique(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
    assert len({cell["id"] for cell in cells}) == len(cells)


@pytest.mark.parametrize("unit", UNITS)
def test_each_exercise_has_a_stub_a_check_points_and_a_hidden_test(unit):
    names = [exercise.name for exercise in exercises_of(unit)]
    assert list(load_unit(ROOT, unit).points) == names
    assert all(points > 0 for points in load_unit(ROOT, unit).points.values())
    cells = {grade_id(cell): cell for cell in author_notebook(ROOT, unit).cells if grade_id(cell)}
    assert list(cells) == [one for name in names for one in (name, CHECK + name)]
    for name in names:
        check = cells[CHECK + name].source
        assert visible(check).startswith(f"check({name})\n")
        hidden = check.split("### BEGIN HIDDEN TESTS")[1].split("### END HIDDEN TESTS")[0]
        assert hidden.strip() == f"from grader.notebook import examine; examine({name})"
        assert check.rstrip().endswith("### END HIDDEN TESTS")


@pytest.mark.parametrize("unit", UNITS)
def test_stubs_match_solutions_in_all_but_the_body(unit):
    solutions = {grade_id(cell): cell.source for cell in author_notebook(ROOT, unit).cells if is_solution(cell)}
    released = read_notebook(ROOT / "course" / unit / f"{unit}.ipynb")
    stubs = {grade_id(cell): cell.source for cell in released.cells if is_solution(cell)}
    assert stubs.keys() == solutions.keys()
    for name, stub in stubs.items():
        mine, theirs = function(solutions[name], name), function(stub, name)
        assert ast.dump(mine.args) == ast.dump(theirs.args)
        assert ast.dump(mine.returns) == ast.dump(theirs.returns)
        assert ast.get_docstring(mine) == ast.get_docstring(theirs)
        assert ast.unparse(theirs.body[-1]) == "raise NotImplementedError"
        assert len(theirs.body) == 2


@pytest.mark.parametrize("unit", UNITS)
def test_signatures_in_the_notebook_and_in_the_hidden_tests_agree(unit):
    import inspect

    for cell in author_notebook(ROOT, unit).cells:
        if is_solution(cell):
            name = grade_id(cell)
            mine = function(cell.source, name).args
            oracle = next(exercise for exercise in exercises_of(unit) if exercise.name == name).oracle
            assert [argument.arg for argument in mine.args] == list(inspect.signature(oracle).parameters)


def function(source: str, name: str) -> ast.FunctionDef:
    return next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == name)


def test_nothing_of_a_solution_or_a_hidden_test_is_in_the_course():
    secrets = {"BEGIN SOLUTION", "HIDDEN TESTS", "examine", "hidden_case", "{{"}
    for unit in UNITS:
        for cell in author_notebook(ROOT, unit).cells:
            if is_solution(cell):
                body = cell.source.split("### BEGIN SOLUTION")[1].split("### END SOLUTION")[0]
                secrets |= {line.strip() for line in body.splitlines() if len(line.strip()) > 25}
    for path in (ROOT / "course").rglob("*"):
        if path.is_file():
            code = path.read_text(encoding="utf-8")
            if path.suffix == ".ipynb":
                code = "\n".join(cell["source"] for cell in read_notebook(path).cells if cell["cell_type"] == "code")
            found = {secret for secret in secrets if secret in code}
            assert not found, f"{path} shows {found}"


def test_the_course_holds_notebooks_only():
    others = [path for path in (ROOT / "course").rglob("*") if path.is_file() and path.suffix != ".ipynb"]
    assert others == []
    assert [path.stem for path in COURSE] == UNITS


def test_the_set_up_cell_is_the_same_everywhere_and_at_most_eight_lines():
    cells = {cell.source for unit in UNITS for cell in author_notebook(ROOT, unit).cells if "setup" in tags(cell)}
    assert len(cells) == 1
    assert len(cells.pop().splitlines()) <= 8


def tags(cell):
    return cell.metadata.get("tags", [])


def test_badge_and_set_up_carry_the_address_from_the_one_setting():
    address = repository_address()
    text = Path(COURSE[0]).read_text(encoding="utf-8")
    assert f'"{address}\\"' in text or address in text
    colab = address.replace("github.com", "colab.research.google.com/github")
    assert f"{colab}/blob/main/course/{COURSE[0].stem}/{COURSE[0].name}" in text


def test_another_address_and_a_tag_can_be_stamped(tmp_path):
    (tmp_path / "solutions" / "00_start").mkdir(parents=True)
    for name in ("nbgrader_config.py", "solutions/00_start/00_start.py"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    release(tmp_path, "someone/their-sori", "v1.2")
    text = (tmp_path / "course" / "00_start" / "00_start.ipynb").read_text(encoding="utf-8")
    assert "https://github.com/someone/their-sori" in text
    assert "colab.research.google.com/github/someone/their-sori/blob/v1.2/course" in text
    assert "--branch=v1.2" in text
    assert f'prepare(\\"{course_version()}\\")' in text


@pytest.mark.parametrize("tag", ["v1 --upload-pack=x", "-v1", 'v"1'])
def test_a_tag_of_another_form_is_refused(tag, tmp_path):
    with pytest.raises(CourseError, match="A tag or branch is"):
        release(make_course(tmp_path, []), tag=tag)


@pytest.mark.parametrize("name", ["sori", "https://github.com/a/b", "a/b; rm -rf /", "../b"])
def test_an_address_of_another_form_is_refused(name):
    with pytest.raises(CourseError, match="owner/name"):
        repository_address(name)


def test_a_release_takes_the_text_of_one_language(tmp_path):
    root = make_course(tmp_path, ["00_start"])
    source = root / "solutions" / "00_start" / "00_start.py"
    korean = '\n# %% [markdown] lang="ko"\n# 안녕하세요\n'
    source.write_text(source.read_text(encoding="utf-8") + korean, encoding="utf-8")
    release(root)
    assert "안녕하세요" not in (root / "course" / "00_start" / "00_start.ipynb").read_text(encoding="utf-8")


def test_every_text_cell_says_its_language():
    for unit in UNITS:
        for cell in author_notebook(ROOT, unit).cells:
            if cell.cell_type == "markdown":
                assert cell.metadata.get("lang") in ("en", "ko"), cell.source[:60]


@pytest.mark.parametrize("unit", UNITS)
def test_each_exercise_is_announced_with_number_stars_minutes_and_its_points(unit):
    texts = [cell.source for cell in author_notebook(ROOT, unit).cells if cell.cell_type == "markdown"]
    headers = [
        found
        for text in texts
        for found in re.findall(r"^### Exercise (\d+)\.(\d+) · .+ · [★☆]{3} · (\d+) min · (\d+) points?$", text, re.M)
    ]
    points = list(load_unit(ROOT, unit).points.values())
    assert [float(found[3]) for found in headers] == points
    assert [int(found[1]) for found in headers] == list(range(1, len(points) + 1))
    assert {int(found[0]) for found in headers} == {int(unit[:2])}


def test_every_exercise_belongs_to_a_unit_that_exists():
    assert {exercise.unit for exercise in all_exercises()} <= set(UNITS)
