import react from "@vitejs/plugin-react";
import type { HttpProxy, ProxyOptions } from "vite";
import { defineConfig } from "vitest/config";
import { healthFile } from "./scripts/lib/health-file.mjs";

// The same two routes as nginx/templates/site.conf.template.
const backend = process.env.BACKEND_URL ?? "http://127.0.0.1:8000";
const proxy: Record<string, ProxyOptions> = {
  "/api/health": { target: backend, rewrite: () => "/health", configure: answerForBackend },
  "/api": { target: backend, configure: answerForBackend },
};

/** As nginx does: 502 tells the page that the backend is down. */
function answerForBackend(server: HttpProxy.ProxyServer): void {
  server.on("error", (_error, _request, response) => {
    if ("writeHead" in response) response.writeHead(502).end();
  });
}

// Loopback unless asked otherwise: in a container HOST is 0.0.0.0.
const host = process.env.HOST ?? "127.0.0.1";

export default defineConfig({
  envPrefix: "REACT_APP_",
  plugins: [react(), healthFile(process.env)],
  server: { host, port: 3000, strictPort: true, proxy },
  preview: { host, port: 8080, strictPort: true, proxy },
  build: {
    outDir: "build",
    // Every asset stays a file: the optimizer sees it, and the content security policy needs no "data:".
    assetsInlineLimit: 0,
    // What went into the bundle, with its licences. It ships as the notice and is what check-release.mjs reads.
    license: { fileName: "licenses.json" },
  },
  test: {
    // A builder shares its processors with other steps; what hangs is found all the same.
    testTimeout: 30_000,
    coverage: {
      include: ["src/**/*.{ts,tsx}", "scripts/**/*.mjs"],
      exclude: ["src/main.tsx", "**/*.test.*", "src/test/**", "scripts/lib/scratch.mjs", "**/*.d.ts"],
      reporter: ["text", "lcovonly"],
      thresholds: { lines: 90, functions: 90, branches: 90, statements: 90 },
    },
    projects: [
      {
        extends: true,
        test: {
          name: "page",
          environment: "jsdom",
          include: ["src/**/*.test.{ts,tsx}"],
          setupFiles: "src/test/setup.ts",
          unstubGlobals: true,
        },
      },
      { extends: true, test: { name: "scripts", environment: "node", include: ["scripts/**/*.test.mjs"] } },
    ],
  },
});
