// SPDX-License-Identifier: MIT
"use strict";
// stop.cjs is loaded by node as the first module of all ($NODE_OPTIONS), where `warm exec` starts one that no snapshot is there of
// yet: takes the snapshot, and is gone. A copy gets another program, another command line and environment, and node goes
// on with these as with its own.
//
//     stop ─► forget that this was loaded ─► load modules, declare files ─► ask ─┬─ original ──────────► node goes on
//                                                                               └─ copy ─► become ───► node goes on
//
const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");
const { FOLDER, hide, preloader, setAlias, takeOutOption } = require("./entry");

// What node looks at before its program, and a copy could not follow.
const NOT_WITH = ["NODE_CHANNEL_FD", "NODE_DEBUG", "NODE_DEBUG_NATIVE", "NODE_UNIQUE_ID", "NODE_V8_COVERAGE"];
const GLOBAL_FOLDERS = [path.resolve(process.execPath, "../../lib"), "/usr/share/nodejs", "/usr/lib/nodejs"];
const NAMED = ["", ".js", ".json", ".node", "/package.json", "/index.js"]; // what a path is for require()
const FOR_OUTPUT = ["node:net", "node:tty"]; // node loads them for process.stdout

// entry: the module that node loads.
function stop(entry) {
  const parent = preloader(entry);
  const own = takeOutOption(entry);
  let copy = false;
  try {
    copy = Boolean(own) && snapshot(own, () => hide(entry, parent), parent);
  } catch {
    // It loads no addons: it runs its program.
  }
  if (!copy) hide(entry, parent);
}

// ---- the snapshot ----

// Whether this is a copy now.
function snapshot({ file, options, requests }, leave, parent) {
  const addon = { exports: {} };
  process.dlopen(addon, path.join(__dirname, "warm-stop.node"));
  const native = addon.exports;
  const forgotten = native.forget(file); // worker threads would load it, too
  const names = native.wanted();
  try {
    if (!names) return false;
    if (!parent) throw new Error("node is to warn of everything that is deprecated");
    if (!forgotten) throw new Error("this node keeps its options in an unknown way");
    return take(native, names, options, (line, internals) => become(line, internals, requests, leave, parent));
  } catch (error) {
    native.refuse(words(error));
    return false;
  } finally {
    native.close();
  }
}

// Throws where no copy would be right.
function take(native, names, options, inCopy) {
  understand(native, options);
  const internals = require("./inside").inside();
  for (const name of FOR_OUTPUT) require(name);
  const note = names.map(load).filter(Boolean).join("; ");
  if (native.openStreams()) throw new Error("what is loaded before programs uses the standard streams");
  const loaded = names.length ? require("./loaded").prepare() : undefined;
  if (!declared(native, names).every(({ paths, suffixes }) => native.declare(paths, suffixes)))
    throw new Error("the daemon does not answer");
  const missing = native.look(process.hrtime.bigint(), process.uptime(), performance.timeOrigin);
  if (missing) throw new Error(`this node keeps ${missing} in an unknown way`);
  return run(native, note, (answer) => {
    loaded?.(answer.elapsed);
    inCopy(native.parse(answer.argv), internals);
  });
}

function run(native, note, inCopy) {
  let copy = false;
  try {
    const answer = native.ask(note); // here a copy begins, and throws if it does not come further
    copy = answer !== undefined;
    if (copy) inCopy(answer);
  } catch (error) {
    end(native, error);
  }
  return copy;
}

// Throws where node has not read its command line as we do, or something is under way that a copy could not have.
function understand(native, options) {
  const line = native.parse();
  const variable = NOT_WITH.find((name) => name in process.env);
  const argv = process.argv.slice(1);
  if (typeof line === "string") throw new Error(line);
  if (!native.optionsKnown(options)) throw new Error("$NODE_OPTIONS has an option that does more than run a program");
  if (variable) throw new Error(`$${variable} is set`);
  if (!native.reseedsMathRandom) throw new Error("this node's Math.random() cannot be seeded anew");
  if (!certificatesAreRead()) throw new Error("$NODE_EXTRA_CA_CERTS cannot be read, and node has said so");
  if (process.channel || require("node:inspector").url()) throw new Error("it is a child of node's, or being debugged");
  if (line.kind === "stdin" && require("node:tty").isatty(0)) throw new Error("it is a dialogue");
  if (line.kind === "file") argv[0] = line.rest[0]; // made absolute
  if (!same(process.execArgv, line.execArgv) || !same(argv, line.rest) || typeof Module.runMain !== "function")
    throw new Error("this node reads its command line in an unknown way");
}

function certificatesAreRead() {
  if (!process.env.NODE_EXTRA_CA_CERTS) return true;
  const { X509Certificate } = require("node:crypto");
  try {
    const text = fs.readFileSync(process.env.NODE_EXTRA_CA_CERTS, "latin1");
    for (const [one] of text.matchAll(/-----BEGIN [^]*?-----END [A-Z0-9 ]*-----/g)) new X509Certificate(one);
    return true;
  } catch {
    return false;
  }
}

function same(a, b) {
  return a.length === b.length && a.every((word, i) => word === b[i]);
}

// Loads a module by its path or its name. What went wrong, in words.
function load(name) {
  try {
    require(require.resolve(name, { paths: GLOBAL_FOLDERS }));
    return "";
  } catch (error) {
    return `${name}: ${String(error).split("\n")[0]}`;
  }
}

function isFile(name) {
  return fs.statSync(name, { throwIfNoEntry: false })?.isFile();
}

// What it all came from.
function declared(native, names) {
  const ours = Object.keys(require.cache).filter((name) => name.startsWith(FOLDER));
  const read = [native.configFile(), process.env.NODE_EXTRA_CA_CERTS, "/etc/localtime"].filter(Boolean);
  // By the names that the configuration has for them, in which there may be links: node knows where those lead to.
  const named = names.filter(path.isAbsolute).flatMap((name) => NAMED.map((rest) => name + rest)).filter(isFile);
  const paths = [...ours, path.join(FOLDER, "package.json"), ...read.map((name) => path.resolve(name)), ...named];
  return [{ paths, suffixes: [] }, ...(names.length ? require("./lib/depends").collect([], false) : [])];
}

// ---- in a copy ----

// Descriptors, environment and clocks are the launch's already; this is the side that node's JavaScript keeps.
function become(line, { setOption, packages, realpaths }, requests, leave, parent) {
  process.chdir("."); // process.cwd() is remembered
  process.execArgv.splice(0, Infinity, ...line.execArgv);
  process.argv.splice(1, Infinity, ...line.rest);
  if (line.kind === "eval" || line.kind === "print") {
    setOption("--eval", line.program);
    setAlias("_eval", line.program || undefined);
  }
  const main = line.kind === "file" ? absolute(line.program) : undefined;
  if (main !== undefined) process.argv[1] = main;
  packages.clear();
  realpaths.clear();
  parent.paths = Module._nodeModulePaths(process.cwd());
  leave();
  if (line.kind !== "file") return;
  if (requests.length > 1) atEnd(requests, () => redirect(main));
  else redirect(main);
}

// As node makes it of the first argument.
function absolute(program) {
  try {
    return program[0] === "-" ? undefined : path.resolve(program);
  } catch {
    return undefined;
  }
}

// node has looked up already what it is going to run, and hands that to Module.runMain(). Whoever reads this next is node:
// what it reads runs our program instead, without a line in stack traces.
function redirect(main) {
  const own = Object.getOwnPropertyDescriptor(Module, "runMain");
  const run = Reflect.apply.bind(undefined, own.value, Module, [main]); // whatever it is called with
  Object.defineProperty(Module, "runMain", {
    configurable: true,
    enumerable: own.enumerable,
    get() {
      Object.defineProperty(Module, "runMain", own);
      return run;
    },
  });
}

// When node has loaded the modules of the user's options, too, it asks for one more.
function atEnd(requests, fn) {
  Object.defineProperty(requests, requests.length, {
    get() {
      fn();
      return "node:module"; // which is there
    },
  });
}

// A copy that cannot become what was launched must not go on.
function end(native, error) {
  try {
    fs.writeSync(2, `warm: this copy could not become the launch: ${words(error)}; ` +
      "`warm exec --cold` runs the program without a snapshot\n");
  } catch {
    // standard error is closed: there is nobody to tell
  }
  native.leave(125);
}

function words(error) {
  return String(error?.message ?? error).split(/\s+/).join(" ");
}

module.exports = { stop };
