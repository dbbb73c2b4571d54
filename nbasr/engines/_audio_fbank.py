"""Fun-ASR-Nano's filter bank by kaldi-native-fbank: torchaudio cannot be had beside a CPU torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nbasr.errors import ModelError


def fun_asr_processor(folder: Path) -> Any:
    """Make the processor of the Fun-ASR-Nano model in a folder.

    It is transformers' own ``FunAsrNanoProcessor``; only the filter bank is computed differently.

    Raises
    ------
    ModelError
        If kaldi-native-fbank is not installed.
    """
    from transformers import AutoTokenizer
    from transformers.models.fun_asr_nano.processing_fun_asr_nano import FunAsrNanoProcessor

    tokenizer = AutoTokenizer.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True
    )
    template = folder / "chat_template.jinja"
    options = {"audio_token": _settings(folder).get("audio_token")}
    return FunAsrNanoProcessor(
        feature_extractor=feature_extractor(**_features(folder)),
        tokenizer=tokenizer,
        chat_template=template.read_text(encoding="utf-8")
        if template.is_file()
        else tokenizer.chat_template,
        **{name: value for name, value in options.items() if value},
    )


def feature_extractor(**settings: Any) -> Any:
    """Make Fun-ASR-Nano's feature extractor: 80 mel bands, seven frames stacked, one in six kept.

    The settings are those of transformers' ``FunAsrNanoFeatureExtractor``, of which it is a kind.
    The filter bank is Kaldi's, with the settings of ``torchaudio.compliance.kaldi.fbank``, which
    transformers uses: sound in -1 … 1, no dither, whole frames only.

    Raises
    ------
    ModelError
        If kaldi-native-fbank is not installed.
    """
    try:
        import kaldi_native_fbank as kaldi
    except ImportError:
        raise ModelError(
            "Fun-ASR-Nano needs kaldi-native-fbank: pip install kaldi-native-fbank."
        ) from None
    from transformers.models.fun_asr_nano.feature_extraction_fun_asr_nano import (
        FunAsrNanoFeatureExtractor,
    )

    class Extractor(FunAsrNanoFeatureExtractor):  # type: ignore[misc]  # untyped
        def _extract_fbank_features(self, waveform: Any) -> Any:
            """Return the log mel energies of a sound (samples,), shape (frames, bands)."""
            import numpy as np
            import torch

            options = kaldi.FbankOptions()
            options.frame_opts.samp_freq = self.sampling_rate
            options.frame_opts.frame_length_ms = self.frame_length
            options.frame_opts.frame_shift_ms = self.frame_shift
            options.frame_opts.window_type = self.window
            options.frame_opts.dither = 0.0
            options.mel_opts.num_bins = self.feature_size
            bank = kaldi.OnlineFbank(options)
            bank.accept_waveform(self.sampling_rate, waveform.cpu().numpy())
            bank.input_finished()
            frames = [bank.get_frame(n) for n in range(bank.num_frames_ready)]
            return torch.from_numpy(np.stack(frames))

    Extractor.__name__ = FunAsrNanoFeatureExtractor.__name__  # what save_pretrained writes
    return Extractor(**settings)


def _settings(folder: Path) -> dict[str, Any]:
    """Return the settings of the processor in a folder."""
    path = folder / "processor_config.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def _features(folder: Path) -> dict[str, Any]:
    """Return the settings of the feature extractor: part of the processor's, or a file of old."""
    found = _settings(folder).get("feature_extractor")
    path = folder / "preprocessor_config.json"
    if not isinstance(found, dict):
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    names = ("feature_extractor_type", "processor_class")
    return {name: value for name, value in found.items() if name not in names}
