import type { FastifyInstance } from "fastify";
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
      // Neither control characters nor half surrogate pairs, and something to be seen.
      pattern: "^[^\\p{Cc}\\p{Cs}]*[^\\p{Cc}\\p{Cs}\\s][^\\p{Cc}\\p{Cs}]*$",
    },
  },
});

/** The items below /api/items: everybody may read, the token's owner may write. */
export function itemRoutes(app: FastifyInstance, items: Items, authorize: Authorize, titleLength: number): void {
  app.get("/api/items", async () => ({ items: items.list() }));

  app.post<{ Body: { title: string } }>(
    "/api/items",
    { onRequest: authorize, schema: { body: newItemBody(titleLength) } },
    async (request, reply) => {
      const item = items.add(request.body.title.trim());
      if (!item) throw new HttpError(409, "the list is full: delete an item first");
      return reply.code(201).header("location", `/api/items/${item.id}`).send(item);
    },
  );

  app.patch<{ Params: ItemPath; Body: { done: boolean } }>(
    "/api/items/:id",
    { onRequest: authorize, schema: { params: itemPath, body: tickBody } },
    async (request) => {
      const item = items.tick(Number(request.params.id), request.body.done);
      return item ?? missing(request.params.id);
    },
  );

  app.delete<{ Params: ItemPath }>(
    "/api/items/:id",
    { onRequest: authorize, schema: { params: itemPath } },
    async (request, reply) => {
      if (!items.remove(Number(request.params.id))) missing(request.params.id);
      return reply.code(204).send();
    },
  );
}

function missing(id: string): never {
  throw new HttpError(404, `there is no item ${id}`);
}
