import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hash } from "@node-rs/argon2";
import { afterEach, beforeEach } from "vitest";
import { ServerProcess } from "./server-process.ts";

const token = "integration-token";
const API_TOKEN_HASH = await hash(token);
export const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };

const running: ServerProcess[] = [];
const sockets: Socket[] = [];
/** For one test, and removed behind it. */
export let directory: string;

/** A server that is ended with the test. */
export function start(environment: Record<string, string> = {}): ServerProcess {
  const server = new ServerProcess({ API_TOKEN_HASH, ...environment });
  running.push(server);
  return server;
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "backend-"));
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(running.splice(0).map((server) => server.stop()));
  await rm(directory, { recursive: true });
});

/** The shipped configuration with one limit changed. */
export async function configured(limit: string, value: number): Promise<string> {
  const path = join(directory, "changed.json");
  const shipped = await readFile("config/default.json", "utf8");
  await writeFile(path, shipped.replace(new RegExp(`("${limit}": )\\d+`), `$1 ${value}`));
  return path;
}

/** A raw connection, for what no HTTP client would send. */
export async function open(server: ServerProcess, text = ""): Promise<Socket> {
  const socket = connect(server.port, "127.0.0.1");
  sockets.push(socket);
  await once(socket, "connect");
  socket.write(text);
  return socket;
}

/** Everything the server sends until it closes the connection. */
export async function answer(socket: Socket): Promise<string> {
  let text = "";
  for await (const chunk of socket as AsyncIterable<Buffer>) text += chunk.toString();
  return text;
}

/** A POST whose body is one byte short, so that it stays in flight until that byte is sent. */
export const unfinishedPost = [
  "POST /api/items HTTP/1.1",
  "Host: localhost",
  `Authorization: Bearer ${token}`,
  "Content-Type: application/json",
  "Content-Length: 17",
  "",
  '{"title":"late"',
].join("\r\n");
