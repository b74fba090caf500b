import js from "@eslint/js";
import globals from "globals";

const strict = {
  eqeqeq: "error",
  "no-var": "error",
  "prefer-const": "error",
  "no-implicit-globals": "error",
  "no-eval": "error",
  "no-implied-eval": "error",
  "no-new-func": "error",
  "no-script-url": "error",
  "no-shadow": "error",
  "object-shorthand": "error",
  "prefer-template": "error",
  // Data becomes text, never markup.
  "no-restricted-properties": [
    "error",
    ...["innerHTML", "outerHTML", "insertAdjacentHTML"].map((property) => ({ property })),
    { object: "document", property: "write" },
  ],
};

export default [
  // `shared` is the page of the service, linted under its own name.
  { ignores: ["**/node_modules/", "extension/shared/"] },
  js.configs.recommended,
  { rules: strict },
  { files: ["backend/chalicelib/page/**/*.js"], languageOptions: { globals: globals.browser } },
  {
    files: ["extension/**/*.js"],
    ignores: ["extension/*.config.js"],
    languageOptions: { globals: { ...globals.browser, ...globals.serviceworker, chrome: "readonly" } },
  },
  {
    files: ["tests/page/**/*.js", "tests/extension/**/*.js", "extension/*.config.js"],
    languageOptions: { globals: globals.node },
  },
];
