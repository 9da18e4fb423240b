import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * Watches a server's connections; the function returned closes those without a request in flight,
 * and every other one as soon as its last answer is sent.
 *
 * Node's own close() waits for a connection that was opened and never used, and for the keep-alive
 * time of one that was busy when the server closed.
 */
export function drainable(server: Server): () => void {
  const requestsInFlight = new Map<Socket, number>();
  let draining = false;

  const change = (socket: Socket, by: number) => {
    const count = (requestsInFlight.get(socket) ?? 0) + by;
    requestsInFlight.set(socket, count);
    if (draining && count === 0) socket.destroySoon();
  };
  server.on("connection", (socket: Socket) => {
    requestsInFlight.set(socket, 0);
    socket.once("close", () => requestsInFlight.delete(socket));
  });
  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    change(socket, 1);
    response.once("close", () => {
      if (requestsInFlight.has(socket)) change(socket, -1);
    });
  });

  return () => {
    draining = true;
    for (const socket of requestsInFlight.keys()) change(socket, 0);
  };
}
