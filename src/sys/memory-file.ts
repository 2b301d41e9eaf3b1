import { ftruncateSync, writeSync } from "node:fs";
import { FileDescriptor } from "./file-descriptor.ts";
import { allocate, type Memory } from "./memory.ts";
import { check, SystemCall, systemCall } from "./system-call.ts";

const MFD_CLOEXEC = 1;
const LONGEST_NAME = 249;

let nameMemory: Memory | undefined;

/** A file that exists only in memory and goes with its last descriptor; memfd_create(2). */
export class MemoryFile implements Disposable {
  readonly descriptor: FileDescriptor;

  /** @param name for people who look into /proc/PID/fd */
  constructor(name: string) {
    nameMemory ??= allocate(LONGEST_NAME + 1);
    nameMemory.buffer.write(`${name.slice(0, LONGEST_NAME)}\0`, "latin1");
    this.descriptor = new FileDescriptor(
      check(systemCall(SystemCall.memfd_create, nameMemory.address, MFD_CLOEXEC), "make a memory file"),
    );
  }

  /** Replaces the content. */
  write(text: string): void {
    ftruncateSync(this.descriptor.number, 0);
    writeSync(this.descriptor.number, text, 0);
  }

  [Symbol.dispose](): void {
    this.descriptor.close();
  }
}
