/**
 * A Vite plugin that puts `health.json` beside the page: nginx serves it as the health of this image.
 * @param {Record<string, string | undefined>} env
 * @returns {import("vite").Plugin}
 */
export function healthFile(env) {
  const health = {
    status: "ok",
    version: env.REACT_APP_VERSION ?? "0.0.0",
    commit: env.REACT_APP_GIT_COMMIT ?? "unknown",
    buildDate: env.REACT_APP_BUILD_DATE ?? "unknown",
  };
  return {
    name: "health-file",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "health.json", source: `${JSON.stringify(health)}\n` });
    },
  };
}
