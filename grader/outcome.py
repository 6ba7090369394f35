"""What grading one notebook came to, as plain data: it travels from whoever ran the notebook to the gradebook."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_output

from grader import render
from grader.course import CHECK, grade_id, visible
from grader.examiner import Graded
from grader.verdict import Verdict


@dataclass(frozen=True)
class Outcome:
    """Scores and records by exercise; `shown` are the verdicts as outputs, `outputs` those of every cell.

    `seconds` is how long examining took.
    """

    unit: str
    scores: dict[str, float]
    records: dict[str, dict]
    shown: dict[str, dict]
    outputs: list[list[dict]]
    seconds: float

    @classmethod
    def of(cls, graded: Graded, notebook: NotebookNode) -> "Outcome":
        """The outcome of a notebook that was just examined."""
        verdicts = graded.verdicts.items()
        return cls(
            unit=graded.unit.name,
            scores={name: graded.score(name) for name in graded.verdicts},
            records={name: _record(verdict) for name, verdict in verdicts},
            shown={
                name: {"text/plain": render.as_text(one), "text/html": render.as_html(one)} for name, one in verdicts
            },
            outputs=[cell.get("outputs", []) for cell in notebook.cells],
            seconds=graded.seconds,
        )

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Outcome":
        """From the text of `to_json`."""
        return cls(**json.loads(text))

    def write_into(self, notebook: NotebookNode) -> None:
        """Give each cell its outputs, and each check cell its verdict and its points, where nbgrader reads them."""
        notebook.metadata["sori"] = {"seconds": self.seconds}
        aligned = len(self.outputs) == len(notebook.cells)
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            cell.outputs = from_dict(self.outputs[index]) if aligned else []
            cell.execution_count = None
            name = grade_id(cell).removeprefix(CHECK)
            if grade_id(cell).startswith(CHECK) and name in self.scores:
                cell.source = visible(cell.source)
                cell.metadata["sori"] = self.records[name]
                cell.outputs = [*_harmless(cell.outputs), *self._verdict(name)]

    def _verdict(self, name: str) -> list[NotebookNode]:
        """The verdict for readers, then the points as the cell's result, which nbgrader reads as partial credit."""
        points = {"text/plain": repr(self.scores[name])}
        return [
            new_output("display_data", data=dict(self.shown[name])),
            new_output("execute_result", data=points, execution_count=None),
        ]


def _record(verdict: Verdict) -> dict[str, Any]:
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
