/** The only door to the backend. What comes in is checked here, so that the rest can trust its types. */
import { apiUrl } from "./config";

const timeoutMs = 10_000;

export interface Item {
  id: number;
  title: string;
  done: boolean;
}

export interface Health {
  status: string;
  version: string;
  commit: string;
  buildDate: string;
  database: string;
}

/** A request that did not work. `status` is 0 when no answer came at all. */
export class ApiError extends Error {
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

/** One line for a person: what happened and, where there is one, what to do next. */
export function explain(error: unknown): string {
  if (!(error instanceof ApiError)) return "Something went wrong on this page. Reload it.";
  if (error.status === 401 || error.status === 403) return "The access token is missing or wrong.";
  if ([0, 502, 504].includes(error.status)) return "The backend cannot be reached. Try again in a moment.";
  return error.message;
}

export async function listItems(signal: AbortSignal): Promise<Item[]> {
  return parseItems(await request("GET", "/items", { signal }));
}

export async function addItem(title: string, token: string): Promise<Item> {
  return parseItem(await request("POST", "/items", { token, body: { title } }));
}

export async function setDone(id: number, done: boolean, token: string): Promise<Item> {
  return parseItem(await request("PATCH", `/items/${String(id)}`, { token, body: { done } }));
}

export async function deleteItem(id: number, token: string): Promise<void> {
  await request("DELETE", `/items/${String(id)}`, { token });
}

/** A backend that is unwell answers 503 and still says which build it is, so the status does not matter here. */
export async function getHealth(signal: AbortSignal): Promise<Health> {
  const response = await send("/health", { signal });
  return parseHealth(await readJson(response));
}

interface RequestOptions {
  signal?: AbortSignal;
  token?: string;
  body?: object;
}

async function request(method: string, path: string, { signal, token, body }: RequestOptions): Promise<unknown> {
  const headers = new Headers({ accept: "application/json" });
  if (token) headers.set("authorization", `Bearer ${token}`);
  if (body) headers.set("content-type", "application/json");
  const response = await send(path, {
    method,
    headers,
    ...(signal && { signal }),
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new ApiError(await readMessage(response), response.status);
  return response.status === 204 ? undefined : readJson(response);
}

async function send(path: string, init: RequestInit): Promise<Response> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
  try {
    return await fetch(apiUrl + path, { ...init, signal });
  } catch (cause) {
    init.signal?.throwIfAborted();
    throw new ApiError(`No answer from the backend (${String(cause)}).`, 0);
  }
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    throw new ApiError(`The backend's answer (${String(response.status)}) is not JSON.`, response.status);
  }
}

async function readMessage(response: Response): Promise<string> {
  const fallback = `The backend refused: ${String(response.status)} ${response.statusText}`.trim();
  const body = await readJson(response).catch(() => undefined);
  return isRecord(body) && typeof body.message === "string" ? body.message : fallback;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function unexpected(what: string): ApiError {
  return new ApiError(`The backend's answer is not ${what}.`, 200);
}

function parseItem(value: unknown): Item {
  if (!isRecord(value)) throw unexpected("an item");
  const { id, title, done } = value;
  if (typeof id !== "number" || typeof title !== "string" || typeof done !== "boolean") throw unexpected("an item");
  return { id, title, done };
}

function parseItems(value: unknown): Item[] {
  if (!isRecord(value) || !Array.isArray(value.items)) throw unexpected("a list of items");
  return value.items.map(parseItem);
}

function parseHealth(value: unknown): Health {
  if (!isRecord(value)) throw unexpected("a health report");
  const { status, version, commit, buildDate, database } = value;
  const texts = [status, version, commit, buildDate, database];
  if (!texts.every((text) => typeof text === "string")) throw unexpected("a health report");
  return { status, version, commit, buildDate, database } as Health;
}
