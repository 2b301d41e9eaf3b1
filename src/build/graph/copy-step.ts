/*
 * COPY, ADD and WORKDIR as steps of the graph. What they do to files is in files/; here it is said what they take from
 * where, and what of that is in their keys.
 */
import { posix } from "node:path";
import { lookUpUser } from "../../engine/specification/user-lookup.ts";
import { digestOf } from "../../image/digest.ts";
import { readLayeredFile } from "../../mount/layered-file.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import { type CopyPart, changeFiles } from "../files/change-files.ts";
import type { FileSource } from "../files/file-source.ts";
import type { FileWork } from "../files/file-work.ts";
import { keyOfFiles } from "../files/key-of-files.ts";
import type { BuildSession } from "./session.ts";
import type { RootNode, StepInput, StepWork } from "./step.ts";

/** What a copy takes from one source. */
export interface CopySource {
  /** Files from outside, or another root file system. */
  readonly from:
    | {
        readonly kind: "outside";
        readonly open: () => Promise<FileSource>;
        /** What the files are known by before they are opened; undefined when only opening them says what they are. */
        readonly identity?: string | undefined;
      }
    | { readonly kind: "root"; readonly node: RootNode };
  readonly paths: readonly string[];
  /** Whether archives are unpacked. */
  readonly unpacks: boolean;
}

/** A COPY or ADD with everything that its stage says of it. */
export interface CopyStep {
  readonly sources: readonly CopySource[];
  /** Absolute; a slash at the end asks for a directory. */
  readonly destination: string;
  /** `USER[:GROUP]`. */
  readonly chown: string | undefined;
  readonly chmod: string | undefined;
  readonly excluded: readonly string[];
  readonly keepsParents: boolean;
}

/** Where files are worked on in a build. */
export function fileWork({ data, ownership, cache }: BuildSession, staging: string = cache.stagingPath): FileWork {
  return { data, userNamespace: undefined, mapping: ownership.mapping, staging };
}

/** A copy's destination in its stage: relative to the working directory, with the slash at its end. */
export function destinationOf(workingDirectory: string, written: string): string {
  const path = posix.resolve("/", workingDirectory, written);
  return /(?:^|\/)\.?$/.test(written) && path !== "/" ? `${path}/` : path;
}

/** What of a copy is in its key, besides the files. */
export function copyDefinition({ sources, ...rest }: CopyStep): object {
  return { kind: "copy", ...rest, sources: sources.map(({ paths, unpacks }) => ({ paths, unpacks })) };
}

/** What a copy reads, and the stamps of what was read from outside, which are there once the keys are. */
export function copyInputs(
  session: BuildSession,
  { sources, excluded, keepsParents }: CopyStep,
): { readonly inputs: readonly StepInput[]; readonly stamps: readonly { stamp: string | undefined }[] } {
  const stamps = sources.map((): { stamp: string | undefined } => ({ stamp: undefined }));
  const keyOf = async (source: FileSource, place: number) => {
    const selection = { source, paths: sources[place]?.paths ?? [], excluded, keepsParents };
    const staging = session.cache.makeStaging();
    try {
      const { digest, stamp } = await keyOfFiles(selection, fileWork(session, staging), session.signal);
      const noted = stamps[place];
      if (noted !== undefined && source.kind === "directory") noted.stamp = stamp;
      return digest;
    } finally {
      removeTree(staging);
    }
  };
  const inputs = sources.map(({ from }, place): StepInput => {
    if (from.kind === "root") {
      return { kind: "root", node: from.node, contentKey: (layers) => keyOf({ kind: "layers", layers }, place) };
    }
    let key: Promise<string> | undefined;
    return {
      kind: "outside",
      contentKey: () => {
        key ??=
          from.identity === undefined
            ? from.open().then((source) => keyOf(source, place))
            : Promise.resolve(digestOf(from.identity));
        return key;
      },
    };
  });
  return { inputs, stamps };
}

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
