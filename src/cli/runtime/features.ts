import { features as implementedFeatures } from "../../runtime/features.ts";
import { defineCommand } from "../command.ts";

/** `bunker runtime features`. */
export const features = defineCommand({ options: {}, required: [] }, () => {
  console.log(JSON.stringify(implementedFeatures(), null, 2));
  return 0;
});
