import { expect, test } from "bun:test";
import { namespaceMembers, proportionalSizeOf } from "../../../../src/engine/supervisor/soft-limiter.ts";
import { mountNamespaceMembers } from "../../../../src/runtime/namespace-members.ts";
import { namespaceOf } from "../../../../src/sys/namespace.ts";

const MAPPINGS = `55d0a0000000-55d0a0001000 r--p 00000000 fe:00 1234                       /bin/a program
Size:                  4 kB
Pss:                   4 kB
Pss_Dirty:             1 kB
VmFlags: rd mr mw me
7f0000000000-7f0006400000 rw-s 00000000 00:2f 5                          /dev/shm/file
Pss:              102400 kB
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]
Pss:                  12 kB
`;

test("mappings of files that are counted elsewhere are left out", () => {
  expect(proportionalSizeOf(MAPPINGS, new Set())).toBe((4 + 102_400 + 12) * 1024);
  expect(proportionalSizeOf(MAPPINGS, new Set(["00:2f"]))).toBe((4 + 12) * 1024);
  expect(proportionalSizeOf("", new Set())).toBe(0);
});

test("who is in a container's mount namespace and among the host's processes is not limited with it", async () => {
  // unshare(1) itself stays in our pid namespace.
  const words = ["--user", "--map-root-user", "--pid", "--mount", "--kill-child", "--fork"];
  const script = "echo ready; exec sleep 1000";
  await using host = Bun.spawn(["unshare", ...words, "sh", "-c", script], { stdout: "pipe", killSignal: "SIGKILL" });
  const { value } = await host.stdout.getReader().read();
  expect(Buffer.from(value ?? []).toString()).toBe("ready\n");
  const [{ pid: first } = { pid: 0 }] = mountNamespaceMembers(namespaceOf(host.pid, "mnt") ?? "");
  expect(namespaceOf(first, "mnt")).toBe(namespaceOf(host.pid, "mnt"));
  expect(namespaceMembers(first, "mnt")()).toEqual([first]);
  expect(namespaceMembers(first, "pid")()).toEqual([first]);
  // Where there is no difference, nobody is left out.
  expect(namespaceMembers(host.pid, "mnt")()).toEqual(expect.arrayContaining([host.pid, first]));
});
