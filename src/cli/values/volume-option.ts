import type { BindMountRequest, VolumeMountRequest } from "../../engine/specification/run-options.ts";
import { InvalidValue } from "../invalid-value.ts";
import { quote } from "../option-table.ts";
import { isHostPath, parseHostPath, parseMountPoint } from "./paths.ts";
import { parseVolumeName } from "./volume-name.ts";

/** The words that exclude each other, under what they decide. */
const MODES: Readonly<Record<string, readonly string[]>> = {
  access: ["ro", "rw"],
  relabelling: ["z", "Z"],
  propagation: ["private", "rprivate", "shared", "rshared", "slave", "rslave"],
  recursion: ["bind", "rbind"],
  // A bind mount never copies what the image has there, so the words only mean something to a volume.
  copying: ["nocopy", "copy"],
  ownership: ["U"],
  overlaying: ["O"],
  // Of Docker Desktop; on one machine all views of a file are the same.
  consistency: ["consistent", "cached", "delegated"],
  "set-user-ID": ["suid", "nosuid"],
  devices: ["dev", "nodev"],
  execution: ["exec", "noexec"],
};

/** The answer to Podman's `idmap`. */
export const NO_MAPPED_MOUNTS =
  "the kernel maps the ids of a mount only for root of the host, whose containers have no ids of their own; " +
  "U gives the files to the container's user, and --userns keep-id keeps yours";

const PLAIN_OPTIONS = ["suid", "nosuid", "dev", "nodev", "exec", "noexec"];

/**
 * Reads the value of `--volume`: `[SOURCE:]DESTINATION[:OPTION,...]`, with Docker's options and Podman's. The source is
 * the name of a volume, or the path of a directory of the host, which is made if it is missing; without a source the
 * volume has no name. `ro` holds for what is mounted below a source on the host as well.
 * @throws InvalidValue
 */
export function parseVolumeOption(text: string): BindMountRequest | VolumeMountRequest {
  const parts = text.split(":");
  if (parts.length > 3 || parts.includes("")) throw new InvalidValue("expected [SOURCE:]DESTINATION[:OPTION,...]");
  const [first = "", second, third] = parts;
  if (second === undefined) return volumeMount(undefined, first, new Map());
  if (third === undefined && isModeList(second)) return volumeMount(undefined, first, readModes(second));
  const chosen = readModes(third ?? "");
  return isHostPath(first) ? hostMount(first, second, chosen) : volumeMount(first, second, chosen);
}

function hostMount(source: string, destination: string, chosen: ReadonlyMap<string, string>): BindMountRequest {
  const readOnly = chosen.get("access") === "ro";
  const recursive = chosen.get("recursion") !== "bind";
  const isOverlay = chosen.has("overlaying");
  for (const subject of isOverlay ? ["ownership", "propagation", "recursion", "relabelling"] : []) {
    const word = chosen.get(subject);
    if (word !== undefined) throw new InvalidValue(`O and ${word} exclude each other`);
  }
  return {
    type: "bind",
    source: parseHostPath(source),
    destination: parseMountPoint(destination),
    readOnly,
    // A view of nothing is a mistake, and the directory would be left behind.
    createSource: !isOverlay,
    propagation: propagationOf(chosen.get("propagation")) ?? "rprivate",
    recursive,
    recursiveReadOnly: readOnly && recursive,
    relabel: relabelOf(chosen.get("relabelling")),
    givesToUser: chosen.has("ownership"),
    isOverlay,
    options: plainOptions(chosen),
  };
}

function volumeMount(
  name: string | undefined,
  destination: string,
  chosen: ReadonlyMap<string, string>,
): VolumeMountRequest {
  if (chosen.has("overlaying")) throw new InvalidValue("O is for a directory of the host");
  return {
    type: "volume",
    name: name === undefined ? undefined : parseVolumeName(name),
    isAnonymous: name === undefined,
    destination: parseMountPoint(destination),
    readOnly: chosen.get("access") === "ro",
    isPopulated: chosen.get("copying") !== "nocopy",
    subpath: undefined,
    labels: {},
    driverOptions: {},
    propagation: propagationOf(chosen.get("propagation")) ?? "rprivate",
    relabel: relabelOf(chosen.get("relabelling")),
    givesToUser: chosen.has("ownership"),
    options: plainOptions(chosen),
  };
}

function plainOptions(chosen: ReadonlyMap<string, string>): readonly string[] {
  return [...chosen.values()].filter((word) => PLAIN_OPTIONS.includes(word));
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
    if (/^idmap(=|$)/.test(word)) {
      throw new InvalidValue(NO_MAPPED_MOUNTS);
    }
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
