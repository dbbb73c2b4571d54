"""Tiny models in FunASR's layout, built offline by its own classes, and sounds that they know.

They are trained here, in seconds, to tell tones apart: each token is a tone of 0.3 s. So their
texts, times and batches can be checked against the truth, through the code that loads real ones.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import yaml

RATE = 16_000
TONE = 0.3
"""Seconds of one token."""

TOKENS = ["<blank>", "<s>", "</s>", "你", "好", "世", "界", "hel@@", "lo", "<unk>"]
PITCH = {"你": 300, "好": 600, "世": 1100, "界": 1800, "hel@@": 2700, "lo": 4000}
"""Hertz of the tone of each token of the Paraformers."""

MELS, STACKED = 20, 7
WIDTH = 32

SPOKEN = {"你": 300, "好": 600, "▁hello": 1100, "▁world": 1800}
"""Hertz of the tone of each piece of SenseVoice."""
MARKS = [
    *(f"<|{name}|>" for name in ("zh", "en", "yue", "ja", "ko", "nospeech")),
    *(f"<|{name}|>" for name in ("NEUTRAL", "HAPPY", "Speech", "withitn", "woitn")),
]


def tones(names, pitches=PITCH, *, lead=0.0, tail=0.0):
    """Return the sound of some tokens, float32, with seconds of near silence around it."""
    time = np.arange(int(TONE * RATE)) / RATE
    fade = np.sin(np.pi * time / TONE) ** 0.5
    parts = [np.zeros(int(lead * RATE))]
    parts += [0.3 * fade * np.sin(2 * np.pi * pitches[name] * time) for name in names]
    parts += [np.zeros(int(tail * RATE))]
    sound = np.concatenate(parts)
    return (sound + np.random.default_rng(0).normal(0, 1e-4, len(sound))).astype(np.float32)


def paraformer(folder: Path, model: str = "BiCifParaformer") -> Path:
    """Write a Paraformer with random weights: its plain, BiCif or SeACo kind."""
    settings = _paraformer_settings(model)
    _write(folder, settings, tokens=TOKENS)
    (folder / "seg_dict").write_text("hello hel@@ lo\n", encoding="utf-8")
    _save(folder, _build(folder, settings))
    return folder


def sensevoice(folder: Path) -> Path:
    """Write a SenseVoiceSmall with random weights and a tokenizer of a few pieces."""
    settings = {
        "model": "SenseVoiceSmall",
        "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2},
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": {
            "output_size": WIDTH,
            "attention_heads": 2,
            "linear_units": 64,
            "num_blocks": 2,
            "tp_blocks": 1,
            "input_layer": "pe",
            "pos_enc_class": "SinusoidalPositionEncoder",
            "normalize_before": True,
            "kernel_size": 11,
            "sanm_shfit": 0,
            "selfattention_layer_type": "sanm",
        },
        "tokenizer": "SentencepiecesTokenizer",
        "tokenizer_conf": {"bpemodel": None, "unk_symbol": "<unk>", "split_with_space": True},
        **_front_end(),
    }
    _write(folder, settings)
    _pieces(folder / "chn_eng.bpe.model")
    metas = {
        "init_param": "model.pt",
        "config": "config.yaml",
        "tokenizer_conf": {"bpemodel": "chn_eng.bpe.model"},
        "frontend_conf": {"cmvn_file": "am.mvn"},
    }
    text = json.dumps({"framework": "pytorch", "file_path_metas": metas})
    (folder / "configuration.json").write_text(text, encoding="utf-8")
    _save(folder, _build(folder, settings))
    return folder


def punctuation(folder: Path) -> Path:
    """Write a punctuation model that ends a sentence after 好 (and, as all do, at the end)."""
    import torch

    settings = {
        "model": "CTTransformer",
        "model_conf": {
            "punc_list": ["<unk>", "_", "，", "。", "？", "、"],
            "embed_unit": WIDTH,
            "att_unit": WIDTH,
            "sentence_end_id": 3,
        },
        "encoder": "SANMEncoder",
        "encoder_conf": _encoder(input_size=WIDTH, num_blocks=1),
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>"},
    }
    _write(folder, settings, tokens=[*TOKENS, "hello"])
    model = _build(folder, settings)
    with torch.no_grad():
        # The layers add nothing, so that what comes out is the token itself, one number of many.
        for layer in (*model.encoder.encoders0, *model.encoder.encoders):
            for one in layer.parameters():
                one.zero_()
        model.embed.weight.copy_(100 * torch.eye(len(TOKENS) + 1, WIDTH))
        model.decoder.weight.zero_()
        model.decoder.weight[3, TOKENS.index("好")] = 3.0
        model.decoder.bias.copy_(torch.tensor([-9.0, 0.0, -9.0, -3.0, -9.0, -9.0]))
    _save(folder, model)
    return folder


def relative(folder: Path, model: str, trained: Path, *, prefers: str = "</s>") -> Path:
    """Write a Paraformer of another kind that knows what a trained BiCif Paraformer knows.

    A SeACo Paraformer writes the token `prefers` for every sound as soon as it has any hotword;
    its ``</s>`` means that no hotword was said.
    """
    import torch

    paraformer(folder, model)
    state = torch.load(folder / "model.pt", weights_only=True)
    known = torch.load(trained / "model.pt", weights_only=True)
    state |= {name: known[name] for name in state.keys() & known.keys()}
    if model == "SeacoParaformer":
        state["hotword_output_layer.weight"].zero_()
        state["hotword_output_layer.bias"].zero_()[TOKENS.index(prefers)] = 9.0
    torch.save(state, folder / "model.pt")
    return folder


def train_paraformer(folder: Path, steps: int = 120) -> float:
    """Teach a BiCif Paraformer in a folder its tones; return the last loss."""
    settings = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    model = _build(folder, settings)
    random = np.random.default_rng(0)
    names = list(PITCH)

    def example():
        chosen = [names[n] for n in random.integers(0, len(names), random.integers(1, 6))]
        lead, tail = random.uniform(0.1, 0.5, 2)
        return tones(chosen, lead=lead, tail=tail), [TOKENS.index(name) for name in chosen]

    def loss_of(*tensors):
        return model(*tensors)[0]

    return _train(folder, settings, model, example, loss_of, steps)


def train_sensevoice(folder: Path, steps: int = 150) -> float:
    """Teach a SenseVoice in a folder its tones and the language that they are of."""
    import sentencepiece

    settings = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    model = _build(folder, settings)
    pieces = sentencepiece.SentencePieceProcessor()
    pieces.load(str(folder / "chn_eng.bpe.model"))
    ids = pieces.piece_to_id
    model.lid_int_dict = {ids("<|zh|>"): 3, ids("<|en|>"): 4}
    model.textnorm_int_dict = {ids("<|withitn|>"): 14}
    random = np.random.default_rng(0)

    def example():
        chinese = bool(random.integers(2))
        names = list(SPOKEN)[:2] if chinese else list(SPOKEN)[2:]
        chosen = [names[n] for n in random.integers(0, 2, random.integers(1, 5))]
        lead, tail = random.uniform(0.1, 0.5, 2)
        marks = ["<|zh|>" if chinese else "<|en|>", "<|NEUTRAL|>", "<|Speech|>", "<|withitn|>"]
        sound = tones(chosen, SPOKEN, lead=lead, tail=tail)
        return sound, [ids(name) for name in (*marks, *chosen)]

    def loss_of(*tensors):
        return model(*tensors)[0]

    return _train(folder, settings, model, example, loss_of, steps)


def _train(folder, settings, model, example, loss_of, steps, batch=8):
    import torch
    from funasr.register import tables

    front = tables.frontend_classes["WavFrontend"](
        **{**settings["frontend_conf"], "dither": 0.0, "cmvn_file": str(folder / "am.mvn")}
    )
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    examples = [example() for _ in range(64)]
    made = [(front(torch.tensor(s)[None], [len(s)])[0][0], torch.tensor(i)) for s, i in examples]
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps)
    model.train()
    order = np.random.default_rng(1)
    loss = torch.tensor(0.0)
    for _ in range(steps):
        chosen = [made[n] for n in order.integers(0, len(made), batch)]
        speech = torch.nn.utils.rnn.pad_sequence([f for f, _ in chosen], batch_first=True)
        text = torch.nn.utils.rnn.pad_sequence(
            [i for _, i in chosen], batch_first=True, padding_value=-1
        )
        lengths = torch.tensor([len(f) for f, _ in chosen], dtype=torch.int32)
        text_lengths = torch.tensor([len(i) for _, i in chosen], dtype=torch.int32)
        loss = loss_of(speech, lengths, text, text_lengths)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    torch.random.set_rng_state(state)
    _save(folder, model.eval())
    return float(loss.detach())


def _encoder(**more):
    return {
        "output_size": WIDTH,
        "attention_heads": 2,
        "linear_units": 64,
        "num_blocks": 2,
        "dropout_rate": 0.0,
        "positional_dropout_rate": 0.0,
        "attention_dropout_rate": 0.0,
        "input_layer": "pe",
        "pos_enc_class": "SinusoidalPositionEncoder",
        "normalize_before": True,
        "kernel_size": 11,
        "sanm_shfit": 0,
        "selfattention_layer_type": "sanm",
        **more,
    }


def _front_end():
    return {
        "frontend": "WavFrontend",
        "frontend_conf": {
            "fs": RATE,
            "window": "hamming",
            "n_mels": MELS,
            "frame_length": 25,
            "frame_shift": 10,
            "lfr_m": STACKED,
            "lfr_n": 6,
            "dither": 1.0,
        },
    }


def _paraformer_settings(model):
    decoder = {
        "attention_heads": 2,
        "linear_units": 64,
        "num_blocks": 2,
        "dropout_rate": 0.0,
        "positional_dropout_rate": 0.0,
        "self_attention_dropout_rate": 0.0,
        "src_attention_dropout_rate": 0.0,
        "att_layer_num": 2,
        "kernel_size": 11,
        "sanm_shfit": 0,
    }
    predictor = {
        "idim": WIDTH,
        "threshold": 1.0,
        "l_order": 1,
        "r_order": 1,
        "tail_threshold": 0.45,
    }
    settings = {
        "model": model,
        "model_conf": {
            "ctc_weight": 0.0,
            "lsm_weight": 0.0,
            "length_normalized_loss": True,
            "predictor_weight": 1.0,
            "predictor_bias": 1,
            "sampling_ratio": 0.5,
        },
        "encoder": "SANMEncoder",
        "encoder_conf": _encoder(),
        "decoder": "ParaformerSANMDecoder",
        "decoder_conf": decoder,
        "predictor": "CifPredictorV2",
        "predictor_conf": predictor,
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
        "train_conf": {"accum_grad": 1},
        **_front_end(),
    }
    if model != "Paraformer":
        settings["predictor"] = "CifPredictorV3"
        settings["predictor_conf"] = predictor | {
            "smooth_factor2": 0.25,
            "noise_threshold2": 0.01,
            "upsample_times": 3,
            "use_cif1_cnn": False,
            "upsample_type": "cnn_blstm",
        }
    if model == "SeacoParaformer":
        settings["model_conf"] |= {
            "inner_dim": WIDTH,
            "bias_encoder_type": "lstm",
            "bias_encoder_bid": False,
            "NO_BIAS": 2,
        }
        settings["seaco_decoder"] = "ParaformerSANMDecoder"
        settings["seaco_decoder_conf"] = decoder | {
            "num_blocks": 1,
            "att_layer_num": 1,
            "use_output_layer": False,
            "wo_input_layer": True,
        }
    return settings


def _write(folder, settings, tokens=()):
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(settings, allow_unicode=True, sort_keys=False)
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    if tokens:
        text = json.dumps(list(tokens), ensure_ascii=False)
        (folder / "tokens.json").write_text(text, encoding="utf-8")
    if "frontend" in settings:
        size = MELS * STACKED
        lines = []
        for name, value in (("<AddShift>", -8.0), ("<Rescale>", 0.2)):
            lines += [f"{name} {size} {size}", f"<LearnRateCoef> 0 [ {f'{value} ' * size}]"]
        text = "\n".join(["<Nnet>", *lines, "</Nnet>"])
        (folder / "am.mvn").write_text(text, encoding="utf-8")


def _pieces(path):
    import io

    import sentencepiece

    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["你 好 hello world"] * 20),
        model_writer=out,
        vocab_size=len(MARKS) + len(SPOKEN) + 16,
        user_defined_symbols=[*MARKS, *(name for name in SPOKEN)],
        hard_vocab_limit=False,
        add_dummy_prefix=False,
        bos_id=1,
        eos_id=2,
        unk_id=0,
        pad_id=-1,
        minloglevel=2,
    )
    path.write_bytes(out.getvalue())


def _build(folder, settings):
    import torch

    from nbasr.engines._funasr_files import found_in
    from nbasr.engines._funasr_load import _settings
    from nbasr.engines._funasr_quiet import quiet, steady

    with quiet(spoken=True), steady():
        from funasr import AutoModel

        wanted = _settings(folder, found_in(folder)) | {"ncpu": torch.get_num_threads()}
        return AutoModel.build_model(**wanted)[0]


def _save(folder, model):
    import torch

    torch.save(model.state_dict(), folder / "model.pt")
