import { autostartState } from "../../engine/autostart/autostart.ts";
import { containersToStart } from "../../engine/autostart/containers-to-start.ts";
import { dataDirectory } from "../../engine/data-directory.ts";
import { defineCommand } from "../command.ts";
import { print } from "../print.ts";
import { autostartFile, lingerAdvice } from "./place.ts";

/** `bunker autostart status`: its status is 0 when it is enabled, as of `systemctl is-enabled`. */
export const status = defineCommand({ options: {}, required: [], failureStatus: 1 }, async () => {
  const file = autostartFile("look whether autostart is enabled", "show");
  const state = autostartState(file);
  print(state === "disabled" ? "disabled" : `enabled by ${file.path}`);
  const names = containersToStart(dataDirectory()).map(({ name }) => name);
  print(`containers: ${names.join(" ") || "none has been started with --restart always or unless-stopped"}`);
  if (state === "disabled") return 1;
  const advice = [
    ...(state === "outdated"
      ? ["it is for another executable or data directory; bunker autostart enable writes it anew"]
      : []),
    lingerAdvice(file),
  ];
  const { warning } = await import("../messages.ts");
  for (const text of advice) if (text !== undefined) warning(text);
  return 0;
});
