import type { FastifyInstance, RouteShorthandOptions } from "fastify";
import type { Authorize } from "./authorization.ts";
import { HttpError } from "./http-error.ts";
import type { Items } from "./items.ts";

interface ItemPath {
  id: string;
}

const itemPath = {
  type: "object",
  required: ["id"],
  // Fifteen digits fit a JavaScript number exactly.
  properties: { id: { type: "string", pattern: "^[1-9][0-9]{0,14}$" } },
};

const tickBody = {
  type: "object",
  required: ["done"],
  additionalProperties: false,
  properties: { done: { type: "boolean" } },
};

const newItemBody = (titleLength: number) => ({
  type: "object",
  required: ["title"],
  additionalProperties: false,
  properties: {
    title: {
      type: "string",
      maxLength: titleLength,
      allOf: [
        // Neither control characters nor half surrogate pairs, nor what breaks or turns a line.
        { pattern: "^[^\\p{Cc}\\p{Cs}\\u2028-\\u202E\\u2066-\\u2069]*$" },
        // Something to be seen: some letters and one symbol are blank.
        { pattern: "(?![\\p{Default_Ignorable_Code_Point}\\u2800])[\\p{L}\\p{N}\\p{P}\\p{S}]" },
      ],
    },
  },
});

/** Says what is wrong to a person, who has no use for a regular expression. */
const explain = (titleLength: number): NonNullable<RouteShorthandOptions["schemaErrorFormatter"]> => {
  const rules: Readonly<Record<string, string>> = {
    title: `the title must be 1 to ${titleLength} visible characters`,
    done: "done must be true or false",
    id: "the id must be a whole number of up to 15 digits",
  };
  return ([problem]) => {
    const { missingProperty, additionalProperty } = problem?.params ?? {};
    if (additionalProperty !== undefined) return new HttpError(400, "the body has a property that is not known here");
    const name = typeof missingProperty === "string" ? missingProperty : problem?.instancePath.slice(1);
    return new HttpError(400, rules[name ?? ""] ?? "the body must be a JSON object");
  };
};

/** The items below /api/items: everybody may read, the token's owner may write. */
export function itemRoutes(app: FastifyInstance, items: Items, authorize: Authorize, titleLength: number): void {
  const schemaErrorFormatter = explain(titleLength);

  app.get("/api/items", async () => ({ items: items.list() }));

  app.post<{ Body: { title: string } }>(
    "/api/items",
    { onRequest: authorize, schema: { body: newItemBody(titleLength) }, schemaErrorFormatter },
    async (request, reply) => {
      const item = items.add(request.body.title.trim());
      if (!item) throw new HttpError(409, "the list is full: delete an item first");
      return reply.code(201).header("location", `/api/items/${item.id}`).send(item);
    },
  );

  app.patch<{ Params: ItemPath; Body: { done: boolean } }>(
    "/api/items/:id",
    { onRequest: authorize, schema: { params: itemPath, body: tickBody }, schemaErrorFormatter },
    async (request) => {
      const item = items.tick(Number(request.params.id), request.body.done);
      return item ?? missing(request.params.id);
    },
  );

  app.delete<{ Params: ItemPath }>(
    "/api/items/:id",
    { onRequest: authorize, schema: { params: itemPath }, schemaErrorFormatter },
    async (request, reply) => {
      if (!items.remove(Number(request.params.id))) missing(request.params.id);
      return reply.code(204).send();
    },
  );
}

function missing(id: string): never {
  throw new HttpError(404, `there is no item ${id}`);
}
