/**
 * Where the API is and which build this is. Each name is written out in full: the bundler then puts in that one value,
 * and not the whole environment.
 */
export const apiUrl = (import.meta.env.REACT_APP_API_URL ?? "/api").replace(/\/+$/, "");

export const build = {
  version: import.meta.env.REACT_APP_VERSION ?? "0.0.0",
  commit: import.meta.env.REACT_APP_GIT_COMMIT ?? "unknown",
  buildDate: import.meta.env.REACT_APP_BUILD_DATE ?? "unknown",
};
