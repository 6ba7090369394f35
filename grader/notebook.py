"""What a notebook imports: check your answer, load a recording, play a sound, show a picture."""

import io
from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

import torch

from grader.check import check, examine
from grader.recordings import load_clip, load_phrase, load_transcript, phrases, use_hangul_font

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "check",
    "examine",
    "load_clip",
    "load_phrase",
    "load_transcript",
    "phrases",
    "play",
    "show",
    "use_hangul_font",
]


def play(waveform: torch.Tensor, caption: str, sample_rate: int = 16_000) -> None:
    """Show an audio player with a caption.

    Args:
        waveform: `(T,)` samples; full scale is ±1, and what is beyond it is clipped.
        caption: one line under the player.
        sample_rate: in Hz.

    Raises:
        ValueError: where the waveform is not one-dimensional or is empty.
    """
    import soundfile
    from IPython.display import HTML, display

    if waveform.ndim != 1 or len(waveform) == 0:
        raise ValueError(f"play needs a waveform of shape (T,) with T > 0, it got {tuple(waveform.shape)}")
    buffer = io.BytesIO()
    samples = waveform.detach().cpu().float().nan_to_num().clamp(-1, 1).numpy()
    soundfile.write(buffer, samples, sample_rate, format="WAV", subtype="PCM_16")
    sound = b64encode(buffer.getvalue()).decode()
    display(
        HTML(
            f'<figure style="margin:4px 0"><audio controls src="data:audio/wav;base64,{sound}" '
            f'aria-label="{escape(caption)}"></audio><figcaption>{escape(caption)}</figcaption></figure>'
        )
    )


def show(figure: "Figure", summary: str) -> None:
    """Show a matplotlib figure with `summary` as its caption and as the text for those who cannot see it.

    Closes the figure, so that it is not shown twice.
    """
    import matplotlib.pyplot as plt
    from IPython.display import HTML, display

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight", facecolor="white")
    plt.close(figure)
    picture = b64encode(buffer.getvalue()).decode()
    display(
        HTML(
            f'<figure style="margin:4px 0"><img alt="{escape(summary)}" style="max-width:100%" '
            f'src="data:image/png;base64,{picture}"><figcaption>{escape(summary)}</figcaption></figure>'
        )
    )
