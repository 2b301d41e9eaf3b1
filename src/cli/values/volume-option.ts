import type { BindMountRequest } from "../../engine/run-options.ts";
import { InvalidValue } from "../invalid-value.ts";
import { quote } from "../option-table.ts";
import { parseHostPath, parseMountPoint } from "./paths.ts";

/** The words that exclude each other, under what they decide. */
const MODES: Readonly<Record<string, readonly string[]>> = {
  access: ["ro", "rw"],
  relabelling: ["z", "Z"],
  propagation: ["private", "rprivate", "shared", "rshared", "slave", "rslave"],
  recursion: ["bind", "rbind"],
  // A bind mount never copies what the image has there, so the word only says what happens anyway.
  copying: ["nocopy"],
  "set-user-ID": ["suid", "nosuid"],
  devices: ["dev", "nodev"],
  execution: ["exec", "noexec"],
};

const PLAIN_OPTIONS = ["suid", "nosuid", "dev", "nodev", "exec", "noexec"];

/**
 * Reads the value of `--volume`: `SOURCE:DESTINATION[:OPTION,...]`, as Docker does, and Podman's options for a bind
 * mount besides. A missing source directory is made. `ro` holds for what is mounted below the source as well.
 * @throws InvalidValue
 */
export function parseVolumeOption(text: string): BindMountRequest {
  const parts = text.split(":");
  const [source = "", destination, modes = ""] = parts;
  if (parts.length > 3 || parts.includes("")) throw new InvalidValue("expected SOURCE:DESTINATION[:OPTION,...]");
  if (destination === undefined || isModeList(destination)) {
    throw new InvalidValue(
      `anonymous volumes are not available yet; use --tmpfs ${source}, or SOURCE:${source} for a directory of the host`,
    );
  }
  const chosen = readModes(modes);
  const readOnly = chosen.get("access") === "ro";
  const recursive = chosen.get("recursion") !== "bind";
  return {
    type: "bind",
    source: parseHostPath(source),
    destination: parseMountPoint(destination),
    readOnly,
    createSource: true,
    propagation: propagationOf(chosen.get("propagation")) ?? "rprivate",
    recursive,
    recursiveReadOnly: readOnly && recursive,
    relabel: relabelOf(chosen.get("relabelling")),
    options: [...chosen.values()].filter((word) => PLAIN_OPTIONS.includes(word)),
  };
}

/**
 * The propagation that a word names, undefined for any other word; mount_namespaces(7).
 */
export function propagationOf(word: string | undefined): BindMountRequest["propagation"] | undefined {
  switch (word) {
    case "private":
    case "rprivate":
    case "shared":
    case "rshared":
    case "slave":
    case "rslave":
      return word;
    default:
      return undefined;
  }
}

function relabelOf(word: string | undefined): BindMountRequest["relabel"] {
  if (word === undefined) return undefined;
  return word === "z" ? "shared" : "private";
}

/** In `-v /path:ro` the second part is no destination. */
function isModeList(text: string): boolean {
  return text.split(",").every((word) => subjectOf(word) !== undefined);
}

function readModes(text: string): ReadonlyMap<string, string> {
  const chosen = new Map<string, string>();
  for (const word of text === "" ? [] : text.split(",")) {
    const subject = subjectOf(word);
    if (subject === undefined) {
      throw new InvalidValue(`unknown option ${quote(word)}, expected ${Object.values(MODES).flat().join(", ")}`);
    }
    const earlier = chosen.get(subject);
    if (earlier !== undefined) throw new InvalidValue(`${earlier} and ${word} exclude each other`);
    chosen.set(subject, word);
  }
  return chosen;
}

function subjectOf(word: string): string | undefined {
  return Object.keys(MODES).find((subject) => MODES[subject]?.includes(word));
}
