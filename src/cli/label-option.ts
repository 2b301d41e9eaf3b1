import { list } from "./option.ts";
import { parseLabel } from "./values/life-values.ts";

/** `--label` of everything that has labels and the short option too. */
export const labelOption = list({
  name: "label",
  short: "l",
  valueName: "KEY[=VALUE]",
  description: "Set a label",
  parse: parseLabel,
});
