"""Unit 04 beside the libraries that it stands for, and the figures that its text states."""

import math

import numpy as np
import pytest
import torch
import torchaudio
from torch.nn import functional

from grader.answer import answer
from grader.exercise import Question, find_exercise
from grader.exercises import waveform_encoder as unit
from grader.judge import judge
from grader.recordings import load_clip

KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)
conv_output_length = find_exercise("conv_output_length")
receptive_field = find_exercise("receptive_field")


def theirs(name, norm, width=8):
    """The waveform encoder of a model in transformers, with random weights."""
    import transformers

    config = getattr(transformers, f"{name}Config")(conv_dim=(width,) * 7, feat_extract_norm=norm)
    module = __import__(f"transformers.models.{name.lower()}", fromlist=["modeling"])
    encoder = getattr(getattr(module, f"modeling_{name.lower()}"), f"{name}FeatureEncoder")
    torch.manual_seed(0)
    return encoder(config).eval()


def layers_of(encoder):
    return [
        {"weight": block.conv.weight.detach(), "stride": stride}
        for block, stride in zip(encoder.conv_layers, STRIDES, strict=True)
    ]


def samples_behind(encoder, frame):
    noise = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(1), requires_grad=True)
    vectors = encoder(noise)  # (B, C, T')
    return torch.autograd.grad(vectors[0, :, frame].square().sum(), noise)[0][0].nonzero()[:, 0]


# ------------------------------------------------------------------------------------------ against the libraries


def test_normalizing_agrees_with_the_feature_extractor_of_transformers_on_speech():
    from transformers import Wav2Vec2FeatureExtractor

    clips = [load_clip("tt-somethingwrong"), 0.05 * load_clip("austen-0880") + 0.2, torch.zeros(500)]
    expected = Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm([clip.numpy() for clip in clips], attention_mask=None)
    for clip, one in zip(clips, expected, strict=True):
        got = unit.normalize_waveform(clip)
        torch.testing.assert_close(got, torch.from_numpy(np.asarray(one, np.float32)), atol=1e-4, rtol=0)


def test_convolution_is_what_scipy_calls_correlation_and_not_what_numpy_calls_convolution():
    from scipy import signal

    x, weight = torch.randn(1, 1, 50), torch.randn(1, 1, 7)
    got = unit.conv1d(x, weight, stride=3)[0, 0].numpy()
    np.testing.assert_allclose(got, signal.correlate(x[0, 0], weight[0, 0], "valid")[::3], atol=1e-5)
    assert not np.allclose(got, np.convolve(x[0, 0], weight[0, 0], "valid")[::3], atol=1e-2)


@pytest.mark.parametrize("length", [400, 719, 720, 16_000, 47_216, 480_000])
def test_lengths_agree_with_transformers(length):
    from transformers import Wav2Vec2Config
    from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2PreTrainedModel

    class Lengths(Wav2Vec2PreTrainedModel):
        def __init__(self):
            torch.nn.Module.__init__(self)
            self.config = Wav2Vec2Config()

    expected = Lengths()._get_feat_extract_output_lengths(torch.tensor(length), add_adapter=False)
    assert conv_output_length(length, KERNELS, STRIDES) == int(expected)


@pytest.mark.parametrize("name", ["Wav2Vec2", "Hubert", "SpeechT5"])
def test_wav2vec_2_hubert_and_speecht5_have_these_seven_layers_with_gelu(name):
    import transformers

    config = getattr(transformers, f"{name}Config")()
    assert tuple(config.conv_kernel) == unit.KERNELS == KERNELS
    assert tuple(config.conv_stride) == unit.STRIDES == STRIDES
    assert tuple(config.conv_dim) == (512,) * 7
    assert config.feat_extract_activation == "gelu"
    assert not config.conv_bias


def test_the_encoder_agrees_with_torchaudio_without_its_norm():
    extractor = torchaudio.models.wav2vec2_model(
        "group_norm", [(16, k, s) for k, s in zip(KERNELS, STRIDES, strict=True)], False,
        32, 0.0, 3, 1, 1, 2, 0.0, 32, 0.0, 0.0, False, 0.0, None,
    ).feature_extractor  # fmt: skip
    extractor.conv_layers[0].layer_norm = None
    x = unit.normalize_waveform(load_clip("tt-somethingwrong")[:16_000])[None]
    with torch.no_grad():
        torch.testing.assert_close(unit.feature_encoder(x, layers_of(extractor)), extractor(x, None)[0])


@pytest.mark.parametrize("name", ["Wav2Vec2", "Hubert"])
def test_the_parts_put_together_agree_with_transformers_norm_included(name):
    encoder = theirs(name, "group")
    first = encoder.conv_layers[0]
    torch.nn.init.normal_(first.layer_norm.weight)
    torch.nn.init.normal_(first.layer_norm.bias)
    x = unit.normalize_waveform(load_clip("tt-somethingwrong")[:8_000])[None]
    layers = layers_of(encoder)
    with torch.no_grad():
        y = unit.conv1d(x[:, None], layers[0]["weight"], stride=5)
        y = unit.gelu(unit.group_norm(y, first.layer_norm.num_groups, first.layer_norm.weight, first.layer_norm.bias))
        for layer in layers[1:]:
            y = unit.gelu(unit.conv1d(y, layer["weight"], stride=layer["stride"]))
        torch.testing.assert_close(y, encoder(x), atol=1e-5, rtol=1e-4)


# ------------------------------------------------------------------------------------------------------ the figures


@pytest.mark.parametrize(
    ("samples", "vectors"),
    [(400, 1), (719, 1), (720, 2), (16_000, 49), (480_000, 1_499), (480_079, 1_499), (480_080, 1_500)],
)
def test_so_many_samples_give_so_many_vectors(samples, vectors):
    assert conv_output_length(samples, KERNELS, STRIDES) == vectors


def test_399_samples_are_too_few():
    with pytest.raises(ValueError):
        conv_output_length(399, KERNELS, STRIDES)


def test_the_field_is_400_samples_and_grows_layer_by_layer():
    assert receptive_field(KERNELS, STRIDES) == (400, 320)
    fields = [receptive_field(KERNELS[:n], STRIDES[:n])[0] for n in range(1, 8)]
    assert fields == [10, 20, 40, 80, 160, 240, 400]
    assert receptive_field([3, 3], [2, 2]) == (7, 4)
    assert receptive_field([1, 2], [3, 1]) == (4, 3)


def test_whisper_gets_1500_because_it_pads():
    import whisper

    assert conv_output_length(480_000 + 400, [400], [160]) - 1 == whisper.audio.N_FRAMES == 3_000
    with torch.device("meta"):
        encoder = whisper.model.AudioEncoder(n_mels=80, n_ctx=1_500, n_state=384, n_head=6, n_layer=0)
    assert encoder.conv1.padding == encoder.conv2.padding == (1,)
    assert encoder.conv2(encoder.conv1(torch.empty(1, 80, 3_000, device="meta"))).shape[-1] == 1_500


def test_thirty_seconds_give_1499_vectors_of_512_from_4_2_million_weights():
    with torch.device("meta"):
        extractor = torchaudio.models.wav2vec2_model(
            "group_norm", None, False, 8, 0.0, 3, 1, 1, 2, 0.0, 8, 0.0, 0.0, False, 0.0, None
        ).feature_extractor
    assert extractor(torch.empty(1, 480_000, device="meta"), None)[0].shape == (1, 1_499, 512)
    assert sum(block.conv.weight.numel() for block in extractor.conv_layers) == 4_199_424
    assert 1_499 * 512 == 767_488
    assert extractor.conv_layers[0].layer_norm.num_groups == 512
    assert all(block.layer_norm is None for block in extractor.conv_layers[1:])


def test_a_vector_sees_25_ms_and_the_next_begins_20_ms_later():
    encoder = theirs("Wav2Vec2", "layer")
    for frame in (0, 10, 11):
        seen = samples_behind(encoder, frame)
        assert (seen[0], seen[-1], len(seen)) == (320 * frame, 320 * frame + 399, 400)


def test_with_group_norm_over_time_a_vector_depends_on_every_sample():
    assert len(samples_behind(theirs("Wav2Vec2", "group"), 10)) == 16_000


def test_seven_layers_without_an_activation_are_one_filter_of_400_taps():
    torch.manual_seed(0)
    inputs = (1, *[4] * 6)
    weights = [torch.randn(4, n, kernel, dtype=torch.float64) for n, kernel in zip(inputs, KERNELS, strict=True)]

    def straight(x):
        for weight, stride in zip(weights, STRIDES, strict=True):
            x = functional.conv1d(x, weight, stride=stride)
        return x

    one = straight(torch.eye(400, dtype=torch.float64)[:, None]).squeeze(-1).T[:, None]
    x = torch.randn(1, 1, 2_000, dtype=torch.float64)
    torch.testing.assert_close(straight(x), functional.conv1d(x, one, stride=320))


def test_the_examples_worked_by_hand():
    x, taps = torch.tensor([[[1.0, 2.0, 0.0, -1.0, 3.0]]]), torch.tensor([[[2.0, 0.0, 1.0]]])
    assert unit.conv1d(x, taps).flatten().tolist() == [2, 3, 3]
    assert unit.conv1d(x, taps.flip(-1)).flatten().tolist() == [1, 0, 6]
    assert unit.normalize_waveform(torch.tensor([1.0, 3.0, 1.0, 3.0])).tolist() == pytest.approx([-1, 1, -1, 1])
    gelu = unit.gelu(torch.tensor([-2.0, -1.0, 0.0, 1.0])).tolist()
    assert gelu == pytest.approx([-0.0455, -0.1587, 0.0, 0.8413], abs=5e-5)
    square = torch.tensor([[[1.0, 3.0], [5.0, 7.0]]])
    one_group = unit.group_norm(square, 1, torch.ones(2), torch.zeros(2)).flatten().tolist()
    assert one_group == pytest.approx([-1.342, -0.447, 0.447, 1.342], abs=1e-3)


def test_the_relatives_of_gelu_are_as_far_off_as_the_text_says():
    x = torch.linspace(-6, 6, 24_001, dtype=torch.float64)
    exact = functional.gelu(x)
    assert (functional.gelu(x, approximate="tanh") - exact).abs().max() == pytest.approx(0.00047, abs=1e-5)
    assert (x * torch.sigmoid(1.702 * x) - exact).abs().max() == pytest.approx(0.0203, abs=1e-4)
    assert (x.relu() - exact).abs().max() == pytest.approx(0.17, abs=1e-3)
    assert exact.min() == pytest.approx(-0.17, abs=1e-3)


# ------------------------------------------------------------------------------------------------------- the errata


@pytest.mark.parametrize("name", ["WAV2VEC2_BASE", "WAV2VEC2_LARGE_LV60K", "HUBERT_BASE", "HUBERT_LARGE"])
def test_pretrained_models_have_no_letters(name):
    assert not hasattr(getattr(torchaudio.pipelines, name), "get_labels")


@pytest.mark.parametrize("name", ["WAV2VEC2_ASR_BASE_960H", "HUBERT_ASR_LARGE"])
def test_fine_tuned_models_have_letters_and_a_blank_at_0(name):
    labels = getattr(torchaudio.pipelines, name).get_labels()
    assert len(labels) == 29
    assert labels[0] == "-"


def test_wav2vec_2_is_pretrained_by_telling_one_vector_from_100_distractors():
    from transformers import Wav2Vec2Config
    from transformers.models.wav2vec2 import modeling_wav2vec2

    assert Wav2Vec2Config().num_negatives == 100
    assert "contrastive_loss" in modeling_wav2vec2.Wav2Vec2ForPreTrainingOutput.__dataclass_fields__


def test_whisper_has_no_ctc_and_the_others_do():
    from transformers.models.hubert import modeling_hubert
    from transformers.models.wav2vec2 import modeling_wav2vec2
    from transformers.models.whisper import modeling_whisper

    assert not [name for name in dir(modeling_whisper) if "ctc" in name.lower()]
    assert modeling_wav2vec2.Wav2Vec2ForCTC
    assert modeling_hubert.HubertForCTC


@pytest.mark.parametrize(
    ("name", "normalized", "norm"),
    [
        ("WAV2VEC2_BASE", False, "group_norm"),
        ("HUBERT_BASE", False, "group_norm"),
        ("WAV2VEC2_LARGE_LV60K", True, "layer_norm"),
        ("HUBERT_LARGE", True, "layer_norm"),
    ],
)
def test_which_models_want_normalized_waveforms_and_which_norm_they_have(name, normalized, norm):
    bundle = getattr(torchaudio.pipelines, name)
    assert bundle._normalize_waveform is normalized
    assert bundle._params["extractor_mode"] == norm


# ----------------------------------------------------------------------------------- ready-made functions are refused

X, WEIGHT = torch.randn(1, 2, 9), torch.randn(3, 2, 4)
LAYER = torch.nn.Conv1d(2, 3, 4, bias=False)
LAYER.weight.data = WEIGHT


def scipy_signal(name):
    def convolve(x, weight):
        from scipy import signal

        flipped = weight.flip(-1) if name != "correlate" else weight
        rows = [sum(getattr(signal, name)(x[0, c], f[c], "valid") for c in range(2)) for f in flipped.numpy()]
        return torch.from_numpy(np.stack(rows))[None]

    return convolve


def numpy_convolve(x, weight):
    rows = [sum(np.convolve(x[0, c], f[c], "valid") for c in range(2)) for f in weight.flip(-1).numpy()]
    return torch.from_numpy(np.stack(rows))[None]


def two_d(convolve, *options):
    """A convolution over images, with images of one row."""
    return lambda x, w: convolve(x[:, :, None], w[:, :, None], *options)[:, :, 0]


def transposed(convolve):
    """A transposed convolution is a convolution with the filter backwards, on a padded input."""
    return lambda x, w: convolve(x, w.transpose(0, 1).flip(-1))[..., w.shape[-1] - 1 : x.shape[-1]]


def time_first(x, w):
    return torch.conv_tbc(x.permute(2, 0, 1), w.permute(2, 1, 0), torch.zeros(3)).permute(1, 2, 0)


def as_a_gradient(x, w):
    return torch.nn.grad.conv1d_input((1, 3, 12), w.transpose(0, 1).flip(-1), x)[..., 3:9]


def by_torchaudio(convolve):
    return lambda x, w: convolve(x[:, None].expand(1, 3, 2, 9), w.flip(-1)[None], "valid").sum(2)


ALIAS = torch.conv1d
ROUTES = {
    "torch.conv1d": lambda x, w: torch.conv1d(x, w),
    "torch.conv2d": two_d(lambda x, w: torch.conv2d(x, w)),
    "torch.conv3d": lambda x, w: torch.conv3d(x[:, :, None, None], w[:, :, None, None])[:, :, 0, 0],
    "torch.conv_tbc": time_first,
    "torch.conv_transpose1d": transposed(lambda x, w: torch.conv_transpose1d(x, w)),
    "torch.convolution": lambda x, w: torch.convolution(x, w, None, [1], [0], [1], False, [0], 1),
    "torch._convolution_mode": lambda x, w: torch._convolution_mode(x, w, None, [1], "valid", [1], 1),
    "a name bound before": ALIAS,
    "_C._VariableFunctions.conv1d": lambda x, w: torch._C._VariableFunctions.conv1d(x, w),
    "functional.conv1d": lambda x, w: functional.conv1d(x, w),
    "functional.conv2d": two_d(lambda x, w: functional.conv2d(x, w)),
    "functional.conv_transpose1d": transposed(lambda x, w: functional.conv_transpose1d(x, w)),
    "nn.Conv1d": lambda x, w: LAYER(x),
    "aten.conv1d": lambda x, w: torch.ops.aten.conv1d(x, w),
    "aten.conv1d.default": lambda x, w: torch.ops.aten.conv1d.default(x, w),
    "aten.convolution": lambda x, w: torch.ops.aten.convolution(x, w, None, [1], [0], [1], False, [0], 1),
    "_C._nn.thnn_conv2d": two_d(lambda x, w: torch._C._nn.thnn_conv2d(x, w, [1, 4])),
    "_C._nn.slow_conv_dilated2d": two_d(lambda x, w: torch._C._nn.slow_conv_dilated2d(x, w, [1, 4])),
    "nn.grad.conv1d_input": as_a_gradient,
    "torchaudio.functional.convolve": by_torchaudio(lambda *a: torchaudio.functional.convolve(*a)),
    "torchaudio.functional.fftconvolve": by_torchaudio(lambda *a: torchaudio.functional.fftconvolve(*a)),
    "scipy.signal.correlate": scipy_signal("correlate"),
    "scipy.signal.convolve": scipy_signal("convolve"),
    "scipy.signal.fftconvolve": scipy_signal("fftconvolve"),
    "scipy.signal.oaconvolve": scipy_signal("oaconvolve"),
    "numpy.convolve": numpy_convolve,
}


@pytest.mark.parametrize("route", ROUTES)
def test_this_way_into_a_ready_made_convolution_works_and_is_refused_while_conv1d_is_tried(route):
    expected = torch.conv1d(X, WEIGHT)
    torch.testing.assert_close(ROUTES[route](X, WEIGHT), expected, atol=1e-4, rtol=1e-4)
    got = answer(ROUTES[route], Question((X, WEIGHT), forbids=find_exercise("conv1d").forbids))
    assert got.error in ("RuntimeError", "AttributeError")
    torch.testing.assert_close(ROUTES[route](X, WEIGHT), expected, atol=1e-4, rtol=1e-4)


def test_after_a_refused_call_the_learner_reads_what_to_write_instead():
    def call(x, weight, bias=None, stride=1):
        return functional.conv1d(x, weight, bias, stride)

    verdict = judge(find_exercise("conv1d"), lambda question: answer(call, question), practice=True)
    assert verdict.fraction == 0
    assert "Here you write it yourself" in verdict.diagnosis.says
    assert verdict.diagnosis.mistake.startswith("ready_made")


FORBIDDEN = sorted(find_exercise("conv1d").forbids)


@pytest.mark.parametrize("name", FORBIDDEN)
def test_every_forbidden_name_exists(name):
    import pkgutil

    if name.startswith("aten::"):
        assert hasattr(torch.ops.aten, name.removeprefix("aten::"))
    else:
        assert callable(pkgutil.resolve_name(name))


@pytest.mark.parametrize("name", ["normalize_waveform", "gelu", "group_norm", "feature_encoder"])
def test_elsewhere_what_the_library_has_may_be_used(name):
    assert find_exercise(name).forbids == ()


def test_receptive_fields_explain_output_lengths():
    field, stride = receptive_field(KERNELS, STRIDES)
    for length in (400, 1_000, 47_216):
        assert conv_output_length(length, KERNELS, STRIDES) == math.floor((length - field) / stride) + 1
