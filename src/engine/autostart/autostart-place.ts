/*
 * What makes a machine start a user's containers: a file for whatever starts programs when the machine has been started.
 * There is no daemon whose start could be that moment.
 *
 * Where the machine was started by systemd, that is a unit of the user's own systemd, for root of the system's. It is
 * enabled by the link that `systemctl enable` would make, since no program is run. It is of the kind that stays active
 * after its command has ended, so the supervisors that the command leaves are left alone until the unit is stopped, at the
 * shutdown: then SIGTERM comes to all of them, and each stops its container in order. (It comes to the containers'
 * processes as well; systemd has no way of killing that spares them and still waits for the supervisors.) The command's
 * status does not count (`-`), because a unit that has failed is cleaned up, and then one container that cannot start
 * would end all others. The containers' cgroups are in that of the unit, which is delegated for that, so that the unit's
 * end is theirs.
 *
 * Elsewhere cron has `@reboot`. Root's line goes into a file of /etc/cron.d. The crontab of a user is a file that only the
 * set-group-id program crontab(1) can write, and Bunker runs no such program: so users get a line to type.
 */
import { existsSync } from "node:fs";
import { shellWord } from "../../notation/shell-word.ts";
import { BunkerError } from "../../sys/error.ts";
import { AUTOSTART_UNIT as UNIT } from "./autostart-unit.ts";
import { isBootedWithSystemd } from "./systemd-host.ts";

/** What the place and its content depend on. */
export interface AutostartInput {
  readonly uid: number;
  readonly home: string;
  /** `XDG_CONFIG_HOME` and `XDG_DATA_HOME`, where they are set to absolute paths. */
  readonly configHome: string | undefined;
  readonly dataHome: string | undefined;
  /** The words that start this program. */
  readonly command: readonly string[];
  /** What to look at in the place of the host's `/`. */
  readonly root?: string;
}

/** A file that is to be there. */
export interface AutostartFile {
  readonly kind: "unit" | "cron";
  readonly path: string;
  readonly text: string;
  /** Where a link to it enables it; none for a file that counts by being there. */
  readonly link: string | undefined;
}

export type AutostartPlace =
  | AutostartFile
  | {
      readonly kind: "crontab";
      /** The lines that a user can type: to have the line of a crontab added, removed and shown. */
      readonly add: string;
      readonly remove: string;
      readonly show: string;
    };

const WORDS = ["autostart", "run"];

/**
 * Says where the start of a user's containers is to be written, and what.
 * @throws BunkerError `unusable_path` for paths with control characters, which such files cannot hold
 */
export function autostartPlace(input: AutostartInput): AutostartPlace {
  const { uid, home, configHome, root = "" } = input;
  const paths = [...input.command, input.dataHome ?? ""];
  const unusable = paths.find((path) => /\p{Cc}/u.test(path));
  if (unusable !== undefined) {
    throw new BunkerError({
      code: "unusable_path",
      operation: "write down how to start",
      object: JSON.stringify(unusable),
      reason: "it has control characters",
      exitStatus: 1,
    });
  }
  if (isBootedWithSystemd(root)) {
    const isSystem = uid === 0;
    const directory = isSystem ? `${root}/etc/systemd/system` : `${configHome ?? `${home}/.config`}/systemd/user`;
    const target = isSystem ? "multi-user.target" : "default.target";
    return {
      kind: "unit",
      path: `${directory}/${UNIT}`,
      text: unitText(input, target),
      link: `${directory}/${target}.wants/${UNIT}`,
    };
  }
  const line = cronLine(input);
  const directory = `${root}/etc/cron.d`;
  if (uid === 0 && existsSync(directory)) {
    const text = `# Made by "bunker autostart enable"; "bunker autostart disable" removes it.\n${cronLine(input, "root")}\n`;
    return { kind: "cron", path: `${directory}/bunker-autostart`, text, link: undefined };
  }
  return {
    kind: "crontab",
    add: `(crontab -l 2>/dev/null; printf '%s\\n' ${shellWord(line)}) | crontab -`,
    remove: `crontab -l | grep -vxF ${shellWord(line)} | crontab -`,
    show: `crontab -l | grep -xF ${shellWord(line)}`,
  };
}

function unitText({ uid, dataHome, command }: AutostartInput, target: string): string {
  // Ports may be published at addresses that are not there before.
  const network = uid === 0 ? "Wants=network-online.target\nAfter=network-online.target\n" : "";
  const environment = dataHome === undefined ? "" : `Environment=${systemdWord(`XDG_DATA_HOME=${dataHome}`)}\n`;
  return `# Made by "bunker autostart enable"; "bunker autostart disable" removes it.
[Unit]
Description=Containers of Bunker that start with the machine
${network}
[Service]
Type=oneshot
RemainAfterExit=yes
Delegate=yes
${environment}ExecStart=-${[...command, ...WORDS].map(systemdWord).join(" ")}

[Install]
WantedBy=${target}
`;
}

/** A word as systemd.syntax(7) and the specifiers of systemd.unit(5) leave it. */
function systemdWord(text: string): string {
  const escaped = text.replace(/[\\"]/g, "\\$&").replaceAll("%", "%%");
  return /^[\w/.:=@+%-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

/** A line of crontab(5), where `%` ends the command. */
function cronLine({ dataHome, command }: AutostartInput, user?: string): string {
  const environment = dataHome === undefined ? [] : [`XDG_DATA_HOME=${shellWord(dataHome)}`];
  const words = [...environment, ...[...command, ...WORDS].map(shellWord)].join(" ").replaceAll("%", "\\%");
  return ["@reboot", ...(user === undefined ? [] : [user]), words].join(" ");
}
