"""Unit 07 against libraries that Colab lacks, against figures worked out by hand, and against its own prose."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial import distance
from scipy.special import log_softmax

from grader.exercises.norms_losses import (
    cross_entropy,
    discriminator_loss,
    duration_loss,
    feature_matching_loss,
    generator_loss,
    l1_gradient,
    l1_loss,
    l1_norm,
    l2_norm,
    masked_l1_loss,
    mse_gradient,
    mse_loss,
)
from grader.recordings import load_clip

TRUTH, ANSWER = torch.tensor([2.0, 3.0, 1.0]), torch.tensor([2.5, 2.0, 0.0])


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_articles_example_has_length_one_and_a_half_and_loss_three_quarters():
    error = ANSWER - TRUTH
    assert l2_norm(error).item() == 1.5
    assert mse_loss(ANSWER, TRUTH).item() == 0.75
    assert mse_loss(ANSWER, TRUTH).sqrt().item() == pytest.approx(0.866, abs=5e-4)
    assert l1_norm(error).item() == 2.5
    assert l1_loss(ANSWER, TRUTH).item() == pytest.approx(0.8333, abs=5e-5)


def test_an_l2_loss_is_not_the_l2_norm_but_its_square_by_the_count():
    one, other = drawn(7), drawn(7, seed=1)
    norm = l2_norm(one - other)
    assert mse_loss(one, other) == pytest.approx((norm**2 / 7).item(), rel=1e-5)
    assert mse_loss(one, other) != pytest.approx(norm.item(), rel=0.05)


def test_norms_are_scipys_distances():
    rows, others = drawn(20, 6).double(), drawn(20, 6, seed=1).double()
    streets = [distance.cityblock(one, other) for one, other in zip(rows.numpy(), others.numpy(), strict=True)]
    lines = [distance.euclidean(one, other) for one, other in zip(rows.numpy(), others.numpy(), strict=True)]
    assert np.allclose(l1_norm(rows - others), streets)
    assert np.allclose(l2_norm(rows - others), lines)


def test_the_zero_vector_has_gradient_zero():
    x = torch.zeros(2, 3, requires_grad=True)
    l2_norm(x).sum().backward()
    assert (x.grad == 0).all()


def test_a_vector_of_half_a_millionth_keeps_length_and_direction():
    x = torch.tensor([3e-7, 4e-7], requires_grad=True)
    length = l2_norm(x)
    length.backward()
    assert length.item() == pytest.approx(5e-7, rel=1e-5)
    assert x.grad.tolist() == pytest.approx([0.6, 0.8], rel=1e-5)


def test_a_square_multiplied_out_loses_an_error_of_1_at_10_000():
    a, b = torch.tensor([10_001.0]), torch.tensor([10_000.0])
    assert (a * a - 2 * a * b + b * b).item() != 1
    assert mse_loss(a, b).item() == 1


def test_what_is_nearly_right_pushes_as_hard_as_what_is_far_off():
    pred, target = torch.tensor([5.000003, 500.0]), torch.tensor([5.0, 5.0])
    assert pred[0] != target[0]
    assert l1_gradient(pred, target).tolist() == [0.5, 0.5]


def test_l2_weighs_large_errors_most_and_l1_all_alike():
    errors = torch.tensor([0.01, 0.1, 1.0, 10.0])
    under_l2, under_l1 = (slope(errors, torch.zeros(4)) for slope in (mse_gradient, l1_gradient))
    shares = under_l2 / under_l2.sum()
    assert shares.tolist() == pytest.approx([0.001, 0.009, 0.090, 0.900], abs=5e-4)
    assert under_l1.tolist() == [0.25] * 4
    assert 100 / errors.square().sum().item() == pytest.approx(0.990, abs=5e-4)


def test_the_gradients_are_slopes_of_the_losses():
    pred, target, h = drawn(3, 4).double(), drawn(3, 4, seed=1).double(), 1e-6
    for loss, gradient in ((mse_loss, mse_gradient), (l1_loss, l1_gradient)):
        for place in ((0, 0), (1, 3), (2, 2)):
            step = torch.zeros(3, 4).double()
            step[place] = h
            slope = (loss(pred + step, target) - loss(pred - step, target)) / (2 * h)
            assert gradient(pred, target)[place].item() == pytest.approx(slope.item(), abs=1e-6)


def test_l2_is_lowest_at_the_mean_and_l1_at_the_median():
    levels = torch.tensor([-8.8, -8.4, -8.1, -8.0, -7.9, -6.7, -3.0])
    guesses = torch.linspace(-9, -2, 701)
    lowest = [
        guesses[torch.stack([loss(c.expand(7), levels) for c in guesses]).argmin()] for loss in (mse_loss, l1_loss)
    ]
    assert lowest[0].item() == pytest.approx(levels.mean().item(), abs=0.01)
    assert lowest[1].item() == pytest.approx(levels.median().item(), abs=0.01)


def test_masked_and_duration_losses_are_those_of_transformers_fastspeech():
    fastspeech = pytest.importorskip("transformers.models.fastspeech2_conformer.modeling_fastspeech2_conformer")
    from transformers import FastSpeech2ConformerConfig

    config = FastSpeech2ConformerConfig(use_masking=True, use_weighted_masking=False)
    theirs = fastspeech.FastSpeech2ConformerLoss(config)
    lengths, words = torch.tensor([3, 6, 4]), torch.tensor([[5, 0, 2, 9], [1, 1, 7, 3], [4, 2, 8, 8]])
    pred, target, logs = drawn(3, 6, 5), drawn(3, 6, 5, seed=1), drawn(3, 4, seed=2)
    frame_mask = torch.arange(6) < lengths[:, None]
    word_mask = torch.arange(4) < torch.tensor([4, 2, 3])[:, None]
    nothing = torch.zeros(3, 4, 1)
    total = theirs(
        None, pred, logs, nothing, nothing, target, words, nothing, nothing, word_mask, frame_mask.unsqueeze(-1)
    )
    ours = masked_l1_loss(pred, target, lengths) + duration_loss(logs, words, word_mask)
    assert total.item() == pytest.approx(ours.item(), rel=1e-6)


def test_padding_may_hold_nan_in_value_and_gradient():
    pred = drawn(2, 4, 3)
    pred[0, 2:] = math.nan
    pred.requires_grad_()
    masked_l1_loss(pred, torch.zeros(2, 4, 3), torch.tensor([2, 4])).backward()
    assert pred.grad.isfinite().all()
    assert (pred.grad[0, 2:] == 0).all()
    logs = torch.tensor([[1.0, math.nan]], requires_grad=True)
    duration_loss(logs, torch.tensor([[3, -1]]), torch.tensor([[True, False]])).backward()
    assert logs.grad.isfinite().all()


def test_nan_at_a_real_place_is_not_hidden():
    pred = torch.zeros(2, 4, 3)
    pred[0, 1, 2] = math.nan
    assert masked_l1_loss(pred, torch.zeros(2, 4, 3), torch.tensor([2, 4])).isnan()
    real = torch.tensor([[True, True]])
    assert duration_loss(torch.tensor([[1.0, math.nan]]), torch.tensor([[3, 1]]), real).isnan()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_durations_take_the_dtype_of_the_predictions(dtype):
    one = torch.tensor([[2.0]], dtype=dtype), torch.tensor([[0]]), torch.tensor([[True]])
    assert duration_loss(*one).dtype == dtype
    assert duration_loss(*one).item() == 4


def test_two_frames_too_many_weigh_25_times_more_on_b_than_on_ay():
    def one(frames):
        return duration_loss(torch.tensor([[math.log(frames + 3)]]), torch.tensor([[frames]]), torch.tensor([[True]]))

    assert one(6).item() == pytest.approx(0.063, abs=5e-4)
    assert one(38).item() == pytest.approx(0.0025, abs=5e-5)
    assert (one(6) / one(38)).item() == pytest.approx(25, abs=0.5)


def test_gan_losses_are_those_of_hifi_gans_code():
    # As in the reference implementation (jik876/hifi-gan, models.py), written again from its loops.
    real, fake = [drawn(2, 9), drawn(2, 4)], [drawn(2, 9, seed=1), drawn(2, 4, seed=1)]
    loss = 0
    for r, f in zip(real, fake, strict=True):
        loss += torch.mean((1 - r) ** 2) + torch.mean(f**2)
    assert discriminator_loss(real, fake).item() == pytest.approx(loss.item(), rel=1e-6)
    assert generator_loss(fake).item() == pytest.approx(sum(torch.mean((1 - f) ** 2) for f in fake).item(), rel=1e-6)
    maps = [[one, one[:, :2]] for one in real], [[one, one[:, :2]] for one in fake]
    total = 0
    for r_maps, f_maps in zip(*maps, strict=True):
        for r, f in zip(r_maps, f_maps, strict=True):
            total += torch.mean(torch.abs(r - f))
    assert feature_matching_loss(*maps).item() == pytest.approx((total * 2).item(), rel=1e-6)


def test_the_median_of_40_answers_around_minus_1_and_60_around_1_is_about_nine_tenths():
    quantile = torch.distributions.Normal(1.0, 0.1).icdf(torch.tensor((0.5 - 0.4) / 0.6))
    assert quantile.item() == pytest.approx(0.903, abs=5e-4)


def test_gan_losses_by_hand():
    assert discriminator_loss([torch.tensor([1.0, 0.5])], [torch.tensor([0.0, 1.0])]).item() == 0.625
    assert generator_loss([torch.tensor([0.0, 1.0])]).item() == 0.5
    # A judge that says 0.5 to everything.
    assert discriminator_loss([torch.full((3,), 0.5)], [torch.full((2,), 0.5)]).item() == 0.5


def test_gradients_reach_every_tensor_in_the_lists():
    real, fake = [[drawn(2, 3), drawn(2, 2)]], [[drawn(2, 3, seed=1), drawn(2, 2, seed=1)]]
    for one in real[0] + fake[0]:
        one.requires_grad_()
    feature_matching_loss(real, fake).backward()
    assert all(one.grad.any() for one in real[0] + fake[0])


def test_cross_entropy_is_scipys_log_softmax():
    logits, targets = drawn(50, 7).double() * 30, torch.arange(50) % 7
    targets[::5] = -100
    kept = (targets != -100).numpy()
    rows = log_softmax(logits.numpy(), axis=1)[kept]
    expected = -rows[np.arange(len(rows)), targets.numpy()[kept]].mean()
    assert cross_entropy(logits, targets).item() == pytest.approx(expected, rel=1e-12)


def test_two_logits_by_hand():
    logits = torch.tensor([[0.0, math.log(3)]])
    assert cross_entropy(logits, torch.tensor([1])).item() == pytest.approx(0.288, abs=5e-4)
    assert cross_entropy(logits, torch.tensor([0])).item() == pytest.approx(1.386, abs=5e-4)
    assert cross_entropy(torch.tensor([[0.0, 1000.0]]), torch.tensor([0])).item() == 1000


def test_a_mean_of_two_takes_beats_either_under_l2_and_is_neither():
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    mean = (a + b) / 2
    assert mse_loss(mean, a).item() == mse_loss(mean, b).item() == 0.25
    assert (mse_loss(a, a) + mse_loss(a, b)).item() / 2 == 0.5


@pytest.fixture(scope="module")
def takes() -> torch.Tensor:
    """(takes, bands, frames) of the notebook's seven recordings of “please enter you(r)”, by torch alone."""
    from torchaudio.transforms import MelSpectrogram

    options = {"n_fft": 1024, "win_length": 640, "hop_length": 160, "n_mels": 80, "power": 1.0}
    mel = MelSpectrogram(16_000, **options, mel_scale="slaney", norm="slaney")
    starts = {
        "agent-incorrect": 183, "agent-alreadyon": 231, "agent-user": 165, "confbridge-pin": 0, "privacy-prompt": 0,
        "vm-newpassword": 14, "conf-getconfno": 0,
    }  # fmt: skip
    return torch.stack([(mel(load_clip(name)) + 1e-4).log()[:, start:][:, :72] for name, start in starts.items()])


def test_both_losses_prefer_a_blur_to_any_real_take(takes):
    mean, median = takes.mean(0), takes.median(0).values
    for loss, best in ((mse_loss, mean), (l1_loss, median)):
        blur = loss(best.expand_as(takes), takes)
        assert all(blur < loss(take.expand_as(takes), takes) for take in takes)


def test_the_blur_has_lost_contrast_between_bands(takes):
    contrast = [mel.diff(dim=0).abs().mean().item() for mel in (*takes, takes.median(0).values, takes.mean(0))]
    assert min(contrast[:7]) > 1.2 * contrast[7] > 1.2 * contrast[8]


def test_one_take_is_the_outlier_of_the_demo(takes):
    levels = takes[:, 20, 4]
    assert levels.argsort(descending=True)[:2].tolist() == [2, 1]  # take 3, then take 2
    assert levels.sort().values[:5].max() < -7.5
    assert levels.median().item() == pytest.approx(-7.99, abs=0.02)
    assert levels.mean().item() == pytest.approx(-7.26, abs=0.02)


@pytest.mark.parametrize(("name", "frames"), [("goodbye", 93), ("vm-goodbye", 86)])
def test_aligned_durations_fill_the_recording(name, frames):
    durations = {"goodbye": [15, 8, 9, 9, 6, 38, 8], "vm-goodbye": [19, 7, 7, 12, 41]}[name]
    assert sum(durations) == frames == len(load_clip(name)) // 160
