import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";

export const SAFE_HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

/** An answer other than success; its message is for the client. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly statusCode: number;

  constructor(statusCode: number, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}

/** Answers every failure as JSON. What went wrong inside is for the log, never for the client. */
export function answerError(error: FastifyError | HttpError, request: FastifyRequest, reply: FastifyReply) {
  const statusCode = error.statusCode ?? 500;
  const expected = statusCode < 500 || error instanceof HttpError;
  if (!expected) request.log.error({ err: error }, "request failed");
  const message = expected ? error.message : "something went wrong here; the log says what";
  return reply.code(statusCode).headers(SAFE_HEADERS).send(failure(statusCode, message));
}

/** Answers what Node could not read as a request, and closes the connection. */
export function answerBrokenRequest(error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const [statusCode, message] = BROKEN[error.code ?? ""] ?? [400, "this is not an HTTP request"];
  const answer = failure(statusCode, message);
  const body = JSON.stringify(answer);
  const head = [
    `HTTP/1.1 ${statusCode} ${answer.error}`,
    "connection: close",
    "content-type: application/json; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    ...Object.entries(SAFE_HEADERS).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

const BROKEN: Readonly<Record<string, readonly [statusCode: number, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the request took too long to arrive"],
  HPE_HEADER_OVERFLOW: [431, "the headers are too large"],
};

function failure(statusCode: number, message: string) {
  return { statusCode, error: STATUS_CODES[statusCode] ?? "Error", message };
}
