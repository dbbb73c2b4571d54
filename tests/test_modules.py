"""What modules weigh, and that an emptied one weighs nothing, whoever holds it and however."""

from __future__ import annotations

import gc
import itertools

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nbasr.errors import ModelError
from nbasr.memory.modules import bytes_of, empty, own, part_of


class Talker(nn.Module):
    """A model with the usual parts: 64 numbers wide, its head tied to its embeddings."""

    def __init__(self):
        super().__init__()
        self.audio_tower = nn.Linear(32, 64)
        self.multi_modal_projector = nn.Linear(64, 64, bias=False)
        self.language_model = nn.Module()
        self.language_model.embed_tokens = nn.Embedding(100, 64)
        self.language_model.fc = nn.Linear(64, 128)
        self.language_model.register_buffer("turns", torch.zeros(10))
        self.lm_head = nn.Linear(64, 100, bias=False)
        self.lm_head.weight = self.language_model.embed_tokens.weight


@pytest.fixture
def quantised():
    bnb = pytest.importorskip("bitsandbytes")

    def make(method, double=True):
        torch.manual_seed(1)
        plain = nn.Linear(128, 64, bias=False)
        if method == "int8":
            layer = bnb.nn.Linear8bitLt(128, 64, bias=False, has_fp16_weights=False, threshold=6.0)
        else:
            layer = bnb.nn.Linear4bit(
                128, 64, bias=False, quant_type=method, compress_statistics=double
            )
        layer.load_state_dict(plain.state_dict())
        return nn.Sequential(layer).to("cpu").eval()

    return make


def test_each_part_is_counted_in_bytes_and_shared_weights_once():
    model = Talker()
    assert bytes_of(model) == {
        "audio tower": 4 * (32 * 64 + 64),
        "projector": 4 * 64 * 64,
        "embeddings": 4 * 100 * 64,
        "decoder": 4 * (64 * 128 + 128 + 10),
    }
    model.lm_head.weight = nn.Parameter(torch.zeros(100, 64, dtype=torch.bfloat16))
    assert bytes_of(model)["head"] == 2 * 100 * 64


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("model.encoder.layers.0.fc1.weight", "audio tower"),
        ("model.encoder.embed_positions.weight", "audio tower"),
        ("model.decoder.embed_tokens.weight", "embeddings"),
        ("model.decoder.layers.3.encoder_attn.k_proj.weight", "decoder"),
        ("model.language_model.layers.0.mlp.up_proj.weight", "decoder"),
        ("model.audio_tower.conv2d1.bias", "audio tower"),
        ("proj_out.weight", "head"),
        ("score.weight", "head"),
        ("ctc_lo.weight", "ctc lo"),
    ],
)
def test_weights_belong_to_parts_by_their_names(name, part):
    assert part_of(name) == part


def test_nothing_and_modules_without_memory_weigh_nothing():
    assert bytes_of(None) == {}
    assert empty(None) == 0
    with torch.device("meta"):
        model = Talker()
    assert bytes_of(model) == {}
    assert empty(model) == 0


@settings(max_examples=15)
@given(
    widths=st.lists(st.integers(1, 40), min_size=2, max_size=6),
    half=st.booleans(),
    tie=st.booleans(),
)
def test_the_bytes_of_any_stack_are_those_of_its_numbers(widths, half, tie):
    layers = [nn.Linear(a, b) for a, b in itertools.pairwise(widths)]
    model = nn.Sequential(*layers, *(layers[:1] if tie else []))
    if half:
        model.to(torch.bfloat16)
    numbers = sum(a * b + b for a, b in itertools.pairwise(widths))
    assert sum(bytes_of(model).values()) == numbers * (2 if half else 4)
    assert empty(model) == numbers * (2 if half else 4)
    assert bytes_of(model) == {}


@pytest.mark.parametrize("method", ["int8", "nf4", "fp4"])
@pytest.mark.parametrize("used", [False, True])
def test_scales_and_tables_of_quantised_layers_are_counted(quantised, method, used):
    model = quantised(method, double=False)
    if used:
        with torch.inference_mode():
            model(torch.ones(1, 128))
    (held,) = bytes_of(model).values()
    numbers = 128 * 64
    if method == "int8":
        assert held == numbers + 4 * 64
    else:  # a scale for 64 weights, of 4 bytes, or of 2 once a CPU with AVX512-BF16 has packed it
        packed = getattr(model[0].weight.quant_state, "packing_format_for_cpu", False)
        assert held == numbers // 2 + numbers // 64 * (2 if packed else 4) + 16 * 4


def test_doubly_quantised_scales_are_counted_with_their_own(quantised):
    model = quantised("nf4", double=True)
    (held,) = bytes_of(model).values()
    numbers = 128 * 64
    scales = numbers // 64  # one byte each, and one 4-byte scale for 256 of them
    tables = 16 * 4 + 256 * 4
    assert held == numbers // 2 + scales + 4 * -(-scales // 256) + 4 + tables


def test_a_gradient_is_counted_and_taken():
    model = nn.Linear(8, 8, bias=False)
    model(torch.ones(1, 8)).sum().backward()
    assert sum(bytes_of(model).values()) == 2 * 4 * 64
    empty(model)
    assert model.weight.grad is None


def test_whoever_holds_the_model_or_a_view_of_a_weight_holds_nothing_afterwards():
    model = Talker()
    weight, view = model.lm_head.weight, model.language_model.fc.weight.detach()[3:5]
    slices = {"deep": [model.audio_tower.weight.T]}
    before = sum(bytes_of(model).values())
    assert empty(model) == before
    assert bytes_of(model) == {}
    assert weight.numel() == view.numel() == slices["deep"][0].numel() == 0
    assert weight.untyped_storage().nbytes() == view.untyped_storage().nbytes() == 0


def test_copies_and_other_models_keep_their_numbers():
    model, other = Talker(), Talker()
    copy = model.audio_tower.weight.detach().clone()
    empty(model)
    assert copy.shape == (64, 32)
    assert float(copy.abs().sum()) > 0
    assert other.audio_tower(torch.ones(1, 32)).shape == (1, 64)


def test_memory_that_numpy_looks_at_is_left_to_it():
    layer = nn.Linear(256, 256, bias=False)
    seen = layer.weight.detach().numpy()
    numbers = seen.copy()
    empty(layer)
    assert layer.weight.numel() == 0
    junk = [torch.randn(256, 256) for _ in range(8)]  # would land where the weight was
    np.testing.assert_array_equal(seen, numbers)
    del junk


def test_memory_mapped_from_a_file_is_left_to_those_who_look_at_it(tmp_path):
    (tmp_path / "weights").write_bytes(np.arange(64, dtype=np.float32).tobytes())
    stored = torch.UntypedStorage.from_file(str(tmp_path / "weights"), False, 256)
    layer = nn.Linear(8, 8, bias=False)
    layer.weight.data = torch.empty(0).set_(stored).view(8, 8)
    view = layer.weight.detach()[0]
    del stored
    assert empty(layer) == 256
    assert layer.weight.numel() == 0
    assert view.tolist() == list(range(8))


def test_a_module_can_be_given_memory_of_its_own(tmp_path):
    from safetensors.torch import load_file, save_file

    save_file(dict(nn.Linear(8, 8).state_dict()), tmp_path / "weights")
    layer = nn.Linear(8, 8)
    layer.load_state_dict(load_file(tmp_path / "weights"), assign=True)
    model = nn.Sequential(layer, nn.Linear(8, 8))
    model[1].weight = layer.weight
    parameters = list(model.parameters())
    numbers, size = [one.tolist() for one in parameters], bytes_of(model)
    assert not layer.weight.untyped_storage().resizable()
    own(model)
    assert all(one.untyped_storage().resizable() for one in model.parameters())
    assert [one.tolist() for one in parameters] == numbers
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))
    assert bytes_of(model) == size


@pytest.mark.parametrize("method", ["int8", "nf4", "fp4"])
@pytest.mark.parametrize("used", [False, True])
def test_a_quantised_layer_is_emptied_and_another_one_works_on(quantised, method, used):
    model, other = quantised(method), quantised(method)
    sound = torch.linspace(-1, 1, 128)[None]
    with torch.inference_mode():
        before = other(sound)
        if used:
            model(sound)
    parameter = model[0].weight
    assert empty(model) > 0
    assert bytes_of(model) == {}
    assert parameter.numel() == 0
    with torch.inference_mode():
        assert torch.equal(other(sound), before)
        assert quantised(method)(sound).shape == (1, 64)  # the shared tables are whole


def test_an_emptied_module_says_so_when_it_or_a_part_of_it_is_called(quantised):
    model, four = Talker(), quantised("nf4")
    empty(model)
    empty(four)
    for part, sound in ((model, 1), (model.audio_tower, torch.ones(1, 32)), (four[0], 1)):
        with pytest.raises(ModelError, match="unloaded and is empty; load it again"):
            part(sound)


def test_hooks_and_what_they_hold_are_let_go():
    class Held:
        pass

    model, held = Talker(), Held()
    model.audio_tower.register_forward_hook(lambda *_, held=held: None)
    model.register_forward_pre_hook(lambda *_, held=held: None, with_kwargs=True)
    empty(model)
    assert not [one for one in gc.get_referrers(held) if isinstance(one, (tuple, dict))]


def test_weights_that_accelerate_keeps_elsewhere_are_counted_and_taken():
    accelerate = pytest.importorskip("accelerate")
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))
    whole = sum(bytes_of(model).values())
    accelerate.cpu_offload(model, execution_device=torch.device("cpu"))
    assert model[0].weight.device.type == "meta"
    assert model(torch.ones(1, 64)).shape == (1, 64)
    assert sum(bytes_of(model).values()) == whole
    assert empty(model) == whole
    assert bytes_of(model) == {}
    assert not any(hasattr(part, "_hf_hook") for part in model.modules())


def test_weights_made_in_inference_mode_are_taken_too():
    with torch.inference_mode():
        model = Talker()
    assert empty(model) > 0
    assert bytes_of(model) == {}


def test_emptying_twice_is_no_error():
    model = Talker()
    empty(model)
    assert empty(model) == 0


def test_the_system_gets_the_memory_back_while_the_model_is_held():
    process = psutil.Process()
    gc.collect()
    start = process.memory_info().rss
    model = nn.Linear(8192, 8192, bias=False)
    model.weight.data.fill_(1.0)
    held = [model, model.weight, model.weight.detach()[:2]]
    assert process.memory_info().rss - start > 200e6
    assert empty(model) == 4 * 8192**2
    assert process.memory_info().rss - start < 30e6
    assert len(held) == 3
