import { ftruncateSync, writeSync } from "node:fs";
import { FileDescriptor } from "./file-descriptor.ts";
import { allocate, type Memory } from "./memory.ts";
import { check, SystemCall, systemCall } from "./system-call.ts";

const MFD_CLOEXEC = 1;
/** Bytes. */
const LONGEST_NAME = 249;

let nameMemory: Memory | undefined;

/**
 * Makes an empty file that exists only in memory; memfd_create(2).
 * @param name for people who look into /proc/PID/fd; cut at 249 bytes
 * @param flags besides MFD_CLOEXEC
 * @returns its descriptor, or the negated error number
 */
export function makeMemoryFile(name: string, flags = 0): number {
  nameMemory ??= allocate(LONGEST_NAME + 1);
  nameMemory.buffer.write(`${name.slice(0, LONGEST_NAME)}\0`, "latin1");
  return systemCall(SystemCall.memfd_create, nameMemory.address, flags | MFD_CLOEXEC);
}

/** A file that exists only in memory and goes with its last descriptor. */
export class MemoryFile implements Disposable {
  readonly descriptor: FileDescriptor;

  /** @param name for people who look into /proc/PID/fd */
  constructor(name: string) {
    this.descriptor = new FileDescriptor(check(makeMemoryFile(name), "make a file in memory", name));
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
