// Reads a token from standard input and prints the hash for API_TOKEN_HASH.
import { text } from "node:stream/consumers";
import { hash } from "@node-rs/argon2";

const token = (await text(process.stdin)).trim();
if (/^\S{1,512}$/.test(token)) {
  console.log(await hash(token));
} else {
  console.error("pipe a token of 1 to 512 characters, without white space, into this command");
  process.exitCode = 2;
}
