import { access, constants, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { dirname } from "node:path";
import { StartupError, messageOf } from "./errors.ts";

/**
 * Makes this process the only user of a database file; returns how to give it up.
 *
 * SQLite's lock is a directory here (node-sqlite3-wasm), and one left behind by a killed process
 * would lock everybody out. A listening socket beside the file tells the two cases apart: the kernel
 * refuses connections to it as soon as its owner is gone, whatever container the owner ran in.
 */
export async function takeOwnership(databasePath: string): Promise<() => Promise<void>> {
  const socketPath = `${databasePath}.owner`;
  if (await isListening(socketPath)) {
    throw new StartupError(`the database ${databasePath} is in use by another process`);
  }
  try {
    await access(dirname(databasePath), constants.W_OK);
    await rm(socketPath, { force: true });
    const server = await listen(socketPath);
    await rm(`${databasePath}.lock`, { recursive: true, force: true });
    return () => close(server);
  } catch (error) {
    throw new StartupError(`cannot use the database ${databasePath}: ${messageOf(error)}`);
  }
}

function isListening(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => {
      resolve(false);
    });
  });
}

function listen(socketPath: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", reject);
    server.listen(socketPath, () => {
      // Owning the file is no reason for the process to stay alive.
      server.unref();
      resolve(server);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}
