import { expect, test } from "bun:test";
import { MemoryFiles } from "../../../../src/engine/supervisor/memory-files.ts";

/** A shell in a mount namespace with a tmpfs of its own, which goes on when its input ends. */
async function inNamespace(script: string, look: (pid: number) => void): Promise<void> {
  const words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", `${script}\necho ready; exec cat`];
  const child = Bun.spawn(words, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  try {
    for await (const _ of child.stdout) break;
    look(child.pid);
  } finally {
    child.stdin.end();
    await child.exited;
  }
}

test("what lies in the tmpfs of another mount namespace is counted once, and nothing of the host's", async () => {
  const script = `
    mount -t tmpfs tmpfs /mnt && head -c 1000000 /dev/zero >/mnt/file
    mkdir /mnt/again /mnt/covered && mount --bind /mnt /mnt/again
    mount -t tmpfs tmpfs /mnt/covered && head -c 2000000 /dev/zero >/mnt/covered/file
    mount -t tmpfs tmpfs /media && mount --bind /mnt/again /media`;
  await inNamespace(script, (pid) => {
    const files = new MemoryFiles(pid);
    const pages = (bytes: number) => Math.ceil(bytes / 4096) * 4096;
    expect(files.usage()).toBe(pages(1_000_000) + pages(2_000_000));
    expect(files.devices.size).toBe(2);
    for (const device of files.devices) expect(device).toMatch(/^00:[0-9a-f]{2,}$/);
  });
});

test("a process that has ended has none", () => {
  const files = new MemoryFiles(2 ** 22);
  expect(files.usage()).toBe(0);
  expect(files.devices.size).toBe(0);
});
