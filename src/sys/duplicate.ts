import { FileDescriptor } from "./file-descriptor.ts";
import { check, SystemCall, systemCall } from "./system-call.ts";

/** See fcntl(2); the number is the same on all architectures. */
export const F_DUPFD_CLOEXEC = 1030;

/**
 * Duplicates a file descriptor; F_DUPFD_CLOEXEC of fcntl(2).
 * @param lowest number that the new one may have; above those of standard input, output and errors unless told
 * @returns the new one, which is closed on exec
 * @throws BunkerError `system_call_failed`
 */
export function duplicate(descriptor: number, lowest = 3): FileDescriptor {
  const result = systemCall(SystemCall.fcntl, descriptor, F_DUPFD_CLOEXEC, lowest);
  return new FileDescriptor(check(result, "duplicate a file descriptor"));
}
