import { STATUS_CODES } from "node:http";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";

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
  return reply.code(statusCode).send({
    statusCode,
    error: STATUS_CODES[statusCode] ?? "Error",
    message: expected ? error.message : "something went wrong here; the log says what",
  });
}
