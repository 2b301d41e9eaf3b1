import { runPoststopHooks } from "../engine/devices/container-devices.ts";
import { printText } from "./format/print-text.ts";
import { warning } from "./messages.ts";

/**
 * `bunker internal poststop`: the hooks of a container's devices after its end. Warns of what fails, and says it on standard
 * output as a list in JSON, for whoever records the end.
 */
export function poststop(data: string, id: string): void {
  const failures = runPoststopHooks(data, id);
  for (const failure of failures) warning(failure);
  printText(JSON.stringify(failures));
}
