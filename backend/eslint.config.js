import eslint from "@eslint/js";
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(
  globalIgnores(["dist/", "coverage/"]),
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      eqeqeq: "error",
      "no-console": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // An empty string in the environment counts as "not set".
      "@typescript-eslint/prefer-nullish-coalescing": ["error", { ignorePrimitives: { string: true } }],
      // Fastify takes a handler's promise as its answer, whether it waits for something or not.
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
    },
  },
  {
    // The command-line tools answer a person, not the log.
    files: ["scripts/**", "src/healthcheck.ts", "src/hash-token.ts"],
    rules: { "no-console": "off" },
  },
  {
    // tsc knows Node's globals and checks these files too; JavaScript has no cast for what JSON.parse gives.
    files: ["**/*.mjs"],
    rules: { "no-undef": "off", "@typescript-eslint/no-unsafe-return": "off" },
  },
);
