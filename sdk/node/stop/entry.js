// SPDX-License-Identifier: MIT
"use strict";
// What node loads as the first module of all ($NODE_OPTIONS), and what a program could see of it.

const Module = require("node:module");
const path = require("node:path");
const { isMainThread } = require("node:worker_threads");

const FOLDER = __dirname + path.sep;

// Our option is not the program's. {file, options, requests}: of ours, what is left of $NODE_OPTIONS, and the list of
// modules that node is loading just now. null: it is not there, or this is a worker thread.
function takeOutOption(entry) {
  const text = process.env.NODE_OPTIONS ?? "";
  const requests = process._preload_modules;
  const ours = `--require=${entry.filename}`;
  const option = [`${ours} `, ours].find((start) => text.startsWith(start));
  if (!isMainThread || !option || requests?.[0] !== entry.filename) return null;
  const options = text.slice(option.length);
  if (option.endsWith(" ")) process.env.NODE_OPTIONS = options;
  else delete process.env.NODE_OPTIONS;
  setAlias("_preload_modules", requests.slice(1));
  return { file: requests[0], options, requests };
}

// What a program could see of these modules.
function hide(entry, parent) {
  for (const name of Object.keys(require.cache)) if (name.startsWith(FOLDER)) delete require.cache[name];
  for (const [key, name] of Object.entries(Module._pathCache)) if (name.startsWith(FOLDER)) delete Module._pathCache[key];
  const children = parent?.children;
  if (children?.includes(entry)) children.splice(children.indexOf(entry), 1);
}

// The parent of the modules that node loads before the program. Where module.parent would say that it is deprecated,
// nothing is pre-warmed.
function preloader(entry) {
  const options = [...process.execArgv, process.env.NODE_OPTIONS].join(" ");
  if (process.env.NODE_PENDING_DEPRECATION === "1" || /--pending[-_]deprecation/.test(options)) return undefined;
  return entry.parent;
}

// One of the properties that node has for its options.
function setAlias(name, value) {
  if (value === undefined) delete process[name];
  else Object.defineProperty(process, name, { configurable: true, enumerable: true, writable: false, value });
}

module.exports = { FOLDER, hide, preloader, setAlias, takeOutOption };
