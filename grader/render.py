"""A verdict as people read it: lines of text, HTML, and a picture of expected beside yours."""

import io
import re
from base64 import b64encode
from html import escape

import torch

from grader.verdict import Outcome, Verdict

# Okabe–Ito colours, with black on them: read in JupyterLab's light and dark themes alike (contrast above 5).
_GREEN, _RED = "#009E73", "#D55E00"
_MARK = "color:#000;padding:0 6px;border-radius:3px"
_CELL = "text-align:left;vertical-align:top;padding:2px 14px 2px 0"


def as_text(verdict: Verdict) -> str:
    """One line a group, then the mistake and a hint."""
    lines = [f"{verdict.exercise}: {headline(verdict)}"]
    for group, passed in verdict.groups.items():
        lines.append(f"  {'✓' if passed else '✗'} {group}: {_group_line(verdict, group)}")
    if verdict.diagnosis is not None:
        lines.append(f"  {_mistake(verdict)}")
        if verdict.diagnosis.hint:
            lines.append(f"  Hint: {verdict.diagnosis.hint}")
    return "\n".join(lines)


def as_html(verdict: Verdict, picture: bool = True) -> str:
    """The same as a small block of HTML; `picture` adds expected beside yours for a failed practice case."""
    colour = _GREEN if verdict.status == "passed" else _RED
    rows = "".join(
        f'<tr><td style="font-weight:600;{_CELL};white-space:nowrap">'
        f'<span style="background:{_GREEN if passed else _RED};{_MARK}">'
        f"{'✓ passed' if passed else '✗ not yet'}</span></td>"
        f'<td style="font-weight:600;{_CELL};white-space:nowrap">{escape(group)}</td>'
        f'<td style="{_CELL}">{_inline(_group_line(verdict, group))}</td></tr>'
        for group, passed in verdict.groups.items()
    )
    parts = [
        f'<div style="border-left:4px solid {colour};padding:2px 12px;margin:4px 0">'
        f"<div><code>{escape(verdict.exercise)}</code>: <b>{escape(headline(verdict))}</b></div>"
        f'<table style="margin:4px 0">{rows}</table>'
    ]
    if verdict.diagnosis is not None:
        parts.append(f"<div><b>{_inline(_mistake(verdict))}</b></div>")
        if verdict.diagnosis.hint:
            parts.append(f"<div>Hint: {_inline(verdict.diagnosis.hint)}</div>")
    png = _picture(verdict) if picture else None
    if png is not None:
        text = f"The expected answer beside yours for {verdict.exercise}"
        parts.append(
            f'<img alt="{escape(text)}" style="max-width:100%" src="data:image/png;base64,{b64encode(png).decode()}">'
        )
    return "".join(parts) + "</div>"


def headline(verdict: Verdict) -> str:
    """`all 3 groups of cases pass`, or how many do."""
    groups = verdict.groups
    passed = sum(groups.values())
    if not groups or verdict.status == "missing":
        return "not written yet"
    if len(groups) == 1:
        return "the one group of cases passes" if passed else "the one group of cases does not pass"
    return (
        f"all {passed} groups of cases pass"
        if passed == len(groups)
        else f"{passed} of {len(groups)} groups of cases pass"
    )


def _inline(text: str) -> str:
    """Escaped text in which what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _mistake(verdict: Verdict) -> str:
    """A known mistake in its own words; otherwise its kind, since a group's line already says what was seen."""
    diagnosis = verdict.diagnosis
    assert diagnosis is not None
    seen = any(outcome.finding and outcome.finding.says == diagnosis.says for outcome in verdict.outcomes)
    says = f"{diagnosis.mistake}." if seen else diagnosis.says
    return _capitalised(says)


def _capitalised(says: str) -> str:
    """With a capital at the start, unless that is a symbol: x, ε and n_fft stay as they are written in the text."""
    first = says.split(" ", 1)[0]
    word = first.isascii() and first.isalpha() and (len(first) > 1 or first == "a")
    return says[:1].upper() + says[1:] if word else says


def _group_line(verdict: Verdict, group: str) -> str:
    outcomes = [outcome for outcome in verdict.outcomes if outcome.case.group == group]
    failed = next((outcome for outcome in outcomes if not outcome.passed), None)
    if failed is None:
        return outcomes[0].case.label if len(outcomes) == 1 else f"{len(outcomes)} cases"
    finding = failed.finding
    assert finding is not None
    detail = f"; {finding.detail}" if finding.detail and failed.case.practice else ""
    return f"{failed.case.label}: {finding.says}{detail}"


def _picture(verdict: Verdict) -> bytes | None:
    """A PNG of the first failed practice case whose expected answer and yours can be drawn, else None."""
    for outcome in verdict.outcomes:
        if outcome.passed or not outcome.case.practice or outcome.case.name.endswith("/gradient"):
            continue
        pair = _drawable(outcome)
        if pair is not None:
            return _draw(*pair, outcome.case.label)
    return None


def _drawable(outcome: Outcome) -> tuple[torch.Tensor, torch.Tensor] | None:
    if not outcome.exchanges or outcome.exchanges[0].expected is None:
        return None
    got, expected = outcome.exchanges[0].got.value, outcome.exchanges[0].expected.value
    if isinstance(got, tuple) and isinstance(expected, tuple) and got and expected:
        got, expected = got[0], expected[0]
    if not (isinstance(got, torch.Tensor) and isinstance(expected, torch.Tensor)):
        return None
    got, expected = _plane(got), _plane(expected)
    if got is None or expected is None or got.ndim != expected.ndim:
        return None
    return got, expected


def _plane(tensor: torch.Tensor) -> torch.Tensor | None:
    """The last two dimensions as real numbers, small enough to draw; None for a single number."""
    if tensor.numel() < 2 or tensor.is_complex():
        return None
    while tensor.ndim > 2:
        tensor = tensor[0]
    return tensor[..., :400].double() if tensor.numel() else None


def _draw(got: torch.Tensor, expected: torch.Tensor, label: str) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 2.6), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2, sharey=True)
    finite = expected[expected.isfinite()]
    low, high = (finite.min().item(), finite.max().item()) if finite.numel() else (0.0, 1.0)
    for axes, values, title in ((left, expected, "expected"), (right, got, "yours")):
        axes.set_title(f"{title}, shape {tuple(values.shape)}", fontsize=10)
        if values.ndim == 1:
            axes.plot(values.numpy(), color="#0072B2", marker="." if len(values) < 40 else "")
        else:
            drawn = axes.imshow(values.numpy(), aspect="auto", cmap="viridis", vmin=low, vmax=high or low + 1)
    if expected.ndim == 2:
        figure.colorbar(drawn, ax=[left, right])
    figure.suptitle(label, fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return buffer.getvalue()
