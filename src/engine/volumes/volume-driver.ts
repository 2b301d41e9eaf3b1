/*
 * What the options of a volume make of it, in the words of Docker's driver `local`, which are those of mount(8):
 * `type`, `device` and `o`. Without any it is a directory of Bunker's. `type=tmpfs` is a file system in memory, which each
 * container has its own of: there is no place outside of all containers where an ordinary user could mount a common one.
 * `o=bind` is a directory of the host. Podman's `o=uid=…,gid=…` without a type gives Bunker's directory to somebody.
 */
import { BunkerError } from "../../sys/error.ts";

/** What is mounted for a volume. */
export type VolumeKind =
  | { readonly kind: "directory"; readonly uid: number | undefined; readonly gid: number | undefined }
  | { readonly kind: "tmpfs"; readonly options: readonly string[] }
  | {
      readonly kind: "bind";
      readonly device: string;
      readonly readOnly: boolean;
      readonly recursive: boolean;
      readonly options: readonly string[];
    };

const BIND_OPTIONS = ["suid", "nosuid", "dev", "nodev", "exec", "noexec"];

/**
 * Reads the options of a volume.
 * @throws BunkerError `invalid_volume_option` for what means nothing or cannot be had
 */
export function volumeKind(options: Readonly<Record<string, string>>): VolumeKind {
  const unknown = Object.keys(options).find((key) => !["type", "device", "o", "size"].includes(key));
  if (unknown !== undefined)
    throw invalidVolumeOption(unknown, "there is no such option", "There are type, device and o.");
  if (options["size"] !== undefined) {
    throw invalidVolumeOption(
      "size",
      "only root of the host may set quotas",
      "A tmpfs has a size: type=tmpfs, o=size=64m.",
    );
  }
  const { type = "", device = "" } = options;
  const words = (options["o"] ?? "").split(",").filter((word) => word !== "");
  if (type === "tmpfs") return { kind: "tmpfs", options: words };
  const isBind = words.some((word) => word === "bind" || word === "rbind");
  if (isBind || type === "none" || type === "bind") return bindKind(device, words);
  if (type === "" && device === "") return directoryKind(words);
  if (type === "")
    throw invalidVolumeOption("device", "it is of no use without type", "A directory of the host has o=bind.");
  throw invalidVolumeOption(
    `type=${type}`,
    "only root of the host may mount that",
    "Have it mounted on the host, and take type=none, o=bind, device=DIRECTORY.",
  );
}

function bindKind(device: string, words: readonly string[]): VolumeKind {
  if (!device.startsWith("/"))
    throw invalidVolumeOption("device", "expected the absolute path of a directory of the host");
  const unknown = words.find((word) => !["bind", "rbind", "ro", "rw", ...BIND_OPTIONS].includes(word));
  if (unknown !== undefined) throw invalidVolumeOption(`o=${unknown}`, "it is not for a bind mount");
  return {
    kind: "bind",
    device,
    readOnly: words.includes("ro"),
    recursive: !words.includes("bind"),
    options: words.filter((word) => BIND_OPTIONS.includes(word)),
  };
}

function directoryKind(words: readonly string[]): VolumeKind {
  const ids = new Map<string, number>();
  for (const word of words) {
    const match = /^(uid|gid)=(\d{1,10})$/.exec(word);
    if (match === null) throw invalidVolumeOption(`o=${word}`, "without a type there are uid=NUMBER and gid=NUMBER");
    ids.set(match[1] ?? "", Number(match[2]));
  }
  return { kind: "directory", uid: ids.get("uid"), gid: ids.get("gid") };
}

/** The error for an option of a volume that means nothing, or that cannot be had. */
export function invalidVolumeOption(option: string, reason: string, hint?: string): BunkerError {
  const what = { code: "invalid_volume_option", operation: "use the volume option", object: option, reason };
  return new BunkerError({ ...what, hint, exitStatus: 1 });
}
