import type { FastifyReply, FastifyRequest } from "fastify";
import { HttpError } from "./http-error.ts";
import type { TokenCheck } from "./token.ts";

export type Authorize = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** A hook that lets a request pass with the right bearer token only; it runs before the body is read. */
export function requireToken(check: TokenCheck | undefined): Authorize {
  return async (request, reply) => {
    if (!check) throw new HttpError(403, "writing is switched off: API_TOKEN_HASH is not set");
    const token = /^Bearer +([^\s]+)$/i.exec(request.headers.authorization ?? "")?.[1];
    const verdict = token ? await check(token) : "refused";
    if (verdict === "accepted") return;
    if (verdict === "busy") {
      void reply.header("retry-after", "1");
      throw new HttpError(429, "too many tokens are being checked, try again");
    }
    void reply.header("www-authenticate", 'Bearer realm="items"');
    throw new HttpError(401, "a valid token is needed: Authorization: Bearer <token>");
  };
}
