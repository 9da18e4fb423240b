/**
 * Makes the files of a build smaller, in place: `node scripts/optimize.mjs build`. PNG and SVG keep their look exactly,
 * JPEG is encoded anew, CSS is minified. A file that did not get smaller stays as it was. Text gets a `.gz` beside it,
 * which nginx serves without compressing anything at run time. The same input gives the same bytes.
 *
 * OPTIMIZER_CACHE names a folder that keeps results from run to run; without it everything is made anew.
 */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { whenStarted } from "./lib/command.mjs";
import { listFiles } from "./lib/files.mjs";
import { openStore, withoutStore } from "./lib/store.mjs";

/** @typedef {{ name: string, beforeBytes: number, afterBytes: number, gzipBytes: number | null }} Saving */
/** @typedef {(content: Buffer, name: string) => Promise<Uint8Array>} Shrink */
/** @typedef {import("./lib/store.mjs").Remember} Remember */

/** @type {Record<string, Shrink>} */
const shrinkers = { ".png": shrinkPng, ".jpg": shrinkJpeg, ".jpeg": shrinkJpeg, ".svg": shrinkSvg, ".css": shrinkCss };

const textKinds = new Set([".css", ".html", ".js", ".json", ".svg", ".txt", ".webmanifest", ".xml"]);

const compress = promisify(gzip);

// Each library is loaded by the first file that needs it: with every result in the store, none is.

/** @param {Buffer} content */
async function shrinkPng(content) {
  const { default: sharp } = await import("sharp");
  // A palette would be smaller still, and lose colours. Which filter packs better depends on the picture.
  const tries = [true, false].map((adaptiveFiltering) =>
    sharp(content).png({ compressionLevel: 9, adaptiveFiltering, palette: false }).toBuffer(),
  );
  const [one, other] = /** @type {[Buffer, Buffer]} */ (await Promise.all(tries));
  return one.length < other.length ? one : other;
}

/** @param {Buffer} content */
async function shrinkJpeg(content) {
  const { default: sharp } = await import("sharp");
  // Metadata (camera, place) is dropped; the turn it may ask for is done first, so that the picture stays upright.
  return sharp(content).autoOrient().jpeg({ quality: 80, mozjpeg: true }).toBuffer();
}

/** @type {Shrink} */
async function shrinkSvg(content, name) {
  const { optimize } = await import("svgo");
  return Buffer.from(optimize(content.toString("utf8"), { path: name, multipass: true }).data);
}

/** @type {Shrink} */
async function shrinkCss(content, name) {
  const { transform } = await import("lightningcss");
  return transform({ filename: name, code: content, minify: true }).code;
}

/**
 * @param {string} name decides by its ending what is done
 * @param {Buffer} content
 * @param {Remember} remember
 * @returns {Promise<Buffer>} the smaller form, or the very buffer that came in
 */
export async function shrink(name, content, remember = withoutStore) {
  const kind = path.extname(name).toLowerCase();
  const shrinker = shrinkers[kind];
  if (!shrinker) return content;
  const smaller = Buffer.from(await remember(kind, content, () => shrinker(content, name)));
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
 * @param {Remember} remember
 * @returns {Promise<Saving[]>}
 */
export async function optimizeFolder(root, remember = withoutStore) {
  const files = (await listFiles(root)).filter(({ name }) => !name.endsWith(".gz"));
  return Promise.all(files.map(({ name, file }) => optimizeFile(name, file, remember)));
}

/**
 * @param {string} name
 * @param {string} file
 * @param {Remember} remember
 * @returns {Promise<Saving>}
 */
async function optimizeFile(name, file, remember) {
  const before = await readFile(file);
  const after = await shrink(name, before, remember);
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

/**
 * A result is as good as the tools that made it: their exact versions, and this file, are part of its key.
 * @param {string} folder
 * @returns {Promise<Remember>}
 */
async function ownStore(folder) {
  const makers = [new URL("../package-lock.json", import.meta.url), new URL(import.meta.url)];
  return openStore(folder, await Promise.all(makers.map((maker) => readFile(maker))));
}

await whenStarted(import.meta.url, async (root) => {
  const folder = process.env.OPTIMIZER_CACHE;
  console.log(formatSavings(await optimizeFolder(root, folder ? await ownStore(folder) : withoutStore)));
});
