import { chmodSync, mkdirSync } from "node:fs";
import * as v from "valibot";
import { BunkerError } from "../../sys/error.ts";
import { type ChangeFilesRequest, changeFilesAnswerSchema } from "./change-files-request.ts";
import type { FileSelection } from "./file-source.ts";
import { type FileWork, WorkRoots } from "./file-work.ts";

/** Files that a copy takes from one source. */
export interface CopyPart extends FileSelection {
  /** Whether a file that is an archive is unpacked, with the owners that it states. */
  readonly unpacks: boolean;
  /** The stamp of their key (content-key.ts), when the copy belongs under it. */
  readonly stamp: string | undefined;
}

/** What is done to a root file system. */
export type FileOperation =
  | {
      readonly kind: "copy";
      readonly parts: readonly CopyPart[];
      /** From the root; a slash at the end asks for a directory. */
      readonly destination: string;
      /** Who gets the files; undefined is root for those of a directory, and leaves those of layers to their owners. */
      readonly owner: { readonly uid: number; readonly gid: number } | undefined;
      /** The value of `--chmod`. */
      readonly mode: string | undefined;
    }
  | {
      /** Makes a directory, and those above it, unless it is there. */
      readonly kind: "make-directory";
      readonly path: string;
      readonly owner: { readonly uid: number; readonly gid: number } | undefined;
    };

/** A root file system, and the layer that is made on top of it. */
export interface ChangedRoot {
  /** Directories of the layers below, the uppermost first; none for an empty root file system, or a layer that is to depend on none. */
  readonly lower: readonly string[];
  /** The directory of the new layer; made by this, as are the next two. */
  readonly upper: string;
  /** Beside `upper`, for the kernel. */
  readonly work: string;
}

export interface ChangeReport {
  /** Bytes of the files that were written. */
  readonly size: number;
  readonly warnings: readonly string[];
}

/**
 * Changes a root file system. The new layer is `upper`, in the form that overlay has it.
 * @throws BunkerError `source_not_found`, `copy_failed`, `no_space`, `archive_invalid`, `invalid_mode`, `invalid_pattern`;
 *   `context_changed` when files are not those of the key any more; and the reason of `signal`
 */
export async function changeFiles(
  { lower, upper, work }: ChangedRoot,
  operations: readonly FileOperation[],
  where: FileWork,
  signal: AbortSignal,
): Promise<ChangeReport> {
  using roots = new WorkRoots(where);
  mkdirSync(upper);
  // mkdir's mode is cut by the umask, but this is the root directory of a root file system.
  chmodSync(upper, 0o755);
  let target: number;
  if (lower.length === 0) target = roots.directory(upper);
  else {
    mkdirSync(work);
    target = roots.layers(lower, { upper, work, volatile: true });
  }
  const plans = operations.map((operation) => planOf(operation, roots));
  const request = (descriptors: readonly number[]): ChangeFilesRequest => ({
    target: descriptors[target] ?? -1,
    mapping: where.mapping,
    operations: plans.map((plan) => plan(descriptors)),
    time: Math.floor(Date.now() / 1000),
  });
  const answer = await roots.run("change-files", request, signal);
  const { size, stamps, warnings } = v.parse(v.pipe(v.string(), v.parseJson(), changeFilesAnswerSchema), answer);
  operations.forEach((operation, index) => {
    if (operation.kind !== "copy") return;
    operation.parts.forEach(({ stamp }, part) => {
      if (stamp !== undefined && stamp !== stamps[index]?.[part]) throw changed();
    });
  });
  return { size, warnings };
}

type PlannedOperation = ChangeFilesRequest["operations"][number];

/** Has the roots made that an operation needs; returns what it is once they have descriptors. */
function planOf(operation: FileOperation, roots: WorkRoots): (descriptors: readonly number[]) => PlannedOperation {
  if (operation.kind === "make-directory") return () => ({ ...operation });
  const { destination, owner, mode } = operation;
  const parts = operation.parts.map(({ source, paths, excluded, keepsParents, unpacks }) => {
    if (source.kind === "texts") return () => ({ kind: "texts" as const, files: [...source.files] });
    const isDirectory = source.kind === "directory";
    const root = isDirectory ? roots.directory(source.path) : roots.layers(source.layers);
    return (descriptors: readonly number[]) => ({
      kind: "tree" as const,
      root: descriptors[root] ?? -1,
      owners: isDirectory ? ("root" as const) : ("kept" as const),
      ignored: isDirectory ? [...source.ignored] : [],
      paths: [...paths],
      excluded: [...excluded],
      keepsParents,
      unpacks,
    });
  });
  return (descriptors) => ({ kind: "copy", parts: parts.map((part) => part(descriptors)), destination, owner, mode });
}

function changed(): BunkerError {
  return new BunkerError({
    code: "context_changed",
    operation: "copy files of the build context",
    reason: "somebody has changed them since they were looked at",
    hint: "Build again when nothing writes there any more.",
    exitStatus: 1,
  });
}
