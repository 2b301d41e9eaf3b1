import type { AutostartPlace } from "../../engine/autostart/autostart-place.ts";
import { lingers } from "../../engine/autostart/systemd-host.ts";
import { loginName } from "../../sys/login-name.ts";

/** How a place is called. */
export function placeName(place: AutostartPlace): string {
  return place.kind === "crontab" ? "your crontab" : place.path;
}

/** What the user should know of a file that is there: that their systemd does not run before they have logged in. */
export function lingerAdvice({ kind }: AutostartPlace): string | undefined {
  const uid = process.geteuid?.() ?? 0;
  const name = loginName(uid) ?? String(uid);
  if (kind !== "unit" || uid === 0 || lingers(name)) return undefined;
  return `containers start when you first log in, not with the machine: loginctl enable-linger ${name}`;
}
