import { features as implementedFeatures } from "../../runtime/features.ts";
import { defineCommand } from "../command.ts";
import { print } from "../print.ts";

/** `bunker runtime features`. */
export const features = defineCommand({ options: {}, required: [] }, () => {
  print(JSON.stringify(implementedFeatures(), null, 2));
  return 0;
});
