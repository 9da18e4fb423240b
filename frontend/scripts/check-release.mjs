/**
 * May this folder ship? `node scripts/check-release.mjs build` reads what the image will serve, needs no network and no
 * library, and fails on a secret, on a file that never belongs on a web server, and on a licence nobody agreed to.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { report, whenStarted } from "./lib/command.mjs";
import { listFiles } from "./lib/files.mjs";

const allowedLicences = new Set(["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"]);

const forbiddenNames = [
  { what: "environment file", pattern: /(^|\/)\.env(\.|$)/ },
  { what: "package manager configuration", pattern: /(^|\/)\.(npmrc|yarnrc(\.yml)?|netrc)$/ },
  { what: "version control data", pattern: /(^|\/)\.(git|svn|hg)(\/|$)/ },
  { what: "key file", pattern: /(\.(pem|key|p12|pfx|jks)|(^|\/)id_(rsa|dsa|ecdsa|ed25519))$/ },
  { what: "source map", pattern: /\.map$/ },
];

const secrets = [
  { what: "private key", pattern: /-----BEGIN [A-Z ]*PRIVATE KEY/ },
  { what: "AWS access key", pattern: /\b(AKIA|ASIA)[0-9A-Z]{16}\b/ },
  { what: "GitHub token", pattern: /\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})\b/ },
  { what: "GitLab token", pattern: /\bglpat-[\w-]{20,}/ },
  { what: "npm token", pattern: /\bnpm_[A-Za-z0-9]{36}\b|_authToken\s*=/ },
  { what: "Slack token", pattern: /\bxox[abeoprs]-[\w-]{10,}/ },
  { what: "Google API key", pattern: /\bAIza[\w-]{35}\b/ },
  { what: "Stripe key", pattern: /\b[rs]k_live_[A-Za-z0-9]{20,}/ },
  { what: "JSON web token", pattern: /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}/ },
  { what: "password hash", pattern: /\$argon2(id|i|d)\$v=\d+\$/ },
  { what: "password in a URL", pattern: /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"'`]+:[^\s/@"'`]+@/i },
];

/**
 * @param {string} name
 * @returns {string[]}
 */
export function problemsOfName(name) {
  return forbiddenNames.filter(({ pattern }) => pattern.test(name)).map(({ what }) => `${name}: ${what}`);
}

/**
 * The secret itself is never repeated: a build log is no place for it either.
 * @param {string} name
 * @param {string} content
 * @returns {string[]}
 */
export function problemsOfContent(name, content) {
  return secrets.filter(({ pattern }) => pattern.test(content)).map(({ what }) => `${name}: looks like a ${what}`);
}

/**
 * @param {{ name: string, version: string, identifier?: string | null }[]} packages what the bundler put in the bundle
 * @returns {string[]}
 */
export function problemsOfLicences(packages) {
  // An empty list would mean that the bundler's report changed, not that nothing was bundled.
  if (packages.length === 0) return ["licenses.json: names no package"];
  return packages.flatMap(({ name, version, identifier }) => {
    if (!identifier) return [`${name} ${version}: no licence`];
    return allowedLicences.has(identifier) ? [] : [`${name} ${version}: licence ${identifier} is not in the allow-list`];
  });
}

/**
 * @param {string} root the folder that ships
 * @returns {Promise<string[]>} what must not ship; empty when all may
 */
export async function problemsOfRelease(root) {
  const files = await listFiles(root);
  const perFile = await Promise.all(
    files.map(async ({ name, file, isFile }) => {
      if (!isFile) return [`${name}: not a regular file`];
      return [...problemsOfName(name), ...problemsOfContent(name, await readFile(file, "latin1"))];
    }),
  );
  return [...perFile.flat(), ...problemsOfLicences(await readLicences(root))];
}

/** @param {string} root */
async function readLicences(root) {
  return JSON.parse(await readFile(path.join(root, "licenses.json"), "utf8"));
}

await whenStarted(import.meta.url, async (root) => {
  report("check-release", await problemsOfRelease(root));
});
