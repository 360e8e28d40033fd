// SPDX-License-Identifier: MIT
// An express application that listens when it is frozen; each copy asks itself, over its own network namespace.
const express = require("express");
const http = require("node:http");
const warm = require("warm");

const app = express();
app.use(express.json());
app.get("/square/:n", (request, response) => response.json({ n: Number(request.params.n) ** 2 }));
app.post("/echo", (request, response) => response.status(201).send(request.body));

function ask(port, path, method = "GET", body = undefined) {
  return new Promise((done, failed) => {
    const headers = body ? { "content-type": "application/json" } : {};
    http
      .request({ port, path, method, headers, agent: false }, (response) => {
        let text = `${response.statusCode} `;
        response.setEncoding("utf8").on("data", (part) => (text += part)).on("end", () => done(text));
      })
      .on("error", failed)
      .end(body);
  });
}

const server = app.listen(0, "127.0.0.1", async () => {
  const { port } = server.address();
  await ask(port, "/square/2");
  await warm.ready({ argv: true });
  console.log(await ask(port, `/square/${process.argv[2]}`));
  console.log(await ask(port, "/echo", "POST", JSON.stringify({ argument: process.argv[2] })));
  console.log(await ask(port, "/missing"));
  process.exit();
});
