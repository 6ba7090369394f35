"""Unit 05: its oracles against other libraries and by hand, the figures of its text, and what its networks do."""

import csv
import math

import jupytext
import numpy as np
import pytest
import scipy.signal
import torch
from torch import nn

from grader.answer import answer
from grader.course import source_path
from grader.exercises.cnn_rnn import conv2d, gru_step, hops_between, lstm_step, rnn_step, run_gru
from grader.judge import PRACTICE_SEED, judge
from grader.recordings import DATA, load_clip
from tests.conftest import ROOT

torch.manual_seed(0)


def weights(gates, inputs=3, hidden=4):
    shapes = ((gates * hidden, inputs), (gates * hidden, hidden), (gates * hidden,), (gates * hidden,))
    return [torch.randn(shape) for shape in shapes]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# ------------------------------------------------------------------------------------------------ oracles elsewhere


@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (7, 2), (1, 5), (7, 11)])
def test_conv2d_is_scipys_cross_correlation_where_the_kernel_fits(shape):
    x, kernel = torch.randn(7, 11), torch.randn(shape)
    expected = scipy.signal.correlate2d(x.numpy(), kernel.numpy(), mode="valid")
    assert np.allclose(conv2d(x, kernel), expected, atol=1e-5)


def test_a_convolution_in_the_mathematical_sense_turns_the_kernel_round():
    x, kernel = torch.randn(7, 11), torch.randn(3, 4)
    expected = scipy.signal.convolve2d(x.numpy(), kernel.numpy(), mode="valid")
    assert np.allclose(conv2d(x, kernel.flip(0, 1)), expected, atol=1e-5)


def test_rnn_step_in_numpy():
    w_ih, w_hh, b_ih, b_hh = weights(1)
    x, h = torch.randn(2, 3), torch.randn(2, 4)
    expected = np.tanh(x.numpy() @ w_ih.numpy().T + b_ih.numpy() + h.numpy() @ w_hh.numpy().T + b_hh.numpy())
    assert np.allclose(rnn_step(x, h, w_ih, w_hh, b_ih, b_hh), expected, atol=1e-6)


def gru_in_numpy(x, h, w_ih, w_hh, b_ih, b_hh, reset_before=False):
    x, h, w_ih, w_hh, b_ih, b_hh = (one.numpy() for one in (x, h, w_ih, w_hh, b_ih, b_hh))
    x_r, x_z, x_n = np.split(x @ w_ih.T + b_ih, 3, axis=1)
    h_r, h_z, h_n = np.split(h @ w_hh.T + b_hh, 3, axis=1)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    memory = (r * h) @ np.split(w_hh, 3)[2].T + np.split(b_hh, 3)[2] if reset_before else r * h_n
    return (1 - z) * np.tanh(x_n + memory) + z * h


def test_pytorchs_gru_is_r_z_n_with_the_reset_after_the_matrix_product_bias_included():
    arguments = torch.randn(2, 3), torch.randn(2, 4), *weights(3)
    assert np.allclose(gru_step(*arguments), gru_in_numpy(*arguments), atol=1e-6)


def test_the_first_papers_gru_gives_another_result():
    arguments = torch.randn(2, 3), torch.randn(2, 4), *weights(3)
    assert not np.allclose(gru_step(*arguments), gru_in_numpy(*arguments, reset_before=True), atol=1e-2)


def test_pytorchs_lstm_is_i_f_g_o():
    w_ih, w_hh, b_ih, b_hh = weights(4)
    x, h, c = torch.randn(2, 3), torch.randn(2, 4), torch.randn(2, 4)
    sums = x @ w_ih.T + b_ih + h @ w_hh.T + b_hh
    i, f, g, o = np.split(sums.numpy(), 4, axis=1)
    cell = sigmoid(f) * c.numpy() + sigmoid(i) * np.tanh(g)
    state, kept = lstm_step(x, h, c, w_ih, w_hh, b_ih, b_hh)
    assert np.allclose(kept, cell, atol=1e-6)
    assert np.allclose(state, sigmoid(o) * np.tanh(cell), atol=1e-6)


def test_run_gru_gives_a_clip_the_same_states_in_a_batch_as_alone():
    gru = nn.GRU(3, 4, batch_first=True)
    x, h0, lengths = torch.randn(3, 6, 3), torch.randn(3, 4), torch.tensor([2, 6, 1])
    outputs, last = run_gru(x, h0, *gru.parameters(), lengths=lengths)
    for b, length in enumerate(lengths.tolist()):
        alone, state = gru(x[b : b + 1, :length], h0[None, b : b + 1])
        assert torch.allclose(outputs[b, :length], alone[0], atol=1e-6)
        assert torch.allclose(last[b], state[0, 0], atol=1e-6)
        assert not outputs[b, length:].any()


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("distance", [1, 2, 3, 6, 7, 12])
def test_hops_of_a_cnn_are_the_layers_after_which_a_gradient_arrives(distance, kernel):
    x = torch.ones(1, 1, distance + 1, requires_grad=True)
    y, layers, gradient = x, 0, torch.zeros(distance + 1)
    while gradient[distance] == 0:
        y, layers = nn.functional.conv1d(y, torch.ones(1, 1, kernel) / kernel, padding=kernel // 2), layers + 1
        gradient = torch.autograd.grad(y[0, 0, 0], x, retain_graph=True)[0][0, 0]
    assert hops_between("cnn", distance, kernel) == layers


def test_hops_over_whispers_1500_frames():
    assert [hops_between(kind, 1_499) for kind in ("rnn", "cnn", "attention")] == [1_499, 1_499, 1]


# ------------------------------------------------------------------------------- mistakes in the words of their writers


def mistakes(exercise, function):
    """What a wrong function is told, by `check` and by two gradings."""
    runs = ((PRACTICE_SEED, True), ("a", False), ("b", False))
    verdicts = [judge(exercise, lambda question: answer(function, question), seed, practice) for seed, practice in runs]
    return {verdict.diagnosis and verdict.diagnosis.mistake for verdict in verdicts}


@pytest.mark.parametrize(
    ("formula", "mistake"),
    [
        (lambda d, k: (d - 1) // ((k - 1) // 2), "one_layer_short"),
        (lambda d, k: d // ((k - 1) // 2), "rounded_down"),
        (lambda d, k: int(2 * d / (k - 1)), "rounded_down"),
        (lambda d, k: d // k, "kernels_side_by_side"),
        (lambda d, k: d // k + 1, "divided_by_the_kernel"),
        (lambda d, k: d // (k - 1), "both_sides_rounded_down"),
        (lambda d, k: -(-d // (k - 1)), "both_sides_counted"),
        (lambda d, k: d // (k - 1) + 1, "both_sides_and_one_more"),
        (lambda d, k: d // (k // 2 + 1), "middle_counted_rounded_down"),
        (lambda d, k: (d + k // 2) // (k // 2), "always_one_more"),
        (lambda d, k: d / (k // 2), "fraction_of_a_layer"),
    ],
)
def test_each_way_to_write_a_wrong_number_of_layers_is_named(formula, mistake):
    def learners(kind, distance, kernel=3):
        if kind == "rnn":
            return distance
        if kind == "attention":
            return 1
        if kind == "cnn":
            return formula(distance, kernel)
        raise ValueError(kind)

    assert mistakes(hops_between, learners) == {mistake}


@pytest.mark.parametrize(
    ("places", "mistake"),
    [
        (lambda size, width: size - width, "last_place_missing"),
        (lambda size, width: size // width, "places_divided"),
    ],
)
def test_each_way_to_count_too_few_places_is_named(places, mistake):
    def by_weights(x, kernel):
        rows, columns = (places(size, width) for size, width in zip(x.shape, kernel.shape, strict=True))
        y = x.new_zeros(rows, columns)
        for a in range(kernel.shape[0]):
            for b in range(kernel.shape[1]):
                y = y + kernel[a, b] * x[a : a + rows, b : b + columns]
        return y

    def by_places(x, kernel):
        (height, width), y = (
            kernel.shape,
            x.new_zeros([places(*sizes) for sizes in zip(x.shape, kernel.shape, strict=True)]),
        )
        for i in range(y.shape[0]):
            for t in range(y.shape[1]):
                y[i, t] = (x[i : i + height, t : t + width] * kernel).sum()
        return y

    assert mistakes(conv2d, by_weights) == mistakes(conv2d, by_places) == {mistake}


@pytest.mark.parametrize("seed", range(6))
def test_a_sigmoid_that_overflows_is_found_on_every_seed(seed):
    def by_hand(x, h, w_ih, w_hh, b_ih, b_hh):
        x_r, x_z, x_n = (x @ w_ih.T + b_ih).chunk(3, -1)
        h_r, h_z, h_n = (h @ w_hh.T + b_hh).chunk(3, -1)
        r, z = 1 / (1 + torch.exp(-x_r - h_r)), 1 / (1 + torch.exp(-x_z - h_z))
        return (1 - z) * torch.tanh(x_n + r * h_n) + z * h

    verdict = judge(gru_step, lambda question: answer(by_hand, question), seed)
    assert verdict.diagnosis.mistake == "overflowing_sigmoid"


# -------------------------------------------------------------------------------------------------- facts of the text


def test_a_convolution_over_time_is_a_kernel_as_tall_as_the_spectrogram():
    mel, kernel = torch.randn(40, 20), torch.randn(40, 5)
    assert torch.allclose(conv2d(mel, kernel), nn.functional.conv1d(mel[None], kernel[None])[0], atol=1e-4)


@pytest.mark.parametrize("period", [2, 3, 5, 7, 11])
def test_a_column_on_the_folded_waveform_is_a_dilated_filter_on_the_waveform(period):
    wave, kernel = torch.randn(20 * period), torch.randn(5)
    folded = conv2d(wave.reshape(-1, period), kernel[:, None])
    assert torch.allclose(
        folded.flatten(), nn.functional.conv1d(wave[None, None], kernel[None, None], dilation=period)[0, 0], atol=1e-5
    )


def test_the_numbers_done_by_hand():
    h = [0.0]
    for x in (1.0, 0.0, 0.0):
        h.append(math.tanh(x + 0.5 * h[-1]))
    assert [round(one, 3) for one in h[1:]] == [0.762, 0.363, 0.18]
    assert [round(0.5 * one, 3) for one in h[1:3]] == [0.381, 0.182]
    assert round(sigmoid(10), 5) == 0.99995
    assert round(0.5 * math.tanh(1), 3) == 0.381
    assert math.ceil(7 / 2) == 4
    assert math.tanh(math.atanh(0.04)) == pytest.approx(0.04)
    assert (round(math.tanh(4), 4), round(math.tanh(5), 4)) == (0.9993, 0.9999)


def pitch(wave):
    """Hz between 110 and 400: the shift after which a piece differs least from itself."""
    differences = [(wave[lag:] - wave[:-lag]).square().mean() for lag in range(40, 146)]
    return 16_000 / (40 + int(np.argmin(differences)))


def test_the_pitch_at_the_three_places_that_the_text_compares():
    clip = load_clip("conf-invalid")
    low, usual, high = (pitch(clip[round(t * 16_000) - 512 :][:1_024]) for t in (2.30, 0.70, 1.06))
    assert low < 130
    assert usual == pytest.approx(200, abs=10)
    assert high == pytest.approx(270, abs=10)


def test_stripes_answer_to_the_voice_near_their_pitch_only():
    clip = load_clip("conf-invalid")
    power = torch.stft(clip, 1_024, 320, window=torch.hann_window(1_024), return_complex=True).abs()
    stripes = torch.cos(2 * math.pi * torch.arange(26) / 13)[:, None].expand(26, 5) / 130
    found = conv2d(power.clamp_min(1e-3).log10()[:160], stripes).abs().mean(0)
    usual, high, low, hiss = (found[round(t / 0.02) - 2] for t in (0.70, 1.06, 2.30, 1.80))
    assert usual > 2 * high
    assert usual > 5 * low
    assert low < 1.1 * hiss


def test_the_steps_of_the_fine_spectrogram_and_the_periods_in_hertz():
    assert round(16_000 / 1_024, 1) == 15.6
    assert round(13 * 16_000 / 1_024) == 203
    assert round(16_000 / 77) == 208


def test_a_gru_of_zeros_halves_its_state():
    x, h = torch.randn(2, 3), torch.randn(2, 4)
    assert torch.allclose(gru_step(x, h, *(torch.zeros_like(one) for one in weights(3))), h / 2)


def test_a_gru_never_leaves_minus_one_to_one_and_an_lstm_cell_does():
    h, c = torch.zeros(1, 1), torch.zeros(1, 1)
    state = torch.zeros(1, 1)
    wide_open = torch.full((4,), 50.0)
    for _ in range(20):
        state = gru_step(torch.ones(1, 1), state, *(50 * one for one in weights(3, 1, 1)))
        h, c = lstm_step(torch.ones(1, 1), h, c, torch.zeros(4, 1), torch.zeros(4, 1), wide_open, torch.zeros(4))
    assert state.abs() <= 1
    assert c.item() == pytest.approx(20)


def test_conference_is_the_only_one_of_63_words_that_begins_with_con():
    with (DATA / "segments.tsv").open(encoding="utf-8") as file:
        words = {word for row in csv.DictReader(file, delimiter="\t") for word in row["text"].split()}
    assert len(words) == 63
    assert [word for word in words if word.startswith("con")] == ["conference"]


# ---------------------------------------------------------------------------------- what the notebook's networks do


@pytest.fixture(scope="module")
def notebook():
    """The names of the notebook after its data and training cells, with a CNN and an LSTM trained; no pictures."""
    names = {"load_clip": load_clip, "solved": lambda function: function}
    cells = [cell.source for cell in jupytext.read(source_path(ROOT, "05_cnn_rnn")).cells if cell.cell_type == "code"]
    for mark in ("import math", "filterbank =", "held_out =", "class Listener", "listeners = {}", "def gates("):
        source = next(source for source in cells if mark in source)
        source = source.split("\nfigure, ")[0].split("\nNAMES = ")[0]
        exec(source, names)
        if mark == "class Listener":
            names["COLOURS"] = {kind: names["COLOURS"][kind] for kind in ("CNN", "LSTM")}
    return names


def test_training_and_held_out_phrases_come_from_different_recordings(notebook):
    train = {name for name in notebook["names"] if name not in notebook["held_out"]}
    assert "conf-invalid" in notebook["held_out"]
    assert not train & notebook["held_out"]


def test_the_cnn_looks_back_thirteen_frames_half_a_second(notebook):
    frames = torch.randn(1, 40, 40, requires_grad=True)
    notebook["Listener"]("CNN")(frames)[0, 30].backward()
    seen = frames.grad[0].abs().sum(1).nonzero().flatten().tolist()
    assert seen == list(range(18, 31))
    assert len(seen) / 25 == 0.52


def right_answers(notebook, kind):
    """The share of right answers after each of eight phrases."""
    chance = torch.Generator().manual_seed(5)
    shares = []
    for place in (0, -1):
        frames, ends, said = notebook["joined"](True, 100, (place,), chance, parts=8)
        with torch.no_grad():
            shares.append(((notebook["listeners"][kind](frames).gather(1, ends) > 0) == said.bool()).float().mean(0))
    return (shares[0] + shares[1]) / 2


def test_the_lstm_keeps_the_word_for_seven_phrases_and_the_cnn_loses_it(notebook):
    lstm, cnn = right_answers(notebook, "LSTM"), right_answers(notebook, "CNN")
    assert lstm.min() > 0.8
    assert cnn[0] > 0.75
    assert cnn[2:].max() < 0.65


def test_the_last_answer_of_the_lstm_rests_on_the_word_alone(notebook):
    utterance = (notebook["mels"]["conf-invalid"] - notebook["mean"]) / notebook["spread"]
    middles = list(range(4, len(utterance) - 10))
    covered = utterance.repeat(len(middles), 1, 1)
    for copy, middle in zip(covered, middles, strict=True):
        copy[middle - 4 : middle + 5] = utterance[62]
    with torch.no_grad():
        uncovered = notebook["listeners"]["LSTM"](utterance[None])[0, -1]
        turned = notebook["listeners"]["LSTM"](covered)[:, -1] < 0
    places = [middle / 25 for middle, no in zip(middles, turned.tolist(), strict=True) if no]
    assert uncovered > 0
    assert places
    assert min(places) > 1.28 - 0.2
    assert max(places) < 1.86 + 0.2


def test_the_forget_gates_chosen_on_training_phrases_latch_on_held_out_ones(notebook):
    network = notebook["listeners"]["LSTM"]
    order = notebook["by_difference"](network)[:8]
    after, without = (notebook["kept_afterwards"](network, True, place)[:, order].mean() for place in (0, -1))
    assert after > without + 0.3


def test_an_untrained_lstm_has_no_latch_but_a_gate_that_follows_loudness(notebook):
    torch.manual_seed(4)
    network = notebook["Listener"]("LSTM")
    order = notebook["by_difference"](network)[:8]
    after, without = (notebook["kept_afterwards"](network, True, place)[:, order].mean() for place in (0, -1))
    assert abs(after - without) < 0.05
    utterance = (notebook["mels"]["conf-invalid"] - notebook["mean"]) / notebook["spread"]
    forget = notebook["gates"](network, utterance[None])["f"][0]
    together = torch.corrcoef(torch.cat([forget.T, utterance.mean(1)[None]]))[-1, :-1].abs()
    assert together.max() > 0.9
