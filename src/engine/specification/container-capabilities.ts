import { nearestName } from "../../nearest-name.ts";
import { CAPABILITY_NAMES, type CapabilityName } from "../../runtime/configuration/capabilities.ts";
import { BunkerError } from "../../sys/error.ts";

/** What every container may do unless told otherwise: Docker's fourteen. */
export const DEFAULT_CAPABILITIES: readonly CapabilityName[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_RAW",
  "CAP_SYS_CHROOT",
  "CAP_MKNOD",
  "CAP_AUDIT_WRITE",
  "CAP_SETFCAP",
];

/** The capabilities that options ask for. */
export interface CapabilityOptions {
  readonly privileged: boolean;
  /** Names with or without `CAP_`, in any case, or `ALL`. */
  readonly capabilitiesAdded: readonly string[];
  readonly capabilitiesDropped: readonly string[];
}

/**
 * The capabilities of a container, in the order of their numbers. `--cap-add ALL` starts from every capability,
 * `--cap-drop ALL` otherwise from none; then single names are taken away, and after that single names are added.
 * @param possible `all` is what `ALL` and `--privileged` stand for, as much as this container can have at all;
 * `makesNodes` is whether it may make device nodes without having been given the right by name
 * @throws BunkerError `unknown_capability`, which names the nearest known one
 */
export function containerCapabilities(
  options: CapabilityOptions,
  {
    all = CAPABILITY_NAMES,
    makesNodes = true,
  }: { readonly all?: readonly CapabilityName[] | undefined; readonly makesNodes?: boolean } = {},
): readonly CapabilityName[] {
  const added = readNames(options.capabilitiesAdded, "--cap-add");
  const dropped = readNames(options.capabilitiesDropped, "--cap-drop");
  if (options.privileged) return all;
  const base = added.all ? all : dropped.all ? [] : DEFAULT_CAPABILITIES;
  const kept = new Set(base);
  if (!makesNodes) kept.delete("CAP_MKNOD");
  for (const name of dropped.names) kept.delete(name);
  for (const name of added.names) kept.add(name);
  return CAPABILITY_NAMES.filter((name) => kept.has(name));
}

function readNames(words: readonly string[], option: string): { all: boolean; names: readonly CapabilityName[] } {
  const names = words.map((word) => word.toUpperCase());
  return {
    all: names.includes("ALL"),
    names: names.filter((name) => name !== "ALL").map((name) => readName(name, option)),
  };
}

function readName(word: string, option: string): CapabilityName {
  const name = word.startsWith("CAP_") ? word : `CAP_${word}`;
  const known = CAPABILITY_NAMES.find((candidate) => candidate === name);
  if (known !== undefined) return known;
  const nearest = nearestName(name, CAPABILITY_NAMES);
  throw new BunkerError({
    code: "unknown_capability",
    operation: "read",
    object: `${option} ${word}`,
    reason: "no such capability",
    hint: nearest === undefined ? "capabilities(7) has the list." : `Did you mean ${nearest.replace("CAP_", "")}?`,
  });
}
