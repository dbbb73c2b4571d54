"""The models that have a name here, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass

from nbasr.engines.languages import NAMES

BYTES = {"float32": 4, "bf16": 2, "fp16": 2}
"""Bytes of one number in each format."""


@dataclass(frozen=True)
class Entry:
    """One model of the catalogue.

    Parameters
    ----------
    name
        What it is called here.
    engine
        Which engine runs it.
    source
        Its hub id; ``""`` where it comes with the package.
    languages
        What it understands, in words.
    parameters
        How many weights it has; 0 where that is no measure.
    published
        Number format of its files on the hub.
    licence
        Licence of the weights.
    about
        What to know of it, in one line.
    codes
        Codes of the languages that it understands.
    translates
        Whether it translates into English.
    word_times
        Whether it gives the times of words itself; others get them from an aligner.
    hotwords
        Whether it can be told words to listen for.
    punctuation
        Whether its text has punctuation.
    max_seconds
        Longest chunk in seconds that is safe for it.
    kind
        ``"recogniser"``, or ``"aligner"``: it finds the times of a known text.
    companion
        Hub id of a second model that belongs to it; ``""`` for none.
    companion_bytes
        Size of that one's weights.
    """

    name: str
    engine: str
    source: str
    languages: str
    parameters: int
    published: str
    licence: str
    about: str
    codes: frozenset[str] = frozenset(NAMES)
    translates: bool = False
    word_times: bool = False
    hotwords: bool = True
    punctuation: bool = True
    max_seconds: float = 30.0
    kind: str = "recogniser"
    companion: str = ""
    companion_bytes: int = 0

    @property
    def english_only(self) -> bool:
        """Whether it knows only English."""
        return self.codes == {"en"}

    @property
    def download_bytes(self) -> int:
        """Size of the weights on the hub: parameters times the bytes of the published format."""
        if not self.source:
            return 0
        return self.parameters * BYTES[self.published] + self.companion_bytes

    @property
    def is_here(self) -> bool:
        """Whether its files are on this machine, so that nothing need be fetched."""
        from nbasr.engines.checkpoint import snapshot

        return not self.source or snapshot(self.source) is not None

    def suits(self, language: str | None, task: str) -> bool:
        """Tell whether it can do a task for speech in a language (its code; None: not known)."""
        return (
            self.kind == "recogniser"
            and (self.translates or task != "translate")
            and (language is None or language in self.codes)
        )


def _whisper(
    size: str, parameters: int, published: str, about: str, translates: bool = True
) -> Entry:
    english = size.endswith(".en")
    return Entry(
        name=f"whisper-{size}",
        engine="whisper",
        source=f"openai/whisper-{size}",
        languages="English" if english else "99 languages",
        parameters=parameters,
        published=published,
        licence="MIT",
        about=about,
        codes=frozenset({"en"}) if english else frozenset(NAMES),
        translates=translates and not english,
        word_times=True,
    )


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Qwen3-ASR's model card, and LANGUAGE_CODE_TO_NAME of its processor in transformers (`fil` there is
# `tl` here).
_QWEN = _codes(
    "ar yue zh cs da nl en tl fi fr de el hi hu id it ja ko mk ms fa pl pt ro ru es sv th tr vi"
)
# FORCED_ALIGNER_LANGUAGES of the same.
_ALIGNED = _codes("zh en yue fr de it ja ko pt ru es")

_PUNCTUATION_BYTES = 4 * 290_000_000
# ct-punc: FunASR's README counts 290 M weights.

# Parameters are counted from the shapes that each configuration gives (inventory.json; a test holds
# them together). The published formats are those of each file of weights on the hub; where its size
# is known to the byte it is these numbers and a header. The licences are those of the model cards.
ENTRIES = (
    Entry(
        name="sphinx",
        engine="sphinx",
        source="",
        languages="English",
        parameters=0,
        published="float32",
        licence="BSD-2-Clause",
        about="comes with nbasr and runs anywhere: drafts of clearly read English, nothing more",
        codes=frozenset({"en"}),
        word_times=True,
        hotwords=False,
        punctuation=False,
    ),
    _whisper("tiny", 37_760_640, "float32", "the smallest Whisper: quick looks on any CPU"),
    _whisper("tiny.en", 37_760_256, "float32", "the smallest Whisper, better at English alone"),
    _whisper("base", 72_593_920, "float32", "small and fast, for clear speech"),
    _whisper("base.en", 72_593_408, "float32", "small and fast, better at English alone"),
    Entry(
        name="paraformer-zh",
        engine="funasr",
        source="funasr/paraformer-zh",
        languages="Chinese",
        parameters=220_084_533,
        published="float32",
        licence="FunASR Model License 1.1",
        # The hub's files are of the plain kind (880,502,012 bytes); ModelScope's of the same name
        # are SeACo, which takes hotwords too.
        about="quick and good in Mandarin, with punctuation; needs the extra funasr",
        codes=frozenset({"zh"}),
        word_times=True,
        hotwords=False,
        companion="funasr/ct-punc",
        companion_bytes=_PUNCTUATION_BYTES,
    ),
    Entry(
        name="sensevoice-small",
        engine="funasr",
        source="FunAudioLLM/SenseVoiceSmall",
        languages="Chinese, Cantonese, English, Japanese, Korean",
        parameters=233_999_167,
        published="float32",
        licence="FunASR Model License 1.1",
        about="the quickest in its five languages; needs the extra funasr",
        codes=_codes("zh yue en ja ko"),
        hotwords=False,
        word_times=True,
    ),
    _whisper("small", 241_734_912, "float32", "the largest that is still pleasant on a CPU"),
    _whisper("small.en", 241_734_144, "float32", "pleasant on a CPU, better at English alone"),
    _whisper("medium", 763_857_920, "float32", "good in many languages; wants a GPU"),
    _whisper("medium.en", 763_856_896, "float32", "good in English; wants a GPU"),
    _whisper("large-v2", 1_543_304_960, "float32", "the large Whisper before v3"),
    Entry(
        name="fun-asr-nano",
        engine="audio_llm",
        source="FunAudioLLM/Fun-ASR-Nano-2512-hf",
        languages="Chinese, English, Japanese",
        parameters=829_791_840,
        published="bf16",
        licence="Apache-2.0",
        about="good in Chinese with its dialects, also far from the microphone; takes hotwords",
        codes=_codes("zh en ja"),
    ),
    _whisper(
        "large-v3-turbo",
        808_878_080,
        "fp16",
        "nearly large-v3 at several times its speed; does not translate",
        translates=False,
    ),
    Entry(
        name="qwen3-asr-0.6b",
        engine="audio_llm",
        source="Qwen/Qwen3-ASR-0.6B-hf",
        languages="30 languages",
        parameters=782_426_112,
        published="bf16",
        licence="Apache-2.0",
        about="30 languages and 22 Chinese dialects in little memory; takes context and hotwords",
        codes=_QWEN,
        max_seconds=60.0,
    ),
    _whisper("large-v3", 1_543_490_560, "fp16", "the most accurate Whisper; wants a GPU"),
    Entry(
        name="qwen3-asr-1.7b",
        engine="audio_llm",
        source="Qwen/Qwen3-ASR-1.7B-hf",
        languages="30 languages",
        parameters=2_038_052_480,
        published="bf16",
        licence="Apache-2.0",
        about="the most accurate here in its languages; takes context and hotwords; wants a GPU",
        codes=_QWEN,
        max_seconds=60.0,
    ),
    Entry(
        name="qwen3-forced-aligner-0.6b",
        engine="aligner",
        source="Qwen/Qwen3-ForcedAligner-0.6B-hf",
        languages="11 languages",
        parameters=917_728_896,
        published="bf16",
        licence="Apache-2.0",
        about="finds the times of words of a text that is known, from any recogniser",
        codes=_ALIGNED,
        word_times=True,
        hotwords=False,
        max_seconds=180.0,
        kind="aligner",
    ),
)
"""Every model of the catalogue, the weakest first, aligners last."""
