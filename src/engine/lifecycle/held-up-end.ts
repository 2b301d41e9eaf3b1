/*
 * Who holds up a container's end. The kernel lets the first process of a pid namespace end when somebody has waited for
 * all others in it (pid_namespaces(7)). The first process of another container that has joined the namespace is waited for
 * by that one's supervisor, and a process of `exec` by its command until it has come so far as to leave that to the kernel
 * (launch/reaped-child.ts). One of them that is stopped, by Ctrl-Z or SIGSTOP, does not. So whoever wants the container's
 * end has it go on: it sees that its process was killed, and ends as well.
 */
import { decodeText, encodeText } from "../../sys/byte-string.ts";
import { readLinkAt } from "../../sys/file.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { directoryNames } from "../../sys/named-file.ts";
import { namespaceOf } from "../../sys/namespace.ts";
import { AT_FDCWD } from "../../sys/open.ts";
import { endsWithin, processOrZombieStatus } from "../../sys/process-identity.ts";
import { Signal } from "../../sys/signal.ts";
import { tell, waitForEnd } from "../supervisor/connect.ts";
import type { Exit } from "../supervisor/parse-answer.ts";

/** Seconds after which an end is late. */
const PATIENCE = 1;

/**
 * Waits for a container's end, and sees to it that nobody who is stopped holds it up.
 * @param socket on which its supervisor says something by then
 * @param pid its first process
 * @param seconds how long at most
 * @returns false when the time is over first
 */
export function endsUnhindered(socket: FileDescriptor, pid: number | undefined, seconds: number): boolean {
  let left = seconds;
  for (; left > PATIENCE; left -= PATIENCE) {
    if (endsWithin(socket, PATIENCE)) return true;
    if (pid !== undefined) continueParents(pid);
  }
  return endsWithin(socket, left);
}

/**
 * Waits for the end of a container that has to end, with no limit.
 * @param socket,pid as in `endsUnhindered`
 * @returns as `waitForEnd`
 */
export function waitForUnhinderedEnd(socket: FileDescriptor, pid: number | undefined): Exit | undefined {
  tell(socket, { kind: "wait" });
  endsUnhindered(socket, pid, Number.POSITIVE_INFINITY);
  return waitForEnd(socket);
}

/** Has those who are stopped go on whose children have ended in the pid namespace of a container's first process. */
function continueParents(first: number): void {
  const namespace = namespaceOf(first, "pid");
  if (namespace === undefined || namespace === namespaceOf("self", "pid")) return;
  for (const name of directoryNames("/proc")) {
    const pid = Number(name);
    const member = Number.isInteger(pid) ? processOrZombieStatus(pid) : undefined;
    if (member?.hasEnded !== true || namespaceOf(pid, "pid") !== namespace) continue;
    const { parent } = member;
    if (executableOf(parent) !== executableOf("self") || processOrZombieStatus(parent)?.isStopped !== true) continue;
    try {
      process.kill(parent, Signal.SIGCONT);
    } catch {
      // It has ended meanwhile.
    }
  }
}

function executableOf(pid: number | "self"): string {
  const path = readLinkAt(AT_FDCWD, encodeText(`/proc/${pid}/exe`));
  return typeof path === "number" ? "" : decodeText(path);
}
