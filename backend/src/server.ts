import { readFileSync } from "node:fs";
import { pino } from "pino";
import { buildApp } from "./app.ts";
import { loadConfig, type Config } from "./config.ts";
import { drainable } from "./connections.ts";
import { openDatabase, type Database } from "./database.ts";
import { StartupError, messageOf } from "./errors.ts";
import { expectUsable, tokenCheck } from "./token.ts";

type App = ReturnType<typeof buildApp>;

const log = pino({
  base: { service: "backend" },
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (label) => ({ level: label }) },
});

// The state of the process is unknown now: say why and leave, so that it is started afresh.
process.on("uncaughtException", (error) => {
  log.fatal({ err: error }, "unexpected failure");
  process.exit(1);
});

// Node as PID 1 would not even hear a signal that it has no handler for: there is one from the start.
let stopServing: ((signal: string) => void) | undefined;
let stopping = false;
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    // A parent's signal often comes twice: once from it, once for the whole process group.
    if (stopping) return;
    stopping = true;
    if (!stopServing) process.exit(0);
    stopServing(signal);
  });
}

await start().catch((error: unknown) => {
  log.fatal(error instanceof StartupError ? {} : { err: error }, `cannot start: ${messageOf(error)}`);
  process.exit(1);
});

async function start(): Promise<void> {
  const config = loadConfig(process.env, readConfigFile());
  log.level = config.logLevel;
  const { build, limits } = config;
  if (config.tokenHash !== undefined) await expectUsable(config.tokenHash);
  const database = await openDatabase(config.databasePath);
  const checkToken =
    config.tokenHash === undefined ? undefined : tokenCheck(config.tokenHash, limits.tokenVerifications);
  if (!checkToken) log.warn("API_TOKEN_HASH is not set: every write is refused");

  const app = buildApp({ build, limits, database, checkToken, logger: log });
  const drain = drainable(app.server);
  await listen(app, config);
  log.info({ ...build, database: config.databasePath }, "ready");
  stopServing = (signal) => void stop(signal, app, drain, database, limits.shutdownMs);
}

function readConfigFile(): string {
  const path = process.env.CONFIG_FILE || new URL("../config/default.json", import.meta.url);
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new StartupError(`cannot read the configuration: ${messageOf(error)}`);
  }
}

async function listen(app: App, { host, port }: Config): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw new StartupError(`cannot listen on ${host}:${port}: ${messageOf(error)}`);
  }
}

/** Takes no new requests, finishes those in flight, and leaves: with 1 when that took too long. */
async function stop(
  signal: string,
  app: App,
  drain: () => Promise<void>,
  database: Database,
  limitMs: number,
): Promise<void> {
  log.info({ signal }, "stopping");
  setTimeout(() => {
    log.error({ limitMs }, "requests were still in flight at the time limit: cut off");
    process.exit(1);
  }, limitMs);
  await drain();
  await app.close();
  await database.close();
  log.info("stopped");
  process.exit(0);
}
