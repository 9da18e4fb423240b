import { expect, test } from "vitest";
import { problemsOfBuild } from "./check-build.mjs";
import { scratchFolder } from "./lib/scratch.mjs";

const whole = {
  "index.html": '<link rel="stylesheet" href="/assets/index-aBcD1234.css"><script src="/assets/index-1234-_xY.js"></script>',
  "health.json": '{"version":"1.2.3"}',
  "licenses.json": "[]",
  "assets/index-aBcD1234.css": "a{}",
  "assets/index-1234-_xY.js": 'const v="1.2.3"',
};

test("a whole build has no problem", async () => {
  expect(await problemsOfBuild(await scratchFolder(whole), "1.2.3")).toEqual([]);
});

test.each([
  ["the version", {}, "2.0.0", ["version 2.0.0 is not in the bundle", "health.json says version 1.2.3, not 2.0.0"]],
  ["a hash", { "assets/logo.svg": "" }, "1.2.3", ["assets/logo.svg has no hash in its name"]],
  [
    "the assets",
    { "index.html": '<link href="/favicon.svg">' },
    "1.2.3",
    [
      "index.html loads no hashed .js asset",
      "index.html loads no hashed .css asset",
      "index.html names favicon.svg, which is missing",
    ],
  ],
])("a build without %s is refused", async (_, change, version, problems) => {
  expect(await problemsOfBuild(await scratchFolder({ ...whole, ...change }), version)).toEqual(problems);
});

test("an empty build is refused by its missing files", async () => {
  expect(await problemsOfBuild(await scratchFolder({ "x.txt": "" }), "1.2.3")).toEqual([
    "index.html is missing",
    "health.json is missing",
    "licenses.json is missing",
  ]);
});
