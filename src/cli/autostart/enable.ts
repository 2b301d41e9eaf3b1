import { callersAutostartPlace, enableAutostart } from "../../engine/autostart/autostart.ts";
import { defineCommand } from "../command.ts";
import { lingerAdvice, placeName } from "./place.ts";

/** `bunker autostart enable`. */
export const enable = defineCommand({ options: {}, required: [], failureStatus: 1 }, async () => {
  const place = callersAutostartPlace();
  const done = enableAutostart(place);
  console.log(done.length === 0 ? `enabled already by ${placeName(place)}` : done.join("\n"));
  const advice = lingerAdvice(place);
  if (advice !== undefined) (await import("../messages.ts")).warning(advice);
  return 0;
});
