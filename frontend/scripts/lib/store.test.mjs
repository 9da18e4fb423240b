import { mkdir, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { expect, test, vi } from "vitest";
import { scratchFolder } from "./scratch.mjs";
import { openStore, withoutStore } from "./store.mjs";

const picture = Buffer.from("picture");
const v1 = [Buffer.from("v1")];
const smaller = () => Promise.resolve(Buffer.from("small"));

test("a result is made once and found by the next run", async () => {
  const folder = path.join(await scratchFolder({}), "store");
  const made = await (await openStore(folder, v1))(".png", picture, smaller);
  const make = vi.fn(smaller);
  const found = await (await openStore(folder, v1))(".png", picture, make);

  expect(found).toEqual(made);
  expect(make).not.toHaveBeenCalled();
  expect((await readdir(folder)).length).toBe(1);
});

test.each([
  ["content", v1, ".png", "other"],
  ["kind", v1, ".svg", "picture"],
  ["version of a maker", [Buffer.from("v2")], ".png", "picture"],
  ["split of the same bytes", [Buffer.from("v"), Buffer.from("1")], ".png", "picture"],
])("another %s is made anew", async (_, makers, kind, content) => {
  const folder = await scratchFolder({});
  await (await openStore(folder, v1))(".png", picture, smaller);
  const make = vi.fn(smaller);
  await (await openStore(folder, makers))(kind, Buffer.from(content), make);

  expect(make).toHaveBeenCalledOnce();
});

test("a result that failed is not kept", async () => {
  const folder = await scratchFolder({});
  const remember = await openStore(folder, v1);

  await expect(remember(".png", picture, () => Promise.reject(new Error("broken picture")))).rejects.toThrow("broken");
  expect(await readdir(folder)).toEqual([]);
});

test("a store that cannot be read is no empty store", async () => {
  const folder = await scratchFolder({});
  const remember = await openStore(folder, v1);
  await remember(".png", picture, smaller);
  const [name = ""] = await readdir(folder);
  await rm(path.join(folder, name));
  await mkdir(path.join(folder, name));

  await expect(remember(".png", picture, smaller)).rejects.toThrow("EISDIR");
});

test("without a store everything is made", async () => {
  expect((await withoutStore(".png", picture, smaller)).toString()).toBe("small");
});
