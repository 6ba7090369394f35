"""Unit 03 against the libraries that Colab lacks, and the figures that its notebook states."""

import inspect
import math
import warnings
from functools import cache

import jupytext
import librosa
import numpy as np
import pytest
import scipy.signal
import torch
import torchaudio
import whisper
from whisper.model import AudioEncoder

from grader.exercises import whisper_mel as unit
from grader.recordings import load_clip, load_transcript
from tests.conftest import ROOT

CLIPS = ("austen-0870", "tt-weasels", "vm-goodbye")
ALLOWED = 1e-4


@cache
def sentence() -> torch.Tensor:
    return load_clip("austen-0870")


@cache
def whispers(name: str, n_mels: int = 80) -> torch.Tensor:
    """What openai-whisper itself makes of a recording."""
    return whisper.log_mel_spectrogram(whisper.pad_or_trim(load_clip(name)), n_mels)


@cache
def notebook_cells() -> list:
    return jupytext.read(ROOT / "solutions/03_whisper_mel/03_whisper_mel.py").cells


@cache
def whisper_stages():
    """The notebook's own copy of Whisper's front end, from its demo cell, without the cells around it."""
    cell = next(cell for cell in notebook_cells() if "def whisper_stages" in cell.source)
    source = cell.source[: cell.source.index("def sound_from")]
    namespace = {"torch": torch, "librosa": librosa, "functional": torch.nn.functional}
    exec(compile(source, "03_whisper_mel.py", "exec"), namespace)
    return namespace["whisper_stages"]


def furthest(one: torch.Tensor, other: torch.Tensor) -> float:
    assert one.shape == other.shape
    return (one - other).abs().max().item()


# ------------------------------------------------------------------------------------- against Whisper's own code


@pytest.mark.parametrize("n_mels", [80, 128])
@pytest.mark.parametrize("name", CLIPS)
def test_the_expected_log_mel_is_openai_whisper_s(name, n_mels):
    assert furthest(unit.log_mel_spectrogram(load_clip(name), n_mels), whispers(name, n_mels)) <= ALLOWED


@pytest.mark.parametrize("n_mels", [80, 128])
@pytest.mark.parametrize("library", ["torch", "numpy"])
def test_the_expected_log_mel_is_that_of_transformers(library, n_mels):
    from transformers.models.whisper.feature_extraction_whisper import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor(feature_size=n_mels)
    sound = whisper.pad_or_trim(sentence()).numpy()[None]
    extract = {
        "torch": lambda: extractor._torch_extract_fbank_features(sound),
        "numpy": lambda: extractor._np_extract_fbank_features(sound, "cpu"),
    }
    theirs = torch.as_tensor(extract[library]()[0])
    assert furthest(unit.log_mel_spectrogram(sentence(), n_mels), theirs) <= ALLOWED
    if library == "torch":
        called = extractor(sentence().numpy(), sampling_rate=16_000, return_tensors="pt").input_features[0]
        assert furthest(called, theirs) <= ALLOWED


@pytest.mark.parametrize("seconds", [0.5, 30, 31])
def test_the_expected_log_mel_is_openai_whisper_s_for_any_length(seconds):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(int(seconds * 16_000), generator=generator) * 0.1
    theirs = whisper.log_mel_spectrogram(whisper.pad_or_trim(noise))
    assert furthest(unit.log_mel_spectrogram(noise), theirs) <= ALLOWED


@pytest.mark.parametrize("n_mels", [80, 128])
@pytest.mark.parametrize("name", CLIPS)
def test_the_notebook_s_copy_of_whisper_is_openai_whisper_s(name, n_mels):
    assert furthest(whisper_stages()(load_clip(name), n_mels)["log_mel"], whispers(name, n_mels)) <= 1e-6


@pytest.mark.parametrize("length", [4, 7, 10])
def test_padding_and_trimming_are_openai_whisper_s(length):
    x = torch.arange(14.0).reshape(2, 7)
    assert torch.equal(unit.pad_or_trim(x, length), whisper.pad_or_trim(x, length))


@pytest.mark.parametrize("n_mels", [80, 128])
def test_the_filterbank_is_the_file_that_openai_whisper_ships(n_mels):
    theirs = whisper.audio.mel_filters("cpu", n_mels)
    assert furthest(unit.mel_filterbank(n_mels=n_mels), theirs) <= 1e-7


def test_the_log_compression_is_openai_whisper_s_on_the_mel_power_of_a_recording():
    assert furthest(unit.log_compress(whisper_stages()(sentence())["mel"]), whispers("austen-0870")) <= 1e-5


def test_the_power_spectrogram_is_scipy_s():
    x = sentence()[:4_000]
    settings = {"window": "hann", "nperseg": 400, "noverlap": 240, "boundary": "even", "padded": False}
    theirs = np.abs(scipy.signal.stft(x.double().numpy(), **settings)[2] * 200)[:, :25] ** 2  # it divides by Σ window
    assert np.allclose(unit.power_spectrogram(x).numpy(), theirs, atol=1e-5, rtol=1e-3)


def test_whisper_s_constants_belong_together():
    assert whisper.audio.N_SAMPLES == 30 * 16_000 == 480_000
    assert whisper.audio.N_FRAMES == 480_000 // 160 == 3_000
    assert (whisper.audio.N_FFT, whisper.audio.HOP_LENGTH) == (400, 160)


# ------------------------------------------------------------------------------------------------ the fixed figures


def compressed(mel: torch.Tensor) -> torch.Tensor:
    logs = mel[:, :3_000].clamp(min=1e-10).log10()
    return (torch.maximum(logs, logs.max() - 8.0) + 4.0) / 4.0


def by_torch(n_mels: int, exponent: int = 2, periodic: bool = True) -> torch.Tensor:
    stft = torch.stft(padded(), 400, 160, window=torch.hann_window(400, periodic=periodic), return_complex=True)
    return torch.from_numpy(librosa.filters.mel(sr=16_000, n_fft=400, n_mels=n_mels)) @ stft.abs() ** exponent


def by_librosa(n_mels: int, **options: object) -> torch.Tensor:
    settings = {"sr": 16_000, "n_fft": 400, "hop_length": 160, "n_mels": n_mels}
    return torch.from_numpy(librosa.feature.melspectrogram(y=padded().numpy(), **settings, **options))


def by_torchaudio(n_mels: int, **options: object) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torchaudio.transforms.MelSpectrogram(16_000, 400, hop_length=160, n_mels=n_mels, **options)(padded())


def padded() -> torch.Tensor:
    return whisper.pad_or_trim(sentence())


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (by_torch, {}),
        (by_librosa, {"pad_mode": "reflect"}),
        (by_torchaudio, {"norm": "slaney", "mel_scale": "slaney"}),
    ],
)
@pytest.mark.parametrize("n_mels", [80, 128])
def test_every_library_agrees_with_whisper_once_told_how(make, options, n_mels):
    assert furthest(compressed(make(n_mels, **options)), whispers("austen-0870", n_mels)) <= 5e-5


@pytest.mark.parametrize(
    ("make", "options", "figure"),
    [
        (by_librosa, {}, 0.305),
        (by_torchaudio, {}, 1.58),
        (by_torch, {"periodic": False}, 0.048),
        (by_torch, {"exponent": 1}, 0.66),
    ],
    ids=["librosa's default padding", "torchaudio's defaults", "symmetric Hann", "magnitude"],
)
def test_each_departure_costs_what_the_notebook_shows(make, options, figure):
    assert furthest(compressed(make(80, **options)), whispers("austen-0870")) == pytest.approx(figure, rel=0.01)


def test_librosa_s_padding_changes_only_the_first_two_frames():
    difference = (compressed(by_librosa(80)) - whispers("austen-0870")).abs().amax(0)
    assert (difference > ALLOWED).nonzero().flatten().tolist() == [0, 1]


def test_silence_is_minus_one_and_a_half():
    assert (unit.log_mel_spectrogram(torch.zeros(16_000)) == -1.5).all()
    assert (whisper.log_mel_spectrogram(torch.zeros(480_000)) == -1.5).all()


def test_a_centred_stft_has_3001_frames_and_whisper_keeps_3000():
    assert unit.frame_signal(padded()).shape == (3_001, 400)
    assert unit.power_spectrogram(padded()).shape == (201, 3_000)
    assert whispers("austen-0870").shape == (80, 3_000)


@pytest.mark.parametrize("gain", [0.1, 1.0, 10.0])
def test_whisper_s_numbers_span_two_but_leave_minus_one_to_one(gain):
    numbers = whisper.log_mel_spectrogram(padded() * gain)
    assert (numbers.max() - numbers.min()).item() == pytest.approx(2.0, abs=1e-5)
    assert numbers.max() > 1 or numbers.min() < -1


def test_ten_times_the_amplitude_adds_a_half():
    higher, lower = (whisper.log_mel_spectrogram(padded() * gain).max().item() for gain in (1.0, 0.1))
    assert higher - lower == pytest.approx(0.5, abs=1e-5)


def test_whisper_s_number_is_decibels_by_forty_plus_one():
    decibels = librosa.power_to_db(whisper_stages()(sentence())["mel"].numpy(), amin=1e-10, top_db=80.0)
    assert np.abs(40 * whispers("austen-0870").numpy() - 40 - decibels).max() < 1e-4


# ----------------------------------------------------------------------------------------------------- the errata


def test_whisper_s_first_layers_are_convolutions_over_time_only():
    encoder = AudioEncoder(n_mels=80, n_ctx=1_500, n_state=384, n_head=6, n_layer=0)
    for layer, channels, stride in ((encoder.conv1, 80, 1), (encoder.conv2, 384, 2)):
        assert isinstance(layer, torch.nn.Conv1d)
        assert layer.weight.shape == (384, channels, 3)
        assert (layer.stride, layer.padding) == ((stride,), (1,))
    with torch.no_grad():
        hidden = encoder.conv1(whispers("austen-0870")[None])
        assert hidden.shape == (1, 384, 3_000)
        assert encoder.conv2(hidden).shape == (1, 384, 1_500)


def test_whisper_s_encoder_is_told_nothing_of_the_padding():
    assert list(inspect.signature(AudioEncoder.forward).parameters) == ["self", "x"]


def test_whisper_s_encoder_refuses_a_shorter_spectrogram():
    encoder = AudioEncoder(n_mels=80, n_ctx=1_500, n_state=64, n_head=1, n_layer=0)
    with pytest.raises(AssertionError, match="shape"), torch.no_grad():
        encoder(whispers("austen-0870")[None, :, :710])


def test_the_padding_of_each_recording_is_another_number():
    floors = {name: round(whispers(name)[0, 2_000].item(), 3) for name in CLIPS}
    assert floors == {"austen-0870": -0.72, "tt-weasels": -0.6, "vm-goodbye": -0.56}


# --------------------------------------------------------------------------- what the notebook works out by hand


def test_the_examples_by_hand():
    assert unit.hann_window(4).tolist() == pytest.approx([0, 0.5, 1, 0.5], abs=1e-6)
    frames = unit.frame_signal(torch.arange(1.0, 7.0), 4, 2)
    assert frames.tolist() == [[3, 2, 1, 2], [1, 2, 3, 4], [3, 4, 5, 6], [5, 6, 5, 4]]
    assert unit.frame_signal(torch.arange(1.0, 6.0), 2, 3).tolist() == [[2, 1], [3, 4]]
    power = unit.power_spectrogram(torch.tensor([2.0, 1, 0, 0, 1, 2, 0, 0]), 4, 4)
    assert torch.allclose(power, torch.tensor([[9.0, 4], [4, 2], [1, 0]]), atol=1e-5)
    assert unit.hz_to_mel(torch.tensor([200.0, 1_000, 6_400])).tolist() == pytest.approx([3, 15, 42])
    filters = 1_000 * unit.mel_filterbank(2_000, 20, 4)
    assert filters[0].tolist() == pytest.approx([0, 2.5, 5, 2.5, 0, 0, 0, 0, 0, 0, 0], abs=1e-5)
    numbers = unit.log_compress(torch.tensor([[1.0, 0.0001], [0.0, 100.0]]))
    assert torch.allclose(numbers, torch.tensor([[1.0, 0.0], [-0.5, 1.5]]), atol=1e-6)


def test_numpy_s_hanning_is_the_symmetric_window_and_ours_is_not():
    assert np.hanning(4).tolist() == pytest.approx([0, 0.75, 0.75, 0])
    assert furthest(unit.hann_window(400), torch.from_numpy(np.hanning(401)[:-1]).float()) < 1e-6
    assert furthest(unit.hann_window(400), torch.from_numpy(scipy.signal.get_window("hann", 400)).float()) < 1e-6


def test_the_htk_scale_reads_about_1000_at_1000_hertz():
    assert librosa.hz_to_mel(1_000, htk=True) == pytest.approx(1_000, abs=0.02)
    assert 2595 * math.log10(1 + 1_000 / 700) == pytest.approx(1_000, abs=0.02)


def test_a_third_of_slaney_s_scale_lies_below_1000_hertz():
    low, high = unit.hz_to_mel(torch.tensor([1_000.0, 8_000.0]))
    assert (low / high).item() == pytest.approx(1 / 3, abs=0.01)
    assert high.item() == pytest.approx(45.2, abs=0.05)


def test_the_lowest_triangles_hold_one_or_two_frequencies():
    held = {n: (whisper.audio.mel_filters("cpu", n) > 0).sum(1)[:20].tolist() for n in (80, 128)}
    assert set(held[80]) == set(held[128]) == {1, 2}
    assert held[80].count(2) > 10
    assert held[128].count(1) > 10


def test_half_of_the_powers_lie_below_a_millionth_of_the_largest():
    power = whisper_stages()(sentence())["power"][:, :710]
    assert power.median() < 1e-6 * power.max()


def test_the_recording_is_as_long_as_the_notebook_says():
    assert len(sentence()) == 113_600 == 7.1 * 16_000
    assert len(load_transcript("austen-0870").split()) == 22
