/*
 * A child that is root of a user namespace of its own before it does anything else.
 *
 * It waits until its id map is written, which takes newuidmap and newgidmap for a user with subordinate ids, and becomes
 * user 0. Everything it makes a namespace of besides belongs to that user namespace.
 */

import { launch, type ObservedProcess } from "../launch/launch.ts";
import type { LaunchProgram } from "../launch/program.ts";
import { CloneFlag } from "../sys/clone.ts";
import { nodeFileSystem } from "../sys/node-modules.ts";
import { waitForExit } from "../sys/process.ts";
import { pipe } from "../sys/socket.ts";
import type { IdMap } from "./id-map/id-mapping.ts";
import { isPrivileged, writeIdMap } from "./id-map/write-id-map.ts";
import { explainingRefusal } from "./user-namespace-refusal.ts";

/**
 * Launches such a child.
 * @param program an empty one
 * @param map of the user namespace; undefined stays in the present one, for a caller who is root there
 * @param flags bits of `CloneFlag`: the other namespaces to make
 * @param emit adds to the program what the child does as root
 * @throws BunkerError `no_user_namespace`, `id_map_refused`; nothing is left of the child then
 */
export function launchAsRoot(
  program: LaunchProgram,
  map: IdMap | undefined,
  flags: number,
  emit: () => void,
): ObservedProcess {
  if (map === undefined) {
    emit();
    return launch(program, { flags });
  }
  const [goRead, goWrite] = pipe();
  using cleanup = new DisposableStack();
  cleanup.use(goRead);
  cleanup.use(goWrite);
  const what = { operation: "become root of a user namespace" };
  const buffer = program.reserve(8);
  const count = program.slot("count");
  const mapped = program.label("mapped");
  program.call("close", [goWrite.number], what);
  program.call("read", [goRead.number, buffer.address, 1], what, { result: count });
  program.branch(count, "equal", 1, mapped);
  program.call("exit_group", [1], what);
  program.place(mapped);
  program.release(count);
  program.call("setresgid", [0, 0, 0], what);
  program.call("setresuid", [0, 0, 0], what);
  emit();
  const all = flags | CloneFlag.NEWUSER;
  const child = explainingRefusal(all, () => launch(program, { flags: all }));
  try {
    writeIdMap(child.pid, map, isPrivileged());
    nodeFileSystem().writeSync(goWrite.number, ".");
    return child;
  } catch (error) {
    goWrite.close();
    waitForExit(child.pid);
    child.pidfd.close();
    child.errors.close();
    throw error;
  }
}
