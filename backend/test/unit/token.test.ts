import { hash } from "@node-rs/argon2";
import { expect, test } from "vitest";
import { expectUsable, tokenCheck } from "../../src/token.ts";

// The cheapest parameters argon2 takes: what is tested here is not argon2.
const right = await hash("right", { memoryCost: 8, timeCost: 1, parallelism: 1 });

test("the token of the hash is accepted, again and again, and no other", async () => {
  const check = tokenCheck(right, 2);
  expect(await check("right")).toBe("accepted");
  expect(await check("wrong")).toBe("refused");
  expect(await check("right")).toBe("accepted");
  expect(await check("right ")).toBe("refused");
});

test("a token of absurd length is refused without work", async () => {
  expect(await tokenCheck("no hash at all", 1)("x".repeat(513))).toBe("refused");
});

test("guessers are sent away when too many are at it, the known owner is not", async () => {
  const check = tokenCheck(right, 1);
  expect(await check("right")).toBe("accepted");
  const answers = await Promise.all(["guess-1", "guess-2", "right", "guess-3"].map(check));
  expect(answers).toEqual(["refused", "busy", "accepted", "busy"]);
  expect(await check("guess-4")).toBe("refused");
});

test("a hash that cannot be decoded is found out at the start", async () => {
  await expect(expectUsable(right)).resolves.toBeUndefined();
  await expect(expectUsable("$argon2id$v=19$m=8,t=1,p=1$x$y")).rejects.toThrow(/^API_TOKEN_HASH cannot be decoded/);
});

test("a check that fails frees its place", async () => {
  const check = tokenCheck("no hash at all", 1);
  await expect(check("one")).rejects.toThrow();
  await expect(check("two")).rejects.toThrow();
});
