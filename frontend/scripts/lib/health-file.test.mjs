import { expect, test, vi } from "vitest";
import { healthFile } from "./health-file.mjs";

/** @param {Record<string, string>} env */
function emitted(env) {
  const emitFile = vi.fn();
  const { generateBundle } = healthFile(env);
  if (typeof generateBundle !== "function") throw new TypeError("the plugin has no generateBundle");
  Reflect.apply(generateBundle, { emitFile }, []);
  const [{ fileName, source }] = emitFile.mock.calls[0] ?? [];
  return { fileName, health: JSON.parse(source) };
}

test("the health file names the build", () => {
  const env = { REACT_APP_VERSION: "1.2.3", REACT_APP_GIT_COMMIT: "abc", REACT_APP_BUILD_DATE: "2026-01-02T03:04:05Z" };

  expect(emitted(env)).toEqual({
    fileName: "health.json",
    health: { status: "ok", version: "1.2.3", commit: "abc", buildDate: "2026-01-02T03:04:05Z" },
  });
});

test("a build that was told nothing says so", () => {
  expect(emitted({}).health).toEqual({ status: "ok", version: "0.0.0", commit: "unknown", buildDate: "unknown" });
});
