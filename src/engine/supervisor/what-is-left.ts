import { Leftovers } from "../../runtime/namespace-members.ts";
import { Orphans } from "../../runtime/orphans.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import type { Reactor } from "../../sys/reactor.ts";
import { ownChildren } from "./children.ts";

/**
 * Sees to it that nothing of a container outlives its first process, where the kernel does not: outside of a pid namespace
 * of its own.
 * @param pid of the first process
 * @param mountNamespace of a container in another one's pid namespace, open; undefined in the host's
 * @returns what kills the rest when it is disposed of
 */
export function takeWhatIsLeft(reactor: Reactor, pid: number, mountNamespace: FileDescriptor | undefined): Disposable {
  if (mountNamespace !== undefined) return new Leftovers(mountNamespace);
  const orphans = new Orphans(ownChildren);
  orphans.watch(reactor, pid);
  return orphans;
}
