/*
 * Theory of operation: the processes of a container that lives in another's pid namespace.
 *
 * There the kernel does not end a container as a whole: its first process is process 1 of nothing, and what is left of
 * the container when that ends becomes a child of the other's process 1. Nor does a child subreaper help (orphans.ts):
 * the kernel looks for one in the orphan's own pid namespace only, and whoever launched the container is outside.
 *
 * But each container has a mount namespace of its own, which nobody joins but processes of `exec`, and which passes to
 * every child. So the container's processes are those in its mount namespace, and what descends from them. The
 * namespace is held open by a descriptor as long as it tells processes apart, since the kernel gives its number away
 * again. To leave it a process needs CAP_SYS_ADMIN, which containers have only if they were given it (--privileged,
 * --cap-add): who leaves with it and then loses its parent is not found any more, and ends with the other container.
 *
 * Whoever finds the container's supervisor killed, which has held the namespace open, knows the namespace by its id
 * (`killMembers`).
 *
 * No process gets out of its pid namespace. So who is in the mount namespace and yet among the host's processes, as a
 * shell that nsenter(1) has started there, is the host's and no part of the container.
 */
import { Errno } from "../sys/errno.ts";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { directoryNames, openFile } from "../sys/named-file.ts";
import { mountNamespaceId, namespaceOf, openedNamespace } from "../sys/namespace.ts";
import { OpenFlag } from "../sys/open.ts";
import { endsWithin, identify, openIdentified, type ProcessIdentity, processStatus } from "../sys/process-identity.ts";
import { Signal } from "../sys/signal.ts";
import { SystemCall, systemCall } from "../sys/system-call.ts";

/** How long a killed process is waited for until all are looked at again, in seconds. */
const PATIENCE = 1;

/**
 * The processes in a mount namespace, and what descends from them; but for those of our own pid namespace.
 * @param namespace as `namespaceOf` gives it
 * @returns those that have not ended, with their pids as seen from here
 */
export function mountNamespaceMembers(namespace: string): ProcessIdentity[] {
  const own = namespaceOf("self", "pid");
  const known = new Map<number, { readonly startTime: number; readonly isMember: boolean }>();
  const isMember = (pid: number): boolean => {
    const status = processStatus(pid);
    if (status === undefined) return false;
    const { parent, startTime } = status;
    const found = known.get(pid);
    // A pid may have come again since.
    if (found?.startTime === startTime) return found.isMember;
    // Whoever is met again on the way up is none: pids that came again while we looked may seem to descend in a circle.
    known.set(pid, { startTime, isMember: false });
    const isApart = namespaceOf(pid, "pid") !== own;
    const result = isApart && (namespaceOf(pid, "mnt") === namespace || descendsFromMember(pid, parent));
    known.set(pid, { startTime, isMember: result });
    return result;
  };
  // Of a parent that has ended meanwhile the pid may be a member's by now; but then it is the parent no more.
  const descendsFromMember = (pid: number, parent: number) =>
    parent !== 0 && isMember(parent) && processStatus(pid)?.parent === parent;
  return directoryNames("/proc").flatMap((name) => {
    // Its identity comes first: who is opened by it afterwards is who was asked about.
    const identity = /^\d+$/.test(name) ? identify(Number(name)) : undefined;
    return identity !== undefined && isMember(identity.pid) ? [identity] : [];
  });
}

/**
 * What a container leaves behind in another's pid namespace. Disposing it, when the container's first process has ended,
 * kills what there still is.
 */
export class Leftovers implements Disposable {
  readonly #namespace: FileDescriptor;

  /** @param namespace the container's mount namespace, open */
  constructor(namespace: FileDescriptor) {
    this.#namespace = namespace;
  }

  [Symbol.dispose](): void {
    using namespace = this.#namespace;
    const name = openedNamespace(namespace.number);
    while (name !== undefined) {
      using opened = new DisposableStack();
      const members = mountNamespaceMembers(name).flatMap((member) => {
        const pidfd = openIdentified(member);
        return pidfd === undefined ? [] : [opened.use(pidfd)];
      });
      // Who of the host has entered the container, such as its root, is not ours to kill.
      const killed = members.filter(
        ({ number }) => systemCall(SystemCall.pidfd_send_signal, number, Signal.SIGKILL, 0, 0) !== -Errno.EPERM,
      );
      if (killed.length === 0) return;
      for (const pidfd of killed) endsWithin(pidfd, PATIENCE);
    }
  }
}

/**
 * Kills the processes in a mount namespace, and what descends from them; but for those of our own pid namespace.
 * @param id as `mountNamespaceId` gives it; nothing is done where no process is in such a namespace any more
 */
export function killMembers(id: string): void {
  const namespace = openMountNamespace(id);
  if (namespace !== undefined) new Leftovers(namespace)[Symbol.dispose]();
}

function openMountNamespace(id: string): FileDescriptor | undefined {
  const own = namespaceOf("self", "pid");
  const seen = new Set<string>();
  for (const pid of directoryNames("/proc")) {
    if (!/^\d+$/.test(pid) || namespaceOf(pid, "pid") === own) continue;
    const name = namespaceOf(pid, "mnt");
    if (name === undefined || seen.has(name)) continue;
    seen.add(name);
    using opened = new DisposableStack();
    try {
      const namespace = opened.use(openFile(`/proc/${pid}/ns/mnt`, OpenFlag.O_RDONLY));
      if (mountNamespaceId(namespace.number) !== id) continue;
      opened.move();
      return namespace;
    } catch {
      // It has just ended: another one in the same namespace may be met yet.
      seen.delete(name);
    }
  }
  return undefined;
}
