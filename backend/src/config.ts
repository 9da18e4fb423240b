import { Ajv } from "ajv";
import { StartupError, messageOf } from "./errors.ts";

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Limits {
  readonly bodyBytes: number;
  readonly titleLength: number;
  readonly items: number;
  readonly connections: number;
  readonly tokenVerifications: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly shutdownMs: number;
}

/** What this build is: set in the image, so that a running container can be traced to its source. */
export interface BuildInfo {
  readonly version: string;
  readonly commit: string;
  readonly buildDate: string;
}

export interface Config {
  readonly host: string;
  readonly port: number;
  /** A file's path, or ":memory:". */
  readonly databasePath: string;
  /** Without one every write is refused. */
  readonly tokenHash: string | undefined;
  readonly logLevel: LogLevel;
  readonly limits: Limits;
  readonly build: BuildInfo;
}

export type Environment = Readonly<Record<string, string | undefined>>;

interface ConfigFile {
  readonly logLevel: LogLevel;
  readonly limits: Limits;
}

const positive = { type: "integer", minimum: 1, maximum: 1_000_000_000 } as const;

const limits = {
  bodyBytes: positive,
  titleLength: positive,
  items: positive,
  connections: positive,
  tokenVerifications: positive,
  requestTimeoutMs: positive,
  keepAliveTimeoutMs: positive,
  shutdownMs: positive,
} satisfies Record<keyof Limits, typeof positive>;

const isConfigFile = new Ajv().compile<ConfigFile>({
  type: "object",
  additionalProperties: false,
  required: ["logLevel", "limits"],
  properties: {
    logLevel: { enum: LOG_LEVELS },
    limits: {
      type: "object",
      additionalProperties: false,
      required: Object.keys(limits),
      properties: limits,
    },
  },
});

/**
 * The configuration: the environment, over the text of the configuration file.
 * Throws StartupError naming the setting that is wrong.
 */
export function loadConfig(environment: Environment, fileText: string): Config {
  const file = parseConfigFile(fileText);
  // Compose files pass unset variables on as empty ones: both mean "the default".
  const setting = (name: string, fallback: string) => environment[name]?.trim() || fallback;
  return {
    host: setting("HOST", "127.0.0.1"),
    port: parsePort(setting("PORT", "8000")),
    databasePath: parseDatabaseUrl(setting("DATABASE_URL", "sqlite:///:memory:")),
    tokenHash: parseTokenHash(setting("API_TOKEN_HASH", "")),
    logLevel: parseLogLevel(setting("LOG_LEVEL", file.logLevel)),
    limits: file.limits,
    build: {
      version: setting("VERSION", "0.0.0"),
      commit: setting("GIT_COMMIT", "unknown"),
      buildDate: setting("BUILD_DATE", "unknown"),
    },
  };
}

function parseConfigFile(text: string): ConfigFile {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new StartupError(`the configuration file is not JSON: ${messageOf(error)}`);
  }
  if (isConfigFile(content)) return content;
  const [problem] = isConfigFile.errors ?? [];
  const where = problem?.instancePath || "/";
  throw new StartupError(`the configuration file: ${where} ${problem?.message ?? "is not valid"}`);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new StartupError(`PORT must be a number from 0 to 65535, not "${text}"`);
}

/** sqlite:///relative/path, sqlite:////absolute/path or sqlite:///:memory: */
function parseDatabaseUrl(url: string): string {
  const path = /^sqlite:\/\/\/([^?#]+)$/.exec(url)?.[1];
  if (path) return path;
  // Its value stays out of the log: the address of another kind of database holds a password.
  throw new StartupError("DATABASE_URL must look like sqlite:////data/items.db or sqlite:///:memory:");
}

function parseTokenHash(hash: string): string | undefined {
  if (hash === "") return undefined;
  const costs = /^\$argon2(?:id|i|d)\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$[A-Za-z\d+/]+\$[A-Za-z\d+/]+$/.exec(hash);
  if (costs) {
    // Every check of a token costs this much: dear ones would let guessers occupy the machine.
    const [memory, time, lanes] = costs.slice(1).map(Number) as [number, number, number];
    if (memory <= 65_536 && time <= 10 && lanes <= 4) return hash;
    throw new StartupError("API_TOKEN_HASH is too costly to check: at most m=65536, t=10 and p=4");
  }
  // The value itself stays out of the log: it may be the token, put here by mistake.
  throw new StartupError("API_TOKEN_HASH is not an argon2 hash; make one with dist/hash-token.js");
}

function parseLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((name) => name === text);
  if (level) return level;
  throw new StartupError(`LOG_LEVEL must be one of ${LOG_LEVELS.join(", ")}, not "${text}"`);
}
