// Records the microphone: what is heard becomes a source that grows, for the sender.

const SLICE_MS = 1000; // so much is lost at most when the page dies
const FORMATS = [
  ["audio/webm;codecs=opus", "webm"],
  ["audio/ogg;codecs=opus", "ogg"],
  ["audio/mp4", "m4a"],
];
const BITS_PER_SECOND = 96_000; // speech is as good as untouched in Opus at that
const FLOOR_DB = -60; // the left end of the meter

/** Why there is no microphone: the key of a text. */
export function microphoneTrouble(error) {
  const known = {
    NotAllowedError: "upload.microphone_refused",
    SecurityError: "upload.microphone_refused",
    NotFoundError: "upload.microphone_missing",
    OverconstrainedError: "upload.microphone_missing",
  };
  return known[error?.name] ?? "upload.microphone_busy";
}

/** Why the browser cannot record at all: the key of a text, or "". */
export function microphoneLack() {
  if (!window.isSecureContext) return "upload.microphone_secure";
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) return "upload.microphone_unknown";
  return "";
}

/**
 * Begin to record.
 * @param {{signal: AbortSignal, onended: () => void}} options `onended`: it has stopped, by itself
 *   or because it was asked to
 * @returns {Promise<{source, seconds: () => number, level: () => number, stop: () => void}>}
 *   `source` is what `sendSource` takes; `level` is 0 … 1 of the meter
 */
export async function recordMicrophone({ signal, onended }) {
  const stream = await navigator.mediaDevices.getUserMedia({
    // Recognisers want the sound as it is; what makes calls pleasant takes parts of speech away.
    audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true },
  });
  const [mimeType, ending] = FORMATS.find(([type]) => MediaRecorder.isTypeSupported(type)) ?? ["", "webm"];
  const recorder = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: BITS_PER_SECOND });
  const meter = createMeter(stream);
  const began = performance.now();
  let grown = () => {};
  let whole = new Blob();
  const source = {
    name: "",
    ending,
    size: 0,
    modified: 0,
    kind: "microphone",
    ended: false,
    read: async (at, length) => new Uint8Array(await whole.slice(at, at + length).arrayBuffer()),
    ongrowth: (listener) => (grown = listener),
  };
  const release = () => {
    stream.getTracks().forEach((track) => track.stop());
    meter.close();
  };
  recorder.addEventListener("dataavailable", ({ data }) => {
    whole = new Blob([whole, data]);
    source.size = whole.size;
    grown();
  });
  recorder.addEventListener("stop", () => {
    source.ended = true;
    release();
    grown();
    onended();
  });
  const stop = () => {
    if (recorder.state !== "inactive") recorder.stop();
  };
  stream.getAudioTracks()[0].addEventListener("ended", stop); // it was pulled out
  signal.addEventListener("abort", stop);
  if (signal.aborted) release();
  else recorder.start(SLICE_MS);
  return { source, seconds: () => (performance.now() - began) / 1000, level: meter.level, stop };
}

function createMeter(stream) {
  const audio = new AudioContext();
  const analyser = new AnalyserNode(audio, { fftSize: 2048 });
  audio.createMediaStreamSource(stream).connect(analyser);
  const block = new Float32Array(analyser.fftSize);
  return {
    level() {
      analyser.getFloatTimeDomainData(block);
      let peak = 0;
      for (const value of block) peak = Math.max(peak, Math.abs(value));
      return Math.min(Math.max(1 - (20 * Math.log10(peak + 1e-9)) / FLOOR_DB, 0), 1);
    },
    close: () => audio.close(),
  };
}
