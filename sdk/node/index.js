// SPDX-License-Identifier: MIT
"use strict";
// Warm: a program that starts as if it were already running.
//
//     const warm = require("warm");             // or: import warm from "warm"
//
//     loadEverything();                         // what is slow, and the same for every launch
//     await warm.ready({ argv: true });         // started by `warm exec`, it is frozen and stored here ...
//     main(process.argv);                       // ... and every later `warm exec` of it begins here
//
// ready() returns twice, like fork: "resumed" in the original, "restored" in each copy. Without a daemon, or not started
// by `warm exec`, it resolves to "cold" at once. index.d.ts says the rest.
//
const fs = require("node:fs");
const { isMainThread } = require("node:worker_threads");
const native = require("./warm.node");
const random = require("./lib/random");
const { fixedArgs, ownArguments, setArguments } = require("./lib/arguments");

const OUTCOMES = ["cold", "resumed", "restored"]; // Hook.outcome

const state = { result: null, running: false, before: [], after: [], generation: 0n };

random.prepare(native, isMainThread);

async function ready(options = {}) {
  const { argv = false, env = [], cwd = false, depends = [] } = options;
  for (const [name, list] of [["env", env], ["depends", depends]])
    if (!Array.isArray(list) || !list.every((entry) => typeof entry === "string" && entry))
      throw new TypeError(`${name} is an array of names`);
  if (state.running) return "cold"; // called by one of its own hooks
  state.result ??= run({ argv: Boolean(argv), env: [...env], cwd: Boolean(cwd), depends: [...depends] });
  return state.result;
}

function beforeSnapshot(fn) {
  state.before.push(callable(fn));
}

function afterRestore(fn) {
  state.after.push(callable(fn));
}

function generation() {
  return state.generation;
}

async function run(options) {
  if (!isMainThread || !native.wanted()) return "cold";
  try {
    if (!(await runBefore())) return "cold";
    const files = await require("./lib/depends").collect(options.depends);
    const timers = require("./lib/timers");
    const stdio = require("./lib/stdio");
    await stdio.flush(native);
    if (!files.every(({ paths, suffixes }) => native.declare(paths, suffixes))) return "cold";
    const pending = timers.find();
    const settled = random.settle();
    const answer = native.ask({ ...options, fixedArgs });
    native.close();
    if (OUTCOMES[answer.outcome] === "restored") await become(options, answer, { pending, timers, stdio, settled });
    return OUTCOMES[answer.outcome] ?? "cold";
  } finally {
    native.close();
  }
}

async function runBefore() {
  state.running = true;
  try {
    for (const fn of [...state.before].reverse()) {
      try {
        await fn();
      } catch (error) {
        say(`hook ${fn.name || "beforeSnapshot"}: ${words(error)}: no snapshot is taken`);
        return false;
      }
    }
    return true;
  } finally {
    state.running = false;
  }
}

// In a copy: descriptors 0 1 2, the working directory and the environment are the launch's already, and OpenSSL and V8
// have new seeds; this is the side that node's JavaScript keeps.
async function become(options, answer, { pending, timers, stdio, settled }) {
  try {
    state.generation = answer.generation;
    timers.shift(pending, answer.elapsed);
    if (options.argv && answer.argv.length) setArguments(ownArguments(answer)); // none in the answer: the same as ours
    if (options.cwd) process.chdir("."); // process.cwd() is remembered
    if (named("TZ", options.env)) setVariable("TZ", process.env.TZ); // so is the time zone
    stdio.forgetInput();
    if (!settled) random.drain();
  } catch (error) {
    end("become the launch", error);
  }
  state.running = true;
  for (const fn of state.after) {
    try {
      await fn();
    } catch (error) {
      end(`run hook ${fn.name || "afterRestore"}`, error);
    }
  }
  state.running = false;
}

function named(name, patterns) {
  return patterns.some((p) => (p.endsWith("*") ? name.startsWith(p.slice(0, -1)) : p === name));
}

function setVariable(name, value) {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

function callable(fn) {
  if (typeof fn !== "function") throw new TypeError("a hook is a function");
  return fn;
}

// A copy that cannot become what was launched must not go on.
function end(what, error) {
  say(`this copy could not ${what}: ${words(error)}; \`warm exec --cold\` runs the program without a snapshot`);
  native.leave(125);
}

function words(error) {
  return String(error).split(/\s+/).join(" ");
}

function say(line) {
  try {
    fs.writeSync(2, `warm: ${line}\n`);
  } catch {
    // standard error is closed: there is nobody to tell
  }
}

module.exports = { ready, beforeSnapshot, afterRestore, generation };
module.exports.default = module.exports; // what TypeScript makes of `import warm` for CommonJS without esModuleInterop
