"""Unit 10: its oracles against other libraries and by hand, the figures of its text, and its real recordings."""

import csv
import itertools
import math

import librosa
import numpy as np
import pytest
import scipy.signal
import scipy.special
import torch
import transformers
from torch import nn

from grader.exercises.output_heads import (
    VOWELS,
    classify,
    ctc_head,
    frame_energy,
    greedy_generate,
    length_regulator,
    masked_mean_pool,
    mel_head,
    pitch,
)
from grader.recordings import DATA, load_clip, recordings


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tone(f0: float, samples: int = 1024, harmonics: int = 6, sample_rate: int = 16_000) -> torch.Tensor:
    time = np.arange(samples) / sample_rate
    waves = [np.cos(2 * math.pi * k * f0 * time + k * k) for k in range(1, harmonics + 1)]
    return torch.from_numpy(np.mean(waves, 0)).float()


# ------------------------------------------------------------------------------------------------ oracles elsewhere


def test_the_ctc_head_is_scipys_log_softmax_of_a_linear_layer():
    hidden, w, b = drawn(2, 5, 4), drawn(3, 4, seed=1), drawn(3, seed=2)
    scores = hidden.double().numpy() @ w.double().numpy().T + b.double().numpy()
    assert np.allclose(ctc_head(hidden, w, b), scipy.special.log_softmax(scores, axis=-1), atol=1e-5)


def test_the_ctc_head_is_the_one_of_wav2vec2():
    config = transformers.Wav2Vec2Config(
        vocab_size=7, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        conv_dim=(8,), conv_kernel=(10,), conv_stride=(5,), num_feat_extract_layers=1, num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    model = transformers.Wav2Vec2ForCTC(config).eval()
    with torch.no_grad():
        found = model(drawn(2, 400), output_hidden_states=True)
        mine = ctc_head(found.hidden_states[-1], model.lm_head.weight, model.lm_head.bias)
    assert torch.allclose(mine, found.logits.log_softmax(-1), atol=1e-5)


def test_the_pooled_mean_is_numpys_of_a_masked_array():
    hidden, lengths = drawn(3, 7, 4), torch.tensor([2, 7, 5])
    outside = np.arange(7)[None, :, None] >= lengths.numpy()[:, None, None]
    masked = np.ma.masked_array(hidden.numpy(), np.broadcast_to(outside, (3, 7, 4)))
    assert np.allclose(masked_mean_pool(hidden, lengths), masked.mean(1), atol=1e-6)


def test_classify_is_scipys_softmax_of_the_pooled_vector():
    hidden, w, b = drawn(2, 5, 4), drawn(3, 4, seed=1), drawn(3, seed=2)
    pooled = np.stack([hidden[0, :3].numpy().mean(0), hidden[1].numpy().mean(0)])
    expected = scipy.special.softmax(pooled @ w.numpy().T + b.numpy(), axis=-1)
    assert np.allclose(classify(hidden, torch.tensor([3, 5]), w, b), expected, atol=1e-6)


def test_averaging_the_frames_probabilities_is_another_method():
    hidden, w, b, lengths = drawn(1, 5, 4), drawn(3, 4, seed=1), drawn(3, seed=2), torch.tensor([5])
    frames_first = (hidden @ w.T + b).softmax(-1).mean(1)
    assert not torch.allclose(classify(hidden, lengths, w, b), frames_first, atol=1e-2)


def test_the_length_regulator_is_the_one_of_fastspeech2():
    from transformers.models.fastspeech2_conformer import modeling_fastspeech2_conformer

    hidden, durations = drawn(3, 5, 4), torch.tensor([[2, 0, 3, 1, 1], [1, 1, 1, 1, 1], [4, 0, 0, 0, 1]])
    expected = modeling_fastspeech2_conformer.length_regulator(hidden, durations)
    frames, lengths = length_regulator(hidden, durations)
    assert torch.equal(frames, expected)
    assert lengths.tolist() == [7, 5, 5]


def test_the_mel_head_is_a_linear_layer_and_speecht5s_kind_of_post_net():
    hidden, w, b = drawn(2, 9, 6), drawn(4, 6, seed=1), drawn(4, seed=2)
    convolutions = [nn.Conv1d(4, 5, 5, padding=2), nn.Conv1d(5, 4, 3, padding=1)]
    layers = [{"weight": one.weight, "bias": one.bias} for one in convolutions]
    before, after = mel_head(hidden, w, b, layers)
    expected = nn.functional.linear(hidden, w, b)
    assert torch.allclose(before, expected)
    stack = nn.Sequential(convolutions[0], nn.Tanh(), convolutions[1])
    assert torch.allclose(after, expected + stack(expected.mT).mT, atol=1e-6)


def test_a_post_net_by_hand():
    half = {"weight": torch.tensor([[[0.0, 0.5, 0.0]]]), "bias": torch.zeros(1)}
    four, one, zero = torch.tensor([[[4.0]]]), torch.ones(1, 1), torch.zeros(1)
    assert mel_head(four, one, zero, [half])[1].item() == 6.0
    assert mel_head(four, one, zero, [half, half])[1].item() == pytest.approx(4.482, abs=5e-4)
    before, after = mel_head(four, one, zero, [])
    assert torch.equal(before, after)


def test_frame_energy_is_librosas_rms_up_to_the_size_of_the_frame():
    magnitude = np.abs(librosa.stft(load_clip("vm-goodbye").numpy(), n_fft=512, hop_length=160))
    whole = np.concatenate([magnitude, magnitude[-2:0:-1]])  # the negative frequencies, too
    rms = librosa.feature.rms(S=magnitude, frame_length=512)[0]
    assert np.allclose(frame_energy(torch.from_numpy(whole)) / 512, rms, rtol=1e-3, atol=1e-5)


def test_a_silent_frame_has_energy_and_gradient_zero():
    magnitude = torch.tensor([[3.0, 0.0], [4.0, 0.0]], requires_grad=True)
    energy = frame_energy(magnitude)
    energy.sum().backward()
    assert energy.tolist() == [5.0, 0.0]
    assert magnitude.grad.flatten().tolist() == pytest.approx([0.6, 0.0, 0.8, 0.0])


def test_greedy_generation_is_what_a_markov_chain_does():
    scores = drawn(9, 9).numpy()
    path = [3]
    while len(path) < 30 and np.argmax(scores[path[-1]]) != 5:
        path.append(int(np.argmax(scores[path[-1]])))
    assert greedy_generate(torch.from_numpy(scores), 3, 5, 29) == path[1:]


# ------------------------------------------------------------------------------------------------------------- pitch


@pytest.mark.parametrize("f0", [60, 61.5, 80, 100, 123.4, 150, 200, 250, 301, 333.3, 400])
def test_pitch_is_within_two_per_cent_on_harmonic_tones(f0):
    assert pitch(tone(f0, 2048)) == pytest.approx(f0, rel=0.02)
    assert pitch(tone(f0, math.ceil(4 * 16_000 / f0))) == pytest.approx(f0, rel=0.02)


@pytest.mark.parametrize(("name", "start", "end"), VOWELS)
def test_pitch_is_near_librosas_yin_on_a_real_vowel(name, start, end):
    clip = load_clip(name)
    for at in range(round(16_000 * start), round(16_000 * end) - 1024, 400):
        frame = clip[at : at + 1024]
        yin = librosa.yin(frame.numpy(), fmin=60, fmax=400, sr=16_000, frame_length=1024, center=False)[0]
        assert 1.0 < pitch(frame) / yin < 1.06, (
            "the rule reads a few per cent high: it stops before the top of the peak"
        )


def test_the_highest_autocorrelation_is_an_octave_too_low_where_the_period_falls_between_two_samples():
    frame = tone(16_000 / 44.5, 4096, harmonics=5).double().numpy()
    r = scipy.signal.correlate(frame, frame)[len(frame) - 1 :]
    assert 40 + r[40:267].argmax() == 89
    assert pitch(torch.from_numpy(frame)) == pytest.approx(16_000 / 44.5, rel=0.02)


@pytest.mark.parametrize(("weak", "expected"), [(0.55, 100.0), (0.6, 200.0)])
def test_five_per_cent_decide_whether_a_weaker_click_counts(weak, expected):
    frame = torch.zeros(960)
    frame[0::160], frame[80::160] = 1.0, weak
    assert pitch(frame) == expected
    r = scipy.signal.correlate(frame.double().numpy(), frame.double().numpy())[959:]
    assert (r[80] >= 0.95 * r[160]) == (expected == 200.0)


def test_the_first_lag_is_rounded_up_and_the_last_down():
    every = {period: (torch.arange(800) % period == 0) + 0.5 * (torch.arange(800) % period == 1) for period in (17, 23)}
    assert pitch(every[17], 8_000, fmax=450.0) == pytest.approx(8_000 / 34)
    assert pitch(every[23], 8_000, fmin=350.0, fmax=450.0) == pytest.approx(8_000 / 22)


def test_silence_has_no_pitch():
    assert pitch(torch.zeros(800)) == 0.0


# -------------------------------------------------------------------------------------------------- facts of the text


def test_the_numbers_of_the_text():
    assert ctc_head(torch.ones(1, 1, 1), torch.tensor([[0.0], [math.log(3)]]), torch.zeros(2))[0, 0].tolist() == (
        pytest.approx([-1.386, -0.288], abs=5e-4)
    )
    assert masked_mean_pool(torch.tensor([[[2.0], [4.0], [9.0]]]), torch.tensor([2])).item() == 3.0
    buzz = (torch.arange(1000) % 80 == 0).float()
    assert (pitch(buzz), pitch(buzz, sample_rate=8_000)) == (200.0, 100.0)
    scores = torch.tensor([[0.0, 2, 1, 0], [0, 0, 3, 1], [0, 1, 0, 2], [0, 0, 0, 0]])
    assert greedy_generate(scores, 0, 3, 10) == [1, 2]


def test_the_aligned_goodbye_has_as_many_frames_as_the_text_says():
    assert sum([15, 8, 9, 9, 6, 38, 8]) == 93 == len(load_clip("goodbye")) // 160


def test_both_voices_have_sentences_that_are_set_aside():
    longer = [one.name for one in recordings() if 3 < one.seconds < 6 and not one.name.startswith("austen")][::4]
    assert sum(sum(map(ord, name)) % 4 == 2 for name in longer) >= 4


def test_every_word_of_the_notebook_is_heard_in_training_and_in_the_test():
    words = ["call", "for", "i", "is", "number", "press", "sorry", "the", "to", "you", "your"]
    with (DATA / "segments.tsv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table, delimiter="\t") if row["text"] in words]
    for word, is_test in itertools.product(words, (True, False)):
        assert sum(row["text"] == word and (sum(map(ord, row["name"])) % 4 == 2) is is_test for row in rows) >= 2
