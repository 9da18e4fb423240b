import { once } from "node:events";
import { Duplex } from "node:stream";
import type { FastifyInstance, InjectOptions } from "fastify";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { answerBrokenRequest } from "../../src/http-error.ts";
import { bearer, build, deadDatabase, limits, testApp } from "../support/fixtures.ts";

let app: FastifyInstance;

beforeEach(async () => {
  app = await testApp();
});

afterEach(() => app.close());

const add = (title: unknown, more: Partial<InjectOptions> = {}) =>
  app.inject({ method: "POST", url: "/api/items", headers: bearer, payload: { title }, ...more });

test("/ says where to go from here", async () => {
  const response = await app.inject("/");
  expect(response.statusCode).toBe(200);
  expect(response.json()).toMatchObject({ version: "1.2.3", paths: ["/health", "/api/items"] });
});

describe("/health", () => {
  test("says what runs", async () => {
    const response = await app.inject("/health");
    expect(response.statusCode).toBe(200);
    expect(response.headers["cache-control"]).toBe("no-store");
    expect(response.json()).toEqual({ status: "ok", ...build, arch: process.arch, database: "ok" });
  });

  test("answers 503, and still says what runs, when the database does not answer", async () => {
    const broken = await testApp({ database: deadDatabase });
    const response = await broken.inject("/health");
    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject({ status: "error", version: "1.2.3", database: "error" });
  });
});

describe("the items", () => {
  test("are added, listed, ticked, unticked and deleted", async () => {
    const created = await add("  paint the hull ");
    expect(created.statusCode).toBe(201);
    expect(created.headers.location).toBe("/api/items/1");
    const item = created.json<{ createdAt: string }>();
    expect(item).toMatchObject({ id: 1, title: "paint the hull", done: false });
    expect(Date.parse(item.createdAt)).not.toBeNaN();

    for (const done of [true, false]) {
      const ticked = await app.inject({ method: "PATCH", url: "/api/items/1", headers: bearer, payload: { done } });
      expect(ticked.json()).toEqual({ ...item, done });
      expect((await app.inject("/api/items")).json()).toEqual({ items: [{ ...item, done }] });
    }

    const deleted = await app.inject({ method: "DELETE", url: "/api/items/1", headers: bearer });
    expect(deleted.statusCode).toBe(204);
    expect((await app.inject("/api/items")).json()).toEqual({ items: [] });
  });

  test("keep their text, whatever it holds", async () => {
    for (const title of ["Grüße 🚢", "'; DROP TABLE x;--", '<b>"&']) {
      expect((await add(title)).json()).toMatchObject({ title });
    }
  });

  test("have a limit, and a deleted one makes room", async () => {
    for (let count = 0; count < limits.items; count += 1) await add("x");
    expect((await add("one more")).statusCode).toBe(409);
    await app.inject({ method: "DELETE", url: "/api/items/1", headers: bearer });
    expect((await add("one more")).statusCode).toBe(201);
  });

  test.each(["PATCH", "DELETE"] as const)("%s of one that is not there is 404", async (method) => {
    const payload = method === "PATCH" ? { done: true } : undefined;
    const response = await app.inject({ method, url: "/api/items/7", headers: bearer, ...(payload && { payload }) });
    expect(response.statusCode).toBe(404);
    expect(response.json()).toEqual({ statusCode: 404, error: "Not Found", message: "there is no item 7" });
  });
});

describe("writing", () => {
  test.each([
    ["no header", {}],
    ["another scheme", { authorization: "Basic bGV0LW1lLWlu" }],
    ["an empty token", { authorization: "Bearer " }],
    ["another token", { authorization: "Bearer let-me-out" }],
    ["two tokens", { authorization: "Bearer let-me-in let-me-in" }],
  ])("with %s is 401", async (_, headers) => {
    const response = await add("x", { headers });
    expect(response.statusCode).toBe(401);
    expect(response.headers["www-authenticate"]).toBe('Bearer realm="items"');
    expect((await app.inject("/api/items")).json()).toEqual({ items: [] });
  });

  test("is 403 for everybody when no token is configured", async () => {
    const closed = await testApp({ checkToken: undefined });
    const response = await closed.inject({ method: "POST", url: "/api/items", headers: bearer, payload: { title: "x" } });
    expect(response.statusCode).toBe(403);
    expect(response.json()).toMatchObject({ message: "writing is switched off: API_TOKEN_HASH is not set" });
    await closed.close();
  });

  test("is 429 while too many tokens are being checked", async () => {
    const busy = await testApp({ checkToken: async () => "busy" });
    const response = await busy.inject({ method: "DELETE", url: "/api/items/1", headers: bearer });
    expect(response.statusCode).toBe(429);
    expect(response.headers["retry-after"]).toBe("1");
    await busy.close();
  });
});

describe("bad input", () => {
  const json = { ...bearer, "content-type": "application/json" };
  const post = (payload: string | Buffer, headers: Record<string, string> = json): InjectOptions => ({
    method: "POST",
    url: "/api/items",
    headers,
    payload,
  });

  test.each<[string, number, InjectOptions]>([
    ["malformed JSON", 400, post("{")],
    ["an empty body", 400, post("")],
    ["no body at all", 400, { method: "POST", url: "/api/items", headers: bearer }],
    ["null", 400, post("null")],
    ["an array", 400, post('[{"title":"x"}]')],
    ["a number for a title", 400, post('{"title":7}')],
    ["no title", 400, post("{}")],
    ["an empty title", 400, post('{"title":""}')],
    ["a blank title", 400, post('{"title":" \u00a0 "}')],
    ["a title too long", 400, post(JSON.stringify({ title: "x".repeat(21) }))],
    ["a NUL in the title", 400, post('{"title":"a\\u0000b"}')],
    ["a line break in the title", 400, post('{"title":"a\\nb"}')],
    ["a line separator in the title", 400, post('{"title":"a\u2028b"}')],
    ["a title that turns its line around", 400, post('{"title":"a\u202Eb"}')],
    ["an isolate in the title", 400, post('{"title":"a\u2066b"}')],
    ["a title of zero-width characters", 400, post('{"title":"\u200b\u2060"}')],
    ["a title of blank letters", 400, post('{"title":"\u3164\u2800"}')],
    ["bytes that are not UTF-8", 400, post(Buffer.from('{"title":"caf\xe9"}', "latin1"))],
    ["another charset", 415, post('{"title":"x"}', { ...bearer, "content-type": "application/json; charset=latin1" })],
    ["half a surrogate pair", 400, post('{"title":"\\ud800"}')],
    ["an unknown property", 400, post('{"title":"x","id":1}')],
    ["__proto__", 400, post('{"title":"x","__proto__":{"done":true}}')],
    ["a body too large", 413, post(JSON.stringify({ title: "x".repeat(2000) }))],
    ["plain text", 415, post("title", { ...bearer, "content-type": "text/plain" })],
    ["a form", 415, post("title=x", { ...bearer, "content-type": "application/x-www-form-urlencoded" })],
    ["a content type that is none", 415, post("{}", { ...bearer, "content-type": "///" })],
    ["an id that is no number", 400, { method: "DELETE", url: "/api/items/x", headers: bearer }],
    ["an id with a sign", 400, { method: "DELETE", url: "/api/items/-1", headers: bearer }],
    ["an id beyond numbers", 400, { method: "DELETE", url: `/api/items/${"9".repeat(16)}`, headers: bearer }],
    ["an encoded slash in an id", 400, { method: "DELETE", url: "/api/items/1%2F2", headers: bearer }],
    ["SQL in an id", 400, { method: "DELETE", url: "/api/items/1%20OR%201=1", headers: bearer }],
    ["a broken path encoding", 400, { method: "DELETE", url: "/api/items/%zz", headers: bearer }],
    ["an id of absurd length", 414, { method: "DELETE", url: `/api/items/${"1".repeat(500)}`, headers: bearer }],
    ["text for done", 400, { method: "PATCH", url: "/api/items/1", headers: bearer, payload: { done: "true" } }],
    ["nothing to change", 400, { method: "PATCH", url: "/api/items/1", headers: bearer, payload: {} }],
    ["an unknown path", 404, { method: "GET", url: "/api/nothing" }],
    ["an unknown path with a body", 404, { method: "POST", url: "/nothing", payload: { a: 1 } }],
    ["a path that climbs", 404, { method: "GET", url: "/api/../../etc/passwd" }],
  ])("%s is answered with %i", async (_, statusCode, request) => {
    const response = await app.inject(request);
    expect(response.statusCode).toBe(statusCode);
    const error = expect.any(String) as string;
    expect(response.json()).toEqual({ statusCode, error, message: error });
    expect(response.headers).toMatchObject({ "cache-control": "no-store", "x-content-type-options": "nosniff" });
    expect((await app.inject("/api/items")).json()).toEqual({ items: [] });
  });

  test.each<[InjectOptions, string]>([
    [post('{"title":""}'), "the title must be 1 to 20 visible characters"],
    [post("{}"), "the title must be 1 to 20 visible characters"],
    [post("[]"), "the body must be a JSON object"],
    [post('{"title":"x","id":1}'), "the body has a property that is not known here"],
    [{ method: "PATCH", url: "/api/items/1", headers: bearer, payload: { done: 1 } }, "done must be true or false"],
    [{ method: "DELETE", url: "/api/items/x", headers: bearer }, "the id must be a whole number of up to 15 digits"],
  ])("is explained: %j", async (request, message) => {
    expect((await app.inject(request)).json()).toMatchObject({ message });
  });

  test.each(["utf-8", "UTF8", '"utf-8"'])("a charset of %s is none", async (charset) => {
    const headers = { ...bearer, "content-type": `application/json; charset=${charset}` };
    expect((await app.inject(post('{"title":"Grüße"}', headers))).json()).toMatchObject({ title: "Grüße" });
  });

  test.each([
    ["PUT", "/api/items", "GET, HEAD, POST"],
    ["OPTIONS", "/api/items", "GET, HEAD, POST"],
    ["GET", "/api/items/1", "PATCH, DELETE"],
    ["POST", "/health?x=1", "GET, HEAD"],
  ] as const)("%s %s is 405 and says what is allowed", async (method, url, allow) => {
    const response = await app.inject({ method, url });
    expect(response.statusCode).toBe(405);
    expect(response.headers.allow).toBe(allow);
    expect(response.json()).toMatchObject({ error: "Method Not Allowed" });
  });
});

test.each([
  ["HPE_HEADER_OVERFLOW", 431],
  ["ERR_HTTP_REQUEST_TIMEOUT", 408],
  ["HPE_INVALID_METHOD", 400],
])("what is no request (%s) is answered with %i in the same shape", async (code, statusCode) => {
  let text = "";
  const socket = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  answerBrokenRequest(Object.assign(new Error(code), { code }), socket);
  await once(socket, "close");
  const [head = "", body = ""] = text.split("\r\n\r\n");
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${statusCode} `));
  expect(head).toContain("cache-control: no-store");
  const words = expect.any(String) as string;
  expect(JSON.parse(body)).toEqual({ statusCode, error: words, message: words });
});

test("a connection that is gone gets no answer", () => {
  const socket = new Duplex().destroy();
  answerBrokenRequest(new Error("reset"), socket);
  expect(socket.destroyed).toBe(true);
});

test("the log holds the path without the query", async () => {
  let log = "";
  const logged = await testApp({ logger: pino({}, { write: (line: string) => (log += line) }) });
  await logged.inject("/api/items?token=s3cret");
  await logged.inject("/api/items/%zz?token=s3cret");
  expect(log).toContain('"path":"/api/items"');
  expect(log).not.toContain("s3cret");
  await logged.close();
});

test("a failure inside is answered without its details", async () => {
  const broken = await testApp({ database: deadDatabase });
  const response = await broken.inject("/api/items");
  expect(response.statusCode).toBe(500);
  expect(response.body).not.toContain("disk");
});
