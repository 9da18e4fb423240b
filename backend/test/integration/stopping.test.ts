// A file of its own: these tests wait for time limits, and files run side by side.
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { answer, configured, directory, headers, open, start, unfinishedPost } from "../support/servers.ts";

test("a body that never ends is cut off soon after its time limit", async () => {
  const CONFIG_FILE = await configured("requestTimeoutMs", 1000);
  const server = await start({ CONFIG_FILE }).ready();
  const from = performance.now();
  expect(await answer(await open(server, unfinishedPost))).toMatch(/^HTTP\/1.1 408 /);
  // Node itself looks every 30 seconds only.
  expect(performance.now() - from).toBeLessThan(20_000);
});

describe("stopping", () => {
  test("a request in flight is answered, idle connections do not delay, and the exit code is 0", async () => {
    // A connection that delayed would do so for its 65 s: the server would be cut off, with 1.
    const CONFIG_FILE = await configured("shutdownMs", 50_000);
    const server = await start({ CONFIG_FILE, DATABASE_URL: `sqlite:///${directory}/items.db` }).ready();
    await open(server);
    const idle = await open(server, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(idle, "data");
    const busy = await open(server, unfinishedPost);
    await server.logged("incoming request");

    server.signal("SIGTERM");
    await server.logged("stopping");
    server.signal("SIGTERM");
    busy.write("} ");
    expect(await answer(busy)).toMatch(/^HTTP\/1.1 201 Created/);
    expect(await server.exited()).toBe(0);

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

  test("a signal during the start ends it with exit code 0", async () => {
    const server = start({ API_TOKEN_HASH: "" });
    await server.logged("API_TOKEN_HASH is not set: every write is refused");
    server.signal("SIGTERM");
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
