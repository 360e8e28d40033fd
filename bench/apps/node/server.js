// SPDX-License-Identifier: MIT
// An HTTP server (express) on $BENCH_PORT; its handler is written in TypeScript (report.ts) and compiled when it starts,
// and the request brings a piece of TypeScript that is compiled, too.
//
//     node server.js [--hold | --stay]
//
// Prints one byte as soon as it could work, and ends behind its first answer; --hold serves on until it is killed; --stay does,
// too, on a warm path as a copy has it.
"use strict";

const fs = require("fs");
const http = require("http");
const path = require("path");
const vm = require("vm");
const express = require("express");
const ts = globalThis.typescript || require("typescript"); // there already: snapshot.js

const WARMING = 300;
const port = Number(process.env.BENCH_PORT);
const options = { compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 } };

function compile(text) {
    return ts.transpileModule(text, options).outputText;
}

function load(file) {
    const module = { exports: {} };

    vm.runInThisContext(`(function (exports, module) {${compile(fs.readFileSync(file, "utf8"))}})`)(module.exports, module);
    return module.exports;
}

function ask() {
    return new Promise((resolve, reject) => {
        http.get({ port, host: "127.0.0.1", path: "/report?city=Oslo&rows=3", agent: false }, (answer) => {
            answer.resume().on("end", resolve);
        }).on("error", reject);
    });
}

async function exercise() {
    for (let i = 0; i < WARMING; i++) await ask();
}

function serve(mode, answered) {
    if (mode.includes("--stay")) {
        exercise().then(() => process.stdout.write("r"));
        return;
    }
    if (!mode.includes("--hold")) answered.once = () => process.exit(0);
    process.stdout.write("r");
}

function start(after) {
    const report = load(path.join(__dirname, "report.ts"));
    const answered = { once: null };
    const app = express();

    app.get("/report", (request, response) => {
        response.on("close", () => answered.once && answered.once());
        response.type("text/plain").send(report.page(request.query.city, Number(request.query.rows), compile));
    });
    app.listen(port, "127.0.0.1", () => after(answered));
}

async function main() {
    let warm = null;

    try {
        warm = require("warm");
        warm.beforeSnapshot(exercise);
    } catch (error) {
        if (error.code !== "MODULE_NOT_FOUND") throw error;
    }
    start(async (answered) => {
        if (warm) await warm.ready({ argv: true });
        serve(process.argv.slice(2), answered);
    });
}

main();
