/** Is the build whole? `node scripts/check-build.mjs build`: exit 1 and one line for each thing that is wrong. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { report, whenStarted } from "./lib/command.mjs";
import { listFiles } from "./lib/files.mjs";

const hashed = /^assets\/[^/]+-[\w-]{8}\.\w+$/;

/**
 * @param {string} root the folder that `vite build` wrote
 * @param {string} version the version that the page must show
 * @returns {Promise<string[]>} what is wrong; empty when nothing is
 */
export async function problemsOfBuild(root, version) {
  const names = new Set((await listFiles(root)).map((file) => file.name));
  const missing = ["index.html", "health.json", "licenses.json"].filter((name) => !names.has(name));
  if (missing.length > 0) return missing.map((name) => `${name} is missing`);

  const assets = [...names].filter((name) => name.startsWith("assets/"));
  const scripts = assets.filter((name) => name.endsWith(".js"));
  const bundle = (await Promise.all(scripts.map((name) => readText(root, name)))).join("\n");
  const page = await readText(root, "index.html");
  const references = [...page.matchAll(/(?:src|href)="\/([^"]+)"/g)].map((match) => String(match[1]));
  const health = JSON.parse(await readText(root, "health.json"));
  return [
    ...assets.filter((name) => !hashed.test(name)).map((name) => `${name} has no hash in its name`),
    ...[".js", ".css"]
      .filter((kind) => !references.some((name) => name.startsWith("assets/") && name.endsWith(kind)))
      .map((kind) => `index.html loads no hashed ${kind} asset`),
    ...references.filter((name) => !names.has(name)).map((name) => `index.html names ${name}, which is missing`),
    ...(bundle.includes(version) ? [] : [`version ${version} is not in the bundle`]),
    ...(health.version === version ? [] : [`health.json says version ${health.version}, not ${version}`]),
  ];
}

/**
 * @param {string} root
 * @param {string} name
 */
async function readText(root, name) {
  return readFile(path.join(root, name), "utf8");
}

await whenStarted(import.meta.url, async (root) => {
  report("check-build", await problemsOfBuild(root, process.env.REACT_APP_VERSION ?? "0.0.0"));
});
