import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";

/**
 * A folder for one test, removed when the test ends.
 * @param {Record<string, string | Uint8Array>} files content by name
 * @returns {Promise<string>}
 */
export async function scratchFolder(files) {
  const root = await mkdtemp(path.join(tmpdir(), "frontend-"));
  onTestFinished(() => rm(root, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(root, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
  }
  return root;
}
