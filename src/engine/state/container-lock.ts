/* What a supervisor needs of containers' directories; container-directory.ts says how they are kept. */
import { encodeText } from "../../sys/byte-string.ts";
import { duplicate } from "../../sys/duplicate.ts";
import { openAt } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { lockRange, RecordLock } from "../../sys/record-lock.ts";

/** The lock on a container; container-directory.ts. */
export interface ContainerLock extends Disposable {
  /** The descriptor that whoever inherits it holds the lock by. */
  readonly number: number;
  /** Gives the lock back although other processes have inherited it. */
  release(): void;
}

/** The directory of a container. */
export function containerDirectory(data: string, id: string): string {
  return `${data}/containers/${id}`;
}

/**
 * Takes over a lock from a descriptor that holds it.
 * @param place what is closed with it
 */
export function inheritedLock(descriptor: number, place?: FileDescriptor): ContainerLock {
  const file = new FileDescriptor(descriptor);
  return {
    get number() {
      return file.number;
    },
    release: () => {
      lockRange(file.number, RecordLock.release, 0, 0);
      place?.close();
    },
    [Symbol.dispose]: () => {
      file.close();
      place?.close();
    },
  };
}

/** The file in which supervisors lock the places of their containers; supervised-containers.ts. */
export function supervisorsFile(data: string): string {
  return `${data}/supervisors.lock`;
}

/** The byte of that file which stands for a container. */
export function supervisorsPlace(id: string): number {
  return Number.parseInt(id.slice(0, 13), 16);
}

/**
 * Takes over a lock as the container's supervisor, and says to lists that there is one as long as it holds it. Where that
 * cannot be said, on a full disk, lists look for the lock itself.
 */
export function supervisorsLock(descriptor: number, data: string, id: string): ContainerLock {
  const flags = OpenFlag.O_RDONLY | OpenFlag.O_CREAT | OpenFlag.O_CLOEXEC;
  const opened = openAt(AT_FDCWD, encodeText(supervisorsFile(data)), flags, 0o600);
  if (opened < 0) return inheritedLock(descriptor);
  using file = new FileDescriptor(opened);
  // When a supervisor is killed the kernel closes its descriptors in their order, and some, such as a network's device,
  // take long. Lists must not find the place locked when the lock is free, so it is the descriptor behind the lock's.
  const place = duplicate(file.number, descriptor + 1);
  // Shared, because a supervisor that starts its container again holds it until its successor does.
  lockRange(place.number, RecordLock.shared, supervisorsPlace(id), 1);
  return inheritedLock(descriptor, place);
}
