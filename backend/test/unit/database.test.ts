import { copyFile, mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openDatabase } from "../../src/database.ts";
import { itemsIn } from "../../src/items.ts";

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "items-"));
  path = join(directory, "items.db");
});

afterEach(() => rm(directory, { recursive: true }));

test("items outlive the process that wrote them", async () => {
  const first = await openDatabase(path);
  itemsIn(first, 10).add("stay");
  await first.close();

  const second = await openDatabase(path);
  expect(itemsIn(second, 10).list()).toMatchObject([{ id: 1, title: "stay", done: false }]);
  await second.close();
});

test("what a killed process had committed is there after its crash", async () => {
  const crashed = await openDatabase(path);
  itemsIn(crashed, 10).add("committed");
  const left = join(directory, "left.db");
  await copyFile(path, left);
  await copyFile(`${path}-wal`, `${left}-wal`);
  await mkdir(`${left}.lock`);
  await crashed.close();

  const next = await openDatabase(left);
  expect(itemsIn(next, 10).list()).toMatchObject([{ title: "committed" }]);
  await next.close();
});

test("one database has one user at a time", async () => {
  const first = await openDatabase(path);
  await expect(openDatabase(path)).rejects.toThrow(`the database ${path} is in use by another process`);
  await first.close();
  const second = await openDatabase(path);
  await second.close();
});

test.each([
  ["text that is no database", "no database, and longer than the hundred bytes of a header ".repeat(20)],
  ["a header without the rest", `SQLite format 3\0${"\xff".repeat(2000)}`],
])("%s is refused", async (_, content) => {
  await writeFile(path, content);
  await expect(openDatabase(path)).rejects.toThrow(`cannot use the database ${path}: `);
});

test("a damaged table is found at the start", async () => {
  const database = await openDatabase(path);
  const items = itemsIn(database, 1000);
  for (let count = 0; count < 200; count += 1) items.add("x".repeat(100));
  await database.close();
  const file = await open(path, "r+");
  await file.write(Buffer.alloc(4096, 0xab), 0, 4096, 4096 * 4);
  await file.close();
  await expect(openDatabase(path)).rejects.toThrow(/cannot use the database .*: it is damaged \(/);
});

test("a database of a newer version is left alone", async () => {
  const database = await openDatabase(path);
  database.query("PRAGMA user_version = 2");
  await database.close();
  await expect(openDatabase(path)).rejects.toThrow("it was made by a newer version of this service");
});

test("a folder that is not there is named", async () => {
  const lost = join(directory, "nowhere", "items.db");
  await expect(openDatabase(lost)).rejects.toThrow(/cannot use the database .*ENOENT: no such file or directory/);
});

test("a folder in the database's place is refused", async () => {
  await mkdir(path);
  await expect(openDatabase(path)).rejects.toThrow(`cannot use the database ${path}`);
});

test("a database that was closed does not answer", async () => {
  const database = await openDatabase(":memory:");
  expect(database.answers()).toBe(true);
  await database.close();
  expect(database.answers()).toBe(false);
});
