import { expect, test } from "vitest";
import { messageOf } from "../../src/errors.ts";

test("whatever was thrown has a message", () => {
  expect(messageOf(new Error("why"))).toBe("why");
  expect(messageOf("why")).toBe("why");
});
