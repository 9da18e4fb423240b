import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Server as TcpServer, type Socket } from "node:net";
import { setImmediate, setTimeout } from "node:timers/promises";

/** Long enough to read what had arrived, on a busy machine too; short enough for nobody to wait. */
const GRACE_MS = 300;
const QUIET_TURNS = 5;
/** When connections never cease to come. */
const MAX_TURNS = 1000;

interface Use {
  inFlight: number;
  /** The answer to the latest request. */
  latest?: ServerResponse;
}

/**
 * Watches a server's connections; the function returned stops listening, lets requests that had
 * arrived be read, and closes each connection without a request in flight, every other one as soon
 * as its last answer is sent.
 *
 * Node's own close() drops requests that were not read yet, waits for a connection that was opened
 * and never used, and for the keep-alive time of one that was busy when the server closed.
 */
export function drainable(server: Server): () => Promise<void> {
  const uses = new Map<Socket, Use>();
  let accepted = 0;
  let draining = false;
  let closing = false;

  const closeIfIdle = (socket: Socket, { inFlight }: Use) => {
    if (closing && inFlight === 0) socket.destroySoon();
  };
  server.on("connection", (socket: Socket) => {
    accepted += 1;
    uses.set(socket, { inFlight: 0 });
    socket.once("close", () => uses.delete(socket));
  });
  // First of all listeners, so that no answer has left yet.
  server.prependListener("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    const use = uses.get(socket);
    if (!use) return;
    use.inFlight += 1;
    use.latest = response;
    if (draining) sayLast(response);
    response.once("close", () => {
      use.inFlight -= 1;
      closeIfIdle(socket, use);
    });
  });

  return async () => {
    draining = true;
    for (const { inFlight, latest } of uses.values()) {
      if (inFlight > 0 && latest) sayLast(latest);
    }
    // It resets those that wait in the kernel when nobody listens any more.
    await untilQuiet(() => accepted);
    // Not the HTTP server's close(): that closes connections whose request was not read yet.
    TcpServer.prototype.close.call(server);
    await setTimeout(GRACE_MS);
    // On a busy machine the timer is due before what had arrived was read.
    await untilQuiet(() => [...uses.keys()].reduce((sum, { bytesRead }) => sum + bytesRead, 0));
    closing = true;
    for (const [socket, use] of uses) closeIfIdle(socket, use);
  };
}

/**
 * Lets the event loop turn, and so take what the kernel holds, until `count` stays the same.
 *
 * Bounded in turns and not in time: how long a turn takes is for the machine to say.
 */
async function untilQuiet(count: () => number): Promise<void> {
  let quietTurns = 0;
  for (let turn = 0; turn < MAX_TURNS && quietTurns < QUIET_TURNS; turn += 1) {
    const before = count();
    await setImmediate();
    quietTurns = count() === before ? quietTurns + 1 : 0;
  }
}

function sayLast(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader("connection", "close");
}
