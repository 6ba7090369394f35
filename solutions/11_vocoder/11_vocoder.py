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
# # 11 · The phase that the mel threw away
#
# You turn spectrograms back into sound: first by patience, as in 1984, then with the ideas of WaveRNN, WaveGlow and
# HiFi-GAN.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({{colab}})
#
# 140 minutes · about 20 CPU seconds · you need: units 00 to 03 (spectrum, mel filterbank); complex numbers as arrows
#
# You will be able to
# - invert a spectrogram exactly, find a phase where there is none (Griffin-Lim), and measure how near you came;
# - say by numbers where a chain from mel to sound loses most, and why no waveform difference may judge it;
# - write the one idea behind each of WaveRNN, WaveGlow and HiFi-GAN, and say what it costs.

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

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional
from torchaudio.functional import griffinlim, melscale_fbanks
from tqdm import tqdm

torch.set_num_threads(1)  # small tensors: a second thread would only wait

# %% [markdown] lang="en"
# ## 11.1 Something is terribly wrong
#
# A spectrogram is made of complex numbers, arrows. Each says for one frame and one frequency how strong a wave is (the
# length of the arrow, the **magnitude**) and where its crests lie (the angle of the arrow, the **phase**). Whisper's
# input, and every mel that a text-to-speech model predicts, holds strengths only. The phase is gone.
#
# Does it matter? The cell takes one sentence apart into magnitudes and phases, keeps the magnitudes to the last digit,
# and puts four different phases to them. **Predict before you listen:** which of the four will you understand?

# %% tags=["demo"]
N_FFT, HOP = 1024, 256  # frames of 64 ms every 16 ms
hann = torch.hann_window(N_FFT)


def spectrogram(waveform):
    """Complex spectrogram (513, N), by the library."""
    return torch.stft(waveform, N_FFT, HOP, window=hann, return_complex=True)


def to_sound(magnitude, phase):
    """The library's way back, which you write yourself below."""
    return torch.istft(torch.polar(magnitude, phase), N_FFT, HOP, window=hann)


def whole_hops(name):
    """A recording, its last samples cut so that it is a whole number of hops long."""
    waveform = load_clip(name)
    return waveform[: len(waveform) // HOP * HOP]


sentence, weasels = whole_hops("something-terribly-wrong"), whole_hops("tt-weasels")
arrows = spectrogram(sentence)
magnitude, true_phase = arrows.abs(), arrows.angle()  # (513, N)
frames = magnitude.shape[1]
generator = torch.Generator().manual_seed(0)
random_phase = (2 * torch.rand(magnitude.shape, generator=generator) - 1) * math.pi
zero_phase = torch.zeros_like(magnitude)


def as_loud(waveform):
    """The waveform made as loud as the sentence."""
    return waveform * (sentence.square().mean() / waveform.square().mean()).sqrt()


play(to_sound(magnitude, true_phase), "its own phase")
play(as_loud(to_sound(magnitude, zero_phase)), "phase 0 everywhere, made as loud as the first")
play(as_loud(to_sound(magnitude, random_phase)), "random phase, made as loud as the first")
other_phase = spectrogram(weasels)[:, :frames].angle()
play(as_loud(to_sound(magnitude, other_phase)), "the phase of another sentence (about weasels), made as loud as the first")

# %% [markdown] lang="en"
# All four say the same sentence, and you understand it in all four, even under the weasels' phase. But only the first
# sounds like a person; the others buzz, echo and rasp.
#
# So the phase carries little of *what* is said and much of whether it sounds *real*. One of the articles behind this
# course calls the vocoder "the inverse of the STFT". You have just heard four inverse STFTs of the same magnitudes: the
# inverse STFT needs a phase, and finding one is a vocoder's work.
#
# Look at what went wrong. The upper row zooms into the same 80 ms. The lower row shows the spectrograms *of the sounds
# that came out*. **Decide:** do those still have the magnitudes that went in?

# %% tags=["demo"]
print(f"what is said: {load_transcript('something-terribly-wrong')}")
versions = {"own phase": true_phase, "zero phase": zero_phase, "random phase": random_phase}
figure, grid = plt.subplots(2, 3, figsize=(11, 5.6), layout="constrained", sharex="row", sharey="row")
start = 17_300  # a vowel
milliseconds = 1000 * torch.arange(start, start + 1280) / 16_000
for column, (name, phase) in enumerate(versions.items()):
    sound = to_sound(magnitude, phase)
    grid[0, column].plot(milliseconds, sound[start : start + 1280], color="#0072B2", linewidth=1)
    grid[0, column].set(title=name, xlabel="time (ms)")
    level = 20 * spectrogram(sound).abs().clamp_min(1e-4).log10()
    image = grid[1, column].imshow(
        level, origin="lower", aspect="auto", cmap="magma", vmin=-50, vmax=30, extent=(0, len(sound) / 16_000, 0, 8)
    )
    grid[1, column].set(xlabel="time (s)", ylim=(0, 4))
grid[0, 0].set(ylabel="amplitude")
grid[1, 0].set(ylabel="frequency (kHz)")
figure.colorbar(image, ax=grid[1], label="level (dB)")
gaps = {name: ((spectrogram(to_sound(magnitude, phase)).abs() - magnitude).norm() / magnitude.norm()).item()
        for name, phase in versions.items()}
show(figure, "A vowel, and the spectrogram of the result, for three phases. With zero phase little is left; random phase "
     "keeps more, but roughens the harmonics. Magnitudes off by "
     + ", ".join(f"{gap:.0%} ({name})" for name, gap in gaps.items()) + ".")

# %% [markdown] lang="en"
# They do not. With phase 0 every wave has its crest at the edge of the frame, where the window is zero, and most of
# it is lost; with random phases neighbouring frames partly cancel. The sound that comes out does not even have the
# magnitudes that you put in. That is strange, and it is the key to everything below: neighbouring frames share three
# quarters of their samples, so their arrows cannot be chosen freely. **Most spectrograms that can be written down
# belong to no sound.**
#
# To work with that, you need the way back in your own hands.
#
# ## 11.2 Overlap-add
#
# The STFT cut the sound into overlapping frames. The way back lays each frame where it came from and **adds** what
# overlaps. By hand, three frames of four samples with hop 2:
#
# | sample | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 |
# |---|---|---|---|---|---|---|---|---|
# | frame 0 | 1 | 2 | 3 | 4 | | | | |
# | frame 1 | | | 1 | 1 | 1 | 1 | | |
# | frame 2 | | | | | 5 | 6 | 7 | 8 |
# | **sum** | **1** | **2** | **4** | **5** | **6** | **7** | **7** | **8** |
#
# Frame $n$ begins at sample $n \cdot \text{hop}$, so N frames of L samples make $(N-1)\cdot\text{hop} + L$ samples.
#
# ### Exercise 11.1 · Overlap-add · ★☆☆ · 8 min · 2 points
#
# Write `overlap_add`. No window, no averaging: only places and sums.
#
# - Any hop from 1 upwards. Where it equals L, the frames touch; where it is longer, silence (0) lies between them.
# - A single frame comes back as it is.
# - Gradients must flow from every sample to its frame.
# - The frames may lie in memory in any order (after `.mT` they lie column by column): `.view(-1)` would refuse.
# - Write a loop over the frames, or index arithmetic; `torch.nn.functional.fold` does the same, to compare with.
#
# <details><summary>Hint 1: a loop is fine</summary>
#
# Begin with zeros of the right length and dtype: `frames.new_zeros(...)`. For each frame add it to a slice. `+=` on a
# slice of a tensor that *you* made is allowed, and autograd follows it.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# The slice of frame `n` is `[n * hop : n * hop + L]`. (Faster for many frames: `index_add` with the places
# `n * hop + l`, flattened.)
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "overlap_add", "locked": false, "schema_version": 3, "solution": true, "task": false}
def overlap_add(frames: torch.Tensor, hop: int) -> torch.Tensor:
    """Lay each frame `hop` samples after the one before it, and add.

    Args:
        frames: `(N, L)`, one frame a row, N ≥ 1.
        hop: samples from the start of one frame to the start of the next, at least 1.

    Returns:
        `(T,)` with T = (N − 1) · hop + L, in the dtype of `frames`.
    """
    ### BEGIN SOLUTION
    n, length = frames.shape
    places = hop * torch.arange(n)[:, None] + torch.arange(length)  # (N, L)
    result = frames.new_zeros((n - 1) * hop + length)
    return result.index_add(0, places.flatten(), frames.flatten())
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_overlap_add", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(overlap_add)
print(overlap_add(torch.tensor([[1.0, 2, 3, 4], [1, 1, 1, 1], [5, 6, 7, 8]]), 2), "expected: 1 2 4 5 6 7 7 8")
print(overlap_add(torch.ones(2, 2), 3), "expected: 1 1 0 1 1")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(overlap_add)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Now add up *windows*. If every frame is a Hann window, squared, how much weight does each sample get? **Predict** for
# which of the three hops the sum is flat in the middle, and what happens at the ends in all of them.

# %% tags=["demo"]
squared = torch.hann_window(400).square()
figure, panels = plt.subplots(1, 3, figsize=(11, 3), layout="constrained", sharey=True)
for axes, hop in zip(panels, (100, 160, 200), strict=True):
    weight = overlap_add(squared.repeat(9, 1), hop)
    for index in range(9):
        axes.plot(range(index * hop, index * hop + 400), squared, color="#56B4E9", linewidth=0.8)
    axes.plot(weight, color="#D55E00", linewidth=2)
    middle = weight[400:-400]
    axes.set(title=f"hop {hop}: middle {middle.min():.2f} to {middle.max():.2f}", xlabel="sample")
panels[0].set(ylabel="weight")
show(figure, "Nine squared Hann windows of 400 samples (blue) and their sum (orange) for three hops. Of these three only "
     "a quarter of a frame gives a flat sum, 1.50; at the ends the sum falls to zero in all three.")

# %% [markdown] lang="en"
# Of these three only hop 100, a quarter of the frame, is flat. Whisper's 160 gives ripples, and half a frame gives a
# beat: the weight goes to and fro between 0.5 and 1. Whoever divides by a constant hears that beat. So one divides by
# this very curve, sample by sample.
#
# ## 11.3 The inverse STFT
#
# Each column of the spectrogram goes through the inverse Fourier transform and becomes a frame $f_n$ of samples. If
# the spectrogram belongs to a sound, $f_n$ is that sound under the window. If it does not, the frames contradict each
# other, and we want the sound whose own spectrogram is **nearest** to what was asked, in the sense of least squares.
# The answer is a weighted mean (Griffin and Lim, 1984):
#
# $$ x[i] = \frac{\sum_n w[i - n\,\text{hop}]\; f_n[i - n\,\text{hop}]}{\sum_n w[i - n\,\text{hop}]^2} $$
#
# Above: each frame is windowed *once more*, then overlap-added. Below: the squared windows, overlap-added. The reason
# for the second window: where the window is near zero, the frame knows next to nothing about the sound, and should
# have next to no say.
#
# By hand, one sample under two frames with window values 0.5 and 1. If the frames agree on a sound of 2, they hold 1
# and 2: $(0.5\cdot 1 + 1\cdot 2)/(0.25 + 1) = 2$, exact. If they hold 1 and 1, the first claims a sound of 2, the
# second a sound of 1: $(0.5\cdot 1 + 1\cdot 1)/1.25 = 1.2$, nearer to the one that heard it better.
#
# The STFT was *centred*: half a frame of padding came before the sound and after it. Cut it off again;
# $(N-1)\cdot\text{hop}$ samples are left.
#
# ### Exercise 11.2 · The inverse STFT · ★★★ · 18 min · 3 points
#
# Write `istft` for a Hann window as long as the frame.
#
# - It must find the nearest sound for *any* spectrogram, also one that belongs to no sound; with two frames or many;
#   silent frames included.
# - Any hop shorter than the frame, whether it divides it or not, even by a single sample: the weight may be tiny, but it
#   is never zero. Divide by it as it is, with nothing added.
# - `n_fft` is even, N is at least 2. complex64 gives float32, complex128 gives float64 in its full precision.
# - Write the steps; `torch.istft` is there to compare with. For the adding, take your `overlap_add` or, so that an
#   error there does not follow you here, `torch.nn.functional.fold`.
#
# <details><summary>Hint 1: four steps</summary>
#
# `torch.fft.irfft(spec, n=n_fft, dim=0)` makes all frames at once, one a column. Turn them over, so that they are rows
# (N, n_fft). Then window, overlap-add, divide, cut.
#
# </details>
# <details><summary>Hint 2: the denominator</summary>
#
# It is the same overlap-add with `window.square()` in place of every frame: `window.square().expand(N, -1)`. Cut
# both to `[n_fft // 2 : -(n_fft // 2)]` *before* dividing: at the very ends the denominator is zero.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "istft", "locked": false, "schema_version": 3, "solution": true, "task": false}
def istft(spec: torch.Tensor, n_fft: int, hop: int) -> torch.Tensor:
    """The sound whose centred Hann STFT is nearest to `spec`.

    Args:
        spec: complex spectrogram `(F, N)`, F = n_fft // 2 + 1, N ≥ 2.
        n_fft: samples of a frame and of the window, even.
        hop: samples between frames, less than n_fft.

    Returns:
        `(T,)` real samples, T = (N − 1) · hop.

    Source: Griffin and Lim 1984, equation 6.
    """
    ### BEGIN SOLUTION
    window = torch.hann_window(n_fft, dtype=spec.real.dtype)
    rows = torch.fft.irfft(spec, n=n_fft, dim=0).mT * window  # (N, n_fft)
    half = n_fft // 2
    numerator = overlap_add(rows, hop)[half:-half]
    denominator = overlap_add(window.square().expand_as(rows), hop)[half:-half]
    return numerator / denominator
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_istft", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(istft)
ramp = torch.arange(8.0)
there = torch.stft(ramp, 4, 2, window=torch.hann_window(4), return_complex=True)  # (3, 5)
print(istft(there, 4, 2), "expected: 0 1 2 3 4 5 6 7")
only_bin_zero = torch.zeros(3, 3, dtype=torch.complex64)
only_bin_zero[0] = 4.0  # every frame is 1 1 1 1 and claims that this is a sound under the window 0, ½, 1, ½
print(istft(only_bin_zero, 4, 1), "expected: 1.2 and 1.3333, from (1 + ½) / (1 + ¼) and (½ + 1 + ½) / (¼ + 1 + ¼)")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(istft)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Two journeys with your function. First the sentence, there and back. Then the magnitudes with a random phase: to
# sound, and to a spectrogram again, twice. **Predict:** after the first journey the magnitudes are not what was
# asked. What does the second journey change? (The distances are taken between arrows, length and angle together; one
# of them is between lengths alone, as the 61% above.)

# %% tags=["demo"]
overlap_add = solved(overlap_add)  # yours, or the library's while it is not written
print(f"the sentence, there and back: largest difference {(istft(arrows, N_FFT, HOP) - sentence).abs().max():.1e}")
asked = torch.polar(magnitude, random_phase)
once = spectrogram(istft(asked, N_FFT, HOP))
twice = spectrogram(istft(once, N_FFT, HOP))
print(f"random phase, one journey:  the arrows are {(once - asked).norm() / asked.norm():.1%} away from what was asked, "
      f"their lengths alone {(once.abs() - asked.abs()).norm() / asked.norm():.1%}")
print(f"random phase, two journeys: the arrows are {(twice - once).norm() / asked.norm():.1e} away from after the first")

kilohertz = torch.arange(513) * 16 / N_FFT
column = 68  # the vowel from above, at 1.09 s
figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
axes.plot(kilohertz, magnitude[:, column], color="#0072B2", label="asked")
axes.plot(kilohertz, once[:, column].abs(), color="#D55E00", label="after one journey")
axes.set(title="Magnitudes of one frame, random phase", xlabel="frequency (kHz)", ylabel="magnitude", xlim=(0, 3))
axes.legend()
show(figure, "Asked: two strong harmonics, and weak ones above 2 kHz. After one journey with random phase the peaks are "
     f"too low and changed in shape; {(once[:, column].abs() - magnitude[:, column]).norm() / magnitude[:, column].norm():.0%} off.")

# %% [markdown] lang="en"
# The second journey changes nothing: after the first one the spectrogram belongs to a sound, and stays. "To sound and
# back" is a **projection** onto the spectrograms that sounds have.
#
# ## 11.4 How near?
#
# To say how near, the field uses **spectral convergence**: the distance of the magnitudes, relative to the target's
# size,
#
# $$ \mathrm{SC} = \frac{\bigl\|\,|E| - |T|\,\bigr\|_F}{\bigl\|\,|T|\,\bigr\|_F}, \qquad
# \|A\|_F = \sqrt{\textstyle\sum_{fn} A_{fn}^2} $$
#
# where $E$ is the spectrogram of the estimate and $T$ the target. The norm with the subscript F, for Frobenius,
# treats the whole matrix as one long vector. Zero is perfect; silence gives 1.
#
# By hand: target $[3, 4]$, estimate $[3i, 0]$. Magnitudes $[3, 0]$ against $[3, 4]$:
# $\sqrt{0 + 16}/\sqrt{9 + 16} = 0.8$.
#
# ### Exercise 11.3 · Spectral convergence · ★☆☆ · 6 min · 2 points
#
# Write `spectral_convergence`.
#
# - Each of the two may be complex or real; real numbers may be negative. The absolute value is taken first, so phases
#   make no difference.
# - The target may be very quiet, but it is never all zero: divide by its norm as it is, with nothing added.
# - The result is a tensor with one number, shape `()`, and gradients flow to both arguments. (They are not asked for
#   where the magnitudes agree exactly or the estimate is silent: the root and the absolute value have a corner there.)
#
# <details><summary>Hint 1: the pieces</summary>
#
# `.abs()` is the magnitude of complex and of real numbers. `torch.linalg.norm` of a matrix is the Frobenius norm.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `torch.linalg.norm(estimate.abs() - target.abs())`, divided by the same norm of what the target is alone.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "spectral_convergence", "locked": false, "schema_version": 3, "solution": true, "task": false}
def spectral_convergence(estimate: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Relative distance of two spectrograms' magnitudes.

    Args:
        estimate: `(F, N)`, real or complex.
        target: `(F, N)`, real or complex, not all zero.

    Returns:
        `()`: ‖|E| − |T|‖ / ‖|T|‖ with Frobenius norms.
    """
    ### BEGIN SOLUTION
    wanted = target.abs()
    return torch.linalg.norm(estimate.abs() - wanted) / torch.linalg.norm(wanted)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_spectral_convergence", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(spectral_convergence)
print(spectral_convergence(torch.tensor([[3j, 0]]), torch.tensor([[3.0, 4.0]])), "expected: 0.8")
print(spectral_convergence(torch.tensor([[-6.0, 8.0]]), torch.tensor([[3.0, 4.0]])), "expected: 1, twice too loud")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(spectral_convergence)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# ## 11.5 Griffin-Lim
#
# Two wishes. The spectrogram should have the **magnitudes** that were given; and it should **belong to a sound**. Each
# wish alone is easy: for the first, keep the phases and replace the magnitudes; for the second, go to sound and back.
# Griffin and Lim take turns:
#
# 1. make a sound: $y \leftarrow \text{istft}(\text{magnitude}\cdot e^{i\varphi})$;
# 2. analyse it and keep its phase only: $\varphi \leftarrow \text{angle}(\text{stft}(y))$; the magnitudes are put back
#    in step 1 of the next round.
#
# One **round** is step 2, then step 1; before the first round comes one step 1, with the phase to start from. Each
# round comes a little nearer, because each step goes to the nearest point of its kind. It need not arrive: the two
# kinds may not meet where you started.
#
# ### Exercise 11.4 · Griffin-Lim · ★★☆ · 15 min · 3 points
#
# Write `griffin_lim`: first the sound of the phase that is given, then `n_iter` rounds, each of which finds a new
# phase and makes a new sound.
#
# - `n_iter = 0` gives the sound of the given phase. The phase may lie outside −π to π.
# - `magnitude` is |STFT|, not power.
# - A bin whose new value is exactly zero gets the phase 0, as `torch.angle` gives it, and with it its magnitude back.
#   Silence stays silence, nothing becomes NaN, and a sound may be as soft as it likes.
# - Both transforms use a Hann window of `n_fft` samples, centred; `torch.stft`'s own padding (it mirrors the ends) is
#   right. No momentum.
# - Use `torch.stft` and **`torch.istft`** (or your own): this exercise does not depend on exercise 11.2.
#   torchaudio's `griffinlim` starts with a phase of its own.
# - `n_fft` is even, and the sound is longer than half a frame.
#
# <details><summary>Hint 1: an arrow from length and angle</summary>
#
# `torch.polar(magnitude, phase)` makes the complex numbers. `return_complex=True` is needed in `torch.stft`, and the
# same `window` in both.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Before the loop: `y = torch.istft(torch.polar(magnitude, phase), n_fft, hop, window=window)`. In the loop, two lines:
# the `.angle()` of `y`'s STFT, then the same `istft` line again.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "griffin_lim", "locked": false, "schema_version": 3, "solution": true, "task": false}
def griffin_lim(
    magnitude: torch.Tensor, n_iter: int, n_fft: int, hop: int, phase: torch.Tensor
) -> torch.Tensor:
    """A sound whose magnitudes are near the given ones, by Griffin and Lim's alternation.

    Args:
        magnitude: `(F, N)`, not negative, F = n_fft // 2 + 1.
        n_iter: number of rounds, 0 or more.
        n_fft: samples of a frame and of the Hann window, even.
        hop: samples between frames.
        phase: `(F, N)` in radians, where to start.

    Returns:
        `(T,)` samples, T = (N − 1) · hop.

    Source: Griffin and Lim 1984.
    """
    ### BEGIN SOLUTION
    window = torch.hann_window(n_fft, dtype=magnitude.dtype)
    y = torch.istft(torch.polar(magnitude, phase), n_fft, hop, window=window)
    for _ in range(n_iter):
        analysed = torch.stft(y, n_fft, hop, window=window, return_complex=True)
        y = torch.istft(torch.polar(magnitude, analysed.angle()), n_fft, hop, window=window)
    return y
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_griffin_lim", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(griffin_lim)
tone = torch.cos(math.pi / 2 * torch.arange(12))  # 1 0 -1 0 …
own = torch.stft(tone, 4, 1, window=torch.hann_window(4), return_complex=True)
print(griffin_lim(own.abs(), 5, 4, 1, own.angle()).round(decimals=3) + 0.0, "expected: 1 0 -1 0 …, the right phase stays")
print(griffin_lim(own.abs(), 0, 4, 1, own.angle() + math.pi).round(decimals=3) + 0.0, "expected: -1 0 1 0 …, half a turn")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(griffin_lim)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Listen to 1, 8, 32 and 60 rounds from zero phase, and to 60 from a random one. **Decide by ear** after how many rounds
# you stop hearing a change, and which start is better. Then see what the numbers say.

# %% tags=["demo"]
sounds = {rounds: griffin_lim(magnitude, rounds, N_FFT, HOP, zero_phase) for rounds in (1, 8, 32, 60)}
for rounds, sound in sounds.items():
    play(sound, f"{rounds} round{'s' * (rounds > 1)} from zero phase")
play(griffin_lim(magnitude, 60, N_FFT, HOP, random_phase), "60 rounds from a random phase")
play(sentence, "the recording")

# %% tags=["demo"]
spectral_convergence = solved(spectral_convergence)
def convergence_curve(magnitude, phase, rounds=60):
    """Spectral convergence after 0, 1, … rounds, one round at a time."""
    values = []
    for _ in range(rounds + 1):
        analysed = spectrogram(griffin_lim(magnitude, 0, N_FFT, HOP, phase))
        values.append(spectral_convergence(analysed, magnitude).item())
        phase = analysed.angle()
    return values


def fast(magnitude, rounds):
    """The fast variant, with momentum 0.99, from zero phase, by torchaudio."""
    return griffinlim(magnitude, hann, N_FFT, HOP, N_FFT, 1.0, rounds, 0.99, None, False)


from_zero, from_random = convergence_curve(magnitude, zero_phase), convergence_curve(magnitude, random_phase)
marks = (0, 1, 2, 4, 8, 16, 32, 60)
with_momentum = [spectral_convergence(spectrogram(fast(magnitude, rounds)), magnitude).item() for rounds in marks]
figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
axes.semilogy(from_zero, color="#0072B2", label="from zero phase")
axes.semilogy(from_random, color="#E69F00", linestyle="--", label="from random phase")
axes.semilogy(marks, with_momentum, "o:", color="#009E73", markersize=5, label="zero phase, with momentum 0.99")
axes.set(title="Griffin-Lim on one sentence", xlabel="round", ylabel="spectral convergence (0 is perfect)")
axes.set_yticks((0.02, 0.05, 0.1, 0.2, 0.5, 1.0), ("0.02", "0.05", "0.1", "0.2", "0.5", "1"))
axes.minorticks_off()
axes.grid(alpha=0.3)
axes.legend()
show(figure, f"Spectral convergence falls quickly, then slowly. After 32 rounds: {from_zero[32]:.3f} from zero, "
     f"{from_random[32]:.3f} from random phase, {with_momentum[-2]:.3f} with momentum; after 60: {from_zero[60]:.3f}, "
     f"{from_random[60]:.3f} and {with_momentum[-1]:.3f}.")
print("round      zero    random")
for rounds in (0, 1, 8, 32, 60):
    print(f"{rounds:5}   {from_zero[rounds]:7.3f}   {from_random[rounds]:7.3f}")

# %% [markdown] lang="en"
# The first eight rounds bring most of it, and the next fifty still help. Momentum (Perraudin, Balazs and Søndergaard,
# 2013) takes each step further in the direction of the last one and arrives sooner. Neither start is always the
# better one: on other recordings of the course the order is the other way round.

# %% [markdown] lang="en"
# Drag through the rounds, and listen at each stop. **Watch** the right picture: does the sound come nearer to the
# recording's samples as well?

# %% tags=["demo"]
def after_rounds(rounds):
    """What Griffin-Lim has made of zero phase after so many rounds."""
    sound = griffin_lim(magnitude, rounds, N_FFT, HOP, zero_phase)
    reached = spectral_convergence(spectrogram(sound), magnitude).item()
    sound = as_loud(sound)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained")
    level = 20 * spectrogram(sound).abs().clamp_min(1e-4).log10()
    left.imshow(level, origin="lower", aspect="auto", cmap="magma", vmin=-50, vmax=30, extent=(0, len(sound) / 16_000, 0, 8))
    left.set(title=f"{rounds} rounds", xlabel="time (s)", ylabel="frequency (kHz)", ylim=(0, 4))
    vowel = slice(17_300, 17_300 + 640)
    milliseconds = 1000 * torch.arange(640) / 16_000
    right.plot(milliseconds, sentence[vowel], color="#999999", linewidth=3, label="the recording")
    right.plot(milliseconds, sound[vowel], color="#0072B2", label="Griffin-Lim")
    right.set(title="40 ms of a vowel", xlabel="time (ms)", ylabel="amplitude", ylim=(-0.5, 0.5))
    right.legend(loc="upper right")
    show(figure, f"After {rounds} rounds from zero phase the spectral convergence is {reached:.3f}.")
    play(sound, f"after {rounds} rounds, as loud as the recording")


explore(after_rounds, "rounds", [0, 1, 2, 4, 8, 16, 32, 60], still=(0, 8, 60))


# %% [markdown] lang="en"
# ## 11.6 Never by the waveform
#
# The sound after 60 rounds is hard to tell from the recording. Then its samples must be close to the recording's, or
# not? The usual measure would be the **signal-to-noise ratio**: the power of the recording over the power of the
# difference,
# $10\log_{10}(\sum x^2 / \sum (x-y)^2)$ decibels. Higher is better.
#
# Six versions of the sentence. **Put them in order by ear first.** Where will *silence* stand, which is no sentence at
# all?

# %% tags=["demo"]
def waveform_snr(estimate):
    """Signal-to-noise ratio of the samples in dB. Not for grading: see below."""
    return 10 * math.log10(sentence.square().sum() / (sentence - estimate).square().sum().clamp_min(1e-9))


rebuilt = griffin_lim(magnitude, 60, N_FFT, HOP, zero_phase)
quarter_turn = torch.fft.irfft(torch.fft.rfft(sentence) * -1j, n=len(sentence))
noise = 0.8 * torch.randn(len(sentence), generator=generator) * sentence.square().mean().sqrt()
judged = {
    "60 rounds of Griffin-Lim": rebuilt,
    "every wave turned by a quarter": quarter_turn,
    "1 ms late": sentence.roll(16),
    "upside down (−x)": -sentence,
    "nearly as loud a noise on top": sentence + noise,
    "silence": torch.zeros_like(sentence),
}
for name, sound in judged.items():
    if name != "silence":
        play(sound, name)
print(f"{'':34}{'SNR of the samples':>20}{'spectral convergence':>24}")
for name, sound in sorted(judged.items(), key=lambda pair: -waveform_snr(pair[1])):
    distance = spectral_convergence(spectrogram(sound), magnitude)
    print(f"{name:34}{waveform_snr(sound):17.1f} dB{distance:24.3f}")

# %% [markdown] lang="en"
# By the waveform, the sentence drowned in noise and plain silence are the best of the six, and the four that sound like
# the recording are the worst. Griffin-Lim's negative number says that the "error" is larger than the sound.
#
# The waveform is a matter of phase, and the ear does not care for it; a vocoder *invents* one. So **no vocoder is
# ever judged by comparing samples**, in this course or elsewhere. (Your `griffin_lim` is checked sample by sample,
# but there the phase to start from is given, and with it the only right answer.) Compare magnitudes, mel cepstra
# (unit 12), or ask listeners.
#
# ## 11.7 From mel to linear
#
# So far the magnitudes were complete, 513 a frame. A text-to-speech model gives 80 mel bands. Each band is a weighted
# sum of powers, $m = B p$ with the filterbank $B$ (80, 513): 80 equations for 513 unknowns. Infinitely many power
# spectra fit. The **pseudo-inverse** picks the shortest of them; if nothing fits exactly, the best in the sense of
# least squares. It knows nothing of powers and gives negative ones, too; those are set to zero.
#
# By hand, two bands that share a frequency:
#
# $$ B = \begin{pmatrix}1&1&0\\0&1&1\end{pmatrix},\quad m = \begin{pmatrix}3\\0\end{pmatrix}
# \;\Rightarrow\; B^{+}m = \begin{pmatrix}2\\1\\-1\end{pmatrix}
# \;\Rightarrow\; p = \begin{pmatrix}2\\1\\0\end{pmatrix} $$
#
# Check: $2 + 1 = 3$ and $1 - 1 = 0$, so the middle one fits; the clamped one no longer quite does.
#
# ### Exercise 11.5 · From mel bands to frequencies · ★★☆ · 8 min · 2 points
#
# Write `mel_to_linear`: pseudo-inverse, then clamp at zero.
#
# - Power in, power out: no roots, no logarithms.
# - It must work for every filterbank: with a *deaf* band (a row of zeros, which real filterbanks have when the frames are
#   short), with a frequency that no band hears (a column of zeros, as at 0 Hz), with two bands that hear the same, and
#   with more bands than frequencies.
# - A silent frame gives zeros, exactly; a very soft one gives very small powers.
# - Everything in `torch.linalg` is allowed, but `lstsq` needs `driver="gelsd"`: its default fails where a frequency belongs
#   to no band, and may even give another answer at the next call.
#
# <details><summary>Hint 1: whose inverse?</summary>
#
# The inverse of a (80, 513) matrix is (513, 80). `torch.linalg.pinv` finds it, deaf bands included.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `torch.linalg.pinv(filterbank) @ mel_power`, then `.clamp_min(0)`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "mel_to_linear", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mel_to_linear(mel_power: torch.Tensor, filterbank: torch.Tensor) -> torch.Tensor:
    """A power spectrogram whose mel bands are about the given ones.

    Args:
        mel_power: `(M, N)`, power in M bands and N frames.
        filterbank: `(M, F)`, weight of each of F frequencies in each band.

    Returns:
        `(F, N)` power, nowhere negative: the pseudo-inverse's answer, clamped at 0.
    """
    ### BEGIN SOLUTION
    inverse = torch.linalg.pinv(filterbank)  # (F, M)
    return (inverse @ mel_power).clamp_min(0)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_mel_to_linear", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(mel_to_linear)
two_bands = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
print(mel_to_linear(torch.tensor([[3.0], [0.0]]), two_bands).flatten(), "expected: 2 1 0")
print(mel_to_linear(torch.tensor([[2.0], [2.0]]), two_bands).flatten(), "expected: 2/3, 4/3, 2/3")
alike = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
print(mel_to_linear(torch.tensor([[2.0], [4.0], [1.0]]), alike).flatten(), "expected: 1.5, 1.5, 1, as 2 and 4 average to 3")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(mel_to_linear)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# The whole chain: sentence → 80 mel bands → your inversion → 60 rounds of Griffin-Lim. Two steps can spoil it: the mel
# inversion, and the phase. **Predict** which is to blame for more of the final error.

# %% tags=["demo"]
griffin_lim = solved(griffin_lim)
filterbank = melscale_fbanks(513, 0.0, 8000.0, 80, 16_000, "slaney", "slaney").mT  # (80, 513)
mel = filterbank @ magnitude.square()  # (80, N)
inverted = mel_to_linear(mel, filterbank).sqrt()
chain = griffin_lim(inverted, 60, N_FFT, HOP, zero_phase)
only_phase = griffin_lim(magnitude, 60, N_FFT, HOP, zero_phase)
only_mel = to_sound(inverted, true_phase)
errors = {
    "magnitudes after the mel inversion, no sound made yet": spectral_convergence(inverted, magnitude).item(),
    "right magnitudes, phase by Griffin-Lim": spectral_convergence(spectrogram(only_phase), magnitude).item(),
    "inverted mel, right phase": spectral_convergence(spectrogram(only_mel), magnitude).item(),
    "inverted mel, phase by Griffin-Lim: the whole chain": spectral_convergence(spectrogram(chain), magnitude).item(),
}
for name, value in errors.items():
    print(f"{value:.3f}  {name}")
play(only_phase, "right magnitudes, phase by Griffin-Lim")
play(chain, "from 80 mel bands, phase by Griffin-Lim")
play(only_mel, "from 80 mel bands, with the recording's own phase")

figure, (overview, lowest) = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained", width_ratios=(3, 2))
for values, name, colour, width in ((magnitude, "the recording, 513 frequencies", "#0072B2", 1.2),
                                    (inverted, "from its 80 mel bands", "#D55E00", 2)):
    overview.plot(kilohertz, 20 * values[:, column].clamp_min(1e-3).log10(), color=colour, linewidth=width, label=name)
    lowest.plot(1000 * kilohertz, values[:, column], ".-", color=colour, linewidth=width)
overview.set(title="One frame of the vowel, in decibels", xlabel="frequency (kHz)", ylabel="level (dB)", xlim=(0, 4), ylim=(-35, 35))
overview.legend(fontsize=8)
lowest.set(title="The same frame, its magnitudes below 500 Hz", xlabel="frequency (Hz)", ylabel="magnitude", xlim=(0, 500))
peak = magnitude[:18, column].argmax()  # the first harmonic
show(figure, "The recording's harmonics against the inverted mel, which follows the lowest two, then only the hills of "
     f"the vowel, with holes where it was clamped. Decibels hide the error: in this frame the magnitudes are "
     f"{spectral_convergence(inverted[:, column], magnitude[:, column]):.0%} off, the first peak is "
     f"{inverted[peak, column]:.1f} high in place of {magnitude[peak, column]:.1f}, and wider. Over the sentence they are "
     f"{next(iter(errors.values())):.0%} off.")
bins = (filterbank > 0).sum(1)
print(f"frequencies in one band: {bins.min()} in the narrowest, {bins.max()} in the widest")
for low, high in ((0, 500), (500, 2500), (2500, 8000)):
    inside = slice(low * N_FFT // 16_000, high * N_FFT // 16_000 + 1)
    missed = (inverted - magnitude)[inside].square().sum() / (inverted - magnitude).square().sum()
    distance = spectral_convergence(inverted[inside], magnitude[inside])
    print(f"{low:5} to {high} Hz: spectral convergence {distance:.2f}, {missed:.0%} of the squared error")

# %% [markdown] lang="en"
# From 80 mel bands, the magnitudes are 47% off before any phase is sought (first line), and Griffin-Lim adds almost
# nothing to that (fourth line). On the right magnitudes it comes within 6% (second line). So the error enters with the
# mel inversion.
#
# The lines under the picture say where it lies. In proportion it is much the same at all frequencies; in sum, most of
# it is below 500 Hz, because most of the voice is. Even down there a band adds up four frequencies, and the shortest
# solution spreads them smoothly. Higher up a band swallows whole harmonics.
#
# The third line is a surprise. With the recording's own phase, the same wrong magnitudes give a much better sound:
# arrows of neighbouring frames that turn together add up, others cancel, so the way through sound puts harmonics back.
# The phase *knew* where they are. But that is the phase that the mel threw away.
#
# No formula brings it back: 80 numbers do not say it. But *somebody who has heard her speak before* can guess it.
#
# ## 11.8 What a vocoder knows
#
# That is the point of a neural vocoder. It does not invert the mel; it has learned what speech with such a mel sounds
# like. A small proof, in a few seconds: a network with two hidden layers sees three mel frames and guesses the 513
# magnitudes of the middle one. It learns from 24 other sentences of the same voice; ours is not among them.
#
# **Predict:** how much of the pseudo-inverse's error can such a network remove? And what will it do for a *man's*
# voice, which it has never heard?

# %% tags=["demo", "training"]
her_sentences = (
    "agent-pass", "call-fwd-no-ans", "check-number-dial-again", "conf-getchannel", "conf-invalid", "conf-kicked",
    "conf-onlyone", "confbridge-invalid", "dir-first", "dir-nomore", "feature-not-avail-line", "followme-sorry",
    "invalid", "please-try-call-later", "priv-recordintro", "privacy-prompt", "queue-holdtime", "speed-dial-empty",
    "transfer", "vm-mailboxfull", "vm-msgsaved", "vm-nobodyavail", "vm-sorry", "vm-tocallback",
)  # fmt: skip


def three_frames(magnitude):
    """Log-mel of each frame between its neighbours, (N, 240)."""
    log_mel = (filterbank @ magnitude.square()).clamp_min(1e-10).log()
    sides = functional.pad(log_mel[None], (1, 1), mode="replicate")[0]
    return torch.cat([sides[:, :-2], sides[:, 1:-1], sides[:, 2:]]).mT


heard = [spectrogram(load_clip(name)).abs() for name in her_sentences]
inputs, targets = torch.cat([three_frames(one) for one in heard]), torch.cat(heard, dim=1).mT
centre, spread, usual = inputs.mean(0), inputs.std(0), targets.clamp_min(1e-5).log().mean(0)
torch.manual_seed(0)
network = nn.Sequential(nn.Linear(240, 256), nn.GELU(), nn.Linear(256, 256), nn.GELU(), nn.Linear(256, 513))
optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)


def learned(magnitude):
    """What the network makes of the mel of these magnitudes, (513, N)."""
    with torch.no_grad():
        return (network((three_frames(magnitude) - centre) / spread) + usual).exp().mT


progress = tqdm(range(400), file=sys.stdout, desc="learning her voice", mininterval=1.0)
for _ in progress:
    chosen = torch.randint(len(inputs), (256,))
    guess = (network((inputs[chosen] - centre) / spread) + usual).exp()
    loss = ((guess - targets[chosen]).norm(dim=1) / targets[chosen].norm(dim=1).clamp_min(1e-3)).mean()
    loss = loss + 0.1 * (guess.log() - targets[chosen].clamp_min(1e-5).log()).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %% tags=["demo"]
print(f"learned from {len(targets):,} frames, {len(targets) * HOP / 16_000:.0f} s of speech")
for title, name in (("her, a new sentence", "something-terribly-wrong"), ("a man, never heard", "austen-0880")):
    target = spectrogram(whole_hops(name)).abs()
    print(f"{title}: spectral convergence of the magnitudes, and of the sound after 60 rounds")
    for method, values in (("pseudo-inverse", mel_to_linear(filterbank @ target.square(), filterbank).sqrt()),
                           ("learned", learned(target))):
        sound = griffin_lim(values, 60, N_FFT, HOP, torch.zeros_like(values))
        before, after = spectral_convergence(values, target), spectral_convergence(spectrogram(sound), target)
        print(f"    {method:16} {before:.3f}   {after:.3f}")
        play(sound, f"{title}: {method}")

# %% [markdown] lang="en"
# Little more than a minute of her speech, and the error is nearly halved. The network has learned which spectra her
# voice makes. For the man (and his microphone) it does worse than the formula that knows nothing: a vocoder is as
# good as the speech that it was trained on. That is why the good ones hear many hours of many voices.
#
# This network still leaves the phase to Griffin-Lim. The three systems that follow make the samples themselves. You
# write the one idea that each of them adds.

# %% [markdown] lang="en"
# ## 11.9 WaveRNN: one sample after the other
#
# **WaveNet** (2016) and **WaveRNN** (2018) write a waveform as a language model writes text: given all samples so far,
# and the mel, they give a probability to every possible next sample, draw one, and go on. There is no phase to find,
# since samples have none.
#
# For that, a sample must be one of a few codes, as a letter is. Sixteen bits are 65 536 codes; WaveNet has 256. Spaced
# evenly, 256 codes would leave a hiss under every soft sound, because soft samples share a few codes. So the scale is
# bent first, by the **μ-law** of old telephone lines: fine steps for soft samples, coarse steps for loud ones. With
# $\mu = \text{channels} - 1$,
#
# $$ y = \operatorname{sign}(x)\,\frac{\ln(1 + \mu\,|x|)}{\ln(1 + \mu)} \in [-1, 1], \qquad
# \text{code} = \Bigl\lfloor \frac{y + 1}{2}\,\mu + \frac12 \Bigr\rfloor $$
#
# By hand, $x = 0.01$ and 256 codes: $\ln(1 + 2.55)/\ln 256 = 1.267/5.545 = 0.228$; then
# $1.228/2\cdot 255 + 0.5 = 157.1$: code 157. Evenly spaced it would be
# $\lfloor 1.01/2\cdot 255 + 0.5\rfloor = 129$. So the samples between 0 and a hundredth share 30 codes, not two.
#
# ### Exercise 11.6 · μ-law, to codes · ★★☆ · 8 min · 2 points
#
# Write `mu_law_encode` for samples in [−1, 1], of any shape, also `()`; codes are int64 from 0 to `channels − 1`.
#
# - −1 becomes 0, and 1 becomes `channels − 1`. Silence lies between two codes and gets the upper one, 128 of 256 or 3
#   of 6: that is what "add ½ and cut off" does.
# - Any number of codes; samples may be float64, and are not rounded to float32 then.
# - Write the formula; `torchaudio.functional.mu_law_encoding` is there to compare with.
#
# <details><summary>Hint 1: log1p</summary>
#
# `torch.log1p(z)` is ln(1 + z), exact for small z; `math.log1p` is the same for a Python number. `torch.sign` gives
# the sign.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `mu = channels - 1`; `y = x.sign() * torch.log1p(mu * x.abs()) / math.log1p(mu)`; then `((y + 1) / 2 * mu + 0.5)`
# cut to whole numbers by `.to(torch.int64)`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "mu_law_encode", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mu_law_encode(x: torch.Tensor, channels: int = 256) -> torch.Tensor:
    """Samples to μ-law codes.

    Args:
        x: samples in [−1, 1], any shape.
        channels: number of codes; μ is one less.

    Returns:
        int64 of the same shape, from 0 to channels − 1.
    """
    ### BEGIN SOLUTION
    mu = channels - 1
    bent = x.sign() * torch.log1p(mu * x.abs()) / math.log1p(mu)
    return ((bent + 1) / 2 * mu + 0.5).to(torch.int64)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_mu_law_encode", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(mu_law_encode)
print(mu_law_encode(torch.tensor([-1.0, 0.0, 0.01, 1.0])), "expected: 0, 128, 157, 255")
print(mu_law_encode(torch.tensor([-0.4, 0.4]), channels=4), "expected: 1 and 2 (y = ∓0.57; 1.15 and 2.85, cut off)")
print(mu_law_encode(torch.zeros(1), channels=6), "expected: 3, the upper one of the two in the middle")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(mu_law_encode)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# And the way back, for the loudspeaker:
#
# $$ y = \frac{2\,\text{code}}{\mu} - 1, \qquad x = \operatorname{sign}(y)\,\frac{(1 + \mu)^{|y|} - 1}{\mu} $$
#
# By hand, four codes, μ = 3: code 2 gives $y = 1/3$ and $x = (4^{1/3} - 1)/3 = 0.196$; code 3 gives 1.
#
# ### Exercise 11.7 · μ-law, to samples · ★☆☆ · 5 min · 1 point
#
# Write `mu_law_decode` for int64 codes of any shape, also `()`, and any number of codes. The result is float32. Code
# 0 gives −1, the highest code 1; no code of 256 gives exactly 0.
#
# <details><summary>Hint 1: a power of 1 + μ</summary>
#
# $(1+\mu)^{|y|} = e^{|y| \ln(1+\mu)}$, and `torch.expm1(z)` is $e^z - 1$.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `y = 2 * codes.float() / mu - 1`, then `y.sign() * torch.expm1(y.abs() * math.log1p(mu))`, divided by `mu`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "mu_law_decode", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mu_law_decode(codes: torch.Tensor, channels: int = 256) -> torch.Tensor:
    """μ-law codes to samples.

    Args:
        codes: int64 from 0 to channels − 1, any shape.
        channels: number of codes; μ is one less.

    Returns:
        float32 samples in [−1, 1] of the same shape.
    """
    ### BEGIN SOLUTION
    mu = channels - 1
    bent = 2 * codes.float() / mu - 1
    return bent.sign() * torch.expm1(bent.abs() * math.log1p(mu)) / mu
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_mu_law_decode", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(mu_law_decode)
print(mu_law_decode(torch.tensor([0, 1, 2, 3]), channels=4), "expected: -1, -0.196, 0.196, 1")
print(mu_law_decode(torch.tensor([127, 128])), "expected: about -0.0000862 and 0.0000862, the softest of 256")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(mu_law_decode)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Hear what the bend buys: the sentence at a tenth of its loudness with 256 codes, and at full loudness with 16, each
# evenly spaced and by μ-law. (Here every sample is a *copy* of the recording's sample, so comparing samples is fair,
# and the signal-to-noise ratio means something.) **Predict:** with 256 codes, how many decibels does halving the
# loudness cost each of the two?

# %% tags=["demo"]
mu_law_encode = solved(mu_law_encode)
def evenly(x, channels):
    """To evenly spaced codes and back."""
    steps = channels - 1
    return 2 * ((x + 1) / 2 * steps).round() / steps - 1


loudness = sentence / sentence.abs().max()
figure, panels = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
ramp = torch.linspace(-1, 1, 2001)
panels[0].plot(ramp, evenly(ramp, 16), color="#E69F00", label="evenly spaced")
panels[0].plot(ramp, mu_law_decode(mu_law_encode(ramp, 16), 16), color="#0072B2", label="μ-law")
panels[0].set(title="16 codes: sample in, sample out", xlabel="x", ylabel="decoded")
panels[0].legend()
gains = [2.0 ** -k for k in range(7)]
curves = {}
for channels, marker in ((256, "o"), (16, "s")):
    for name, colour, code in (("evenly spaced", "#E69F00", evenly),
                               ("μ-law", "#0072B2", lambda x, n: mu_law_decode(mu_law_encode(x, n), n))):
        ratios = [10 * math.log10((g * loudness).square().sum() / (g * loudness - code(g * loudness, channels)).square().sum())
                  for g in gains]
        curves[name, channels] = ratios
        panels[1].plot([20 * math.log10(g) for g in gains], ratios, marker=marker, color=colour, label=f"{name}, {channels}")
panels[1].set(title="Noise of the codes", xlabel="peak of the sentence (dB of full scale)", ylabel="signal-to-noise (dB)")
panels[1].legend(fontsize=8)
show(figure, "Left: μ-law steps are fine in the middle. Right, 256 codes: from full scale to a 64th of it μ-law falls from "
     f"{curves['μ-law', 256][0]:.0f} to {curves['μ-law', 256][-1]:.0f} dB, even spacing from "
     f"{curves['evenly spaced', 256][0]:.0f} to {curves['evenly spaced', 256][-1]:.0f} dB.")
print("dB lost by each of six halvings:")
for (name, channels), ratios in curves.items():
    print(f"{name + ',':14}{channels:4} codes:", *(f"{ratios[k] - ratios[k + 1]:5.1f}" for k in range(6)),
          f"   on average {(ratios[0] - ratios[-1]) / 6:.1f}")
soft = loudness / 10
play(10 * evenly(soft, 256), "soft, 256 codes, evenly spaced (made loud again)")
play(10 * mu_law_decode(mu_law_encode(soft)), "soft, 256 codes, μ-law (made loud again)")
play(evenly(loudness, 16), "full loudness, 16 codes, evenly spaced")
play(mu_law_decode(mu_law_encode(loudness, 16), 16), "full loudness, 16 codes, μ-law")

# %% [markdown] lang="en"
# Every halving costs even spacing about 6 dB, and μ-law with 256 codes about one on average. That is why 256 codes
# can be enough. With 16 codes even μ-law runs out of fine steps: its last halvings cost 6 and 7 dB. (WaveRNN's own
# paper keeps all 16 bits and draws each sample in two steps, a coarse byte and a fine one; the WaveRNN in torchaudio
# has 256 μ-law codes.)
#
# Now the smallest such model. It has no network at all: it *counts*, over ten recordings, which code follows which.
# Its memory is one sample. **Predict** what 1.5 seconds drawn from it will sound like.

# %% tags=["demo"]
counted = torch.cat([mu_law_encode(load_clip(name)) for name in her_sentences[:10]])
pairs = torch.bincount(256 * counted[:-1] + counted[1:], minlength=256 * 256).reshape(256, 256).double()
chances = (pairs + 0.01) / (pairs + 0.01).sum(1, keepdim=True)  # row: the sample before; column: the next one
single = pairs.sum(0) / pairs.sum()
test = mu_law_encode(sentence)
bits_alone = -(single + 1e-9).log2()[test].mean().item()
bits_before = -chances.log2()[test[:-1], test[1:]].mean().item()

cumulative = chances.cumsum(1)
dice = torch.rand(24_000, generator=generator, dtype=torch.float64).tolist()
drawn = [128]
for number in dice:  # one after the other: the next draw needs this one
    drawn.append(min(int(torch.searchsorted(cumulative[drawn[-1]], number)), 255))

figure, axes = plt.subplots(figsize=(5.6, 4.6), layout="constrained")
shown = torch.where(pairs.sum(1, keepdim=True) > 0, chances, math.nan).float().clamp_min(1e-5).log10()
image = axes.imshow(shown, origin="lower", cmap="viridis", vmin=-5, vmax=0)
axes.set(title="Which code follows which (white: never came)", xlabel="next code", ylabel="this code")
figure.colorbar(image, label="log₁₀ probability")
silent = pairs[127:129].sum(0)  # what follows the two softest codes
show(figure, "Probabilities of the next μ-law code given the one before, counted. They lie along the diagonal: the next "
     f"sample is near this one. It costs {bits_before:.2f} bits a sample instead of {bits_alone:.2f} without memory. The dark "
     f"line in the middle is silence: the codes 127 and 128 are {pairs[127:129].sum() / pairs.sum():.0%} of all, and "
     f"{silent[118:138].sum() / silent.sum():.0%} of what follows them lies within ten codes.")
play(mu_law_decode(torch.tensor(drawn)), "drawn from the table, one sample of memory")

# %% [markdown] lang="en"
# No speech. One sample of memory knows that waveforms are smooth and nothing else. WaveRNN puts the state of a GRU
# (unit 05) in place of the table's row, with the mel beside it. The loop stays: **16 000 steps for one second, each
# waiting for the one before.** The next two systems are about getting rid of that loop.
#
# ## 11.10 WaveGlow: a road that runs both ways
#
# **WaveGlow** (2018) starts from noise, one random number for each sample, and turns it into speech by a series of
# steps, every one of which can be undone *exactly*. Training runs the road backwards: take real speech, undo the steps,
# and ask for plain Gaussian noise.
#
# The step is the **affine coupling**. Eight neighbouring samples are stacked into eight channels, and the channels
# are cut in half. The first half stays. From it, and from the mel, a network of any kind computes a scale and a shift
# for the second half:
#
# $$ y_a = x_a, \qquad y_b = x_b \cdot e^{\log s} + t, \qquad (\log s,\, t) = \text{network}(x_a, \text{mel}) $$
#
# Undoing it needs no inverse of the network: $x_a = y_a$ is there to compute the same $\log s$ and $t$ again. To get
# the probability right, one must also know by how much a step stretches the space: the logarithm of the determinant,
# $\log\det = \sum \log s$ over all channels and times of an item.
#
# By hand, two channels, one time step: $x = [3, 4]$, $\log s = \ln 2$, $t = 1$ gives $[3,\; 4\cdot 2 + 1] = [3, 9]$
# and $\log\det = 0.693$. Back: $(9 - 1)/2 = 4$, and $-0.693$.
#
# ### Exercise 11.8 · Affine coupling · ★★☆ · 12 min · 3 points
#
# Write `affine_coupling` for both directions.
#
# - The first C/2 channels come back unchanged and in their place, the second C/2 changed; C is even.
# - `inverse=True` undoes the forward step exactly and gives the negative log-determinant.
# - One log-determinant for each item of the batch, shape `(B,)`.
# - Gradients flow to `x`, `log_s` and `t` in both directions; scales may be large (|log s| of several units).
#
# <details><summary>Hint 1: in which order?</summary>
#
# Forwards: times, then plus. Backwards: minus, then divided by. `x.chunk(2, dim=1)` cuts the channels in half.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Inverse: `(second - t) * torch.exp(-log_s)`. Put the halves together by `torch.cat([...], dim=1)`;
# `log_s.sum(dim=(1, 2))` has one number for each item.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "affine_coupling", "locked": false, "schema_version": 3, "solution": true, "task": false}
def affine_coupling(
    x: torch.Tensor, log_s: torch.Tensor, t: torch.Tensor, inverse: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """WaveGlow's invertible step.

    Args:
        x: `(B, C, T)`, C even.
        log_s: logarithm of the scale, `(B, C/2, T)`.
        t: shift, `(B, C/2, T)`.
        inverse: undo the step.

    Returns:
        The result `(B, C, T)`, its first C/2 channels unchanged, and the log-determinant of the step taken, `(B,)`.

    Source: Prenger, Valle, Catanzaro 2018.
    """
    ### BEGIN SOLUTION
    kept, changed = x.chunk(2, dim=1)
    log_det = log_s.sum(dim=(1, 2))
    if inverse:
        return torch.cat([kept, (changed - t) * torch.exp(-log_s)], dim=1), -log_det
    return torch.cat([kept, changed * torch.exp(log_s) + t], dim=1), log_det
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_affine_coupling", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(affine_coupling)
step = torch.full((1, 1, 1), math.log(2)), torch.ones(1, 1, 1)
print(affine_coupling(torch.tensor([[[3.0], [4.0]]]), *step), "expected: 3 and 9, log-determinant 0.6931")
print(affine_coupling(torch.tensor([[[3.0], [9.0]]]), *step, inverse=True), "expected: 3 and 4, -0.6931")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(affine_coupling)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# First: is it exact, whatever the network? Twelve couplings in a row, with networks of *random* weights that nobody
# trained, take the sentence to something else, and back. **Predict** the largest error.

# %% tags=["demo"]
squeezed = (sentence / sentence.std()).reshape(1, -1, 8).mT.contiguous()  # (1, 8, T/8)
torch.manual_seed(1)
networks = [nn.Sequential(nn.Conv1d(4, 16, 3, padding=1), nn.Tanh(), nn.Conv1d(16, 8, 3, padding=1)) for _ in range(12)]


def twelve_couplings(x, inverse=False):
    """Twelve couplings that change the halves in turn; the log-determinants are added up."""
    total = torch.zeros(len(x))
    for network_of_step in reversed(networks) if inverse else networks:
        if inverse:
            x = x.roll(4, dims=1)
        log_scale, shift = network_of_step(x[:, :4]).chunk(2, dim=1)
        x, log_det = affine_coupling(x, log_scale, shift, inverse=inverse)
        if not inverse:
            x = x.roll(4, dims=1)  # the halves change places
        total = total + log_det
    return x, total


with torch.no_grad():
    scrambled, log_det_there = twelve_couplings(squeezed)
    recovered, log_det_back = twelve_couplings(scrambled, inverse=True)
print(f"changed by {(scrambled - squeezed).abs().mean():.2f} on average, "
      f"recovered with a largest error of {(recovered - squeezed).abs().max():.1e}")
print(f"log-determinants: {log_det_there.item():.1f} there, {log_det_back.item():.1f} back")
garbled = scrambled.mT.reshape(-1)
play(0.2 * garbled / garbled.std(), "after twelve couplings that nobody trained")
play(recovered.mT.reshape(-1) * sentence.std(), "and back again")

# %% [markdown] lang="en"
# Second: what is it good for? Take pairs of neighbouring samples: two channels. They are far from independent. A
# single coupling can learn that: let the shift be $t = -a\,x_a$ and $\log s$ a constant, put the coupling where it
# makes the pairs as likely as can be under a Gaussian (for this simple "network" there is a formula), and do it
# twice, with the halves exchanged. Then run it backwards from noise. **Predict** the shapes of the four clouds, and
# where this simple "network" will fail.

# %% tags=["demo"]
pairs_of_samples = (sentence / sentence.std()).reshape(-1, 2).T[None]  # (1, 2, T/2)
state, learned_steps, gained = pairs_of_samples, [], torch.zeros(1)
for _ in range(2):
    first, second = state[0]
    slope = (first * second).sum() / first.square().sum()
    log_scale = -(second - slope * first).square().mean().sqrt().log()
    learned_steps.append((slope, log_scale))
    state, log_det = affine_coupling(state, log_scale.expand(1, 1, state.shape[2]), (-slope * first * log_scale.exp())[None, None])
    state, gained = state.flip(1), gained + log_det

drawn_noise = torch.randn(state.shape, generator=generator)
made = drawn_noise
for slope, log_scale in reversed(learned_steps):
    made = made.flip(1)
    made, _ = affine_coupling(made, log_scale.expand(1, 1, made.shape[2]), (-slope * made[:, :1] * log_scale.exp()), inverse=True)

clouds = {"pairs of neighbouring samples": pairs_of_samples, "after two couplings": state,
          "Gaussian noise": drawn_noise, "the noise, run backwards": made}
figure, panels = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained", sharex=True, sharey=True)
for axes, (name, cloud) in zip(panels, clouds.items(), strict=True):
    correlation = torch.corrcoef(cloud[0])[0, 1]
    axes.plot(cloud[0, 0, ::5], cloud[0, 1, ::5], ".", markersize=2, alpha=0.25, color="#0072B2")
    axes.set(title=f"{name}\ncorrelation {correlation + 0.0:.2f}", xlabel="first channel", xlim=(-5, 5), ylim=(-5, 5), aspect="equal")
panels[0].set(ylabel="second channel")
show(figure, "Pairs of samples lie along the diagonal. After two couplings they are uncorrelated, though no round cloud; "
     "the same couplings run backwards make a diagonal cloud out of Gaussian noise.")


def bits(cloud):
    """Bits a sample under a standard Gaussian."""
    return (0.5 * cloud.square() + 0.5 * math.log(2 * math.pi)).mean().item() / math.log(2)


print(f"bits a sample under a Gaussian: {bits(pairs_of_samples):.3f} as they are; after the couplings "
      f"{bits(state):.3f} − {gained.item() / state.numel() / math.log(2):.3f} (log-determinant) = "
      f"{bits(state) - gained.item() / state.numel() / math.log(2):.3f}")

# %% [markdown] lang="en"
# That last line is WaveGlow's training: make the real samples as likely as possible, where the log-determinant pays
# for the stretching. The second cloud is a cross, not a ball: soft samples and loud ones behave differently, and our
# scale was a constant. With a network that looks at the kept half, each step does better. WaveGlow stacks twelve
# couplings with networks like WaveNet's and mixes the channels in between. All samples are made at once. The price is
# size, because every step must stay invertible: the version that its authors published has about 88 million weights.
#
# ## 11.11 HiFi-GAN: upwards to the hop
#
# **HiFi-GAN** (2020) drops invertibility. Its generator takes mel frames and makes them longer, layer by layer, until
# there is one number for every sample. If the layers lengthen by rates $r_1, r_2, \dots$, then n frames become
# $n \cdot r_1 r_2 \cdots$ samples, so **the product of the rates must be the hop**.
#
# By hand: 100 frames through rates 8, 8, 2, 2: 800, 6 400, 12 800, 25 600 samples; $8\cdot8\cdot2\cdot2 = 256$.
#
# ### Exercise 11.9 · As long as the sound · ★☆☆ · 3 min · 1 point
#
# Write `upsampled_length`. Every frame counts in full, the first and the last, too. Without layers the length stays.
#
# <details><summary>Hint 1: multiply</summary>
#
# Each layer multiplies what the one before it made.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `math.prod(rates)` is the product of a list, 1 for an empty one.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "upsampled_length", "locked": false, "schema_version": 3, "solution": true, "task": false}
def upsampled_length(n_frames: int, rates: list[int]) -> int:
    """Samples that a HiFi-GAN generator makes of `n_frames` mel frames.

    Args:
        n_frames: number of mel frames, at least 1.
        rates: by how much each layer lengthens, first layer first; may be empty.

    Returns:
        The number of samples.
    """
    ### BEGIN SOLUTION
    return n_frames * math.prod(rates)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_upsampled_length", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check(upsampled_length)
print(upsampled_length(100, [8, 8, 2, 2]), "expected: 25600")
print(upsampled_length(7, [5, 3]), "expected: 105")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(upsampled_length)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# How does a layer lengthen? By a **transposed convolution**: lay a kernel at every r-th sample, each multiplied by one
# input number, and add what overlaps. You know that: it is `overlap_add`, with kernels for frames.
#
# The next cell takes the loudness of a band of frequencies through rates 8, 8, 2, 2 with your `overlap_add` and
# kernels that nobody trained, triangles. **Predict:** what would a kernel exactly as long as the rate, all ones, do
# to the curve?

# %% tags=["demo"]
def lengthen(values, rate, kernel):
    """One transposed convolution on one channel, cut to `rate` times the length."""
    longer = overlap_add(values[:, None] * kernel, rate)
    surplus = len(longer) - upsampled_length(len(values), [rate])
    return longer[surplus // 2 : len(longer) - (surplus - surplus // 2)]


band = spectrogram(sentence).abs().square()[20:40].sum(0).sqrt()[60:76]  # sixteen frames, 310 to 620 Hz
band = band / band.max()
stages, boxes = [band], [band]
for rate in (8, 8, 2, 2):
    triangle = 1 - (torch.arange(2 * rate) + 0.5 - rate).abs() / rate
    stages.append(lengthen(stages[-1], rate, triangle))
    boxes.append(lengthen(boxes[-1], rate, torch.ones(rate)))
library = functional.conv_transpose1d(band[None, None], (1 - (torch.arange(16) + 0.5 - 8).abs() / 8)[None, None], stride=8)
print(f"your overlap_add against torch's transposed convolution: {(library[0, 0, 4:-4] - stages[1]).abs().max():.1e}")
print("lengths:", " → ".join(str(len(stage)) for stage in stages))

figure, panels = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained", sharey=True)
for axes, curve, title in zip(panels, (stages[0], stages[1], stages[4]),
                              ("16 frames", f"× 8: {len(stages[1])}", f"× 8 × 8 × 2 × 2: {len(stages[4])} samples"), strict=True):
    axes.plot(16 * (torch.arange(len(curve)) + 0.5) / (len(curve) / 16), curve, ".-" if len(curve) < 200 else "-",
              color="#0072B2", label="kernels twice the rate")
    axes.set(title=title, xlabel="time (ms)")
panels[2].plot(16 * torch.arange(len(boxes[4])) / 256, boxes[4], color="#E69F00", linewidth=1, label="kernels as long as the rate")
panels[2].legend(fontsize=8)
panels[0].set(ylabel="loudness of the band")
show(figure, f"The loudness of a band, 310 to 620 Hz, on its way from {len(stages[0])} frames to {len(stages[4])} samples. With kernels twice as "
     "long as the rate neighbours blend, and the curve falls at the end, since after the last frame there is no neighbour to "
     "blend with; with kernels as long as the rate the curve is a staircase.")

# %% [markdown] lang="en"
# A staircase has 62.5 steps a second, and would be heard as a hum under the voice, like the buzz from the beginning.
# HiFi-GAN's kernels are twice the rate, and trained. After each of these layers come *residual blocks*, convolutions
# of three sizes, each with several gaps (dilations), whose results are averaged. The next cell builds version 1
# without its numbers (on torch's `meta` device), from the paper's table, and counts. **Decide before you run it:**
# which of the four stages has most of the weights, and which does most of the multiplications?

# %% tags=["demo"]
def residual_blocks(channels):
    """Three blocks with kernels 3, 7, 11, each of six convolutions (dilations 1, 3, 5, and 1 after each)."""
    return [nn.Conv1d(channels, channels, kernel, device="meta") for kernel in (3, 7, 11) for _ in range(6)]


rates, widths = [8, 8, 2, 2], [512, 256, 128, 64, 32]
rows = [("80 mel bands → 512", [nn.Conv1d(80, 512, 7, device="meta")], 1)]
for index, rate in enumerate(rates):
    upward = nn.ConvTranspose1d(widths[index], widths[index + 1], 2 * rate, rate, device="meta")
    rows.append((f"× {rate}, {widths[index]} → {widths[index + 1]}", [upward, *residual_blocks(widths[index + 1])],
                 upsampled_length(1, rates[: index + 1])))
rows.append(("32 → 1 sample", [nn.Conv1d(32, 1, 7, device="meta")], 256))

print(f"{'layer':24}{'vectors a frame':>16}{'weights':>14}{'multiplications a frame':>26}")
all_weights = all_products = 0
counted_stages = []
for name, layers, length in rows:
    weights = sum(parameter.numel() for layer in layers for parameter in layer.parameters())
    products = sum(layer.weight.numel() * (length // layer.stride[0] if isinstance(layer, nn.ConvTranspose1d) else length)
                   for layer in layers)
    all_weights, all_products = all_weights + weights, all_products + products
    counted_stages.append((name, weights, products))
    print(f"{name:24}{length:16}{weights:14,}{products:26,}")
print(f"{'together':40}{all_weights:14,}{all_products:26,}")
heaviest, busiest = (max(counted_stages, key=lambda row: row[which]) for which in (1, 2))
print(f"most weights: {heaviest[0]}, {heaviest[1] / 1e6:.1f} of {all_weights / 1e6:.1f} million")
print(f"most multiplications: {busiest[0]}, {busiest[2] / 1e6:.0f} of {all_products / 1e6:.0f} million a frame")
print(f"for one second at hop 256 and 16 kHz: {62.5 * all_products / 1e9:.1f} thousand million multiplications, in one pass")

# %% [markdown] lang="en"
# 13.9 million weights, as the paper says. Three quarters of them are in the first stage, where the channels are many.
# Most multiplications are in the second (136 of 307 million): with half the channels a layer has about a quarter of
# the weights, but they are used at eight times as many positions. The last two stages only double the positions, so
# there they become fewer again.
#
# What keeps its sound from being a blur is not the generator but its teachers: discriminators that listen for real or
# fake, at several periods and scales, with the losses that you wrote in unit 07, and an L1 loss on the mel.
#
# | | how the samples are made | steps one after the other, for a second | learns from | what is exact |
# |---|---|---|---|---|
# | Griffin-Lim | phase by turns | 60 rounds | nothing | the formula |
# | WaveRNN | each from those before | 16 000 samples | likelihood of the next code | the probability |
# | WaveGlow | noise through couplings | 12 couplings | likelihood, by log det | the inverse |
# | HiFi-GAN | mel made longer | 4 stages | discriminators, mel, features | nothing |
#
# In the paper's listening test, with marks from 1 to 5, HiFi-GAN's version 1 came about a tenth of a mark below the
# recordings themselves, and WaveGlow about half a mark below HiFi-GAN.
#
# ## What just happened
#
# - Magnitudes alone are no sound, and most sets of arrows belong to none. `istft` finds the nearest sound; Griffin-Lim
#   takes turns until magnitudes and sound nearly agree.
# - From 80 mel bands, the magnitudes are 47% off before any phase is sought, and Griffin-Lim adds almost nothing to that.
#   A vocoder does not invert the mel: it knows speech, and mends what the mel lost.
# - **The mistake most people make** is to judge a vocoder by the difference of waveforms. Silence wins.
# - **Where you meet it:** [HiFi-GAN](https://arxiv.org/abs/2010.05646) (2020) is the vocoder behind most text-to-speech
#   systems, often after [FastSpeech 2](https://arxiv.org/abs/2006.04558) (2020); SpeechT5 ends in one, too.
#   [Whisper](https://arxiv.org/abs/2212.04356) and [wav2vec 2.0](https://arxiv.org/abs/2006.11477) need none: they only
#   listen.
# - Papers: Griffin and Lim, *Signal Estimation from Modified Short-Time Fourier Transform* (1984); Perraudin, Balazs and
#   Søndergaard, *A Fast Griffin-Lim Algorithm* (2013); [*WaveNet*](https://arxiv.org/abs/1609.03499) (2016);
#   [*Efficient Neural Audio Synthesis*](https://arxiv.org/abs/1802.08435) (WaveRNN, 2018);
#   [*WaveGlow*](https://arxiv.org/abs/1811.00002) (2018).
#
# Next: [unit 12](../12_metrics/12_metrics.ipynb). Two sounds differ. How far, and who says so?

# %% [markdown] lang="en"
# ## How far you are
#
# What `check` noted in this unit. It stays on this computer.

# %% tags=["demo"]
scorecard("11_vocoder")
