import * as v from "valibot";
import { lazily } from "../../../lazily.ts";
import { enteredLinuxSchema, idMappingsSchema, linuxSchema } from "./linux.ts";
import { processSchema } from "./process.ts";
import { flag, integer, listOf, mapTo, pathInContainer, rare, structure, text } from "./values.ts";

/** The whole of config.json for Linux; config.md of the OCI runtime specification 1.2, and what 1.3 added to it. */
export const configurationSchema = lazily(() =>
  structure({
    ociVersion: v.pipe(text(), v.check(isSupportedVersion, "a version 1.x.y of the OCI runtime specification")),
    process: v.optional(processSchema()),
    root: structure({ path: v.pipe(text(), v.nonEmpty("a path")), readonly: v.optional(flag()) }),
    hostname: v.optional(text()),
    domainname: v.optional(text()),
    mounts: v.optional(listOf(mountSchema())),
    hooks: rare(hooksSchema),
    annotations: v.optional(mapTo(text())),
    linux: v.optional(linuxSchema()),
  }),
);

/** What of it matters to a further process of a container that runs. */
export const enteredConfigurationSchema = lazily(() =>
  structure({
    process: v.optional(processSchema()),
    annotations: v.optional(mapTo(text())),
    linux: v.optional(enteredLinuxSchema()),
  }),
);

/** Semantic Versioning 2.0.0 with the major version 1. */
function isSupportedVersion(version: string): boolean {
  return /^1\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/.test(
    version,
  );
}

function mountSchema() {
  return structure({
    destination: pathInContainer(),
    type: v.optional(text()),
    source: v.optional(text()),
    options: v.optional(listOf(text())),
    uidMappings: v.optional(idMappingsSchema()),
    gidMappings: v.optional(idMappingsSchema()),
  });
}

function hooksSchema() {
  const hooks = v.optional(
    listOf(
      structure({
        path: v.pipe(text(), v.startsWith("/", "an absolute path")),
        args: v.optional(listOf(text())),
        env: v.optional(listOf(text())),
        timeout: v.optional(integer(1, 0x7fff_ffff)),
      }),
    ),
  );
  return structure({
    prestart: hooks,
    createRuntime: hooks,
    createContainer: hooks,
    startContainer: hooks,
    poststart: hooks,
    poststop: hooks,
  });
}
