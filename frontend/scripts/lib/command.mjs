import { pathToFileURL } from "node:url";

/**
 * Lets a module be both a library and a command: runs only when node was started with this very file.
 * @param {string} moduleUrl the module's `import.meta.url`
 * @param {(folder: string) => Promise<void>} main gets the folder named on the command line, or "build"
 * @param {string[]} argv
 */
export async function whenStarted(moduleUrl, main, argv = process.argv) {
  const [, script = "", folder = "build"] = argv;
  if (moduleUrl === pathToFileURL(script).href) await main(folder);
}

/**
 * Prints one line for each problem and makes the process fail when there is one.
 * @param {string} command
 * @param {string[]} problems
 */
export function report(command, problems) {
  for (const problem of problems) console.error(`${command}: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
  else console.log(`${command}: passed`);
}
