import { callersAutostartPlace } from "../../engine/autostart/autostart.ts";
import type { AutostartFile } from "../../engine/autostart/autostart-place.ts";
import { lingers } from "../../engine/autostart/systemd-host.ts";
import { BunkerError } from "../../sys/error.ts";
import { loginName } from "../../sys/login-name.ts";

/**
 * The file that starts the caller's containers.
 * @param operation for the message: `enable autostart`
 * @param line which of the lines to type is the right one, where there can be no file
 * @throws BunkerError `no_autostart`
 */
export function autostartFile(operation: string, line: "add" | "remove" | "show"): AutostartFile {
  const place = callersAutostartPlace();
  if (place.kind !== "crontab") return place;
  throw new BunkerError({
    code: "no_autostart",
    operation,
    reason: "there is no systemd here, and only crontab(1) may touch your crontab",
    hint: `type: ${place[line]}`,
    exitStatus: 1,
  });
}

/** What the user should know of a file that is there: that their systemd does not run before they have logged in. */
export function lingerAdvice({ kind }: AutostartFile): string | undefined {
  const uid = process.geteuid?.() ?? 0;
  const name = loginName(uid) ?? String(uid);
  if (kind !== "unit" || uid === 0 || lingers(name)) return undefined;
  return `containers start when you first log in, not with the machine: loginctl enable-linger ${name}`;
}
