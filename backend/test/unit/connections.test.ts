import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { drainable } from "../../src/connections.ts";

let server: Server;
let drain: () => Promise<void>;
let client: Socket;

beforeEach(async () => {
  server = createServer();
  drain = drainable(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(server, "connection");
});

afterEach(() => {
  client.destroy();
  server.closeAllConnections();
  server.close();
});

async function request(): Promise<ServerResponse> {
  client.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const [, response] = (await once(server, "request")) as [unknown, ServerResponse];
  return response;
}

async function received(): Promise<string> {
  let text = "";
  for await (const chunk of client as AsyncIterable<Buffer>) text += chunk.toString();
  return text;
}

test("a connection that was never used is closed", async () => {
  const drained = drain();
  expect(await received()).toBe("");
  await drained;
});

test("a connection that waits for its next request is closed", async () => {
  (await request()).end("done");
  await once(client, "data");
  const drained = drain();
  expect(await received()).toBe("");
  await drained;
});

test("a request in flight gets its whole answer before the connection is closed", async () => {
  const response = await request();
  response.write("first ");
  const drained = drain();
  response.end("last");
  const text = await received();
  expect(text).toContain("first ");
  expect(text).toContain("last");
  await drained;
});

test("a client that goes away in mid-request leaves nothing behind", async () => {
  const response = await request();
  client.destroy();
  await once(response, "close");
  await drain();
  server.close();
  await once(server, "close");
});

test("a request that had arrived unread is answered, and told that it is the last one", async () => {
  server.on("request", (_, response: ServerResponse) => response.end("served"));
  client.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const drained = drain();
  const text = await received();
  expect(text).toContain("served");
  expect(text).toMatch(/^connection: close\r$/im);
  await drained;
});

test("an answer not yet begun tells its client that it is the last one", async () => {
  const response = await request();
  const drained = drain();
  response.end("late");
  expect(await received()).toMatch(/^connection: close\r$/im);
  await drained;
});
