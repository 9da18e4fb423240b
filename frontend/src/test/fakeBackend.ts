import { vi } from "vitest";
import type { Item } from "../api";

const token = "let-me-in";

export const health = {
  status: "ok",
  version: "1.2.3",
  commit: "0123456789abcdef",
  buildDate: "2026-01-02T03:04:05Z",
  database: "ok",
  arch: "x64",
};

/** A backend in memory, put in the place of `fetch`: it answers as the real one does. */
export class FakeBackend {
  readonly token = token;
  items: Item[];

  constructor(titles: string[] = []) {
    this.items = titles.map((title, index) => ({ id: index + 1, title, done: false }));
    vi.stubGlobal("fetch", (url: string, init: RequestInit = {}) => Promise.resolve(this.answer(url, init)));
  }

  private answer(url: string, init: RequestInit): Response {
    const method = init.method ?? "GET";
    if (url === "/api/health") return Response.json(health);
    if (method === "GET") return Response.json({ items: this.items });
    if (new Headers(init.headers).get("authorization") !== `Bearer ${token}`) {
      return Response.json({ statusCode: 401, error: "Unauthorized", message: "a valid token is needed" }, { status: 401 });
    }
    const id = Number(url.split("/").at(-1));
    if (method === "DELETE") {
      this.items = this.items.filter((item) => item.id !== id);
      return new Response(null, { status: 204 });
    }
    const body = JSON.parse(init.body as string) as Partial<Item>;
    return method === "POST" ? this.add(body.title ?? "") : this.change(id, body);
  }

  private add(title: string): Response {
    const item = { id: Math.max(0, ...this.items.map(({ id }) => id)) + 1, title, done: false };
    this.items = [...this.items, item];
    return Response.json(item, { status: 201 });
  }

  private change(id: number, change: Partial<Item>): Response {
    const item = this.items.find((candidate) => candidate.id === id);
    if (!item) return Response.json({ statusCode: 404, error: "Not Found", message: `there is no item ${String(id)}` }, { status: 404 });
    const changed = { ...item, ...change };
    this.items = this.items.map((other) => (other.id === id ? changed : other));
    return Response.json(changed);
  }
}

/** Every request gets this one answer. */
export function answerAll(answer: () => Promise<Response>): void {
  vi.stubGlobal("fetch", answer);
}
