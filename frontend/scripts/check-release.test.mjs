import { symlink } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { problemsOfContent, problemsOfLicences, problemsOfName, problemsOfRelease } from "./check-release.mjs";
import { scratchFolder } from "./lib/scratch.mjs";

const react = { name: "react", version: "19.0.0", identifier: "MIT" };
const licences = JSON.stringify([react]);

test.each([
  [".env", "environment file"],
  ["assets/.env.production", "environment file"],
  [".npmrc", "package manager configuration"],
  [".git/config", "version control data"],
  ["certs/server.key", "key file"],
  ["id_ed25519", "key file"],
  ["assets/index-aBcD1234.js.map", "source map"],
])("refuses the file %s", (name, what) => {
  expect(problemsOfName(name)).toEqual([`${name}: ${what}`]);
});

test.each(["index.html", "assets/environment-aBcD1234.js", "assets/keyboard-aBcD1234.svg"])("lets %s pass", (name) => {
  expect(problemsOfName(name)).toEqual([]);
});

// Put together here, so that no scanner takes this file for a leak.
test.each([
  ["private key", `-----BEGIN RSA ${"PRIVATE"} KEY-----`],
  ["AWS access key", `"AKIA${"A1".repeat(8)}"`],
  ["GitHub token", `ghp_${"a".repeat(36)}`],
  ["GitLab token", `glpat-${"a".repeat(20)}`],
  ["npm token", `npm_${"a".repeat(36)}`],
  ["Slack token", `xoxb-${"1".repeat(12)}`],
  ["Google API key", `AIza${"a".repeat(35)}`],
  ["Stripe key", `sk_live_${"a".repeat(24)}`],
  ["JSON web token", `eyJ${"a".repeat(12)}.eyJ${"b".repeat(12)}.${"c".repeat(12)}`],
  ["password hash", "$argon2id$v=19$m=65536"],
  ["password in a URL", `postgres://admin:${"hunter2"}@db/items`],
])("refuses a %s without repeating it", (what, content) => {
  expect(problemsOfContent("index.js", `const a = ${content};`)).toEqual([`index.js: looks like a ${what}`]);
});

test("lets ordinary code pass", () => {
  const code = 'fetch("https://example.org:8443/a@b"); const npm_config = authToken; // Bearer ${token}';
  expect(problemsOfContent("index.js", code)).toEqual([]);
});

test.each([
  ["an allowed licence", [react], []],
  ["no licence", [{ ...react, identifier: null }], ["react 19.0.0: no licence"]],
  [
    "a licence nobody agreed to",
    [{ ...react, identifier: "GPL-3.0-only" }],
    ["react 19.0.0: licence GPL-3.0-only is not in the allow-list"],
  ],
  ["an empty report", [], ["licenses.json: names no package"]],
])("judges %s", (_, packages, problems) => {
  expect(problemsOfLicences(packages)).toEqual(problems);
});

test("reads a whole folder, and takes no link out of it", async () => {
  const root = await scratchFolder({ "licenses.json": licences, "index.html": "<p>", ".env": "A=1" });
  await symlink("/etc/hostname", path.join(root, "link.txt"));

  expect(await problemsOfRelease(root)).toEqual([".env: environment file", "link.txt: not a regular file"]);
});

test("has nothing against a clean folder", async () => {
  expect(await problemsOfRelease(await scratchFolder({ "licenses.json": licences, "index.html": "<p>" }))).toEqual([]);
});
