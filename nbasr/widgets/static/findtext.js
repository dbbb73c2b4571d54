// Searching in texts as people mean it: case, width and accents do not matter unless asked for.

// Letters whose folded form is one unit too: ASCII, CJK with its punctuation, kana, Hangul, wide forms.
const SIMPLE = /^[\x20-\x7e\u3001-\u3029\u3041-\u3096\u30a1-\u30fa\u30fc\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff5e]*$/;

/**
 * A text as it is compared, and where each of its units lies in the text itself.
 * @typedef {{text: string, from: Uint32Array|null, to: Uint32Array|null}} Folded null: unit for unit
 */

/**
 * @param {string} text
 * @param {boolean} exact case and accents matter; equal spellings in Unicode are equal all the same
 * @returns {Folded}
 */
export function foldText(text, exact = false) {
  if (SIMPLE.test(text)) return { text: exact ? text : text.normalize("NFKC").toLowerCase(), from: null, to: null };
  let folded = "";
  const from = [];
  const to = [];
  // A letter and the marks that follow it are one place of the text, however they are spelled.
  for (const { 0: letter, index } of text.matchAll(/\P{M}\p{M}*|\p{M}+/gsu)) {
    const one = foldLetter(letter, exact);
    for (let k = 0; k < one.length; k += 1) {
      from.push(index);
      to.push(index + letter.length);
    }
    folded += one;
  }
  return { text: folded, from: Uint32Array.from(from), to: Uint32Array.from(to) };
}

function foldLetter(letter, exact) {
  if (/\s/.test(letter)) return " ";
  if (exact) return letter.normalize("NFC");
  // Only accents go: marks of kana and of Indic scripts make other letters.
  return letter.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").normalize("NFC").toLowerCase();
}

/**
 * Every place of a text where another one stands; none overlap.
 * @param {Folded} folded
 * @param {string} wanted folded in the same way
 * @returns {[number, number][]} from and to in the text itself
 */
export function findIn(folded, wanted) {
  const found = [];
  if (!wanted) return found;
  for (let at = folded.text.indexOf(wanted); at >= 0; at = folded.text.indexOf(wanted, at + wanted.length)) {
    const last = at + wanted.length - 1;
    const from = folded.from ? folded.from[at] : at;
    const to = folded.to ? folded.to[last] : last + 1;
    if (!found.length || from >= found.at(-1)[1]) found.push([from, to]);
  }
  return found;
}

/** A text with something in place of some of its places. */
export function replaceIn(text, places, by) {
  let result = "";
  let done = 0;
  for (const [from, to] of places) {
    result += text.slice(done, from) + by;
    done = to;
  }
  return result + text.slice(done);
}
