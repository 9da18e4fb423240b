import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runTool } from "../support/server-process.ts";
import { answer, directory, headers, open, start, unfinishedPost } from "../support/servers.ts";

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

  test("what is no proper request is answered, and the server goes on", async () => {
    const server = await start().ready();
    for (const [what, request, status] of [
      ["no HTTP at all", "\x16\x03\x01\x02\x00 hello\r\n\r\n", "400"],
      ["a method nobody knows", "BREW /api/items HTTP/1.1\r\nHost: x\r\n\r\n", "400"],
      ["two lengths", "POST /api/items HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", "400"],
      ["headers without end", `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${"x".repeat(20_000)}\r\n\r\n`, "431"],
      ["a bad chunk", `${unfinishedPost.split("Content-Length")[0] ?? ""}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, "400"],
    ] as const) {
      const text = await answer(await open(server, request));
      expect(text, what).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      const error = expect.any(String) as string;
      expect(JSON.parse(text.split("\r\n\r\n").at(-1) ?? ""), what).toEqual({ statusCode: Number(status), error, message: error });
      expect((await server.fetch("/health")).status, what).toBe(200);
    }
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
