// A text with what differs from another one marked: struck out and underlined, not by colour alone.

import { h } from "./dom.js";
import { wordDiff } from "./worddiff.js";

const LEAST = 0.3; // of the longer text must be in both: marks all over say nothing, and hide the text

/**
 * Nodes of one side of a comparison.
 * @param {string} before the machine's text, or the older one
 * @param {string} after
 * @param {"before"|"after"|"both"} side
 */
export function diffNodes(before, after, side) {
  const parts = wordDiff(before, after);
  const shared = parts.filter(({ kind }) => kind === "same").reduce((sum, { text }) => sum + text.trim().length, 0);
  if (shared < LEAST * Math.max(before.length, after.length) && side !== "both") return [side === "before" ? before : after];
  const nodes = [];
  for (const { kind, text } of parts) {
    if (kind === "same") nodes.push(text);
    else if (kind === "gone" && side !== "after") nodes.push(marked("del", text));
    else if (kind === "new" && side !== "before") nodes.push(marked("ins", text));
  }
  return nodes;
}

/** The mark ends with the word: a struck space after it reads as one mark with the next. */
function marked(tag, text) {
  const word = text.trimEnd();
  const made = document.createDocumentFragment();
  made.append(h(tag, {}, word), text.slice(word.length));
  return made;
}
