import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { verify } from "@node-rs/argon2";
import { StartupError } from "./errors.ts";

export type Verdict = "accepted" | "refused" | "busy";
export type TokenCheck = (token: string) => Promise<Verdict>;

const LONGEST_TOKEN = 512;

/** Throws StartupError when no token could ever be checked against this hash. */
export async function expectUsable(hash: string): Promise<void> {
  try {
    await verify(hash, "");
  } catch {
    throw new StartupError("API_TOKEN_HASH cannot be decoded; make one with dist/hash-token.js");
  }
}

/**
 * Checks tokens against one argon2 hash.
 *
 * An argon2 check is expensive by design, so at most `concurrency` run at a time and further guesses
 * are sent away. The token that was right last is remembered (as a keyed digest), so its owner no
 * longer waits behind somebody who guesses once it was accepted since the start.
 */
export function tokenCheck(hash: string, concurrency: number): TokenCheck {
  const key = randomBytes(32);
  let remembered: Buffer | undefined;
  let running = 0;

  return async (token) => {
    if (token.length > LONGEST_TOKEN) return "refused";
    const digest = createHmac("sha256", key).update(token).digest();
    if (remembered && timingSafeEqual(remembered, digest)) return "accepted";
    if (running >= concurrency) return "busy";
    running += 1;
    try {
      if (!(await verify(hash, token))) return "refused";
      remembered = digest;
      return "accepted";
    } finally {
      running -= 1;
    }
  };
}
