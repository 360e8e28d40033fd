// SPDX-License-Identifier: MIT
"use strict";
// What $NODE_OPTIONS names where a program is to be snapshotted that does not call the hook (`warm exec --ready`): read by
// whatever node it is, so without anything that an old one would stumble over.
var filename = __filename;
if (parseInt(process.versions.node, 10) >= 18) {
  try {
    require("./renew.js").renew(module);
  } catch (error) {
    // Something of ours is missing: the program runs.
  }
} else {
  delete require.cache[filename];
  var text = process.env.NODE_OPTIONS || "";
  var option = "--require=" + filename;
  if (text.indexOf(option + " ") === 0) process.env.NODE_OPTIONS = text.slice(option.length + 1);
  else if (text === option) delete process.env.NODE_OPTIONS;
}
