// The image's HEALTHCHECK: exit code 0 when /health answers 200. Saves curl in the image.
import { get } from "node:http";

const everywhere = new Set(["", "0.0.0.0", "::"]);
const host = process.env.HOST ?? "";

const request = get(
  {
    host: everywhere.has(host) ? "127.0.0.1" : host,
    port: process.env.PORT || 8000,
    path: "/health",
    timeout: 2000,
  },
  (response) => {
    response.resume();
    if (response.statusCode !== 200) fail(`/health answered ${response.statusCode ?? "nothing"}`);
  },
);
request.on("timeout", () => request.destroy(new Error("no answer within 2 s")));
request.on("error", (error) => {
  fail(error.message);
});

function fail(reason: string): void {
  console.error(reason);
  process.exitCode = 1;
}
