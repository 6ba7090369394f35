"""Runs a student's notebook in a kernel of its own, asks its functions, and decides the score outside that kernel.

Neither hidden cases nor expected answers enter the kernel: questions go in, values come out. `examine_notebook`
grades one notebook; `Examine` does so inside `nbgrader autograde`, in the place of nbgrader's `Execute`.
"""

import ast
import asyncio
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbclient.util import run_sync
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Float, Unicode
from traitlets.config import Config

from grader import render
from grader.answer import pack_question, unpack_answer
from grader.codec import CodecError
from grader.course import CHECK, Unit, course_root, grade_id, load_unit, visible
from grader.exercise import Answer, Question, find_exercise
from grader.judge import judge
from grader.seed import grading_seed
from grader.verdict import Verdict

#: How long one cell of a student's may run, in seconds.
CELL_SECONDS = 60.0
#: How many cells besides the exercises' own may end the kernel before the rest of a notebook is given up.
MAX_RESTARTS = 3


@dataclass(frozen=True)
class Graded:
    """One notebook's verdicts, by exercise in the unit's order, and the points they earn."""

    unit: Unit
    verdicts: dict[str, Verdict] = field(repr=False)

    def score(self, exercise: str) -> float:
        """The points earned for one exercise."""
        return round(self.verdicts[exercise].fraction * self.unit.points[exercise], 4)

    @property
    def total(self) -> float:
        """All points earned."""
        return round(sum(self.score(name) for name in self.verdicts), 4)

    def summary(self) -> dict:
        """Plain data: unit, score, max_score, and for each exercise score, max_score, status and diagnosis."""
        return {
            "unit": self.unit.name,
            "score": self.total,
            "max_score": self.unit.max_score,
            "exercises": {
                name: {
                    "score": self.score(name),
                    "max_score": self.unit.points[name],
                    "status": verdict.status,
                    "diagnosis": verdict.diagnosis.says if verdict.diagnosis else None,
                }
                for name, verdict in self.verdicts.items()
            },
        }


def examine_notebook(
    notebook: NotebookNode,
    unit: Unit,
    seed: str,
    *,
    folder: Path | None = None,
    cell_seconds: float = CELL_SECONDS,
    progress: Callable[[int, int], None] | None = None,
) -> Graded:
    """Run the notebook's cells in a fresh kernel and judge every exercise of `unit` on inputs drawn from `seed`.

    The unit's own demo cells, unchanged, are left out until an answer lacks a name. A cell that fails costs only
    what depends on it; a kernel that dies is replaced and the cells before are run again. An exercise whose cells
    are gone is judged at the end. The notebook's cells receive the outputs of the run; `progress(done, all)` is
    called after each cell.
    """
    return _Examination(notebook, unit, seed, folder, cell_seconds, progress).run()


class _Client(NotebookClient):
    """nbclient, able to put a question to the kernel between two cells."""

    async def async_evaluate(self, expression: str, seconds: float) -> str:
        """The text of an expression's value in the kernel. `CodecError` where there is none in time."""
        message_id = self.kc.execute("", silent=True, store_history=False, user_expressions={"reply": expression})
        try:
            async with asyncio.timeout(seconds):
                while True:
                    alive = await self.km.is_alive()
                    if not alive:
                        raise DeadKernelError("Kernel died")
                    try:
                        message = await self.kc.get_shell_msg(timeout=1)
                    except Exception as error:  # queue.Empty, under whichever name jupyter_client raises it
                        if type(error).__name__ != "Empty":
                            raise
                        continue
                    if message["parent_header"].get("msg_id") == message_id:
                        break
        except TimeoutError:
            await self.km.interrupt_kernel()
            raise CodecError("no reply in time") from None
        found = message["content"].get("user_expressions", {}).get("reply", {})
        if found.get("status") != "ok":
            raise CodecError(f"the kernel could not answer ({found.get('ename', 'no reply')})")
        return found["data"]["text/plain"]

    evaluate = run_sync(async_evaluate)


class _Examination:
    def __init__(
        self,
        notebook: NotebookNode,
        unit: Unit,
        seed: str,
        folder: Path | None,
        cell_seconds: float,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.notebook = notebook
        self.unit = unit
        self.seed = seed
        self.folder = folder
        self.cell_seconds = cell_seconds
        self.progress = progress or (lambda done, all_cells: None)
        self.verdicts: dict[str, Verdict] = {}
        self.fatal: set[int] = set()
        self.left_out: list[int] = []
        self.questions_after = self._plan()

    def run(self) -> Graded:
        for cell in self.notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        for _ in range(len(self.unit.points) + MAX_RESTARTS + 1):
            try:
                self._run_in_fresh_kernel()
                break
            except DeadKernelError:
                continue
        for name in self.unit.points:
            if name not in self.verdicts:
                self._lose(name, "the kernel ended before this exercise could be asked")
        return Graded(self.unit, {name: self.verdicts[name] for name in self.unit.points})

    def _plan(self) -> dict[int, list[str]]:
        """After which cell each exercise is asked: the last that bears its name; else after the last cell of all."""
        last = {name: len(self.notebook.cells) - 1 for name in self.unit.points}
        for index, cell in enumerate(self.notebook.cells):
            name = grade_id(cell).removeprefix(CHECK)
            if name in last:
                last[name] = index
        return {index: [name for name, at in last.items() if at == index] for index in last.values()}

    def _run_in_fresh_kernel(self) -> None:
        with tempfile.TemporaryDirectory(prefix="sori-") as sockets:
            self._run_with(_transport(Path(sockets)))

    def _run_with(self, config: Config) -> None:
        client = _Client(
            self.notebook,
            timeout=self.cell_seconds,
            interrupt_on_timeout=True,
            allow_errors=True,
            kernel_name="python3",
            kernel_manager_class=AsyncKernelManager,
            config=config,
            resources={"metadata": {"path": str(self.folder)}} if self.folder else {},
            shutdown_kernel="immediate",
        )
        self.left_out = []
        with client.setup_kernel(env=_environment()):
            for index, cell in enumerate(self.notebook.cells):
                try:
                    self._run_cell(client, cell, index)
                except DeadKernelError:
                    self.fatal.add(index)
                    self._lose_check(cell)
                    raise
                self._ask(client, self.questions_after.get(index, []))
                self.progress(index + 1, len(self.notebook.cells))

    def _run_cell(self, client: _Client, cell: NotebookNode, index: int) -> None:
        if cell.cell_type != "code" or not cell.source.strip():
            return
        if cell.source.strip() in self.unit.demos:
            self.left_out.append(index)
            return
        self._execute(client, cell, index)

    def _execute(self, client: _Client, cell: NotebookNode, index: int) -> None:
        if index in self.fatal:
            cell.outputs = [_error("KernelDied", "This cell ended the kernel. The cells after it ran without it.")]
            return
        source, cell.source = cell.source, visible(cell.source)
        metadata, cell.metadata = cell.metadata, NotebookNode()  # a student's tags have no say
        try:
            client.execute_cell(cell, index)
        except CellTimeoutError:
            cell.outputs.append(_error("TimeoutError", f"This cell was stopped after {self.cell_seconds:g} s."))
        finally:
            cell.source, cell.metadata = source, metadata

    def _ask(self, client: _Client, names: list[str]) -> None:
        for name in names:
            if name not in self.verdicts:
                try:
                    verdict = judge(find_exercise(name), _Asker(client, name), self.seed)
                    if self.left_out and _lacks_a_name(verdict):
                        self._catch_up(client)
                        verdict = judge(find_exercise(name), _Asker(client, name), self.seed)
                    self.verdicts[name] = verdict
                except DeadKernelError:
                    self._lose(name, "calling it ended the kernel")
                    raise

    def _catch_up(self, client: _Client) -> None:
        """Run the demo cells that were left out: an answer uses a name that may come from one of them."""
        waiting, self.left_out = self.left_out, []
        for index in waiting:
            self._execute(client, self.notebook.cells[index], index)

    def _lose_check(self, cell: NotebookNode) -> None:
        """An exercise whose visible examples end the kernel is not asked again."""
        name = grade_id(cell).removeprefix(CHECK)
        if grade_id(cell).startswith(CHECK) and name in self.unit.points:
            self._lose(name, "its examples ended the kernel")

    def _lose(self, name: str, why: str) -> None:
        """Judge an exercise as one that gave no answer."""
        lost = Answer(error="KernelError", message=why)
        self.verdicts.setdefault(name, judge(find_exercise(name), lambda question: lost, self.seed))


class _Asker:
    """Puts questions about one function to the kernel."""

    def __init__(self, client: _Client, name: str) -> None:
        self.client = client
        self.name = name

    def __call__(self, question: Question) -> Answer:
        call = f"reply(get_ipython().user_ns, {self.name!r}, {pack_question(question)!r})"
        code = f"__import__('grader.answer').answer.{call}"
        try:
            text = ast.literal_eval(self.client.evaluate(code, question.seconds + 10))
            return unpack_answer(text)
        except (CodecError, ValueError, SyntaxError, TypeError) as error:
            return Answer(error="KernelError", message=f"the kernel gave no answer ({error})")


def _lacks_a_name(verdict: Verdict) -> bool:
    return any(exchange.got.error == "NameError" for outcome in verdict.outcomes for exchange in outcome.exchanges)


def _transport(folder: Path) -> Config:
    """Sockets that are files in a folder of ours, where there are such: no other user can connect to them."""
    if sys.platform == "win32":
        return Config()
    return Config({"KernelManager": {"transport": "ipc", "connection_file": str(folder / "kernel.json")}})


def _environment() -> dict[str, str]:
    """The kernel's environment: this one, without what is the instructor's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRADER_")}
    return {**kept, "NBGRADER_EXECUTION": "autograde", "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}


def _error(name: str, text: str) -> NotebookNode:
    return new_output("error", ename=name, evalue=text, traceback=[f"{name}: {text}"])


class Examine(NbGraderPreprocessor):
    """nbgrader's `Execute`, with the score decided here instead of in the student's kernel."""

    cell_seconds = Float(CELL_SECONDS, help="How long one cell may run, in seconds.").tag(config=True)
    root = Unicode("", help="The course's folder; by default the one around the submission.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Grade the notebook and write each verdict into its check cell, where nbgrader finds score and feedback."""
        folder = Path(resources["metadata"]["path"])
        root = course_root(Path(self.root) if self.root else folder)
        unit = load_unit(root, resources["nbgrader"]["assignment"])
        graded = examine_notebook(nb, unit, grading_seed(root), folder=folder, cell_seconds=self.cell_seconds)
        for cell in nb.cells:
            name = grade_id(cell).removeprefix(CHECK)
            if cell.cell_type == "code" and grade_id(cell).startswith(CHECK) and name in graded.verdicts:
                cell.source = visible(cell.source)
                cell.metadata["sori"] = _record(graded.verdicts[name])
                cell.outputs = [*_harmless(cell.outputs), *_verdict_outputs(graded, name)]
        return nb, resources


def _record(verdict: Verdict) -> dict:
    """What reports read from an autograded notebook: status, groups, and the mistake's name."""
    diagnosis = verdict.diagnosis
    found = {"mistake": diagnosis.mistake, "says": diagnosis.says} if diagnosis else {"mistake": None, "says": None}
    return {"exercise": verdict.exercise, "status": verdict.status, "groups": verdict.groups, **found}


def _harmless(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """A check cell's own outputs, in forms that nbgrader does not take for a score."""
    kept = []
    for output in outputs:
        if output.output_type == "stream":
            kept.append(new_output("stream", name="stdout", text=output.text))
        elif output.output_type == "error":
            kept.append(new_output("stream", name="stdout", text=f"{output.ename}: {output.evalue}\n"))
    return kept


def _verdict_outputs(graded: Graded, name: str) -> list[NotebookNode]:
    """The verdict for readers, then the points as the cell's result, which nbgrader reads as partial credit."""
    verdict = graded.verdicts[name]
    shown = {"text/plain": render.as_text(verdict), "text/html": render.as_html(verdict)}
    points = {"text/plain": repr(graded.score(name))}
    return [new_output("display_data", data=shown), new_output("execute_result", data=points, execution_count=None)]
