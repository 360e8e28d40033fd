// SPDX-License-Identifier: MIT
"use strict";
// process.argv, and the process's own command line: node, its options, the script, and then the program's arguments.

const fs = require("node:fs");

const original = commandLine();

// How many elements of it node itself consumed: what is behind the script, or behind the code of -e, is the program's.
const fixedArgs = original.length - ownCount();

function commandLine() {
  return fs.readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(0, -1);
}

function ownCount() {
  return process.argv.length - (hasScript() ? 2 : 1);
}

function hasScript() {
  return process.argv.length > 1 && process._eval === undefined;
}

// What the launch has behind node's part of its command line. Where the daemon does not say how long that is, it must be
// our own.
function ownArguments({ argv, fixedArgs: launchFixed }) {
  const fixed = launchFixed || fixedArgs;
  const same = original.slice(0, fixed).every((argument, i) => argument === argv[i]);
  if (argv.length < fixed || !(launchFixed || same))
    throw new Error("the launch's command line is another one than this process's");
  return argv.slice(fixed);
}

// In place: others may hold the array.
function setArguments(list) {
  process.argv.length = hasScript() ? 2 : 1;
  process.argv.push(...list);
}

module.exports = { fixedArgs, ownArguments, setArguments };
