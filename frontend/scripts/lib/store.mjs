import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";

/** @typedef {(kind: string, content: Buffer, make: () => Promise<Uint8Array>) => Promise<Uint8Array>} Remember */

/** @type {Remember} */
export const withoutStore = (_kind, _content, make) => make();

/**
 * Keeps what was made of a content, under a hash of everything that decides the result; what nobody asks for any more
 * stays until the folder is thrown away.
 * @param {string} folder
 * @param {Uint8Array[]} makers the bytes of whatever the makers consist of: another version makes everything anew
 * @returns {Promise<Remember>}
 */
export async function openStore(folder, makers) {
  await mkdir(folder, { recursive: true });
  const version = digest(makers);
  return async (kind, content, make) => {
    const file = path.join(folder, digest([Buffer.from(version), Buffer.from(kind), content]));
    const kept = await readIfThere(file);
    if (kept) return kept;
    const made = await make();
    // Whole or not at all, whenever the build is interrupted.
    await writeFile(`${file}.new`, made);
    await rename(`${file}.new`, file);
    return made;
  };
}

/** @param {Uint8Array[]} parts each hashed by itself, so that no byte can move from one to its neighbour */
function digest(parts) {
  const hashes = parts.map((part) => createHash("sha256").update(part).digest("hex"));
  return createHash("sha256").update(hashes.join()).digest("hex");
}

/**
 * @param {string} file
 * @returns {Promise<Buffer | null>}
 */
async function readIfThere(file) {
  try {
    return await readFile(file);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
