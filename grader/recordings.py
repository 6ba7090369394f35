"""The course's recordings, whole or cut into phrases, and what is said in them; and the font that draws Hangul."""

import csv
import difflib
import hashlib
import io
from dataclasses import dataclass, fields, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch

__all__ = [
    "Phrase",
    "Recording",
    "load_clip",
    "load_phrase",
    "load_transcript",
    "phrases",
    "recordings",
    "use_hangul_font",
]

DATA = Path(__file__).resolve().parents[1] / "data"
HANGUL_FONT = "Sori Hangul"
#: Of a hundred recordings, the first 13 numbers are for the test, the next 5 for validation, the rest for training.
SPLITS = {"test": 13, "validation": 18, "training": 100}
FIX = "To get it back: `git checkout -- data` in the course's folder, or clone the course again."


@dataclass(frozen=True)
class Recording:
    """One row of `data/recordings.tsv`.

    `text` is lower case, only a–z, space and apostrophe; `seconds` is exact; `file` is relative to `data/`.
    """

    name: str
    file: str
    text: str
    speaker: str
    seconds: float
    sample_rate: int
    source: str
    licence: str
    sha256: str


@dataclass(frozen=True)
class Phrase:
    """One row of `data/segments.tsv`: some words out of a recording.

    `name` is the recording's, `start` and `end` are seconds in it, `text` holds only words of a vocabulary of 63;
    `split` is "training", "validation" or "test", the same for all phrases of a recording.
    """

    name: str
    start: float
    end: float
    text: str
    split: str


def recordings() -> list[Recording]:
    """Every recording of the course, in the order of its table.

    Raises:
        FileNotFoundError: where the course's `data` folder is not beside its `grader` folder.
    """
    return list(_table(DATA).values())


def load_clip(name: str, sample_rate: int = 16_000) -> "torch.Tensor":
    """The samples of one recording: float32 `(T,)`, full scale ±1, T = seconds · sample_rate rounded up.

    Args:
        name: a name in `recordings()`, such as "vm-goodbye" or "austen-0880".
        sample_rate: in Hz. The recordings have 16 000; at any other rate they are resampled.

    Raises:
        ValueError: where no recording has this name, or the sample rate is not a positive whole number.
        FileNotFoundError: where the recording's file is missing.
        OSError: where the file is not the one that was shipped, or soundfile cannot decode it.
    """
    if not isinstance(sample_rate, int) or sample_rate <= 0:
        raise ValueError(f"sample_rate is a positive whole number of Hz, not {sample_rate!r}")
    import torch

    recording = _find(name)
    waveform = torch.from_numpy(_decode(recording))
    if sample_rate == recording.sample_rate:
        return waveform
    from torchaudio.functional import resample

    return resample(waveform, recording.sample_rate, sample_rate)


def load_transcript(name: str) -> str:
    """What is said in a recording: lower case, only a–z, space and apostrophe.

    Raises:
        ValueError: where no recording has this name.
    """
    return _find(name).text


def phrases(split: str | None = None) -> list[Phrase]:
    """The phrases of one split, "training", "validation" or "test", or of all three; in the order of their table.

    The splits share no recording, so that no held-out phrase has a neighbour in the training.

    Raises:
        ValueError: where there is no such split.
        FileNotFoundError: where the table is missing.
    """
    if split not in (None, *SPLITS):
        raise ValueError(f"split is one of {', '.join(map(repr, SPLITS))}, or None for all, not {split!r}")
    return [phrase for phrase in _phrases(DATA) if split in (None, phrase.split)]


def load_phrase(phrase: Phrase) -> "torch.Tensor":
    """The samples of a phrase, cut out of its recording: float32 `(T,)` at 16 kHz, T = (end − start) · 16 000 rounded.

    Raises as `load_clip` does.
    """
    start, end = round(phrase.start * 16_000), round(phrase.end * 16_000)
    return _cached_clip(DATA, phrase.name)[start:end].clone()


def use_hangul_font() -> None:
    """Let matplotlib draw Hangul: the shipped font becomes the fallback for what the usual font cannot draw.

    Latin text looks as before. Calling it twice changes nothing more.

    Raises:
        FileNotFoundError: where the font's file is missing.
    """
    from matplotlib import font_manager, rcParams

    path = DATA / "fonts" / "SoriHangul.ttf"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing. {FIX}")
    if HANGUL_FONT not in {entry.name for entry in font_manager.fontManager.ttflist}:
        font_manager.fontManager.addfont(path)
        (regular,) = (entry for entry in font_manager.fontManager.ttflist if entry.name == HANGUL_FONT)
        # Bold titles use the regular letters; without this entry matplotlib would complain on stderr.
        font_manager.fontManager.ttflist.append(replace(regular, weight=700))
    family = rcParams["font.family"]
    if HANGUL_FONT not in family:
        rcParams["font.family"] = [*family, HANGUL_FONT]


@cache
def _table(folder: Path) -> dict[str, Recording]:
    """The rows of a data folder's table by name."""
    path = folder / "recordings.tsv"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing. The recordings are in the course's repository, not in an installed copy of "
            f"`grader`: clone it and install it with `pip install -e .`. {FIX}"
        )
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    kinds = {field.name: field.type for field in fields(Recording)}
    return {row["name"]: Recording(**{key: kinds[key](value) for key, value in row.items()}) for row in rows}


@cache
def _phrases(folder: Path) -> list[Phrase]:
    """Every phrase of a data folder's table."""
    path = folder / "segments.tsv"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing. {FIX}")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [
        Phrase(row["name"], float(row["start"]), float(row["end"]), row["text"], _split(row["name"])) for row in rows
    ]


def _split(name: str) -> str:
    """The split of a recording: drawn by its name, so that it never changes."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()) % 100
    return next(split for split, below in SPLITS.items() if number < below)


@lru_cache(maxsize=4)
def _cached_clip(_folder: Path, name: str) -> "torch.Tensor":
    """A clip that is not decoded again for each of its phrases."""
    return load_clip(name)


def _find(name: str) -> Recording:
    """The recording of this name."""
    table = _table(DATA)
    if name in table:
        return table[name]
    close = difflib.get_close_matches(str(name), table, n=3)
    meant = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise ValueError(
        f"There is no recording called {name!r}.{meant} All names: "
        "`from grader.recordings import recordings; [r.name for r in recordings()]`"
    )


def _decode(recording: Recording) -> "np.ndarray":
    """The samples of a recording's file, float32 `(T,)`."""
    import soundfile

    path = DATA / recording.file
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing. {FIX}")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != recording.sha256:
        raise OSError(f"{path} is damaged: it is not the file that the course ships. {FIX}")
    upgrade = "The file is as shipped, so the decoder is too old: `pip install --upgrade soundfile`."
    try:
        samples, sample_rate = soundfile.read(io.BytesIO(content), dtype="float32")
    except soundfile.LibsndfileError as error:
        raise OSError(f"soundfile {soundfile.__version__} cannot decode {path} ({error}). {upgrade}") from error
    if sample_rate != recording.sample_rate or samples.shape != (round(recording.seconds * sample_rate),):
        raise OSError(
            f"soundfile {soundfile.__version__} decodes {path} to {samples.shape} samples at {sample_rate} Hz; "
            f"{recording.seconds} s at {recording.sample_rate} Hz was expected. {upgrade}"
        )
    return samples
