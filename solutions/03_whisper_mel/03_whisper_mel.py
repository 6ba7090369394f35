# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: -jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en"
# # 3 · Whisper's input, number by number
#
# You turn a recording into the 80 × 3000 numbers that Whisper reads, one stage after the other, and match the
# original in every one of them.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({{colab}})
#
# 110 minutes · about 10 CPU seconds · after unit 00: samples, spectrum; a sum of complex numbers should not scare you
#
# You will be able to
# - build a log-mel spectrogram from samples, and explain every constant in it: 400, 160, 80, 3000, 10⁻¹⁰, 8, 4;
# - say how two libraries' "mel spectrograms" can differ, and find out which step is to blame;
# - say what this input keeps of a voice, what it throws away, and what Whisper does with it first.

# %% tags=["setup"]
# Set-up: run this cell first. Alone, as on Colab, it fetches the course into the folder sori (about 15 s).
import importlib.util, os, pathlib, shutil, subprocess, sys
places = [place for place in (pathlib.Path("../.."), pathlib.Path("sori")) if (place / "grader/notebook.py").exists()]
if not places and importlib.util.find_spec("grader") is None:
    if not shutil.which("git") or subprocess.run(["git", "clone", "--quiet", "--depth=1", "--branch={{branch}}", "{{repository}}", "sori"], env=dict(os.environ, GIT_TERMINAL_PROMPT="0")).returncode:
        stop = Exception("The course could not be fetched from {{repository}}.\nIs the network on, is git installed, does the address open in a browser? (OWNER in it: this notebook was released without one.)\nYou can also put the course's folder, called sori, beside this notebook. Then run this cell again."); stop._render_traceback_ = lambda: [str(stop)]; raise stop
sys.path[:0] = [str(place.resolve()) for place in places or [pathlib.Path("sori")]]
from grader.alone import prepare; prepare("{{version}}"); from grader.notebook import check, explore, load_clip, load_transcript, play, scorecard, show, solved

# %%
import math

import librosa
import matplotlib.pyplot as plt
import torch
import torchaudio
from torch.nn import functional

# %% [markdown] lang="en"
# ## 3.1 Listen first
#
# Two sounds. The first is a recording, from a reading of Jane Austen's *Sense and Sensibility*. The second was made
# by a computer from what **Whisper** gets of that recording: 80 numbers every hundredth of a second, and not one
# sample of the original. Whisper (2022) is a speech recogniser; those numbers are all that it ever hears.
#
# **Before you go on:** what survived the 80 numbers, and what did not? Words, melody, who is speaking, the room?
#
# The cell also holds the whole front end of Whisper, written with library functions. In this unit you replace every
# one of its lines by a function of your own. No need to understand it yet.

# %% tags=["demo"]
def whisper_stages(waveform: torch.Tensor, n_mels: int = 80) -> dict[str, torch.Tensor]:
    """What openai-whisper computes, line by line as in its file `whisper/audio.py`; every stage by name."""
    sound = functional.pad(waveform, (0, 480_000 - len(waveform)))
    stft = torch.stft(sound, 400, 160, window=torch.hann_window(400), return_complex=True)
    power = stft[..., :-1].abs() ** 2
    filters = torch.from_numpy(librosa.filters.mel(sr=16_000, n_fft=400, n_mels=n_mels))
    mel = filters @ power
    logs = torch.clamp(mel, min=1e-10).log10()
    logs = torch.maximum(logs, logs.max() - 8.0)
    return {"sound": sound, "power": power, "filters": filters, "mel": mel, "log_mel": (logs + 4.0) / 4.0}


def sound_from(log_mel: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    """A sound that has about this log-mel spectrogram. How that is done is the subject of unit 11."""
    mel = 10 ** (4 * log_mel - 4)
    magnitude = (torch.linalg.pinv(filters) @ mel).clamp_min(0).sqrt()
    torch.manual_seed(0)
    window, settings = torch.hann_window(400), {"power": 1.0, "momentum": 0.99, "length": None, "rand_init": True}
    sound = torchaudio.functional.griffinlim(magnitude, window, 400, 160, 400, n_iter=32, **settings)
    return 0.4 * sound / sound.abs().max()


sentence = load_clip("austen-0870")
n_heard = math.ceil(len(sentence) / 160)  # the frames that hold speech
original = whisper_stages(sentence)
play(sentence, f"The recording: {len(sentence)} samples, {len(sentence) / 16_000} s")
heard = original["log_mel"][:, :n_heard]
play(sound_from(heard, original["filters"]), f"Made from {heard.shape[1]} × {heard.shape[0]} numbers")
print(f"“{load_transcript('austen-0870')}”")

# %% [markdown] lang="en"
# Every word survived, and so did the melody and the speaker, more or less. What has suffered is the clearness of the
# voice: it sounds hollow, as if he spoke in a tube. For writing down the words that does not matter; it will matter
# when a machine is to *speak* (unit 11).
#
# Here is what Whisper gets, as a picture. Time runs to the right, and pitch upwards.
#
# **Predict:** the recording lasts 7.1 seconds. How much of the picture will be speech?

# %% tags=["demo"]
figure, axes = plt.subplots(figsize=(10, 3.2), layout="constrained")
image = axes.imshow(original["log_mel"], origin="lower", aspect="auto", extent=(0, 30, 0, 80), cmap="magma")
axes.axvline(n_heard / 100, color="white", linestyle=":", linewidth=1)
axes.text(18.5, 40, "silence that was added", color="white", ha="center")
axes.set(title="Whisper's input: 80 × 3000 numbers", xlabel="time (s)", ylabel="mel band")
figure.colorbar(image, label="(log₁₀ power + 4) / 4")
show(
    figure,
    f"Whisper's input for the sentence: {n_heard} columns of speech, {n_heard / 3000:.0%}, then "
    f"{3000 - n_heard} columns of added silence.",
)

# %% [markdown] lang="en"
# Less than a quarter. Whisper always gets thirty seconds, whatever was said. Five steps lead there; the shapes are
# those of this recording.
#
# | step | what comes out | shape | section |
# |---|---|---|---|
# | | samples, 16 000 a second | `(113600,)` | |
# | pad or trim | thirty seconds of samples | `(480000,)` | 3.2 |
# | window, frames, Fourier transform, square | power at 201 frequencies, every 10 ms | `(201, 3000)` | 3.3–3.5 |
# | mel filterbank | power in 80 bands, spaced as we hear | `(80, 3000)` | 3.6–3.7 |
# | logarithm | Whisper's input | `(80, 3000)` | 3.8–3.9 |
#
# The constants belong together: 30 s × 16 000 = 480 000 samples; a hop of 160 samples is 10 ms; 480 000 / 160 = 3000.
#
# **How you will know that yours is right.** The package openai-whisper is not installed on Colab, so `whisper_stages`
# above repeats its lines. (The course's own tests run that very cell against openai-whisper and against the
# `WhisperFeatureExtractor` of transformers, for 80 and for 128 bands.) After each exercise a cell says how far your
# stage is from Whisper's, on this recording.

# %% [markdown] lang="en"
# ## 3.2 Thirty seconds, always
#
# Whisper was trained on pieces of thirty seconds, and its position vectors (unit 06) exist for that length only. So
# a short sound is filled up with zeros at its end, and a long one is cut. (A whole lecture is read piece by piece.)

# %% [markdown] lang="en"
# ### Exercise 3.1 · Pad or trim · ★☆☆ · 5 min · 1 point
#
# Write `pad_or_trim`: make the **last** axis of `x` exactly `length` long. Where samples are missing, put zeros after
# the last one; where there are too many, keep the first ones.
#
# - Any number of axes may come before time: `(T,)`, `(B, T)`, `(B, C, T)`.
# - The result has the dtype of `x`. Samples may be 16-bit whole numbers.
# - A sound that already has the right length stays as it is; one without any samples becomes silence.
#
# <details><summary>Hint 1: two cases, or none?</summary>
#
# A slice that reaches beyond the end is no error: `x[..., :length]` trims what is too long and leaves the rest alone.
# After it, only the question of padding is left.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `functional.pad(x, (0, n))` puts n zeros at the end of the last axis; `x.shape[-1]` is how long it is now. (With a
# negative n, `pad` trims.)
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "pad_or_trim", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pad_or_trim(x: torch.Tensor, length: int = 480_000) -> torch.Tensor:
    """The sound, exactly `length` samples long: zeros at the end, or the end cut off.

    Args:
        x: (..., T), any dtype.
        length: the number of samples wanted.

    Returns:
        (..., length), same dtype.
    """
    ### BEGIN SOLUTION
    x = x[..., :length]
    return functional.pad(x, (0, length - x.shape[-1]))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_pad_or_trim", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(pad_or_trim)
print(pad_or_trim(torch.tensor([1.0, 2.0, 3.0]), 5), "expected: [1, 2, 3, 0, 0]")
print(pad_or_trim(torch.tensor([[1, 2, 3], [4, 5, 6]]), 2), "expected: [[1, 2], [4, 5]]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(pad_or_trim)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# **Predict:** the sentence has 22 words in 7.1 seconds. Cut after two seconds, which will be the last one you hear in
# full?

# %% tags=["demo"]
play(pad_or_trim(sentence, 32_000), "The sentence, trimmed by your function to 32 000 samples: two seconds")
difference = (pad_or_trim(sentence) - original["sound"]).abs().max()
print(f"padded to {len(pad_or_trim(sentence))} samples")
print(f"largest difference from Whisper's first stage: {difference}")

# %% [markdown] lang="en"
# *Had*; of the next word, *then*, only the beginning is left. The samples after the cut do not exist for Whisper: it
# cannot know that a sentence was interrupted.

# %% [markdown] lang="en"
# ## 3.3 A window
#
# Speech changes all the time, but not at once: during some 25 ms the mouth hardly moves. So the sound is cut into
# **frames** of 25 ms, 400 samples, and each frame is treated as if it went on for ever.
#
# Cut with scissors, a frame begins and ends with a jump, and a jump contains all frequencies. A **window** avoids
# that: 400 factors, one for each sample, that rise softly from 0 to 1 in the middle and fall again. Whisper uses the
# **Hann** window, one swing of a cosine, turned upside down:
#
# $$ w_k = \tfrac12 - \tfrac12 \cos\frac{2\pi k}{n}, \qquad k = 0, 1, \dots, n-1 $$
#
# By hand for $n = 4$: the cosines of $0, \tfrac{\pi}{2}, \pi, \tfrac{3\pi}{2}$ are $1, 0, -1, 0$, so
# $w = (0, \tfrac12, 1, \tfrac12)$.
#
# Note what it does *not* do: it does not come back to 0 at its end. The next zero would be $w_4$, where the next
# window begins. This form is called **periodic**. The *symmetric* form divides by $n - 1$ and is 0 at both ends,
# $(0, \tfrac34, \tfrac34, 0)$; it is NumPy's `hanning` and what many tutorials use. Whisper uses the periodic one.

# %% [markdown] lang="en"
# ### Exercise 3.2 · Hann window · ★☆☆ · 5 min · 1 point
#
# Write `hann_window`: the n factors of the periodic Hann window, float32, for any n ≥ 2, even or odd.
#
# <details><summary>Hint 1: the numbers k</summary>
#
# `torch.arange(n)` gives 0 … n − 1. Tensor functions such as `torch.cos` work on all of them at once.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Write the formula with `math.pi` and `torch.arange(n)`. Divide by n, not by n − 1.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "hann_window", "locked": false, "schema_version": 3, "solution": true, "task": false}
def hann_window(n: int) -> torch.Tensor:
    """The periodic Hann window.

    Args:
        n: how many factors, at least 2.

    Returns:
        (n,) float32, from 0 up to 1 and nearly back.
    """
    ### BEGIN SOLUTION
    return 0.5 - 0.5 * torch.cos(2 * math.pi * torch.arange(n) / n)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_hann_window", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(hann_window)
print(hann_window(4), "expected: [0, 0.5, 1, 0.5]")
print(hann_window(3), "expected: [0, 0.75, 0.75]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(hann_window)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Two things to see. First, what the window is for: a pure tone of 1020 Hz, cut out with scissors or with your window.
# **Predict:** the spectrum of a pure tone should be one peak. Which of the two comes closer?
#
# Second, why periodic: lay windows over each other, each half a window later, and add them up. **Predict** which kind
# adds up to the same everywhere.

# %% tags=["demo"]
def tone_spectrum(factors):
    """Strength at 201 frequencies, in dB below the strongest, of 400 samples of a 1020 Hz tone."""
    tone = torch.sin(2 * math.pi * 1_020 * torch.arange(400, dtype=torch.float64) / 16_000)
    strength = torch.fft.rfft(tone * factors).abs()
    return 20 * (strength / strength.max()).clamp_min(1e-9).log10()


def overlapped(factors):
    """The sum of six windows, each 200 samples after the one before."""
    total = torch.zeros(1_400)
    for start in range(0, 1_001, 200):
        total[start : start + 400] += factors
    return total[200:1_200]


mine, symmetric = hann_window(400), torch.hann_window(400, periodic=False)
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.5), layout="constrained")
hertz = torch.arange(201) * 40
left.plot(hertz, tone_spectrum(torch.ones(400)), color="#D55E00", label="scissors")
left.plot(hertz, tone_spectrum(mine), color="#0072B2", label="your window")
left.set(title="A pure tone of 1020 Hz", xlabel="frequency (Hz)", ylabel="strength (dB)", ylim=(-150, 5))
left.legend()
right.plot(overlapped(symmetric), color="#D55E00", label="symmetric")
right.plot(overlapped(mine), color="#0072B2", label="periodic (yours)")
right.set(title="Windows half a length apart, added up", xlabel="sample", ylabel="sum", ylim=(0.98, 1.01))
right.legend(loc="lower right")
far = 75  # the frequency number of 3000 Hz
show(
    figure,
    f"Left: at 3000 Hz the scissors leave {tone_spectrum(torch.ones(400))[far]:.0f} dB of the tone, your window "
    f"{tone_spectrum(mine)[far]:.0f} dB. Right: periodic windows add up to 1 everywhere, symmetric ones do not.",
)
print(f"periodic windows add up to {overlapped(mine).min():.6f} … {overlapped(mine).max():.6f}")
print(f"symmetric ones to          {overlapped(symmetric).min():.6f} … {overlapped(symmetric).max():.6f}")
print(f"largest difference from torch.hann_window: {(mine - torch.hann_window(400)).abs().max():.1e}")

# %% [markdown] lang="en"
# With scissors, a single tone is spread over the whole spectrum and hides everything weak. Your window keeps it
# together; the price is a wider peak. And because the periodic windows add up to a constant, frames can later be
# put together again without a trace: unit 11 needs that.

# %% [markdown] lang="en"
# ## 3.4 Frames
#
# A frame of 400 samples every 160 samples: neighbours share 240. Speech is thus looked at 100 times a second, each
# time for 25 ms. The distance is called the **hop**.
#
# Where does frame 0 lie? **Centred:** its middle is sample 0, so half of it lies before the sound begins. Something
# must stand there, and at the end too. Whisper holds a mirror at the first and the last sample. By hand, for frames
# of 4, hop 2 and $x = (1, 2, 3, 4, 5, 6)$:
#
# $$ \underbrace{3, 2}_{\text{mirror}}, 1, 2, 3, 4, 5, 6, \underbrace{5, 4}_{\text{mirror}} \quad\longrightarrow\quad
# (3, 2, 1, 2),\ (1, 2, 3, 4),\ (3, 4, 5, 6),\ (5, 6, 5, 4) $$
#
# The edge itself is the mirror, so the 1 and the 6 are not doubled. Frame t is centred on sample t · hop; there are
# $1 + \lfloor T / \text{hop} \rfloor$ frames, here 1 + 3.

# %% [markdown] lang="en"
# ### Exercise 3.3 · Frames · ★★☆ · 10 min · 2 points
#
# Write `frame_signal`: mirror `frame_length // 2` samples at each end, then cut a frame at every `hop` samples. The
# result has one **row** for each frame.
#
# - `frame_length` is even, and the sound is longer than half a frame (a mirror cannot show more than there is).
# - T need not be a multiple of the hop; what is left over makes no further frame.
# - The hop may be longer than the frame; then samples are skipped.
# - The samples stay as they are: no window yet.
#
# <details><summary>Hint 1: the mirror</summary>
#
# `functional.pad` has `mode="reflect"`. It wants at least two axes, so give it `x[None]`, and take the axis away
# again afterwards with `[0]`.
#
# </details>
# <details><summary>Hint 2: the cutting</summary>
#
# `tensor.unfold(0, size, step)` cuts pieces of that size, each `step` after the one before.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "frame_signal", "locked": false, "schema_version": 3, "solution": true, "task": false}
def frame_signal(x: torch.Tensor, frame_length: int = 400, hop: int = 160) -> torch.Tensor:
    """Overlapping frames, centred on samples 0, hop, 2·hop …, the sound mirrored at both ends.

    Args:
        x: (T,) samples, T > frame_length // 2.
        frame_length: samples in a frame, even.
        hop: samples from one frame to the next.

    Returns:
        (1 + T // hop, frame_length), the samples unchanged.
    """
    ### BEGIN SOLUTION
    half = frame_length // 2
    padded = functional.pad(x[None], (half, half), mode="reflect")[0]  # (T + frame_length,)
    return padded.unfold(0, frame_length, hop)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_frame_signal", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(frame_signal)
print(frame_signal(torch.arange(1.0, 7.0), frame_length=4, hop=2))
print("expected: [3, 2, 1, 2], [1, 2, 3, 4], [3, 4, 5, 6], [5, 6, 5, 4]")
print(frame_signal(torch.arange(1.0, 6.0), frame_length=2, hop=3))
print("expected: [2, 1], [3, 4]: two frames, centred on samples 0 and 3")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(frame_signal)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# **Predict:** in how many frames does a sample in the middle of the recording appear? Then look at the beginning of
# the sentence in your frames.

# %% tags=["demo"]
frames = frame_signal(sentence)
figure, axes = plt.subplots(figsize=(10, 3.8), layout="constrained")
colours = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
for number, colour in enumerate(colours):
    times = (torch.arange(400) - 200 + 160 * number) / 16
    axes.plot(times, frames[number] + 0.02 * number, color=colour, linewidth=1, label=f"frame {number}")
    axes.plot(160 * number / 16, 0.02 * number + frames[number, 200], "o", color=colour)
axes.axvspan(-12.5, 0, color="black", alpha=0.1)
axes.text(-6.2, 0.082, "the mirror", ha="center")
axes.set(title="The first four frames, drawn one above the other", xlabel="time (ms)", ylabel="amplitude, shifted")
axes.set(xlim=(-13, 43), ylim=(-0.015, 0.092))
axes.legend(loc="upper right", ncols=2)
show(
    figure,
    "Four frames of 25 ms, each 10 ms after the one before; their middles, marked by dots, lie at 0, 10, 20 and 30 ms, "
    "and frame 0 begins with 12.5 ms of mirrored sound.",
)
everything = frame_signal(original["sound"])
padded = functional.pad(original["sound"][None], (200, 200), mode="reflect")[0]
reference = torch.stack([padded[160 * number : 160 * number + 400] for number in range(3_001)])
print(f"frames of the padded sound: {tuple(everything.shape)}")
print(f"largest difference from what torch.stft cuts: {(everything - reference).abs().max()}")

# %% [markdown] lang="en"
# Two or three: 400 / 160 = 2.5 on average. And there are 3001 frames, not 3000: the centres are 0, 160, …, 480 000,
# a fence with one more post than gaps. Whisper simply drops the last. You do it in the next exercise.

# %% [markdown] lang="en"
# ## 3.5 How strong is each frequency?
#
# The **Fourier transform** compares a frame with waves of 0, 1, 2, … full swings in the frame. For the wave with $k$
# swings, and windowed samples $y_n = w_n x_n$,
#
# $$ Y_k = \sum_{n=0}^{N-1} y_n\, e^{-2\pi i k n / N}, \qquad k = 0, \dots, N/2 $$
#
# (The other half, $k > N/2$, repeats these for real samples.) With $N = 400$ there are 201 numbers $k$, and number
# $k$ stands for $k \cdot 16\,000 / 400 = 40k$ hertz. Each $Y_k$ is complex: its length $|Y_k|$ says how strong the
# wave is, its angle, the **phase**, where in the frame its crests lie. Whisper keeps the **power**
# $|Y_k|^2 = \mathrm{Re}^2 + \mathrm{Im}^2$ and forgets the phase. Doing this for every frame is called the short-time
# Fourier transform, **STFT**.
#
# By hand, with frames of $N = 4$: the factors $e^{-2\pi i k n/4}$ are $1, 1, 1, 1$ for $k=0$; $1, -i, -1, i$ for
# $k=1$; $1, -1, 1, -1$ for $k=2$. The frame $(0, 0, 1, 2)$ times the window $(0, \tfrac12, 1, \tfrac12)$ is
# $y = (0, 0, 1, 1)$, so
#
# $$ Y_0 = 1 + 1 = 2, \quad Y_1 = -1 + i, \quad Y_2 = 1 - 1 = 0 \quad\longrightarrow\quad \text{power } (4, 2, 0). $$

# %% [markdown] lang="en"
# ### Exercise 3.4 · Power spectrogram · ★★☆ · 12 min · 3 points
#
# Write `power_spectrogram`: centred, mirrored frames as in exercise 3.3, each times a periodic Hann window of `n_fft`
# factors, Fourier transform, $|\cdot|^2$. Rows are frequencies, columns are frames. **The last frame is dropped**, as
# Whisper does, so that there are exactly T // hop.
#
# - `n_fft` is even, and the sound is longer than n_fft // 2.
# - Nothing is divided by anything: the sum above has no factor in front.
# - Gradients flow to `x`, also where frames are silent. A square root of 0 has an infinite slope; you need none.
# - Build it from your own `frame_signal` and `hann_window`, or, if one of them does not work yet, start from
#   `torch.stft`, which does windowing, frames and transform in one call. Both are fine.
#
# <details><summary>Hint 1: with your own functions</summary>
#
# `torch.fft.rfft(frames * window)` transforms every row and gives just the n_fft // 2 + 1 numbers needed. Rows are
# frames then: `.T` at the end.
#
# </details>
# <details><summary>Hint 2: with torch.stft</summary>
#
# `torch.stft(x, n_fft, hop, window=…, return_complex=True)` is centred and mirrors by default, frequencies in rows.
# Without a window it takes none.
#
# </details>
# <details><summary>Hint 3: nearly the answer</summary>
#
# `spectrum.real.square() + spectrum.imag.square()` is the power. Of the frames, keep `[: len(x) // hop]`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "power_spectrogram", "locked": false, "schema_version": 3, "solution": true, "task": false}
def power_spectrogram(x: torch.Tensor, n_fft: int = 400, hop: int = 160) -> torch.Tensor:
    """The power of every frequency in every frame: Hann window, centred, mirrored, last frame dropped.

    Args:
        x: (T,) samples, T > n_fft // 2.
        n_fft: samples in a frame, even.
        hop: samples from one frame to the next.

    Returns:
        (n_fft // 2 + 1, T // hop), same dtype.
    """
    ### BEGIN SOLUTION
    frames = frame_signal(x, n_fft, hop)[: len(x) // hop]  # (T // hop, n_fft)
    spectrum = torch.fft.rfft(frames * hann_window(n_fft).to(x.dtype))  # (T // hop, n_fft // 2 + 1)
    return (spectrum.real.square() + spectrum.imag.square()).T
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_power_spectrogram", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(power_spectrogram)
print(power_spectrogram(torch.tensor([2.0, 1, 0, 0, 1, 2, 0, 0]), n_fft=4, hop=4))
print("expected: [[9, 4], [4, 2], [1, 0]]; the second column is the frame (0, 0, 1, 2) from the text")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(power_spectrogram)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# **Predict:** below, the same spectrogram twice, once as it is and once in **decibels** (dB): 10 · log₁₀ of the power,
# so that 10 dB mean a factor of 10. In which of the two will you recognise speech?

# %% tags=["demo"]
hann_window = solved(hann_window)  # yours, or the library's while it is not written
frame_signal = solved(frame_signal)
mine = power_spectrogram(original["sound"])
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), sharey=True, layout="constrained")
spoken, extent = mine[:, :n_heard], (0, n_heard / 100, 0, 8)
image = left.imshow(spoken, origin="lower", aspect="auto", extent=extent, cmap="magma")
left.set(title="power", xlabel="time (s)", ylabel="frequency (kHz)")
figure.colorbar(image, ax=left)
decibels = 10 * spoken.clamp_min(1e-10).log10()
image = right.imshow(decibels, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=-60)
right.set(title="the same in dB", xlabel="time (s)")
figure.colorbar(image, ax=right)
median, loudest = spoken.median().item(), spoken.max().item()
show(
    figure,
    f"The power spectrogram of the sentence. Left, a few specks in black: the loudest spot has {loudest:.0f}, half of "
    f"all numbers are below {median:.1e}. Right, in dB: stripes of voice, clouds of s and sh.",
)
difference = (mine - original["power"]).abs().max()
print(f"shape {tuple(mine.shape)}; the loudest is {loudest / median:.0e} times the median")
print(f"largest difference from Whisper's: {difference:.1e}, that is {difference / loudest:.0e} of the loudest")

# %% [markdown] lang="en"
# The loudest and the ordinary are factors of millions apart. The ear copes with that, and section 3.8 makes the
# picture cope too. (Above 5 kHz this recording holds little but the hiss of *s* and *sh*.)
#
# ### What has just been thrown away
#
# The phase is gone. Is that a loss? The next cell turns every wave in the sentence by a quarter of a swing and leaves
# its strength alone. **Predict:** will the waveform look different? Will it sound different? Will the spectrogram
# change?

# %% tags=["demo"]
turned = torch.fft.irfft(-1j * torch.fft.rfft(sentence), n=len(sentence))
play(sentence, "The recording")
play(turned, "Every wave in it turned by a quarter of a swing")
moment = slice(24_000, 24_400)
figure, axes = plt.subplots(figsize=(9, 2.8), layout="constrained")
axes.plot(torch.arange(400) / 16, sentence[moment], color="#0072B2", label="recording")
axes.plot(torch.arange(400) / 16, turned[moment], color="#E69F00", label="turned")
axes.set(title="25 ms of a vowel", xlabel="time (ms)", ylabel="amplitude", ylim=(-0.3, 0.48))
axes.legend(loc="upper center", ncols=2)
alike = torch.corrcoef(torch.stack([sentence, turned]))[0, 1].abs()
show(figure, f"Two different waveforms (correlation {alike:.4f}) that the ear can hardly tell apart.")
before, after = power_spectrogram(sentence)[:, 5:-5], power_spectrogram(turned)[:, 5:-5]
print(f"the spectrograms differ by {(before - after).abs().sum() / before.sum():.2%} of the power (edges left out)")

# %% [markdown] lang="en"
# Sample by sample the two have nothing in common any more, yet you hear the same sentence, and the spectrogram is nearly the
# same. So a recogniser loses little without the phase, and does not have to learn that all these waveforms are one
# sentence.
#
# But a *synthesiser* that has made a spectrogram still has no sound: somebody must invent a phase. Setting it to 0
# everywhere does not work: listen. A **vocoder** is what does work; you build one in unit 11.

# %% tags=["demo"]
complex_spectrum = original["power"][:, :n_heard].sqrt().to(torch.complex64)  # an angle of 0 for every wave
robot = torch.istft(complex_spectrum, 400, 160, window=torch.hann_window(400))
play(0.4 * robot / robot.abs().max(), "The right strengths, every phase 0: each frame starts its waves afresh")

# %% [markdown] lang="en"
# ## 3.6 Hertz and mel
#
# 201 frequencies, evenly spaced: does the ear space them so? Listen to two ladders of eight tones, both from 200 to
# 7000 Hz. **Which one goes up in equal steps?**

# %% tags=["demo"]
def ladder(frequencies):
    """The tones one after the other, 0.3 s each, faded in and out."""
    seconds = torch.arange(4_800) / 16_000
    fade = (seconds.minimum(0.3 - seconds) / 0.02).clamp(0, 1)
    return torch.cat([0.3 * fade * torch.sin(2 * math.pi * f * seconds) for f in frequencies])


even_hertz = torch.linspace(200, 7_000, 8).tolist()
even_mel = librosa.mel_frequencies(8, fmin=200, fmax=7_000).tolist()
play(ladder(even_hertz), "Ladder 1: " + ", ".join(f"{f:.0f}" for f in even_hertz) + " Hz")
play(ladder(even_mel), "Ladder 2: " + ", ".join(f"{f:.0f}" for f in even_mel) + " Hz")
print(f"ladder 1 adds {even_hertz[1] - even_hertz[0]:.0f} Hz each time; ", end="")
print(f"ladder 2 adds {even_mel[1] - even_mel[0]:.0f} Hz first and {even_mel[7] - even_mel[6]:.0f} Hz at the end")

# %% [markdown] lang="en"
# The first ladder adds 971 Hz each time. It starts with a leap and ends with steps that one hardly hears. The second
# feels far more even. A **mel** scale (from *melody*) gives frequencies numbers such that equal steps sound about
# equal. It is a fit to listening tests, not a law, and there are two fits in use.
#
# Whisper's, by Malcolm Slaney (1998), is a straight line up to 1000 Hz and a logarithm above:
#
# $$ m = \begin{cases} \dfrac{3 f}{200} & f < 1000 \\ 15 + 27\, \dfrac{\ln (f / 1000)}{\ln 6.4} & f \ge 1000
# \end{cases} $$
#
# So 15 steps lead to 1000 Hz, and 27 more to 6400 Hz, each of them multiplying the frequency by the same factor. By
# hand: 200 Hz are $600/200 = 3$ mel; 1000 Hz are 15; 6400 Hz are $15 + 27 = 42$.
#
# The other one, of the toolkit HTK, is $2595 \log_{10}(1 + f/700)$, which gives about 1000 at 1000 Hz. It is torchaudio's
# default. Same name, other numbers.

# %% [markdown] lang="en"
# ### Exercise 3.5 · Hertz to mel · ★★☆ · 8 min · 2 points
#
# Write `hz_to_mel` by Slaney's formula, **number by number** on a tensor of any shape, also one without axes. Low and
# high frequencies may be mixed. The dtype stays.
#
# <details><summary>Hint 1: two formulas in one tensor</summary>
#
# An `if` decides once for the whole tensor. `torch.where(condition, a, b)` decides number by number: compute both
# formulas for all numbers and let it choose.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `torch.where(f < 1000, 3 * f / 200, 15 + …)`; the dots are 27 times a quotient of two logarithms. At f = 0 the
# logarithm is −∞, but it is not chosen there.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "hz_to_mel", "locked": false, "schema_version": 3, "solution": true, "task": false}
def hz_to_mel(f: torch.Tensor) -> torch.Tensor:
    """Frequencies on Slaney's mel scale.

    Args:
        f: (...) in Hz, floating, not negative.

    Returns:
        (...) in mel, same shape and dtype.
    """
    ### BEGIN SOLUTION
    return torch.where(f < 1_000, 3 * f / 200, 15 + 27 * torch.log(f / 1_000) / math.log(6.4))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_hz_to_mel", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(hz_to_mel)
print(hz_to_mel(torch.tensor([0.0, 200.0, 1000.0, 6400.0])), "expected: [0, 3, 15, 42]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(hz_to_mel)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# **Predict:** the mel axis up to 8000 Hz is cut into equal pieces. What share of it belongs to the frequencies below
# 1000 Hz, which are an eighth of all?

# %% tags=["demo"]
hertz = torch.linspace(0, 8_000, 401)
slaney, htk = hz_to_mel(hertz), 2595 * torch.log10(1 + hertz / 700)
figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
axes.plot(hertz, slaney / slaney[-1], color="#0072B2", label="Slaney (yours; Whisper, librosa)")
axes.plot(hertz, htk / htk[-1], color="#E69F00", linestyle="--", label="HTK (torchaudio's default)")
axes.plot(hertz, hertz / 8_000, color="#999999", linewidth=0.8, label="evenly in Hz")
axes.plot(1_000, slaney[50] / slaney[-1], "o", color="#0072B2")
axes.set(title="Two mel scales, each as a share of its value at 8000 Hz", xlabel="frequency (Hz)", ylabel="share")
axes.legend(loc="lower right")
share, share_htk = (slaney[50] / slaney[-1]).item(), (htk[50] / htk[-1]).item()
show(figure, f"Below 1000 Hz lie {share:.0%} of Slaney's scale and {share_htk:.0%} of HTK's, but an eighth of the hertz.")
print(f"8000 Hz are {slaney[-1]:.3f} mel for Slaney and {htk[-1]:.0f} for HTK")
error = (slaney - torch.from_numpy(librosa.hz_to_mel(hertz.double().numpy()))).abs().max()
print(f"largest difference from librosa: {error:.1e} mel")

# %% [markdown] lang="en"
# A third of the bands for the lowest eighth. That is where the pitch and the lowest resonances of the mouth lie,
# which tell vowels apart.

# %% [markdown] lang="en"
# ### Exercise 3.6 · Mel to hertz · ★☆☆ · 5 min · 1 point
#
# Write `mel_to_hz`, the way back: solve both formulas for $f$. The bend is where it was; say it in mel. Again number by
# number, any shape, dtype kept.
#
# <details><summary>Hint 1: undo from the outside</summary>
#
# In the upper part: take 15 away, divide by 27, multiply by ln 6.4. What undoes the logarithm? Then times 1000.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# exp(ln 6.4 · (m − 15)/27) is the same as 6.4 to the power (m − 15)/27.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "mel_to_hz", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mel_to_hz(m: torch.Tensor) -> torch.Tensor:
    """Frequencies from Slaney's mel scale: the inverse of `hz_to_mel`.

    Args:
        m: (...) in mel, floating, not negative.

    Returns:
        (...) in Hz, same shape and dtype.
    """
    ### BEGIN SOLUTION
    return torch.where(m < 15, 200 * m / 3, 1_000 * 6.4 ** ((m - 15) / 27))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_mel_to_hz", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(mel_to_hz)
print(mel_to_hz(torch.tensor([0.0, 3.0, 15.0, 42.0])), "expected: [0, 200, 1000, 6400]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(mel_to_hz)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Build ladder 2 yourself, with your two functions, and go on from there: fifteen tones instead of eight.

# %% tags=["demo"]
hz_to_mel = solved(hz_to_mel)
low, high = hz_to_mel(torch.tensor(200.0)).item(), hz_to_mel(torch.tensor(7_000.0)).item()
tones = mel_to_hz(torch.linspace(low, high, 15))
play(ladder(tones.tolist()), "Fifteen equal steps in mel: " + ", ".join(f"{f:.0f}" for f in tones) + " Hz")
hertz = torch.linspace(0, 8_000, 401)
print(f"there and back again, the largest error is {(mel_to_hz(hz_to_mel(hertz)) - hertz).abs().max():.1e} Hz")

# %% [markdown] lang="en"
# ## 3.7 Eighty triangles
#
# Now 201 powers become 80. Each **band** is a weighted sum of neighbouring powers, and the weights form a triangle:
#
# 1. Place n_mels + 2 points evenly on the mel scale, from 0 to half the sample rate. Turn them into Hz.
# 2. Triangle number $i$ starts at point $i$, peaks at point $i+1$ and ends at point $i+2$; its sides are straight **in
#    Hz**. So each triangle's peak is where both its neighbours are 0.
# 3. Divide each triangle by its area, so that wide bands do not count more than narrow ones. A triangle of height 1
#    from $a$ to $c$ has the area $(c - a)/2$; so its peak becomes $2/(c - a)$. This is called *Slaney* or *area*
#    normalisation.
#
# By hand: at a sample rate of 2000, everything lies below 1000 Hz, where the mel scale is straight. For 4 triangles
# the 6 points are 0, 3, 6, 9, 12, 15 mel, that is 0, 200, 400, 600, 800, 1000 Hz. Every triangle is 400 Hz wide, so it
# peaks at 2/400 = 0.005. With n_fft = 20 there is a frequency every 100 Hz: the first triangle has the weights
# 0, 0.0025, 0.005, 0.0025 at 0, 100, 200, 300 Hz, and zeros after.

# %% [markdown] lang="en"
# ### Exercise 3.7 · Mel filterbank · ★★★ · 15 min · 3 points
#
# Write `mel_filterbank`: the matrix of these weights, one row for each triangle, one column for each of the
# n_fft // 2 + 1 frequencies. Then `filterbank @ power` is the mel spectrogram.
#
# - Frequency number k lies at k · sample_rate / n_fft Hz, also where a corner of a triangle falls between two.
# - Where there are many narrow triangles, some hold no frequency at all: their rows are zeros.
# - The result is float32.
# - Use your `hz_to_mel` and `mel_to_hz`, or librosa's if one of yours does not work yet.
#
# <details><summary>Hint 1: all triangles at once</summary>
#
# Put the corners in columns, `low = points[:-2, None]`, and the frequencies in a row. `(hertz - low) / (middle - low)`
# then has one row for each triangle: the rising side, continued beyond the triangle in both directions.
#
# </details>
# <details><summary>Hint 2: from two lines to a triangle</summary>
#
# The falling side is `(high - hertz) / (high - middle)`. Inside the triangle, the smaller of the two is the right one;
# outside, it is negative. `torch.minimum`, `clamp`.
#
# </details>
# <details><summary>Hint 3: nearly the answer</summary>
#
# `top = hz_to_mel(torch.tensor(sample_rate / 2))`, then `points = mel_to_hz(torch.linspace(0, top, n_mels + 2))`, then
# rising, falling, minimum, clamp at 0, times 2 / (high − low).
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "mel_filterbank", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mel_filterbank(sample_rate: int = 16_000, n_fft: int = 400, n_mels: int = 80) -> torch.Tensor:
    """Triangles, evenly spaced on Slaney's mel scale from 0 to sample_rate / 2, each with area 1.

    Args:
        sample_rate: in Hz.
        n_fft: samples in a frame, even.
        n_mels: how many triangles.

    Returns:
        (n_mels, n_fft // 2 + 1) float32.
    """
    ### BEGIN SOLUTION
    hertz = torch.arange(n_fft // 2 + 1) * sample_rate / n_fft
    top = hz_to_mel(torch.tensor(sample_rate / 2)).item()
    points = mel_to_hz(torch.linspace(0, top, n_mels + 2))
    low, middle, high = points[:-2, None], points[1:-1, None], points[2:, None]
    rising, falling = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
    return torch.minimum(rising, falling).clamp_min(0) * 2 / (high - low)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_mel_filterbank", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(mel_filterbank)
print(mel_filterbank(sample_rate=2_000, n_fft=20, n_mels=4)[:2] * 1_000)
print("expected: [0, 2.5, 5, 2.5, 0, 0 …] and [0, 0, 0, 2.5, 5, 2.5, 0 …], in thousandths")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(mel_filterbank)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# **Predict:** the frequencies lie 40 Hz apart. How many of them do the lowest of the 80 triangles hold?

# %% tags=["demo"]
mel_to_hz = solved(mel_to_hz)
mine = mel_filterbank()
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained", width_ratios=(2, 1))
hertz, colours = torch.arange(201) * 40, ("#0072B2", "#E69F00", "#009E73")
fine = mel_filterbank(n_fft=8_000)  # the same triangles, looked at every 2 Hz
for number in range(0, 80, 3):
    left.plot(torch.arange(4_001) * 2, fine[number], color=colours[number // 3 % 3], linewidth=1)
left.set(title="Every third of 80 triangles", xlabel="frequency (Hz)", ylabel="weight (1/Hz)", xlim=(0, 8_000))
for number in range(6):
    right.plot(torch.arange(4_001) * 2, fine[number], color=colours[number % 3], linewidth=1)
    held = mine[number] > 0
    right.plot(hertz[held], mine[number][held], "o", color=colours[number % 3], markersize=5)
right.set(title="The lowest six; dots: what is there", xlabel="frequency (Hz)", xlim=(0, 320))
show(
    figure,
    f"The triangles are narrow and high below 1000 Hz (peak {fine[0].max():.3f}), wide and low above (the last peaks at "
    f"{fine[-1].max():.4f}). The lowest ones hold only one or two of the frequencies, which are 40 Hz apart.",
)
for n_mels in (80, 128):
    count = (mel_filterbank(n_mels=n_mels) > 0).sum(1)
    difference = (mel_filterbank(n_mels=n_mels) - whisper_stages(sentence, n_mels)["filters"]).abs().max()
    print(f"{n_mels:3} bands: the lowest ten hold {count[:10].tolist()} frequencies, the last {count[-1]}; ", end="")
    print(f"largest difference from Whisper's: {difference:.1e}")

# %% [markdown] lang="en"
# One or two: down there the filterbank hardly averages anything, it only picks. With 128 bands, as in Whisper
# large-v3, most of the low ones hold a single frequency. The finer bands bring detail only higher up.
#
# Here is what the bands make of the sentence. **Predict:** which of the two pictures shows more of the *s* sounds, and
# which more of the vowels?

# %% tags=["demo"]
mine = mel_filterbank() @ original["power"]  # (80, 3000)
figure, pair = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
pictures = (original["power"], 8, "frequency (kHz)", "201 frequencies"), (mine, 80, "mel band", "80 bands")
for axes, (power, top, label, title) in zip(pair, pictures, strict=True):
    decibels = 10 * power[:, :n_heard].clamp_min(1e-10).log10()
    extent, low = (0, n_heard / 100, 0, top), decibels.max().item() - 80
    image = axes.imshow(decibels, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=low)
    axes.set(title=title, xlabel="time (s)", ylabel=label)
figure.colorbar(image, ax=pair, label="dB (80 bands)")
show(
    figure,
    "The sentence at 201 frequencies and in 80 bands: what lies below 1000 Hz fills an eighth of the left picture and "
    f"a third of the right one, {(mel_filterbank()[:, 25:].sum(1) == 0).sum()} bands of 80.",
)
print(f"largest difference from Whisper's mel power: {(mine - original['mel']).abs().max():.1e}, ", end="")
print(f"where the largest is {mine.max():.1f}")


# %% [markdown] lang="en"
# The left one has more room for *s*: 3 kHz and more fill five eighths of it. The right one gives the vowels more: a
# third lies below 1000 Hz.

# %% [markdown] lang="en"
# Why 80? **Predict:** what will you no longer see with 10 bands? And where do bands come from when there are more of them
# than frequencies to share out, 201? Then drag.

# %% tags=["demo"]
def in_bands(n_mels):
    """The sentence in that many mel bands."""
    filters = mel_filterbank(n_mels=n_mels)
    decibels = 10 * (filters @ original["power"][:, :n_heard]).clamp_min(1e-10).log10()
    figure, axes = plt.subplots(figsize=(8, 3.4), layout="constrained")
    extent, low = (0, n_heard / 100, 0, n_mels), decibels.max().item() - 80
    image = axes.imshow(
        decibels, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=low, interpolation="nearest"
    )
    axes.set(title=f"{n_mels} bands", xlabel="time (s)", ylabel="mel band")
    figure.colorbar(image, label="dB")
    held = (filters > 0).sum(1)
    show(
        figure,
        f"The sentence in {n_mels} bands: {(held == 0).sum()} of them hold no frequency at all, {(held == 1).sum()} just "
        f"one, and the widest {held.max()}.",
    )


explore(in_bands, "mel bands", [5, 10, 20, 30, 40, 60, 80, 100, 128, 160, 201, 256], still=(80, 10, 201))

# %% [markdown] lang="en"
# With 10 bands the formants are gone: what is left is roughly how loud the low, the middle and the high are. With 160 the
# first bands fall between two frequencies and hold nothing: black stripes, numbers that a network reads in vain.

# %% [markdown] lang="en"
# Step 3, the area, is easy to forget. **Predict:** white noise is equally strong at all frequencies. What does it look
# like in 80 bands, with and without the division?

# %% tags=["demo"]
torch.manual_seed(0)
noise = torch.stft(torch.randn(160_000), 400, 160, window=torch.hann_window(400), return_complex=True).abs() ** 2
with_area = mel_filterbank() @ noise.mean(1)
peaks_of_one = torch.from_numpy(librosa.filters.mel(sr=16_000, n_fft=400, n_mels=80, norm=None)) @ noise.mean(1)
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
axes.plot(with_area / with_area[:10].mean(), color="#0072B2", label="area 1 (yours)")
axes.plot(peaks_of_one / peaks_of_one[:10].mean(), color="#D55E00", label="height 1 (torchaudio's default)")
axes.set(title="White noise in 80 mel bands", xlabel="mel band", ylabel="power (lowest ten = 1)", ylim=(0, 9))
axes.legend(loc="upper left")
ratios = [(bands[-10:].mean() / bands[:10].mean()).item() for bands in (with_area, peaks_of_one)]
show(
    figure,
    f"With area 1 the highest ten bands get {ratios[0]:.2f} times as much as the lowest ten; with height 1, "
    f"{ratios[1]:.1f} times as much.",
)

# %% [markdown] lang="en"
# ## 3.8 The logarithm, and what it is not
#
# In the power spectrogram half of the numbers are below a millionth of the largest. The ear hears *ratios*: ten times the power is one step
# louder, from wherever one starts. So the logarithm comes last, in four small steps:
#
# 1. what is below $10^{-10}$ becomes $10^{-10}$ (log 0 would be −∞);
# 2. $\log_{10}$;
# 3. what lies more than 8 below the largest number of the whole picture is lifted to that floor (8 means a factor of
#    $10^8$ in power, 80 dB: quieter things are noise);
# 4. $(\,\cdot + 4)/4$, so that ordinary numbers come out near ±1.
#
# By hand, for the powers $\begin{pmatrix} 1 & 0.0001 \\ 0 & 100 \end{pmatrix}$: logarithms
# $\begin{pmatrix} 0 & -4 \\ -10 & 2 \end{pmatrix}$; the floor is $2 - 8 = -6$, so
# $\begin{pmatrix} 0 & -4 \\ -6 & 2 \end{pmatrix}$; shifted and scaled
# $\begin{pmatrix} 1 & 0 \\ -0.5 & 1.5 \end{pmatrix}$.

# %% [markdown] lang="en"
# ### Exercise 3.8 · Log compression · ★★☆ · 8 min · 2 points
#
# Write `log_compress`: the four steps, in this order. There is **one** floor for the whole picture.
#
# <details><summary>Hint 1: which function lifts?</summary>
#
# `clamp_min` lifts everything below a number. `torch.maximum(a, b)` takes the larger of two tensors; b may be a single
# number in a tensor, like `a.max() - 8`.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `logs = mel_power.clamp_min(1e-10).log10()`, then the floor, then `(logs + 4) / 4` with its brackets.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "log_compress", "locked": false, "schema_version": 3, "solution": true, "task": false}
def log_compress(mel_power: torch.Tensor) -> torch.Tensor:
    """Powers as Whisper reads them: log₁₀, at most 8 below the largest, (· + 4)/4.

    Args:
        mel_power: (n_mels, T), not negative.

    Returns:
        (n_mels, T), same dtype.
    """
    ### BEGIN SOLUTION
    logs = mel_power.clamp_min(1e-10).log10()
    logs = torch.maximum(logs, logs.max() - 8)
    return (logs + 4) / 4
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_log_compress", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(log_compress)
print(log_compress(torch.tensor([[1.0, 0.0001], [0.0, 100.0]])), "expected: [[1, 0], [-0.5, 1.5]]")
print(log_compress(torch.zeros(1, 2)), "expected: silence is (-10 + 4)/4 = -1.5")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(log_compress)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# **Predict:** how are the numbers of the spoken part distributed, before and after? Where will the pauses be?

# %% tags=["demo"]
mel = original["mel"]
mine = log_compress(mel)
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.2), layout="constrained")
left.hist(mel[:, :n_heard].flatten(), bins=80, color="#0072B2", log=True)
left.set(title="mel power of the spoken part", xlabel="power", ylabel="how many (logarithmic)")
right.hist(mine[:, :n_heard].flatten(), bins=80, color="#0072B2")
right.axvline(mine.min(), color="#D55E00", linestyle="--", label="the floor, 8 below the largest")
right.set(title="after log_compress", xlabel="Whisper's number", ylabel="how many")
right.legend()
at_floor = (mine[:, :n_heard] <= mine.min() + 1e-6).float().mean()
show(
    figure,
    f"Before, nearly all numbers lie in the leftmost bar; after, they spread between {mine.min():.2f} and "
    f"{mine.max():.2f}. Of the spoken part, {at_floor:.1%} lie on the floor.",
)
print(f"largest difference from Whisper's: {(mine - original['log_mel']).abs().max():.1e}")

# %% [markdown] lang="en"
# ### Three things that people believe of these numbers
#
# **"They lie between −1 and 1."** **Predict** the range for the sentence at four loudnesses, and for silence.

# %% tags=["demo"]
for gain in (0.01, 0.1, 1.0, 10.0):
    numbers = log_compress(whisper_stages(sentence * gain)["mel"])
    print(f"sentence × {gain:<5} from {numbers.min():6.3f} to {numbers.max():6.3f}: {numbers.max() - numbers.min():.3f} wide")
numbers = log_compress(torch.zeros(80, 3_000))
print(f"silence          from {numbers.min():6.3f} to {numbers.max():6.3f}")

# %% [markdown] lang="en"
# They span at most 2, because of the floor; where the span lies depends on how loud the recording is. Ten times the
# amplitude is a hundred times the power, so + 2 in the logarithm, so + 0.5. (At × 0.01 the smallest power, 10⁻¹⁰, is
# reached before the floor: hence −1.5 and a narrower span.) Nothing is normalised: a recogniser fed with this input
# has to learn that loud and soft are the same words.
#
# **"They are decibels."** Nearly: they are logarithms of power, but a decibel is ten times a logarithm, and Whisper's
# number is a quarter of one, plus 1. So dB = 40 · number − 40, and a full span of 2 is 80 dB.

# %% tags=["demo"]
decibels = librosa.power_to_db(original["mel"].numpy(), ref=1.0, amin=1e-10, top_db=80.0)
mine = log_compress(original["mel"])
print(f"loudest: Whisper's number {mine.max():.4f}, 40 · number − 40 = {40 * mine.max() - 40:.2f}; ", end="")
print(f"librosa's decibels say {decibels.max():.2f}")
print(f"largest difference between 40 · number − 40 and librosa: {abs(40 * mine.numpy() - 40 - decibels).max():.1e} dB")

# %% [markdown] lang="en"
# **"They are MFCCs."** *Mel-frequency cepstral coefficients* were the input of recognisers for decades: the same
# chain, but a cosine transform (DCT) over the 80 bands follows, and only the first 13 or so of its results are kept.
# It makes the numbers much less alike, which the statistics of that time needed. A network needs no such help: Whisper
# gets the 80 bands, in which neighbours are very much alike.

# %% tags=["demo"]
import scipy.fft

bands = log_compress(original["mel"])[:, :n_heard]
mfcc = torch.from_numpy(scipy.fft.dct(bands.numpy(), axis=0, norm="ortho"))[:13]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for axes, rows, title in ((left, bands, "80 mel bands"), (right, mfcc, "13 MFCCs made from them")):
    correlation = torch.corrcoef(rows)
    image = axes.imshow(correlation, origin="lower", cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set(title=title, xlabel="row", ylabel="row")
figure.colorbar(image, ax=(left, right), label="correlation")
pairs = [torch.corrcoef(rows)[tuple(torch.triu_indices(len(rows), len(rows), 1))].abs() for rows in (bands, mfcc)]
show(
    figure,
    f"How alike any two rows are: over all pairs the correlation, without its sign, is {pairs[0].mean():.2f} for the "
    f"mel bands and {pairs[1].mean():.2f} for the MFCCs on average.",
)

# %% [markdown] lang="en"
# ## 3.9 All together
#
# Five steps, all in your hands: pad or trim, power spectrogram, filterbank, matrix product, compression.

# %% [markdown] lang="en"
# ### Exercise 3.9 · Whisper's log-mel spectrogram · ★★☆ · 8 min · 2 points
#
# Write `log_mel_spectrogram`: from samples at 16 000 Hz to Whisper's input, 400 samples a frame, a hop of 160. It must
# agree with Whisper to within 0.0001.
#
# - Sounds of any length come in, longer than thirty seconds too; always 3000 frames go out. **The sound** is padded or
#   trimmed, at the very beginning, not the spectrogram at the end.
# - `n_mels` is 80, or 128 for large-v3, or anything else.
# - Call your own functions. For one that does not work yet, take the library's, as `whisper_stages` does at the top of
#   this notebook; an earlier exercise that is missing then costs nothing here.
# - Your function must stand by itself: names from the demonstration cells, such as `whisper_stages`, are not part of
#   it; copy the library line you need.
#
# <details><summary>Hint 1: shapes on the way</summary>
#
# `(T,)` → `(480000,)` → `(201, 3000)` → `(n_mels, 3000)` → `(n_mels, 3000)`.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# The filterbank is a matrix with 201 columns, the spectrogram one with 201 rows: `mel_filterbank(n_mels=n_mels) @ …`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "log_mel_spectrogram", "locked": false, "schema_version": 3, "solution": true, "task": false}
def log_mel_spectrogram(x: torch.Tensor, n_mels: int = 80) -> torch.Tensor:
    """Whisper's input: thirty seconds of sound as a log-mel spectrogram.

    Args:
        x: (T,) samples at 16 000 Hz, float32.
        n_mels: how many mel bands.

    Returns:
        (n_mels, 3000) float32.
    """
    ### BEGIN SOLUTION
    power = power_spectrogram(pad_or_trim(x))  # (201, 3000)
    return log_compress(mel_filterbank(n_mels=n_mels) @ power)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_log_mel_spectrogram", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(log_mel_spectrogram)
print(tuple(log_mel_spectrogram(torch.zeros(16_000)).shape), "expected: (80, 3000)")
print(log_mel_spectrogram(torch.zeros(16_000))[40, 1_000], "expected: silence is -1.5")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(log_mel_spectrogram)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# The proof. **Predict** the order of magnitude of the difference: both sides compute in float32, which holds about
# seven digits.

# %% tags=["demo"]
pad_or_trim = solved(pad_or_trim)
power_spectrogram = solved(power_spectrogram)
mel_filterbank = solved(mel_filterbank)
log_compress = solved(log_compress)
for n_mels in (80, 128):
    difference = (log_mel_spectrogram(sentence, n_mels) - whisper_stages(sentence, n_mels)["log_mel"]).abs().max()
    print(f"{n_mels:3} bands: largest difference from Whisper's own: {difference:.1e}   (allowed: 1.0e-04)")
mine = log_mel_spectrogram(sentence)[:, :n_heard]
theirs = original["log_mel"][:, :n_heard]
figure, rows = plt.subplots(3, 1, figsize=(9, 6.4), sharex=True, layout="constrained")
extent = (0, n_heard / 100, 0, 80)
for axes, numbers, title in ((rows[0], mine, "yours"), (rows[1], theirs, "Whisper's")):
    image = axes.imshow(numbers, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=-0.72, vmax=1.28)
    axes.set(title=title, ylabel="mel band")
figure.colorbar(image, ax=rows[:2])
largest = max((mine - theirs).abs().max().item(), 1e-9)
limits = {"vmin": -largest, "vmax": largest}
image = rows[2].imshow(mine - theirs, origin="lower", aspect="auto", extent=extent, cmap="RdBu_r", **limits)
rows[2].set(title="yours − Whisper's (another scale)", xlabel="time (s)", ylabel="mel band")
figure.colorbar(image, ax=rows[2])
show(figure, f"Your spectrogram and Whisper's, and their difference, nowhere more than {largest:.1e}.")

# %% [markdown] lang="en"
# The rest is rounding: the sums were added in another order.
#
# ### "A mel spectrogram is a mel spectrogram"
#
# Both big libraries have one ready. Called with Whisper's frame, hop and number of bands, and everything else left at
# its default, do they give Whisper's input? Two of the lines below agree with the original; the others differ in one
# respect each, torchaudio's defaults in two, scale and area. The last step, `log_compress`, is the same for all.
# **Predict** which is the worst: no square, a symmetric window, zeros instead of the mirror, or torchaudio's default
# triangles?

# %% tags=["demo"]
import warnings

sound = original["sound"]
settings = {"n_fft": 400, "hop_length": 160, "n_mels": 80}


def compressed(mel: torch.Tensor) -> torch.Tensor:
    """Whisper's last step, with its own lines."""
    logs = mel[:, :3_000].clamp(min=1e-10).log10()
    return (torch.maximum(logs, logs.max() - 8.0) + 4.0) / 4.0


def with_librosa(**options) -> torch.Tensor:
    return torch.from_numpy(librosa.feature.melspectrogram(y=sound.numpy(), sr=16_000, **settings, **options))


def with_torchaudio(**options) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that some of its default triangles are empty
        return torchaudio.transforms.MelSpectrogram(16_000, **settings, **options)(sound)


def with_torch(periodic: bool = True, exponent: int = 2) -> torch.Tensor:
    window = torch.hann_window(400, periodic=periodic)
    return original["filters"] @ torch.stft(sound, 400, 160, window=window, return_complex=True).abs() ** exponent


variants = {
    "librosa, pad_mode=“reflect”": with_librosa(pad_mode="reflect"),
    "torchaudio, norm and mel_scale “slaney”": with_torchaudio(norm="slaney", mel_scale="slaney"),
    "symmetric Hann window": with_torch(periodic=False),
    "librosa, defaults (zeros, no mirror)": with_librosa(),
    "magnitude, not power": with_torch(exponent=1),
    "torchaudio, defaults": with_torchaudio(),
}
errors = {name: (compressed(mel) - original["log_mel"]).abs().max().item() for name, mel in variants.items()}
figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
colours = ["#009E73" if error < 1e-4 else "#D55E00" for error in errors.values()]
bars = axes.barh(list(errors), list(errors.values()), color=colours)
axes.bar_label(bars, labels=[f"{error:.2g}" for error in errors.values()], padding=3)
axes.set(title="Largest difference from Whisper's input", xlabel="largest difference (logarithmic)", xlim=(1e-6, 20))
axes.set_xscale("log")
axes.axvline(1e-4, color="black", linewidth=0.8, linestyle=":")
show(
    figure,
    f"librosa's defaults are off by {errors['librosa, defaults (zeros, no mirror)']:.2f}, torchaudio's by "
    f"{errors['torchaudio, defaults']:.2f}; told to do as Whisper does, both are off by less than 0.0001.",
)
print(f"frames before the cut to 3000: {variants['librosa, defaults (zeros, no mirror)'].shape[1]}")

# %% [markdown] lang="en"
# None of the red bars gives an error message. librosa's default pads with zeros, so only the first two frames differ,
# and only if the recording starts with sound. torchaudio's default differs everywhere, by up to most of the whole
# range. When a pretrained model works badly on *your* features, compare the features first, as you did here.

# %% [markdown] lang="en"
# ## 3.10 What Whisper does with it
#
# ### Two convolutions, over time
#
# You can read that Whisper sends this picture through a *2-D CNN*, like a photograph. It does not. Its first two
# layers are **one-dimensional** convolutions: a filter spans all 80 bands at once and slides along time only. The
# second takes every other position. (Convolutions are the subject of units 04 and 05.) The shapes tell.

# %% tags=["demo"]
torch.manual_seed(0)
picture = original["log_mel"][None]  # (1, 80, 3000)
first = torch.nn.Conv1d(80, 384, kernel_size=3, padding=1)  # the sizes of Whisper tiny, with random weights
second = torch.nn.Conv1d(384, 384, kernel_size=3, stride=2, padding=1)
as_a_photo = torch.nn.Conv2d(1, 384, kernel_size=3, padding=1)
with torch.no_grad():
    hidden = functional.gelu(first(picture))
    vectors = functional.gelu(second(hidden))
    print(f"input {tuple(picture.shape)} → {tuple(hidden.shape)} → {tuple(vectors.shape)}: 1500 vectors, 20 ms apart")
    piece = picture[:, :, 300:340]
    print(f"Conv1d: weight {tuple(first.weight.shape)}: each of 384 filters spans all 80 bands and 3 frames")
    print(f"Conv2d: weight {tuple(as_a_photo.weight.shape)}: each spans 3 bands and 3 frames, from {tuple(piece[None].shape)} ", end="")
    print(f"to {tuple(as_a_photo(piece[None]).shape)}: the bands are still there")
    shifted = piece.roll(1, dims=1)  # every band one higher: the same sound, a little higher in pitch
    moved = (as_a_photo(shifted[None]) - as_a_photo(piece[None]).roll(1, dims=2))[:, :, 3:-3].abs().max()
    changed = (first(shifted) - first(piece)).abs().max()
    print(f"everything one band higher: Conv2d's answer moves along (difference {moved:.0e}), ", end="")
    print(f"Conv1d gives another answer (difference {changed:.2f})")

# %% [markdown] lang="en"
# A 2-D filter would find the same pattern at any height. Whisper's filters do not: each has a weight of its own for
# every band. What comes out is a list of 1500 vectors, one every 20 ms; the frequency axis is gone.
#
# ### Does Whisper ignore the padding?
#
# Batches of different lengths usually come with a mask (unit 02). Whisper's encoder takes the spectrogram and nothing
# else: no lengths, no mask. **Predict:** what share of an average frame's attention goes to the added silence, if
# nobody tells it apart?

# %% tags=["demo"]
for name in ("austen-0870", "tt-weasels", "vm-goodbye"):
    clip = load_clip(name)
    numbers, end = whisper_stages(clip)["log_mel"], math.ceil(len(clip) / 160) + 2
    print(f"{name:12} {len(clip) / 16_000:4.1f} s of sound; every number of the padding is {numbers[0, end]:.3f}")

torch.manual_seed(0)
with torch.no_grad():
    frames = vectors[0].T  # (1500, 384), from the cell above
    frames = functional.layer_norm(frames, (384,))
    queries, keys = frames @ torch.randn(384, 64) / 384**0.5, frames @ torch.randn(384, 64) / 384**0.5
    weights = torch.softmax(queries @ keys.T / 64**0.5, dim=-1)  # (1500, 1500)
    speech = math.ceil(n_heard / 2)
    share = weights[:speech, speech:].sum(1).mean()
print(f"attention with random weights, from frames with speech: {share:.0%} goes to the padding")
print(f"the padding is {1 - speech / 1500:.0%} of all frames")

# %% [markdown] lang="en"
# More than its share here: the padded frames are all the same vector, and these random weights happen to like it;
# other weights give another number, nothing in the model makes it 0.
#
# The padding is not zero, and not the same in every recording: it is the floor, which hangs on the loudest moment. To
# the attention it is a frame like any other. A *trained* Whisper has seen much padding and has learned to live with
# it, but it reads it. A spectrogram padded with zeros is something that it never met in training; a shorter one it
# refuses.
#
# ### What it buys, and what it costs
#
# The reason for all this work is length. **Predict:** attention compares every position with every other. By what
# factor does the work shrink from raw samples to Whisper's 1500 vectors?

# %% tags=["demo"]
inputs = {"samples": (480_000, 1), "log-mel frames": (3_000, 80), "after the two convolutions": (1_500, 384)}
print(f"{'thirty seconds as':28}{'positions':>10}{'numbers each':>14}{'numbers in all':>16}{'pairs':>18}")
for name, (positions, size) in inputs.items():
    print(f"{name:28}{positions:10,}{size:14}{positions * size:16,}{positions**2:18,}".replace(",", " "))
print(f"samples make {480_000**2 // 1_500**2} times as many pairs as the vectors")

# %% [markdown] lang="en"
# The spectrogram has only half as many numbers as the samples: as a *compression* it is nothing much. But it has 160
# times fewer *positions*, and 320 times fewer after the two convolutions: 320² = 102 400. That is what attention pays
# for, squared. Besides, the mel scale spends its bands where the ear, and so speech, makes its distinctions.
#
# The cost you have heard at the beginning: the phase is gone, and with it the way back. And the choice is made by
# hand, once and for all. wav2vec 2.0 and HuBERT leave it to the network: unit 04.

# %% [markdown] lang="en"
# ## What just happened
#
# - You rebuilt Whisper's input: pad to 480 000 samples, Hann window, 3000 frames, power, 80 triangles, log₁₀, floor,
#   scale. Yours and the original differ by rounding only.
# - **The mistake most people make** is to take any library's mel spectrogram for *the* mel spectrogram. Scale, area,
#   window, padding, power, logarithm: each may differ, and none of it raises an error.
# - **Where you meet it:** [Whisper](https://arxiv.org/abs/2212.04356) (2022) reads exactly these numbers, large-v3
#   with 128 bands. [FastSpeech](https://arxiv.org/abs/1905.09263) (2019) *predicts* mel frames, and
#   [HiFi-GAN](https://arxiv.org/abs/2010.05646) (2020) turns mel frames into sound; its own are made of magnitudes
#   and natural logarithms, so Whisper's do not fit it. [wav2vec 2.0](https://arxiv.org/abs/2006.11477) (2020) uses
#   no spectrogram at all.
# - The spectrogram keeps how strong each frequency is and forgets the phase. Good for recognition; for speaking, a
#   vocoder must find one (unit 11).
# - Two 1-D convolutions make 1500 vectors of it; the Transformer that reads them is unit 06.
#
# **Next: unit 4, the waveform encoder.** A network that learns its own front end, straight from the samples.

# %% [markdown] lang="en"
# ## How far you are
#
# What `check` noted in this unit. It stays on this computer.

# %% tags=["demo"]
scorecard("03_whisper_mel")
