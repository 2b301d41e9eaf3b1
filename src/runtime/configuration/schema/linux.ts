import * as v from "valibot";
import { NamespaceFlag } from "../namespaces.ts";
import { PersonalityDomain } from "../personality.ts";
import { MemoryPolicyFlag, MemoryPolicyMode } from "../scheduling.ts";
import { resourcesSchema } from "./resources.ts";
import { seccompSchema } from "./seccomp.ts";
import {
  flag,
  id,
  integer,
  keyOf,
  listOf,
  mapTo,
  oneOf,
  pathInContainer,
  rare,
  signed64,
  structure,
  text,
  unsigned32,
} from "./values.ts";

/** `linux`; config-linux.md. */
export function linuxSchema() {
  return structure({
    namespaces: v.optional(namespacesSchema()),
    uidMappings: v.optional(idMappingsSchema()),
    gidMappings: v.optional(idMappingsSchema()),
    timeOffsets: rare(() => structure({ monotonic: v.optional(clockSchema()), boottime: v.optional(clockSchema()) })),
    devices: rare(() => listOf(deviceSchema())),
    netDevices: rare(() => mapTo(structure({ name: v.optional(text()) }))),
    cgroupsPath: v.optional(text()),
    resources: rare(resourcesSchema),
    rootfsPropagation: v.optional(
      oneOf("a propagation mode", [
        "private",
        "shared",
        "slave",
        "unbindable",
        "rprivate",
        "rshared",
        "rslave",
        "runbindable",
      ]),
    ),
    seccomp: rare(seccompSchema),
    maskedPaths: v.optional(listOf(text())),
    readonlyPaths: v.optional(listOf(text())),
    mountLabel: v.optional(text()),
    sysctl: v.optional(mapTo(text())),
    intelRdt: rare(() =>
      structure({
        closID: v.optional(text()),
        schemata: v.optional(listOf(text())),
        l3CacheSchema: v.optional(text()),
        memBwSchema: v.optional(v.pipe(text(), v.regex(/^MB:[^\n]*$/, "one line that starts with MB:"))),
        enableMonitoring: v.optional(flag()),
        enableCMT: v.optional(flag()),
        enableMBM: v.optional(flag()),
      }),
    ),
    memoryPolicy: rare(() =>
      structure({
        mode: keyOf("a memory policy", MemoryPolicyMode),
        nodes: v.optional(text()),
        flags: v.optional(listOf(keyOf("a memory policy flag", MemoryPolicyFlag))),
      }),
    ),
    personality: rare(personalitySchema),
  });
}

/** What of `linux` matters to a further process of a container that runs. */
export function enteredLinuxSchema() {
  return structure({
    namespaces: v.optional(namespacesSchema()),
    uidMappings: v.optional(idMappingsSchema()),
    seccomp: rare(seccompSchema),
    personality: rare(personalitySchema),
  });
}

function namespacesSchema() {
  return listOf(structure({ type: keyOf("a namespace type", NamespaceFlag), path: v.optional(text()) }));
}

function personalitySchema() {
  return structure({
    domain: keyOf("an execution domain", PersonalityDomain),
    // The specification defines no flag: what it cannot mean must not be taken silently.
    flags: v.optional(v.pipe(listOf(text()), v.empty("an empty list, as no personality flag is defined"))),
  });
}

/** Id mappings of a user namespace or of a mount. */
export function idMappingsSchema() {
  return listOf(structure({ containerID: unsigned32(), hostID: unsigned32(), size: unsigned32() }));
}

function clockSchema() {
  return structure({ secs: v.optional(signed64(), 0), nanosecs: v.optional(integer(0, 999_999_999), 0) });
}

function deviceSchema() {
  return structure({
    type: oneOf("a device type", ["c", "b", "u", "p"]),
    path: pathInContainer(),
    major: v.optional(integer(0, 0xfff)),
    minor: v.optional(integer(0, 0xf_ffff)),
    fileMode: v.optional(integer(0, 0o7777)),
    uid: v.optional(id()),
    gid: v.optional(id()),
  });
}
