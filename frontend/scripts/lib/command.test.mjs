import { afterEach, expect, test, vi } from "vitest";
import { report, whenStarted } from "./command.mjs";

afterEach(() => {
  process.exitCode = undefined;
  vi.restoreAllMocks();
});

test.each([
  ["the folder it is given", ["node", "/scripts/a.mjs", "dist"], [["dist"]]],
  ["the folder build when it is given none", ["node", "/scripts/a.mjs"], [["build"]]],
  ["nothing when another file was started", ["node", "/scripts/b.mjs", "dist"], []],
  ["nothing when no file was started", ["node"], []],
])("works on %s", async (_, argv, calls) => {
  const main = vi.fn();
  await whenStarted("file:///scripts/a.mjs", main, argv);

  expect(main.mock.calls).toEqual(calls);
});

test("a problem is printed and makes the process fail", () => {
  const print = vi.spyOn(console, "error").mockReturnValue();
  report("check", ["one", "two"]);

  expect(print.mock.calls).toEqual([["check: one"], ["check: two"]]);
  expect(process.exitCode).toBe(1);
});

test("no problem is said, and is a success", () => {
  const print = vi.spyOn(console, "log").mockReturnValue();
  report("check", []);

  expect(print).toHaveBeenCalledWith("check: passed");
  expect(process.exitCode).toBeUndefined();
});
