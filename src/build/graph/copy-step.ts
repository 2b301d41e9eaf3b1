/*
 * COPY, ADD and WORKDIR as steps of the graph: what they take from where, and what of that is in their keys.
 */
import { posix } from "node:path";
import { type Digest, digestOf } from "../../image/digest.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import type { FileSelection, FileSource } from "../files/file-source.ts";
import type { FileWork } from "../files/file-work.ts";
import type { BuildSession } from "./session.ts";
import type { RootNode, StepInput } from "./step.ts";

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
  const keyOf = async (source: FileSource, paths: readonly string[], place: number) => {
    const selection = { paths, excluded, keepsParents };
    if (source.kind === "layers") return layersKey(session, source.layers, selection);
    const { digest, stamp } = await session.contextKeys.keyOf(source, selection, session.signal);
    const noted = stamps[place];
    if (noted !== undefined) noted.stamp = stamp;
    return digest;
  };
  const inputs = sources.map(({ from, paths }, place): StepInput => {
    if (from.kind === "root") {
      return { kind: "root", node: from.node, contentKey: (layers) => keyOf({ kind: "layers", layers }, paths, place) };
    }
    let key: Promise<string> | undefined;
    return {
      kind: "outside",
      contentKey: () => {
        key ??=
          from.identity === undefined
            ? from.open().then((source) => keyOf(source, paths, place))
            : Promise.resolve(digestOf(from.identity));
        return key;
      },
    };
  });
  return { inputs, stamps };
}

/**
 * The digest of what an instruction takes from layers.
 * @param layers their directories, the uppermost first
 * @throws BunkerError as `keyOfLayers`
 */
export async function layersKey(
  session: BuildSession,
  layers: readonly string[],
  selection: Omit<FileSelection, "source">,
): Promise<Digest> {
  const { keyOfLayers } = await import("../files/key-of-layers.ts");
  const staging = session.cache.makeStaging();
  try {
    return await keyOfLayers(layers, selection, fileWork(session, staging), session.signal);
  } finally {
    removeTree(staging);
  }
}
