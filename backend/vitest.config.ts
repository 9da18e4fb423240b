import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    env: { DATABASE_URL: "sqlite:///:memory:" },
    // SQLite is WebAssembly: making it fast takes longer than all that the tests ask of it.
    execArgv: ["--liftoff-only"],
    // A builder shares its processors with other steps; what hangs is found all the same.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    coverage: {
      include: ["src/**/*.ts", "scripts/**/*.mjs"],
      // Processes of their own: the integration tests start them for real.
      exclude: ["src/server.ts", "src/healthcheck.ts", "src/hash-token.ts"],
      reporter: ["text", "json-summary"],
      thresholds: { statements: 95, branches: 90, functions: 95, lines: 95 },
    },
  },
});
