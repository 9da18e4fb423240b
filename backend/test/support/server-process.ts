import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";

/** What is tested: this folder after `npm run build`, or the release put together elsewhere. */
const root = resolve(process.env.RELEASE_DIR ?? ".");

const NODE_COMPILE_CACHE = resolve("node_modules/.vite/compiled");

export interface Line {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** The built server as a process of its own, and everything it logs. */
export class ServerProcess {
  readonly lines: Line[] = [];
  port = 0;
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;

  constructor(environment: Record<string, string> = {}) {
    if (!existsSync(resolve(root, "dist/server.js"))) throw new Error("run `npm run build` first");
    // It lives for a second: making SQLite's WebAssembly fast, or compiling the same code for each one
    // anew, would cost more than all the rest.
    this.#child = spawn(process.execPath, ["--liftoff-only", "dist/server.js"], {
      cwd: root,
      env: { DATABASE_URL: "sqlite:///:memory:", PORT: "0", NODE_COMPILE_CACHE, ...environment },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#exited = once(this.#child, "close").then(([code]) => code as number | null);
  }

  /** Waits until the server listens, on a port the kernel picked. */
  async ready(): Promise<this> {
    await this.logged("ready");
    const listening = this.lines.find(({ msg }) => msg.startsWith("Server listening at"));
    this.port = Number(listening?.msg.split(":").at(-1));
    return this;
  }

  /** Waits for a line of the log; rejects when the server ends without it. */
  async logged(message: string): Promise<Line> {
    const known = this.lines.find(({ msg }) => msg === message);
    if (known) return known;
    for await (const text of this.#read()) {
      const line = JSON.parse(text) as Line;
      this.lines.push(line);
      if (line.msg === message) return line;
    }
    throw new Error(`the server ended without "${message}": ${JSON.stringify(this.lines)}`);
  }

  #reader: AsyncIterator<string> | undefined;

  #read(): AsyncIterable<string> {
    if (!this.#child.stdout) throw new Error("the server has no standard output");
    const reader = (this.#reader ??= createInterface(this.#child.stdout)[Symbol.asyncIterator]());
    // Without `return`, leaving a loop early keeps the rest of the log for the next one.
    return { [Symbol.asyncIterator]: () => ({ next: () => reader.next() }) };
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** The exit code, null after a signal; `lines` is complete then. */
  async exited(): Promise<number | null> {
    for await (const text of this.#read()) this.lines.push(JSON.parse(text) as Line);
    return this.#exited;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.signal("SIGKILL");
    await this.#exited;
  }

  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.port}${path}`, init);
  }
}

/** Runs one of the command-line tools beside the server. */
export async function runTool(name: string, environment: Record<string, string>, input = "") {
  const child = spawn(process.execPath, [`dist/${name}.js`], { cwd: root, env: environment });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stdin.end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output: output.trim() };
}
