import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { findProblems, main } from "../../scripts/check-release.mjs";

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "release-"));
  await put("dist/server.js", 'import { readFile } from "node:fs";\nimport fastify from "fastify";\nimport "./app.js";\n');
  await put("node_modules/fastify/package.json", '{"license":"MIT"}');
});

afterEach(() => rm(root, { recursive: true }));

async function put(path: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

function elf(machine: number): Buffer {
  const header = Buffer.alloc(64);
  header.write("\x7fELF", "latin1");
  header.writeUInt16LE(machine, 18);
  return header;
}

test("a clean release has no problems", () => {
  expect(findProblems(root, "x64")).toEqual([]);
});

test.each([".env", ".env.production", ".npmrc", "config/.netrc", "node_modules/fastify/server.pem", ".git/HEAD"])(
  "%s must not ship",
  async (path) => {
    await put(path, "");
    const named = path.replace("/HEAD", "");
    expect(findProblems(root)).toEqual([`${named}: must not ship`]);
  },
);

// Put together here, so that no scanner takes this file for a leak.
test.each([
  ["a private key", ["-----BEGIN RSA PRIVATE", "KEY-----\nMIIEowIBAAKCAQEAtest"].join(" ")],
  ["an AWS access key", `key = "AKIA${"A1B2".repeat(4)}"`],
  ["a GitHub token", `ghp_${"a".repeat(36)}`],
  ["a GitLab token", `glpat-${"a".repeat(20)}`],
  ["an npm token", `npm_${"a".repeat(36)}`],
  ["a Slack token", `xoxb-${"1".repeat(12)}-${"a".repeat(24)}`],
  ["a Stripe key", `sk_live_${"a".repeat(24)}`],
])("%s is found", async (what, content) => {
  await put("config/default.json", content);
  expect(findProblems(root)).toEqual([`config/default.json: holds ${what}`]);
});

test("code that only speaks of private keys is let through", async () => {
  await put("node_modules/fastify/tls.js", 'const begin = "-----BEGIN PRIVATE KEY-----";');
  expect(findProblems(root)).toEqual([]);
});

test.each([
  ["{}", "states no licence"],
  ['{"license":"GPL-3.0-only"}', "licence GPL-3.0-only is not allowed"],
  ['{"license":"MIT AND GPL-3.0-only"}', "licence MIT AND GPL-3.0-only is not allowed"],
  ['{"license":"UNLICENSED"}', "licence UNLICENSED is not allowed"],
])("a package with %s is refused", async (manifest, problem) => {
  await put("node_modules/fastify/node_modules/@scope/dep/package.json", manifest);
  expect(findProblems(root)).toEqual([`@scope/dep: ${problem}`]);
});

test("one allowed alternative is enough, and a fixture is no package", async () => {
  await put("node_modules/dual/package.json", '{"license":"(MIT OR GPL-3.0-only)"}');
  await put("node_modules/dual/lib/esm/package.json", '{"type":"module"}');
  expect(findProblems(root)).toEqual([]);
});

test("a package without any of its binaries is refused", async () => {
  await put("node_modules/native/package.json", '{"license":"MIT","optionalDependencies":{"native-x64":"1.0.0"}}');
  expect(findProblems(root)).toEqual(["native: none of its optional dependencies is installed"]);
  await put("node_modules/native-x64/package.json", '{"license":"MIT"}');
  expect(findProblems(root)).toEqual([]);
});

test("an import of a package that does not ship is found", async () => {
  await put("dist/app.js", 'import { test } from "vitest/config";\nconst late = await import("@scope/late");\n');
  expect(findProblems(root)).toEqual([
    "dist/app.js: imports @scope/late, which does not ship",
    "dist/app.js: imports vitest, which does not ship",
  ]);
});

test("a binary for another machine is found", async () => {
  await put("node_modules/fastify/addon.node", elf(62));
  expect(findProblems(root, "x64")).toEqual([]);
  expect(findProblems(root, "arm64")).toEqual(["node_modules/fastify/addon.node: is not a Linux binary for arm64"]);
});

test("the command's exit code tells what was found", async () => {
  vi.spyOn(console, "log").mockReturnValue();
  const complaints = vi.spyOn(console, "error").mockReturnValue();
  expect(main([root, "x64"])).toBe(0);
  expect(complaints).not.toHaveBeenCalled();
  await put(".env", "");
  expect(main([root])).toBe(1);
  expect(complaints).toHaveBeenCalledWith(".env: must not ship");
  expect(main([])).toBe(2);
  expect(main([root, "mips"])).toBe(2);
});
