"""Memory told before a model is loaded: formulas, what fits, what is refused, what is learned."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbasr import memory, models, settings, store
from nbasr.engines.base import EngineSpec
from nbasr.engines.quantization import Quantization
from nbasr.errors import ModelError, OptionError, OutOfMemoryError
from nbasr.memory.estimate import SANM, TOWER_SECONDS, Costs, MemoryEstimate, peak
from nbasr.models import _needs, catalog, estimating, weights

QWEN = EngineSpec("audio_llm", "Qwen/Qwen3-ASR-1.7B-hf", "qwen3-asr-1.7b", "bf16", max_seconds=60.0)
WHISPER = EngineSpec("whisper", "openai/whisper-large-v3", "whisper-large-v3", "bf16")
NANO = EngineSpec("audio_llm", "FunAudioLLM/Fun-ASR-Nano-2512-hf", "fun-asr-nano", "bf16")
ALIGNER = EngineSpec(
    "aligner", "Qwen/Qwen3-ForcedAligner-0.6B-hf", "qwen3-forced-aligner-0.6b", "bf16"
)
PARAFORMER = EngineSpec("funasr", "funasr/paraformer-zh", "paraformer-zh")
LARGE = [QWEN, WHISPER, NANO, ALIGNER, PARAFORMER]

GB = 10**9


@pytest.fixture(autouse=True)
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give each test measurements of its own, and take its budget away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBASR_HOME", str(tmp_path_factory.mktemp("home")))
        yield
    memory.set_budget(None, "cpu")


def costs(spec: EngineSpec, **more: Any) -> Costs:
    facts = SANM if spec.engine == "funasr" else weights.facts(spec)
    family = weights.family(spec) if spec.engine in ("whisper", "audio_llm") else spec.engine
    return Costs(family, facts, **more)


# The formulas


@given(
    spec=st.sampled_from(LARGE),
    method=st.sampled_from(["", "int8", "nf4"]),
    number=st.sampled_from([2, 4]),
    seconds=st.floats(0.1, 200.0),
    more=st.floats(0.0, 100.0),
    batch=st.integers(1, 64),
    others=st.integers(0, 64),
    tokens=st.integers(0, 2000),
    further=st.integers(0, 2000),
)
def test_more_sound_more_chunks_and_longer_answers_never_take_less(
    spec: EngineSpec,
    method: str,
    number: int,
    seconds: float,
    more: float,
    batch: int,
    others: int,
    tokens: int,
    further: int,
) -> None:
    model = costs(spec, method=method, dtype_bytes=number)
    least = peak(model, seconds, batch, tokens).total_bytes
    assert least > 0
    assert peak(model, seconds + more, batch, tokens).total_bytes >= least
    assert peak(model, seconds, batch + others, tokens).total_bytes >= least
    assert peak(model, seconds, batch, tokens + further).total_bytes >= least


def test_the_audio_tower_of_qwen_no_longer_grows_with_the_batch() -> None:
    few, many = (costs(QWEN).phases(30.0, batch, 0)[0] for batch in (2, 32))
    assert few.name == many.name == "hearing"
    assert many.total_bytes < 1.6 * few.total_bytes  # mel features and states still do
    assert few.total_bytes == pytest.approx(TOWER_SECONDS * 6.144e6, rel=0.1)


def test_the_cache_of_a_token_is_that_of_the_architecture() -> None:
    two, one = (peak(costs(QWEN), 30.0, 16, tokens).cache_bytes for tokens in (1000, 999))
    assert two - one == 16 * 114_688  # 2 x 28 layers x 8 heads x 128 numbers x 2 bytes


def test_whispers_cache_is_that_of_its_window_however_short_the_sound() -> None:
    short, whole = (peak(costs(WHISPER), seconds, 1, 10).cache_bytes for seconds in (1.0, 30.0))
    assert short == whole == pytest.approx(246e6, rel=0.02)


def test_int8_and_4_bits_compute_with_more_than_plain_weights() -> None:
    plain, int8, nf4 = (
        costs(QWEN, method=method).phases(30.0, 8, 100)[1].activations_bytes
        for method in ("", "int8", "nf4")
    )
    assert int8 > plain
    assert nf4 == pytest.approx(plain + 2048 * 6144 * 2, abs=2)  # the largest weight, unpacked


def test_a_model_of_which_nothing_is_known_takes_nothing() -> None:
    assert peak(Costs("whisper"), 30.0, 4, 100).total_bytes == 0


# The formulas against the real code of transformers, every tensor followed


def _narrow(made: Any, family: str) -> Costs:
    from nbasr.models import _meta

    return Costs(family, _meta.facts_of(family, made.config))


def test_whispers_formula_is_what_its_tensors_take() -> None:
    import torch
    from tensors import Alive
    from transformers import WhisperConfig, WhisperForConditionalGeneration
    from transformers.generation.utils import GenerationMixin

    torch.manual_seed(0)
    made = WhisperForConditionalGeneration._from_config(
        WhisperConfig(
            d_model=256,
            encoder_layers=1,
            decoder_layers=8,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=1024,
            decoder_ffn_dim=1024,
        ),
        attn_implementation="sdpa",
        dtype=torch.bfloat16,
    ).eval()
    batch = 2
    features = torch.randn(batch, 80, 3000, dtype=torch.bfloat16)

    with Alive(made) as alive, torch.inference_mode():
        encoded = made.get_encoder()(features)
        hearing, alive.peak_bytes = alive.peak_bytes, 0
        GenerationMixin.generate(
            made,
            encoder_outputs=encoded,
            decoder_input_ids=torch.full((batch, 4), 3),
            attention_mask=torch.ones(batch, 4),
            max_new_tokens=8,
            min_new_tokens=8,
            do_sample=False,
        )
        writing = alive.peak_bytes
    told = _narrow(made, "whisper").phases(30.0, batch, 8)
    assert told[0].total_bytes == pytest.approx(hearing, rel=0.1)
    assert told[1].total_bytes == pytest.approx(writing, rel=0.1)


@pytest.mark.parametrize("batch", [1, 2])
def test_the_formula_of_fun_asr_is_what_its_tensors_take(batch: int) -> None:
    import torch
    from tensors import Alive
    from transformers import FunAsrNanoConfig, FunAsrNanoForConditionalGeneration

    torch.manual_seed(0)
    text = {
        "model_type": "qwen3",
        "hidden_size": 512,
        "intermediate_size": 1536,
        "num_hidden_layers": 2,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "vocab_size": 152_000,
    }
    audio = {
        "model_type": "fun_asr_nano_encoder",
        "num_hidden_layers": 3,
        "num_timestamp_prediction_layers": 1,
    }
    with torch.device("meta"):
        made = FunAsrNanoForConditionalGeneration._from_config(
            FunAsrNanoConfig(
                text_config=text,
                audio_config=audio,
                adaptor_config={"hidden_size": 512, "intermediate_size": 128},
            ),
            attn_implementation="sdpa",
            dtype=torch.bfloat16,
        ).eval()
    made = made.to_empty(device="cpu")
    for weight in (*made.parameters(), *made.buffers()):
        weight.data.zero_()
    heard = 250  # frames of 60 ms
    ids = torch.full((batch, heard + 24), 5)
    ids[:, 8 : 8 + heard] = made.config.audio_token_id
    mask = torch.ones_like(ids)
    if batch > 1:  # one is shorter, so that there is padding to be masked
        mask[0, :4] = 0
    with Alive(made) as alive, torch.inference_mode():
        made.generate(
            input_ids=ids,
            attention_mask=mask,
            input_features=torch.randn(batch, heard, 560),
            input_features_mask=torch.ones(batch, heard, dtype=torch.long),
            max_new_tokens=2,
            do_sample=False,
        )
    told = peak(_narrow(made, "fun_asr_nano"), 15.0, batch, 2)
    assert told.total_bytes == pytest.approx(alive.peak_bytes, rel=0.1)


def test_the_formula_of_qwen_is_what_its_tensors_take_in_pieces() -> None:
    import torch
    from tensors import Alive
    from transformers import Qwen3ASREncoder
    from transformers.models.qwen3_asr.configuration_qwen3_asr import Qwen3ASREncoderConfig

    from nbasr.engines._audio_tower import in_pieces

    config = Qwen3ASREncoderConfig(
        d_model=256, encoder_layers=1, encoder_attention_heads=4, encoder_ffn_dim=1024
    )
    config._attn_implementation = "sdpa"
    torch.manual_seed(0)
    tower = Qwen3ASREncoder(config).to(torch.bfloat16).eval()
    in_pieces(tower)
    batch, seconds = 2, 24
    features = torch.randn(batch, 128, 100 * seconds, dtype=torch.bfloat16)
    mask = torch.ones(batch, 100 * seconds, dtype=torch.long)
    with Alive(tower) as alive, torch.inference_mode():
        tower(input_features=features, input_features_mask=mask)
    facts = {**weights.facts(QWEN), "encoder_width": 256, "encoder_inner": 1024}
    told = Costs("qwen3_asr", facts).phases(float(seconds), batch, 0)[0]
    assert told.total_bytes == pytest.approx(alive.peak_bytes, rel=0.1)


# What is told of a model


@pytest.mark.parametrize("name", [entry.name for entry in catalog.entries()])
def test_every_model_of_the_catalogue_is_told_without_being_here(name: str) -> None:
    told = estimating.estimate(name, device="cpu")
    assert told.weights_bytes > 0
    assert told.total_bytes == (
        told.weights_bytes
        + told.activations_bytes
        + told.cache_bytes
        + told.context_bytes
        + told.slack_bytes
    )
    assert told.context_bytes == 0  # no CUDA here


def test_nothing_is_loaded_for_it() -> None:
    code = (
        "import sys\n"
        "from nbasr.engines.base import EngineSpec\n"
        "from nbasr.models import estimate\n"
        f"print(estimate({QWEN!r}))\n"
        "assert not {'torch', 'transformers', 'bitsandbytes'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "audio tower" in done.stdout


def test_the_weights_are_those_of_the_inventory() -> None:
    told = estimating.estimate("qwen3-asr-1.7b", quantization="int8", dtype="bf16", device="cpu")
    assert told.precision == "int8"
    assert dict(told.weights) == weights.weights(replace(QWEN, quantization=Quantization("int8")))


def test_chunks_are_those_that_suit_the_model_unless_told() -> None:
    told = estimating.estimate(QWEN)
    assert (told.chunk_seconds, told.batch_size) == (60.0, 1)
    told = estimating.estimate(QWEN, chunk_seconds=30, batch_size=8)
    assert (told.chunk_seconds, told.batch_size) == (30, 8)


def test_the_usual_batch_is_no_larger_than_what_fits() -> None:
    memory.set_budget("6GB", "cpu")
    told = estimating.estimate(replace(QWEN, batch_size=64))
    assert 1 < told.batch_size == told.largest_batch < 64
    assert told.fits


def test_a_budget_is_the_room_that_there_is() -> None:
    memory.set_budget("4GB", "cpu")
    told = estimating.estimate(QWEN)
    assert told.room_bytes == 4 * GB
    assert not told.fits
    assert told.largest_batch == 0


@pytest.mark.parametrize(
    "wrong",
    [{"chunk_seconds": 0}, {"chunk_seconds": -1.0}, {"batch_size": 0}, {"batch_size": True}],
)
def test_lengths_and_batches_are_above_0(wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="above 0"):
        estimating.estimate(QWEN, **wrong)


def test_of_an_unknown_hub_model_nothing_is_told_until_it_is_here() -> None:
    with pytest.raises(ModelError, match=r"not known until it is on this machine"):
        estimating.estimate("somebody/whisper-of-mine", device="cpu")


def test_a_local_folder_is_told_like_a_model_of_the_catalogue(assets: Path) -> None:
    told = estimating.estimate(str(assets / "qwen3-asr-tiny-meeting"), device="cpu")
    assert told.weights_bytes == pytest.approx(13_380_000, rel=0.1)
    assert told.fits


def test_what_a_loaded_model_holds_is_room_for_itself(assets: Path) -> None:
    folder = str(assets / "whisper-tiny-meeting")
    memory.set_budget("500MB", "cpu")
    empty = estimating.estimate(folder, device="cpu")
    most = estimating.largest_batch(catalog.resolve(folder, device="cpu"), 30.0)
    model = models.load(folder, device="cpu")
    try:
        full = estimating.estimate(folder, device="cpu")
        assert full.room_bytes == pytest.approx(empty.room_bytes, rel=0.01)
        assert abs(full.largest_batch - empty.largest_batch) <= 1
        assert abs(estimating.largest_batch(model.spec, 30.0) - most) <= 1
    finally:
        models.unload_all()


@given(
    spec=st.sampled_from(LARGE),
    seconds=st.floats(0.5, 60.0),
    room=st.integers(10 * 10**6, 100 * GB),
)
def test_the_largest_batch_fits_and_one_more_does_not(
    spec: EngineSpec, seconds: float, room: int
) -> None:
    def need(batch: int) -> int:
        run = estimating.run_bytes(spec, seconds, batch)
        return run + _needs.slack_bytes(spec, run)

    most = estimating.largest_batch(spec, seconds, room)
    assert most == 0 or need(most) <= room
    assert most == _needs.MOST or need(most + 1) > room


# What is refused


def test_a_model_that_fits_passes() -> None:
    memory.set_budget("5GB", "cpu")
    estimating.must_fit(QWEN)


def test_a_model_that_does_not_fit_is_refused_with_what_would() -> None:
    memory.set_budget("4GB", "cpu")
    with pytest.raises(OutOfMemoryError) as caught:
        estimating.must_fit(QWEN)
    told = str(caught.value)
    assert "qwen3-asr-1.7b in bf16 does not fit and was not loaded" in told
    assert "room for 4.0 GB on cpu within the budget of 4.0 GB" in told
    assert 'quantization="int8"' in told
    assert 'quantization="nf4"' in told
    assert "up to" in told  # so many chunks at once
    assert "whisper" in told  # another model


@pytest.mark.parametrize("budget", ["2.5GB", "3GB", "4GB", "6GB", "8GB"])
def test_what_a_refusal_names_does_fit(budget: str) -> None:
    memory.set_budget(budget, "cpu")
    with pytest.raises(OutOfMemoryError) as caught:
        estimating.must_fit(replace(QWEN, dtype="float32"))
    told = str(caught.value)
    named = 0
    for method in ("int8", "nf4"):
        for dtype in ("float32", "bf16"):
            asked = f'quantization="{method}"' + (' with dtype="bf16"' if dtype == "bf16" else "")
            if f"{asked} (" in told:
                named += 1
                spec = replace(QWEN, dtype=dtype, quantization=Quantization(method))
                plain = catalog.resolve("qwen3-asr-1.7b", "auto", "cpu", method).dtype
                estimating.must_fit(replace(spec, dtype=dtype if "with" in asked else plain))
    assert named >= 1


def test_where_nothing_fits_the_way_out_is_told() -> None:
    memory.set_budget("20MB", "cpu")
    with pytest.raises(OutOfMemoryError, match=r'Unload other models.*model="sphinx"'):
        estimating.must_fit(catalog.resolve("whisper-tiny", device="cpu"))


def test_who_can_make_room_says_how_much() -> None:
    memory.set_budget("1GB", "cpu")
    estimating.must_fit(QWEN, room=5 * GB)
    with pytest.raises(OutOfMemoryError):
        estimating.must_fit(QWEN, room=4 * GB)


def test_offloading_is_offered_only_where_it_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "checked_device", lambda device: device)  # as if there were a GPU
    for spec, offered in ((QWEN, True), (PARAFORMER, False)):
        with pytest.raises(OutOfMemoryError) as caught:
            estimating.must_fit(replace(spec, device="cuda"), room=10**6)
        assert ("offload=True" in str(caught.value)) is offered


def test_it_is_told_for_what_the_settings_would_load() -> None:
    try:
        settings.current().dtype, settings.current().quantization = "bf16", "int8"
        assert models.estimate("qwen3-asr-1.7b", device="cpu").precision == "int8"
        plain = models.estimate("qwen3-asr-1.7b", device="cpu", quantization="none")
        assert plain.precision == "bf16"
    finally:
        settings.current().dtype = settings.current().quantization = "auto"


def test_a_model_of_unknown_size_and_one_that_may_be_offloaded_pass() -> None:
    memory.set_budget("20MB", "cpu")
    estimating.must_fit(EngineSpec("whisper", "somebody/whisper-of-mine", "whisper-of-mine"))
    estimating.must_fit(replace(QWEN, offload=True))


@pytest.mark.parametrize(
    ("budget", "told"),
    [("100GB", "float32, bf16, int8, nf4"), ("5GB", "bf16, int8, nf4"), ("500MB", "no")],
)
def test_choices_are_the_precisions_that_fit(
    budget: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbasr.memory import budget as budgets

    monkeypatch.setattr(budgets, "free_bytes", lambda device: 200 * GB)
    memory.set_budget(budget, "cpu")
    assert estimating.choices("qwen3-asr-1.7b", "cpu") == told


def test_the_embedded_engine_has_one_precision() -> None:
    assert estimating.choices("sphinx", "cpu") == "float32"


def test_an_unknown_model_has_no_known_choices() -> None:
    assert estimating.choices("somebody/whisper-of-mine", "cpu") == ""


# What is learned


def test_what_was_measured_corrects_the_estimate() -> None:
    expected = estimating.run_bytes(QWEN, 30.0, 8)
    estimating.measured(QWEN, 30.0, 8, round(0.6 * expected))
    told = estimating.estimate(QWEN, chunk_seconds=30, batch_size=8)
    assert told.ratio == pytest.approx(0.6)
    assert told.activations_bytes + told.cache_bytes == pytest.approx(0.6 * expected, rel=0.05)
    assert estimating.run_bytes(QWEN, 30.0, 8) == pytest.approx(0.6 * expected, rel=0.05)


def test_it_is_measured_against_the_formula_not_against_what_it_corrected() -> None:
    for _ in range(3):
        expected = _needs.predicted(QWEN, 30.0, 8).total_bytes
        estimating.measured(QWEN, 30.0, 8, expected // 2)
    assert estimating.estimate(QWEN).ratio == pytest.approx(0.5, rel=0.01)


def test_a_correction_changes_what_fits() -> None:
    before = estimating.largest_batch(QWEN, 30.0, 4 * GB)
    estimating.measured(QWEN, 30.0, 8, 2 * estimating.run_bytes(QWEN, 30.0, 8))
    assert estimating.largest_batch(QWEN, 30.0, 4 * GB) == pytest.approx(before / 2, abs=1)


def test_other_precisions_learn_for_themselves() -> None:
    estimating.measured(QWEN, 30.0, 8, estimating.run_bytes(QWEN, 30.0, 8) // 2)
    assert estimating.estimate(replace(QWEN, quantization=Quantization("nf4"))).ratio is None
    assert estimating.estimate(replace(QWEN, dtype="float32")).ratio is None


def test_small_runs_teach_nothing(assets: Path) -> None:
    spec = catalog.resolve(str(assets / "whisper-tiny-meeting"), device="cpu")
    estimating.measured(spec, 30.0, 1, 10**9)
    assert not store.path().exists()


@pytest.mark.parametrize(("factor", "kept"), [(100.0, 4.0), (0.001, 0.25)])
def test_what_cannot_be_the_run_alone_is_not_believed(factor: float, kept: float) -> None:
    estimating.measured(QWEN, 30.0, 8, round(factor * estimating.run_bytes(QWEN, 30.0, 8)))
    assert estimating.estimate(QWEN).ratio == pytest.approx(kept)


# How it is shown


def test_it_is_shown_in_a_few_lines_with_what_fits() -> None:
    memory.set_budget("4GB", "cpu")
    shown = repr(estimating.estimate(QWEN, chunk_seconds=30, batch_size=4))
    assert shown.splitlines()[0] == "qwen3-asr-1.7b in bf16 on cpu, 4 chunks of 30 s at once"
    assert "audio tower" in shown
    assert "does not fit" in shown
    assert "not even one such chunk" in shown
    assert len(shown.splitlines()) <= 12


def test_in_a_notebook_the_bar_adds_up_and_names_are_text() -> None:
    told = MemoryEstimate(
        name="<b>mine</b>",
        precision="int8",
        device="cuda",
        chunk_seconds=30.0,
        batch_size=2,
        weights={"audio tower": 300, "decoder": 500},
        activations_bytes=100,
        cache_bytes=60,
        context_bytes=20,
        slack_bytes=20,
        room_bytes=2000,
        largest_batch=4,
    )
    shown = told._repr_html_()
    assert "<b>mine</b>" not in shown
    assert "&lt;b&gt;mine&lt;/b&gt;" in shown
    widths = [float(piece.split("%")[0]) for piece in shown.split("width:")[2:] if "%" in piece[:8]]
    assert sum(widths) == pytest.approx(50.0)  # half of the room
    assert "up to 4 such chunks" in shown
