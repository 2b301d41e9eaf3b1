/*
 * The configuration of a built image, in the form that BuildKit gives it: what its base says, what the stage has changed,
 * and a history with a line for each instruction. All times in it are those at which the layers were made, so that a build
 * that finds everything in the cache makes the same image, byte for byte; with SOURCE_DATE_EPOCH they are that one.
 */
import type { Digest } from "../../image/digest.ts";
import type { PlannedStage } from "../graph/plan-stage.ts";
import type { Root } from "../graph/root.ts";
import { readBase } from "../layers/image-configuration.ts";
import { INLINE_MEMBER } from "../remote-cache/cache-document.ts";

const COMMENT = "buildkit.dockerfile.v0";

/** What is said of an image besides what its stage says. */
export interface ImageDetails {
  /** Of the command line; they come after those of the Dockerfile. */
  readonly labels: Readonly<Record<string, string>>;
  /** From the lowest layer to the uppermost. */
  readonly diffIds: readonly Digest[];
  /** Seconds since 1970 that are stated instead of times. */
  readonly sourceDateEpoch: number | undefined;
  /** What is one layer: all that its steps have made, or everything; undefined for none. */
  readonly squashed: "added" | "everything" | undefined;
  /** Names of what its environment does not have, whatever its stage says. */
  readonly unsetVariables: readonly string[];
  /** Whether nothing is said of its steps, nor of those of its base. */
  readonly omitsHistory: boolean;
  /** The records of a build cache inside it. */
  readonly cache: string | undefined;
}

/**
 * Writes the configuration of an image.
 * @returns its bytes
 */
export function imageDocument(
  { base, platform, configuration, author, history }: PlannedStage,
  root: Root,
  { labels, diffIds, sourceDateEpoch, squashed, unsetVariables, omitsHistory, cache }: ImageDetails,
): Buffer {
  const below = base === undefined ? undefined : readBase(base);
  const stated = sourceDateEpoch === undefined ? undefined : new Date(sourceDateEpoch * 1000).toISOString();
  const times = root.layers.map(({ created }) => stated ?? new Date(created).toISOString());
  let time = stated ?? times[0] ?? below?.created ?? new Date().toISOString();
  const rest = times.values();
  const lines = history.map(({ createdBy, hasLayer }) => {
    if (hasLayer) time = rest.next().value ?? time;
    return {
      created: time,
      created_by: createdBy,
      comment: COMMENT,
      ...(hasLayer && squashed === undefined ? {} : { empty_layer: true }),
    };
  });
  // As Docker's builder told of it.
  const baseCount = base?.image.layers.length ?? 0;
  const count = root.layers.length + (squashed === "everything" ? baseCount : 0);
  const merge = squashed === undefined ? [] : [{ created: time, comment: `merge of ${count} layers` }];
  const inherited = completed(below?.history ?? [], baseCount).map((entry) =>
    squashed === "everything" ? { ...entry, empty_layer: true } : entry,
  );
  const { os, architecture, variant } = platform;
  const allLabels = { ...configuration.Labels, ...labels };
  const writer = author ?? below?.author;
  const document = {
    ...(writer === undefined || writer === "" ? {} : { author: writer }),
    architecture,
    config: {
      ...configuration,
      ...(unsetVariables.length > 0 ? { Env: without(configuration.Env ?? [], unsetVariables) } : {}),
      ...(Object.keys(allLabels).length > 0 ? { Labels: sorted(allLabels) } : {}),
      ...(configuration.WorkingDir === undefined ? { WorkingDir: "/" } : {}),
    },
    created: time,
    ...(omitsHistory ? {} : { history: [...inherited, ...lines, ...merge] }),
    os,
    rootfs: { type: "layers", diff_ids: diffIds },
    ...(variant === undefined ? {} : { variant }),
    ...(cache === undefined ? {} : { [INLINE_MEMBER]: cache }),
  };
  return Buffer.from(JSON.stringify(document));
}

/** A history with an entry for each layer, also where an image says nothing of some: entries are counted from below. */
function completed(
  history: readonly { readonly empty_layer?: boolean | null | undefined }[],
  layers: number,
): object[] {
  const known = history.filter((entry) => entry.empty_layer !== true).length;
  return [...history, ...Array.from({ length: Math.max(0, layers - known) }, () => ({}))];
}

/** Entries `NAME=value` but for some names. */
function without(environment: readonly string[], names: readonly string[]): readonly string[] {
  return environment.filter((entry) => !names.some((name) => entry.startsWith(`${name}=`)));
}

function sorted(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1)));
}
