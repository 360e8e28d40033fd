// SPDX-License-Identifier: MIT
"use strict";
// setTimeout() and setInterval() count on the monotonic clock, which went on while the copy lay in its image: without
// help every timer would be due at once. They keep their distance instead.
//
// Timers of one duration are a linked list (_idleNext, _idlePrev) whose head has the time that the list is due (expiry);
// the heads are in a map that only node's own functions see.

const { look, closedOver } = require("./inspector");

// All heads of lists with timers that run.
function find() {
  const { timerListMap } = closedOver(require("node:timers").clearTimeout, ["timerListMap"]);
  return timerListMap ? new Set(Object.values(timerListMap)) : search();
}

// Where that map is not found: all timers by their prototype, and heads from them. V8 collects the whole heap for that, and
// throws away much of the code that it has compiled.
function search() {
  const heads = new Set();
  for (const timer of instances()) {
    const head = headOf(timer);
    if (head) heads.add(head);
  }
  return heads;
}

// Moves them by that many milliseconds. The order in node's queue stays what it was.
function shift(heads, elapsed) {
  const by = Math.floor(elapsed);
  for (const head of heads) {
    head.expiry += by;
    for (let timer = head._idleNext; timer && timer !== head; timer = timer._idleNext) timer._idleStart += by;
  }
}

function instances() {
  const probe = setTimeout(() => {}, 1);
  clearTimeout(probe);
  const key = Symbol.for("warm.timers");
  globalThis[key] = { prototype: Object.getPrototypeOf(probe), found: [] };
  try {
    return look((post) => {
      const { result } = post("Runtime.evaluate", { expression: 'globalThis[Symbol.for("warm.timers")].prototype' });
      const { objects } = post("Runtime.queryObjects", { prototypeObjectId: result.objectId });
      post("Runtime.callFunctionOn", {
        objectId: objects.objectId,
        functionDeclaration: 'function () { globalThis[Symbol.for("warm.timers")].found = this; }',
      });
      return [...globalThis[key].found];
    }) ?? [];
  } finally {
    delete globalThis[key];
  }
}

function headOf(timer) {
  let at = timer._idlePrev; // null where it does not run
  while (at && at !== timer && typeof at.expiry !== "number") at = at._idlePrev;
  return at && typeof at.expiry === "number" ? at : null;
}

module.exports = { find, shift };
