/*
 * What is mounted in another mount namespace, such as another container's /dev/shm.
 *
 * The kernel copies mounts only of the mount namespace that the caller is in, and who has gone there cannot come back: an
 * ordinary user has no rights over the host's, where everything else is to be found. So a process of its own goes. It
 * shares the table of descriptors with the one that has cloned it, so that the detached copy of the mount that it opens
 * is open here, too, and leaves.
 *
 * Nothing over there is trusted: the path is resolved below the root of that namespace without magic links, and a mount of
 * any other namespace could not be copied.
 */
import type { Slot } from "../../launch/operation.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import { CloneFlag } from "../../sys/clone.ts";
import { WaitFor, WaitOption } from "../../sys/process.ts";
import { Signal } from "../../sys/signal.ts";
import { closeSlot, openDirectory, openInRoot } from "./files.ts";
import { cloneTree } from "./mounts.ts";

/** A place in another mount namespace. */
export interface ForeignPlace {
  /** An open descriptor of the mount namespace. */
  readonly namespace: number;
  /** Absolute there. */
  readonly path: string;
}

/**
 * Emits the copying of what is mounted somewhere else, by a process with rights over that mount namespace.
 * @returns the slot with the detached mount's descriptor
 */
export function fetchForeignMount(program: LaunchProgram, { namespace, path }: ForeignPlace): Slot {
  const NONE = -1;
  const what = { operation: "copy from another mount namespace", object: path };
  const fetched = program.slot("foreign mount");
  const pid = program.slot("who fetches it");
  const child = program.label("in the other mount namespace");
  const done = program.label("fetched");
  program.set(fetched, NONE);
  program.fork(what, { child, flags: CloneFlag.FILES | Signal.SIGCHLD, result: pid });
  program.call("waitid", [WaitFor.PID, pid, 0, WaitOption.WEXITED, 0], what);
  program.branch(fetched, "not equal", NONE, done);
  // It has said itself why it has failed.
  program.call("exit_group", [1], { operation: "leave" });
  program.place(child);
  program.call("setns", [namespace, CloneFlag.NEWNS], what);
  const root = openDirectory(program, "/", "root of the other mount namespace");
  const place = openInRoot(program, root, path, { what });
  const tree = cloneTree(program, place, true, what);
  for (const opened of [root, place]) closeSlot(program, opened);
  program.add(fetched, tree, 0);
  program.call("exit_group", [0], { operation: "leave" });
  program.place(done);
  program.release(tree);
  program.release(pid);
  return fetched;
}
