// A Node runtime with nothing but node:http, for where aws-lambda-ric is not installed.
import http from "node:http";
import { createRequire } from "node:module";

const api = "/2018-06-01/runtime";
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true });

function call(method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path: api + path, headers, agent }, (reply) => {
      const parts = [];
      reply.on("data", (part) => parts.push(part));
      reply.on("end", () => resolve({ headers: reply.headers, body: Buffer.concat(parts).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

function report(path, error) {
  const body = { errorMessage: error.message, errorType: error.name, stackTrace: [] };
  return call("POST", path, JSON.stringify(body), {
    "Lambda-Runtime-Function-Error-Type": "Unhandled",
    "Content-Type": "application/json",
  });
}

let handler;
try {
  ({ handler } = createRequire(import.meta.url)("./node/index.js"));
} catch (error) {
  await report("/init/error", error);
  process.exit(1);
}
for (;;) {
  const { headers, body } = await call("GET", "/invocation/next");
  const path = `/invocation/${headers["lambda-runtime-aws-request-id"]}`;
  let answer;
  try {
    answer = JSON.stringify(await handler(JSON.parse(body)));
  } catch (error) {
    await report(`${path}/error`, error);
    continue;
  }
  await call("POST", `${path}/response`, answer);
}
