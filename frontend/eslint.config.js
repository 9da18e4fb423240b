import js from "@eslint/js";
import reactHooks from "eslint-plugin-react-hooks";
import { defineConfig, globalIgnores } from "eslint/config";
import globals from "globals";
import tseslint from "typescript-eslint";

export default defineConfig(
  globalIgnores(["build", "coverage"]),
  js.configs.recommended,
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  {
    files: ["**/*.{ts,tsx}"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        project: "tsconfig.app.json",
        tsconfigRootDir: import.meta.dirname,
      },
    },
  },
  { files: ["*.ts"], languageOptions: { parserOptions: { project: "tsconfig.node.json" } } },
  {
    files: ["src/**"],
    extends: [reactHooks.configs.flat["recommended-latest"]],
    languageOptions: { globals: globals.browser },
  },
  { files: ["scripts/**", "*.{js,ts}"], languageOptions: { globals: globals.node } },
);
