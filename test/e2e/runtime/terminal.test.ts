import { expect, test } from "bun:test";
import { readSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FileDescriptor } from "../../../src/sys/file-descriptor.ts";
import { UnixListener } from "../../unix-listener.ts";
import { eventually } from "../../unprivileged-user.ts";
import { runtimeSuite } from "./suite.ts";

const suite = runtimeSuite();

/** Reads a terminal's master until nobody has the other side. */
function readTerminal(master: FileDescriptor): string {
  const buffer = Buffer.alloc(4096);
  let text = "";
  for (;;) {
    try {
      text += buffer.toString("utf8", 0, readSync(master.number, buffer));
    } catch {
      // EIO: the last one has closed it.
      return text;
    }
  }
}

test("its master goes to the console socket", async () => {
  const path = join(suite.box.path, "console");
  using listener = new UnixListener(path);
  Bun.spawnSync(["chmod", "777", path]);
  const process = { terminal: true, consoleSize: { height: 33, width: 99 } };
  const bundle = suite.box.bundle(["sh", "-c", "tty; stty size; ls -l /dev/console >&2; read x; echo got $x"], {
    process,
  });
  const child = suite.box.start("create", "--console-socket", path, "--bundle", bundle, "test");
  const { text, descriptor } = await listener.receive();
  using master = descriptor;
  expect(text).toBe("/dev/pts/ptmx");
  expect(await child.exited).toBe(0);
  expect(suite.box.runtime("start", "test").status).toBe(0);
  writeFileSync(master.number, "hello\n");
  // The terminal echoes what is typed whenever that comes, between any two lines of the container's.
  const shown = readTerminal(master);
  expect(shown.replace("hello\r\n", "")).toMatch(/^\/dev\/pts\/0\r\n33 99\r\n[\s\S]*got hello\r\n$/);
  expect(suite.box.runtime("delete", "--force", "test").status).toBe(0);
  rmSync(path);
});

test("in the foreground it is ours", async () => {
  const bundle = suite.box.bundle(["sh", "-c", "tty; stty size; read x; echo got $x; exit 4"], {
    process: { terminal: true },
  });
  let shown = "";
  const child = Bun.spawn(suite.box.words("run", "--bundle", bundle, "test"), {
    env: suite.box.environment,
    terminal: { cols: 91, rows: 31, data: (_, data) => (shown += Buffer.from(data).toString()) },
  });
  await eventually(
    () => shown.includes("31 91"),
    () => `the size; there is ${shown}`,
  );
  child.terminal?.write("hello\r");
  expect(await child.exited).toBe(4);
  expect(shown).toContain("/dev/pts/0\r\n31 91\r\n");
  expect(shown).toContain("got hello\r\n");
});
