import { expect, test, vi } from "vitest";
import { addItem, ApiError, deleteItem, explain, getHealth, listItems } from "./api";
import { answerAll, FakeBackend, health } from "./test/fakeBackend";

const signal = new AbortController().signal;

test.each([
  ["a bare list", []],
  ["no list", { items: "none" }],
  ["nothing", null],
  ["an item without a title", { items: [{ id: 1, done: false }] }],
  ["an item that is none", { items: [7] }],
])("refuses %s as the list of items", async (_, answer) => {
  answerAll(() => Promise.resolve(Response.json(answer)));

  await expect(listItems(signal)).rejects.toThrow("The backend's answer is not");
});

test.each([["nothing", null], ["a report without a version", { ...health, version: 1 }]])(
  "refuses %s as the health report",
  async (_, answer) => {
    answerAll(() => Promise.resolve(Response.json(answer)));

    await expect(getHealth(signal)).rejects.toThrow("not a health report");
  },
);

test("reads the health of a backend that is unwell", async () => {
  answerAll(() => Promise.resolve(Response.json({ ...health, status: "error" }, { status: 503 })));

  await expect(getHealth(signal)).resolves.toMatchObject({ status: "error", version: "1.2.3" });
});

test("says so when an answer is not JSON", async () => {
  answerAll(() => Promise.resolve(new Response("<html>", { status: 200 })));

  await expect(listItems(signal)).rejects.toThrow("The backend's answer (200) is not JSON.");
});

test("falls back to the status line when a refusal carries no message", async () => {
  answerAll(() => Promise.resolve(new Response("<html>", { status: 418, statusText: "I'm a teapot" })));

  await expect(addItem("x", "")).rejects.toThrow("The backend refused: 418 I'm a teapot");
});

test("accepts an answer without a body", async () => {
  const backend = new FakeBackend(["Lay the keel"]);

  await expect(deleteItem(1, backend.token)).resolves.toBeUndefined();
});

test("gives the caller's own abort back as it is", async () => {
  const abort = new AbortController();
  vi.stubGlobal("fetch", (_url: string, init: RequestInit) => Promise.reject(init.signal?.reason as Error));
  abort.abort();

  await expect(listItems(abort.signal)).rejects.toHaveProperty("name", "AbortError");
});

test.each([
  [new ApiError("x", 401), "The access token is missing or wrong."],
  [new ApiError("x", 0), "The backend cannot be reached. Try again in a moment."],
  [new ApiError("x", 502), "The backend cannot be reached. Try again in a moment."],
  [new ApiError("Title too long.", 400), "Title too long."],
  [new ApiError("writing is switched off", 503), "writing is switched off"],
  [new RangeError("x"), "Something went wrong on this page. Reload it."],
])("explains %o", (error, line) => {
  expect(explain(error)).toBe(line);
});
