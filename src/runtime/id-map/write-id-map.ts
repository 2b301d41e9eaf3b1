/*
 * Writing the id maps of a user namespace that a child has just made; user_namespaces(7).
 *
 * Who has CAP_SETUID and CAP_SETGID where the namespace was made (root, also root of an outer user namespace) writes
 * /proc/PID/uid_map and gid_map itself. Everyone else may write only their own id; for more, newuidmap and newgidmap
 * check the user's ranges and write. They are the only programs that Bunker runs on the host, and run side by side.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { launch, readFailure } from "../../launch/launch.ts";
import { LaunchProgram } from "../../launch/program.ts";
import { CloneFlag } from "../../sys/clone.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { waitForExit } from "../../sys/process.ts";
import { pipe } from "../../sys/socket.ts";
import { hasCapabilities } from "../callers-capabilities.ts";
import { findHelper, type HelperName } from "./find-helper.ts";
import { formatMap, type IdMap } from "./id-mapping.ts";

const PROGRAM_SIZE = 16384;
const STANDARD_ERROR = 2;

/** Whether this process may write any map, and mount, chown and so on where it is. */
export function isPrivileged(): boolean {
  return hasCapabilities(["CAP_SETUID", "CAP_SETGID"]);
}

/** Whether this process is in the initial user namespace, as far as its id map tells. */
export function isInInitialUserNamespace(): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));
}

/**
 * Whether setgroups(2) will be permitted in a user namespace made by this process with this map.
 * @param privileged see `isPrivileged`
 */
export function permitsSetGroups(map: IdMap, privileged: boolean): boolean {
  // Where it is denied to us, it is denied in every namespace below.
  if (privileged) return readFileSync("/proc/self/setgroups", "utf8").trim() !== "deny";
  return !isOwnIdOnly(map);
}

function isOwnIdOnly({ uidMappings, gidMappings }: IdMap): boolean {
  const [user, ...moreUsers] = uidMappings;
  const [group, ...moreGroups] = gidMappings;
  return (
    moreUsers.length === 0 &&
    moreGroups.length === 0 &&
    user?.size === 1 &&
    user.hostID === process.geteuid?.() &&
    group?.size === 1 &&
    group.hostID === process.getegid?.()
  );
}

/**
 * Starts to write both maps.
 * @param pid of a process in the new namespace, a child of this one
 * @returns a function that waits until they are written; called again, it does nothing
 * @throws BunkerError `id_map_refused` with what the kernel or the helper said; so does the function
 */
export function beginIdMap(pid: number, map: IdMap, privileged: boolean): () => void {
  if (privileged || isOwnIdOnly(map)) {
    // Without privilege the group map is accepted only after setgroups was given up.
    if (!privileged) write(`/proc/${pid}/setgroups`, "deny");
    writeMapFiles(pid, map);
    return () => {};
  }
  const helpers = [
    startHelper("newuidmap", pid, formatMap(map.uidMappings)),
    startHelper("newgidmap", pid, formatMap(map.gidMappings)),
  ];
  return () => {
    const problems = helpers.splice(0).flatMap((helper) => helper.finish() ?? []);
    if (problems[0] !== undefined) throw problems[0];
  };
}

/** Writes both maps, and waits until they are; see `beginIdMap`. */
export function writeIdMap(pid: number, map: IdMap, privileged: boolean): void {
  beginIdMap(pid, map, privileged)();
}

function writeMapFiles(pid: number, { uidMappings, gidMappings }: IdMap): void {
  write(`/proc/${pid}/gid_map`, formatMap(gidMappings));
  write(`/proc/${pid}/uid_map`, formatMap(uidMappings));
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new BunkerError({
      code: "id_map_refused",
      operation: `write the id map "${text.trim().replaceAll("\n", ", ")}" to`,
      object: path,
      errno: errnoOf(error),
      hint: "an ordinary user can map only their own id without newuidmap and newgidmap",
    });
  }
}

function startHelper(name: HelperName, pid: number, map: string) {
  const search = findHelper(name);
  if (search.kind === "unusable") {
    throw new BunkerError({ code: "id_map_refused", operation: "map subordinate ids", reason: search.problem });
  }
  const [readEnd, writeEnd] = pipe();
  const program = new LaunchProgram(PROGRAM_SIZE);
  const what = { operation: "run", object: search.path };
  const words = map.split(/\s+/).filter((word) => word !== "");
  program.call("dup3", [writeEnd.number, STANDARD_ERROR, 0], what);
  program.call(
    "execve",
    [program.text(search.path), program.texts([name, String(pid), ...words]), program.texts([])],
    what,
  );
  // Sharing memory until exec spares the copy of the page tables; the child touches only the program. Its exec, of a
  // program with privilege, takes a millisecond that we need not wait for.
  const helper = launch(program, { flags: CloneFlag.VM });
  writeEnd.close();
  return {
    /** Waits for the helper; the error if it failed. */
    finish(): BunkerError | undefined {
      const failure = readFailure(helper, program);
      const said = readFileSync(readEnd.number, "utf8").trim();
      const end = waitForExit(helper.pid);
      helper.pidfd.close();
      helper.errors.close();
      readEnd.close();
      program[Symbol.dispose]();
      if (failure !== undefined) return failure;
      if ("exitCode" in end && end.exitCode === 0) return undefined;
      return new BunkerError({
        code: "id_map_refused",
        operation: `map ids by ${name}`,
        object: words.join(" "),
        reason: said === "" ? `it ended with ${JSON.stringify(end)}` : said.split("\n").join("; "),
        hint: "the ranges in /etc/subuid and /etc/subgid must be the user's own and not overlap",
      });
    },
  };
}
