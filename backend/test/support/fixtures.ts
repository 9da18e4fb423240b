import { pino } from "pino";
import { buildApp, type AppOptions } from "../../src/app.ts";
import type { Limits } from "../../src/config.ts";
import { openDatabase, type Database } from "../../src/database.ts";

export const limits: Limits = {
  bodyBytes: 1024,
  titleLength: 20,
  items: 3,
  connections: 10,
  tokenVerifications: 1,
  requestTimeoutMs: 5000,
  keepAliveTimeoutMs: 5000,
  shutdownMs: 5000,
};

export const build = { version: "1.2.3", commit: "abc1234", buildDate: "2026-01-02T03:04:05Z" };

export const bearer = { authorization: "Bearer let-me-in" };

/** An application on a database in memory that accepts the token of `bearer`. */
export async function testApp(options: Partial<AppOptions> = {}) {
  const database = options.database ?? (await openDatabase(":memory:"));
  const app = buildApp({
    build,
    limits,
    database,
    checkToken: async (token) => (token === "let-me-in" ? "accepted" : "refused"),
    logger: pino({}, { write: () => undefined }),
    ...options,
  });
  app.addHook("onClose", () => database.close());
  return app;
}

/** A database that has stopped answering. */
export const deadDatabase: Database = {
  query() {
    throw new Error("disk I/O error in /data/items.db");
  },
  answers: () => false,
  close: () => Promise.resolve(),
};
