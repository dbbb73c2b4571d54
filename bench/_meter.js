// What bench/panels.py measures in the page: bytes from the kernel, time to a drawing, work of frames.

(() => {
  const PATIENCE_MS = 60000;
  const traffic = { received: 0, messages: 0 };
  const size = (data) => data.byteLength ?? data.length;

  window.WebSocket = class extends window.WebSocket {
    constructor(...given) {
      super(...given);
      if (!this.url.includes("/channels")) return;
      this.addEventListener("message", ({ data }) => (traffic.received += size(data)));
    }

    send(data) {
      if (this.url.includes("/channels")) {
        const more = size(data) < 10000 && /"ask": ?"samples"/.test(new TextDecoder().decode(data));
        traffic.messages += !more; // that more of the sound is fetched is no news of the playhead
      }
      super.send(data);
    }
  };

  /** Is something drawn? Of a canvas its middle row is looked at: a waveform always has pixels there. */
  const DRAWN = {
    wave(output, strips = 0) {
      const canvas = output.querySelector("canvas.nb-detail");
      if (!canvas?.width || !canvas.clientHeight) return false;
      const ratio = canvas.height / canvas.clientHeight;
      const middle = Math.floor(((parseFloat(canvas.style.height) - strips) / 2) * ratio);
      const row = canvas.getContext("2d").getImageData(0, middle, canvas.width, 1).data;
      let opaque = 0; // shading is translucent, the waveform is not
      for (let at = 3; at < row.length; at += 4) opaque += row[at] === 255;
      return opaque > canvas.width / 2;
    },
    tuner: (output) => Boolean(output.querySelector(".nb-count")?.textContent) && DRAWN.wave(output),
    figure: (output) => (output.querySelector(".scatterlayer .trace path")?.getAttribute("d")?.length ?? 0) > 1000,
    reader: (output) => Boolean(output.querySelector(".nb-line .nb-word")) && DRAWN.wave(output, 22),
    rows: (output) => Boolean(output.querySelector(".bench-rows > div")),
    upload: (output) => Boolean(output.querySelector(".nbasr-upload input[type=file], .widget-upload")),
  };

  const nextFrame = () => new Promise((done) => requestAnimationFrame(done));

  /** Resolves when the frame that is due next has been painted. */
  function painted() {
    return new Promise((done) => {
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => done(performance.now());
        port2.postMessage(0);
      });
    });
  }

  async function within(wait, what) {
    let timer;
    const late = new Promise((_, fail) => {
      timer = setTimeout(() => fail(new Error(`Not within ${PATIENCE_MS / 1000} s: ${what()}`)), PATIENCE_MS);
    });
    try {
      return await Promise.race([wait, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  const outputOf = (index) =>
    document.querySelectorAll(".jp-Notebook .jp-Cell")[index].querySelector(".jp-Cell-outputArea");

  /** Run a cell; return the seconds until it has drawn, and the bytes that came for it. */
  async function cell(index, kind) {
    const panel = window.nbasrPanel;
    panel.content.deselectAll();
    panel.content.activeCellIndex = index;
    globalThis[Symbol.for("nbasr.sounds")]?.clear(); // what an earlier panel left in the page
    const received = traffic.received;
    const begun = performance.now();
    window.jupyterapp.commands.execute("notebook:run-cell");
    const drawn = async () => {
      do await nextFrame();
      while (!DRAWN[kind](outputOf(index)));
      return performance.now();
    };
    const seconds = (await within(drawn(), () => outputOf(index).innerText) - begun) / 1000;
    return { seconds, bytes: traffic.received - received };
  }

  /**
   * Do something for each of some frames; return the ms of work and between frames.
   * Work is what keeps the page busy: the step, then the frame from its first callback until after
   * layout and paint. `step` may return a promise of its being done.
   */
  async function frames(count, step) {
    let beat = 0;
    let going = true;
    const beating = () => {
      beat = performance.now();
      if (going) requestAnimationFrame(beating);
    };
    requestAnimationFrame(beating);
    await painted();
    const found = { work: [], between: [], whole: [] };
    let last = 0;
    for (let at = 0; at < count; at += 1) {
      const begun = performance.now();
      const doing = step(at);
      if (doing instanceof Promise) await within(doing, () => `step ${at}`);
      const stepped = performance.now();
      const ended = await painted();
      found.work.push(stepped - begun + ended - beat);
      found.whole.push(ended - begun);
      if (last) found.between.push(beat - last);
      last = beat;
    }
    going = false;
    return found;
  }

  /** Turn the wheel with Ctrl on a waveform: into the depth, and out again. */
  function wheel(index, count) {
    const stage = outputOf(index).querySelector(".nb-stage");
    const box = stage.getBoundingClientRect();
    const turn = (deltaY) => stage.dispatchEvent(new WheelEvent("wheel", {
      deltaY, ctrlKey: true, bubbles: true, cancelable: true,
      clientX: box.left + 0.37 * box.width, clientY: box.top + box.height / 2,
    }));
    return frames(2 * count, (at) => void turn(at < count ? -60 : 60));
  }

  /** Zoom a Plotly figure by the buttons of its bar: in, and out again. */
  function figureZoom(index, count) {
    const plot = outputOf(index).querySelector(".js-plotly-plot");
    const press = (way) => {
      const done = new Promise((resolve) => plot.once("plotly_afterplot", resolve));
      plot.querySelector(`[data-attr="zoom"][data-val="${way}"]`).click();
      return done;
    };
    return frames(2 * count, (at) => press(at < count ? "in" : "out"));
  }

  const away = (value, low, high) => (value > high ? low : value); // up in small steps, then again

  function thresholdMover(index) {
    const sliders = [...outputOf(index).querySelectorAll(".nb-threshold input[type=range]")];
    const range = sliders.find((one) => one.offsetParent);
    const low = Number(range.value);
    return () => {
      range.value = away(Number(range.value) + Number(range.step), low, low + 6);
      range.dispatchEvent(new Event("input", { bubbles: true }));
    };
  }

  /** Move the tuner's threshold, one step a frame: the shading follows in the same frame. */
  function shading(index, count) {
    const move = thresholdMover(index);
    return frames(count, () => void move());
  }

  /** Move the tuner's threshold and wait for the kernel's plan, as often. */
  function planning(index, count) {
    const move = thresholdMover(index);
    const told = outputOf(index).querySelector(".nb-count"); // written anew with each plan
    return frames(count, () => new Promise((done) => {
      const watch = new MutationObserver(() => {
        watch.disconnect();
        done();
      });
      watch.observe(told, { childList: true, characterData: true, subtree: true });
      move();
    }));
  }

  /** Move an ipywidgets slider by a key and wait until the figure below it is redrawn. */
  function figureSlider(index, count) {
    const output = outputOf(index);
    const plot = output.querySelector(".js-plotly-plot");
    const handle = output.querySelector(".noUi-handle");
    return frames(count, (at) => {
      const done = new Promise((resolve) => plot.once("plotly_afterplot", resolve));
      const key = at % 10 < 5 ? "ArrowRight" : "ArrowLeft"; // it comes back to where it was
      handle.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
      return done;
    });
  }

  /** Press play; return the ms until samples are laid out, and until the audio clock has moved. */
  async function play(index) {
    const output = outputOf(index);
    const player = output.querySelector(".nb-transport").nbPlayer;
    const before = player.scheduled.length;
    const from = player.time();
    const begun = performance.now();
    output.querySelector('.nb-transport [aria-keyshortcuts="Space"]').click();
    const until = async (holds) => {
      while (!holds()) await new Promise((go) => setTimeout(go, 1));
      return performance.now() - begun;
    };
    const scheduled = await within(until(() => player.scheduled.length > before), () => "nothing laid out");
    const moved = await within(until(() => player.time() > from), () => "the clock stands");
    return { scheduled, moved };
  }

  /** How many messages go to the kernel in so many seconds, but for those that fetch sound. */
  async function said(seconds) {
    const before = traffic.messages;
    await new Promise((go) => setTimeout(go, 1000 * seconds));
    return traffic.messages - before;
  }

  const pause = (index) => outputOf(index).querySelector(".nb-transport").nbPlayer.pause();

  // -- Uploads ----------------------------------------------------------------------------------

  const chosen = { at: 0, input: null };
  HTMLInputElement.prototype.click = ((click) => function () {
    if (this.type !== "file") return click.call(this);
    chosen.input = this; // FileUpload's is not in the document; no dialogue is opened
    return undefined;
  })(HTMLInputElement.prototype.click);

  /** The input for files of a panel, or that of a FileUpload. */
  function input(index) {
    const output = outputOf(index);
    output.querySelector(".widget-upload")?.click();
    const found = output.querySelector(".nbasr input[type=file]:not([webkitdirectory])") ?? chosen.input;
    found.addEventListener("change", () => (chosen.at = performance.now()), { once: true, capture: true });
    return found;
  }

  const arrivals = {};

  /** Note when what is chosen next has arrived: the times of states of a row, or of a new text. */
  function await_(index) {
    const output = outputOf(index);
    const seen = (arrivals[index] = {});
    const before = new Set(output.querySelectorAll("[data-state]")); // rows of earlier files
    const watch = new MutationObserver((changes) => {
      for (const { target } of changes) {
        if (before.has(target)) continue;
        const state = target.dataset?.state ?? (target.closest?.(".widget-label") && "ready");
        if (state) seen[state] ??= performance.now();
      }
      if (seen.ready || seen.problem) watch.disconnect();
    });
    watch.observe(output, { subtree: true, attributes: true, attributeFilter: ["data-state"], childList: true });
  }

  /** Seconds from a choice until each state; null if nothing arrives in time. */
  async function arrived(index, patience) {
    const until = performance.now() + 1000 * patience;
    const seen = arrivals[index];
    while (!seen.ready && !seen.problem) {
      if (performance.now() > until) return null;
      await new Promise((go) => setTimeout(go, 20));
    }
    return Object.fromEntries(Object.entries(seen).map(([state, at]) => [state, (at - chosen.at) / 1000]));
  }

  window.nbasrMeter = {
    cell, painted, wheel, figureZoom, shading, planning, figureSlider, play, pause, said, await: await_, arrived, input,
  };
})();
