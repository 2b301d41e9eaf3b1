import { expect, test } from "bun:test";
import { CloneFlag } from "../../../../src/sys/clone.ts";
import { Errno } from "../../../../src/sys/errno.ts";
import { OpenFlag } from "../../../../src/sys/open.ts";

const AF_INET = 2;
const AF_UNIX = 1;
const SOCK_DGRAM = 2;

async function confined(where: "main" | "thread", name: string, ...args: number[]) {
  const child = Bun.spawn(
    [process.execPath, `${import.meta.dir}/fixtures/confined.ts`, where, name, ...args.map(String)],
    {
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const output = await new Response(child.stdout).text();
  await child.exited;
  return child.signalCode ?? Number(output);
}

test.each(["main", "thread"] as const)("%s: what a stack needs is permitted, all else is not", async (where) => {
  expect(await confined(where, "socket", AF_INET, SOCK_DGRAM, 0)).toBeGreaterThan(2);
  expect(await confined(where, "socket", AF_UNIX, SOCK_DGRAM, 0)).toBe(-Errno.ENOSYS);
  // Without the filter the address would be what is wrong.
  expect(await confined(where, "openat", -1, 0, OpenFlag.O_RDONLY)).toBe(-Errno.EFAULT);
  expect(await confined(where, "openat", -1, 0, OpenFlag.O_RDWR)).toBe(-Errno.ENOSYS);
  expect(await confined(where, "kill", process.pid, 0)).toBe(-Errno.ENOSYS);
  expect(await confined(where, "clone", CloneFlag.NEWUSER, 0, 0, 0, 0)).toBe(-Errno.ENOSYS);
  expect(await confined(where, "unshare", 0)).toBe("SIGSYS");
  expect(await confined(where, "execve", 0, 0, 0)).toBe("SIGSYS");
});
