import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config.ts";

const shipped = readFileSync(new URL("../../config/default.json", import.meta.url), "utf8");
const hash = "$argon2id$v=19$m=19456,t=2,p=1$0j1GAOUgz/VRfrWBXD110w$LjCwaI7YA284RMDbKx5sJMnot8enYl36mvFIM0NGJQc";

test("an empty environment gives a server for this machine alone, without a token", () => {
  expect(loadConfig({}, shipped)).toMatchObject({
    host: "127.0.0.1",
    port: 8000,
    databasePath: ":memory:",
    tokenHash: undefined,
    logLevel: "info",
    build: { version: "0.0.0", commit: "unknown", buildDate: "unknown" },
  });
});

test("the environment overrides, and an empty variable does not", () => {
  const environment = {
    HOST: "0.0.0.0",
    PORT: "9000",
    LOG_LEVEL: "debug",
    API_TOKEN_HASH: hash,
    VERSION: "2.0.0",
    GIT_COMMIT: "",
    BUILD_DATE: " ",
  };
  expect(loadConfig(environment, shipped)).toMatchObject({
    host: "0.0.0.0",
    port: 9000,
    logLevel: "debug",
    tokenHash: hash,
    build: { version: "2.0.0", commit: "unknown", buildDate: "unknown" },
  });
});

test("the limits come from the file", () => {
  const changed = shipped.replace('"items": 1000', '"items": 7');
  expect(loadConfig({}, changed).limits.items).toBe(7);
});

test.each([
  ["sqlite:///:memory:", ":memory:"],
  ["sqlite:////data/items.db", "/data/items.db"],
  ["sqlite:///items.db", "items.db"],
])("DATABASE_URL %s names %s", (url, path) => {
  expect(loadConfig({ DATABASE_URL: url }, shipped).databasePath).toBe(path);
});

describe("a wrong setting is named", () => {
  test.each([
    [{ PORT: "80a" }, /^PORT must be a number from 0 to 65535, not "80a"$/],
    [{ PORT: "65536" }, /^PORT/],
    [{ PORT: "-1" }, /^PORT/],
    [{ DATABASE_URL: "postgres://db/items" }, /^DATABASE_URL must look like/],
    [{ DATABASE_URL: "sqlite:///" }, /^DATABASE_URL/],
    [{ DATABASE_URL: "sqlite:////data/items.db?mode=ro" }, /^DATABASE_URL/],
    [{ LOG_LEVEL: "loud" }, /^LOG_LEVEL must be one of/],
  ])("%j", (environment, message) => {
    expect(() => loadConfig(environment, shipped)).toThrow(message);
  });

  test.each(["m=65537,t=2,p=1", "m=19456,t=11,p=1", "m=19456,t=2,p=5"])("a hash that costs %s is refused", (costs) => {
    const load = () => loadConfig({ API_TOKEN_HASH: hash.replace("m=19456,t=2,p=1", costs) }, shipped);
    expect(load).toThrow(/^API_TOKEN_HASH is too costly/);
  });

  test("a hash of another version is refused", () => {
    expect(() => loadConfig({ API_TOKEN_HASH: hash.replace("v=19", "v=16") }, shipped)).toThrow(/^API_TOKEN_HASH/);
  });

  test("a password in DATABASE_URL is not repeated", () => {
    const load = () => loadConfig({ DATABASE_URL: "postgres://me:s3cret@db/items" }, shipped);
    expect(load).toThrow(/^DATABASE_URL must look like/);
    expect(load).not.toThrow(/s3cret/);
  });

  test("a token given for its hash is refused and not repeated", () => {
    const load = () => loadConfig({ API_TOKEN_HASH: "s3cret-token" }, shipped);
    expect(load).toThrow(/^API_TOKEN_HASH is not an argon2 hash/);
    expect(load).not.toThrow(/s3cret/);
  });
});

describe("what is wrong in the configuration file is named", () => {
  test.each([
    ["{", /is not JSON/],
    ["[]", /\/ must be object/],
    [shipped.replace('"info"', '"loud"'), /\/logLevel must be equal/],
    [shipped.replace("16384", "0"), /\/limits\/bodyBytes must be >= 1/],
    [shipped.replace("16384", '"16384"'), /\/limits\/bodyBytes must be integer/],
    [shipped.replace('"bodyBytes"', '"bodyBites"'), /\/limits must have required property 'bodyBytes'/],
    [shipped.replace('"logLevel"', '"more": 1, "logLevel"'), /\/ must NOT have additional properties/],
  ])("%s", (text, message) => {
    expect(() => loadConfig({}, text)).toThrow(message);
  });
});
