// SPDX-License-Identifier: MIT
"use strict";
// Variables of node's own modules that nothing exports, as the inspector shows them: a function's closure.

const Module = require("node:module");
const { closedOver } = require("./lib/inspector");

// {setOption, packages, realpaths}: changes what node takes for the value of one of its options; what it remembers of
// package.json files and of symbolic links. Throws where this node has them elsewhere.
function inside() {
  const loader = closedOver(Module._load, ["getOptionValue", "packageJsonReader", "toRealPath"]);
  const { optionsDict, optionsMap } = closedOver(loader.getOptionValue, ["optionsDict", "optionsMap"]);
  const { cache: packages } = closedOver(loader.packageJsonReader.read, ["cache"]);
  const { realpathCache: realpaths } = closedOver(loader.toRealPath, ["realpathCache"]);
  if (!(optionsDict || optionsMap) || !packages || !realpaths) throw new Error("a node that is not known");
  const setOption = (name, value) => {
    if (optionsDict) optionsDict[name] = value;
    else optionsMap.get(name).value = value;
  };
  return { setOption, packages, realpaths };
}

module.exports = { inside };
