/**
 * Makes the files of a build smaller, in place: `node scripts/optimize.mjs build`. PNG and SVG keep their look exactly,
 * JPEG is encoded anew, CSS is minified. A file that did not get smaller stays as it was. Text gets a `.gz` beside it,
 * which nginx serves without compressing anything at run time. The same input gives the same bytes.
 */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { transform } from "lightningcss";
import sharp from "sharp";
import { optimize as optimizeSvg } from "svgo";
import { whenStarted } from "./lib/command.mjs";
import { listFiles } from "./lib/files.mjs";

/** @typedef {{ name: string, beforeBytes: number, afterBytes: number, gzipBytes: number | null }} Saving */
/** @typedef {(content: Buffer, name: string) => Promise<Uint8Array> | Uint8Array} Shrink */

/** @type {Record<string, Shrink>} */
const shrinkers = {
  ".png": shrinkPng,
  ".jpg": shrinkJpeg,
  ".jpeg": shrinkJpeg,
  ".svg": (content, name) => Buffer.from(optimizeSvg(content.toString("utf8"), { path: name, multipass: true }).data),
  ".css": (content, name) => transform({ filename: name, code: content, minify: true }).code,
};

const textKinds = new Set([".css", ".html", ".js", ".json", ".svg", ".txt", ".webmanifest", ".xml"]);

const compress = promisify(gzip);

/** @param {Buffer} content */
async function shrinkPng(content) {
  // A palette would be smaller still, and lose colours. Which filter packs better depends on the picture.
  const tries = [true, false].map((adaptiveFiltering) =>
    sharp(content).png({ compressionLevel: 9, adaptiveFiltering, palette: false }).toBuffer(),
  );
  const [one, other] = /** @type {[Buffer, Buffer]} */ (await Promise.all(tries));
  return one.length < other.length ? one : other;
}

/** @param {Buffer} content */
async function shrinkJpeg(content) {
  // Metadata (camera, place) is dropped; the turn it may ask for is done first, so that the picture stays upright.
  return sharp(content).autoOrient().jpeg({ quality: 80, mozjpeg: true }).toBuffer();
}

/**
 * @param {string} name decides by its ending what is done
 * @param {Buffer} content
 * @returns {Promise<Buffer>} the smaller form, or the very buffer that came in
 */
export async function shrink(name, content) {
  const shrinker = shrinkers[path.extname(name).toLowerCase()];
  if (!shrinker) return content;
  const smaller = Buffer.from(await shrinker(content, name));
  return smaller.length < content.length ? smaller : content;
}

/**
 * @param {string} name
 * @param {Buffer} content
 * @returns {Promise<Buffer | null>} null where a `.gz` would not pay
 */
export async function gzipped(name, content) {
  if (!textKinds.has(path.extname(name).toLowerCase())) return null;
  const packed = await compress(content, { level: 9 });
  return packed.length < content.length ? packed : null;
}

/**
 * @param {string} root
 * @returns {Promise<Saving[]>}
 */
export async function optimizeFolder(root) {
  const files = await listFiles(root);
  return Promise.all(files.filter(({ name }) => !name.endsWith(".gz")).map(({ name, file }) => optimizeFile(name, file)));
}

/**
 * @param {string} name
 * @param {string} file
 * @returns {Promise<Saving>}
 */
async function optimizeFile(name, file) {
  const before = await readFile(file);
  const after = await shrink(name, before);
  if (after !== before) await writeFile(file, after);
  const packed = await gzipped(name, after);
  if (packed) await writeFile(`${file}.gz`, packed);
  return { name, beforeBytes: before.length, afterBytes: after.length, gzipBytes: packed?.length ?? null };
}

/**
 * @param {Saving[]} savings
 * @returns {string} a table for the build log
 */
export function formatSavings(savings) {
  const total = { beforeBytes: sum(savings, "beforeBytes"), afterBytes: sum(savings, "afterBytes") };
  const rows = [
    ["file", "before (bytes)", "after (bytes)", "saved", "gzip (bytes)"],
    ...savings.map((saving) => [saving.name, ...cells(saving), String(saving.gzipBytes ?? "-")]),
    ["total", ...cells(total), ""],
  ];
  const width = (/** @type {number} */ column) => Math.max(...rows.map((row) => String(row[column]).length));
  return rows
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(width(i)) : cell.padStart(width(i)))).join("  ").trimEnd())
    .join("\n");
}

/**
 * @param {Saving[]} savings
 * @param {"beforeBytes" | "afterBytes"} key
 */
function sum(savings, key) {
  return savings.reduce((total, saving) => total + saving[key], 0);
}

/** @param {{ beforeBytes: number, afterBytes: number }} saving */
function cells({ beforeBytes, afterBytes }) {
  const saved = beforeBytes === 0 ? 0 : (100 * (beforeBytes - afterBytes)) / beforeBytes;
  return [String(beforeBytes), String(afterBytes), `${saved.toFixed(1)} %`];
}

await whenStarted(import.meta.url, async (root) => {
  console.log(formatSavings(await optimizeFolder(root)));
});
