import { setSize } from "./file.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { allocate, type Memory } from "./memory.ts";
import { readOpenText, writeOpenText } from "./named-file.ts";
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

const SEEK_SET = 0;

/** A file that exists only in memory and goes with its last descriptor. */
export class MemoryFile implements Disposable {
  readonly descriptor: FileDescriptor;
  readonly #name: string;

  /** @param name for people who look into /proc/PID/fd */
  constructor(name: string) {
    this.#name = name;
    this.descriptor = new FileDescriptor(check(makeMemoryFile(name), "make a file in memory", name));
  }

  /** Replaces the content; whoever reads from the descriptor, or a duplicate of it, begins anew. */
  write(text: string): void {
    const { number } = this.descriptor;
    this.#rewind();
    check(setSize(number, 0), "empty", this.#name);
    writeOpenText(number, this.#name, text);
    this.#rewind();
  }

  /** The whole content, UTF-8. */
  read(): string {
    this.#rewind();
    return readOpenText(this.descriptor.number, this.#name);
  }

  #rewind(): void {
    check(systemCall(SystemCall.lseek, this.descriptor.number, 0, SEEK_SET), "rewind", this.#name);
  }

  [Symbol.dispose](): void {
    this.descriptor.close();
  }
}
