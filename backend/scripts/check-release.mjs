// Checks what is about to ship, without network and without dependencies:
//   node scripts/check-release.mjs DIRECTORY [ARCHITECTURE]
// ARCHITECTURE, for the native binaries, is one of Node's names (x64, arm64, arm). Exit code 1 and one line for each problem.
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { pathToFileURL } from "node:url";

const ALLOWED_LICENCES = new Set([
  "0BSD", "Apache-2.0", "BlueOak-1.0.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "Unlicense",
]);

const FORBIDDEN_NAMES = /^(\.env(\..+)?|\.npmrc|\.netrc|\.git|\.ssh|id_(rsa|ecdsa|ed25519)|.+\.(pem|key|p12|pfx))$/;

/** @type {[what: string, pattern: RegExp][]} */
const SECRETS = [
  ["a private key", /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----\s*[A-Za-z0-9+/=]{16}/],
  ["an AWS access key", /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/],
  ["a GitHub token", /\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60})/],
  ["a GitLab token", /\bglpat-[A-Za-z0-9_-]{20}/],
  ["an npm token", /\bnpm_[A-Za-z0-9]{36}\b/],
  ["a Slack token", /\bxox[abprs]-[0-9]{8,}-[A-Za-z0-9-]{10,}/],
  ["a Stripe key", /\b[rs]k_live_[A-Za-z0-9]{20}/],
];

/** The ELF header's machine number. @type {Record<string, number>} */
const MACHINES = { x64: 62, arm64: 183, arm: 40 };

/**
 * Everything wrong with a release directory, one line each; empty when it may ship.
 * @param {string} root
 * @param {string} [architecture]
 * @returns {string[]}
 */
export function findProblems(root, architecture) {
  const paths = walk(root);
  const files = paths.filter((path) => statSync(path).isFile());
  const problems = [
    ...paths.filter((path) => FORBIDDEN_NAMES.test(basename(path))).map((path) => `${path}: must not ship`),
    ...files.flatMap(findSecrets),
    ...files.filter(isPackage).flatMap(findPackageProblems),
    ...files.filter((path) => relative(root, path).startsWith("dist")).flatMap((path) => findLostImports(root, path)),
    ...(architecture ? files.flatMap((path) => findForeignBinary(path, architecture)) : []),
  ];
  return problems.map((problem) => problem.replace(`${root}/`, "")).sort();
}

/** Every file and directory below one, links not followed.
 * @param {string} directory @returns {string[]} */
function walk(directory) {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isSymbolicLink()) return [];
    return entry.isDirectory() ? [path, ...walk(path)] : [path];
  });
}

/** @param {string} path */
function findSecrets(path) {
  const content = readFileSync(path, "latin1");
  return SECRETS.filter(([, pattern]) => pattern.test(content)).map(([what]) => `${path}: holds ${what}`);
}

/** An installed package's own package.json, not one of its fixtures.
 * @param {string} path */
function isPackage(path) {
  return /(^|\/)node_modules\/(@[^/]+\/)?[^/@]+\/package\.json$/.test(path);
}

/** @param {string} path */
function findPackageProblems(path) {
  const manifest = readManifest(path);
  const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length, -"/package.json".length);
  const problems = [];
  if (typeof manifest.license !== "string") problems.push(`${name}: states no licence`);
  else if (!isAllowed(manifest.license)) problems.push(`${name}: licence ${manifest.license} is not allowed`);
  // npm leaves out in silence a binary that does not fit the platform it was told.
  const binaries = Object.keys(manifest.optionalDependencies ?? {});
  const modules = path.slice(0, path.lastIndexOf("node_modules/") + "node_modules".length);
  if (binaries.length > 0 && !binaries.some((binary) => existsSync(join(modules, binary)))) {
    problems.push(`${name}: none of its optional dependencies is installed`);
  }
  return problems;
}

/** @param {string} path @returns {{ license?: unknown, optionalDependencies?: Record<string, string> }} */
function readManifest(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** A plain SPDX expression: one allowed alternative is enough, all its parts must be allowed.
 * @param {string} expression */
function isAllowed(expression) {
  return expression
    .replace(/[()]/g, "")
    .split(" OR ")
    .some((alternative) => alternative.split(" AND ").every((name) => ALLOWED_LICENCES.has(name.trim())));
}

/** Packages that the built code imports and that are not there: development dependencies, mostly.
 * @param {string} root @param {string} path */
function findLostImports(root, path) {
  if (!path.endsWith(".js")) return [];
  const imports = readFileSync(path, "utf8").matchAll(/\b(?:from|import)\s*\(?\s*["']((?:@[\w.-]+\/)?[\w-][\w.-]*)/g);
  return [...imports]
    .map(([, name]) => name ?? "")
    .filter((name) => name !== "node" && !existsSync(join(root, "node_modules", name)))
    .map((name) => `${path}: imports ${name}, which does not ship`);
}

/** @param {string} path @param {string} architecture */
function findForeignBinary(path, architecture) {
  if (!path.endsWith(".node")) return [];
  const header = readFileSync(path).subarray(0, 20);
  const fits = header.toString("latin1", 0, 4) === "\x7fELF" && header.readUInt16LE(18) === MACHINES[architecture];
  return fits ? [] : [`${path}: is not a Linux binary for ${architecture}`];
}

/** The command; returns its exit code.
 * @param {string[]} args */
export function main([root, architecture]) {
  if (!root || (architecture && !(architecture in MACHINES))) {
    console.error("usage: check-release.mjs DIRECTORY [x64|arm64|arm]");
    return 2;
  }
  const problems = findProblems(root, architecture);
  for (const problem of problems) console.error(problem);
  console.log(problems.length > 0 ? `${problems.length} problems: this must not ship` : "nothing found that must not ship");
  return problems.length > 0 ? 1 : 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) process.exitCode = main(process.argv.slice(2));
