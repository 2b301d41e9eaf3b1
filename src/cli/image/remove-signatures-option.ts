import { flag } from "../option.ts";

/** `--remove-signatures` */
export const removeSignaturesOption = flag({
  name: "remove-signatures",
  description: "Write no signatures; Bunker never writes any",
});
