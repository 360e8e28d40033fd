// SPDX-License-Identifier: MIT
"use strict";
// Two copies must not draw the same numbers. The addon gives OpenSSL and V8 new seeds; here is what node's JavaScript has
// drawn ahead, and Math.random() where the addon does not reach it.

const UUIDS_AHEAD = 128; // randomUUID() draws so many at once,
const INTS_AHEAD = 1024; // and randomInt(),
const INT_BYTES = 6; // from so many bytes each

const { closedOver } = require("./inspector");

let originals = null;

// When the package is loaded. A worker thread learns of a copy by a counter only (native.copies): the functions that draw
// ahead look at it there. So does Math.random() where V8 cannot be told. What was taken of them before the package was
// loaded keeps the frozen numbers then.
function prepare({ copies, reseedsMathRandom }, isMainThread) {
  if (!reseedsMathRandom) {
    let draw = Math.random;
    Math.random = renewed(copies, Math.random, () => (draw = generator()), () => draw());
  }
  if (isMainThread) return;
  renewDrawnAhead(copies);
}

// The same where nobody else renews anything in a copy: in a program without the hook.
function watch(copies, reseed) {
  Math.random = renewed(copies, Math.random, reseed);
  renewDrawnAhead(copies);
  const chosen = [...process.execArgv, process.env.NODE_OPTIONS].some((text) => /--random[-_]seed/.test(text));
  if (!chosen) reseed(); // the snapshot may have been taken before this, while node was starting
}

function renewDrawnAhead(copies) {
  const crypto = require("node:crypto");
  const web = Object.getPrototypeOf(crypto.webcrypto);
  takeOriginals();
  for (const [owner, name] of [[crypto, "randomInt"], [crypto, "randomUUID"], [web, "randomUUID"]])
    owner[name] = renewed(copies, owner[name], drain);
}

// `fn`, or what stands for it, behind renew() at its first call in a copy.
function renewed(copies, fn, renew, instead = fn) {
  let seen = copies[0];
  const wrapped = function (...args) {
    if (copies[0] !== seen) {
      seen = copies[0];
      renew();
    }
    return instead.apply(this, args);
  };
  return Object.defineProperties(wrapped, { name: { value: fn.name }, length: { value: fn.length } });
}

// Before the freeze: uses up exactly what was drawn ahead, so that a copy begins with nothing. Returns whether that is so:
// only node's own variables tell, and another version may have others. Then each copy has to drain().
function settle() {
  const { randomUUID, randomInt } = takeOriginals();
  drain(); // there is something, and a copy need not compile this
  const { uuidBatch, randomCacheOffset } = counters();
  for (let n = (UUIDS_AHEAD - uuidBatch) % UUIDS_AHEAD; n > 0; n--) randomUUID();
  for (let at = randomCacheOffset; at < INT_BYTES * INTS_AHEAD; at += INT_BYTES) randomInt(2);
  const left = counters();
  return left.uuidBatch === 0 && left.randomCacheOffset === INT_BYTES * INTS_AHEAD;
}

// Where node stands in what it has drawn: variables of its own.
function counters() {
  try {
    return closedOver(takeOriginals().randomUUID, ["uuidBatch", "randomCacheOffset"]);
  } catch {
    return {};
  }
}

// Uses up what was drawn ahead, and more: what follows is fresh.
function drain() {
  const { randomUUID, randomInt } = takeOriginals();
  for (let i = 0; i < UUIDS_AHEAD; i++) randomUUID();
  for (let i = 0; i < INTS_AHEAD; i++) randomInt(2);
}

// Not when the package is loaded: a program that is not wanted does not pay for it.
function takeOriginals() {
  const { randomUUID, randomInt } = require("node:crypto");
  return (originals ??= { randomUUID, randomInt });
}

// xoshiro128**, 53 bits of two draws at a time.
function generator() {
  const s = new Uint32Array(4);
  do require("node:crypto").randomFillSync(s);
  while (!(s[0] | s[1] | s[2] | s[3]));
  const next = () => {
    const five = Math.imul(s[1], 5);
    const result = Math.imul((five << 7) | (five >>> 25), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  };
  return () => ((next() >>> 5) * 0x4000000 + (next() >>> 6)) / 0x20000000000000;
}

module.exports = { prepare, watch, settle, drain };
