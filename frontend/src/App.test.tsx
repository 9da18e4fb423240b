import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { App } from "./App";
import { answerAll, FakeBackend, health } from "./test/fakeBackend";

/** The page as a person with a token meets it, once the items are there. */
async function openBoard(titles: string[] = []) {
  const backend = new FakeBackend(titles);
  const user = userEvent.setup();
  render(<App />);
  await waitFor(() => { expect(screen.queryByText("Loading the items…")).not.toBeInTheDocument(); });
  return { backend, user };
}

async function giveToken(user: ReturnType<typeof userEvent.setup>, token: string) {
  await user.type(screen.getByLabelText("Access token"), token);
}

test("says that it is loading until the backend has answered", async () => {
  new FakeBackend(["Lay the keel"]);
  render(<App />);

  expect(screen.getByRole("status")).toHaveTextContent("Loading");
  expect(screen.getByRole("button", { name: "Add" })).toBeDisabled();
  expect(await screen.findByRole("checkbox", { name: "Lay the keel" })).toBeInTheDocument();
});

test("shows a picture and a hint when there are no items", async () => {
  await openBoard();

  expect(screen.getByRole("status")).toHaveTextContent("Nothing on the slipway");
});

test("adds an item from the keyboard and empties the field", async () => {
  const { backend, user } = await openBoard();
  await giveToken(user, backend.token);

  await user.type(screen.getByLabelText("New item"), "  Paint the hull {Enter}");

  expect(await screen.findByRole("checkbox", { name: "Paint the hull" })).not.toBeChecked();
  expect(screen.getByLabelText("New item")).toHaveValue("");
  expect(backend.items).toEqual([{ id: 1, title: "Paint the hull", done: false }]);
});

test("does not ask the backend for an item without a title", async () => {
  const { backend, user } = await openBoard();
  await giveToken(user, backend.token);

  await user.type(screen.getByLabelText("New item"), "   {Enter}");

  expect(backend.items).toEqual([]);
});

test("ticks an item, and unticks it again", async () => {
  const { backend, user } = await openBoard(["Lay the keel", "Paint the hull"]);
  await giveToken(user, backend.token);
  const box = screen.getByRole("checkbox", { name: "Lay the keel" });

  await user.click(box);
  await waitFor(() => { expect(box).toBeChecked(); });
  expect(screen.getByRole("status")).toHaveTextContent("1 of 2 still to do");

  await user.click(box);
  await waitFor(() => { expect(box).not.toBeChecked(); });
  expect(backend.items[0]?.done).toBe(false);
});

test("deletes an item", async () => {
  const { backend, user } = await openBoard(["Lay the keel", "Paint the hull"]);
  await giveToken(user, backend.token);

  await user.click(screen.getByRole("button", { name: "Delete Lay the keel" }));

  await waitFor(() => { expect(screen.queryByText("Lay the keel")).not.toBeInTheDocument(); });
  expect(backend.items.map((item) => item.title)).toEqual(["Paint the hull"]);
});

test("keeps what was typed and says what is wrong when the token is", async () => {
  const { backend, user } = await openBoard();
  await giveToken(user, "wrong");

  await user.type(screen.getByLabelText("New item"), "Paint the hull{Enter}");

  expect(await screen.findByRole("alert")).toHaveTextContent("The access token is missing or wrong.");
  expect(screen.getByLabelText("New item")).toHaveValue("Paint the hull");
  expect(backend.items).toEqual([]);
});

test("takes the message away once a request works", async () => {
  const { backend, user } = await openBoard(["Lay the keel"]);
  const box = screen.getByRole("checkbox", { name: "Lay the keel" });
  await user.click(box);
  await screen.findByRole("alert");

  await giveToken(user, backend.token);
  await user.click(box);

  await waitFor(() => { expect(screen.queryByRole("alert")).not.toBeInTheDocument(); });
});

test("repeats the backend's own words when it refuses", async () => {
  const { backend, user } = await openBoard(["Lay the keel"]);
  await giveToken(user, backend.token);
  backend.items = [];

  await user.click(screen.getByRole("checkbox", { name: "Lay the keel" }));

  expect(await screen.findByRole("alert")).toHaveTextContent("there is no item 1");
});

test("says that the backend is down, and recovers on request", async () => {
  answerAll(() => Promise.reject(new TypeError("network")));
  const user = userEvent.setup();
  render(<App />);
  expect(await screen.findByRole("alert")).toHaveTextContent("The backend cannot be reached.");
  expect(screen.getByRole("contentinfo")).toHaveTextContent("unreachable");

  new FakeBackend(["Lay the keel"]);
  await user.click(screen.getByRole("button", { name: "Try again" }));

  expect(await screen.findByRole("checkbox", { name: "Lay the keel" })).toBeInTheDocument();
  expect(await screen.findByText(health.buildDate)).toBeInTheDocument();
});

test("remembers the token for this tab, and forgets it when the field is emptied", async () => {
  const { user } = await openBoard();
  await giveToken(user, "let-me-in");
  expect(sessionStorage.getItem("slipway.token")).toBe("let-me-in");

  await user.clear(screen.getByLabelText("Access token"));
  expect(sessionStorage).toHaveLength(0);
});

test("a second click while the first is under way asks for nothing more", async () => {
  const { backend, user } = await openBoard(["Lay the keel"]);
  await giveToken(user, backend.token);
  const requests = vi.spyOn(globalThis, "fetch").mockReturnValue(new Promise(() => undefined));

  await user.click(screen.getByRole("button", { name: "Delete Lay the keel" }));
  await user.click(screen.getByRole("button", { name: "Delete Lay the keel" }));

  expect(requests).toHaveBeenCalledTimes(1);
});

test("says when the backend is up but unwell", async () => {
  answerAll(() => Promise.resolve(Response.json({ ...health, status: "error", database: "error" }, { status: 503 })));
  render(<App />);

  expect(await screen.findByText(/database: error/)).toBeInTheDocument();
});

test("gives up what it asked for when the page goes away", () => {
  const fetch = vi.fn((_url: string, init: RequestInit) => {
    return new Promise((_, reject) => init.signal?.addEventListener("abort", () => { reject(new Error("aborted")); }));
  });
  vi.stubGlobal("fetch", fetch);

  render(<App />).unmount();

  expect(fetch.mock.calls.map(([, init]) => init.signal?.aborted)).toEqual([true, true]);
});

test("shows its own build and the backend's", async () => {
  await openBoard();
  const footer = within(screen.getByRole("contentinfo"));

  expect(await footer.findByText(health.commit.slice(0, 12))).toHaveAttribute("title", health.commit);
  expect(footer.getByText(health.buildDate)).toBeInTheDocument();
  expect(footer.getByText("Frontend")).toBeInTheDocument();
});
