// SPDX-License-Identifier: MIT
"use strict";
// renew.cjs is loaded by node as the first module of all. Nobody calls the program when it has become a copy, so the functions
// look for themselves: a word in memory that arrives as 0 in each copy (MADV_WIPEONFORK) says so.

const path = require("node:path");
const { hide, preloader, takeOutOption } = require("./entry");

function renew(entry) {
  const parent = preloader(entry);
  try {
    const own = takeOutOption(entry);
    if (own) watch(own.file);
  } finally {
    hide(entry, parent);
  }
}

function watch(file) {
  const addon = { exports: {} };
  process.dlopen(addon, path.join(__dirname, "warm-stop.node"));
  const { forget, watched, reseed } = addon.exports;
  const copies = watched();
  forget(file); // worker threads would load it, too
  if (copies) require("./lib/random").watch(copies, reseed);
}

module.exports = { renew };
