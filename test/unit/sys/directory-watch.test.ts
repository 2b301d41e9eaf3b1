import { expect, test } from "bun:test";

test("a user who has no inotify instance left is told so", () => {
  const script = `
    const { DirectoryWatch } = await import("${import.meta.dir}/../../../src/sys/directory-watch.ts");
    try {
      new DirectoryWatch("/");
    } catch ({ message, hint }) {
      console.log(message + "\\n" + hint);
    }`;
  // The limit of a user namespace of its own, so that nobody else is in want of one.
  const limited = 'echo 0 >/proc/sys/user/max_inotify_instances && exec "$0" -e "$1"';
  const { stdout, stderr } = Bun.spawnSync(["unshare", "-Ur", "sh", "-c", limited, process.execPath, script]);
  expect(stderr.toString()).toBe("");
  expect(stdout.toString()).toBe(
    "watch the directory /: this user has as many inotify instances or watches as the host permits: EMFILE\n" +
      "bunker doctor tells how many, and how an administrator permits more.\n",
  );
});
