// SPDX-License-Identifier: MIT
"use strict";
// Looking into this process with its own inspector, for a moment, before the freeze. Where node was built without one,
// nothing is found.

// Calls look(post, on) with a session: post(method, params) returns the result, on(event, fn) hears what is reported.
function look(fn) {
  let session;
  try {
    const { Session } = require("node:inspector");
    session = new Session();
    session.connect();
  } catch {
    return undefined;
  }
  try {
    return fn(
      (method, params) => {
        let answer;
        session.post(method, params, (error, result) => {
          answer = { error, result };
        });
        // A session with one's own thread answers before post() returns.
        if (!answer || answer.error) throw new Error(`${method}: ${answer?.error?.message ?? "no answer"}`);
        return answer.result;
      },
      (event, hear) => session.on(event, hear),
    );
  } finally {
    session.disconnect();
  }
}

module.exports = { look };
