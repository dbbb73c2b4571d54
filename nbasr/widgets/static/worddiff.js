// What differs between two texts, word by word; where no spaces part words, character by character.

const MOST = 2000; // words of both texts beyond which only their ends are compared

/** Split a text into words with their spaces behind them, and into single characters of Han, kana and Thai. */
export function diffTokens(text) {
  return text.match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]\s*|[^\s\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]+\s*|\s+/gu) ?? [];
}

/**
 * Compare two texts.
 * @param {string} before
 * @param {string} after
 * @returns {{kind: "same"|"gone"|"new", text: string}[]} in the order of reading; "same" is as in `after`
 */
export function wordDiff(before, after) {
  const a = diffTokens(before);
  const b = diffTokens(after);
  const key = (token) => token.trim();
  let head = 0;
  while (head < a.length && head < b.length && key(a[head]) === key(b[head])) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && key(a.at(-1 - tail)) === key(b.at(-1 - tail))) tail += 1;
  const middleA = a.slice(head, a.length - tail);
  const middleB = b.slice(head, b.length - tail);
  return joined([
    ...b.slice(0, head).map((text) => ({ kind: "same", text })),
    ...(middleA.length + middleB.length > MOST ? replaced(middleA, middleB) : longestCommon(middleA, middleB, key)),
    ...b.slice(b.length - tail).map((text) => ({ kind: "same", text })),
  ]);
}

function replaced(a, b) {
  return [...a.map((text) => ({ kind: "gone", text })), ...b.map((text) => ({ kind: "new", text }))];
}

/** The longest common subsequence: what is in it is the same. */
function longestCommon(a, b, key) {
  const width = b.length + 1;
  const length = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      length[i * width + j] = key(a[i]) === key(b[j])
        ? length[(i + 1) * width + j + 1] + 1
        : Math.max(length[(i + 1) * width + j], length[i * width + j + 1]);
    }
  }
  const parts = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && key(a[i]) === key(b[j])) {
      parts.push({ kind: "same", text: b[j] });
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && length[(i + 1) * width + j] >= length[i * width + j + 1])) {
      parts.push({ kind: "gone", text: a[i] });
      i += 1;
    } else {
      parts.push({ kind: "new", text: b[j] });
      j += 1;
    }
  }
  return parts;
}

/** Neighbours of one kind as one; within a change what is gone comes before what is new. */
function joined(parts) {
  const runs = [];
  for (const { kind, text } of parts) {
    const last = runs.at(-1);
    const before = runs.at(-2);
    if (last?.kind === kind) last.text += text;
    else if (kind === "gone" && last?.kind === "new" && before?.kind === "gone") before.text += text;
    else runs.push({ kind, text });
  }
  return runs;
}
