"""Figures and sounds in a notebook, each with words for those who cannot see or hear it."""

import io
from base64 import b64encode
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

#: While this is a list, what is shown is put here, as HTML and as words, and not displayed.
_collecting: list[tuple[str, str]] | None = None


def play(waveform: "torch.Tensor", caption: str, sample_rate: int = 16_000) -> None:
    """Show an audio player with a caption.

    Args:
        waveform: `(T,)` samples; full scale is ±1, and what is beyond it is clipped.
        caption: one line under the player.
        sample_rate: in Hz.

    Raises:
        ValueError: where the waveform is not one-dimensional or is empty.
    """
    import soundfile

    if waveform.ndim != 1 or len(waveform) == 0:
        raise ValueError(f"play needs a waveform of shape (T,) with T > 0, it got {tuple(waveform.shape)}")
    buffer = io.BytesIO()
    samples = waveform.detach().cpu().float().nan_to_num().clamp(-1, 1).numpy()
    soundfile.write(buffer, samples, sample_rate, format="WAV", subtype="PCM_16")
    sound = b64encode(buffer.getvalue()).decode()
    _put(
        f'<figure style="margin:4px 0"><audio controls src="data:audio/wav;base64,{sound}" '
        f'aria-label="{escape(caption)}"></audio><figcaption>{escape(caption)}</figcaption></figure>',
        caption,
    )


def show(figure: "Figure", summary: str) -> None:
    """Show a matplotlib figure with `summary` as its caption and as the text for those who cannot see it.

    Closes the figure, so that it is not shown twice.
    """
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight", facecolor="white")
    plt.close(figure)
    picture = b64encode(buffer.getvalue()).decode()
    _put(
        f'<figure style="margin:4px 0"><img alt="{escape(summary)}" style="max-width:100%" '
        f'src="data:image/png;base64,{picture}"><figcaption>{escape(summary)}</figcaption></figure>',
        summary,
    )


def collected(draw: Callable[[], None]) -> tuple[str, str]:
    """What `draw` would have shown, as HTML and in words, without showing it."""
    global _collecting
    _collecting = []
    try:
        draw()
        return "".join(html for html, _ in _collecting), "\n".join(words for _, words in _collecting)
    finally:
        _collecting = None


def present(bundle: dict) -> None:
    """Display one thing in several forms, by MIME type, of which Jupyter takes the best; elsewhere print its text."""
    if _in_notebook():
        from IPython.display import display

        display(bundle, raw=True)
    else:
        print(bundle["text/plain"])


def _in_notebook() -> bool:
    """Whether an IPython kernel that can show HTML runs this."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def _put(html: str, words: str) -> None:
    from IPython.display import HTML, display

    if _collecting is None:
        display(HTML(html))
    else:
        _collecting.append((html, words))
