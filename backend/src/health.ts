import type { FastifyInstance } from "fastify";
import type { BuildInfo } from "./config.ts";
import type { Database } from "./database.ts";

/** GET /: where to go from here, for whoever opens the bare address. */
export function indexRoute(app: FastifyInstance, build: BuildInfo): void {
  app.get("/", async () => ({
    service: "devops-backend",
    version: build.version,
    paths: ["/health", "/api/items"],
  }));
}

/** GET /health: what runs here, and whether it can do its work (503 when it cannot). */
export function healthRoutes(app: FastifyInstance, build: BuildInfo, database: Database): void {
  // Asked every few seconds for ever: only its failures are worth a line in the log.
  app.get("/health", { logLevel: "warn" }, async (request, reply) => {
    const answers = database.answers();
    if (!answers) request.log.error("the database does not answer");
    return reply.code(answers ? 200 : 503).send({
      status: answers ? "ok" : "error",
      ...build,
      arch: process.arch,
      database: answers ? "ok" : "error",
    });
  });
}
