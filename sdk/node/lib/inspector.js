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

// Those of these variables that fn closes over: {name: value}. In a version of node that has them elsewhere some are missing.
function closedOver(fn, names) {
  const key = Symbol.for("warm.inspector");
  const found = {};
  globalThis[key] = { fn, found };
  try {
    look((post) => {
      const own = (objectId) => post("Runtime.getProperties", { objectId, ownProperties: true });
      const { result } = post("Runtime.evaluate", { expression: 'globalThis[Symbol.for("warm.inspector")].fn' });
      const scopes = own(result.objectId).internalProperties.find(({ name }) => name === "[[Scopes]]").value;
      for (const { value: scope } of own(scopes.objectId).result) {
        if (scope?.description !== "Closure" && !scope?.description?.startsWith("Closure ")) continue;
        for (const { name, value } of own(scope.objectId).result) {
          if (!value || !names.includes(name) || name in found) continue;
          if (!value.objectId) found[name] = value.value;
          else
            post("Runtime.callFunctionOn", {
              objectId: value.objectId,
              functionDeclaration: `function () { globalThis[Symbol.for("warm.inspector")].found.${name} = this; }`,
            });
        }
      }
    });
  } finally {
    delete globalThis[key];
  }
  return found;
}

module.exports = { look, closedOver };
