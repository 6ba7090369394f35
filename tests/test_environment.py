"""pyproject.toml, requirements.lock, environment.yml and the Makefile tell one story."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))

#: Where conda-forge's name is another.
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base", "soundfile": "pysoundfile"}
DECLARED = [
    Requirement(line)
    for line in PROJECT["dependencies"]
    + [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
]
NAMES = [requirement.name for requirement in DECLARED]


class Pin(NamedTuple):
    name: str
    version: str
    marker: Marker | None
    hashes: int
    asked_by_us: bool


def read_lock():
    """Each entry of the lock: `name==version ; marker`, then its hashes and the comment on who asked for it."""
    for entry in re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)[1:]:
        head = Requirement(entry.splitlines()[0].removesuffix("\\").strip())
        (pin,) = head.specifier
        assert pin.operator == "=="
        hashes = len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry))
        asked = re.search(r"# +(via )?sori \(pyproject\.toml\)$", entry, flags=re.MULTILINE)
        yield Pin(canonicalize_name(head.name), pin.version, head.marker, hashes, bool(asked))


PINS = list(read_lock())


def test_the_lock_pins_what_the_project_declares_and_calls_nothing_else_ours():
    assert {pin.name for pin in PINS if pin.asked_by_us} == set(NAMES)


@pytest.mark.parametrize("declared", DECLARED, ids=NAMES)
def test_every_pin_is_in_its_range(declared):
    pins = [pin for pin in PINS if pin.name == declared.name]
    assert pins
    for pin in pins:
        assert pin.version in declared.specifier


@pytest.mark.parametrize("python", ["3.11.7", "3.12.1", "3.13.0", "3.14.0"])
@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_every_system_gets_exactly_one_version_of_each(python, system):
    here = {"python_full_version": python, "python_version": python[:4], "sys_platform": system}
    fitting = [pin.name for pin in PINS if pin.asked_by_us and (not pin.marker or pin.marker.evaluate(here))]
    assert sorted(fitting) == sorted(NAMES)


def test_every_pin_has_hashes():
    assert len(PINS) > 100
    assert [pin.name for pin in PINS if not pin.hashes] == []


def test_the_lock_says_nothing_of_where_packages_come_from():
    assert "://" not in LOCK
    assert " @ " not in LOCK
    assert not re.search(r"^\s*(?!--hash=)-", LOCK, flags=re.MULTILINE)


def test_torch_and_torchaudio_are_locked_as_a_pair():
    versions = {pin.name: pin.version for pin in PINS if pin.name in ("torch", "torchaudio")}
    assert versions["torch"] == versions["torchaudio"]


def test_the_lock_was_made_by_the_makefiles_command():
    (command,) = re.findall(r"uv pip compile .*requirements\.lock", MAKEFILE)
    assert f"#    {command}\n" in LOCK


def conda_ranges():
    """What conda installs, and under `pip:` what conda-forge lacks, each with its range."""
    *plain, pip = CONDA["dependencies"]
    ranges = {name: SpecifierSet(spec) for name, _, spec in (line.partition(" ") for line in plain)}
    return ranges | {line.name: line.specifier for line in map(Requirement, pip["pip"][:-1])}


@pytest.mark.parametrize("declared", DECLARED, ids=NAMES)
def test_conda_has_every_package_in_the_same_range(declared):
    assert conda_ranges()[CONDA_NAMES.get(declared.name, declared.name)] == declared.specifier


def test_conda_has_nothing_else():
    ours = {CONDA_NAMES.get(name, name) for name in NAMES}
    assert set(conda_ranges()) == ours | {"python", "pip"}


def test_conda_has_the_same_python_and_ends_with_the_project_itself():
    assert conda_ranges()["python"] == SpecifierSet(PROJECT["requires-python"])
    assert (CONDA["name"], CONDA["channels"]) == ("sori", ["conda-forge"])
    assert CONDA["dependencies"][-1]["pip"][-1] == "-e ."


@pytest.fixture
def clone(tmp_path):
    """What set-up reads, in a folder whose name has a space."""
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def make(folder, *arguments):
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], cwd=folder, env=ours, capture_output=True, text=True)


def make_ready(folder, made_in):
    """A .venv as a finished set-up in `made_in` leaves it, newer than the lock."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (folder / ".venv" / ".ready").write_text(f"{made_in.resolve()}\n", encoding="utf-8")


def test_make_alone_says_what_there_is(clone):
    said = make(clone).stdout
    for target in ("demo", "test", "lab", "site", "release", "lock", "clean"):
        assert f"make {target} " in said


@pytest.mark.parametrize("target", ["demo", "test", "lab", "site", "release"])
def test_each_command_sets_up_first(clone, target):
    said = make(clone, "-n", target).stdout
    assert said.index("-m venv --clear") < said.index("uv pip install") < said.rindex(". .venv/bin/activate")


def test_a_finished_set_up_is_not_done_again(clone):
    make_ready(clone, made_in=clone)
    assert make(clone, "-q", "setup").returncode == 0


def test_a_set_up_that_was_cut_short_is_begun_again(clone):
    make_ready(clone, made_in=clone)
    (clone / ".venv" / ".ready").unlink()
    assert make(clone, "-q", "setup").returncode == 1


def test_a_copied_set_up_is_not_believed(clone, tmp_path):
    make_ready(clone, made_in=tmp_path)
    assert make(clone, "-q", "setup").returncode == 1


def test_a_set_up_whose_python_is_gone_is_not_believed(clone):
    make_ready(clone, made_in=clone)
    python = clone / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/python/that/was/upgraded/away")
    assert make(clone, "-q", "setup").returncode == 1


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_a_changed_list_is_installed(clone, changed):
    make_ready(clone, made_in=clone)
    later = (clone / ".venv" / ".ready").stat().st_mtime + 10
    os.utime(clone / changed, (later, later))
    assert make(clone, "-q", "setup").returncode == 1


def test_a_python_that_does_not_suit_is_named_and_nothing_is_made(clone):
    old = clone.parent / "python-old"
    old.write_text("#!/bin/sh\ntest \"$1\" = -V && echo 'Python 3.9.6'\n", encoding="utf-8")
    old.chmod(0o755)
    done = make(clone, "setup", f"PYTHON={old} no-such-python")
    assert done.returncode != 0
    assert "Sori needs Python 3.11 to 3.14" in done.stderr
    assert f"{old}, Python 3.9.6" in done.stderr
    assert "no-such-python" not in done.stderr
    assert not (clone / ".venv").exists()


def test_ci_runs_the_tests_and_builds_the_site():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    said = script.read_text(encoding="utf-8")
    assert "make test" in said
    assert "make site" in said
