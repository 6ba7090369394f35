"""What a notebook imports: check your answer, load a recording, play a sound, show a picture, see how far you are."""

from grader.check import check, examine
from grader.explore import explore
from grader.picture import play, show
from grader.recordings import load_clip, load_phrase, load_transcript, phrases, use_hangul_font
from grader.scorecard import scorecard
from grader.standin import solved

__all__ = [
    "check",
    "examine",
    "explore",
    "load_clip",
    "load_phrase",
    "load_transcript",
    "phrases",
    "play",
    "scorecard",
    "show",
    "solved",
    "use_hangul_font",
]
