// Puts the server and what it imports into few files, without network:
//   node scripts/bundle.mjs DIRECTORY [--debug]
// DIRECTORY gets dist/ (one file for each command, and SQLite as WebAssembly), THIRD-PARTY-LICENSES, and the
// package.json of each package that went in: scanners and SBOM tools read there what ships. --debug: source maps.
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const COMMANDS = ["src/server.ts", "src/healthcheck.ts", "src/hash-token.ts"];

const PACKAGE = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/;

// What CommonJS packages expect to find. SQLite's looks for its WebAssembly beside the file it is in.
const BANNER = `import { createRequire } from "node:module";
const require = createRequire(import.meta.url), __dirname = import.meta.dirname;`;

/**
 * Makes the bundle; the current directory is the backend's, with its dependencies installed.
 * @param {string} directory @param {boolean} debug
 */
async function bundle(directory, debug) {
  const { metafile } = await build({
    entryPoints: COMMANDS,
    outdir: join(directory, "dist"),
    bundle: true,
    platform: "node",
    target: "node22",
    format: "esm",
    banner: { js: BANNER },
    // Native code cannot go into a bundle: it is found at run time, in its package.
    external: ["./argon2.*", "@node-rs/argon2-*"],
    // Names stay as they are, so that a stack trace can be read.
    minifyWhitespace: !debug,
    minifySyntax: !debug,
    sourcemap: debug,
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
  });
  copyFileSync("node_modules/node-sqlite3-wasm/dist/node-sqlite3-wasm.wasm", join(directory, "dist/node-sqlite3-wasm.wasm"));
  const packages = new Set(Object.keys(metafile.inputs).flatMap((path) => PACKAGE.exec(path)?.[0] ?? []));
  writeNotices(directory, [...packages].sort());
}

/** @param {string} directory @param {string[]} packages their folders */
function writeNotices(directory, packages) {
  const notices = packages.map((folder) => {
    const { name, version, license } = readManifest(folder);
    mkdirSync(join(directory, folder), { recursive: true });
    writeFileSync(join(directory, folder, "package.json"), `${JSON.stringify({ name, version, license })}\n`);
    return `${name} ${version}: ${license}\n\n${licenceOf(folder)}`;
  });
  writeFileSync(join(directory, "THIRD-PARTY-LICENSES"), notices.join(`\n${"-".repeat(80)}\n\n`));
}

/** @param {string} folder @returns {{ name: string, version: string, license: string }} */
function readManifest(folder) {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

/** @param {string} folder */
function licenceOf(folder) {
  const names = readdirSync(folder).filter((name) => /^(licen[cs]e|notice|copying)/i.test(name));
  return names.sort().map((name) => readFileSync(join(folder, name), "utf8")).join("\n");
}

/** The command; returns its exit code.
 * @param {string[]} args */
export async function main([directory, option]) {
  if (!directory || (option && option !== "--debug")) {
    console.error("usage: bundle.mjs DIRECTORY [--debug]");
    return 2;
  }
  await bundle(directory, option === "--debug");
  return 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) process.exitCode = await main(process.argv.slice(2));
