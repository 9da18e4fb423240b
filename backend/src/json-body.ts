import type { FastifyInstance } from "fastify";
import { HttpError } from "./http-error.ts";

const OTHER_CHARSET = /;\s*charset\s*=(?!\s*"?utf-?8"?\s*(?:;|$))/i;

/** JSON in UTF-8 and nothing else: what cannot be decoded is refused, not replaced. */
export function useStrictJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser("error", "error");
  const decoder = new TextDecoder("utf-8", { fatal: true });

  app.addContentTypeParser<Buffer>("application/json", { parseAs: "buffer" }, (request, body, done) => {
    if (OTHER_CHARSET.test(request.headers["content-type"] ?? "")) {
      done(new HttpError(415, "the body must be JSON in UTF-8"));
      return;
    }
    let text: string;
    try {
      text = decoder.decode(body);
    } catch {
      done(new HttpError(400, "the body is not UTF-8"));
      return;
    }
    void parse(request, text, done);
  });
}
