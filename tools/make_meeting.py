"""Speak a text of turns with flite and write it as a bundled recording with its exact reference.

    python tools/make_meeting.py tools/meeting.txt nbasr/audio/bundled

makes ``meeting.opus`` and ``meeting.json`` there. It needs the program flite (Debian and Ubuntu:
``apt-get install flite``) with the voices that the text names. The times of turns are exact by
construction; those of words are the synthesiser's own, and are checked against a forced alignment
by PocketSphinx. ``--wav`` keeps the sound before encoding too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from nbasr.audio.long_meeting import RoomNoise

RATE = 16000
AUDIBLE = 0.004  # flite's sound is trimmed to where it first and last passes this, of 1.0,
BEFORE, AFTER = 320, 640  # keeping this many samples around it
BIT_RATE = 31_000  # of Opus; at 24,000 PocketSphinx errs more than on the lossless sound (19, 15 %)


@dataclass
class Script:
    """What the text of turns says."""

    voices: dict[str, tuple[str, float]] = field(default_factory=dict)  # name: flite voice, dBFS
    noise_db: float = -60.0
    lead: float = 0.0  # s of silence before the first turn
    turns: list[tuple[str, list[tuple[str, float]]]] = field(default_factory=list)  # text, pause


def read_script(path: Path) -> Script:
    """Read the turns; the format is told at the head of tools/meeting.txt."""
    script = Script()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = line.split("#")[0].strip()
        if voice := re.fullmatch(r"voice (\w+) = (\w+) (-?[\d.]+)", line):
            script.voices[voice[1]] = voice[2], float(voice[3])
        elif noise := re.fullmatch(r"noise = (-?[\d.]+)", line):
            script.noise_db = float(noise[1])
        elif lead := re.fullmatch(r"\[([\d.]+)\]", line):
            script.lead = float(lead[1])
        elif (turn := re.fullmatch(r"(\w+): (.*\])", line)) and turn[1] in script.voices:
            pieces = re.findall(r"([^\[\]]+?) *\[([\d.]+)\] *", turn[2])
            script.turns.append((turn[1], [(text, float(pause)) for text, pause in pieces]))
        elif line:
            raise SystemExit(f"{path}:{number}: neither a voice, nor a turn of one: {line}")
    return script


def flite(voice: str, text: str, *options: str) -> list[str]:
    """Run flite and return the words of what it prints."""
    command = ["flite", "-voice", voice, *options, "-t", text]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.split()


def word_stops(voice: str, text: str, phones: list[str], stops: list[float]) -> list[float]:
    """Return where each word's last phone ends: words take the phones that they have alone."""
    counts = []
    for word in text.split():
        alone = flite(voice, word, "-ps", "-o", "none")
        counts.append(sum(phone != "pau" for phone in alone))
    spoken = [stop for phone, stop in zip(phones, stops, strict=True) if phone != "pau"]
    if sum(counts) != len(spoken):
        raise SystemExit(f"the phones of {text!r} cannot be told apart by words; reword it")
    return [spoken[last - 1] for last in np.cumsum(counts)]


def say(voice: str, text: str, level_db: float) -> tuple[NDArray[np.float32], list[list[float]]]:
    """Return one piece of speech at its level, and each word's start and stop in it (s)."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "piece.wav"
        printed = flite(voice, text, "-psdur", "-o", str(wav))
        sound, rate = soundfile.read(wav, dtype="float32")
    assert rate == RATE, f"the voice {voice} speaks at {rate} Hz"
    loud = np.flatnonzero(np.abs(sound) > AUDIBLE)
    first = max(0, loud[0] - BEFORE)
    sound = sound[first : loud[-1] + AFTER]
    phones, ends = zip(*(item.split(":") for item in printed), strict=True)
    stops = [float(end) - float(first / RATE) for end in ends]
    last = word_stops(voice, text, list(phones), stops)
    begin = stops[0] if phones[0] == "pau" else 0.0
    limit = len(sound) / RATE
    times = [max(0.0, begin), *(min(stop, limit) for stop in last)]
    words = [list(pair) for pair in itertools.pairwise(times)]
    return sound * (10 ** (level_db / 20) / np.sqrt((sound**2).mean())), words


def perform(script: Script, seed: int) -> tuple[NDArray[np.int16], dict[str, Any]]:
    """Speak the whole script; return the sound and the reference as it is written."""
    parts = [np.zeros(int(script.lead * RATE), np.float32)]
    at = len(parts[0])
    turns = []
    for speaker, said in script.turns:
        pieces = []
        for text, pause in said:
            sound, times = say(script.voices[speaker][0], text, script.voices[speaker][1])
            words = [
                [round(at / RATE + start, 3), round(at / RATE + stop, 3), word]
                for word, (start, stop) in zip(text.split(), times, strict=True)
            ]
            stop = at + len(sound)
            pieces.append(
                {"start": round(at / RATE, 4), "stop": round(stop / RATE, 4), "words": words}
            )
            parts += [sound, np.zeros(int(pause * RATE), np.float32)]
            at = stop + len(parts[-1])
        turns.append({"speaker": speaker, "pieces": pieces})
    speech = np.concatenate(parts)
    room = RoomNoise(seed).next(len(speech))
    sound = np.clip(speech + room * 10 ** (script.noise_db / 20), -1, 1)
    reference = {
        "duration": len(sound) / RATE,
        "noise_db": script.noise_db,
        "speakers": {
            name: {"voice": f"flite {voice}", "level_db": level}
            for name, (voice, level) in script.voices.items()
        },
        "word_times": "segment times of the synthesiser",
        "turns": turns,
    }
    return np.rint(sound * 32767).astype(np.int16), reference


def encode(samples: NDArray[np.int16], path: Path) -> None:
    """Write mono 16 kHz sound as Opus in Ogg."""
    options = {"fflags": "+bitexact"}  # or every run would draw another serial number
    with av.open(str(path), "w", format="opus", options=options) as container:
        stream = container.add_stream("libopus", rate=RATE, layout="mono")
        stream.bit_rate = BIT_RATE
        stream.options = {"application": "audio"}
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def examine(path: Path, reference: dict[str, Any]) -> str:
    """Decode the file again and say how it aligns with its words and how well it is understood."""
    import jiwer
    from pocketsphinx import Decoder

    from nbasr.audio.recording import Recording

    recording = Recording.open(path)
    assert abs(recording.duration - reference["duration"]) < 0.001, recording.duration
    decoder = Decoder(samprate=RATE, loglevel="FATAL")
    apart, said, heard = [], [], []

    def decode(start: float, stop: float) -> float:
        start = max(0.0, start - 0.2)
        decoder.reinit_feat()
        decoder.start_utt()
        samples = recording.samples[int(start * RATE) : int((stop + 0.2) * RATE)]
        decoder.process_raw(samples.tobytes(), full_utt=True)
        decoder.end_utt()
        return start + 0.008  # a frame of 25.6 ms stands for the 10 ms in its middle

    for turn in reference["turns"]:
        for piece in turn["pieces"]:
            decoder.set_align_text(" ".join(word for *_, word in piece["words"]))
            offset = decode(piece["start"], piece["stop"])
            found = [s.start_frame / 100 for s in decoder.seg() if not s.word.startswith("<")]
            starts = [start for start, *_ in piece["words"]]
            apart += [abs(a + offset - b) for a, b in zip(found, starts, strict=True)]
        decoder.activate_search()
        decode(turn["pieces"][0]["start"], turn["pieces"][-1]["stop"])
        words = decoder.hyp().hypstr.split() if decoder.hyp() else []
        heard.append(" ".join(re.sub(r"\(\d+\)", "", w) for w in words if w[0] not in "<["))
        said.append(" ".join(w for piece in turn["pieces"] for *_, w in piece["words"]))
    return (
        f"{path}: {path.stat().st_size:,} bytes, {recording.duration:.1f} s, {len(said)} turns, "
        f"{len(apart)} words; PocketSphinx: WER {jiwer.wer(said, heard):.1%}, starts of words "
        f"{np.median(apart) * 1000:.0f} ms from the truth (95 % within "
        f"{np.quantile(apart, 0.95) * 1000:.0f} ms)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, help="the turns, as in tools/meeting.txt")
    parser.add_argument("folder", type=Path, help="where the recording and its reference go")
    parser.add_argument("--seed", type=int, default=3, help="of the room's noise")
    parser.add_argument("--wav", action="store_true", help="keep the sound before encoding too")
    given = parser.parse_args()
    samples, reference = perform(read_script(given.text), given.seed)
    given.folder.mkdir(parents=True, exist_ok=True)
    path = given.folder / f"{given.text.stem}.opus"
    encode(samples, path)
    text = json.dumps(reference, separators=(",", ":"))
    text = re.sub(r'(?=\{"speaker"|\{"start")', "\n", text)  # a line per turn and piece
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    if given.wav:
        soundfile.write(path.with_suffix(".wav"), samples, RATE, subtype="PCM_16")
    print(examine(path, reference))


if __name__ == "__main__":
    main()
