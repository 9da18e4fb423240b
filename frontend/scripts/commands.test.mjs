import { execFile } from "node:child_process";
import { readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { scratchFolder } from "./lib/scratch.mjs";

const run = promisify(execFile);

/**
 * The exit code is what stops an image build, so it is tested as the build sees it.
 * @param {string} command
 * @param {string} folder
 * @param {Record<string, string>} extra environment
 * @returns {Promise<{ code?: number, stdout: string, stderr: string }>}
 */
async function node(command, folder, extra = {}) {
  const script = fileURLToPath(new URL(command, import.meta.url));
  const env = { ...process.env, REACT_APP_VERSION: "1.2.3", ...extra };
  return run(process.execPath, [script, folder], { env }).catch((error) => error);
}

const clean = {
  "index.html": '<link href="/assets/a-aBcD1234.css"><script src="/assets/a-aBcD1234.js"></script>',
  "health.json": '{"version":"1.2.3"}',
  "licenses.json": '[{"name":"react","version":"19.0.0","identifier":"MIT"}]',
  "assets/a-aBcD1234.css": "a { color: #ff0000; }\n",
  "assets/a-aBcD1234.js": '"1.2.3"',
};

test("check-build lets a whole build pass", async () => {
  const outcome = await node("check-build.mjs", await scratchFolder(clean));

  expect(outcome).toEqual({ stdout: "check-build: passed\n", stderr: "" });
});

test("check-build stops an incomplete build", async () => {
  const outcome = await node("check-build.mjs", await scratchFolder({ ...clean, "health.json": "{}" }));

  expect(outcome).toMatchObject({ code: 1, stderr: "check-build: health.json says version undefined, not 1.2.3\n" });
});

test("check-release says that a folder may ship", async () => {
  const outcome = await node("check-release.mjs", await scratchFolder(clean));

  expect(outcome).toEqual({ stdout: "check-release: passed\n", stderr: "" });
});

test("check-release stops a folder with a secret in it", async () => {
  const outcome = await node("check-release.mjs", await scratchFolder({ ...clean, "assets/.npmrc": "" }));

  expect(outcome).toMatchObject({ code: 1, stderr: "check-release: assets/.npmrc: package manager configuration\n" });
});

test("optimize prints what it saved", async () => {
  const { stdout } = await node("optimize.mjs", await scratchFolder(clean));

  expect(stdout).toMatch(/^assets\/a-aBcD1234\.css +22 +12 /m);
});

test("optimize takes what an earlier run left in OPTIMIZER_CACHE", async () => {
  const store = await scratchFolder({});
  const first = await node("optimize.mjs", await scratchFolder(clean), { OPTIMIZER_CACHE: store });
  const [kept = ""] = await readdir(store);
  await writeFile(path.join(store, kept), "a{}");
  const second = await node("optimize.mjs", await scratchFolder(clean), { OPTIMIZER_CACHE: store });

  expect(first.stdout).toMatch(/^assets\/a-aBcD1234\.css +22 +12 /m);
  expect(second.stdout).toMatch(/^assets\/a-aBcD1234\.css +22 +3 /m);
});
