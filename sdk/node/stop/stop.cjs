// SPDX-License-Identifier: MIT
"use strict";
// What $NODE_OPTIONS names: read by whatever node it is, so without anything that an old one would stumble over. An error
// here would keep the program from running.
if (parseInt(process.versions.node, 10) >= 18) {
  try {
    require("./stop.js").stop(module);
  } catch (error) {
    // Something of ours is missing: the program runs.
  }
} else {
  delete require.cache[__filename];
  var option = /^--require=\S*\/stop\.cjs(?: |$)/.exec(process.env.NODE_OPTIONS || "");
  if (option && / $/.test(option[0])) process.env.NODE_OPTIONS = process.env.NODE_OPTIONS.slice(option[0].length);
  else if (option) delete process.env.NODE_OPTIONS;
}
