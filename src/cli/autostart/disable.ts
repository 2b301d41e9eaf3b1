import { disableAutostart } from "../../engine/autostart/autostart.ts";
import { defineCommand } from "../command.ts";
import { print } from "../print.ts";
import { autostartFile } from "./place.ts";

/** `bunker autostart disable`. */
export const disable = defineCommand({ options: {}, required: [], failureStatus: 1 }, () => {
  const removed = disableAutostart(autostartFile("disable autostart", "remove"));
  if (removed.length === 0) print("not enabled");
  for (const path of removed) print(`removed ${path}`);
  return 0;
});
