"""What an exercise is: an oracle, cases, misconceptions, alternatives; and the registry of all of them.

One exercise serves four readers: the learner's `check`, the hidden test, the diagnosis of a wrong answer,
and the audit that tests the tests.
"""

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any, overload

import torch

from grader.draw import Draw

#: The group that every exercise has: ordinary inputs, ordinary answers.
BASIC = "basic"
#: The group made from the other cases of a differentiable exercise: the same inputs, the gradients compared.
GRADIENT = "gradient"


class ExerciseError(ValueError):
    """An exercise is declared wrongly, or one is asked for that does not exist."""


@dataclass(frozen=True)
class Tolerance:
    """How near is near enough: |got − expected| ≤ atol + rtol·|expected|."""

    atol: float = 1e-5
    rtol: float = 1e-4


@dataclass(frozen=True, eq=False)
class Question:
    """One call of the learner's function.

    `cotangents` asks for gradients too: one tensor for each floating tensor in the result, in order.
    `forbids` are dotted names of library functions (`"numpy.convolve"`), and PyTorch's own operators
    (`"aten::convolution"`), that raise while the call runs. `probe` names a function of `grader.probes` that makes
    the call instead, `probe(function, *args, **kwargs)`: for functions of what cannot cross, such as a model.
    """

    args: tuple = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    cotangents: tuple[torch.Tensor, ...] | None = None
    forbids: tuple[str, ...] = ()
    seconds: float = 5.0
    probe: str = ""


@dataclass(frozen=True)
class Answer:
    """What came back from one call: a value, or an error, and what else was seen.

    `error` is the exception's class name; `gradients` follow the floating tensors of the arguments in order,
    None where no gradient arrived; `modified` names the arguments that the call changed.
    """

    value: Any = None
    error: str | None = None
    message: str = ""
    line: str = ""
    gradients: tuple[torch.Tensor | None, ...] | None = None
    modified: tuple[str, ...] = ()
    printed: str = ""
    timed_out: bool = False


class Wrong(Exception):  # noqa: N818  (raised by a property; it is a finding about an answer, not a fault of ours)
    """What a property case raises when the answers break the property."""


#: A property yields questions, receives answers, and raises `Wrong` when they do not fit together.
Property = Callable[[Draw], Generator[Question, Answer, None]]


@dataclass(frozen=True)
class Case:
    """One situation in which the answer must be right.

    With `is_property` false, `make(draw)` returns the arguments and the oracle's result is expected. Otherwise
    `make` is a `Property`. `group` is what partial credit counts; `practice` cases are those `check` may show.
    """

    name: str
    make: Callable[[Draw], Any]
    group: str
    practice: bool
    is_property: bool
    gradient: bool
    seconds: float

    @property
    def label(self) -> str:
        """The case in words: its docstring's first line, else its name."""
        doc = inspect.getdoc(self.make)
        return doc.splitlines()[0].rstrip(".") if doc else self.name.replace("_", " ")

    def as_gradient(self) -> "Case":
        """The same inputs as a case of the gradient group."""
        return replace(self, name=f"{self.name}/gradient", group=GRADIENT, gradient=True)


@dataclass(frozen=True)
class Misconception:
    """A wrong answer that real learners give, as code; `says` names the mistake, `hint` helps without telling."""

    name: str
    function: Callable
    says: str
    hint: str


def arguments(*args: Any, **kwargs: Any) -> Question:
    """The arguments of one call, keywords included; what a case returns and a property yields."""
    return Question(args=args, kwargs=kwargs)


def ask(*args: Any, cotangents: tuple[torch.Tensor, ...], **kwargs: Any) -> Question:
    """The arguments of one call whose gradients a property wants to see."""
    return Question(args=args, kwargs=kwargs, cotangents=cotangents)


class Exercise:
    """A function that the learner writes, and all that is known about it.

    Made by the `exercise` decorator on the oracle; the object's decorators add the rest. It is callable: calling
    it calls the oracle.
    """

    def __init__(
        self,
        oracle: Callable,
        unit: str,
        differentiable: bool,
        tolerance: Tolerance,
        forbids: tuple[str, ...],
        trained: bool = False,
    ) -> None:
        self.name = oracle.__name__
        self.unit = unit
        self.oracle = oracle
        self.differentiable = differentiable
        self.tolerance = tolerance
        self.forbids = forbids
        self.trained = trained
        self.misconceptions: list[Misconception] = []
        self.alternatives: list[Callable] = []
        self._cases: list[Case] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The oracle's answer."""
        return self.oracle(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<exercise {self.unit} {self.name}>"

    @property
    def cases(self) -> list[Case]:
        """Every case, the derived gradient cases last."""
        if not self.differentiable:
            return list(self._cases)
        derived = [case.as_gradient() for case in self._cases if case.gradient and not case.is_property]
        return [*self._cases, *derived]

    @overload
    def case(self, make: Callable[[Draw], Any]) -> Callable[[Draw], Any]: ...
    @overload
    def case(self, **options: Any) -> Callable: ...
    def case(self, make: Callable | None = None, **options: Any) -> Callable:
        """A practice case: `check` uses it and may show its answer. Options as in `_add`."""
        return self._add(make, practice=True, is_property=False, **options)

    def hidden_case(self, make: Callable | None = None, **options: Any) -> Callable:
        """A case used only for grading."""
        return self._add(make, practice=False, is_property=False, **options)

    def property_case(self, make: Property | None = None, **options: Any) -> Callable:
        """A practice case that no oracle gives: a generator that yields questions and receives answers."""
        return self._add(make, practice=True, is_property=True, **options)

    def hidden_property_case(self, make: Property | None = None, **options: Any) -> Callable:
        """A property used only for grading."""
        return self._add(make, practice=False, is_property=True, **options)

    def misconception(self, says: str, hint: str) -> Callable[[Callable], Callable]:
        """Catalogue a wrong answer with what it shows and a hint. The function below it is that wrong answer."""

        def add(function: Callable) -> Callable:
            self.misconceptions.append(Misconception(function.__name__, function, says, hint))
            return function

        return add

    def alternative(self, function: Callable) -> Callable:
        """Catalogue a correct answer written another way."""
        self.alternatives.append(function)
        return function

    def _add(
        self,
        make: Callable | None,
        *,
        practice: bool,
        is_property: bool,
        group: str = BASIC,
        gradient: bool = True,
        seconds: float = 5.0,
    ) -> Callable:
        """`gradient=False` leaves a case out of the gradient group; `seconds` limits one call."""

        def add(function: Callable) -> Callable:
            if any(case.name == function.__name__ for case in self._cases):
                raise ExerciseError(f"{self.unit}/{self.name} has two cases named {function.__name__}")
            self._cases.append(Case(function.__name__, function, group, practice, is_property, gradient, seconds))
            return function

        return add if make is None else add(make)


_registry: dict[str, Exercise] = {}


def exercise(
    unit: str,
    *,
    differentiable: bool = False,
    tolerance: Tolerance | None = None,
    forbids: tuple[str, ...] = (),
    trained: bool = False,
) -> Callable[[Callable], Exercise]:
    """Turn an oracle into an exercise of `unit` and register it under the function's name.

    `differentiable` adds the gradient group; `forbids` names what raises while the learner's function runs, as in
    `Question`. `trained` says that the function needs what a training cell makes: the audit, which runs no such cell,
    goes without the solution.
    """

    def add(oracle: Callable) -> Exercise:
        made = Exercise(oracle, unit, differentiable, tolerance or Tolerance(), forbids, trained)
        known = _registry.get(made.name)
        if known is not None and known.oracle.__module__ != oracle.__module__:
            raise ExerciseError(f"two exercises are named {made.name}: in {known.unit} and in {unit}")
        _registry[made.name] = made
        return made

    return add


def all_exercises() -> list[Exercise]:
    """Every exercise of the course, in the units' order."""
    _load()
    return sorted(_registry.values(), key=lambda one: one.unit)


def exercises_of(unit: str) -> list[Exercise]:
    """The exercises of one unit, in the order they are declared."""
    return [one for one in all_exercises() if one.unit == unit]


def find_exercise(name: str) -> Exercise:
    """The exercise of that name. `ExerciseError` names the closest ones otherwise."""
    _load()
    if name in _registry:
        return _registry[name]
    near = difflib.get_close_matches(name, _registry, n=3)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ExerciseError(f"No exercise is named {name!r}.{meant}")


def _load() -> None:
    """Import every module of `grader.exercises`, which registers what it declares."""
    import grader.exercises

    for module in pkgutil.iter_modules(grader.exercises.__path__):
        importlib.import_module(f"grader.exercises.{module.name}")
