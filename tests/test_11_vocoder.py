"""Unit 11 against librosa, scipy, autograd and HiFi-GAN's own shapes, and the numbers that its notebook states."""

import math

import librosa
import numpy as np
import pytest
import scipy.signal
import torch
from torch import nn
from torchaudio.functional import griffinlim, melscale_fbanks

from grader.audit import solved_functions
from grader.exercises import vocoder
from grader.recordings import load_clip
from tests.conftest import ROOT

N_FFT, HOP = 1_024, 256
WINDOW = torch.hann_window(N_FFT)


@pytest.fixture(scope="module")
def solved():
    return solved_functions(ROOT, "11_vocoder")


@pytest.fixture(params=["oracle", "solution"])
def functions(request, solved):
    """The functions by name: the course's oracles, and the notebook's solutions."""
    return {
        name: getattr(vocoder, name) if request.param == "oracle" else solved[name]
        for name in solved
        if hasattr(vocoder, name) and hasattr(getattr(vocoder, name), "oracle")
    }


@pytest.fixture(scope="module")
def sentence():
    return clip("something-terribly-wrong")


def clip(name: str) -> torch.Tensor:
    waveform = load_clip(name)
    return waveform[: len(waveform) // HOP * HOP]


def stft(waveform: torch.Tensor, n_fft: int = N_FFT, hop: int = HOP) -> torch.Tensor:
    return torch.stft(waveform, n_fft, hop, window=torch.hann_window(n_fft, dtype=waveform.dtype), return_complex=True)


def convergence(estimate: torch.Tensor, target: torch.Tensor) -> float:
    one, other = estimate.abs().double().numpy(), target.abs().double().numpy()
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


def random_spectrum(seed: int, frames: int, n_fft: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_fft // 2 + 1, frames, dtype=torch.complex64, generator=generator)


def test_overlap_add_is_a_transposed_convolution_with_unit_kernels(functions):
    frames = torch.randn(9, 12, generator=torch.Generator().manual_seed(1))
    for hop in (1, 3, 5, 12, 15):
        expected = nn.functional.conv_transpose1d(frames.mT[None], torch.eye(12)[:, None], stride=hop)[0, 0]
        assert torch.allclose(functions["overlap_add"](frames, hop), expected, atol=1e-6)


@pytest.mark.parametrize(("n_fft", "hop"), [(16, 4), (400, 160), (64, 24), (N_FFT, HOP)])
def test_istft_is_librosa_s_also_for_numbers_that_no_sound_has(functions, n_fft, hop):
    spec = random_spectrum(2, 12, n_fft)
    expected = librosa.istft(spec.numpy(), hop_length=hop, n_fft=n_fft, length=11 * hop)
    assert np.abs(functions["istft"](spec, n_fft, hop).numpy() - expected).max() < 1e-4


def test_istft_is_the_least_squares_answer(functions):
    n_fft, hop, frames = 8, 3, 6
    total = (frames - 1) * hop + n_fft
    spec = random_spectrum(3, frames, n_fft).to(torch.complex128)
    spec[0], spec[-1] = spec[0].real.to(spec.dtype), spec[-1].real.to(spec.dtype)
    window = torch.hann_window(n_fft, dtype=torch.float64)
    wanted = torch.fft.irfft(spec, n=n_fft, dim=0).mT.flatten()  # by Parseval, distances of frames and spectra agree
    rows = torch.zeros(frames * n_fft, total, dtype=torch.float64)
    for frame in range(frames):
        for k in range(n_fft):
            rows[frame * n_fft + k, frame * hop + k] = window[k]
    nearest = torch.linalg.lstsq(rows, wanted[:, None], driver="gelsd").solution[:, 0]
    assert torch.allclose(functions["istft"](spec, n_fft, hop), nearest[n_fft // 2 : -(n_fft // 2)], atol=1e-9)


def test_scipy_gives_a_sound_back_from_our_spectrogram_too(functions, sentence):
    _, theirs = scipy.signal.istft(stft(sentence).numpy() / (N_FFT / 2), nperseg=N_FFT, noverlap=N_FFT - HOP)
    ours = functions["istft"](stft(sentence), N_FFT, HOP)
    assert np.abs(ours.numpy() - theirs[: len(ours)]).max() < 1e-4


@pytest.mark.parametrize("rounds", [0, 1, 4])
def test_griffin_lim_is_librosa_s_and_torchaudio_s_from_zero_phase(functions, sentence, rounds):
    magnitude = stft(sentence[: 40 * HOP]).abs()
    ours = functions["griffin_lim"](magnitude, rounds, N_FFT, HOP, torch.zeros_like(magnitude))
    theirs = griffinlim(magnitude, WINDOW, N_FFT, HOP, N_FFT, 1.0, rounds, 0.0, None, False)
    assert (ours - theirs).abs().max() < 1e-3
    settings = {"n_fft": N_FFT, "hop_length": HOP, "momentum": 0.0, "init": None, "pad_mode": "reflect"}
    third = librosa.griffinlim(magnitude.numpy(), n_iter=rounds, **settings)
    assert np.abs(ours.numpy() - third).max() < 1e-3


def test_griffin_lim_from_any_phase_is_librosa_s_transforms_in_turn(functions):
    magnitude, phase = random_spectrum(4, 14, 64).abs(), random_spectrum(5, 14, 64).angle() * 5
    sound = librosa.istft((magnitude * torch.exp(1j * phase)).numpy(), hop_length=16, n_fft=64)
    for _ in range(3):
        angle = np.angle(librosa.stft(sound, n_fft=64, hop_length=16, pad_mode="reflect"))
        sound = librosa.istft(magnitude.numpy() * np.exp(1j * angle), hop_length=16, n_fft=64)
    assert np.abs(functions["griffin_lim"](magnitude, 3, 64, 16, phase).numpy() - sound).max() < 2e-3


def test_spectral_convergence_of_complex_and_real(functions):
    one, other = random_spectrum(6, 9, 16), random_spectrum(7, 9, 16)
    expected = convergence(one, other)
    assert functions["spectral_convergence"](one, other).item() == pytest.approx(expected, rel=1e-5)
    assert functions["spectral_convergence"](one, -other.abs()).item() == pytest.approx(expected, rel=1e-5)


def test_the_mel_inversion_is_numpy_s_pseudo_inverse_clamped(functions, sentence):
    filterbank = torch.from_numpy(librosa.filters.mel(sr=16_000, n_fft=N_FFT, n_mels=80))
    mel = filterbank @ stft(sentence).abs().square()
    expected = (np.linalg.pinv(filterbank.double().numpy()) @ mel.double().numpy()).clip(min=0)
    found = functions["mel_to_linear"](mel, filterbank)
    assert np.abs(found.numpy() - expected).max() < 1e-4 * expected.max()


def test_torchaudio_s_filterbank_is_librosa_s():
    ours = melscale_fbanks(513, 0.0, 8_000.0, 80, 16_000, "slaney", "slaney").mT
    assert np.abs(ours.numpy() - librosa.filters.mel(sr=16_000, n_fft=N_FFT, n_mels=80)).max() < 1e-6


def test_mu_law_is_librosa_s_curve(functions):
    for channels in (16, 256, 1_024):
        codes = torch.arange(channels)
        bent = 2 * codes.double().numpy() / (channels - 1) - 1
        expected = librosa.mu_expand(bent, mu=channels - 1, quantize=False)
        decoded = functions["mu_law_decode"](codes, channels)
        assert np.abs(decoded.numpy() - expected).max() < 1e-6
        assert torch.equal(functions["mu_law_encode"](decoded, channels), codes)


def test_the_coupling_s_log_determinant_is_that_of_its_jacobian(functions):
    generator = torch.Generator().manual_seed(8)
    x, log_s, t = (torch.randn(1, c, 3, generator=generator, dtype=torch.float64) for c in (4, 2, 2))
    for inverse in (False, True):
        jacobian = torch.autograd.functional.jacobian(
            lambda x, inverse=inverse: functions["affine_coupling"](x, log_s, t, inverse)[0], x
        ).reshape(12, 12)
        _, log_det = functions["affine_coupling"](x, log_s, t, inverse)
        assert torch.allclose(torch.linalg.slogdet(jacobian).logabsdet, log_det[0])


@pytest.mark.parametrize("rates", [[8, 8, 2, 2], [8, 8, 4], []])
def test_upsampled_length_is_what_hifi_gan_s_layers_make(functions, rates):
    layers = [nn.ConvTranspose1d(1, 1, 2 * rate, rate, padding=rate // 2, device="meta") for rate in rates]
    sound = nn.Sequential(*layers)(torch.empty(1, 1, 37, device="meta"))
    assert functions["upsampled_length"](37, rates) == sound.shape[-1]


def test_a_magnitude_with_the_wrong_phase_is_no_inverse(functions, sentence):
    magnitude = stft(sentence).abs()
    for phase in (torch.zeros_like(magnitude), random_spectrum(9, magnitude.shape[1], N_FFT).angle()):
        again = stft(functions["istft"](torch.polar(magnitude, phase), N_FFT, HOP))
        assert convergence(again, magnitude) > 0.5
    own = functions["istft"](torch.polar(magnitude, stft(sentence).angle()), N_FFT, HOP)
    assert (own - sentence).abs().max() < 1e-5


def test_sound_and_back_is_a_projection(functions):
    spec = random_spectrum(10, 30, 64)
    once = stft(functions["istft"](spec, 64, 16), 64, 16)
    assert torch.allclose(stft(functions["istft"](once, 64, 16), 64, 16), once, atol=1e-4)


def curve(magnitude: torch.Tensor, phase: torch.Tensor, marks: tuple[int, ...]) -> list[float]:
    """Spectral convergence of torch's own transforms in turn, at some rounds."""
    values = []
    for _ in range(max(marks) + 1):
        spec = stft(torch.istft(torch.polar(magnitude, phase), N_FFT, HOP, window=WINDOW))
        values.append(convergence(spec, magnitude))
        phase = spec.angle()
    return [values[mark] for mark in marks]


def test_griffin_lim_on_the_notebook_s_sentence(sentence):
    magnitude = stft(sentence).abs()
    zero = curve(magnitude, torch.zeros_like(magnitude), (0, 1, 8, 32, 60))
    assert zero == pytest.approx([0.875, 0.485, 0.229, 0.113, 0.062], abs=0.004)
    for rounds, expected in ((32, 0.048), (60, 0.027)):
        fast = stft(griffinlim(magnitude, WINDOW, N_FFT, HOP, N_FFT, 1.0, rounds, 0.99, None, False))
        assert convergence(fast, magnitude) == pytest.approx(expected, abs=0.004)


def test_neither_start_is_always_the_better_one(sentence):
    better = set()
    for waveform in (sentence, clip("tt-weasels")):
        magnitude = stft(waveform).abs()
        random = (2 * torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0)) - 1) * math.pi
        (from_zero,) = curve(magnitude, torch.zeros_like(magnitude), (60,))
        (from_random,) = curve(magnitude, random, (60,))
        better.add(from_zero < from_random)
    assert better == {True, False}


def test_nearly_all_of_the_error_from_mel_to_sound_is_the_mel_inversion(sentence):
    spec = stft(sentence)
    magnitude = spec.abs()
    filterbank = torch.from_numpy(librosa.filters.mel(sr=16_000, n_fft=N_FFT, n_mels=80))
    inverted = (torch.linalg.pinv(filterbank) @ (filterbank @ magnitude.square())).clamp_min(0).sqrt()

    def rebuilt(target):
        return stft(griffinlim(target, WINDOW, N_FFT, HOP, N_FFT, 1.0, 60, 0.0, None, False))

    assert convergence(inverted, magnitude) == pytest.approx(0.474, abs=0.004)
    assert convergence(rebuilt(inverted), magnitude) == pytest.approx(0.478, abs=0.006)
    assert convergence(rebuilt(magnitude), magnitude) == pytest.approx(0.062, abs=0.004)
    own_phase = stft(torch.istft(torch.polar(inverted, spec.angle()), N_FFT, HOP, window=WINDOW))
    assert convergence(own_phase, magnitude) == pytest.approx(0.181, abs=0.004)


def test_by_waveform_silence_beats_griffin_lim(sentence):
    magnitude = stft(sentence).abs()
    sound = griffinlim(magnitude, WINDOW, N_FFT, HOP, N_FFT, 1.0, 60, 0.0, None, False)

    def snr(estimate):
        return 10 * math.log10(sentence.square().sum() / (sentence - estimate).square().sum())

    assert snr(torch.zeros_like(sentence)) == 0
    assert snr(sound) == pytest.approx(-3.1, abs=0.5)
    assert snr(-sentence) == pytest.approx(-6.02, abs=0.01)


def test_mu_law_by_hand(functions):
    assert functions["mu_law_encode"](torch.tensor([-1.0, 0.0, 0.01, 1.0])).tolist() == [0, 128, 157, 255]
    assert functions["mu_law_decode"](torch.tensor([2, 3]), 4).tolist() == pytest.approx([(4 ** (1 / 3) - 1) / 3, 1])


def test_silence_gets_the_upper_of_the_two_middle_codes(functions):
    for channels in (2, 6, 10, 16, 256):
        assert functions["mu_law_encode"](torch.zeros(1), channels).tolist() == [channels // 2]


def test_a_halving_costs_even_spacing_6_db_and_mu_law_with_256_codes_1(functions, sentence):
    loud = sentence / sentence.abs().max()

    def lost(channels, code):
        ratios = [
            10 * math.log10(x.square().sum() / (x - code(x, channels)).square().sum())
            for x in (loud / 2**k for k in range(7))
        ]
        return [ratios[k] - ratios[k + 1] for k in range(6)]

    def evenly(x, channels):
        return 2 * ((x + 1) / 2 * (channels - 1)).round() / (channels - 1) - 1

    def mu_law(x, channels):
        return functions["mu_law_decode"](functions["mu_law_encode"](x, channels), channels)

    assert lost(256, evenly) == pytest.approx([6.2] * 6, abs=0.25)
    assert sum(lost(256, mu_law)) / 6 == pytest.approx(1.0, abs=0.05)
    assert lost(16, mu_law)[-2:] == pytest.approx([6.2, 7.0], abs=0.1)


def test_a_bin_that_becomes_zero_gets_the_phase_0(functions):
    magnitude, phase = torch.zeros(3, 12), torch.zeros(3, 12)
    magnitude[0], phase[0, ::2] = 1.0, math.pi
    expected = [-0.3, -1 / 6, 1 / 6, *[1 / 3] * 8]
    assert functions["griffin_lim"](magnitude, 1, 4, 1, phase).tolist() == pytest.approx(expected, abs=1e-6)


def test_two_bands_that_hear_the_same_are_averaged(functions):
    filterbank = torch.tensor([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1]])
    power = functions["mel_to_linear"](torch.tensor([[2.0], [4], [1]]), filterbank)
    assert power.flatten().tolist() == pytest.approx([1.5, 1.5, 0, 1], abs=1e-6)


def test_the_frame_in_the_picture_is_34_percent_off_and_its_first_peak_too_low(sentence):
    magnitude = stft(sentence).abs()
    filterbank = torch.from_numpy(librosa.filters.mel(sr=16_000, n_fft=N_FFT, n_mels=80))
    inverted = (torch.linalg.pinv(filterbank) @ (filterbank @ magnitude.square())).clamp_min(0).sqrt()
    assert convergence(inverted[:, 68], magnitude[:, 68]) == pytest.approx(0.34, abs=0.005)
    assert magnitude[:18, 68].argmax() == 13
    assert (inverted[13, 68] / magnitude[13, 68]).item() == pytest.approx(0.70, abs=0.01)


def test_random_phase_moves_the_arrows_further_than_their_lengths(sentence):
    spec = stft(sentence)
    phase = (2 * torch.rand(spec.shape, generator=torch.Generator().manual_seed(0)) - 1) * math.pi
    asked = torch.polar(spec.abs(), phase)
    once = stft(torch.istft(asked, N_FFT, HOP, window=WINDOW))
    assert ((once - asked).norm() / asked.norm()).item() == pytest.approx(0.863, abs=0.003)
    assert convergence(once, asked) == pytest.approx(0.611, abs=0.003)


def test_istft_by_hand(functions):
    spec = torch.zeros(3, 3, dtype=torch.complex64)
    spec[0] = 4.0
    assert functions["istft"](spec, 4, 1).tolist() == pytest.approx([1.2, 4 / 3])


def test_hifi_gan_version_1_has_13_92_million_weights():
    count = 80 * 512 * 7 + 512
    for wide in (512, 256, 128, 64):
        narrow, kernel = wide // 2, 16 if wide > 128 else 4
        count += wide * narrow * kernel + narrow
        count += sum(6 * (narrow * narrow * size + narrow) for size in (3, 7, 11))
    count += 32 * 7 + 1
    assert count == 13_926_017


def test_most_of_hifi_gan_s_multiplications_are_in_its_second_stage():
    products, positions = [80 * 512 * 7], 1
    for wide, rate in zip((512, 256, 128, 64), (8, 8, 2, 2), strict=True):
        narrow = wide // 2
        products.append(positions * wide * narrow * 2 * rate)
        positions *= rate
        products[-1] += positions * 6 * (3 + 7 + 11) * narrow * narrow
    products.append(positions * 32 * 7)
    assert sum(products) == 307_052_544
    assert max(products) == products[2] == 136_314_880


def test_the_published_waveglow_has_about_88_million_weights():
    channels, layers, mel = 256, 8, 640  # its mel has 80 bands for each of eight samples
    count = 80 * 80 * 1_024 + 80  # lengthens the mel to samples
    for flow in range(12):
        half = 4 - flow // 4  # after every fourth step two channels leave
        count += half * channels + channels + channels * 2 * half + 2 * half
        count += layers * (channels * 2 * channels * 3 + 2 * channels)
        count += (layers - 1) * (channels * 2 * channels + 2 * channels) + channels * channels + channels
        count += mel * 2 * channels * layers + 2 * channels * layers + (2 * half) ** 2
    assert count == pytest.approx(87.7e6, abs=0.1e6)
