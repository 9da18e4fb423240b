import fastify, { type FastifyBaseLogger, type FastifyInstance } from "fastify";
import { requireToken } from "./authorization.ts";
import type { BuildInfo, Limits } from "./config.ts";
import type { Database } from "./database.ts";
import { healthRoutes, indexRoute } from "./health.ts";
import { HttpError, answerError } from "./http-error.ts";
import { itemRoutes } from "./item-routes.ts";
import { itemsIn } from "./items.ts";
import type { TokenCheck } from "./token.ts";

export interface AppOptions {
  readonly build: BuildInfo;
  readonly limits: Limits;
  readonly database: Database;
  /** Undefined when no token is configured. */
  readonly checkToken: TokenCheck | undefined;
  readonly logger: FastifyBaseLogger;
}

/** What each path can do, for the Allow header of a 405. */
const METHODS: readonly (readonly [path: RegExp, allow: string])[] = [
  [/^\/$/, "GET, HEAD"],
  [/^\/health$/, "GET, HEAD"],
  [/^\/api\/items$/, "GET, HEAD, POST"],
  [/^\/api\/items\/[^/]+$/, "PATCH, DELETE"],
];

/** The HTTP application, not yet listening. */
export function buildApp({ build, limits, database, checkToken, logger }: AppOptions): FastifyInstance {
  const app = fastify({
    loggerInstance: logger,
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    // A value of the wrong type is an error, not something to be guessed at or dropped in silence.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
  });
  app.server.maxConnections = limits.connections;
  app.removeContentTypeParser("text/plain");
  app.addHook("onRequest", async (_request, reply) => {
    void reply.headers({ "cache-control": "no-store", "x-content-type-options": "nosniff" });
  });
  app.setErrorHandler(answerError);
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?", 1)[0] ?? "";
    const allow = METHODS.find(([pattern]) => pattern.test(path))?.[1];
    if (!allow) throw new HttpError(404, "there is nothing at this path");
    void reply.header("allow", allow);
    throw new HttpError(405, `this path answers ${allow}`);
  });
  indexRoute(app, build);
  healthRoutes(app, build, database);
  itemRoutes(app, itemsIn(database, limits.items), requireToken(checkToken), limits.titleLength);
  return app;
}
