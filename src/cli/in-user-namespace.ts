/*
 * Commands that Bunker gives to itself: work that has to be done as root of the user's own user namespace, in which
 * `runInUserNamespace` starts them. They are in no help; their failures go to the process that started them.
 */
import * as v from "valibot";
import { pullRequestSchema } from "../engine/images/pull-request.ts";
import { readInput, report, reportFailure } from "../runtime/user-namespace-process.ts";
import { changeTreeOwner } from "../sys/change-tree-owner.ts";
import { forgetCompilerSettings } from "../sys/compiler-environment.ts";
import { BunkerError } from "../sys/error.ts";
import { removeTree } from "../sys/remove-tree.ts";
import { treeSize } from "../sys/tree-size.ts";
import { warning } from "./messages.ts";

const unpackSchema = v.object({
  source: v.variant("kind", [
    v.object({
      kind: v.picklist(["oci", "oci-archive", "docker-archive"]),
      path: v.string(),
      tag: v.optional(v.string(), undefined),
    }),
    v.object({ kind: v.literal("stored"), name: v.string() }),
  ]),
  platform: v.optional(v.string(), undefined),
  data: v.string(),
  store: v.string(),
  mapping: v.picklist(["full", "single"]),
});

async function execute(words: readonly string[]): Promise<void> {
  const [command, argument, ...further] = words;
  if (command === "remove" && argument !== undefined) return removeTree(argument);
  if (command === "measure" && argument !== undefined) return report(String(treeSize(argument)));
  if (command === "unpack" && argument !== undefined) {
    const { source, platform, ...place } = v.parse(unpackSchema, JSON.parse(argument));
    const whole = source.kind === "stored" ? source : { ...source, tag: source.tag };
    const { unpackImage } = await import("../engine/images/unpack-image.ts");
    return unpackImage({ source: whole, platform, ...place }, warning);
  }
  if (command === "pull") {
    forgetCompilerSettings();
    const { pullHere } = await import("./progress/pull-here.ts");
    return pullHere(v.parse(pullRequestSchema, JSON.parse(readInput())));
  }
  if (command === "build") {
    const { buildHere } = await import("./image/build/build-here.ts");
    return report(JSON.stringify(await buildHere(JSON.parse(readInput()))));
  }
  if (command === "prune-builds") {
    const { pruneBuildsHere } = await import("../build/prune-builds.ts");
    return report(JSON.stringify(pruneBuildsHere(JSON.parse(readInput()), warning)));
  }
  if (command === "populate") {
    const { populateHere, populateRequestSchema } = await import("../engine/volumes/populate-here.ts");
    return report(JSON.stringify(populateHere(v.parse(populateRequestSchema, JSON.parse(readInput())))));
  }
  if (command === "give" && argument !== undefined) {
    return report(String(changeTreeOwner(argument, Number(further[0]), Number(further[1]))));
  }
  if (command === "restore") {
    const { restoreHere, restoreRequestSchema } = await import("../engine/volumes/restore-here.ts");
    return report(JSON.stringify(await restoreHere(v.parse(restoreRequestSchema, JSON.parse(readInput())))));
  }
  if (command === "archive" || command === "pack") return readLayers(command);
  if (command === "copy") {
    const { copyHere, copyRequestSchema } = await import("../engine/files/copy-here.ts");
    return report(JSON.stringify(await copyHere(v.parse(copyRequestSchema, JSON.parse(readInput())))));
  }
  if (command === "change-files") {
    const { changeFilesRequestSchema } = await import("../build/files/change-files-request.ts");
    const { changeFilesHere } = await import("../build/files/change-files-here.ts");
    return report(JSON.stringify(await changeFilesHere(v.parse(changeFilesRequestSchema, JSON.parse(readInput())))));
  }
  if (command === "content-key") {
    const { contentKeyHere, contentKeyRequestSchema } = await import("../build/files/content-key-here.ts");
    return report(JSON.stringify(await contentKeyHere(v.parse(contentKeyRequestSchema, JSON.parse(readInput())))));
  }
  throw new BunkerError({ code: "unknown_command", operation: "bunker internal", object: command });
}

async function readLayers(command: "archive" | "pack"): Promise<void> {
  const { archiveHere, archiveRequestSchema, packHere, packRequestSchema } = await import(
    "../engine/files/read-layers.ts"
  );
  const request: unknown = JSON.parse(readInput());
  const answer =
    command === "archive"
      ? archiveHere(v.parse(archiveRequestSchema, request))
      : await packHere(v.parse(packRequestSchema, request));
  report(JSON.stringify(answer));
}

/**
 * Executes one of the commands.
 * @param words its name and its argument
 * @returns the exit status
 */
export async function inUserNamespace(words: readonly string[]): Promise<number> {
  try {
    await execute(words);
    return 0;
  } catch (error) {
    reportFailure(error);
    return 125;
  }
}
