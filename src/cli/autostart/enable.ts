import { enableAutostart } from "../../engine/autostart/autostart.ts";
import { defineCommand } from "../command.ts";
import { print } from "../print.ts";
import { autostartFile, lingerAdvice } from "./place.ts";

/** `bunker autostart enable`. */
export const enable = defineCommand({ options: {}, required: [], failureStatus: 1 }, async () => {
  const file = autostartFile("enable autostart", "add");
  const changed = enableAutostart(file);
  if (changed.length === 0) print(`enabled already by ${file.path}`);
  for (const path of changed) print(path === file.link ? `linked ${path}` : `wrote ${path}`);
  const advice = lingerAdvice(file);
  if (advice !== undefined) (await import("../messages.ts")).warning(advice);
  return 0;
});
