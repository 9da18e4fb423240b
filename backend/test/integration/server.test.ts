import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hash } from "@node-rs/argon2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ServerProcess, runTool } from "../support/server-process.ts";

const token = "integration-token";
const API_TOKEN_HASH = await hash(token);
const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };

const running: ServerProcess[] = [];
const sockets: Socket[] = [];
let directory: string;

function start(environment: Record<string, string> = {}): ServerProcess {
  const server = new ServerProcess({ API_TOKEN_HASH, ...environment });
  running.push(server);
  return server;
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "backend-"));
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(running.splice(0).map((server) => server.stop()));
  await rm(directory, { recursive: true });
});

/** The shipped configuration with one limit changed. */
async function configured(limit: string, value: number): Promise<string> {
  const path = join(directory, "changed.json");
  const shipped = await readFile("config/default.json", "utf8");
  await writeFile(path, shipped.replace(new RegExp(`("${limit}": )\\d+`), `$1 ${value}`));
  return path;
}

/** A raw connection, for what no HTTP client would send. */
async function open(server: ServerProcess, text = ""): Promise<Socket> {
  const socket = connect(server.port, "127.0.0.1");
  sockets.push(socket);
  await once(socket, "connect");
  socket.write(text);
  return socket;
}

/** Everything the server sends until it closes the connection. */
async function answer(socket: Socket): Promise<string> {
  let text = "";
  for await (const chunk of socket as AsyncIterable<Buffer>) text += chunk.toString();
  return text;
}

/** A POST whose body is one byte short, so that it stays in flight until that byte is sent. */
const unfinishedPost = [
  "POST /api/items HTTP/1.1",
  "Host: localhost",
  `Authorization: Bearer ${token}`,
  "Content-Type: application/json",
  "Content-Length: 17",
  "",
  '{"title":"late"',
].join("\r\n");

describe("serving", () => {
  test("an item's life, by HTTP", async () => {
    const server = await start().ready();
    const created = await server.fetch("/api/items", { method: "POST", headers, body: '{"title":"sail"}' });
    expect(created.status).toBe(201);
    const path = created.headers.get("location") ?? "";
    const ticked = await server.fetch(path, { method: "PATCH", headers, body: '{"done":true}' });
    expect(await ticked.json()).toMatchObject({ title: "sail", done: true });
    expect(await (await server.fetch("/api/items")).json()).toMatchObject({ items: [{ title: "sail", done: true }] });
    expect((await server.fetch(path, { method: "DELETE", headers: { authorization: headers.authorization } })).status).toBe(204);
    expect(await (await server.fetch("/api/items")).json()).toEqual({ items: [] });
  });

  test("the build's identity is in /health", async () => {
    const build = { VERSION: "3.2.1", GIT_COMMIT: "abc1234", BUILD_DATE: "2026-01-02T03:04:05Z" };
    const server = await start(build).ready();
    expect(await (await server.fetch("/health")).json()).toEqual({
      status: "ok",
      version: "3.2.1",
      commit: "abc1234",
      buildDate: "2026-01-02T03:04:05Z",
      arch: process.arch,
      database: "ok",
    });
  });

  test("a wrong token is refused, and tokens never reach the log", async () => {
    const server = await start().ready();
    const refused = await server.fetch("/api/items", {
      method: "POST",
      headers: { ...headers, authorization: "Bearer guess-7" },
      body: '{"title":"x"}',
    });
    expect(refused.status).toBe(401);
    expect((await server.fetch("/api/items/1", { method: "DELETE", headers })).status).toBe(400);
    server.signal("SIGTERM");
    await server.exited();
    expect(JSON.stringify(server.lines)).not.toMatch(/guess-7|integration-token|argon2id/);
  });

  test.each([
    ["no HTTP at all", "\x16\x03\x01\x02\x00 hello\r\n\r\n", "400"],
    ["a method nobody knows", "BREW /api/items HTTP/1.1\r\nHost: x\r\n\r\n", "400"],
    ["two lengths", "POST /api/items HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", "400"],
    ["headers without end", `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${"x".repeat(20_000)}\r\n\r\n`, "431"],
    ["a bad chunk", `${unfinishedPost.split("Content-Length")[0] ?? ""}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, "400"],
  ])("%s is answered and the server goes on", async (_, request, status) => {
    const server = await start().ready();
    const text = await answer(await open(server, request));
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    const error = expect.any(String) as string;
    expect(JSON.parse(text.split("\r\n\r\n").at(-1) ?? "")).toEqual({ statusCode: Number(status), error, message: error });
    expect((await server.fetch("/health")).status).toBe(200);
  });
});

test("a body that never ends is cut off soon after its time limit", async () => {
  const CONFIG_FILE = await configured("requestTimeoutMs", 1000);
  const server = await start({ CONFIG_FILE }).ready();
  const from = performance.now();
  expect(await answer(await open(server, unfinishedPost))).toMatch(/^HTTP\/1.1 408 /);
  expect(performance.now() - from).toBeLessThan(6000);
});

describe("stopping", () => {
  test("a request in flight is answered, idle connections do not delay, and the exit code is 0", async () => {
    const server = await start({ DATABASE_URL: `sqlite:///${directory}/items.db` }).ready();
    await open(server);
    const idle = await open(server, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(idle, "data");
    const busy = await open(server, unfinishedPost);
    await server.logged("incoming request");

    const from = performance.now();
    server.signal("SIGTERM");
    await server.logged("stopping");
    server.signal("SIGTERM");
    busy.write("} ");
    expect(await answer(busy)).toMatch(/^HTTP\/1.1 201 Created/);
    expect(await server.exited()).toBe(0);
    expect(performance.now() - from).toBeLessThan(3000);

    const next = await start({ DATABASE_URL: `sqlite:///${directory}/items.db` }).ready();
    expect(await (await next.fetch("/api/items")).json()).toMatchObject({ items: [{ title: "late" }] });
  });

  // Once more when the kernel held bytes back for longer than the grace, as a loaded machine can.
  test("requests that arrive with the signal are answered", { retry: 2 }, async () => {
    const server = await start().ready();
    const request = "GET /api/items HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const clients = await Promise.all(Array.from({ length: 20 }, () => open(server)));
    for (const client of clients) client.write(request);
    server.signal("SIGTERM");
    const answers = await Promise.all(clients.map(answer));
    for (const text of answers) expect(text).toMatch(/^HTTP\/1.1 200 OK/);
    expect(await server.exited()).toBe(0);
  });

  test("a request that never ends is cut off at the time limit, with exit code 1", async () => {
    const CONFIG_FILE = await configured("shutdownMs", 300);
    const server = await start({ CONFIG_FILE }).ready();
    await open(server, unfinishedPost);
    await server.logged("incoming request");
    server.signal("SIGTERM");
    expect(await server.exited()).toBe(1);
    expect(server.lines.at(-1)).toMatchObject({ level: "error", msg: expect.stringContaining("cut off") as string });
  });

  test("after a kill the next one finds every item and starts at once", async () => {
    const DATABASE_URL = `sqlite:///${directory}/items.db`;
    const server = await start({ DATABASE_URL }).ready();
    await server.fetch("/api/items", { method: "POST", headers, body: '{"title":"safe"}' });
    server.signal("SIGKILL");
    expect(await server.exited()).toBeNull();
    const next = await start({ DATABASE_URL }).ready();
    expect(await (await next.fetch("/api/items")).json()).toMatchObject({ items: [{ title: "safe" }] });
  });
});

describe("not starting: one line, exit code 1", () => {
  async function failure(environment: Record<string, string>): Promise<string> {
    const server = start(environment);
    expect(await server.exited()).toBe(1);
    const [line, ...others] = server.lines;
    expect(others).toEqual([]);
    expect(line).toMatchObject({ level: "fatal", service: "backend" });
    return line?.msg ?? "";
  }

  test("a setting that is wrong", async () => {
    expect(await failure({ PORT: "many" })).toContain("PORT must be a number");
  });

  test("a hash that cannot be decoded", async () => {
    const hash = "$argon2id$v=19$m=19456,t=2,p=1$x$y";
    expect(await failure({ API_TOKEN_HASH: hash })).toContain("API_TOKEN_HASH cannot be decoded");
  });

  test("a configuration file that is not there", async () => {
    expect(await failure({ CONFIG_FILE: join(directory, "lost.json") })).toContain("cannot read the configuration: ENOENT");
  });

  test("a damaged database", async () => {
    const path = join(directory, "items.db");
    await writeFile(path, "not a database ".repeat(100));
    expect(await failure({ DATABASE_URL: `sqlite:///${path}` })).toContain(`cannot use the database ${path}`);
  });

  test("a database that cannot be written", async () => {
    expect(await failure({ DATABASE_URL: "sqlite:////proc/items.db" })).toContain("cannot use the database /proc/items.db");
  });

  test("a port that is taken", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    expect(await failure({ PORT: String(port) })).toContain(`cannot listen on 127.0.0.1:${port}`);
    taken.close();
  });
});

describe("the tools of the image", () => {
  test("the health check follows the server", async () => {
    const server = await start().ready();
    const PORT = String(server.port);
    expect(await runTool("healthcheck", { PORT })).toEqual({ code: 0, output: "" });
    server.signal("SIGTERM");
    await server.exited();
    expect(await runTool("healthcheck", { PORT })).toMatchObject({ code: 1, output: expect.stringContaining("ECONNREFUSED") as string });
  });

  test("a hashed token opens the door", async () => {
    const made = await runTool("hash-token", {}, "my-token\n");
    expect(made.code).toBe(0);
    const server = await start({ API_TOKEN_HASH: made.output }).ready();
    const authorization = "Bearer my-token";
    expect((await server.fetch("/api/items/9", { method: "DELETE", headers: { authorization } })).status).toBe(404);
  });

  test("no token, no hash", async () => {
    expect(await runTool("hash-token", {}, "\n")).toMatchObject({ code: 2 });
  });
});
