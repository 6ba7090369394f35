"""Unit 06 against the field's own code: openai-whisper, transformers, PyTorch's modules; and what its prose says."""

import math

import pytest
import torch
from torch.nn import functional as F  # noqa: N812  (its name everywhere)
from transformers import (
    BertConfig,
    HubertConfig,
    OpenAIGPTConfig,
    SpeechT5Config,
    T5Config,
    Wav2Vec2Config,
    WhisperConfig,
    WhisperModel,
)
from transformers.models.speecht5.modeling_speecht5 import SpeechT5ScaledPositionalEncoding
from transformers.models.whisper.modeling_whisper import sinusoids as transformers_sinusoids
from whisper.model import AudioEncoder, ModelDimensions, ResidualAttentionBlock, TextDecoder, Whisper
from whisper.model import sinusoids as openai_sinusoids
from whisper.tokenizer import get_tokenizer

from grader.answer import answer
from grader.exercises import transformer
from grader.judge import judge
from tests.conftest import ROOT

SOURCE = (ROOT / "solutions/06_transformer/06_transformer.py").read_text(encoding="utf-8")
SIZES = {  # n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, n_heads, n_audio_layer, n_text_layer
    "tiny": (80, 1_500, 51_865, 448, 384, 6, 4, 4),
    "base": (80, 1_500, 51_865, 448, 512, 8, 6, 6),
    "small": (80, 1_500, 51_865, 448, 768, 12, 12, 12),
    "medium": (80, 1_500, 51_865, 448, 1_024, 16, 24, 24),
    "large": (80, 1_500, 51_865, 448, 1_280, 20, 32, 32),
    "large-v3": (128, 1_500, 51_866, 448, 1_280, 20, 32, 32),
    "turbo": (128, 1_500, 51_866, 448, 1_280, 20, 32, 4),
}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


# ------------------------------------------------------------------------------------------------------ positions


@pytest.mark.parametrize(("length", "channels"), [(1_500, 384), (1_500, 1_280), (7, 4)])
def test_sinusoids_are_openai_whispers_and_transformers(length, channels):
    ours = transformer.sinusoids(length, channels)
    assert (ours - openai_sinusoids(length, channels)).abs().max() < 3e-4
    assert (ours - transformers_sinusoids(length, channels)).abs().max() < 3e-4


def test_sinusoids_take_another_timescale_as_openai_whisper_does():
    assert torch.allclose(transformer.sinusoids(9, 10, 50.5), openai_sinusoids(9, 10, 50.5), atol=1e-5)


def test_the_papers_positions_are_speecht5s():
    theirs = SpeechT5ScaledPositionalEncoding(0.0, 32, max_len=400).pe[0]
    assert (transformer.positional_encoding(400, 32) - theirs).abs().max() < 1e-4


def test_sorting_the_papers_columns_does_not_give_whispers_table():
    paper = transformer.positional_encoding(1_500, 384)
    difference = torch.cat([paper[:, 0::2], paper[:, 1::2]], dim=1) - openai_sinusoids(1_500, 384)
    assert difference.abs().max() == pytest.approx(1.98, abs=0.005)


def test_the_tables_worked_out_by_hand():
    paper = [[0, 1, 0, 1], [0.8415, 0.5403, 0.0100, 1.0000], [0.9093, -0.4161, 0.0200, 0.9998]]
    assert torch.allclose(transformer.positional_encoding(3, 4), torch.tensor(paper), atol=6e-5)
    whisper = [[0, 0, 1, 1], [0.8415, 0.0001, 0.5403, 1.0000]]
    assert torch.allclose(transformer.sinusoids(2, 4), torch.tensor(whisper), atol=6e-5)


def test_likeness_of_two_positions_depends_on_their_distance_alone():
    products = transformer.sinusoids(200, 64) @ transformer.sinusoids(200, 64).T
    assert torch.allclose(products[10, :100], products[60, 50:150], atol=1e-3)


def test_self_attention_does_not_know_order():
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    x, order = torch.randn(1, 9, 8), torch.randperm(9)
    assert torch.allclose(layer(x)[:, order], layer(x[:, order]), atol=1e-5)
    x = x + transformer.sinusoids(9, 8)
    told = x[:, order] - transformer.sinusoids(9, 8)[order] + transformer.sinusoids(9, 8)
    assert (layer(x)[:, order] - layer(told)).abs().max() > 0.1


# --------------------------------------------------------------------------------------------------- small parts


def test_layer_norm_of_1_3_5_7():
    got = transformer.layer_norm(torch.tensor([1.0, 3.0, 5.0, 7.0]), torch.ones(4), torch.zeros(4))
    assert torch.allclose(got, torch.tensor([-1.342, -0.447, 0.447, 1.342]), atol=5e-4)


def test_gelu_of_2_and_minus_2():
    got = F.gelu(torch.tensor([2.0, -2.0]))
    assert got.tolist() == pytest.approx([1.9545, -0.0455], abs=5e-5)
    assert got.sum().item() == pytest.approx(1.9090, abs=5e-5)


def test_in_proj_weight_is_queries_then_keys_then_values():
    attention = torch.nn.MultiheadAttention(6, 1, batch_first=True)
    x = torch.randn(2, 5, 6)
    q, k, v = (
        F.linear(x, *pair)
        for pair in zip(attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3), strict=True)
    )
    by_hand = attention.out_proj(F.scaled_dot_product_attention(q, k, v))
    assert torch.allclose(by_hand, attention(x, x, x, need_weights=False)[0], atol=1e-6)


def test_the_two_mask_conventions_are_opposite():
    attention = torch.nn.MultiheadAttention(6, 1, bias=False, batch_first=True)
    x, left = torch.randn(1, 5, 6), torch.ones(5, 5, dtype=torch.bool).tril()
    q, k, v = (x @ weight.T for weight in attention.in_proj_weight.chunk(3))
    allowed = attention.out_proj(F.scaled_dot_product_attention(q, k, v, attn_mask=left))
    assert torch.allclose(allowed, attention(x, x, x, attn_mask=~left)[0], atol=1e-6)
    assert not torch.allclose(allowed, attention(x, x, x, attn_mask=left)[0].nan_to_num(), atol=1e-2)


def test_a_bias_on_the_keys_changes_nothing():
    params = torch.nn.TransformerEncoderLayer(6, 2, 12).state_dict()
    biased = {**params, "self_attn.in_proj_bias": torch.cat([torch.zeros(6), torch.randn(6), torch.zeros(6)])}
    x = torch.randn(2, 5, 6)
    assert torch.allclose(transformer.encoder_block(x, biased, 2), transformer.encoder_block(x, params, 2), atol=1e-5)


# ------------------------------------------------------------------------------------------------ Whisper's blocks


def _packed(attention: torch.nn.Module, name: str) -> dict[str, torch.Tensor]:
    """The parameters of one of openai-whisper's attentions under PyTorch's names; the key's bias is zero."""
    q, k, v = attention.query, attention.key, attention.value
    return {
        f"{name}.in_proj_weight": torch.cat([q.weight, k.weight, v.weight]),
        f"{name}.in_proj_bias": torch.cat([q.bias, torch.zeros_like(q.bias), v.bias]),
        f"{name}.out_proj.weight": attention.out.weight,
        f"{name}.out_proj.bias": attention.out.bias,
    }


def _named(pairs: dict[str, torch.nn.Module]) -> dict[str, torch.Tensor]:
    return {f"{name}.{part}": getattr(module, part) for name, module in pairs.items() for part in ("weight", "bias")}


def test_openai_whispers_encoder_block_is_ours():
    block = ResidualAttentionBlock(24, 3)
    params = _packed(block.attn, "self_attn") | _named(
        {"norm1": block.attn_ln, "linear1": block.mlp[0], "linear2": block.mlp[2], "norm2": block.mlp_ln}
    )
    x = torch.randn(2, 7, 24)
    assert torch.allclose(transformer.encoder_block(x, params, 3), block(x), atol=1e-5)


def test_openai_whispers_decoder_block_is_ours():
    block = ResidualAttentionBlock(24, 3, cross_attention=True)
    params = _packed(block.attn, "self_attn") | _packed(block.cross_attn, "multihead_attn")
    params |= _named({"norm1": block.attn_ln, "norm2": block.cross_attn_ln, "norm3": block.mlp_ln})
    params |= _named({"linear1": block.mlp[0], "linear2": block.mlp[2]})
    y, memory = torch.randn(2, 5, 24), torch.randn(2, 9, 24)
    theirs = block(y, memory, mask=torch.full((5, 5), -torch.inf).triu(1))
    assert torch.allclose(transformer.decoder_block(y, memory, params, 3), theirs, atol=1e-5)


def test_the_stem_is_openai_whispers():
    encoder = AudioEncoder(80, 300, 64, 1, 0)
    encoder.ln_post = torch.nn.Identity()
    mel = torch.randn(2, 80, 600)
    convolutions = (encoder.conv1.weight, encoder.conv1.bias, encoder.conv2.weight, encoder.conv2.bias)
    assert (transformer.whisper_stem(mel, *convolutions) - encoder(mel)).abs().max() < 5e-4


def test_whispers_mel_goes_through_two_one_dimensional_convolutions():
    with torch.device("meta"):
        encoder = AudioEncoder(80, 1_500, 384, 6, 4)
    convolutions = [module for module in encoder.modules() if isinstance(module, torch.nn.Conv1d | torch.nn.Conv2d)]
    assert all(isinstance(module, torch.nn.Conv1d) for module in convolutions)
    assert [tuple(module.weight.shape) for module in convolutions] == [(384, 80, 3), (384, 384, 3)]
    assert "conv1.weight (384, 80, 3)" in SOURCE
    assert "conv2.weight (384, 384, 3)" in SOURCE


def test_whisper_scores_tokens_not_frames_and_has_no_blank():
    decoder = TextDecoder(n_vocab=30, n_ctx=8, n_state=16, n_head=2, n_layer=1)
    decoder.positional_embedding.data.zero_()
    assert decoder(torch.tensor([[1, 2, 3, 4]]), torch.randn(1, 50, 16)).shape == (1, 4, 30)
    assert not [name for name in get_tokenizer(True).special_tokens if "blank" in name]


# -------------------------------------------------------------------------------------------------- parameter count


@pytest.mark.parametrize("name", SIZES)
def test_the_parameter_count_is_openai_whispers(name, monkeypatch):
    n_mels, n_audio_ctx, n_vocab, n_text_ctx, d, n_heads, n_audio_layer, n_text_layer = SIZES[name]
    dimensions = ModelDimensions(
        n_mels, n_audio_ctx, d, n_heads, n_audio_layer, n_vocab, n_text_ctx, d, n_heads, n_text_layer
    )
    # A buffer of the model is sparse, which the meta device does not know; buffers are not counted.
    monkeypatch.setattr(torch.Tensor, "to_sparse", lambda tensor: tensor)
    with torch.device("meta"):
        model = Whisper(dimensions)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert transformer.whisper_parameter_count(*SIZES[name]) == count
    assert f'"{name}": {count:_},' in SOURCE


def test_a_whisper_without_blocks_counted_by_hand():
    assert transformer.whisper_parameter_count(1, 9, 2, 3, 2, 1, 0, 0) == 8 + 14 + 4 + 6 + 8 == 40
    assert transformer.whisper_parameter_count(1, 9, 2, 3, 2, 1, 1, 0) == 40 + 22 + 42 + 8 == 112


def test_the_token_table_is_half_of_tiny_and_a_twentieth_of_large():
    for name, share in (("tiny", 0.54), ("large", 0.04)):
        n_vocab, n_text_ctx, d = SIZES[name][2:5]
        assert (n_vocab + n_text_ctx) * d / transformer.whisper_parameter_count(*SIZES[name]) == pytest.approx(
            share, abs=0.006
        )


def test_the_blocks_of_the_hint_counted_by_pytorch():
    sizes = [
        sum(one.numel() for one in kind(2, 1, 8).parameters()) - 2 * attentions  # PyTorch's keys have a bias
        for kind, attentions in ((torch.nn.TransformerEncoderLayer, 1), (torch.nn.TransformerDecoderLayer, 2))
    ]
    assert sizes == [72, 98]
    assert "22 + 42 + 2·4 = 72" in SOURCE
    assert transformer.whisper_parameter_count(1, 9, 2, 3, 2, 1, 3, 2) == 40 + 3 * 72 + 2 * 98


def test_transformers_counts_the_sinusoids_as_parameters():
    n_mels, _, n_vocab, _, d, n_heads, layers, _ = SIZES["tiny"]
    per_side = {"layers": layers, "attention_heads": n_heads, "ffn_dim": 4 * d}
    blocks = {f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in per_side.items()}
    with torch.device("meta"):
        model = WhisperModel(WhisperConfig(d_model=d, num_mel_bins=n_mels, vocab_size=n_vocab, **blocks))
    assert sum(one.numel() for one in model.parameters()) == 37_184_640 + 1_500 * d
    assert sum(one.numel() for one in model.parameters() if one.requires_grad) == 37_184_640


def test_the_published_figures_are_above_the_count_and_turbos_holds_the_sinusoids():
    published = {"tiny": 39, "base": 74, "small": 244, "medium": 769, "large": 1_550, "large-v3": 1_550, "turbo": 809}
    counts = {name: transformer.whisper_parameter_count(*size) for name, size in SIZES.items()}
    above = {name: 1e6 * said / counts[name] - 1 for name, said in published.items()}
    assert [f"{above[name]:.1%}" for name in ("tiny", "large")] == ["4.9%", "0.6%"]
    stored = {name: counts[name] + size[1] * size[4] for name, size in SIZES.items()}
    assert round(stored["turbo"] / 1e6) == published["turbo"]
    assert [f"{1e6 * published[name] / stored[name] - 1:.1%}" for name in ("tiny", "large")] == ["3.3%", "0.4%"]
    assert all(1e6 * (published[name] - 0.5) > stored[name] for name in ("tiny", "base", "small", "medium"))
    assert 1e6 * (published["large"] - 5) > stored["large"]  # rounded to ten millions


# ------------------------------------------------------------------------------------------------- what is noticed


def test_numbers_that_are_nan_are_not_called_causal():
    def nothing_seen(y, memory, params, n_heads):
        left = torch.ones(y.shape[1], y.shape[1], dtype=torch.bool).tril(-1)
        return transformer._decoder(y, memory, params, n_heads, left=left)

    for wrong in (nothing_seen, lambda y, memory, params, n_heads: y * math.nan):
        verdict = judge(transformer.decoder_block, lambda question, wrong=wrong: answer(wrong, question), practice=True)
        found = {outcome.case.name: outcome.finding for outcome in verdict.outcomes}
        assert "NaN" in found["later_tokens_change_nothing"].says
        assert not verdict.groups["causality"]


@pytest.mark.parametrize(
    ("combine", "mistake"),
    [
        (lambda x, table: x + table(*x.shape[1:]), "never_exchanged"),
        (lambda x, table: x + table(*x.mT.shape[1:]), "positions_too_early"),
        (lambda x, table: x + table(*x.mT.shape[1:]).mT, "time_still_last"),
        (lambda x, table: x.reshape(x.mT.shape) + table(*x.mT.shape[1:]), "reshaped"),
    ],
)
def test_a_stem_that_does_not_exchange_time_and_channels_is_told_so(combine, mistake):
    def table(length, channels):
        half = channels // 2
        angles = torch.arange(length)[:, None] * 10_000 ** (-torch.arange(half) / (half - 1))
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    def stem(mel, w1, b1, w2, b2):
        return combine(F.gelu(F.conv1d(F.gelu(F.conv1d(mel, w1, b1, padding=1)), w2, b2, stride=2, padding=1)), table)

    verdict = judge(transformer.whisper_stem, lambda question: answer(stem, question), practice=True)
    assert verdict.diagnosis.mistake == mistake


# ------------------------------------------------------------------------------------------- what the notebook says


def test_two_gelus_leave_at_most_a_fourteenth_below_zero():
    lowest = F.gelu(F.gelu(torch.linspace(-10, 10, 20_001))).min()
    assert lowest.item() == pytest.approx(-0.0735, abs=5e-5)


def test_the_models_in_the_picture_have_the_sizes_of_their_configurations():
    bert, gpt, t5, speech, wave, hubert = (
        one() for one in (BertConfig, OpenAIGPTConfig, T5Config, SpeechT5Config, Wav2Vec2Config, HubertConfig)
    )
    assert (bert.num_hidden_layers, bert.hidden_size) == (12, 768)
    assert (gpt.n_layer, gpt.n_embd) == (12, 768)
    assert (t5.num_layers, t5.num_decoder_layers, t5.d_model, t5.num_heads) == (6, 6, 512, 8)  # T5 small
    assert (speech.encoder_layers, speech.decoder_layers, speech.hidden_size) == (12, 6, 768)
    assert (wave.num_hidden_layers, wave.hidden_size, len(wave.conv_dim)) == (12, 768, 7)
    assert (hubert.num_hidden_layers, hubert.hidden_size, len(hubert.conv_dim)) == (12, 768, 7)
    assert SIZES["base"][4:] == (512, 8, 6, 6)


def test_the_prompt_is_whispers():
    tokenizer = get_tokenizer(True, language="en", task="transcribe")
    assert tokenizer.sot_sequence_including_notimestamps == (50_258, 50_259, 50_359, 50_363)
    assert "[[50_258, 50_259, 50_359, 50_363]]" in SOURCE


def test_guessing_any_number_costs_two_nats_a_token():
    lengths = (2, 3, 4)
    digits, tokens = sum(lengths) / 3, sum(length + 1 for length in lengths) / 3
    assert (digits * math.log(10) + math.log(3)) / tokens == pytest.approx(2.00, abs=0.005)
