// SPDX-License-Identifier: MIT
// Node's own trick for this application: node --build-snapshot snapshot.js puts TypeScript, loaded and warm, into a startup
// snapshot. Modules of node that express needs (http) cannot be in one; they are loaded at each start.
"use strict";

const fs = require("fs");
const path = require("path");
const vm = require("vm");
const { startupSnapshot } = require("v8");

const file = path.join(__dirname, "node_modules", "typescript", "lib", "typescript.js");
const module_ = { exports: {} };

vm.runInThisContext(`(function (exports, require, module, __filename, __dirname) {${fs.readFileSync(file, "utf8")}\n})`,
    { filename: file })(module_.exports, require, module_, file, path.dirname(file));
const ts = module_.exports;

for (let i = 0; i < 20; i++) ts.transpileModule("const one: number = 1;", {});

startupSnapshot.setDeserializeMainFunction(() => {
    globalThis.typescript = ts;
    require("module").createRequire(path.join(__dirname, "server.js"))("./server.js");
});
