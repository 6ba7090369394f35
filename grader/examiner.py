"""Runs a student's notebook in a kernel of its own, asks its functions, and decides the score outside that kernel.

Neither hidden cases nor expected answers enter the kernel: questions go in, values come out.
"""

import ast
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output

from grader.answer import pack_question, unpack_answer
from grader.client import CellClient, environment
from grader.codec import CodecError
from grader.course import CHECK, Unit, grade_id, visible
from grader.exercise import Answer, Question, find_exercise
from grader.judge import judge
from grader.verdict import Verdict

#: How long one cell of a student's may run, in seconds.
CELL_SECONDS = 60.0
#: How long all cells of one notebook may run, in seconds.
NOTEBOOK_SECONDS = 900.0
#: How long a cell may run that trains what an exercise needs, in seconds; added to the notebook's time.
TRAINING_SECONDS = 900.0
#: How many cells besides the exercises' own may end the kernel before the rest of a notebook is given up.
MAX_RESTARTS = 3
#: How many questions are put to a kernel at once.
_TOGETHER = 8


@dataclass(frozen=True)
class Graded:
    """One notebook's verdicts, by exercise in the unit's order, and the points they earn; how many seconds it ran."""

    unit: Unit
    verdicts: dict[str, Verdict] = field(repr=False)
    seconds: float

    def score(self, exercise: str) -> float:
        """The points earned for one exercise."""
        return self.verdicts[exercise].earned(self.unit.points[exercise])

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
    confined: bool = True,
    cell_seconds: float = CELL_SECONDS,
    notebook_seconds: float = NOTEBOOK_SECONDS,
    training_seconds: float = TRAINING_SECONDS,
    progress: Callable[[int, int], None] | None = None,
) -> Graded:
    """Run the notebook's cells in a fresh kernel and judge every exercise of `unit` on inputs drawn from `seed`.

    The unit's own demo cells, unchanged, are left out until an answer lacks a name; its own training cells,
    unchanged, may take `training_seconds`. A cell that fails costs only
    what depends on it; a kernel that dies is replaced and the cells before are run again. An exercise whose cells
    are gone is judged at the end. The notebook's cells receive the outputs of the run; `progress(done, all)` is
    called after each cell. The kernel is confined by the sandbox, or, where `confined` is False, is a stock kernel
    with the rights of this process.
    """
    whole = notebook_seconds + training_seconds * len(unit.training)
    limits = _Limits(cell_seconds, training_seconds, time.monotonic() + whole)
    return _Examination(notebook, unit, seed, folder, confined, limits, progress).run()


@dataclass(frozen=True)
class _Limits:
    cell_seconds: float
    training_seconds: float
    end: float

    def left(self, *, training: bool = False) -> float:
        """Seconds that the next cell may take."""
        return min(self.training_seconds if training else self.cell_seconds, self.end - time.monotonic())


class _OutOfTimeError(Exception):
    """The time of the whole notebook is up."""


class _Examination:
    def __init__(
        self,
        notebook: NotebookNode,
        unit: Unit,
        seed: str,
        folder: Path | None,
        confined: bool,
        limits: _Limits,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.notebook = notebook
        self.unit = unit
        self.seed = seed
        self.folder = folder
        self.confined = confined
        self.limits = limits
        self.progress = progress or (lambda done, all_cells: None)
        self.verdicts: dict[str, Verdict] = {}
        self.fatal: dict[int, str] = {}
        self.left_out: list[int] = []
        self.began = 0.0
        self.questions_after = self._plan()

    def run(self) -> Graded:
        for cell in self.notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        why = "the kernel ended before this exercise could be asked"
        for _ in range(len(self.unit.points) + MAX_RESTARTS + 1):
            try:
                self._run_in_fresh_kernel()
                break
            except DeadKernelError:
                continue
            except _OutOfTimeError:
                why = "the time for the whole notebook was up"
                break
        for name in self.unit.points:
            if name not in self.verdicts:
                self._lose(name, why)
        verdicts = {name: self.verdicts[name] for name in self.unit.points}
        seconds = time.monotonic() - self.began if self.began else 0.0
        return Graded(self.unit, verdicts, round(seconds, 2))

    def _plan(self) -> dict[int, list[str]]:
        """After which cell each exercise is asked: the last that bears its name; else after the last cell of all."""
        last = {name: len(self.notebook.cells) - 1 for name in self.unit.points}
        for index, cell in enumerate(self.notebook.cells):
            name = grade_id(cell).removeprefix(CHECK)
            if name in last:
                last[name] = index
        return {index: [name for name, at in last.items() if at == index] for index in last.values()}

    def _run_in_fresh_kernel(self) -> None:
        self.left_out = []
        with tempfile.TemporaryDirectory(prefix="sori-") as sockets:
            without_test = bool(self.unit.training)  # what it trains is asked about recordings that it must not know
            client = CellClient(
                self.notebook, Path(sockets), self.folder, confined=self.confined, without_test=without_test
            )
            with client.setup_kernel(env=environment()):
                client.check_ready()
                self.began = self.began or time.monotonic()  # the first kernel of all waits for imports
                for index, cell in enumerate(self.notebook.cells):
                    try:
                        self._run_cell(client, cell, index)
                    except DeadKernelError as error:
                        self.fatal[index] = str(error)
                        self._lose_check(cell)
                        raise
                    self._ask(client, self.questions_after.get(index, []))
                    self.progress(index + 1, len(self.notebook.cells))

    def _run_cell(self, client: CellClient, cell: NotebookNode, index: int) -> None:
        if cell.cell_type != "code" or not cell.source.strip():
            return
        if cell.source.strip() in self.unit.demos:
            self.left_out.append(index)
            return
        self._execute(client, cell, index)

    def _execute(self, client: CellClient, cell: NotebookNode, index: int) -> None:
        if index in self.fatal:
            why = self.fatal[index]
            says = f"This cell ended the kernel{': ' + why if why else ''}. The cells after it ran without it."
            cell.outputs = [_error("KernelDied", says)]
            return
        seconds = self.limits.left(training=cell.source.strip() in self.unit.training)
        if seconds <= 0:
            raise _OutOfTimeError
        source, cell.source = cell.source, visible(cell.source)
        metadata, cell.metadata = cell.metadata, NotebookNode()  # a student's tags have no say
        try:
            if not client.run_cell(cell, index, seconds):
                cell.outputs.append(_error("TimeoutError", f"This cell was stopped after {seconds:.0f} s."))
            ours = visible(source).strip() in self.unit.given | self.unit.demos
            if not ours and not _only_defines(source):
                client.check_ready()
        finally:
            cell.source, cell.metadata = source, metadata

    def _ask(self, client: CellClient, names: list[str]) -> None:
        for name in names:
            if name not in self.verdicts:
                if self.limits.left() <= 0:
                    raise _OutOfTimeError
                try:
                    verdict = judge(find_exercise(name), _Asker(client, name), self.seed)
                    if self.left_out and _lacks_a_name(verdict):
                        self._catch_up(client)
                        verdict = judge(find_exercise(name), _Asker(client, name), self.seed)
                    self.verdicts[name] = verdict
                except DeadKernelError as error:
                    self._lose(name, f"calling it ended the kernel{': ' if str(error) else ''}{error}")
                    raise

    def _catch_up(self, client: CellClient) -> None:
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
    """Puts questions about one function to the kernel: those that are known beforehand several at a time."""

    def __init__(self, client: CellClient, name: str) -> None:
        self.client = client
        self.name = name
        self.waiting: list[Question] = []
        self.known: dict[Question, Answer] = {}

    def expect(self, questions: list[Question]) -> None:
        """These will be asked, in this order."""
        self.waiting = questions

    def __call__(self, question: Question) -> Answer:
        if question not in self.known and question in self.waiting:
            start = self.waiting.index(question)
            together = self.waiting[start : start + _TOGETHER]
            # where that gives no answer, each is asked alone: one that cannot be sent costs only its own case
            with suppress(CodecError, ValueError, SyntaxError, TypeError):
                self.known.update(zip(together, self._ask(together), strict=False))
        if question in self.known:
            return self.known[question]
        try:
            return self._ask([question])[0]
        except (CodecError, ValueError, SyntaxError, TypeError, IndexError) as error:
            return Answer(error="KernelError", message=f"the kernel gave no answer ({error})")

    def _ask(self, questions: list[Question]) -> list[Answer]:
        messages = "\n".join(pack_question(question) for question in questions)
        code = f"__import__('grader.answer').answer.replies(get_ipython().user_ns, {self.name!r}, {messages!r})"
        text = ast.literal_eval(self.client.evaluate(code, sum(one.seconds for one in questions) + 10))
        return [unpack_answer(line) for line in text.splitlines()]


def _only_defines(source: str) -> bool:
    """Whether a cell holds only plain functions and imports, which by themselves do no harm to a kernel."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return True  # it did not run
    return all(
        isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.FunctionDef) and not node.decorator_list and _constant_defaults(node))
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in body
    )


def _constant_defaults(node: ast.FunctionDef) -> bool:
    defaults = [*node.args.defaults, *node.args.kw_defaults]
    return all(isinstance(one, ast.Constant | ast.UnaryOp | ast.Tuple | None) for one in defaults)


def _lacks_a_name(verdict: Verdict) -> bool:
    return any(exchange.got.error == "NameError" for outcome in verdict.outcomes for exchange in outcome.exchanges)


def _error(name: str, text: str) -> NotebookNode:
    return new_output("error", ename=name, evalue=text, traceback=[f"{name}: {text}"])
