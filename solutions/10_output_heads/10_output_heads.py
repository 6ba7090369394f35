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
# # 10 · Output heads
#
# A Transformer ends in vectors, not in text, voices or sound. Here you write the thin layers that turn its vectors into
# all three, and train them together on one trunk and real speech.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({{colab}})
#
# 110 minutes · 24 s of CPU · after units 06 (Transformer), 07 (losses) and 09 (CTC)
#
# **You will be able to**
#
# 1. put a text head, a class head and a mel head with post-net on the same hidden states, padding left out;
# 2. stretch a text to the length of speech by durations, and measure the pitch and energy that text does not hold;
# 3. say what it costs to generate one step after the other, and what it costs not to.

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
import time

import librosa
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
import torchaudio
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from grader.recordings import load_phrase, phrases, recordings

# %% [markdown] lang="en"
# ## 10.1 One recording, three questions
#
# Listen to both clips. For each: **what** was said? **Who** said it? And **how** would you say it, if you had only the
# text? You answer all three with the same ears.

# %% tags=["demo"]
for name in ("privacy-prompt", "austen-0880"):
    play(load_clip(name), f"{name}: what, who, how?")

# %% [markdown] lang="en"
# So do the models. Whatever comes in (a waveform, a spectrogram, phonemes), the layers in the middle of a Transformer
# turn a sequence of vectors into a sequence of vectors, the **hidden states**: a tensor `(B, T, D)`, for $B$ clips of
# $T$ frames, $D$ numbers a frame. These layers are the **trunk**. What comes after them is small, and differs:
#
# | task | head | example |
# |---|---|---|
# | recognition (ASR) | hidden → linear → softmax → characters | wav2vec 2.0, Whisper's decoder |
# | synthesis (TTS) | hidden → linear → mel → post-net → vocoder → waveform | SpeechT5, FastSpeech 2 |
# | classification | hidden → pooling → linear → softmax → one class | keyword, speaker, emotion |
#
# To try this we need a trunk and some speech. The next two cells prepare both; skim them.
#
# The speech: eleven frequent words, cut out of the telephone prompts by a forced aligner (`data/segments.tsv`), lined up
# in random order with short pauses. **About one prompt in four is set aside**: no recording from it is trained on, here
# or anywhere in this notebook.

# %% tags=["demo"]
WORDS = ["–", "call", "for", "i", "is", "number", "press", "sorry", "the", "to", "you", "your"]  # 0: blank, or a pause
HOP = 320  # samples: 20 ms, 50 frames a second, as in wav2vec 2.0
mel_amplitude = torchaudio.transforms.MelSpectrogram(
    16_000, n_fft=1024, win_length=800, hop_length=HOP, n_mels=80, power=1.0, mel_scale="slaney", norm="slaney"
)


def log_mel(waveform):
    """(samples,) → (frames, 80): the natural logarithm of 80 band amplitudes, shifted and scaled to a size near 1."""
    return (((mel_amplitude(waveform) + 1e-4).log() + 5) / 2)[:, : len(waveform) // HOP].T


chance = torch.Generator().manual_seed(10)


def between(low, high):
    return int(torch.randint(low, high, (1,), generator=chance))


def one_of(items):
    return items[between(0, len(items))]


def part_of(name):
    """Prompts that are set aside are the same throughout this notebook: their names alone decide."""
    return "test" if sum(map(ord, name)) % 4 == 2 else "train"


takes = {"train": {}, "test": {}}  # for each word its recordings
for phrase in phrases():
    if phrase.text in WORDS:
        sound = load_phrase(phrase)
        sound = sound[: min(len(sound) // HOP, 45) * HOP]
        sound[:160] *= torch.linspace(0, 1, 160)
        sound[-160:] *= torch.linspace(1, 0, 160)
        takes[part_of(phrase.name)].setdefault(phrase.text, []).append(sound)


def utterance(part):
    """One to three words with pauses: mel (T, 80), ids (S,), durations in frames (S,), waveform."""
    pieces, ids, durations = [], [], []
    for _ in range(between(1, 4)):
        word, pause = one_of(sorted(takes[part])), between(1, 5)
        pieces += [torch.zeros(pause * HOP), one_of(takes[part][word])]
        ids += [0, WORDS.index(word)]
        durations += [pause, len(pieces[-1]) // HOP]
    waveform = torch.cat(pieces)
    waveform = waveform + 5e-4 * torch.randn(len(waveform), generator=chance)
    return log_mel(waveform), torch.tensor(ids), torch.tensor(durations), waveform


training, held_out = [utterance("train") for _ in range(300)], [utterance("test") for _ in range(60)]
said = [[WORDS[i] for i in one[1].tolist() if i] for one in held_out]
total = sum(map(len, said))
for part in ("train", "test"):
    print(f"{part}: " + ", ".join(f"{word} {len(takes[part].get(word, []))}" for word in WORDS[1:]))
example = next(k for k, words in enumerate(said) if len(words) == 3)
mel, ids, durations, waveform = held_out[example]
play(waveform, f"made of recordings that are set aside: “{' '.join(WORDS[i] for i in ids if i)}”")
print("its durations in frames of 20 ms:", [(WORDS[i], d) for i, d in zip(ids.tolist(), durations.tolist(), strict=True)])

# %% [markdown] lang="en"
# The trunk: one encoder block of 96 numbers a frame, of the kind that you wrote in unit 06. Before it stands a
# **pre-net** for each kind of input: two convolutions for mel frames, a table of vectors for words (with a second one
# that says how far into the word a frame is). SpeechT5 is built so: one trunk, a pre-net and a head for each task.

# %% tags=["demo"]
torch.manual_seed(0)
D, BANDS = 96, 80
parts = nn.ModuleDict(
    {
        "speech": nn.Sequential(nn.Conv1d(BANDS, D, 7, padding=3), nn.GELU(), nn.Conv1d(D, D, 7, padding=3), nn.GELU()),
        "text": nn.Embedding(len(WORDS), D),
        "progress": nn.Linear(16, D),
        "trunk": nn.TransformerEncoderLayer(D, 2, 2 * D, 0.0, "gelu", batch_first=True, norm_first=True),
        "norm": nn.LayerNorm(D),
        "ctc": nn.Linear(D, len(WORDS)),
        "voice": nn.Linear(D, 2),
        "mel": nn.Linear(D, BANDS),
        "postnet": nn.ModuleList(nn.Conv1d(*c, 5) for c in ((BANDS, 48), (48, 48), (48, BANDS))),
    }
)
angles = torch.arange(1_000)[:, None] * torch.exp(-torch.arange(0, D, 2) / D * math.log(10_000))
places = 0.3 * torch.stack([angles.sin(), angles.cos()], -1).flatten(1)  # (1000, D)


def hidden_states(x, lengths):
    """The trunk: (B, T, D) → (B, T, D); nobody looks at padding."""
    outside = torch.arange(x.shape[1]) >= lengths[:, None]
    return parts["norm"](parts["trunk"](x + places[: x.shape[1]], src_key_padding_mask=outside))


def listen(mels):
    """Mels of any lengths → hidden states (B, T, D) and lengths (B,)."""
    lengths = torch.tensor([len(mel) for mel in mels])
    x = parts["speech"](pad_sequence(mels, batch_first=True).mT).mT
    return hidden_states(x, lengths), lengths


def weights(name):
    return parts[name].weight, parts[name].bias


def postnet():
    return [{"weight": layer.weight, "bias": layer.bias} for layer in parts["postnet"]]


untrained = {name: tensor.clone() for name, tensor in parts.state_dict().items()}
shared = sum(p.numel() for name in ("trunk", "norm") for p in parts[name].parameters())
print(f"{shared} numbers in the trunk; in the heads:")
for name in ("ctc", "voice", "mel", "postnet"):
    print(f"  {name}: {sum(p.numel() for p in parts[name].parameters())}")
with torch.no_grad():
    hidden, lengths = listen([one[0] for one in held_out[:3]])
print("hidden states of three clips:", tuple(hidden.shape), "lengths:", lengths.tolist())

# %% [markdown] lang="en"
# ## 10.2 Text: the CTC head
#
# In every frame the head scores each of $C$ classes by a linear layer, and a softmax makes probabilities of the scores.
# CTC works with their logarithms (unit 09), so the head returns these:
#
# $$\log p_{tc} = z_{tc} - \ln \sum_{c'} e^{z_{tc'}}, \qquad z_t = W h_t + b$$
#
# By hand: a frame with the scores $(0, \ln 3)$ has the probabilities (¼, ¾), and the logarithms (−1.386, −0.288).
#
# ### Exercise 10.1 · CTC head · ★☆☆ · 5 min · 2 points
#
# Write it. The weight is `(C, D)`, applied as in `nn.Linear`; in each frame the probabilities add up to 1.
#
# - Scores may be some ten thousands. A hopeless character has a log-probability of −40 000 then, not −∞.
#
# <details><summary>Hint 1: two steps</summary>
#
# The scores have the shape `(B, T, C)`. In which of these three directions do the classes compete?
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `hidden @ w.T + b`, then `torch.log_softmax` over the last axis. The logarithm of a softmax is not the same in floats.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "ctc_head", "locked": false, "schema_version": 3, "solution": true, "task": false}
def ctc_head(hidden: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of each class in each frame.

    Args:
        hidden: hidden states, `(B, T, D)`.
        w: weight of the linear layer, `(C, D)`.
        b: its bias, `(C,)`.

    Returns:
        Natural logarithms, `(B, T, C)`.
    """
    ### BEGIN SOLUTION
    return torch.log_softmax(hidden @ w.T + b, dim=-1)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_ctc_head", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(ctc_head)
print(ctc_head(torch.tensor([[[1.0]]]), torch.tensor([[0.0], [math.log(3)]]), torch.zeros(2)), "expected: −1.386, −0.288")
print(ctc_head(torch.zeros(1, 2, 3), torch.ones(4, 3), torch.zeros(4)).exp(), "expected: ¼ everywhere")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(ctc_head)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# The head on the untrained trunk, for the clip that you heard. **Predict:** which class wins, and by how much?

# %% tags=["demo"]
def draw_reading(axes, log_probs, title):
    """Probabilities of the classes over time, always in the same colours."""
    extent = (0, len(log_probs) * HOP / 16_000, len(WORDS) - 0.5, -0.5)
    picture = axes.imshow(log_probs.exp().T, aspect="auto", cmap="viridis", vmin=0, vmax=1, extent=extent)
    axes.set(title=title, xlabel="time (s)")
    axes.set_yticks(range(len(WORDS)), WORDS)
    return picture


def reading(mels):
    """Log-probabilities (T, C) of each clip."""
    with torch.no_grad():
        hidden, lengths = listen(mels)
        log_probs = ctc_head(hidden, *weights("ctc"))
    return [one[:length] for one, length in zip(log_probs, lengths, strict=True)]


first = reading([held_out[example][0]])[0]
figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
figure.colorbar(draw_reading(axes, first, "An untrained trunk under an untrained head"), label="probability")
show(figure, f"No class is far ahead anywhere: the highest probability is {first.exp().max():.2f}, and 1/12 is 0.08.")

# %% [markdown] lang="en"
# ## 10.3 One answer for a whole clip: pooling
#
# A class is one answer for all frames. So the frames of a clip have to become one vector: **pooling**, here the mean
#
# $$\bar h = \frac1L \sum_{t < L} h_t .$$
#
# $L$ is the clip's own length. Clips in a batch are padded to the longest, and padding is not speech. By hand: the
# frames 2, 4, 9, of which two are real, have the mean (2 + 4)/2 = 3. Averaging all gives 5; adding the two and dividing
# by three gives 2, as if the clip had become quieter.
#
# ### Exercise 10.2 · Masked mean · ★★☆ · 8 min · 2 points
#
# - Each clip is averaged over its own `length`, which is between 1 and T; lengths come in any order. It may be that no
#   clip fills the tensor, or that all do.
# - What stands in the padding has no effect, zeros or thousands. A real frame may be all zeros, and counts.
#
# <details><summary>Hint 1: what to divide by</summary>
#
# Two things must know the lengths: the sum, and the number that you divide by.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `torch.arange(T) < lengths[:, None]` is a mask of shape (B, T). As floats, with an axis more (`[..., None]`), it
# multiplies the hidden states. The mask's own sum over time counts the real frames.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "masked_mean_pool", "locked": false, "schema_version": 3, "solution": true, "task": false}
def masked_mean_pool(hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The mean of each clip's real frames.

    Args:
        hidden: hidden states, `(B, T, D)`.
        lengths: real frames of each clip, `(B,)` int64, from 1 to T.

    Returns:
        One vector a clip, `(B, D)`.
    """
    ### BEGIN SOLUTION
    real = (torch.arange(hidden.shape[1]) < lengths[:, None]).to(hidden.dtype)  # (B, T)
    return (hidden * real[..., None]).sum(1) / real.sum(1, keepdim=True)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_masked_mean_pool", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(masked_mean_pool)
print(masked_mean_pool(torch.tensor([[[2.0], [4.0], [9.0]]]), torch.tensor([2])), "expected: (2 + 4)/2 = 3")
print(masked_mean_pool(torch.ones(2, 4, 3), torch.tensor([1, 4])), "expected: all ones, however long the clip")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(masked_mean_pool)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Is the mean of a clip good for anything? No trunk yet: we take the mel frames themselves, and pool clips of her voice
# (the telephone prompts) and of his (the audio book) over time. **Predict:** the words are all different. Will the
# averages be?

# %% tags=["demo"]
spoken = {part: {"he": [], "she": []} for part in ("train", "test")}
for name in ("0870", "0890", "0920", "0880", "0930"):
    spoken["train" if name in ("0870", "0890", "0920") else "test"]["he"].append(log_mel(load_clip(f"austen-{name}")))
longer = [one.name for one in recordings() if 3 < one.seconds < 6 and not one.name.startswith("austen")]
for name in longer[::4]:
    spoken[part_of(name)]["she"].append(log_mel(load_clip(name)))

averages = {}
for voice, mels in spoken["train"].items():
    counts = torch.tensor([len(one) for one in mels])
    averages[voice] = masked_mean_pool(pad_sequence(mels, batch_first=True, padding_value=99.0), counts)  # (clips, 80)
figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
for (voice, vectors), colour in zip(averages.items(), ("#0072B2", "#D55E00"), strict=True):
    for k, vector in enumerate(vectors):
        axes.plot(vector, color=colour, linewidth=1, label=f"{voice} ({len(vectors)} clips)" if k == 0 else None)
axes.set(title="Each line is the mean of one clip's frames", xlabel="mel band", ylabel="log amplitude (scaled)")
axes.legend()
distance = (averages["he"].mean(0) - averages["she"].mean(0)).abs()
middles = librosa.mel_frequencies(82, fmin=0, fmax=8_000)  # of band k: number k + 1
spread = max(vectors.std(0).mean().item() for vectors in averages.values())
show(
    figure,
    f"The clips of one voice stay together (spread {spread:.2f}); the two voices differ by up to "
    f"{distance.max():.1f}, in band {distance.argmax()}, around {middles[distance.argmax() + 1]:.0f} Hz.",
)
edge = middles[71]
top = averages["she"][:, 70:].mean() - averages["he"][:, 70:].mean()
print(f"from band 70 on, above {edge:.0f} Hz, his clips are {top:.2f} below hers: {2 * top * 20 / math.log(10):.0f} dB")

# %% [markdown] lang="en"
# The words average out; what stays is the voice. *And the microphone, the room and the file format.* In this data she
# always comes through a telephone system, he always through an audio book. Look at the right end of the picture, and at
# the printed line: in the highest bands his recordings fall away, and that is hardly his throat. At the left end, below
# 150 Hz, his low pitch and her telephone line cannot be told apart either: a telephone passes hardly anything so low. A
# classifier of the two may learn any of it. Keep that in mind for 10.6.
#
# ## 10.4 A class
#
# Pool, then a linear layer, then a softmax: $p = \operatorname{softmax}(W \bar h + b)$.
#
# ### Exercise 10.3 · Classify · ★☆☆ · 5 min · 2 points
#
# Write it: one row of probabilities for each clip. You may call your `masked_mean_pool`.
#
# - Padding has no vote, and the probabilities are finite for scores of hundreds, too.
# - The pooling comes first. Averaging the *probabilities* of the frames is another method with another result.
#
# <details><summary>Hint 1: shapes</summary>
#
# `(B, T, D)` → pool → `(B, D)` → linear → `(B, C)` → softmax → `(B, C)`. Over which axis do you take the softmax?
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# With `pooled = masked_mean_pool(hidden, lengths)` the scores are `pooled @ w.T + b`.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "classify", "locked": false, "schema_version": 3, "solution": true, "task": false}
def classify(hidden: torch.Tensor, lengths: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Probabilities of the classes of each clip, from the mean of its real frames.

    Args:
        hidden: hidden states, `(B, T, D)`.
        lengths: real frames of each clip, `(B,)` int64, from 1 to T.
        w: weight of the linear layer, `(C, D)`.
        b: its bias, `(C,)`.

    Returns:
        Probabilities, `(B, C)`; each row adds up to 1.
    """
    ### BEGIN SOLUTION
    scores = masked_mean_pool(hidden, lengths) @ w.T + b
    return torch.softmax(scores, dim=-1)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_classify", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(classify)
frames = torch.tensor([[[0.0], [2.0], [50.0]]])  # the third frame is padding
print(classify(frames, torch.tensor([2]), torch.tensor([[0.0], [math.log(3)]]), torch.zeros(2)), "expected: ¼ and ¾")
print(classify(torch.zeros(2, 3, 4), torch.tensor([3, 1]), torch.ones(5, 4), torch.zeros(5)), "expected: 0.2 everywhere")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(classify)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# ## 10.5 From text to frames
#
# Synthesis runs the other way, and meets a problem of length: *goodbye* has five sounds, and lasts 93 frames of 10 ms.
# Which frame belongs to which sound? **FastSpeech** asks for the **durations**: how many frames each sound lasts. In
# training they are measured, by a forced alignment such as your `forced_align` and `path_to_durations` of unit 09; later
# a small network predicts them (its loss was `duration_loss` in unit 07). The **length regulator** repeats each sound's
# vector that many times:
#
# $$\text{vectors } (a, b, c),\ \text{durations } (2, 0, 3) \quad\to\quad (a, a, c, c, c)$$
#
# ### Exercise 10.4 · Length regulator · ★★☆ · 12 min · 3 points
#
# Do so for each phrase of a batch.
#
# - A sound may last 0 frames, even all sounds of a phrase, or of every phrase: then $T' = 0$. A vector may be zero; it
#   takes its frames like any other.
# - The phrases come out differently long: shorter ones are followed by zeros up to $T'$, the longest in the batch.
# - Return the frames and the lengths in frames, `(B,)` int64.
#
# <details><summary>Hint 1: one phrase at a time</summary>
#
# `torch.repeat_interleave(vectors, times, dim=0)` repeats the rows of one phrase. What is its length in frames?
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Put the repeated phrases into a list, in a loop over `zip(hidden, durations)`. `pad_sequence(rows, batch_first=True)`
# fills up with zeros; `durations.sum(1)` are the lengths.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "length_regulator", "locked": false, "schema_version": 3, "solution": true, "task": false}
def length_regulator(hidden: torch.Tensor, durations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Each vector repeated for as many frames as its sound lasts (FastSpeech).

    Args:
        hidden: one vector a sound, `(B, T, D)`.
        durations: frames of each sound, `(B, T)` int64, 0 or more.

    Returns:
        Frames `(B, T', D)`, zeros after the end of a phrase, and the lengths in frames, `(B,)` int64.
    """
    ### BEGIN SOLUTION
    lengths = durations.sum(1)
    frames = hidden.new_zeros(len(hidden), int(lengths.max()), hidden.shape[2])
    for i, times in enumerate(durations):
        sound_of_frame = torch.arange(len(times)).repeat_interleave(times)
        frames[i, : lengths[i]] = hidden[i, sound_of_frame]
    return frames, lengths
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_length_regulator", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(length_regulator)
abc = torch.tensor([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]])
stretched, ends = length_regulator(abc, torch.tensor([[2, 0, 3], [1, 1, 1]]))
print(stretched[..., 0], "expected: 1 1 3 3 3, and 4 5 6 0 0")
print(ends, "expected: 5 and 3")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(length_regulator)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# The durations of a real *goodbye*, found by a forced aligner (you saw them in unit 07). The rudest synthesiser that one
# can build on them: for each sound **one** vector, the mean of its true mel frames, repeated by your function. No sound
# changes while it lasts. The last step from mel to waveform is Griffin-Lim, the subject of unit 11.
#
# **Predict:** will you understand the word? And if every duration is doubled, what happens to the pitch?

# %% tags=["demo"]
SOUNDS = ["–", "G", "UH", "D", "B", "AY", "–"]
GOODBYE = torch.tensor([[15, 8, 9, 9, 6, 38, 8]])  # frames of 10 ms
to_fine_mel = torchaudio.transforms.MelSpectrogram(
    16_000, n_fft=1024, win_length=800, hop_length=160, n_mels=80, power=1.0, mel_scale="slaney", norm="slaney"
)
from_bands = torch.linalg.pinv(to_fine_mel.mel_scale.fb.T)  # (513, 80)


def to_sound(log_amplitude, hop):
    """(frames, 80) natural logarithms → waveform, by pseudo-inverse and Griffin-Lim, made as loud as speech."""
    torch.manual_seed(0)
    linear = (from_bands @ log_amplitude.exp().T).clamp_min(1e-5)
    sound = torchaudio.functional.griffinlim(
        linear, torch.hann_window(800), 1024, hop, 800, power=1.0, n_iter=32, momentum=0.9, length=None, rand_init=True
    )
    return 0.06 * sound / sound.square().mean().sqrt()


goodbye = load_clip("goodbye")
fine = (to_fine_mel(goodbye) + 1e-4).log()[:, :93].T  # (93, 80)
means = torch.stack([piece.mean(0) for piece in fine.split(GOODBYE[0].tolist())])[None]  # (1, 7, 80)
rude, _ = length_regulator(means, GOODBYE)
slow, _ = length_regulator(means, 2 * GOODBYE)
figure, pair = plt.subplots(1, 2, figsize=(10, 3.1), sharey=True, layout="constrained")
for axes, image, title in zip(pair, (fine, rude[0]), ("recorded", "one vector a sound, repeated"), strict=True):
    picture = axes.imshow(image.T, origin="lower", aspect="auto", cmap="magma", vmin=-9, vmax=1, extent=(0, 0.93, 0, 80))
    axes.set(title=title, xlabel="time (s)")
    for sound, end, frames in zip(SOUNDS, GOODBYE[0].cumsum(0).tolist(), GOODBYE[0].tolist(), strict=True):
        axes.axvline(end / 100, color="white", linestyle=":", linewidth=1)
        axes.text((end - frames / 2) / 100, 74, sound, color="white", ha="center", fontsize=11)
pair[0].set_ylabel("mel band")
figure.colorbar(picture, ax=pair, label="ln amplitude")
show(figure, f"“goodbye”: {len(SOUNDS)} vectors become {rude.shape[1]} frames. Within a sound nothing moves any more.")
play(goodbye, "recorded")
play(to_sound(fine, 160), "its 93 mel frames, turned back into sound: what the last step alone costs")
play(to_sound(rude[0], 160), "7 vectors and 7 durations")
play(to_sound(slow[0], 160), "the same with doubled durations")

# %% [markdown] lang="en"
# Doubling the durations makes it slower, and leaves the pitch where it is: in a spectrogram, time and frequency are
# separate axes. This is how FastSpeech controls speed. What is missing is movement: in [AY] the mouth travels from one
# vowel to another. That is the work of the trunk, which sees the neighbours of each frame.
#
# ### The mel head and its post-net
#
# The head itself is a linear layer, $D$ numbers → 80 bands, frame by frame. Tacotron 2 put a **post-net** after it: some
# convolutions over time that see several frames of the finished mel at once and say what to *add*:
#
# $$\text{before} = W h + b, \qquad \text{after} = \text{before} + \text{postnet}(\text{before})$$
#
# After each convolution but the last comes a tanh. The last has none, because the correction may have any size. Both
# results get a loss, so both are returned. By hand, one band and one layer with the kernel (0, ½, 0): before = 4,
# after = 4 + 2 = 6.
#
# ### Exercise 10.5 · Mel head · ★★☆ · 12 min · 3 points
#
# - Each layer is a dict with `"weight"` `(C_out, C_in, K)`, K odd, and `"bias"` `(C_out,)`. Same padding: zeros on both
#   sides, so that T stays, even if T is smaller than K. `F.conv1d` may be used.
# - An empty post-net gives after = before; with one layer there is no tanh.
# - Gradients of both results are compared.
#
# <details><summary>Hint 1: two orders of axes</summary>
#
# Hidden states and mels are `(B, T, M)` here, `F.conv1d` wants `(B, M, T)`. Exchange the axes before the first layer and
# after the last. `padding="same"`, or `K // 2`.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# Let `y` start as `before`, transposed. In the loop `for i, layer in enumerate(postnet)` put the tanh in front: if
# `i > 0`, `y = y.tanh()`; then the convolution. The empty list is a case of its own.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "mel_head", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mel_head(
    hidden: torch.Tensor, w: torch.Tensor, b: torch.Tensor, postnet: list[dict]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mel frames before and after a residual post-net (Tacotron 2).

    Args:
        hidden: hidden states, `(B, T, D)`.
        w: weight of the linear layer, `(M, D)`.
        b: its bias, `(M,)`.
        postnet: layers `{"weight": (C_out, C_in, K), "bias": (C_out,)}`, K odd; tanh after all but the last.

    Returns:
        before `(B, T, M)` and after `(B, T, M)`.
    """
    ### BEGIN SOLUTION
    before = hidden @ w.T + b
    if not postnet:
        return before, before
    y = before.transpose(1, 2)  # (B, M, T)
    for i, layer in enumerate(postnet):
        y = F.conv1d(torch.tanh(y) if i > 0 else y, **layer, padding="same")
    return before, before + y.transpose(1, 2)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_mel_head", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(mel_head)
half = {"weight": torch.tensor([[[0.0, 0.5, 0.0]]]), "bias": torch.zeros(1)}
one = torch.ones(1, 1)
print(mel_head(torch.tensor([[[4.0]]]), one, torch.zeros(1), [half]), "expected: 4, and 4 + 2 = 6")
print(mel_head(torch.tensor([[[4.0]]]), one, torch.zeros(1), [half, half]), "expected: 4, and 4 + tanh(2)/2 = 4.482")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(mel_head)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# What can a post-net do? Here is a tiny one. `before` is a real mel, blurred over five frames, as a model might predict
# it. The post-net has one layer and seven numbers, the same in every band: what to add to a frame, from itself and three
# neighbours on each side. The seven are fitted by least squares on *another* recording. **Predict:** which signs will
# they have?

# %% tags=["demo"]
def blur(mel):
    """(1, T, 80): each frame becomes the mean of five."""
    return F.avg_pool1d(mel.mT, 5, stride=1, padding=2, count_include_pad=False).mT


def fitted_kernel(mel):
    """The seven weights that best predict, from a blurred mel, what the blur took away."""
    soft = blur(mel)
    around = F.pad(soft.mT, (3, 3)).unfold(2, 7, 1).reshape(-1, 7)  # every band, every frame: itself and neighbours
    return torch.linalg.lstsq(around, (mel - soft).mT.reshape(-1)).solution


true_mel = log_mel(load_clip("privacy-prompt"))[None]  # (1, T, 80)
blurred = blur(true_mel)
kernel = fitted_kernel(log_mel(load_clip("vm-intro"))[None])
tiny = [{"weight": torch.diag_embed(kernel[:, None].expand(7, 80)).permute(1, 2, 0), "bias": torch.zeros(80)}]
blurred, sharpened = mel_head(blurred, torch.eye(80), torch.zeros(80), tiny)
figure, three = plt.subplots(1, 3, figsize=(11, 3), sharey=True, layout="constrained")
for axes, image, title in zip(three, (true_mel, blurred, sharpened), ("truth", "before", "after"), strict=True):
    extent = (0, image.shape[1] / 50, 0, 80)
    picture = axes.imshow(image[0].T, origin="lower", aspect="auto", cmap="magma", vmin=-2, vmax=3, extent=extent)
    axes.set(title=title, xlabel="time (s)")
three[0].set_ylabel("mel band")
figure.colorbar(picture, ax=three, label="log amplitude (scaled)")
errors = [(image - true_mel).abs().mean().item() for image in (blurred, sharpened)]
show(figure, f"Seven numbers sharpen a blurred mel: the mean error falls from {errors[0]:.3f} to {errors[1]:.3f}.")
print("the seven numbers:", [round(number, 2) for number in kernel.tolist()])

# %% [markdown] lang="en"
# Read them from the middle. The centre is negative: what the blur wrote there is to go. Then comes a trick. The blurred
# frame two steps away is a mean of five in which our own frame still counts; in the one three steps away it no longer
# does. Plus the one, minus the other: most of the rest cancels, and our frame comes back. So it does on both sides.
#
# In the next section a post-net of three layers learns its kernels. But take note: it can only correct what the mel
# itself betrays. A detail that is gone without a trace does not come back.
#
# ## 10.6 One trunk, three heads, real speech
#
# Now everything at once. Each step takes eight training utterances and some longer clips, and sums three losses:
#
# - the mels go through the speech pre-net and the trunk, your `ctc_head` reads **words**: CTC loss;
# - the same hidden states, your `classify` says **who**: cross-entropy;
# - the *words* of the same utterances, stretched by your `length_regulator` to their true durations, go through the same
#   trunk, and your `mel_head` **speaks**: L1 loss of before and of after.

# %% tags=["demo"]
ctc_head = solved(ctc_head)  # yours, or the library's while it is not written
masked_mean_pool = solved(masked_mean_pool)
classify = solved(classify)
length_regulator = solved(length_regulator)
def speak(ids, durations):
    """Words and durations → mel before, mel after (B, T, 80), and lengths: pre-net, trunk and mel head."""
    table = parts["text"](pad_sequence(ids, batch_first=True))  # (B, S, D)
    frames, lengths = length_regulator(table, pad_sequence(durations, batch_first=True))
    waves = math.pi * torch.arange(1, 9)
    inside = []  # how far into its word each frame is, from 0 to 1, as sines and cosines
    for times in durations:
        share = torch.cat([(torch.arange(n) + 0.5) / n for n in times.tolist()])[:, None]
        inside.append(torch.cat([(share * waves).sin(), (share * waves).cos()], 1))
    hidden = hidden_states(frames + parts["progress"](pad_sequence(inside, batch_first=True)), lengths)
    return *mel_head(hidden, *weights("mel"), postnet()), lengths


def clip_of(mels):
    """A stretch of 0.6 to 1.5 s out of one of the mels."""
    mel, length = one_of(mels), between(30, 76)
    start = between(0, max(1, len(mel) - length))
    return mel[start : start + length]


def three_losses():
    """The losses of eight random utterances and three clips: words, voice, mel."""
    batch = [one_of(training) for _ in range(8)]
    mels, ids, durations, _ = zip(*batch, strict=True)
    hidden, lengths = listen([*mels, *(clip_of(spoken["train"][voice]) for voice in ("he", "he", "she"))])
    said = [one[one > 0] for one in ids]
    log_probs = ctc_head(hidden[:8], *weights("ctc")).transpose(0, 1)  # (T, B, C)
    words = F.ctc_loss(log_probs, torch.cat(said), lengths[:8], torch.tensor([len(one) for one in said]))
    guesses = classify(hidden, lengths, *weights("voice"))
    is_she = torch.tensor([1] * 8 + [0, 0, 1])
    voice = F.nll_loss((guesses + 1e-8).log(), is_she)
    before, after, counts = speak(ids, durations)
    truth, real = pad_sequence(mels, batch_first=True), torch.arange(before.shape[1]) < counts[:, None]
    return words, voice, F.l1_loss(before[real], truth[real]) + F.l1_loss(after[real], truth[real])


# %% tags=["demo", "training"]
torch.set_num_threads(1)  # matrices as small as these are not worth sharing
parts.load_state_dict(untrained)
STEPS = 200
optimizer = torch.optim.AdamW(parts.parameters(), lr=4e-3)
rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=STEPS, pct_start=0.15)
history = []
for _ in (progress := tqdm(range(STEPS), file=sys.stdout, ncols=80, mininterval=0.5)):
    losses = three_losses()
    optimizer.zero_grad()
    sum(losses).backward()
    nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
    optimizer.step()
    rate.step()
    history.append([loss.item() for loss in losses])
    progress.set_postfix(loss=f"{sum(history[-1]):.2f}", refresh=False)
figure, three = plt.subplots(1, 3, figsize=(11, 2.7), layout="constrained")
kinds = ("words: CTC", "voice: cross-entropy", "mel: L1, before + after")
for axes, curve, title in zip(three, zip(*history, strict=True), kinds, strict=True):
    axes.plot(curve, color="#0072B2")
    axes.set(title=title, xlabel="step", ylim=(0, 1.1 * max(curve[10:])))
three[0].set_ylabel("loss")
end = torch.tensor(history[-20:]).mean(0)
show(figure, f"Three losses of one trunk; the first steps may lie above the frame. At the end: words {end[0]:.2f}, voice {end[1]:.3f}, mel {end[2]:.2f}.")

# %% [markdown] lang="en"
# The voice is learned at once, the words after a pause (a CTC model first learns to say "blank" everywhere, as you saw
# in unit 09), and the mel slowly. **Predict**, for utterances of the prompts that were set aside: how many of 60 will be
# read without an error? And what will the picture of the probabilities look like now?

# %% tags=["demo"]
def words_of(log_probs):
    """Best path: the most likely class of each frame, repeats merged, blanks dropped."""
    best = torch.unique_consecutive(log_probs.argmax(-1)).tolist()
    return [WORDS[i] for i in best if i]


readings = reading([one[0] for one in held_out])
heard = [words_of(one) for one in readings]
wrong = sum(torchaudio.functional.edit_distance(a, b) for a, b in zip(said, heard, strict=True))
figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
title = f"said: {' '.join(said[example])} · read: {' '.join(heard[example])}"
figure.colorbar(draw_reading(axes, readings[example], title), label="probability")
sure = (readings[example].amax(1).exp() > 0.9).float().mean()
show(figure, f"After training: in {sure:.0%} of the frames one class has more than 0.9, mostly the blank; words are short.")
exact = sum(a == b for a, b in zip(said, heard, strict=True))
for word in dict.fromkeys(said[example]):
    if word not in heard[example]:
        highest = readings[example][:, WORDS.index(word)].max().exp()
        print(f"“{word}” is said in this clip, and not read: its probability never rises above {highest:.3f}.")
print(f"{exact} of {len(said)} utterances are right; word error rate {wrong} / {total} = {wrong / total:.2f}. The first errors:")
for a, b in [pair for pair in zip(said, heard, strict=True) if pair[0] != pair[1]][:4]:
    print(f"  said: {' '.join(a):22} read: {' '.join(b)}")

# %% [markdown] lang="en"
# Eleven words of one voice, but recordings that it never heard. The same hidden states, the other head: who is it? And
# then the question from 10.3: **did it learn the voice, or the microphone?** We can try. Her clips are played at a lower
# speed, which lowers the pitch as on a slow tape; the microphone stays hers. **Predict** what the head says.

# %% tags=["demo"]
def she_says(mels):
    """For each mel the probability that it is she."""
    with torch.no_grad():
        hidden, lengths = listen(mels)
        return classify(hidden, lengths, *weights("voice"))[:, 1]


for voice, right in (("he", 0), ("she", 1)):
    clips = [clip_of(spoken["test"][voice]) for _ in range(40)]
    share = ((she_says(clips) > 0.5).long() == right).float().mean()
    print(f"{voice:3}: {share:.0%} of 40 cuts from {len(spoken['test'][voice])} sentences that were set aside are right")
original = load_clip("privacy-prompt")
factors = (1.0, 0.85, 0.7, 0.6)
answers = []
for factor in factors:
    stretched = torchaudio.functional.resample(original, round(100 * factor), 100)  # more samples, played at 16 kHz
    answers.append(she_says([log_mel(stretched)]).item())
    if factor in (0.85, 0.6):
        play(stretched, f"her voice at {factor} of the speed: “she” with probability {answers[-1]:.3f}")
print("P(she):", ", ".join(f"speed {factor}: {answer:.3f}" for factor, answer in zip(factors, answers, strict=True)))

# %% [markdown] lang="en"
# The score on held-out sentences looks perfect, and says little: all of them have the same two microphones. The tape
# says more: the microphone stayed, and yet the answer turned. But slowing down also shifts formants, and pulls the
# upper edge of the spectrum down, towards where his recordings end. So the verdict is open; a good test would be the
# same speaker through the other microphone. When you read "99 % speaker accuracy", ask what else differed between the
# classes.
#
# The third head: speech from words. The utterance is one of the set-aside ones; the model gets its words and their
# durations, nothing else. **Predict:** where will the spoken mel differ most from the recording?

# %% tags=["demo"]
def error_of(image, truth):
    return (image - truth).abs().mean().item()


def speak_all():
    """Mel before and after the post-net (T, 80) of each utterance that was set aside, from words and durations."""
    with torch.no_grad():
        return [[image[0] for image in speak([one[1]], [one[2]])[:2]] for one in held_out]


spoken_mels = speak_all()
pairs = [[error_of(image, one[0]) for image in both] for both, one in zip(spoken_mels, held_out, strict=True)]
error_before, error_after = torch.tensor(pairs).mean(0).tolist()
chosen = max(range(len(held_out)), key=lambda k: len(held_out[k][1]))
truth, waveform = held_out[chosen][0], held_out[chosen][3]
before, after = spoken_mels[chosen]
figure, three = plt.subplots(1, 3, figsize=(11, 3), sharey=True, layout="constrained")
for axes, image, title in zip(three, (truth, before, after), ("recording", "before", "after the post-net"), strict=True):
    extent = (0, len(image) / 50, 0, 80)
    picture = axes.imshow(image.T, origin="lower", aspect="auto", cmap="magma", vmin=-2, vmax=3, extent=extent)
    axes.set(title=title, xlabel="time (s)")
three[0].set_ylabel("mel band")
figure.colorbar(picture, ax=three, label="log amplitude (scaled)")
moving = [image.diff(dim=0).abs().mean().item() for image in (truth, before, after)]
show(
    figure,
    f"“{' '.join(said[chosen])}”. Mean error over 60 utterances: {error_before:.3f} before, {error_after:.3f} after the "
    f"post-net. Movement from frame to frame here: {moving[1]:.3f} and {moving[2]:.3f}; in the recording {moving[0]:.3f}.",
)
play(waveform, "recorded")
for image, title in ((truth, "its mel, turned back into sound"), (before, "before"), (after, "after the post-net")):
    play(to_sound(2 * image - 5, HOP), title)

# %% [markdown] lang="en"
# The post-net lowers the error a little, and does not make a recording of it: the fine ripples of her voice are
# averaged away, and the sound whispers. You know the reason from unit 07. The model is asked for *one* answer where
# many takes are right, and answers with their middle.
#
# Is it understandable? Ask somebody who cannot be polite: the CTC head of the same trunk. The synthesiser speaks sixty
# utterances, the recogniser reads them. For comparison, the bare length regulator: the mean mel of each word over its
# training takes, repeated, with no trunk.

# %% tags=["demo"]
def errors_of(mels):
    """Word error rate of the recogniser on the sixty mels."""
    found = [words_of(one) for one in reading(mels)]
    return sum(torchaudio.functional.edit_distance(a, b) for a, b in zip(said, found, strict=True)) / total


word_means = torch.zeros(1, len(WORDS), 80)
for k in range(len(WORDS)):
    frames_of_word = [piece for mel, ids, durations, _ in training
                      for piece, i in zip(mel.split(durations.tolist()), ids, strict=True) if i == k]
    word_means[0, k] = torch.cat(frames_of_word).mean(0)
repeated = [length_regulator(word_means[:, one[1]], one[2][None])[0][0] for one in held_out]
results = {"recordings": errors_of([one[0] for one in held_out])}
for when, images in zip(("before", "after"), zip(*speak_all(), strict=True), strict=True):
    results[f"spoken, {when} the post-net"] = errors_of(images)
results["one mean vector a word, repeated"] = errors_of(repeated)
for kind, rate_of_kind in results.items():
    print(f"{kind:34} word error rate {rate_of_kind:.2f}")

# %% [markdown] lang="en"
# One mean vector a word, held for as long as the word lasts, is hardly a word: the trunk turns a word and a clock into
# sounds that follow one another. And a warning about such numbers: recogniser and synthesiser share a trunk and learned
# from the same takes. They may agree on something that no human ear would take for speech. (The literature does the
# same with a separate recogniser, and calls it an intelligibility score.)
#
# ## 10.7 What the text does not say: energy and pitch
#
# The same words can be said loudly or softly, high or low. FastSpeech 2 therefore measures two more numbers a frame and
# gives them to the model: in training the true ones, later predicted ones. Then fewer answers are right, and their
# middle is less blurred.
#
# **Energy** is the length of the frame's magnitude spectrum, $e_n = \sqrt{\sum_f |X_{fn}|^2}$: an L2 norm (unit 07) over
# frequency. By hand: a frame of two bins, 3 and 4, has the energy 5.
#
# ### Exercise 10.6 · Frame energy · ★★☆ · 5 min · 2 points
#
# - One number a frame; the spectrogram is `(F, N)`, bins by frames.
# - Magnitudes come in thousands as well as in hundredths.
# - A silent frame has energy exactly 0, and the gradient there is 0, not NaN. A quiet frame is not silent: a single bin
#   of a hundred thousandth has an energy of a hundred thousandth.
#
# <details><summary>Hint 1: the corner at zero</summary>
#
# The slope of the root at 0 is infinite. Which function of PyTorch did you meet in unit 07 that knows this?
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `torch.linalg.vector_norm(…, dim=…)`. Which of the two axes are the bins?
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "frame_energy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def frame_energy(magnitude: torch.Tensor) -> torch.Tensor:
    """The L2 norm of each frame of a magnitude spectrogram (FastSpeech 2).

    Args:
        magnitude: absolute values of an STFT, `(F, N)`: bins by frames.

    Returns:
        One number a frame, `(N,)`; its gradient at a silent frame is 0.
    """
    ### BEGIN SOLUTION
    power = magnitude.square().sum(0)
    sounding = power > 0
    # The root never sees a zero: its slope there is infinite.
    return torch.where(sounding, torch.where(sounding, power, 1.0).sqrt(), 0.0)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_frame_energy", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(frame_energy)
print(frame_energy(torch.tensor([[3.0, 0.0, 1.0], [4.0, 0.0, 0.0]])), "expected: 5, 0, 1")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(frame_energy)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# **Pitch** is how many times a second the vocal folds open, the **fundamental frequency** $f_0$. A vowel repeats itself
# with each opening. So compare a piece of it with itself, shifted by $\tau$ samples (the **lag**):
#
# $$r(\tau) = \sum_n x[n]\, x[n + \tau]$$
#
# This is the **autocorrelation**. $r(0)$ is the energy of the piece; where the shift is one period, $r(\tau)/r(0)$ is
# high again. At 16 kHz a voice of 200 Hz has a period of 80 samples. Look at one frame of a real vowel. **Predict:**
# there is more than one peak. Which one is the period?

# %% tags=["demo"]
vowel = load_clip("goodbye")[8_800 : 8_800 + 1024]
similarity = torch.tensor([(vowel[: 1024 - lag] @ vowel[lag:]).item() for lag in range(300)])
similarity = similarity / similarity[0]
figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 4.6), layout="constrained")
top.plot(torch.arange(1024) / 16, vowel, color="#0072B2")
top.set(title="64 ms of the vowel in “goodbye”", xlabel="time (ms)", ylabel="amplitude", xlim=(0, 64))
bottom.plot(similarity, color="#0072B2")
bottom.axvspan(40, 266, color="#E69F00", alpha=0.2, label="searched: 400 to 60 Hz")
searched = similarity[40:267]
peak = 40 + int(searched.argmax())
near = 40 + int((searched >= 0.95 * searched.max()).nonzero()[0])
bottom.axhline(0.95 * searched.max(), color="#D55E00", linestyle="--", label="5 % below the highest")
bottom.axvline(near, color="#009E73", label=f"first lag above the line: {near}")
bottom.set(title="its autocorrelation, divided by r(0)", xlabel="lag (samples)", ylabel="r(τ) / r(0)", xlim=(0, 299))
bottom.legend(loc="lower right", fontsize=8)
show(
    figure,
    f"The vowel repeats every 5 to 6 ms. Its autocorrelation is highest at lag {peak} within the range, and high again "
    f"near {2 * peak}; the first lag within 5 % of the highest is {near}.",
)

# %% [markdown] lang="en"
# Two traps. Near lag 0 every sound is like itself, so short lags must not be searched. And what repeats after one period
# repeats after two: at twice the lag there is nearly the same peak, and an algorithm that takes it hears the voice an
# **octave** too low. It happens where the period falls between two samples and two periods do not. So not the highest
# value decides, but the *first* that comes near it.
#
# ### Exercise 10.7 · Pitch · ★★★ · 20 min · 3 points
#
# Write `pitch` for one frame of samples:
#
# 1. lags from $\lceil sr/f_{\max} \rceil$ to $\lfloor sr/f_{\min} \rfloor$, both included;
# 2. $r(\tau)$ for each, over the samples that overlap: nothing that leaves at the end comes in again at the beginning
#    (and where the shift is as long as the frame or longer, $r$ is 0);
# 3. the **smallest** lag whose $r$ is within 5 % of the highest in this range ($\ge 0.95$ times it);
# 4. $sr$ divided by that lag, a Python float in Hz. A frame of zeros gives 0.0. (In all other frames that are tested
#    some $r$ in the range is positive.)
#
# A result within 2 % counts. Frames may be very quiet or loud, short (five periods of a high voice) or long, and begin
# or end with silence; sample rate and range may be others than the usual. The lowest harmonic may be missing; a wave
# that comes back upside down has *not* come back.
#
# <details><summary>Hint 1: one lag</summary>
#
# For lag τ, `frame[τ:]` is the shifted frame, and the first `len(frame) - τ` samples are what it meets. Multiply, sum.
#
# </details>
# <details><summary>Hint 2: from place to lag</summary>
#
# Collect the values in a tensor `r`. `(r >= 0.95 * r.max()).nonzero()[0]` is the *place* of the first good one. Which
# lag belongs to place 0?
#
# </details>
# <details><summary>Hint 3: nearly the answer</summary>
#
# With `first` and `last` from step 1: `r = torch.stack([… for lag in range(first, last + 1)])`. For a lag beyond the
# end, `frame[:max(len(frame) - lag, 0)]` and `frame[lag:]` are both empty, and their product sums to 0.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "pitch", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pitch(frame: torch.Tensor, sample_rate: int = 16_000, fmin: float = 60.0, fmax: float = 400.0) -> float:
    """The fundamental frequency of a frame by autocorrelation, in Hz; 0.0 for silence.

    Args:
        frame: samples, `(L,)`.
        sample_rate: in Hz.
        fmin: lowest pitch that is searched, in Hz.
        fmax: highest, in Hz.

    Returns:
        The sample rate divided by the smallest lag whose autocorrelation is within 5 % of the highest.
    """
    ### BEGIN SOLUTION
    if not frame.any():
        return 0.0
    first, last = math.ceil(sample_rate / fmax), math.floor(sample_rate / fmin)
    r = torch.stack([frame[: max(len(frame) - lag, 0)] @ frame[lag:] for lag in range(first, last + 1)])
    place = int((r >= 0.95 * r.max()).nonzero()[0])
    return sample_rate / (first + place)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_pitch", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check(pitch)
buzz = (torch.arange(1000) % 80 == 0).float()  # a click every 80 samples
print(pitch(buzz), "expected: 16 000 / 80 = 200.0")
print(pitch(buzz, sample_rate=8_000), "expected: 100.0, the same samples at half the speed")
print(pitch(torch.zeros(1000)), "expected: 0.0")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(pitch)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Energy and pitch of a real prompt, with your functions, every 10 ms. Pitch means something only where the vocal folds
# move: dots are drawn where the frame is louder than a twentieth of the loudest and the wave crosses zero less than 3000
# times a second, a simple test for **voiced** sounds. The thin line is `librosa.yin`, a well-known pitch tracker.
# **Predict:** where in the sentence is she loudest, and does her voice rise or fall at the end?

# %% tags=["demo"]
prompt = load_clip("privacy-prompt")
yin = torch.from_numpy(librosa.yin(prompt.numpy(), fmin=60, fmax=400, sr=16_000, frame_length=1024, hop_length=160))
play(prompt, f"“{load_transcript('privacy-prompt')}”")

# %% tags=["demo"]
frame_energy = solved(frame_energy)
def contours(waveform):
    """Every 10 ms, from frames of 64 ms: energy (N,), pitch (N,) in Hz, and where it is voiced (N,) bool."""
    magnitude = torch.stft(waveform, 1024, 160, window=torch.hann_window(1024), return_complex=True).abs()
    pieces = F.pad(waveform, (512, 512)).unfold(0, 1024, 160)  # (N, 1024)
    energy = frame_energy(magnitude)
    crossings = (pieces[:, 1:].sign() != pieces[:, :-1].sign()).float().mean(1) * 16_000
    f0 = torch.tensor([pitch(piece) for piece in pieces])
    return energy, f0, (energy > 0.05 * energy.max()) & (crossings < 3_000)


energy, f0, voiced = contours(prompt)
seconds = torch.arange(len(f0)) / 100
figure, rows = plt.subplots(3, 1, figsize=(10, 6.4), sharex=True, layout="constrained")
picture = rows[0].imshow(log_mel(prompt).T, origin="lower", aspect="auto", cmap="magma", vmin=-2, vmax=3,
                         extent=(0, len(prompt) / 16_000, 0, 80))
rows[0].set(title=f"“{load_transcript('privacy-prompt')}”", ylabel="mel band")
rows[1].plot(seconds, torch.where(voiced, yin, math.nan), color="#E69F00", linewidth=1, label="librosa.yin")
rows[1].plot(seconds[voiced], f0[voiced], ".", color="#0072B2", markersize=4, label="your pitch")
rows[1].set(title="pitch", ylabel="Hz", ylim=(60, 400))
rows[1].legend(fontsize=8)
rows[2].plot(seconds, energy, color="#009E73")
rows[2].set(title="energy", xlabel="time (s)", ylabel="L2 norm", ylim=(0, None))
ratio = (f0 / yin)[voiced].median()
close_by = int(((f0 / yin)[voiced].sub(1).abs() < 0.1).sum())
show(
    figure,
    f"Pitch of a prompt, between {f0[voiced].quantile(0.1):.0f} and {f0[voiced].quantile(0.9):.0f} Hz for most of it, and its "
    f"energy, highest at {energy.argmax() / 100:.2f} s. Your pitch is within 10 % of yin's in {close_by} of {int(voiced.sum())} frames.",
)
bottom = int((f0[voiced] < 100).sum())
print(f"your pitch is {100 * (ratio - 1):.1f} % above yin's (median); {bottom} dots lie below 100 Hz")

# %% [markdown] lang="en"
# She falls at the end of both halves. The two dots at the bottom are no voice: the edge of a sound that passed the
# simple test. The spike of the thin line near 2.9 s is a slip of yin, to half the pitch. And your pitch lies a few per
# cent too high. That is the rule's doing: the *first* lag within 5 % of the peak is a little before the peak. Pitch
# trackers such as yin go on to the top of it, and interpolate between samples. For a model that only has to know high
# from low it does no harm; for a singer it would.
#
# FastSpeech 2 learns a pitch for every frame. FastPitch, of the same year, keeps only the **mean of each sound**, and
# the length regulator stretches it to frames. Two takes of *goodbye*, with their aligned durations: the same five
# sounds. **Predict:** would one number for each sound be the same in both?

# %% tags=["demo"]
TAKES = {"goodbye": [15, 8, 9, 9, 6, 38, 8], "vm-goodbye": [0, 19, 7, 7, 12, 41, 0]}  # frames of 10 ms, for SOUNDS
figure, pair = plt.subplots(1, 2, figsize=(10, 3), sharey=True, layout="constrained")
of_vowel = {}
for axes, (name, times) in zip(pair, TAKES.items(), strict=True):
    energy, f0, voiced = contours(load_clip(name))
    f0, voiced = f0[: sum(times)], voiced[: sum(times)]
    means = torch.tensor([
        piece[here].mean().item() if here.any() else 0.0
        for piece, here in zip(f0.split(times), voiced.split(times), strict=True)
    ])
    steps, _ = length_regulator(means[None, :, None], torch.tensor([times]))
    seconds = torch.arange(sum(times)) / 100
    axes.plot(seconds[voiced], f0[voiced], ".", color="#0072B2", label="each frame")
    axes.plot(seconds, steps[0, :, 0].where(steps[0, :, 0] > 0, torch.tensor(math.nan)), color="#D55E00",
              label="mean of each sound", drawstyle="steps-post")
    ends = torch.tensor(times).cumsum(0)
    for sound, start, frames in zip(SOUNDS, (ends - torch.tensor(times)).tolist(), times, strict=True):
        if frames:
            axes.text((start + frames / 2) / 100, 72, sound, ha="center")
            axes.axvline(start / 100, color="#777777", linestyle=":", linewidth=1)
    axes.set(title=name, xlabel="time (s)", xlim=(0, sum(times) / 100), ylim=(60, 400))
    inside = f0.split(times)[5][voiced.split(times)[5]]  # the voiced frames of [AY]
    of_vowel[name] = means[5].item(), inside[:5].mean().item(), inside[-5:].mean().item()
pair[0].set_ylabel("pitch (Hz)")
pair[0].legend(fontsize=8)
show(
    figure,
    "Two takes of one word. In [AY] "
    + ", ".join(f"the mean is {mean:.0f} Hz and the pitch goes from {start:.0f} to {end:.0f} Hz ({name})"
                for name, (mean, start, end) in of_vowel.items()) + ".",
)

# %% [markdown] lang="en"
# A professional speaker: she says the word twice on nearly the same tune. What one number a sound loses is the fall
# *inside* the long vowel. And a mean is only as good as its borders: in the first take even the pause before G has a
# pitch, because her voice begins before the place where the aligner lets the G begin.
#
# Durations, pitch and energy, all measured from real speech: this is what "ground truth" means for the *variance
# adaptor* of FastSpeech 2. Each of them has its own predictor and loss. And each measurement has its errors: a border
# that is off by a frame, an octave jump, a breath that counts as loud. The model learns those as well.
#
# ## 10.8 One after the other, or all at once
#
# FastSpeech writes all frames in one pass. Whisper's decoder, GPT and Tacotron 2 do not: each step takes what was
# written so far, predicts what comes next, appends it, and goes on. That is **autoregressive** generation. It needs no
# durations, because the model itself decides when to stop. *Greedy* means that each step takes the single best token.
#
# The smallest autoregressive model has a memory of one token: a table in which row $i$ scores the tokens after $i$.
#
# | after ↓ | `<s>` | a | b | `</s>` |
# |---|---|---|---|---|
# | `<s>` | 0 | **2** | 1 | 0 |
# | a | 0 | 0 | **3** | 1 |
# | b | 0 | 1 | 0 | **2** |
#
# From `<s>` (**bos**, begin of sequence) the best is a, then b, then `</s>` (**eos**, end of sequence): the text is
# *a b*.
#
# ### Exercise 10.8 · Greedy generation · ★★☆ · 10 min · 2 points
#
# Write the loop. `next_logits[i]` are the scores of what follows token i.
#
# - Begin after `bos`. Stop when `eos` is best, or after `max_length` tokens (which may be 0).
# - Neither the starting bos nor the final eos is returned. A bos that is generated later is a token like others.
# - Of equally good tokens the one with the lowest id is taken, be it eos or another. All scores may be negative.
#
# <details><summary>Hint 1: what changes from step to step</summary>
#
# Only the current token. It chooses the row; the row's best becomes the current token.
#
# </details>
# <details><summary>Hint 2: nearly the answer</summary>
#
# `for _ in range(max_length):` take `token = int(next_logits[token].argmax())`; leave the loop if it is `eos`, otherwise
# append it. `argmax` gives the first of equals.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "greedy_generate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def greedy_generate(next_logits: torch.Tensor, bos: int, eos: int, max_length: int) -> list[int]:
    """The tokens that follow one another most likely.

    Args:
        next_logits: row i scores what comes after token i, `(V, V)`.
        bos: the token to begin after; it is not returned.
        eos: the token that ends the text; it is not returned.
        max_length: how many tokens are returned at most.

    Returns:
        Token ids; of equally likely ones the lowest.
    """
    ### BEGIN SOLUTION
    tokens, token = [], bos
    for _ in range(max_length):
        token = int(next_logits[token].argmax())
        if token == eos:
            break
        tokens.append(token)
    return tokens
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "check_greedy_generate", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check(greedy_generate)
scores = torch.tensor([[0.0, 2.0, 1.0, 0.0], [0.0, 0.0, 3.0, 1.0], [0.0, 1.0, 0.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
print(greedy_generate(scores, 0, 3, 10), "expected: [1, 2]")
print(greedy_generate(scores, 0, 3, 1), "expected: [1]")
### BEGIN HIDDEN TESTS
from grader.notebook import examine; examine(greedy_generate)
### END HIDDEN TESTS

# %% [markdown] lang="en"
# Let it write telephone prompts. The table is counted from the transcripts of all recordings: how often does word $j$
# follow word $i$? (Counts serve as scores; only the largest matters.) **Predict:** does it come to an end?

# %% tags=["demo"]
texts = [one.text.split() for one in recordings() if not one.name.startswith("austen")]
known = ["<s>", "</s>", *sorted({word for text in texts for word in text})]
number_of = {word: i for i, word in enumerate(known)}
counts = torch.zeros(len(known), len(known))
for text in texts:
    for one, following in zip(["<s>", *text], [*text, "</s>"], strict=True):
        counts[number_of[one], number_of[following]] += 1
for start in ("<s>", "please", "sorry", "your"):
    found = greedy_generate(counts, number_of[start], number_of["</s>"], 14)
    ending = "" if len(found) < 14 else " … (cut off)"
    print(f"{start:6} → {' '.join(known[i] for i in found)}{ending}")

# %% [markdown] lang="en"
# A greedy generator that comes back to where it was goes round for ever; only `max_length` saves it. With a memory of
# one word that happens soon. Large models have long memories and still do it: Whisper repeats a sentence in a noisy
# pause, Tacotron 2 skips or repeats words when its attention slips. FastSpeech was invented for this, too: with
# durations nothing can be skipped, repeated, or left without an end.
#
# The other price is time. **Predict** the factor: 100 mel frames through our trunk, once all at once, and once frame by
# frame, each step with everything so far (no tricks; real decoders keep the keys and values of earlier steps).

# %% tags=["demo"]
def milliseconds(lengths):
    """How long the trunk takes for sequences of these lengths, one after the other; the fastest of five tries."""
    tries = []
    for _ in range(5):
        begin = time.perf_counter()
        for length in lengths:
            hidden_states(x[:, :length], torch.tensor([length]))
        tries.append(1_000 * (time.perf_counter() - begin))
    return min(tries)


x = torch.randn(1, 100, D)
with torch.no_grad():
    at_once, one_by_one = milliseconds([100] * 20) / 20, milliseconds(range(1, 101))
print(f"all at once:  1 pass,     {at_once:6.1f} ms")
print(f"one by one: 100 passes, {one_by_one:8.1f} ms, {one_by_one / at_once:.0f} times as long")

# %% [markdown] lang="en"
# | | autoregressive | parallel |
# |---|---|---|
# | examples | Whisper, GPT, Tacotron 2, SpeechT5, WaveRNN | CTC (wav2vec 2.0), FastSpeech, HiFi-GAN |
# | passes for T outputs | T, each waits for the one before | 1 |
# | length | it decides itself when to stop | from the input, or from durations |
# | each output knows | the outputs before it | only the input |
# | goes wrong by | repeating, skipping, not stopping | averaging over right answers (blur) |
#
# The last two rows belong together. A parallel model does not know which of several right answers its neighbour frame
# has taken, so it takes the middle. Pitch, energy and durations tell it.
#
# ## What just happened
#
# - A head is small: a linear layer, with pooling, a post-net or a softmax. One trunk carried three of them.
# - The mistake most people make: padding. It must not vote in a mean, and the mean must be divided by the true length.
# - The second: softmax over the wrong axis, or probabilities where logarithms are due.
# - wav2vec 2.0 is fine-tuned with your `ctc_head`; Whisper's decoder has a linear layer and a softmax, too, but one token
#   after the other, as in your `greedy_generate`. SpeechT5 puts several pre- and post-nets around one trunk. FastSpeech
#   has your `length_regulator`, FastSpeech 2 your energy and a pitch, HiFi-GAN starts from the mel that your `mel_head`
#   makes.
# - What no head can give back is what the question leaves open. That is why TTS is told durations, pitch and energy.
#
# To read: [wav2vec 2.0](https://arxiv.org/abs/2006.11477) (2020), [Whisper](https://arxiv.org/abs/2212.04356) (2022),
# [SpeechT5](https://arxiv.org/abs/2110.07205) (2021), [Tacotron 2](https://arxiv.org/abs/1712.05884) (2017),
# [FastSpeech](https://arxiv.org/abs/1905.09263) (2019), [FastSpeech 2](https://arxiv.org/abs/2006.04558) (2020),
# [FastPitch](https://arxiv.org/abs/2006.06873) (2020),
# [HiFi-GAN](https://arxiv.org/abs/2010.05646) (2020); on pitch, de Cheveigné and Kawahara, *YIN, a fundamental frequency
# estimator for speech and music* (2002).
#
# **Next: [unit 11](../11_vocoder/11_vocoder.ipynb).** A mel has no phase. Who puts it back?

# %% [markdown] lang="en"
# ## How far you are
#
# What `check` noted in this unit. It stays on this computer.

# %% tags=["demo"]
scorecard("10_output_heads")
