import { existsSync } from "node:fs";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { main } from "../../scripts/bundle.mjs";

/** What ships, made once: bundling takes half a second of two processors. */
let shipped: string;
/** For one test. */
let directory: string;

beforeAll(async () => {
  shipped = await mkdtemp(join(tmpdir(), "bundle-"));
  expect(await main([shipped])).toBe(0);
});

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "bundle-"));
});

afterEach(() => rm(directory, { recursive: true }));

afterAll(() => rm(shipped, { recursive: true }));

test("one file for each command, and what it cannot hold beside it", async () => {
  expect((await readdir(join(shipped, "dist"))).sort()).toEqual([
    "hash-token.js",
    "healthcheck.js",
    "node-sqlite3-wasm.wasm",
    "server.js",
  ]);
});

test("every package that went in can be found by a scanner, and its licence by a reader", async () => {
  const manifest = await readFile(join(shipped, "node_modules/fastify/package.json"), "utf8");
  expect(JSON.parse(manifest)).toMatchObject({ name: "fastify", license: "MIT" });
  expect(existsSync(join(shipped, "node_modules/esbuild"))).toBe(false);
  expect(await readFile(join(shipped, "THIRD-PARTY-LICENSES"), "utf8")).toMatch(/^fastify 5\..*: MIT\n\n.*Copyright/ms);
});

test("the same sources give the same bytes", async () => {
  await main([directory]);
  for (const file of ["dist/server.js", "THIRD-PARTY-LICENSES"]) {
    expect(await readFile(join(directory, file))).toEqual(await readFile(join(shipped, file)));
  }
});

test("for debugging there are source maps", async () => {
  await main([directory, "--debug"]);
  expect(existsSync(join(directory, "dist/server.js.map"))).toBe(true);
});

test("a call that cannot be understood is answered with how to call it", async () => {
  const complaints = vi.spyOn(console, "error").mockReturnValue();
  expect(await main([])).toBe(2);
  expect(await main([directory, "--fast"])).toBe(2);
  expect(complaints).toHaveBeenCalledWith("usage: bundle.mjs DIRECTORY [--debug]");
});
