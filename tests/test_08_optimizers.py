"""Unit 08 against libraries that Colab lacks, against figures worked out by hand, and against its own prose."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from grader.exercises.optimizers import adam_step, adamw_step, clip_grad_norm, sgd_step, warmup_cosine
from grader.recordings import load_clip

ZERO, ONE = torch.tensor(0.0), torch.tensor(1.0)


def after(
    steps: int, grad: torch.Tensor, lr: float, *, l2: float = 0.0, decay: float = 0.0, start=None
) -> torch.Tensor:
    """Where weights of 1 are after so many steps of Adam + L2 or AdamW with a constant gradient."""
    weight = torch.ones_like(grad) if start is None else start
    m = v = torch.zeros_like(grad)
    for step in range(1, steps + 1):
        if decay:
            weight, m, v = adamw_step(weight, grad, m, v, step, lr=lr, weight_decay=decay)
        else:
            weight, m, v = adam_step(weight, grad + l2 * weight, m, v, step, lr=lr)
    return weight


def test_without_gradient_adam_with_l2_gives_0_900_and_adamw_0_999():
    assert after(1, ZERO, 0.1, l2=0.01).item() == pytest.approx(0.900, abs=5e-6)
    assert after(1, ZERO, 0.1, decay=0.01).item() == pytest.approx(0.999, abs=1e-6)


def test_ten_steps_bring_adam_with_l2_and_adamw_to_different_places():
    tilt = torch.tensor([1.0, 0.01])
    assert after(10, tilt, 0.1).tolist() == pytest.approx([0, 0], abs=5e-4)
    assert after(10, tilt, 0.1, l2=0.1).tolist() == pytest.approx([0.003, 0.064], abs=5e-4)
    assert after(10, tilt, 0.1, decay=0.1).tolist() == pytest.approx([-0.052, -0.052], abs=5e-4)


def test_they_part_after_the_first_step_by_lr_times_decay_times_weight():
    tilt = torch.tensor([1.0, 0.01])
    gap = after(1, tilt, 0.1, l2=0.1) - after(1, tilt, 0.1, decay=0.1)
    assert gap.tolist() == pytest.approx([0.01, 0.01], abs=1e-6)


def test_from_weights_of_zero_they_part_after_the_second_step():
    tilt, start = torch.tensor([1.0, 0.01]), torch.zeros(2)
    gaps = [
        (after(n, tilt, 0.1, l2=0.1, start=start) - after(n, tilt, 0.1, decay=0.1, start=start)).abs() for n in (1, 2)
    ]
    assert gaps[0].max() < 1e-6
    assert gaps[1].min() > 5e-4


def test_in_the_first_step_of_adam_with_l2_lambda_drops_out():
    tilt = torch.tensor([1.0, 0.01])
    for strength in (0.0, 0.1, 10.0):
        assert after(1, tilt, 0.1, l2=strength).tolist() == pytest.approx([0.9, 0.9], abs=1e-5)


def test_for_sgd_decay_and_l2_are_the_same():
    by_l2, _ = sgd_step(ONE, torch.tensor(2.0) + 0.01 * ONE, ZERO, lr=0.1)
    by_decay, _ = sgd_step(ONE * (1 - 0.1 * 0.01), torch.tensor(2.0), ZERO, lr=0.1)
    assert by_l2.item() == pytest.approx(by_decay.item(), abs=1e-7)


@pytest.mark.parametrize(("library", "is_decoupled"), [(torch.optim.Adam, False), (torch.optim.AdamW, True)])
def test_weight_decay_of_pytorchs_adam_is_l2(library, is_decoupled):
    leaf = torch.nn.Parameter(torch.ones(2))
    optimizer = library([leaf], lr=0.1, weight_decay=0.1)
    tilt = torch.tensor([1.0, 0.01])
    for _ in range(10):
        leaf.grad = tilt.clone()
        optimizer.step()
    ours = after(10, tilt, 0.1, decay=0.1) if is_decoupled else after(10, tilt, 0.1, l2=0.1)
    assert torch.allclose(leaf, ours, atol=1e-5)


def test_two_steps_of_sgd_by_hand():
    weight, velocity = sgd_step(ONE, torch.tensor(2.0), ZERO, lr=0.1)
    assert (weight.item(), velocity.item()) == pytest.approx((0.8, 2.0))
    weight, velocity = sgd_step(weight, torch.tensor(2.0), velocity, lr=0.1)
    assert (weight.item(), velocity.item()) == pytest.approx((0.42, 3.8))


def test_without_momentum_the_velocity_is_the_gradient():
    weight, velocity = sgd_step(ONE, torch.tensor(2.0), torch.tensor(7.0), lr=0.1, momentum=0)
    assert (weight.item(), velocity.item()) == pytest.approx((0.8, 2.0))


def test_two_steps_of_adam_by_hand():
    weight, m, v = adam_step(ONE, torch.tensor(4.0), ZERO, ZERO, 1, lr=0.1)
    assert (weight.item(), m.item(), v.item()) == pytest.approx((0.9, 0.4, 0.016), abs=1e-6)
    weight, m, v = adam_step(weight, torch.tensor(-2.0), m, v, 2, lr=0.1)
    assert (weight.item(), m.item(), v.item()) == pytest.approx((0.8734, 0.16, 0.019984), abs=5e-5)


def test_without_bias_correction_the_first_step_would_be_3_16_times_as_long():
    _, m, v = adam_step(ONE, torch.tensor(4.0), ZERO, ZERO, 1)
    assert (m / v.sqrt()).item() == pytest.approx(3.162, abs=5e-4)


def test_adam_is_that_of_the_paper_in_float64():
    # Algorithm 1 of Kingma and Ba, by NumPy alone.
    rng = np.random.default_rng(0)
    weight, m, v = rng.normal(size=(3, 4)), np.zeros((3, 4)), np.zeros((3, 4))
    ours = tuple(torch.from_numpy(part.copy()) for part in (weight, m, v))
    for t in range(1, 30):
        grad = rng.normal(size=(3, 4))
        m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad**2
        weight = weight - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        ours = adam_step(ours[0], torch.from_numpy(grad), *ours[1:], t, lr=0.01)
    assert np.allclose(ours[0], weight, atol=1e-12)


def test_the_first_step_of_adamw_is_that_of_its_paper():
    # Algorithm 2 of Loshchilov and Hutter, line 12: at the first step the corrected moments are g and g².
    weight, grad = np.array([2.0, -3.0]), np.array([4.0, 1.0])
    moved = weight - (0.1 * grad / (np.abs(grad) + 1e-8) + 0.1 * 0.5 * weight)
    zeros = torch.zeros(2, dtype=torch.float64)
    got, *_ = adamw_step(torch.from_numpy(weight), torch.from_numpy(grad), zeros, zeros, 1, lr=0.1, weight_decay=0.5)
    assert np.allclose(got, moved, atol=1e-12)
    assert got[0].item() == pytest.approx(1.8, abs=1e-7)


def test_a_loss_a_thousand_times_as_large_changes_nothing_for_adam():
    grad = torch.tensor([3.0, -0.2, 0.05])
    one = after(5, grad, 0.1)
    other = after(5, 1000 * grad, 0.1)
    assert torch.allclose(one, other, atol=1e-5)


def test_clipping_by_hand_keeps_the_direction():
    grads, norm = clip_grad_norm([torch.tensor([3.0]), torch.tensor([4.0])], 1.0)
    assert [grad.item() for grad in grads] == pytest.approx([0.6, 0.8], abs=1e-5)
    assert norm.shape == ()
    assert norm.item() == 5
    grads, norm = clip_grad_norm([torch.tensor([3.0]), torch.tensor([4.0])], 6.0)
    assert [grad.item() for grad in grads] == [3, 4]


def test_clipping_the_zero_gradient_gives_zeros():
    grads, norm = clip_grad_norm([torch.zeros(2), torch.zeros(3)], 1.0)
    assert norm.item() == 0
    assert not any(grad.any() for grad in grads)


def test_the_schedule_by_hand():
    rates = [warmup_cosine(step, 4, 12, 1.0) for step in (0, 1, 4, 6, 8, 12, 20)]
    assert rates == pytest.approx([0, 0.25, 1, 0.854, 0.5, 0, 0], abs=5e-4)
    assert warmup_cosine(0, 0, 12, 1.0) == 1


def test_the_schedule_is_that_of_transformers_up_to_its_end():
    optimization = pytest.importorskip("transformers.optimization")
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    schedule = optimization.get_cosine_schedule_with_warmup(optimizer, num_warmup_steps=6, num_training_steps=40)
    for step in range(41):
        assert warmup_cosine(step, 6, 40, 0.1) == pytest.approx(schedule.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        schedule.step()
    # After its end theirs comes up again, ours stays 0.
    assert warmup_cosine(50, 6, 40, 0.1) == pytest.approx(0, abs=1e-12)


def log_mel(name: str) -> torch.Tensor:
    """(frames, 80): the notebook's features, by torchaudio."""
    from torchaudio.transforms import MelSpectrogram

    options = {"n_fft": 1024, "win_length": 640, "hop_length": 160, "n_mels": 80, "power": 1.0}
    waveform = load_clip(name)
    mel = MelSpectrogram(16_000, **options, mel_scale="slaney", norm="slaney")(waveform)
    return (mel + 1e-4).log()[:, : len(waveform) // 160].T


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    return torch.cat([log_mel(name) for name in ("agent-alreadyon", "queue-periodic-announce")])


def test_in_decibels_the_loss_is_75_times_as_large_and_sgds_learning_rate_75_times_smaller(frames):
    to_decibel = 20 / math.log(10)
    assert to_decibel == pytest.approx(8.7, abs=0.05)
    assert to_decibel**2 == pytest.approx(75, abs=0.5)
    low, high = frames[:551, :58], frames[:551, 58:65]
    ends = []
    for scale, lr in ((1.0, 1e-3), (to_decibel, 1e-3 / to_decibel**2)):
        weight, velocity = torch.zeros(7, 58), torch.zeros(7, 58)
        for _ in range(10):
            grad = scale**2 * 2 * (low @ weight.T - high).T @ low / high.numel()
            weight, velocity = sgd_step(weight, grad, velocity, lr)
        ends.append(weight)
    assert torch.allclose(*ends, rtol=1e-3, atol=1e-5)


def test_clipping_leaves_alone_only_what_is_below_the_limit_by_more_than_a_millionth():
    for norm, factor in ((1 - 2e-6, 1.0), (1.0, 1 / (1 + 1e-6)), (1 - 5e-7, 1 / (1 + 5e-7))):
        (grad,), _ = clip_grad_norm([torch.tensor([norm], dtype=torch.float64)], 1.0)
        assert grad.item() / norm == pytest.approx(factor, abs=1e-12)


def test_a_limit_of_infinity_clips_nothing_and_one_of_0_leaves_nothing():
    grads = [torch.tensor([3.0]), torch.tensor([4.0])]
    assert clip_grad_norm(grads, math.inf)[0] == grads
    assert not any(grad.any() for grad in clip_grad_norm(grads, 0.0)[0])


def test_the_librarys_clipping_finds_no_norm_in_gradients():
    assert torch.nn.utils.clip_grad_norm_([torch.tensor([3.0]), torch.tensor([4.0])], 1.0) == 0


def test_bands_58_and_up_lie_above_the_telephones_limit():
    from librosa import mel_frequencies

    edges = mel_frequencies(n_mels=82, fmin=0, fmax=8000)
    assert edges[58] < 3_400 < edges[59]  # the centre of band 58 is edge 59
    assert edges[59] == pytest.approx(3_437, abs=0.5)


def test_always_answering_with_the_mean_has_loss_1_77(frames):
    high = frames[:, 58:]
    assert len(frames) == 1334
    assert (high - high.mean(0)).square().mean().item() == pytest.approx(1.77, abs=5e-3)


def test_the_real_valley_is_400_times_as_steep_across_as_along(frames):
    x = frames[:551, 57]
    columns = torch.stack([x, torch.ones_like(x)], 1)
    along, across = torch.linalg.eigvalsh(2 * columns.T @ columns / len(x)).tolist()
    assert across == pytest.approx(66.6, abs=0.05)
    assert across / along == pytest.approx(400, abs=2)
    assert 2 / across == pytest.approx(0.030, abs=5e-4)


def test_clipping_rescues_the_regressor_from_answering_with_the_mean(frames):
    low, high = frames[:, :58], frames[:, 58:]
    mean = (high - high.mean(0)).square().mean().item()
    ends = []
    for limit in (math.inf, 1.0):
        torch.manual_seed(0)
        one, two = torch.nn.Linear(58, 64), torch.nn.Linear(64, 22)
        weights = [each.detach() for each in (one.weight, one.bias, two.weight, two.bias)]
        velocities = [torch.zeros_like(weight) for weight in weights]
        for _ in range(120):
            leaves = [weight.clone().requires_grad_() for weight in weights]
            hidden = functional.gelu(functional.linear(low, *leaves[:2]))
            loss = (functional.linear(hidden, *leaves[2:]) - high).square().mean()
            grads, _ = clip_grad_norm(list(torch.autograd.grad(loss, leaves)), limit)
            velocities = [0.9 * velocity + grad for velocity, grad in zip(velocities, grads, strict=True)]
            weights = [weight - 0.03 * velocity for weight, velocity in zip(weights, velocities, strict=True)]
        ends.append(loss.item())
    assert ends[0] == pytest.approx(mean, abs=0.1)
    assert ends[1] < 0.6 * mean
