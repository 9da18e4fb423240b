import { useState } from "react";

const key = "slipway.token";

/** The access token lives as long as the browser tab: a shared computer does not remember it. */
export function useToken(): [string, (token: string) => void] {
  const [token, setToken] = useState(() => sessionStorage.getItem(key) ?? "");

  function remember(next: string): void {
    setToken(next);
    if (next) sessionStorage.setItem(key, next);
    else sessionStorage.removeItem(key);
  }

  return [token, remember];
}
