// SPDX-License-Identifier: MIT
"use strict";
// Variables of node's own modules that nothing exports, as the inspector shows them: a function's closure.

const Module = require("node:module");
const { look } = require("./lib/inspector");

// {setOption, packages, realpaths}: changes what node takes for the value of one of its options; what it remembers of
// package.json files and of symbolic links. Throws where this node has them elsewhere.
function inside() {
  const loader = closure(Module._load, ["getOptionValue", "packageJsonReader", "toRealPath"]);
  const { optionsDict, optionsMap } = closure(loader.getOptionValue, ["optionsDict", "optionsMap"]);
  const { cache: packages } = closure(loader.packageJsonReader.read, ["cache"]);
  const { realpathCache: realpaths } = closure(loader.toRealPath, ["realpathCache"]);
  if (!(optionsDict || optionsMap) || !packages || !realpaths) throw new Error("a node that is not known");
  const setOption = (name, value) => {
    if (optionsDict) optionsDict[name] = value;
    else optionsMap.get(name).value = value;
  };
  return { setOption, packages, realpaths };
}

// The values of those of these variables that fn closes over.
function closure(fn, names) {
  const key = Symbol.for("warm.inside");
  const found = {};
  globalThis[key] = { fn, found };
  try {
    look((post) => {
      const own = (objectId) => post("Runtime.getProperties", { objectId, ownProperties: true });
      const { result } = post("Runtime.evaluate", { expression: 'globalThis[Symbol.for("warm.inside")].fn' });
      const scopes = own(result.objectId).internalProperties.find(({ name }) => name === "[[Scopes]]").value;
      for (const { value: scope } of own(scopes.objectId).result) {
        if (scope?.description !== "Closure" && !scope?.description?.startsWith("Closure ")) continue;
        for (const { name, value } of own(scope.objectId).result)
          if (names.includes(name) && !(name in found) && value?.objectId)
            post("Runtime.callFunctionOn", {
              objectId: value.objectId,
              functionDeclaration: `function () { globalThis[Symbol.for("warm.inside")].found.${name} = this; }`,
            });
      }
    });
  } finally {
    delete globalThis[key];
  }
  return found;
}

module.exports = { inside };
