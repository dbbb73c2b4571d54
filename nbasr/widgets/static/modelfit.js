// Whether a model fits what may be taken of a device: by itself, tightly, after others went, or not.

const TIGHT = 0.9; // share of the room from which on a model has hardly any for its work

/** What is known of a model, in the person's language where the catalogue has it: "about", "languages". */
export function modelTold(t, row, what) {
  const key = `models.${what}_${what === "about" ? row.name : row[what]}`;
  return row.known && t.has(key) ? t(key) : (row[what] ?? "");
}

/** What a part of a model is called. */
export function modelPart(t, part) {
  return t.has(`models.weights_${part}`) ? t(`models.weights_${part}`) : part;
}

/**
 * What may be taken, and what would be if the models went that nobody uses.
 * @param state of modelstate.js
 * @param {string} kind "cpu", "cuda", "mps"
 * @returns {{room: number, idle: object[]}}
 */
export function modelRoom(state, kind) {
  const { now } = state;
  const shown = state.device;
  const device = shown && state.isOf(shown.device, kind) ? shown : now?.devices.find((one) => state.isOf(one.device, kind));
  const idle = (now?.loaded ?? []).filter((one) => one.device === kind && !one.pinned && !one.at_work && one.engine !== "sphinx");
  return { room: device?.room ?? Infinity, idle };
}

/**
 * @param variant {needed: number|null, …}
 * @param {{room: number, idle: object[]}} given of `modelRoom`
 * @returns {{state: "fits"|"tight"|"evict"|"over"|"unknown", over: number, goes: object[]}}
 */
export function modelFit(variant, { room, idle }) {
  const { needed } = variant;
  if (needed === null || needed === undefined) return { state: "unknown", over: 0, goes: [] };
  if (needed <= TIGHT * room) return { state: "fits", over: 0, goes: [] };
  if (needed <= room) return { state: "tight", over: 0, goes: [] };
  const goes = [];
  let freed = 0;
  for (const one of [...idle].reverse()) { // the longest unused first, as the kernel does
    goes.push(one);
    freed += one.bytes;
    if (needed <= room + freed) return { state: "evict", over: 0, goes };
  }
  return { state: "over", over: needed - room - freed, goes: [] };
}

/** The variant to offer first: the usual one, or the widest that fits. */
export function modelVariant(row, given) {
  const usual = row.variants[row.usual];
  if (!usual || modelFit(usual, given).state !== "over") return row.usual;
  const fits = row.variants.findIndex((one) => !["over", "unknown"].includes(modelFit(one, given).state));
  return fits < 0 ? row.usual : fits;
}
