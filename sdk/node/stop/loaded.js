// SPDX-License-Identifier: MIT
"use strict";
// What modules that were loaded before the snapshot leave behind: random numbers that were drawn ahead, and timers.

const random = require("./lib/random");
const timers = require("./lib/timers");

// Before the freeze. Returns what a copy has to call, with the time between the freeze and now in ms.
function prepare() {
  const settled = random.settle();
  const pending = timers.find();
  return (elapsed) => {
    timers.shift(pending, elapsed);
    if (!settled) random.drain();
  };
}

module.exports = { prepare };
