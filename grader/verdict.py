"""What a judged exercise leaves behind: its cases' outcomes, what it earned, and what the learner should read."""

from dataclasses import dataclass, field

from grader.compare import Difference
from grader.exercise import BASIC, Answer, Case, Question


@dataclass(frozen=True)
class Exchange:
    """One question, what came back, and what the oracle says (None inside a property)."""

    question: Question
    got: Answer
    expected: Answer | None = None


@dataclass(frozen=True)
class Outcome:
    """How one case went. `finding` is None where it passed."""

    case: Case
    finding: Difference | None
    exchanges: tuple[Exchange, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the answers were right."""
        return self.finding is None


@dataclass(frozen=True)
class Diagnosis:
    """What the learner should read: the mistake and a hint. `mistake` is its short name, for counting."""

    mistake: str
    says: str
    hint: str = ""


@dataclass(frozen=True)
class Verdict:
    """What an exercise earned, and why. `status` is passed, partial, failed, missing or error."""

    exercise: str
    unit: str
    outcomes: tuple[Outcome, ...] = field(repr=False)
    diagnosis: Diagnosis | None = None

    @property
    def groups(self) -> dict[str, bool]:
        """Each group in order, and whether all of its cases passed."""
        passed: dict[str, bool] = {}
        for outcome in self.outcomes:
            passed[outcome.case.group] = passed.get(outcome.case.group, True) and outcome.passed
        return passed

    @property
    def fraction(self) -> float:
        """The share of the groups that passed; 0 where the basic group did not."""
        groups = self.groups
        if not groups or not groups.get(BASIC, True):
            return 0.0
        return sum(groups.values()) / len(groups)

    def earned(self, points: float) -> float:
        """What it earns of an exercise's points, to four decimals; the one rule for every way to grade."""
        return round(self.fraction * points, 4)

    @property
    def status(self) -> str:
        """`missing`: nothing was written; `error`: no call ended with a value; else by the share of groups."""
        kinds = {outcome.finding.kind for outcome in self.outcomes if outcome.finding}
        if not self.outcomes or "missing" in kinds:
            return "missing"
        if self.fraction == 1.0:
            return "passed"
        if self.fraction > 0.0:
            return "partial"
        return (
            "error"
            if kinds <= {"raised", "other_error", "blocked", "time", "kernel"} and not any(self.groups.values())
            else "failed"
        )
