import { useEffect, useState } from "react";
import { getHealth, type Health } from "./api";

export type BackendHealth = Health | "asking…" | "unreachable";

/** Which build the backend is: asked once a round, as the board itself says when the backend goes away. */
export function useBackendHealth(round: number): BackendHealth {
  const [health, setHealth] = useState<BackendHealth>("asking…");

  useEffect(() => {
    const abort = new AbortController();
    getHealth(abort.signal).then(setHealth, () => {
      if (!abort.signal.aborted) setHealth("unreachable");
    });
    return () => { abort.abort(); };
  }, [round]);

  return health;
}
