import { readdir } from "node:fs/promises";
import path from "node:path";

/**
 * Every entry below a folder that is not itself a folder, sorted, so that what is done with them is repeatable.
 * @param {string} root
 * @returns {Promise<{ name: string, file: string, isFile: boolean }[]>} `name` is relative to the root, with slashes
 */
export async function listFiles(root) {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => {
      const file = path.join(entry.parentPath, entry.name);
      return { name: path.relative(root, file).split(path.sep).join("/"), file, isFile: entry.isFile() };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
