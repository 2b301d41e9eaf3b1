import { Errno } from "./errno.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { Event, type Reactor } from "./reactor.ts";
import { SystemCall, systemCall } from "./system-call.ts";

const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
/** For want of what a connection takes, the next ones wait in the kernel; accept(2). */
const EXHAUSTED: ReadonlySet<number> = new Set([Errno.EMFILE, Errno.ENFILE, Errno.ENOBUFS, Errno.ENOMEM]);

/**
 * Takes the next connection of a socket that a reactor has found readable; accept4(2).
 * @returns undefined when there is none that can be taken now
 */
export function acceptConnection(reactor: Reactor, listener: number): FileDescriptor | undefined {
  const accepted = systemCall(SystemCall.accept4, listener, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (accepted >= 0) return new FileDescriptor(accepted);
  pauseIfExhausted(reactor, listener, -accepted);
  return undefined;
}

/** Has a reactor leave a socket alone for a moment whose connections wait in the kernel, and would call again and again. */
export function pauseIfExhausted(reactor: Reactor, listener: number, errno: number): void {
  if (EXHAUSTED.has(errno)) reactor.pause(listener, Event.IN);
}
