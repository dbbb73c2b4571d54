// Asks the kernel for plans: one request at a time, the newest settings win, edits never get lost.

const SETTLED_MS = 350; // settings that stand this long are a step that can be undone

/**
 * @param frame the panel's
 * @param {(plan: object, index: number|null) => void} onplan called with each plan; `index` is the
 *   cut that an edit was about
 * @param {() => void} onrefused called where the kernel says that it cannot be done
 */
export function createPlanning(frame, onplan, onrefused) {
  const { link, fail, signal } = frame;
  const edits = [];
  let wanted = null; // settings that the kernel has not planned yet
  let settling = 0;
  let unsettled = false;
  let busy = false;
  let flying = false; // settings are with the kernel
  let version = -1;

  async function pump() {
    if (busy) return;
    busy = true;
    try {
      while (edits.length || wanted) {
        const job = edits.shift();
        if (job) await answer(job.ask, job);
        else {
          const asked = wanted;
          wanted = null;
          flying = true;
          await answer(() => link.ask("plan", asked).finally(() => (flying = false)), {});
        }
      }
    } finally {
      busy = false;
    }
  }

  async function answer(ask, { isEdit = false, done = () => {} }) {
    try {
      take(await ask(), isEdit);
    } catch (error) {
      fail(error);
      if (wanted === null) onrefused();
    }
    done();
  }

  /** Take an answer or event, unless a newer one was taken. */
  function take({ data, buffers }, isEdit = false) {
    if (data.version < version) return;
    version = data.version;
    const [chunks, speech, skipped] = [0, 1, 2].map((at) => doubles(buffers[at]));
    onplan({ ...data, chunks, speech, skipped, count: data.chunks }, isEdit && data.focus >= 0 ? data.focus : null);
  }

  /** Make what was last set a step of its own. */
  function settle() {
    clearTimeout(settling);
    if (!unsettled) return;
    unsettled = false;
    wanted = { settings: wanted?.settings ?? {}, final: true };
  }

  const queue = (ask, isEdit) => new Promise((done) => {
    settle();
    if (wanted) { // what was set before the edit comes before it
      const asked = wanted;
      wanted = null;
      edits.push({ ask: () => link.ask("plan", asked) });
    }
    edits.push({ ask, isEdit, done });
    pump();
  });

  link.on("plan", (content, buffers) => take({ data: content, buffers }));
  for (const kind of ["plan", "edit", "apply_preset"]) link.overhear(kind, (answer) => take(answer));
  signal.addEventListener("abort", () => clearTimeout(settling));

  return {
    /** Plan by other settings, as soon as the kernel is free; only what was changed is given. */
    want(changes) {
      unsettled = true;
      wanted = { settings: { ...wanted?.settings, ...changes }, final: false };
      clearTimeout(settling);
      settling = setTimeout(() => {
        settle();
        pump();
      }, SETTLED_MS);
      pump();
    },
    /** Ask for the plan as it is. */
    begin: (language) => queue(() => link.ask("plan", { settings: {}, final: false, language })),
    /** Change the plan by hand. */
    edit: (what) => queue(() => link.ask("edit", what), true),
    /** Take a plan that came as the answer to something else. */
    take,
    /** Whether there is something that the last plan does not know yet. */
    get pending() {
      return wanted !== null || edits.length > 0 || flying;
    },
  };
}

function doubles(bytes) {
  return new Float64Array(bytes?.slice().buffer ?? 0); // aligned, as doubles want to be
}
