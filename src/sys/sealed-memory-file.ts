import { encodeText } from "./byte-string.ts";
import { Errno } from "./errno.ts";
import { writeAt } from "./file.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { allocate, type Memory } from "./memory.ts";
import { check, SystemCall, systemCall } from "./system-call.ts";

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_EXEC = 0x10;
const F_ADD_SEALS = 1033;
const F_SEAL_SEAL = 1;
const F_SEAL_SHRINK = 2;
const F_SEAL_GROW = 4;
const F_SEAL_WRITE = 8;
/** Bytes of the longest name, with its NUL. */
const NAME_SIZE = 250;

let nameMemory: Memory | undefined;

/**
 * Makes an executable file that exists only in memory and whose content nobody can change; memfd_create(2),
 * F_ADD_SEALS of fcntl(2).
 * @param name for people who look into /proc, at most 249 bytes
 * @returns a close-on-exec descriptor
 */
export function sealedMemoryFile(name: string, content: Uint8Array): FileDescriptor {
  const bytes = encodeText(name);
  if (bytes.length >= NAME_SIZE) throw new Error(`name of a memory file is too long: ${name}`);
  nameMemory ??= allocate(NAME_SIZE);
  const { address, buffer } = nameMemory;
  buffer.fill(0);
  buffer.write(bytes, 0, "latin1");
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  // Kernels before 6.3 do not know MFD_EXEC, and make every such file executable.
  const made = systemCall(SystemCall.memfd_create, address, flags | MFD_EXEC);
  const number = made === -Errno.EINVAL ? systemCall(SystemCall.memfd_create, address, flags) : made;
  const file = new FileDescriptor(check(number, "make a file in memory", name));
  try {
    check(writeAt(file.number, content, 0, content.length, 0), "write a file in memory", name);
    const seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    check(systemCall(SystemCall.fcntl, file.number, F_ADD_SEALS, seals), "seal a file in memory", name);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}
