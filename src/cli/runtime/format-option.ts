import { single } from "../option.ts";
import { oneOf } from "../values/choice.ts";

/** `--format table|json`. */
export const formatOption = single({
  name: "format",
  short: "f",
  valueName: "FORMAT",
  description: "table or json",
  parse: oneOf("table", "json"),
  initial: "table",
  initialText: "table",
});
