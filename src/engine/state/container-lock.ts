/* What a supervisor needs of containers' directories; container-directory.ts says how they are kept. */
import { FileDescriptor } from "../../sys/file-descriptor.ts";
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

/** Takes over a lock from a descriptor that holds it. */
export function inheritedLock(descriptor: number): ContainerLock {
  const file = new FileDescriptor(descriptor);
  return {
    get number() {
      return file.number;
    },
    release: () => void lockRange(file.number, RecordLock.release, 0, 0),
    [Symbol.dispose]: () => file.close(),
  };
}
