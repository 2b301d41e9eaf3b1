import { callersAutostartPlace, disableAutostart } from "../../engine/autostart/autostart.ts";
import { defineCommand } from "../command.ts";

/** `bunker autostart disable`. */
export const disable = defineCommand({ options: {}, required: [], failureStatus: 1 }, () => {
  const done = disableAutostart(callersAutostartPlace());
  console.log(done.length === 0 ? "not enabled" : done.join("\n"));
  return 0;
});
