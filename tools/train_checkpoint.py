"""Train a small checkpoint in Whisper's architecture on synthetic speech, for tests and tutorials.

    python tools/train_checkpoint.py --minutes 45 --clips 12000 build/whisper-tiny-meeting

speaks sentences of `meeting_grammar` with flite (see `studio_speech`), trains on the CPU for the
given minutes, and saves a folder that ``from_pretrained`` and nbasr load. The spoken clips are kept
beside it (``….npz``) for the next run. At the end it tells the word error rate on sentences, and
at a speed of speech, that it was never trained on.

A second loss (CTC over characters, on the encoder) and a pull of the last decoder layer's attention
to each word's place are what let so small a model learn so fast; both are left out when saving.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import torch
from meeting_grammar import vocabulary
from studio_speech import RATE, STEP, Clip, Room, meeting_turns, speak_all, training_clips
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from torch.nn import functional as F  # noqa: N812
from transformers import (
    AddedToken,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from nbasr.engines import Request, open_engine
from nbasr.models import resolve

HELD_SENTENCES = 100
LANGUAGES = ("en", "de", "fr", "zh")  # only the first is trained; detection wants more than one
CHARACTERS = " abcdefghijklmnopqrstuvwxyz"
SECONDS_PER_BATCH = 60.0
PEAK_RATE = 2e-3


def tokenizer() -> WhisperTokenizer:
    """Return a tokenizer whose tokens are the words, with Whisper's special and time tokens."""
    bytewise = Tokenizer(models.BPE())
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=4000, min_frequency=2, initial_alphabet=alphabet, show_progress=False
    )
    bytewise.train_from_iterator([f" {word}" for word in vocabulary()] * 3, trainer)
    with tempfile.TemporaryDirectory() as folder:
        vocab, merges = bytewise.model.save(folder)
        made = WhisperTokenizer(vocab=vocab, merges=merges)
    special = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES)]
    special += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>"]
    special += ["<|nospeech|>", "<|notimestamps|>"]
    times = [f"<|{n * 0.02:.2f}|>" for n in range(1501)]
    made.add_tokens([AddedToken(t, special=True, normalized=False) for t in special], True)
    made.add_tokens([AddedToken(t, special=False, normalized=False) for t in times])
    return made


def new_model(tokens: WhisperTokenizer, width: int) -> WhisperForConditionalGeneration:
    """Return an untrained model that knows Whisper's ids."""
    ids = tokens.convert_tokens_to_ids
    end, start = ids("<|endoftext|>"), ids("<|startoftranscript|>")
    common = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end}
    config = WhisperConfig(
        vocab_size=len(tokens), num_mel_bins=80, d_model=width, encoder_layers=4, decoder_layers=2,
        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width, decoder_start_token_id=start, suppress_tokens=[],
        begin_suppress_tokens=[], **common,
    )  # fmt: skip
    model = WhisperForConditionalGeneration._from_config(config, attn_implementation="eager")
    never = ("startoftranscript", "translate", "transcribe", "startoflm", "startofprev", "nospeech")
    known = {
        "is_multilingual": True,
        "lang_to_id": {f"<|{code}|>": ids(f"<|{code}|>") for code in LANGUAGES},
        "task_to_id": {task: ids(f"<|{task}|>") for task in ("transcribe", "translate")},
        "no_timestamps_token_id": ids("<|notimestamps|>"),
        "prev_sot_token_id": ids("<|startofprev|>"),
        "max_initial_timestamp_index": 1500,
        "decoder_start_token_id": start,
        "suppress_tokens": sorted(ids(f"<|{name}|>") for name in never),
        "begin_suppress_tokens": [ids("Ġ")],
        "alignment_heads": [[1, head] for head in range(4)],
        "max_length": 448,
        "return_timestamps": False,
        # Without this, from_pretrained makes a new configuration and the ids are lost.
        "_from_model_config": False,
        **common,
    }
    for name, value in known.items():
        setattr(model.generation_config, name, value)
    return model


class Lesson:
    """The model with what is needed only to teach it."""

    def __init__(self, width: int, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.tokens = tokenizer()
        self.features = WhisperFeatureExtractor(feature_size=80)
        self.model = new_model(self.tokens, width)
        self.spelling = nn.Linear(width, len(CHARACTERS) + 1)
        self.room = Room(seed)
        self.draw = random.Random(seed)
        self.mel = torch.tensor(np.asarray(self.features.mel_filters), dtype=torch.float32)
        weights = [*self.model.parameters(), *self.spelling.parameters()]
        self.weights = [weight for weight in weights if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(self.weights, betas=(0.9, 0.98), weight_decay=0.01)

    def batch(self, clips: list[Clip], progress: float) -> tuple[torch.Tensor, list[Any]]:
        """Return the log-mel of some scenes of like length, and what is said in each."""
        clips_upto = int(len(clips) * min(1.0, 0.25 + 3 * progress))  # sorted: short ones first
        at = self.draw.randrange(clips_upto)
        near = clips[max(0, at - 40) : at + 40]
        many = progress > 0.3 and self.draw.random() < 0.4
        seconds = len(clips[at].samples) / RATE * (2.5 if many else 1) + 1.5
        scenes = []
        for _ in range(max(4, int(SECONDS_PER_BATCH / seconds))):
            if self.draw.random() < 0.05:
                scenes.append((self.room.nobody(), []))
            else:
                count = self.draw.choice((2, 3)) if many else 1
                scenes.append(self.room.scene(self.draw.choices(near, k=count)))
        longest = min(30 * RATE, max(len(sound) for sound, _ in scenes) // STEP * STEP + STEP)
        padded = np.zeros((len(scenes), longest), np.float32)
        for row, (sound, _) in zip(padded, scenes, strict=True):
            row[: len(sound)] = sound[:longest]
        return self._log_mel(torch.from_numpy(padded)), [said for _, said in scenes]

    def _log_mel(self, sound: torch.Tensor) -> torch.Tensor:
        """As WhisperFeatureExtractor, but for a whole batch of any length."""
        spectrum = torch.stft(sound, 400, 160, window=torch.hann_window(400), return_complex=True)
        power = self.mel.T @ spectrum[..., :-1].abs() ** 2
        logs = power.clamp(min=1e-10).log10()
        return (torch.maximum(logs, logs.amax((1, 2), keepdim=True) - 8) + 4) / 4

    def labels(self, said: list[Any], times: bool) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the ids that tell a scene, and for each the encoder frames that it is heard in."""
        ids = self.tokens.convert_tokens_to_ids
        zero = ids("<|0.00|>")
        found = [ids(f"<|{name}|>") for name in ("startoftranscript", "en", "transcribe")]
        spans = [(-1, -1)] * 3
        if not times:
            found.append(ids("<|notimestamps|>"))
            spans.append((-1, -1))
        for text, start, stop in said:
            words = text.split()
            first, last = start // STEP, stop // STEP
            if times:
                found.append(zero + first)
                spans.append((first - 12, first + 18))
            letters = 0
            for word in words:  # as if every letter took as long
                tokens = self.tokens(f" {word}", add_special_tokens=False).input_ids
                at = [
                    first + (last - first) * n / len("".join(words))
                    for n in (letters, letters + len(word))
                ]
                found += tokens
                spans += [(int(at[0]) - 14, int(at[1]) + 14)] * len(tokens)
                letters += len(word)
            if times:
                found.append(zero + last)
                spans.append((last - 18, last + 12))
        return [*found, ids("<|endoftext|>")], [*spans, (-1, -1)]

    def loss(self, mel: torch.Tensor, said: list[Any], times: bool) -> tuple[torch.Tensor, float]:
        """Return the loss to step down, and its part for the text alone."""
        told = [self.labels(scene, times) for scene in said]
        size = max(len(ids) for ids, _ in told)
        inputs = torch.full((len(told), size), self.model.config.eos_token_id)
        targets = torch.full((len(told), size), -100)
        spans = torch.full((len(told), size, 2), -1)
        given = 3 if times else 4  # start, language, task, no time tokens
        nobody = self.tokens.convert_tokens_to_ids("<|nospeech|>")
        for row, (ids, places) in enumerate(told):
            inputs[row, : len(ids)] = torch.tensor(ids)
            targets[row, given : len(ids)] = torch.tensor(ids[given:])
            targets[row, 1] = ids[1] if said[row] else nobody
            spans[row, : len(ids)] = torch.tensor(places)
        with torch.autocast("cpu", torch.bfloat16):
            heard = self._encode(mel)
            decoded = self.model.model.decoder(
                input_ids=inputs[:, :-1], encoder_hidden_states=heard, output_attentions=True
            )
            logits = self.model.proj_out(decoded.last_hidden_state)
            letters = self.spelling(heard)
        text = F.cross_entropy(
            logits.float().flatten(0, 1), targets[:, 1:].flatten(), label_smoothing=0.05
        )
        looks = decoded.cross_attentions[-1].float()
        pull = self._pull(looks, spans[:, 1:])
        return text + 0.4 * self._spelt(letters.float(), said) + 0.3 * pull, text.item()

    def _encode(self, mel: torch.Tensor) -> torch.Tensor:
        """Encode a window of any length; the encoder itself takes only 30 s, which is slow."""
        encoder = self.model.model.encoder
        hidden = F.gelu(encoder.conv2(F.gelu(encoder.conv1(mel)))).transpose(1, 2)
        hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
        for layer in encoder.layers:
            out = layer(hidden, None)
            hidden = out[0] if isinstance(out, tuple) else out
        return encoder.layer_norm(hidden)

    def _pull(self, looks: torch.Tensor, spans: torch.Tensor) -> torch.Tensor:
        """Return how far attention (batch, heads, tokens, frames) misses each token's frames."""
        frames = torch.arange(looks.shape[-1])
        inside = (frames >= spans[..., :1]) & (frames < spans[..., 1:])
        told = spans[..., 1] >= 0
        share = (looks * inside[:, None]).sum(-1).clamp(min=1e-4)
        return -(share.log() * told[:, None]).sum() / (told.sum() * looks.shape[1] + 1)

    def _spelt(self, letters: torch.Tensor, said: list[Any]) -> torch.Tensor:
        texts = [" ".join(text for text, _, _ in scene) for scene in said]
        return F.ctc_loss(
            letters.log_softmax(-1).transpose(0, 1),
            torch.tensor([CHARACTERS.index(c) + 1 for text in texts for c in text]),
            torch.full((len(texts),), letters.shape[1]),
            torch.tensor([len(text) for text in texts]),
            zero_infinity=True,
        )

    def train(self, clips: list[Clip], minutes: float) -> None:
        """Train for a time; the rate rises, holds and falls to nearly nothing at its end."""
        clips = sorted(clips, key=lambda clip: len(clip.samples))
        began, steps, losses = time.monotonic(), 0, []
        self.model.train()
        while (progress := (time.monotonic() - began) / (60 * minutes)) < 1:
            falling = 0.5 * (1 + math.cos(math.pi * max(0.0, (progress - 0.45) / 0.55)))
            for group in self.optimizer.param_groups:
                group["lr"] = PEAK_RATE * min(1, (steps + 1) / 100) * max(0.01, falling)
            mel, said = self.batch(clips, progress)
            loss, text = self.loss(mel, said, progress > 0.2 and self.draw.random() < 0.5)
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.weights, 1.0)
            self.optimizer.step()
            steps += 1
            losses.append(text)
            if steps % 50 == 0:
                print(
                    f"{progress:4.0%}  step {steps}  loss {np.mean(losses[-50:]):.3f}", flush=True
                )
        self.model.eval()

    def save(self, folder: Path) -> None:
        """Write the folder that ``from_pretrained`` reads."""
        self.model.save_pretrained(folder)
        WhisperProcessor(self.features, self.tokens).save_pretrained(folder)


def errors(folder: Path, clips: list[Clip]) -> float:
    """Return the word error rate of a saved checkpoint on clips, as nbasr hears them."""
    engine = open_engine(resolve(str(folder), device="cpu"))
    sounds = [np.pad(clip.samples / np.float32(100_000), RATE // 10) for clip in clips]
    heard = [found.text for found in engine.recognize([Request(sound) for sound in sounds])]
    return float(jiwer.wer([clip.text for clip in clips], heard))


def main() -> None:
    """Speak, train, save, evaluate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to save the checkpoint")
    parser.add_argument("--minutes", type=float, default=45.0, help="of training (default: 45)")
    parser.add_argument("--clips", type=int, default=12_000, help="to speak (default: 12000)")
    parser.add_argument("--width", type=int, default=128, help="of the model (default: 128)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of torch")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    held = speak_all(HELD_SENTENCES, 2, held=True, without=meeting_turns())
    clips = training_clips(given.folder.with_suffix(".npz"), given.clips, held)
    hours = sum(len(clip.samples) for clip in clips) / RATE / 3600
    print(f"{len(clips)} clips, {hours:.1f} h; {len(held)} held out")
    lesson = Lesson(given.width)
    lesson.train(clips, given.minutes)
    lesson.save(given.folder)
    print(f"word error rate on the held-out sentences: {errors(given.folder, held):.1%}")


if __name__ == "__main__":
    main()
