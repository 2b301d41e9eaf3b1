import { expect, test } from "bun:test";
import { CLONE_ARGUMENTS_SIZE, CloneFlag, writeCloneArguments } from "../../../src/sys/clone.ts";

test("the fields of struct clone_args are where the kernel reads them", () => {
  const view = new DataView(new ArrayBuffer(CLONE_ARGUMENTS_SIZE));
  writeCloneArguments(view, {
    flags: CloneFlag.NEWPID | CloneFlag.PIDFD | CloneFlag.NEWTIME,
    pidfdAddress: 0x7f00_1234_5678,
    exitSignal: 17,
    clearSignalHandlers: true,
    cgroup: 9,
  });
  const fields = Array.from({ length: 11 }, (_, index) => view.getBigUint64(8 * index, true));
  // flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup
  expect(fields).toEqual([0x3_2000_1080n, 0x7f00_1234_5678n, 0n, 0n, 17n, 0n, 0n, 0n, 0n, 0n, 9n]);
});

test("without a cgroup and handlers to clear, the high flags are not set, whatever was there before", () => {
  const view = new DataView(new ArrayBuffer(CLONE_ARGUMENTS_SIZE));
  Buffer.from(view.buffer).fill(0xff);
  writeCloneArguments(view, { flags: 0x80000000 | 0, pidfdAddress: 0, exitSignal: 0, clearSignalHandlers: false });
  expect(view.getBigUint64(0, true)).toBe(0x8000_0000n);
  expect(view.getBigUint64(80, true)).toBe(0n);
});
