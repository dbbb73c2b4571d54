// Questions whose answer may get lost with a connection: asked again after a while.

const PATIENCE_MS = 10000;

/**
 * Ask until there is an answer; the time between grows, as a kernel may just be busy.
 * @param {() => Promise} ask asks once; asking twice must do no harm
 * @param {number} patience ms until the second time
 * @returns {Promise} the first answer or error
 */
export async function askUntilAnswered(ask, patience = PATIENCE_MS) {
  const asked = [];
  for (let wait = patience; ; wait *= 2) {
    asked.push(ask().then((answer) => ({ answer })));
    const first = await within(wait, ...asked);
    if (first) return first.answer;
  }
}

/** What comes first of some promises, or undefined if none does in so many ms. */
export async function within(wait, ...promises) {
  let timer;
  const late = new Promise((go) => (timer = setTimeout(go, wait)));
  try {
    return await Promise.race([...promises, late]);
  } finally {
    clearTimeout(timer);
  }
}
