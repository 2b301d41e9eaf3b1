/*
 * Executing COPY, ADD and WORKDIR. What they do to files is in files/; nothing of this is loaded by a build whose steps are
 * all in the cache.
 */
import { lookUpUser } from "../../engine/specification/user-lookup.ts";
import { readLayeredFile } from "../../mount/layered-file.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import { type CopyPart, changeFiles } from "../files/change-files.ts";
import type { FileSource } from "../files/file-source.ts";
import { type CopyStep, fileWork } from "./copy-step.ts";
import type { BuildSession } from "./session.ts";
import type { StepWork } from "./step.ts";

/**
 * Does a copy.
 * @throws BunkerError as `changeFiles`, `user_not_found`, `group_not_found`
 */
export async function executeCopy(
  session: BuildSession,
  step: CopyStep,
  stamps: readonly { readonly stamp: string | undefined }[],
  isIndependent: boolean,
  { staging, lower, inputs, vertex }: StepWork,
): Promise<void> {
  const rest = inputs.values();
  const parts: CopyPart[] = [];
  for (const [place, { from, paths, unpacks }] of step.sources.entries()) {
    const source: FileSource =
      from.kind === "outside" ? await from.open() : { kind: "layers", layers: rest.next().value ?? [] };
    const { excluded, keepsParents } = step;
    parts.push({ source, paths, excluded, keepsParents, unpacks, stamp: stamps[place]?.stamp });
  }
  const owner = step.chown === undefined ? undefined : ownerOf(step.chown, lower);
  const { destination, chmod: mode } = step;
  const operation = { kind: "copy", parts, destination, owner, mode } as const;
  const { warnings } = await change(session, staging, isIndependent ? [] : lower, operation);
  for (const warning of warnings) session.observer.warn(`${vertex.name}: ${warning}`);
}

/** Makes the directory of a WORKDIR. */
export async function executeMakeDirectory(
  session: BuildSession,
  path: string,
  user: string,
  { staging, lower }: StepWork,
): Promise<void> {
  await change(session, staging, lower, {
    kind: "make-directory",
    path,
    owner: user === "" ? undefined : ownerOf(user, lower),
  });
}

async function change(
  session: BuildSession,
  staging: string,
  lower: readonly string[],
  operation: Parameters<typeof changeFiles>[1][number],
) {
  const mountPoints = session.cache.makeStaging();
  try {
    const root = { lower, upper: `${staging}/diff`, work: `${staging}/work` };
    return await changeFiles(root, [operation], fileWork(session, mountPoints), session.signal);
  } finally {
    for (const path of [mountPoints, `${staging}/work`, `${staging}/work.boot`]) removeTree(path);
  }
}

/** Who `--chown` names, and who USER names to own what WORKDIR makes. Of a number alone the group is the same, as the reference says. */
function ownerOf(chown: string, lower: readonly string[]): { readonly uid: number; readonly gid: number } {
  const read = (path: string) => readLayeredFile(lower, path) ?? "";
  const specification = /^\d+$/.test(chown) ? `${chown}:${chown}` : chown;
  const { uid, gid } = lookUpUser(specification, read("etc/passwd"), read("etc/group"), []);
  return { uid, gid };
}
