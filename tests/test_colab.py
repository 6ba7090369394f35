"""A notebook alone in an empty folder, as on Colab or on a learner's own laptop: it fetches the course and works.

The notebook runs in an IPython without this project: the set-up cell finds no `grader` but the one that it clones.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from grader.alone import NEEDED, course_version
from grader.course import grade_id, read_notebook
from grader.release import repository_address
from tests.conftest import ROOT, UNITS

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")

#: Runs the cells given as JSON in a plain IPython shell whose packages are this environment's without the project.
ALONE = """
import json, os, sys
sys.path.append(sys.argv[1])
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
shell = InteractiveShell.instance()
shell.colors = "NoColor" if hasattr(shell, "colors") else None
results = []
for source in json.loads(sys.stdin.read()):
    with capture_output() as seen:
        result = shell.run_cell(source)
    results.append({"error": type(result.error_in_exec).__name__, "out": seen.stdout, "err": seen.stderr})
found = sys.modules.get("grader")
print(json.dumps({"cells": results, "grader": getattr(found, "__file__", "")}))
"""


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A bare repository as GitHub would hold it: what a learner needs, tagged as a release."""
    work = tmp_path_factory.mktemp("origin")
    for name in ("grader", "course", "data"):
        shutil.copytree(ROOT / name, work / "work" / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", work / "work")
    git("init", "--quiet", "--initial-branch=main", str(work / "work"))
    git("-C", str(work / "work"), "add", ".")
    author = ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    git("-C", str(work / "work"), *author, "commit", "--quiet", "-m", "a course")
    git("-C", str(work / "work"), "tag", "v1")
    git("clone", "--quiet", "--bare", str(work / "work"), str(work / "sori.git"))
    return (work / "sori.git").as_uri()


def git(*words):
    subprocess.run(["git", *words], check=True, capture_output=True)


def set_up(address, tag="main", version=None):
    """The set-up cell, stamped with an address."""
    cells = read_notebook(ROOT / "solutions" / "00_start" / "00_start.ipynb").cells
    source = next(cell.source for cell in cells if "setup" in cell.metadata.get("tags", []))
    values = {"{{repository}}": address, "{{branch}}": tag, "{{version}}": version or course_version()}
    for token, value in values.items():
        source = source.replace(token, value)
    assert "{{" not in source
    return source


def alone(sources, folder, **environment):
    """What came of each cell, and which `grader` was imported."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    own |= {"GIT_ALLOW_PROTOCOL": "file", "IPYTHONDIR": str(folder / ".ipython")} | environment
    packages = sysconfig.get_path("purelib")
    # -S: no .pth file brings the project in; -I: neither PYTHONPATH nor the folder does.
    run = [sys.executable, "-I", "-S", "-c", ALONE, packages]
    done = subprocess.run(run, input=json.dumps(sources), cwd=folder, env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_notebook_alone_fetches_the_course_and_checks_an_answer(origin, tmp_path):
    cells = read_notebook(ROOT / "solutions" / "00_start" / "00_start.ipynb").cells
    solution = next(cell.source for cell in cells if grade_id(cell) == "rms")
    clip = 'clip = load_clip("tt-weasels"); play(clip, "a clip"); print(len(clip))'
    first = set_up(origin, "v1")
    found = alone([first, first, "import torch", solution, "check(rms)", clip, 'scorecard("00_start")'], tmp_path)
    assert [cell["error"] for cell in found["cells"]] == ["NoneType"] * 7, found
    assert Path(found["grader"]) == tmp_path / "sori" / "grader" / "__init__.py"
    assert "all 5 groups of cases pass" in found["cells"][4]["out"]
    assert "47216" in found["cells"][5]["out"]
    assert "1 of 2 exercises solved" in found["cells"][6]["out"]
    assert (tmp_path / ".sori" / "progress.json").is_file()
    assert "".join(cell["err"] for cell in found["cells"]) == ""


def test_a_course_beside_the_notebook_is_used_and_not_fetched_again(origin, tmp_path):
    git("clone", "--quiet", origin, str(tmp_path / "sori"))
    found = alone([set_up("file:///gone")], tmp_path)
    assert found["cells"] == [{"error": "NoneType", "out": "", "err": ""}]
    assert Path(found["grader"]) == tmp_path / "sori" / "grader" / "__init__.py"


@pytest.mark.parametrize(
    ("address", "environment"),
    [("https://github.com/OWNER/sori", {}), ("file:///no/such/repository", {}), ("file:///x", {"PATH": "/nowhere"})],
    ids=["unset", "unreachable", "no git"],
)
def test_a_course_that_cannot_be_fetched_is_told_in_words(address, environment, tmp_path):
    found = alone([set_up(address)], tmp_path, **environment)
    cell = found["cells"][0]
    assert cell["error"] == "Exception"
    assert f"The course could not be fetched from {address}." in cell["out"]
    assert "Is the network on, is git installed" in cell["out"]
    assert "Traceback" not in cell["out"] + cell["err"]
    assert len(cell["out"].strip().splitlines()) == 3
    assert not (tmp_path / "sori").exists()


def test_a_course_that_is_too_old_is_told_with_what_to_do(origin, tmp_path):
    found = alone([set_up(origin, version="99.1")], tmp_path)
    said = found["cells"][0]["out"]
    assert f"needs version 99.1 of the course; the one in {tmp_path / 'sori'} is {course_version()}" in said
    assert "delete it" in said
    assert "Traceback" not in said


def test_every_unit_has_a_badge_in_its_notebook_and_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    colab = repository_address().replace("github.com", "colab.research.google.com/github")
    for unit in UNITS:
        address = f"{colab}/blob/main/course/{unit}/{unit}.ipynb"
        assert address in readme
        assert address in read_notebook(ROOT / "course" / unit / f"{unit}.ipynb").cells[0].source


def test_what_the_notebooks_import_is_what_the_set_up_looks_for():
    known = set(NEEDED) | set(sys.stdlib_module_names) | {"grader", "IPython"}
    for unit in UNITS:
        for cell in read_notebook(ROOT / "course" / unit / f"{unit}.ipynb").cells:
            if cell.cell_type == "code":
                found = re.findall(r"^\s*(?:import|from) (\w+)", cell.source, re.MULTILINE)
                assert set(found) <= known, (unit, found)


def wheel(folder, name, version, requires=""):
    """A package with one empty module."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as made:
        made.writestr(f"{name}.py", "")
        depends = f"Requires-Dist: {requires}\n" if requires else ""
        made.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{depends}")
        made.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        made.writestr(f"{info}/RECORD", "")


def test_what_is_missing_is_added_and_what_is_there_is_not_changed(tmp_path):
    """In an environment of its own, with packages from a folder in place of an index."""
    for made in (("held", "1.0"), ("held", "2.0"), ("wanted", "1.0"), ("greedy", "1.0", "held>=2")):
        wheel(tmp_path, *made)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    folder = "Scripts" if os.name == "nt" else "bin"
    python = tmp_path / "venv" / folder / "python"
    offline = os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    offline.pop("PYTHONPATH", None)
    subprocess.run([python, "-m", "pip", "install", "-q", "held==1.0"], check=True, env=offline)
    code = f"""
import runpy, sys
from importlib import metadata
alone = runpy.run_path({str(ROOT / "grader" / "alone.py")!r})
for name in ("wanted", "greedy", "torch"):
    alone["prepare"].__globals__["NEEDED"] = (name,)
    try:
        alone["prepare"]({course_version()!r})
    except alone["NotSetUpError"] as error:
        print(error)
    print(name, [one.metadata["Name"] + one.version for one in metadata.distributions() if "e" in one.metadata["Name"]])
"""
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, env=offline, timeout=120)
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert "wanted1.0" in said.split("wanted [")[1].splitlines()[0]
    assert "greedy could not be added without changing what is installed" in said
    assert "held2.0" not in said
    assert "held1.0" in said.split("greedy [")[1].splitlines()[0]
    assert "Missing here: torch." in said
    assert '%pip install "torch>=2.11,<2.12"' in said
