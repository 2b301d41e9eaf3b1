/*
 * The map of a user's own user namespace.
 *
 * An unprivileged user may always map one id: their own, to any id inside. More ids come from /etc/subuid and
 * /etc/subgid, and only the set-user-id helpers newuidmap and newgidmap can write such a map. Bunker's map is always the
 * same one for a user, because the files of images and containers are stored under it: 0 inside is the caller, 1 and up
 * are the subordinate ranges in the file's order, without gaps. Where that cannot be had, the single-id map remains, in
 * which 0 inside is the caller and nothing else exists; the reason is kept, so that whoever misses an id can be told
 * what to change.
 *
 * The kernel refuses a map in which an id occurs twice on either side (user_namespaces(7)); the helpers' message for it
 * names no line of any file, so overlaps are found here first.
 */
import { BunkerError } from "../../sys/error.ts";
import type { IdMapping } from "../configuration/configuration.ts";
import { type IdMap, mappedCount } from "./id-mapping.ts";
import { end, type SubordinateRange, subordinateRanges } from "./subordinate-ranges.ts";

/** Images use ids up to 65535: `nobody` is 65534. */
const USUAL_COUNT = 65536;
/** Where distributions begin to give subordinate ids; SUB_UID_MIN of login.defs(5). */
const FIRST_USUAL_ID = 100000;
/** The kernel takes no more lines in a map since Linux 4.15 (UID_GID_MAP_MAX_EXTENTS). */
const MOST_MAPPINGS = 340;

export interface UserIdMapInput {
  /** The caller's real user and group id. */
  readonly uid: number;
  readonly gid: number;
  /** The caller's login name; undefined when the user database does not know them. */
  readonly userName: string | undefined;
  /** The content of /etc/subuid; undefined when there is none. */
  readonly subuid: string | undefined;
  readonly subgid: string | undefined;
  /** Why newuidmap or newgidmap cannot be used, as `findHelper` says it; undefined when both can. */
  readonly helperProblem: string | undefined;
}

export type UserIdMap =
  | (IdMap & {
      readonly kind: "full";
      /** What will go wrong later, for instance because ids are few; sentences. */
      readonly warnings: readonly string[];
    })
  | (IdMap & {
      readonly kind: "single";
      /** Why there is no full map, and what would give one. */
      readonly reason: string;
      /** The administrator's command that gives the ids that are missing, if it is ids that are missing. */
      readonly remedy?: string;
      /** The same, where the administrator has given ids that cannot be used. */
      readonly warnings: readonly string[];
    });

/**
 * The id map of a user's namespace: the caller as 0 and the subordinate ranges from 1 on, or the caller alone.
 * @throws BunkerError `invalid_subordinate_ids` for malformed lines, overlapping ranges, a range with the caller's own
 * id, and more ranges than the kernel takes: mistakes that are the administrator's to correct, not to be run around
 */
export function userIdMap(input: UserIdMapInput): UserIdMap {
  const { uid, gid, userName, subuid, subgid, helperProblem } = input;
  const users = idMappings("/etc/subuid", subordinateRanges(subuid ?? "", "/etc/subuid", userName, uid), uid);
  const groups = idMappings("/etc/subgid", subordinateRanges(subgid ?? "", "/etc/subgid", userName, uid), gid);
  const without = [...(users.length === 1 ? ["/etc/subuid"] : []), ...(groups.length === 1 ? ["/etc/subgid"] : [])];
  if (without.length > 0) {
    const user = userName ?? String(uid);
    const remedy = giveRanges(user, without, [subuid ?? "", subgid ?? ""]);
    const reason = `${user} has no subordinate ids in ${without.join(" and ")}; an administrator can give some: ${remedy}`;
    return { ...singleIdMap(uid, gid, reason), remedy };
  }
  if (helperProblem !== undefined) {
    return singleIdMap(uid, gid, helperProblem, [`containers have one user id only: ${helperProblem}`]);
  }
  return {
    kind: "full",
    uidMappings: users,
    gidMappings: groups,
    warnings: [...countWarnings("/etc/subuid", users), ...countWarnings("/etc/subgid", groups)],
  };
}

function singleIdMap(uid: number, gid: number, reason: string, warnings: readonly string[] = []) {
  return {
    kind: "single" as const,
    uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
    gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
    reason,
    warnings,
  };
}

/** The command that gives a user the first ids, from where distributions begin, that nobody has in either file. */
function giveRanges(user: string, files: readonly string[], texts: readonly string[]): string {
  const ends = texts.flatMap((text) =>
    [...text.matchAll(/^[^#:\n]+:(\d{1,10}):(\d{1,10})[ \t]*$/gm)].map(
      ([, first, count]) => Number(first) + Number(count),
    ),
  );
  const first = Math.max(FIRST_USUAL_ID, ...ends);
  const range = `${first}-${first + USUAL_COUNT - 1}`;
  const options = files.map((file) => (file === "/etc/subuid" ? "--add-subuids" : "--add-subgids"));
  return `usermod ${options.map((option) => `${option} ${range}`).join(" ")} ${user}`;
}

function idMappings(path: string, ranges: readonly SubordinateRange[], ownId: number): readonly IdMapping[] {
  const own = ranges.find((range) => ownId >= range.first && ownId < end(range));
  if (own !== undefined) {
    throw invalid(
      path,
      `line ${own.line} contains the caller's own id ${ownId}`,
      "Choose a range of ids that nobody has.",
    );
  }
  if (ranges.length >= MOST_MAPPINGS) {
    throw invalid(path, `${ranges.length} ranges for one user, the kernel takes ${MOST_MAPPINGS - 1}`, "Join ranges.");
  }
  const mappings: IdMapping[] = [{ containerID: 0, hostID: ownId, size: 1 }];
  let next = 1;
  for (const { first, count } of ranges) {
    mappings.push({ containerID: next, hostID: first, size: count });
    next += count;
  }
  return mappings;
}

function invalid(path: string, reason: string, hint: string): BunkerError {
  return new BunkerError({ code: "invalid_subordinate_ids", operation: "use", object: path, reason, hint });
}

function countWarnings(path: string, mappings: readonly IdMapping[]): readonly string[] {
  const count = mappedCount(mappings) - 1;
  if (count >= USUAL_COUNT) return [];
  return [`${path} gives only ${count} ids: images with ids above ${count} cannot be used, ${USUAL_COUNT} are usual`];
}
