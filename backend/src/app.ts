import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from "fastify";
import { requireToken } from "./authorization.ts";
import type { BuildInfo, Limits } from "./config.ts";
import type { Database } from "./database.ts";
import { healthRoutes, indexRoute } from "./health.ts";
import { HttpError, SAFE_HEADERS, answerBrokenRequest, answerError } from "./http-error.ts";
import { itemRoutes } from "./item-routes.ts";
import { itemsIn } from "./items.ts";
import { useStrictJson } from "./json-body.ts";
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
    loggerInstance: logger.child({}, { serializers: { req: withoutQuery } }),
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestTimeoutMs,
    // Node takes the larger of both limits for the whole request, and looks only every 30 s by itself.
    http: { headersTimeout: Math.min(10_000, limits.requestTimeoutMs), connectionsCheckingInterval: 2000 },
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    // While stopping, requests that had arrived are served like all others.
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => void answerError(error, request as FastifyRequest, reply as FastifyReply),
    clientErrorHandler: answerBrokenRequest,
    // A value of the wrong type is an error, not something to be guessed at or dropped in silence.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
  });
  app.server.maxConnections = limits.connections;
  app.removeContentTypeParser("text/plain");
  useStrictJson(app);
  app.addHook("onRequest", async (_request, reply) => {
    void reply.headers(SAFE_HEADERS);
  });
  app.setErrorHandler(answerError);
  app.setNotFoundHandler((request, reply) => {
    const path = pathOf(request.url);
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

function pathOf(url: string): string {
  return url.replace(/\?.*$/s, "");
}

/** A request as the log shows it: a query may hold what is nobody's business. */
function withoutQuery(request: FastifyRequest) {
  return { method: request.method, path: pathOf(request.url), host: request.host, remoteAddress: request.ip };
}
