/*
 * Who `--user` is inside an image. Names are those of the image's own /etc/passwd and /etc/group, which are foreign
 * input: lines that are no entries are passed over, as the C library does. A number always means that id, entry or no
 * entry; a name must have one.
 */
import { BunkerError } from "../../sys/error.ts";
import { isDecimal } from "../../sys/is-decimal.ts";

/** The ids a container's process starts with, and where it is at home. */
export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  /** Groups of the user in /etc/group, in its order; none when a group was named. Without `gid` itself. */
  readonly memberGids: readonly number[];
  /** What `--group-add` asked for. */
  readonly addedGids: readonly number[];
  readonly home: string;
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** Docker's bound: the ids above are left to the kernel's own purposes. */
const LARGEST_ID = 0x7fff_ffff;

/**
 * Finds a user and their groups in an image.
 * @param specification `name`, `uid`, `name:group`, `uid:gid`, …; empty for uid 0
 * @param passwdText and `groupText`: /etc/passwd and /etc/group of the root file system, empty if missing
 * @param additionalGroups names or ids of further groups
 * @throws BunkerError `user_not_found` or `group_not_found` for a name without an entry and an id out of range
 */
export function lookUpUser(
  specification: string,
  passwdText: string,
  groupText: string,
  additionalGroups: readonly string[],
): ContainerUser {
  const separator = specification.indexOf(":");
  const userPart = separator < 0 ? specification : specification.slice(0, separator);
  const groupPart = separator < 0 ? "" : specification.slice(separator + 1);
  const groups = parseGroups(groupText);
  const user = findUser(userPart === "" ? "0" : userPart, parsePasswd(passwdText));
  const gid = groupPart === "" ? user.gid : findGroup(groupPart, groups);
  const memberOf = groupPart === "" ? groups.filter(({ members }) => members.includes(user.name)) : [];
  return {
    uid: user.uid,
    gid,
    memberGids: [...new Set(memberOf.map((group) => group.gid))].filter((member) => member !== gid),
    addedGids: additionalGroups.map((group) => findGroup(group, groups)),
    home: user.home === "" ? "/" : user.home,
  };
}

function findUser(user: string, entries: readonly PasswdEntry[]): PasswdEntry {
  const uid = parseId(user);
  const entry = entries.find((candidate) => (uid === undefined ? candidate.name === user : candidate.uid === uid));
  if (entry !== undefined && entry.uid <= LARGEST_ID && entry.gid <= LARGEST_ID) return entry;
  const code = "user_not_found";
  if (entry !== undefined) throw outOfRange(code, "user", user);
  if (uid === undefined) throw notFound(code, "user", user, "no matching entries in passwd file");
  if (uid > LARGEST_ID) throw outOfRange(code, "user", user);
  return { name: "", uid, gid: 0, home: "/" };
}

function findGroup(group: string, entries: readonly GroupEntry[]): number {
  const wanted = parseId(group);
  const gid = wanted ?? entries.find(({ name }) => name === group)?.gid;
  if (gid === undefined) throw notFound("group_not_found", "group", group, "no matching entries in group file");
  if (gid > LARGEST_ID) throw outOfRange("group_not_found", "group", group);
  return gid;
}

function notFound(code: string, kind: string, name: string, reason: string): BunkerError {
  const hint = `Name a ${kind} of the image, or give a number.`;
  return new BunkerError({ code, operation: `unable to find ${kind}`, object: name, reason, hint });
}

function outOfRange(code: string, kind: string, name: string): BunkerError {
  const reason = `ids must be in the range 0-${LARGEST_ID}`;
  return new BunkerError({ code, operation: `unable to find ${kind}`, object: name, reason });
}

function parsePasswd(text: string): readonly PasswdEntry[] {
  const entries: PasswdEntry[] = [];
  for (const line of text.split("\n")) {
    const [name = "", , uidText = "", gidText = "", , home = ""] = line.split(":");
    const uid = parseId(uidText);
    const gid = parseId(gidText);
    if (name !== "" && uid !== undefined && gid !== undefined) entries.push({ name, uid, gid, home });
  }
  return entries;
}

function parseGroups(text: string): readonly GroupEntry[] {
  const entries: GroupEntry[] = [];
  for (const line of text.split("\n")) {
    const [name = "", , gidText = "", members = ""] = line.split(":");
    const gid = parseId(gidText);
    if (name === "" || gid === undefined) continue;
    entries.push({ name, gid, members: members.split(",").filter((member) => member !== "") });
  }
  return entries;
}

function parseId(text: string): number | undefined {
  return isDecimal(text) ? Number(text) : undefined;
}
