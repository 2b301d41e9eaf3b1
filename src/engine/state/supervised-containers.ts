/*
 * Which containers have a supervisor, for who asks for many at once.
 *
 * That the lock of a container is held says it, and is what counts; but it takes three calls for each container, to open
 * its file, to ask and to close it. So each supervisor locks a place in one file more, `<data>/supervisors.lock`, in which
 * the first 52 bits of a container's id are its byte, and then one call for each container is enough. Both locks end with
 * the supervisor. Who has no place locked may have a supervisor all the same, of an older Bunker or of a full disk, or a
 * command that works on it: then its own lock is to be asked for.
 */
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { openFile } from "../../sys/named-file.ts";
import { OpenFlag } from "../../sys/open.ts";
import { isRangeLocked } from "../../sys/record-lock.ts";
import { supervisorsFile, supervisorsPlace } from "./container-lock.ts";

/** Who can be asked for supervisors, until it is disposed of. */
export interface SupervisedContainers extends Disposable {
  /** Whether a container is sure to have one: false says nothing. */
  has(id: string): boolean;
}

/** Opens what supervisors have said. */
export function supervisedContainers(data: string): SupervisedContainers {
  let file: FileDescriptor | undefined;
  try {
    file = openFile(supervisorsFile(data), OpenFlag.O_RDONLY);
  } catch {
    // No supervisor has been here yet.
  }
  return {
    has: (id) => file !== undefined && isRangeLocked(file.number, supervisorsPlace(id), 1) === 1,
    [Symbol.dispose]: () => file?.close(),
  };
}
