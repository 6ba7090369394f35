"""The learner's side: calls the function once and reports what came of it.

The same code answers in the learner's notebook (for `check`) and in a kernel that is being graded. It decides
nothing: verdicts are made from its reports, elsewhere. It survives what the function does: exceptions of every
kind, endless loops, floods of output, results that cannot be sent.
"""

import ctypes
import importlib
import io
import os
import threading
import time
import traceback
import warnings
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext, redirect_stderr, redirect_stdout, suppress
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from grader import codec, probes
from grader.exercise import Answer, Question

#: How many characters of what a function prints are kept.
KEPT_OUTPUT = 2_000

#: How many threads there were at each look of `ready`, and how long it watches those that are new.
_THREADS: list[int] = []
_IDLE_SECONDS = 0.1

_REFUSAL = "{} is not allowed in this exercise: write the arithmetic yourself"


def answer(function: Callable, question: Question) -> Answer:
    """Call `function` once as `question` says and report. Never raises for what the function does.

    The function runs in a thread of its own, so that it can be left behind when its time is up.
    """
    reports: list[Answer] = []
    printed = _Bounded()

    def work() -> None:
        with suppress(_TimeUp):
            reports.append(_call(function, question))

    thread = threading.Thread(target=work, daemon=True, name="learner")
    with ExitStack() as stack:
        # Entered here, not in the thread: a thread that is left behind must not keep them.
        stack.enter_context(redirect_stdout(printed))
        stack.enter_context(redirect_stderr(printed))
        stack.enter_context(warnings.catch_warnings())
        for name in question.forbids:
            if not name.startswith("aten::"):
                stack.enter_context(_forbidden(name))
        with _refuse_operators(question.forbids):
            torch.zeros(1)  # the first time, torch imports much of itself: not in the learner's time
        thread.start()
        thread.join(question.seconds)
        if thread.is_alive():
            _stop(thread)
    if not reports:
        seconds = f"{question.seconds:g}"
        return Answer(error="TimeoutError", message=f"no answer after {seconds} s", timed_out=True)
    report = reports[0]
    return Answer(**{**vars(report), "printed": printed.getvalue()})


def reply(namespace: dict[str, Any], name: str, message: str) -> str:
    """Answer a question that came as base64 text about `namespace[name]`; the answer in the same form.

    What the examiner evaluates in a kernel. A name that is not there gives an answer with error `Missing`.
    """
    fields = codec.decode(b64decode(message))
    function = namespace.get(name)
    if callable(function):
        return pack_answer(answer(function, Question(**fields)))
    found = "nothing has that name" if function is None else f"it is a {type(function).__name__}"
    return pack_answer(Answer(error="Missing", message=found))


def replies(namespace: dict[str, Any], name: str, messages: str) -> str:
    """`reply` to each of several questions, one a line; none after the first that no further question would follow."""
    lines: list[str] = []
    for message in messages.splitlines():
        lines.append(reply(namespace, name, message))
        got = unpack_answer(lines[-1])
        if got.timed_out or got.error in ("Missing", "NotImplementedError"):
            break
    return "\n".join(lines)


def ready() -> str:
    """ "ready", if this process can still do what answering needs: start a thread, open a file, hold some memory.

    Evaluated in a fresh kernel and after each cell of a student's: one that leaves a kernel without these, or
    with threads that keep it busy, is left out.
    """
    thread = threading.Thread(target=bytearray, args=(2**24,))
    thread.start()
    thread.join()
    os.close(os.open(os.devnull, os.O_RDONLY))
    _THREADS.append(threading.active_count())
    if _THREADS[-1] > _THREADS[0]:
        began = time.process_time()
        time.sleep(_IDLE_SECONDS)
        if time.process_time() - began > _IDLE_SECONDS / 10:
            raise RuntimeError("threads keep running")
    unpack_answer(reply({}, "", pack_question(Question())))
    return "ready"


def pack_question(question: Question) -> str:
    """The question as base64 text."""
    return b64encode(codec.encode(vars(question))).decode()


def pack_answer(report: Answer) -> str:
    """The answer as base64 text."""
    return b64encode(codec.encode(vars(report))).decode()


def unpack_answer(text: str) -> Answer:
    """The answer from base64 text. Raises `CodecError` for anything that is not one."""
    try:
        fields = codec.decode(b64decode(text, validate=True))
        report = Answer(**fields)
    except (TypeError, ValueError) as error:
        raise codec.CodecError("the kernel's reply is not an answer") from error
    known = {"error": str | None, "message": str, "line": str, "gradients": tuple | None}
    known |= {"modified": tuple, "printed": str, "timed_out": bool}
    for field, kind in known.items():
        if not isinstance(getattr(report, field), kind):
            raise codec.CodecError(f"the kernel's reply has a malformed {field}")
    return report


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor in a nest of lists, tuples and dicts, with its place in it."""
    if isinstance(value, torch.Tensor):
        yield path, value
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from flatten(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from flatten(item, f"{path}[{key!r}]")


def is_floating(tensor: torch.Tensor) -> bool:
    """Whether a gradient can reach the tensor."""
    return tensor.is_floating_point() or tensor.is_complex()


def _call(function: Callable, question: Question) -> Answer:
    wants_gradients = question.cotangents is not None
    originals = _copy((question.args, question.kwargs))
    leaves = [leaf.requires_grad_() for _, leaf in flatten(originals) if wants_gradients and is_floating(leaf)]
    args, kwargs = _copy(originals)
    try:
        with _refuse_operators(question.forbids):
            value = _called(function, question.probe)(*args, **kwargs)
        gradients = _gradients(value, leaves, question.cotangents) if wants_gradients else None
        value = codec.decode(codec.encode(value))
    except _TimeUp:
        raise
    except codec.CodecError as error:
        return Answer(error="TooLarge", message=f"the result cannot be looked at: {error}")
    except BaseException as error:  # SystemExit and KeyboardInterrupt are the function's doing here
        name = "ValueError" if isinstance(error, ValueError) else type(error).__name__
        return Answer(error=name, message=_text(error), line=_line(error, function))
    return Answer(value=value, gradients=gradients, modified=_modified(question, args, kwargs))


def _called(function: Callable, probe: str) -> Callable:
    """What is called with the arguments: the function, or the probe that calls it."""
    return partial(getattr(probes, probe), function) if probe else function


def _copy(value: Any) -> Any:
    """A deep copy of plain data. Gradients flow through it to the tensors of the original."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, list | tuple):
        return type(value)(_copy(item) for item in value)
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return value


def _gradients(
    value: Any,
    leaves: list[torch.Tensor],
    cotangents: tuple[torch.Tensor, ...],
) -> tuple[torch.Tensor | None, ...] | None:
    """The gradient of ⟨cotangents, results⟩ for each leaf; None where none arrives or the results do not fit."""
    results = [result for _, result in flatten(value) if is_floating(result)]
    if [result.shape for result in results] != [cotangent.shape for cotangent in cotangents]:
        return None
    pairs = [(r, c.to(r.dtype)) for r, c in zip(results, cotangents, strict=True) if r.requires_grad]
    if not pairs or not leaves:
        return tuple(None for _ in leaves)
    outputs, weights = zip(*pairs, strict=True)
    found = torch.autograd.grad(outputs, leaves, weights, allow_unused=True)
    return tuple(None if gradient is None else gradient.detach() for gradient in found)


def _modified(question: Question, args: tuple, kwargs: dict[str, Any]) -> tuple[str, ...]:
    """The arguments that are no longer what the question gave: `("argument 1", "argument 'mask'")`."""
    changed = [
        f"argument {position}"
        for position, (before, after) in enumerate(zip(question.args, args, strict=True), start=1)
        if not _same(before, after)
    ]
    changed += [f"argument {name!r}" for name in question.kwargs if not _same(question.kwargs[name], kwargs[name])]
    return tuple(changed)


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, torch.Tensor):
        return (
            isinstance(after, torch.Tensor)
            and before.shape == after.shape
            and before.dtype == after.dtype
            and torch.equal(codec.raw_bytes(before), codec.raw_bytes(after))  # bytes: NaN equals NaN
        )
    if isinstance(before, list | tuple):
        if type(before) is not type(after) or len(before) != len(after):
            return False
        return all(_same(one, other) for one, other in zip(before, after, strict=True))
    if isinstance(before, dict):
        if not isinstance(after, dict) or list(before) != list(after):
            return False
        return all(_same(before[key], after[key]) for key in before)
    return before is after or before == after


def _text(error: BaseException) -> str:
    try:
        return str(error)[:500]
    except Exception:  # an exception class of the learner's may fail to print itself
        return ""


def _line(error: BaseException, function: Callable) -> str:
    """The line of the learner's own code that raised, as `line 3: return q @ k`, or nothing."""
    code = getattr(function, "__code__", None)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if code is not None and frame.filename == code.co_filename:
            inside = frame.lineno - code.co_firstlineno + 1
            return f"line {inside} of {frame.name}: {frame.line}" if frame.name == code.co_name else frame.line or ""
    return ""


class _RefuseOperators(TorchDispatchMode):
    """Makes PyTorch's operators of those names (`aten::convolution`) raise in this thread, however they are reached."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__()
        self._names = names

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name = func._schema.name
        if name in self._names:
            raise RuntimeError(_REFUSAL.format(name.removeprefix("aten::")))
        return func(*args, **(kwargs or {}))


def _refuse_operators(names: tuple[str, ...]) -> AbstractContextManager:
    operators = frozenset(name for name in names if name.startswith("aten::"))
    return _RefuseOperators(operators) if operators else nullcontext()


def _forbidden(name: str) -> AbstractContextManager:
    """Makes the library function of that dotted name raise."""
    module, _, attribute = name.rpartition(".")

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError(_REFUSAL.format(name))

    return mock.patch.object(_resolve(module), attribute, refuse)


def _resolve(dotted: str) -> Any:
    """The module or class of that dotted name."""
    try:
        return importlib.import_module(dotted)
    except ModuleNotFoundError:
        parent, _, attribute = dotted.rpartition(".")
        return getattr(_resolve(parent), attribute)


class _TimeUp(BaseException):
    """Raised inside the learner's thread when its time is up."""


def _stop(thread: threading.Thread) -> None:
    """Ask the thread to end, several times: a bare `except:` swallows the first. A thread inside C stays behind."""
    for _ in range(5):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_TimeUp))
        thread.join(0.1)
        if not thread.is_alive():
            return


class _Bounded(io.StringIO):
    """Keeps the first `KEPT_OUTPUT` characters and drops the rest."""

    def write(self, text: str) -> int:
        room = KEPT_OUTPUT - self.tell()
        if room > 0:
            super().write(text[:room])
        return len(text)
