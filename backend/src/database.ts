import sqlite from "node-sqlite3-wasm";
import { StartupError, messageOf } from "./errors.ts";
import { takeOwnership } from "./ownership.ts";

const SCHEMA_VERSION = 1;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS items (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    title      TEXT    NOT NULL,
    done       INTEGER NOT NULL DEFAULT 0 CHECK (done IN (0, 1)),
    created_at TEXT    NOT NULL
  ) STRICT`;

export type Row = Record<string, unknown>;
export type Value = string | number | boolean;

export interface Database {
  /** Runs one statement and returns its rows. */
  query(sql: string, values?: Value[]): Row[];
  /** Whether the database answers a question about the items. */
  answers(): boolean;
  close(): Promise<void>;
}

/** Opens the database, checks that it is whole and can be written. Throws StartupError. */
export async function openDatabase(path: string): Promise<Database> {
  const release = path === ":memory:" ? () => Promise.resolve() : await takeOwnership(path);
  try {
    return wrap(connect(path), release);
  } catch (error) {
    await release();
    throw new StartupError(`cannot use the database ${path}: ${messageOf(error)}`);
  }
}

function connect(path: string): sqlite.Database {
  const connection = new sqlite.Database(path);
  try {
    prepare(connection);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function prepare(connection: sqlite.Database): void {
  // node-sqlite3-wasm never replays a rollback journal, so a crash in mid-write would damage the
  // file. A write-ahead log is replayed; without shared memory it needs the file to itself.
  connection.exec("PRAGMA locking_mode = EXCLUSIVE");
  connection.exec("PRAGMA journal_mode = WAL");
  expectWhole(connection);
  const version = connection.get("PRAGMA user_version")?.user_version;
  if (Number(version) > SCHEMA_VERSION) {
    throw new Error("it was made by a newer version of this service");
  }
  // Written at every start: a file or volume that cannot be written shows now, not at a user's request.
  connection.exec(`BEGIN IMMEDIATE; ${SCHEMA}; PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
}

function expectWhole(connection: sqlite.Database): void {
  const answer = connection.get("PRAGMA quick_check(1)")?.quick_check;
  if (answer !== "ok") throw new Error(`it is damaged (${JSON.stringify(answer)})`);
}

function wrap(connection: sqlite.Database, release: () => Promise<void>): Database {
  return {
    query: (sql, values = []) => connection.all(sql, values),
    answers() {
      try {
        connection.get("SELECT id FROM items LIMIT 1");
        return true;
      } catch {
        return false;
      }
    },
    async close() {
      connection.close();
      await release();
    },
  };
}
