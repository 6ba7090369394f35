"""Is this machine ready, and if not, what to do: one finding for each thing that a course needs."""

import contextlib
import csv
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from grader.course import CourseError, course_root
from grader.sandbox import missing

PROJECT = "sori"
GB = 10**9
NEEDED_DISK = 2 * GB
NEEDED_MEMORY = 4 * GB

_IMPORT_PAIR = """
import json
found = {}
try:
    import torch
    found["torch"], found["cuda"] = torch.__version__, torch.version.cuda
    print(json.dumps(found), flush=True)
    import torchaudio
    found["torchaudio"] = torchaudio.__version__
except BaseException as error:
    while error.__cause__:
        error = error.__cause__
    found["error"] = f"{type(error).__name__}: {error}".splitlines()[0]
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `fail` must be mended, `warn` costs something; `advice` is one sentence, or nothing."""

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""


def findings() -> list[Finding]:
    """Look at everything; takes a few seconds, most of them torch's import."""
    interpreter = [python_version(), *dependencies(), torch_pair(), bytecode(), kernel(), alembic()]
    machine = [memory(), git(), sandbox()]
    return [*interpreter, *examine_course(), *machine]


def examine_course() -> list[Finding]:
    """Look at the folder that the course lives in."""
    try:
        root = course_root()
    except CourseError as error:
        return [Finding("Course", "fail", str(error), "Change into the folder that you cloned the course into.")]
    return [Finding("Course", "ok", str(root)), write_access(root), recordings(root / "data"), disk_space(root)]


def python_version() -> Finding:
    """Whether this Python is one that the project allows."""
    version = ".".join(map(str, sys.version_info[:3]))
    try:
        allowed = importlib.metadata.metadata(PROJECT)["Requires-Python"]
    except importlib.metadata.PackageNotFoundError:
        return Finding(
            "Python", "fail", f"{version}, without this project", "Run `pip install -e .` in the course's folder."
        )
    if Version(version) in SpecifierSet(allowed):
        return Finding("Python", "ok", f"{version}, {sys.executable}")
    return Finding("Python", "fail", version, f"Make a new environment with Python {allowed}.")


def dependencies() -> list[Finding]:
    """One finding for all packages in their ranges, and one for each that is missing or outside its range."""
    needed = _needed()
    wrong = [finding for requirement in needed if (finding := _dependency(requirement))]
    fine = f"{len(needed) - len(wrong)} of {len(needed)} are in the ranges of pyproject.toml"
    return [Finding("Packages", "ok", fine), *wrong] if needed else []


def _dependency(requirement: Requirement) -> Finding | None:
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        found = "missing"
    else:
        if requirement.specifier.contains(version, prereleases=True):
            return None
        found = f"{version}, needs {requirement.specifier}"
    wanted = f"{requirement.name}{requirement.specifier}"
    return Finding(requirement.name, "fail", found, f'Install it: `pip install "{wanted}"`.')


def _needed() -> list[Requirement]:
    """What the project declares for this system, extras left out; nothing where it is not installed."""
    try:
        declared = [Requirement(line) for line in importlib.metadata.requires(PROJECT) or []]
    except importlib.metadata.PackageNotFoundError:
        return []
    return [requirement for requirement in declared if not requirement.marker or requirement.marker.evaluate()]


def _range(package: str) -> SpecifierSet:
    return next((requirement.specifier for requirement in _needed() if requirement.name == package), SpecifierSet())


def torch_pair() -> Finding:
    """Whether torch and torchaudio import, were released together, and were built for the same device.

    torchaudio declares no requirement on torch, so no installer keeps them in step. They are imported in a process
    of their own: a pair that does not fit may crash it.
    """
    name = "torch and torchaudio"
    try:
        torch, torchaudio = (Version(importlib.metadata.version(package)) for package in ("torch", "torchaudio"))
    except importlib.metadata.PackageNotFoundError:
        wanted = " ".join(f'"{package}{_range(package)}"' for package in ("torch", "torchaudio"))
        return Finding(name, "fail", "not both installed", f"Install the pair: `pip install {wanted}`.")
    trouble = []
    if torch.release != torchaudio.release:
        trouble.append("they were not released together")
    if torch.local and torchaudio.local and torch.local != torchaudio.local:
        trouble.append(f"one is built for {torch.local}, the other for {torchaudio.local}")
    imported = _import_pair()
    if error := imported.get("error"):
        broken = "torchaudio" if "torch" in imported else "torch"
        trouble.append(f"{broken} does not import ({error})")
        if broken == "torchaudio" and "cuda" in error.lower() and not imported["cuda"]:
            trouble.append("torchaudio is built for CUDA, torch for the CPU")
    if trouble:
        found = f"torch {torch}, torchaudio {torchaudio}: {'; '.join(trouble)}"
        fits, other = (torch, "torchaudio") if torch in _range("torch") else (torchaudio, "torch")
        advice = f"Install {other} {fits.public}: `pip install {other}=={fits.public}`."
        if error or torch.release == torchaudio.release:
            pair = f"torch=={fits.public} torchaudio=={fits.public}"
            advice = f"Install both from one source: `pip install --force-reinstall {pair}`."
        return Finding(name, "fail" if error else "warn", found, advice)
    return Finding(name, "ok", f"{imported['torch']} and {imported['torchaudio']}")


def _import_pair() -> dict[str, str]:
    """The versions that the imported modules state, torch's `cuda`, and an `error` where the import failed."""
    try:
        done = subprocess.run(  # noqa: S603  (our own text, this interpreter)
            [sys.executable, "-c", _IMPORT_PAIR], capture_output=True, text=True, timeout=300
        )
    except subprocess.TimeoutExpired:
        return {"error": "five minutes were not enough"}
    found = json.loads((done.stdout.splitlines() or ["{}"])[-1])
    return found | {"error": f"Python died with status {done.returncode}"} if done.returncode else found


def bytecode() -> Finding:
    """Whether a kernel must compile torch at every start (7–10 s instead of 3)."""
    spec = importlib.util.find_spec("torch")
    compiled = bool(spec and spec.origin) and Path(importlib.util.cache_from_source(spec.origin)).is_file()
    if not sys.dont_write_bytecode:
        return Finding("Bytecode", "ok", "kept after the first import")
    if compiled:
        return Finding("Bytecode", "ok", "writing is switched off, and torch is compiled")
    folder = Path(spec.origin).parents[1] if spec and spec.origin else "site-packages"
    return Finding(
        "Bytecode",
        "warn",
        "writing is switched off (PYTHONDONTWRITEBYTECODE), and torch is not compiled: kernels start slowly",
        f'Compile once: `"{sys.executable}" -m compileall -q -j 0 "{folder}"`.',
    )


def kernel() -> Finding:
    """Whether Jupyter finds the kernel `python3` and it runs this interpreter."""
    advice = f'Register it: `"{sys.executable}" -m ipykernel install --sys-prefix`.'
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    except ImportError:
        return Finding("Kernel", "fail", "Jupyter is missing", "Install it: `pip install ipykernel`.")
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Finding("Kernel", "fail", "Jupyter has no kernel `python3`", advice)
    runs = spec.argv[0]
    # Jupyter itself puts this interpreter in the place of a bare name.
    if runs in ("python", "python3", f"python3.{sys.version_info.minor}") or _beside_python(runs):
        return Finding("Kernel", "ok", f"`python3` in {spec.resource_dir}")
    return Finding("Kernel", "fail", f"`python3` in {spec.resource_dir} runs {runs}, not {sys.executable}", advice)


def alembic() -> Finding:
    """Whether nbgrader, which calls `alembic` from PATH, finds this environment's."""
    on_path, here = shutil.which("alembic"), Path(sys.executable).parent
    if on_path and _beside_python(on_path):
        return Finding("alembic", "ok", on_path)
    if shutil.which("alembic", path=str(here)):
        found = f"in {here}, but PATH has {on_path or 'none'}"
        return Finding("alembic", "warn", found, f"Activate this environment, or put {here} first on PATH.")
    if on_path:
        return Finding("alembic", "ok", on_path)
    return Finding("alembic", "fail", "missing: nbgrader makes no gradebook without it", "Run `pip install alembic`.")


def _beside_python(program: str) -> bool:
    """Whether `program` lies in this interpreter's folder. Links are not followed: venvs link to one Python."""
    try:
        return Path(program).parent.samefile(Path(sys.executable).parent)
    except OSError:
        return False


def write_access(root: Path) -> Finding:
    """Whether a file can be made in the course's folder. Tried, because root may write where modes say otherwise."""
    try:
        with tempfile.TemporaryFile(dir=root):
            return Finding("Write access", "ok", str(root))
    except OSError as error:
        advice = "Copy the course to a folder of your own, or ask its owner for write access."
        return Finding("Write access", "fail", f"{root}: {error.strerror}", advice)


def recordings(data: Path) -> Finding:
    """Whether every recording of the table is there and not empty."""
    table = data / "recordings.tsv"
    mend = "Bring the folder back: `git checkout -- data`."
    try:
        with table.open(encoding="utf-8", newline="") as lines:
            names = [row["file"] for row in csv.DictReader(lines, delimiter="\t")]
    except (OSError, KeyError, UnicodeDecodeError):
        return Finding("Recordings", "fail", f"{table} is missing or damaged", mend)
    missing = [name for name in names if not (data / name).is_file() or not (data / name).stat().st_size]
    if missing or not names:
        some = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
        return Finding("Recordings", "fail", f"{len(missing)} of {len(names)} missing or empty: {some}", mend)
    return Finding("Recordings", "ok", f"all {len(names)}")


def disk_space(root: Path) -> Finding:
    """Whether there is room for notebooks, hand-ins and feedback."""
    free = shutil.disk_usage(root).free
    found = f"{free / GB:.1f} GB free"
    if free >= NEEDED_DISK:
        return Finding("Disk", "ok", found)
    return Finding("Disk", "warn", found, f"Free {(NEEDED_DISK - free) / GB:.1f} GB on the disk of {root}.")


def memory() -> Finding:
    """Whether a notebook with torch and the tools around it fit; a container's limit counts."""
    try:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return Finding("Memory", "ok", "not known on this system")
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit ("max")
        size = min(size, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    found = f"{size / GB:.1f} GB"
    if size >= NEEDED_MEMORY:
        return Finding("Memory", "ok", found)
    return Finding("Memory", "warn", found, f"Use a machine with {NEEDED_MEMORY // GB} GB, or Colab.")


def git() -> Finding:
    """Whether git is there, to fetch new units with."""
    if found := shutil.which("git"):
        return Finding("git", "ok", found)
    return Finding("git", "warn", "missing", "Install git to get new units with `git pull`.")


def sandbox() -> Finding:
    """Whether strangers' notebooks are confined here. Never a failure: your own need no sandbox."""
    reason = missing()
    if reason:
        advice = "Grade notebooks that you do not trust on Linux, where `unshare -Urmpn true` succeeds."
        return Finding("Sandbox", "warn", f"none: student code has your own rights ({reason})", advice)
    who = "root; each kernel gets a user of its own" if os.geteuid() == 0 else "an ordinary user"
    return Finding("Sandbox", "ok", f"on, as {who}: no network, a read-only view, limits")
