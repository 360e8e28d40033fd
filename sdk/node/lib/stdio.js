// SPDX-License-Identifier: MIT
"use strict";
// The standard streams. They are opened at first use: those that the program has not used stay closed.

let input = null;

// Before the freeze: what was printed is printed once, by the original. Pipes are written behind our back.
async function flush(native) {
  const open = native.openStreams();
  input = open & 1 ? process.stdin : null;
  for (const [bit, stream] of [[2, () => process.stdout], [4, () => process.stderr]])
    if (open & bit && stream().writableLength)
      await new Promise((done) => {
        stream().write("", done);
      });
}

// In a copy: what standard input had read ahead is not the launch's.
function forgetInput() {
  if (input && !input.readableEnded) while (input.read() !== null);
}

module.exports = { flush, forgetInput };
