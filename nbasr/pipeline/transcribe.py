"""`transcribe` and `plan`: what the magics, the command line and the panels all call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbasr import settings
from nbasr.audio._many import is_many
from nbasr.audio.recording import Recording
from nbasr.errors import AudioError, NbasrError, OptionError
from nbasr.models import catalog, manager
from nbasr.models.model import Model
from nbasr.pipeline.aligning import chosen_aligner
from nbasr.pipeline.perform import perform
from nbasr.pipeline.progress import Listener, listener
from nbasr.pipeline.work import CUTTING, Work, cut
from nbasr.transcript.transcript import Transcript
from nbasr.transcript.transcripts import Transcripts

if TYPE_CHECKING:
    from nbasr.chunking import ChunkPlan
    from nbasr.pipeline.work import Cutter


def transcribe(
    source: Any,
    *,
    model: str | Model | None = None,
    language: str | None = None,
    task: str | None = None,
    prompt: str | None = None,
    hotwords: str | Sequence[str] | None = None,
    dtype: str | None = None,
    quantization: str | None = None,
    device: str | None = None,
    offload: bool | None = None,
    chunking: str | Cutter | ChunkPlan | None = None,
    max_seconds: float | str | None = None,
    min_seconds: float | None = None,
    target_seconds: float | None = None,
    min_pause: float | None = None,
    margin: float | None = None,
    threshold_db: float | None = None,
    above_floor_db: float | None = None,
    overlap: float | None = None,
    timestamps: str | None = None,
    aligner: str | None = None,
    batch_size: int | None = None,
    channel: int | None = None,
    progress: bool | Listener | None = None,
) -> Any:
    """Turn a recording, or many, into text with times.

    Every option left at None is as set by ``%config NbAsr``, the environment, the configuration
    files, or else the default told here.

    Parameters
    ----------
    source
        Whatever `Recording.open` takes: path, URL, bytes, file object, ``(array, rate)``, or a
        Recording. A list, tuple or generator of them gives a list of transcripts, all by one
        resident model.
    model
        Catalogue name, hub id or local folder, or what `nbasr.models.load` gave. ``"auto"``
        (default): a resident model, else the best one already on this machine that fits, else the
        embedded engine, with a warning. Only a model that is named is ever downloaded.
    language
        Name or ISO code; ``"auto"`` (default) detects it where the model can, in each chunk anew,
        so that speakers may change it; where all speak one, naming it saves wrong guesses.
    task
        ``"transcribe"`` (default), or ``"translate"`` into English.
    prompt
        Text that comes before: names, spelling, style. For models that take one.
    hotwords
        Words to listen for, a list or separated by commas. For models that take them.
    dtype
        Number format of what is not quantised: ``"auto"`` (default: float32 on CPU),
        ``"float32"``, ``"bf16"`` or ``"fp16"``.
    quantization
        ``"int8"``, ``"nf4"`` or ``"fp4"`` by bitsandbytes, ``"none"``, or ``"auto"`` (default): as
        the model is loaded or was saved. For finer choices load it first:
        ``nbasr.models.load(name, quantization=nbasr.models.Quantization("int8", threshold=4))``.
    device
        ``"auto"`` (default), ``"cpu"``, ``"cuda"`` or ``"mps"``.
    offload
        True keeps in main memory the layers that do not fit the GPU: several times slower.
    chunking
        ``"optimal"`` (default), ``"silence"``, ``"vad"``, ``"fixed"``; a strategy such as
        ``nbasr.chunking.Optimal(max_seconds=20)``, or any object of your own whose
        ``plan(recording)`` returns a `ChunkPlan`; or a finished `ChunkPlan` of this recording.
    max_seconds
        Longest chunk in seconds; default: what is safe for the model. ``"adaptive"``: 45, 60 or
        90 s for recordings up to 30, up to 90 and over 90 min, at most what the model can take.
    min_seconds
        Chunks shorter than this join a neighbour; default: the strategy's own.
    target_seconds
        Length that chunks should have if pauses allow; default: as long as good pauses make them.
    min_pause
        Shortest silence that counts as a pause, in seconds; default: the strategy's own.
    margin
        Seconds of sound kept around speech where silence is left out; default: the strategy's own.
    threshold_db
        Level in dBFS below which it is silent; default: from the noise floor.
    above_floor_db
        Decibels above the noise floor at which speech begins, in place of `threshold_db`; default:
        8 to 15, the more the louder the speech.
    overlap
        Seconds that fixed chunks share; what both heard is told once. Default: 0.
    timestamps
        ``"segment"`` (default) or ``"word"``.
    aligner
        Model that finds the times of words where the recogniser gives none; ``"auto"`` (default)
        takes one that is resident or already on this machine.
    batch_size
        Most chunks recognised at once; default: what suits the model and the device and fits into
        memory. When memory runs out it is halved, and a note in the transcript says so.
    channel
        One channel, counted from 0; default: the mean of all.
    progress
        True (default) shows progress in a notebook or terminal; a function is called with each
        `Progress`; False is silent.

    Returns
    -------
    Transcript or list of Transcript
        One for one source, a list for a list, in the same order. Interrupting the kernel returns
        what is finished, with ``complete`` False.

    Raises
    ------
    AudioError
        If a recording cannot be opened. Of many, all bad ones are named before any work begins.
    ModelError
        If the model is unknown or cannot be loaded.
    OutOfMemoryError
        If the model does not fit (nothing is loaded then), or memory ran out even with an eighth of
        a chunk; the attribute ``partial`` holds what was finished.
    OptionError
        If an option is unknown or has an impossible value, or does not suit the model.

    See Also
    --------
    plan : what this would do, without doing it.
    """
    told = settings.current().progress if progress is None else progress
    work = _work(
        source,
        model=model,
        language=language,
        task=task,
        prompt=prompt,
        hotwords=hotwords,
        dtype=dtype,
        quantization=quantization,
        device=device,
        offload=offload,
        chunking=chunking,
        max_seconds=max_seconds,
        min_seconds=min_seconds,
        target_seconds=target_seconds,
        min_pause=min_pause,
        margin=margin,
        threshold_db=threshold_db,
        above_floor_db=above_floor_db,
        overlap=overlap,
        timestamps=timestamps,
        aligner=aligner,
        batch_size=batch_size,
        channel=channel,
    )
    transcripts = perform(work, listener(told))
    return transcripts if work.many else transcripts[0]


def plan(source: Any, **options: Any) -> Work:
    """Tell what `transcribe` would do with these arguments, without loading or downloading a model.

    Parameters
    ----------
    source, **options
        As for `transcribe`.

    Returns
    -------
    Work
        Its ``plans`` (chunks and cuts of each recording), ``batches``, ``spec`` (the model) and
        ``memory`` (what that will take); in a cell it shows them.

    Raises
    ------
    AudioError, ModelError, OptionError
        As `transcribe`.
    """
    options.pop("progress", None)
    return _work(source, **options)


def _work(source: Any, *, chunking: Any = None, **given: Any) -> Work:
    """Open the recordings, choose the model, cut."""
    name = chunking if isinstance(chunking, str) else None
    if isinstance(given.get("model"), Model):
        given = {**given, **_as_loaded(given["model"])}
    if given.get("hotwords") is not None and not isinstance(given["hotwords"], str):
        given["hotwords"] = ", ".join(given["hotwords"])
    options = settings.current().resolve(chunking=name, **_one_level(given))
    many = is_many(source)
    sources = list(source) if many else [source]
    if not sources:
        raise OptionError("There is nothing to transcribe: the list of sources is empty.")
    spec = manager.choose(options)
    needs_aligner = options.timestamps == "word" and not catalog.gives_word_times(spec)
    aligner = chosen_aligner(options, options.language) if needs_aligner else None
    recordings = _opened(sources, options.channel)
    custom = None if isinstance(chunking, str) else chunking
    if custom is not None:
        _refuse_beside(custom, {name: given.get(name) for name in CUTTING})
    plans = tuple(cut(recording, spec, options, custom) for recording in recordings)
    return Work(tuple(recordings), plans, spec, options, many, aligner)


def _one_level(given: dict[str, Any]) -> dict[str, Any]:
    """Let the level at which speech begins, if given in one way, undo what is set in the other."""
    ways = ("threshold_db", "above_floor_db")
    said = [way for way in ways if given.get(way) not in (None, "auto")]
    return (
        {**given, **{way: "auto" for way in ways if way not in said}} if len(said) == 1 else given
    )


def _as_loaded(model: Model) -> dict[str, str]:
    """Return the options that mean a resident model, of which a handle was given."""
    spec = model.spec
    bits = spec.quantization.method if spec.quantization is not None else "none"
    return {
        "model": spec.source or spec.name,
        "dtype": spec.dtype,
        "quantization": bits,
        "device": spec.device,
    }


def _refuse_beside(custom: Any, cutting: dict[str, Any]) -> None:
    """Raise if options say how to cut although a strategy or plan has decided that already."""
    beside = [name for name, value in cutting.items() if value is not None]
    if beside:
        raise OptionError(
            f"{beside[0]} has no effect beside a {type(custom).__name__}, which says itself how to "
            "cut; set it there, or give chunking as a name."
        )


def _opened(sources: Sequence[Any], channel: int | None) -> list[Recording]:
    """Open every source; name all that fail before any of them is transcribed."""
    recordings, failures = [], []
    for source in sources:
        try:
            recordings.append(Recording.open(source, channel=channel))
        except NbasrError as error:
            if len(sources) == 1:
                raise
            failures.append(str(error))
    if failures:
        shown = "; ".join(failures[:5]) + ("; …" if len(failures) > 5 else "")
        raise AudioError(
            f"{len(failures)} of {len(sources)} recordings cannot be opened, so none was "
            f"transcribed: {shown} Leave them out or mend them."
        )
    return recordings


__all__ = ["Transcript", "Transcripts", "Work", "is_many", "plan", "transcribe"]
