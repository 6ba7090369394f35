import importlib.metadata
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

from grader import confine, doctor


@pytest.fixture
def installed(monkeypatch):
    """Pretend that other versions are installed; None stands for a package that is not."""
    real = importlib.metadata.version

    def pretend(**versions):
        def version(name):
            found = versions.get(name, real)
            if found is None:
                raise importlib.metadata.PackageNotFoundError(name)
            return found if isinstance(found, str) else real(name)

        monkeypatch.setattr(importlib.metadata, "version", version)

    return pretend


@pytest.fixture
def importable(monkeypatch, tmp_path):
    """Put packages of the given sources before the real ones, for the process that imports the pair."""

    def write(**sources):
        for name, source in sources.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "__init__.py").write_text(source, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return write


TORCH_FOR_CPU = "from types import SimpleNamespace\n__version__ = '2.11.0+cpu'\nversion = SimpleNamespace(cuda=None)\n"
TORCHAUDIO = "__version__ = '2.11.0'\n"


def test_every_finding_that_is_not_fine_says_in_one_sentence_what_to_do():
    found = doctor.findings()
    assert len({finding.name for finding in found}) == len(found) >= 13
    for finding in found:
        assert finding.found
        assert finding.advice.endswith(".") if finding.state != "ok" else not finding.advice


def test_the_locked_pair_imports():
    finding = doctor.torch_pair()
    assert finding.state == "ok", finding


def test_a_pair_not_released_together_is_named_though_it_imports(installed, importable):
    importable(torch=TORCH_FOR_CPU, torchaudio=TORCHAUDIO)
    installed(torch="2.11.0", torchaudio="2.10.0")
    finding = doctor.torch_pair()
    assert finding.state == "warn"
    assert "torch 2.11.0, torchaudio 2.10.0: they were not released together" in finding.found
    assert finding.advice == "Install torchaudio 2.11.0: `pip install torchaudio==2.11.0`."


def test_a_torch_outside_the_projects_range_is_the_one_to_replace(installed, importable):
    importable(torch=TORCH_FOR_CPU, torchaudio=TORCHAUDIO)
    installed(torch="2.13.0", torchaudio="2.11.0")
    assert doctor.torch_pair().advice == "Install torch 2.11.0: `pip install torch==2.11.0`."


def test_a_pair_built_for_different_devices_is_named(installed, importable):
    importable(torch=TORCH_FOR_CPU, torchaudio=TORCHAUDIO)
    installed(torch="2.11.0+cpu", torchaudio="2.11.0+cu130")
    finding = doctor.torch_pair()
    assert finding.state == "warn"
    assert "one is built for cpu, the other for cu130" in finding.found
    assert "--force-reinstall torch==2.11.0 torchaudio==2.11.0" in finding.advice


def test_a_torchaudio_for_cuda_beside_a_torch_for_the_cpu_is_explained(installed, importable):
    missing = "raise OSError('libc10_cuda.so: cannot open shared object file')"
    importable(torch=TORCH_FOR_CPU, torchaudio=missing)
    installed(torch="2.11.0+cpu", torchaudio="2.11.0")
    finding = doctor.torch_pair()
    assert finding.state == "fail"
    assert "libc10_cuda.so" in finding.found
    assert finding.found.endswith("torchaudio is built for CUDA, torch for the CPU")


def test_a_pair_that_kills_the_interpreter_is_a_finding(importable):
    importable(torch=TORCH_FOR_CPU, torchaudio="import os; os._exit(139)")
    finding = doctor.torch_pair()
    assert finding.state == "fail"
    assert "torchaudio does not import (Python died with status 139)" in finding.found


def test_a_missing_torchaudio_is_a_finding(installed):
    installed(torchaudio=None)
    assert doctor.torch_pair().state == "fail"


def test_all_packages_of_the_project_are_in_range():
    (finding,) = doctor.dependencies()
    assert finding.state == "ok"


def test_a_missing_package_is_named_with_its_range(installed):
    installed(librosa=None)
    (finding,) = [finding for finding in doctor.dependencies() if finding.state == "fail"]
    assert (finding.name, finding.found) == ("librosa", "missing")
    assert finding.advice == 'Install it: `pip install "librosa>=0.11"`.'


def test_a_package_outside_its_range_is_named_with_its_version(installed):
    installed(nbgrader="0.8.1")
    (finding,) = [finding for finding in doctor.dependencies() if finding.state == "fail"]
    assert finding.found == "0.8.1, needs >=0.9.5"


def test_a_project_that_is_not_installed_is_a_finding(monkeypatch):
    monkeypatch.setattr(doctor, "PROJECT", "sori-that-nobody-installed")
    assert doctor.python_version().state == "fail"
    assert doctor.dependencies() == []


def test_a_python_that_is_too_old_is_a_finding(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 4, "final", 0))
    finding = doctor.python_version()
    assert (finding.state, finding.found) == ("fail", "3.10.4")


def test_the_kernel_runs_this_interpreter():
    assert doctor.kernel().state == "ok"


def test_a_kernel_of_another_interpreter_is_a_finding(monkeypatch, tmp_path):
    folder = tmp_path / "kernels" / "python3"
    folder.mkdir(parents=True)
    other = {"argv": ["/elsewhere/bin/python", "-m", "ipykernel_launcher"], "display_name": "x", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(other), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    finding = doctor.kernel()
    assert finding.state == "fail"
    assert "/elsewhere/bin/python" in finding.found


def test_a_missing_kernel_is_a_finding(monkeypatch):
    def none(self, name):
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", none)
    finding = doctor.kernel()
    assert finding.state == "fail"
    assert "-m ipykernel install --sys-prefix" in finding.advice


def test_alembic_off_the_path_is_a_warning(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.alembic().state == "warn"


def test_alembic_on_the_path_is_fine(monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert doctor.alembic().state == "ok"


def test_a_folder_that_takes_no_file_is_a_finding(tmp_path):
    closed = Path("/proc") if Path("/proc/self").exists() else tmp_path
    closed.chmod(0o500) if closed == tmp_path else None
    finding = doctor.write_access(closed)
    assert finding.state == "fail"
    assert str(closed) in finding.found


def test_trying_the_folder_leaves_nothing_behind(tmp_path):
    assert doctor.write_access(tmp_path).state == "ok"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def data(tmp_path):
    (tmp_path / "recordings.tsv").write_text("file\ttext\na/one.opus\tone\ntwo.flac\ttwo\n", encoding="utf-8")
    (tmp_path / "a").mkdir()
    for name in ("a/one.opus", "two.flac"):
        (tmp_path / name).write_bytes(b"sound")
    return tmp_path


def test_a_complete_data_folder_is_fine(data):
    assert doctor.recordings(data).state == "ok"


def test_missing_and_empty_recordings_are_named(data):
    (data / "a" / "one.opus").unlink()
    (data / "two.flac").write_bytes(b"")
    finding = doctor.recordings(data)
    assert finding.state == "fail"
    assert finding.found == "2 of 2 missing or empty: a/one.opus, two.flac"


@pytest.mark.parametrize("table", [None, "", "text\none\n", "\xff"])
def test_a_missing_or_damaged_table_is_a_finding(data, table):
    path = data / "recordings.tsv"
    path.unlink() if table is None else path.write_bytes(table.encode("latin-1"))
    assert doctor.recordings(data).state == "fail"


def test_a_full_disk_is_a_warning_that_says_how_much_to_free(monkeypatch, tmp_path):
    full = shutil.disk_usage(tmp_path)._replace(free=500_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    finding = doctor.disk_space(tmp_path)
    assert (finding.state, finding.found) == ("warn", "0.5 GB free")
    assert "Free 1.5 GB" in finding.advice


def test_little_memory_is_a_warning(monkeypatch):
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 500_000, "SC_PAGE_SIZE": 4096}.get, raising=False)
    finding = doctor.memory()
    assert (finding.state, finding.found) == ("warn", "2.0 GB")


def test_memory_is_not_guessed_where_the_system_does_not_say(monkeypatch):
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert doctor.memory().state == "ok"


def test_missing_git_is_a_warning(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.git().state == "warn"


def test_an_uncompiled_torch_is_a_warning_where_bytecode_is_never_written(monkeypatch, importable, tmp_path):
    importable(torch=TORCH_FOR_CPU)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    finding = doctor.bytecode()
    assert finding.state == "warn"
    assert f'-m compileall -q -j 0 "{tmp_path}"' in finding.advice


def test_an_uncompiled_torch_is_fine_where_bytecode_is_written(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert doctor.bytecode().state == "ok"


@pytest.mark.parametrize(
    ("reason", "state", "found"),
    [("", "ok", "on, as "), ("unshare: not permitted", "warn", "none: student code has your own rights (unshare")],
)
def test_the_sandbox_finding_says_whether_student_code_is_confined(monkeypatch, reason, state, found):
    monkeypatch.setattr(doctor, "missing", lambda: reason)
    finding = doctor.sandbox()
    assert finding.state == state
    assert finding.found.startswith(found)


def test_other_systems_have_no_sandbox_and_say_so(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "only Linux" in confine.supported()


def test_no_course_here_is_a_finding(monkeypatch):
    def nowhere():
        raise doctor.CourseError("No course here.")

    monkeypatch.setattr(doctor, "course_root", nowhere)
    (finding,) = doctor.examine_course()
    assert (finding.state, finding.found) == ("fail", "No course here.")
