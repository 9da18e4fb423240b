import { readFile } from "node:fs/promises";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import sharp from "sharp";
import { expect, test } from "vitest";
import { listFiles } from "./lib/files.mjs";
import { scratchFolder } from "./lib/scratch.mjs";
import { formatSavings, gzipped, optimizeFolder, shrink } from "./optimize.mjs";

// Far more than 256 colours: a palette could not hold them.
const side = 96;
const gradient = sharp(
  Buffer.from(Array.from({ length: side * side }, (_, i) => [i % side, Math.floor(i / side) * 2, 160, 128 + (i % side)]).flat()),
  { raw: { width: side, height: side, channels: 4 } },
);

const svg = `<?xml version="1.0"?><!-- drawn by hand --><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">
  <metadata>editor</metadata><rect id="r" x="1.000" y="1.000" width="7.000" height="7.000" fill="#ff0000"/></svg>`;

test("a PNG gets smaller and keeps every pixel", async () => {
  const before = await gradient.clone().png({ compressionLevel: 0 }).toBuffer();
  const after = await shrink("a.png", before);

  expect(after.length).toBeLessThan(before.length);
  expect((await sharp(after).raw().toBuffer()).equals(await sharp(before).raw().toBuffer())).toBe(true);
});

test("a JPEG gets smaller, keeps its size and stands upright without its metadata", async () => {
  const turned = await gradient.clone().flatten().resize(120, 60, { fit: "fill" }).withMetadata({ orientation: 6 });
  const before = await turned.jpeg({ quality: 100 }).toBuffer();
  const after = await shrink("a.JPG", before);

  expect(after.length).toBeLessThan(before.length);
  expect(await sharp(after).metadata()).toMatchObject({ format: "jpeg", width: 60, height: 120 });
  expect(await sharp(after).metadata()).not.toHaveProperty("exif");
});

test("an SVG loses what no browser draws and keeps its viewBox", async () => {
  const after = (await shrink("a.svg", Buffer.from(svg))).toString();

  expect(after).toContain('viewBox="0 0 9 9"');
  expect(after).not.toMatch(/metadata|drawn by hand/);
});

test("a style sheet is minified", async () => {
  const after = await shrink("a.css", Buffer.from("a {\n  color: #ff0000;\n}\n\n/* gone */\n"));

  expect(after.toString()).toBe("a{color:red}");
});

test.each([
  ["a.css", Buffer.from("a{color:red}")],
  ["a.svg", Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')],
  ["a.txt", Buffer.from("  spaces stay  ")],
])("%s is kept as it was when it cannot get smaller", async (name, content) => {
  expect(await shrink(name, content)).toBe(content);
});

test.each([
  ["a.svg", "not a picture"],
  ["a.png", "not a picture"],
])("a broken %s stops the build", async (name, content) => {
  await expect(shrink(name, Buffer.from(content))).rejects.toThrow();
});

test("text is packed only when that pays", async () => {
  expect(await gzipped("a.js", Buffer.from("1"))).toBeNull();
  expect(await gzipped("a.png", Buffer.alloc(4096))).toBeNull();
  const packed = await gzipped("a.js", Buffer.from("again ".repeat(100)));
  expect(gunzipSync(packed ?? "").toString()).toBe("again ".repeat(100));
});

test("the same folder gives the same bytes, and a second run leaves them alone", async () => {
  const picture = await gradient.clone().png({ compressionLevel: 0 }).toBuffer();
  const files = { "index.html": "<p>again</p>".repeat(50), "assets/a.svg": svg, "assets/b.png": picture };
  const [one, two] = [await scratchFolder(files), await scratchFolder(files)];

  const savings = await optimizeFolder(one);
  await optimizeFolder(two);
  await optimizeFolder(two);

  expect(savings.map(({ name }) => name)).toEqual(["assets/a.svg", "assets/b.png", "index.html"]);
  expect(await contents(one)).toEqual(await contents(two));
  expect(Object.keys(await contents(one))).toContain("index.html.gz");
});

/** @param {string} root */
async function contents(root) {
  const files = await listFiles(root);
  const pairs = files.map(async ({ name }) => [name, (await readFile(path.join(root, name))).toString("hex")]);
  return Object.fromEntries(await Promise.all(pairs));
}

test("the table says what was saved", () => {
  const savings = [
    { name: "a.css", beforeBytes: 200, afterBytes: 150, gzipBytes: 90 },
    { name: "long-name.png", beforeBytes: 1800, afterBytes: 850, gzipBytes: null },
  ];

  expect(formatSavings(savings).split("\n")).toEqual([
    "file           before (bytes)  after (bytes)   saved  gzip (bytes)",
    "a.css                     200            150  25.0 %            90",
    "long-name.png            1800            850  52.8 %             -",
    "total                    2000           1000  50.0 %",
  ]);
});

test("an empty folder saves nothing", () => {
  expect(formatSavings([])).toContain("0.0 %");
});
