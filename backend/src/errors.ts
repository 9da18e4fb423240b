/** A failure that can be expected at start-up: its message is the one line the operator reads. */
export class StartupError extends Error {
  override readonly name = "StartupError";
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
