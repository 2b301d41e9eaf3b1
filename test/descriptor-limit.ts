import { hostArchitecture } from "../src/sys/architecture.ts";
import { allocate } from "../src/sys/memory.ts";
import { check, systemCall } from "../src/sys/system-call.ts";
import { systemCallNumber } from "../src/sys/system-call-number.ts";

const PRLIMIT = systemCallNumber("prlimit64", hostArchitecture());
const RLIMIT_NOFILE = 7;

/** Does something while this process may have no descriptors from this number on. */
export function withDescriptorsBelow(limit: number, work: () => void): void {
  const before = allocate(16);
  const during = allocate(16);
  check(systemCall(PRLIMIT, 0, RLIMIT_NOFILE, 0, before.address), "read a limit");
  during.buffer.set(before.buffer);
  during.view.setUint32(0, limit, true);
  during.view.setUint32(4, 0, true);
  check(systemCall(PRLIMIT, 0, RLIMIT_NOFILE, during.address, 0), "set a limit");
  try {
    work();
  } finally {
    check(systemCall(PRLIMIT, 0, RLIMIT_NOFILE, before.address, 0), "set a limit");
  }
}
