// What bench/reading.py measures in the page: frames while a long list scrolls, clicks, marked words.

(() => {
  const { painted } = window.nbasrMeter;
  const outputOf = (index) =>
    document.querySelectorAll(".jp-Notebook .jp-Cell")[index].querySelector(".jp-Cell-outputArea");
  const readerOf = (index) => outputOf(index).querySelector(".nbasr").nbReader;

  /** The element of an output that scrolls: the panel's list, or the box of a peer. */
  const scrollerOf = (index) =>
    outputOf(index).querySelector(".nb-lines-scroll") ?? outputOf(index).querySelector(".bench-rows");

  /**
   * Do something that scrolls, once for each of some frames; return the ms of work of each: what is done
   * at once, then all from the scroll event until after layout and paint.
   */
  async function scrolled(scroller, count, step) {
    const work = [];
    let began = 0;
    const begin = () => (began ||= performance.now());
    scroller.addEventListener("scroll", begin, { capture: true });
    await painted();
    for (let at = 0; at < count; at += 1) {
      const asked = performance.now();
      began = 0;
      step(at);
      const done = performance.now();
      const ended = await painted();
      if (began) work.push(done - asked + ended - Math.max(began, done));
    }
    scroller.removeEventListener("scroll", begin, { capture: true });
    return { work };
  }

  const STEPS = {
    wheel: (scroller, count) => (at) => (scroller.scrollTop += at < count / 2 ? 100 : -100), // a notch
    drag: (scroller) => (at) => { // up and down through all of it, each frame at another place
      const most = scroller.scrollHeight - scroller.clientHeight;
      scroller.scrollTop = most * (0.5 + 0.5 * Math.sin(at * 0.37));
    },
    keys: (scroller, count) => (at) => {
      const key = at < count / 2 ? "PageDown" : "PageUp";
      scroller.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    },
  };

  function scroll(index, how, count) {
    const scroller = scrollerOf(index);
    return scrolled(scroller, count, STEPS[how](scroller, count));
  }

  /** Bring a line into sight, then click its word; ms until the audio clock has moved. */
  async function hear(index, line, word) {
    const { lines, player } = readerOf(index);
    player.pause();
    lines.reveal(line, { block: "center" });
    await painted();
    const element = lines.rowOf(line).querySelectorAll(".nb-word")[word];
    const place = { bubbles: true, cancelable: true, button: 0, ...centre(element) };
    element.dispatchEvent(new PointerEvent("pointerdown", place));
    element.dispatchEvent(new PointerEvent("pointerup", place));
    const begun = performance.now();
    element.dispatchEvent(new MouseEvent("click", place));
    const from = player.time();
    const till = begun + 10000;
    while (!(player.time() > from + 0.001)) {
      if (performance.now() > till) throw new Error("The clock stands.");
      await new Promise((go) => setTimeout(go, 1));
    }
    const heard = performance.now() - begun - 1000 * (player.time() - from);
    player.pause();
    return heard;
  }

  function centre(element) {
    const box = element.getBoundingClientRect();
    return { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 };
  }

  /**
   * Play for some seconds; return for each word how many ms after its start it was marked. What is seen
   * is compared with what is heard: the player's clock at the frame in which the mark is painted.
   */
  async function marked(index, line, seconds) {
    const { store, lines, player } = readerOf(index);
    lines.reveal(line, { block: "center" });
    player.play({ start: store.at(line).start });
    const late = [];
    const seen = new Set();
    const until = player.time() + seconds;
    while (player.time() < until && player.playing) {
      await painted();
      const word = outputOf(index).querySelector(".nb-word.nb-sounds");
      if (!word) continue;
      const at = lines.indexOfRow(word.closest(".nb-line"));
      const key = `${at} ${word.nbWord}`;
      if (seen.has(key)) continue;
      seen.add(key);
      late.push(1000 * (player.time() - store.at(at).words.start(word.nbWord)));
    }
    player.pause();
    return late.slice(1); // the first was marked when it was gone to
  }

  Object.assign(window.nbasrMeter, { scroll, hear, marked });
})();
