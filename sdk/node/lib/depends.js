// SPDX-License-Identifier: MIT
"use strict";
// What the code of this process came from: files whose change, and places in which a new name, would have given other
// code. What the kernel maps (node itself, addons) warmd sees by itself.

const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");
const { fileURLToPath } = require("node:url");
const { look } = require("./inspector");

const EXTENSIONS = [".js", ".json", ".node"]; // what require() tries behind a name
// Of a directory of packages new sub-directories count, and files that are packages.
const PACKAGES = ["/", ".js", ".mjs", ".cjs", ".json", ".node"];

// [{paths, suffixes}]: absolute paths, each once. withScript: whether the program itself has begun.
function collect(declared, withScript = true) {
  const exact = new Set(["/etc/localtime"]);
  const places = new Set();
  for (const name of declared) exact.add(path.resolve(name));
  for (const name of fromEnvironment()) exact.add(path.resolve(name));
  const files = loadedFiles(withScript);
  for (const file of files) {
    exact.add(file);
    for (const name of shadows(file)) exact.add(name);
  }
  for (const folder of new Set(files.map((file) => path.dirname(file)))) addSearched(folder, exact, places);
  for (const place of Module.globalPaths) addPlace(path.resolve(place), exact, places);
  return [
    { paths: [...exact], suffixes: [] },
    { paths: [...places].filter((place) => !exact.has(place)), suffixes: PACKAGES },
  ];
}

// Files that node itself read because of its options.
function* fromEnvironment() {
  for (const name of ["NODE_EXTRA_CA_CERTS", "OPENSSL_CONF", "SSL_CERT_FILE", "SSL_CERT_DIR"])
    if (process.env[name]) yield process.env[name];
  for (const option of process.execArgv) {
    const [, file] = /^--(?:env-file|openssl-config|icu-data-dir|experimental-policy)=(.+)$/.exec(option) ?? [];
    if (file) yield file;
  }
}

// CommonJS modules are in require.cache; of ES modules only the inspector knows.
function loadedFiles(withScript) {
  const files = new Set(Object.keys(require.cache).filter(path.isAbsolute));
  const script = withScript && process._eval === undefined && process.argv[1];
  if (script && path.isAbsolute(script)) files.add(script); // by the name it was started by: a symbolic link, perhaps
  look((post, on) => {
    on("Debugger.scriptParsed", ({ params: { url } }) => {
      if (url.startsWith("file:")) files.add(fileURLToPath(url));
      else if (path.isAbsolute(url)) files.add(url);
    });
    post("Debugger.enable");
    post("Debugger.disable");
  });
  return [...files];
}

// Names that require() would have tried before this file: `x` before `x.js`, and all of `x`'s before `x/index.js`.
function* shadows(file) {
  const { dir, name, ext } = path.parse(file);
  const at = EXTENSIONS.indexOf(ext);
  if (at < 0) return;
  for (const tried of ["", ...EXTENSIONS.slice(0, at)]) yield* absent(path.join(dir, name + tried));
  if (name === "index") for (const tried of EXTENSIONS) yield* absent(dir + tried);
}

function* absent(name) {
  if (!fs.existsSync(name)) yield name;
}

// Of a folder with modules: package.json up to the first that there is, node_modules up to the root.
function addSearched(folder, exact, places) {
  let scope = true;
  for (let at = folder; ; at = path.dirname(at)) {
    if (path.basename(at) !== "node_modules") {
      if (scope) {
        exact.add(path.join(at, "package.json"));
        scope = !fs.existsSync(path.join(at, "package.json"));
      }
      addPlace(path.join(at, "node_modules"), exact, places);
    }
    if (at === path.dirname(at)) return;
  }
}

// Packages that are symbolic links can come to lead elsewhere.
function addPlace(place, exact, places) {
  if (places.has(place) || exact.has(place)) return;
  let entries;
  try {
    entries = fs.readdirSync(place, { withFileTypes: true });
  } catch {
    exact.add(place); // not there: it must stay so
    return;
  }
  places.add(place);
  for (const entry of entries) {
    if (entry.isSymbolicLink()) exact.add(path.join(place, entry.name, "package.json"));
    else if (entry.isDirectory() && entry.name.startsWith("@")) addPlace(path.join(place, entry.name), exact, places);
  }
}

module.exports = { collect };
