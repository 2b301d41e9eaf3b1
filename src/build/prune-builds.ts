import { statSync } from "node:fs";
import * as v from "valibot";
import { ownershipOf } from "../engine/ownership.ts";
import { runInterruptibly } from "../runtime/user-namespace-process.ts";
import { BuildCache, buildDirectory } from "./cache/build-cache.ts";
import { type Pruned, type PruneWish, pruneCache } from "./cache/prune-cache.ts";
import { removeLeftGroups } from "./run/group-record.ts";

const requestSchema = v.object({
  data: v.string(),
  wish: v.object({
    all: v.boolean(),
    until: v.optional(v.number(), undefined),
    ids: v.array(v.string()),
    types: v.array(v.string()),
    space: v.object({
      reserved: v.optional(v.number(), undefined),
      maximum: v.optional(v.number(), undefined),
      free: v.optional(v.number(), undefined),
    }),
  }),
});

const prunedSchema = v.pipe(v.string(), v.parseJson(), v.object({ ids: v.array(v.string()), reclaimed: v.number() }));

/**
 * Has records taken out of the build cache by a process that is root where their files belong to.
 * @throws BunkerError as `pruneCache`, and the reason of `signal`
 */
export async function pruneBuilds(data: string, wish: PruneWish, signal: AbortSignal): Promise<Pruned> {
  if (statSync(buildDirectory(data), { throwIfNoEntry: false }) === undefined) return { ids: [], reclaimed: 0 };
  const { userNamespace } = ownershipOf({ kind: "default" }, data);
  const input = JSON.stringify({ data, wish });
  return v.parse(
    prunedSchema,
    await runInterruptibly(userNamespace, { words: ["internal", "prune-builds"], input }, signal),
  );
}

/** Does the same in this process. */
export function pruneBuildsHere(request: unknown, onWarning: (message: string) => void): Pruned {
  const { data, wish } = v.parse(requestSchema, request);
  const { reserved, maximum, free } = wish.space;
  removeLeftGroups(data, onWarning);
  using cache = new BuildCache(data);
  return pruneCache(cache, data, { ...wish, until: wish.until, space: { reserved, maximum, free } });
}
