import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { testAutostart } from "./autostart.ts";
import { testFaults } from "./faults.ts";
import { Laptop, type LaptopUser } from "./laptop.ts";
import { type Run, testLimits } from "./limits.ts";
import { testRuntime } from "./runtime.ts";
import { testSystemContainers } from "./system-containers.ts";

setDefaultTimeout(120_000);
let laptop: Laptop | undefined;
beforeAll(async () => {
  // Its disk may have to be made.
  laptop = await Laptop.boot();
}, 600_000);
afterAll(() => laptop?.shutDown());

const run: Run = (script, user) => {
  if (laptop === undefined) throw new Error("the laptop is off");
  return laptop.run(script, user);
};

/** Runs a script that has to end well, and returns what it prints. */
async function inLaptop(script: string, user?: LaptopUser): Promise<string> {
  const { status, output, errors } = await run(`set -eu\n${script}`, user);
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  return output;
}

describe("the laptop", () => {
  test("has a user who is logged in and may divide what the machine has", async () => {
    expect(
      await inLaptop(`
        id --user --name
        cat /sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers
        grep -o 'session-.*scope' /proc/self/cgroup
        grep dev: /etc/subuid
        stat --format=%a /dev/fuse /dev/net/tun`),
    ).toMatch(/^dev\ncpu io memory pids\nsession-\w+\.scope\ndev:100000:65536\n666\n666\n$/);
  });

  test("has a user who has nothing", async () => {
    const script = "id --user --name; ls /run/user/1001 2>&1 | wc --lines; grep -c bare /etc/subuid || true";
    expect(await inLaptop(script, "bare")).toBe("bare\n1\n0\n");
  });

  test("runs a container", async () => {
    expect(
      await inLaptop(`
        mkdir -p root/bin root/host-groups root/proc root/dev
        cp /bin/busybox root/bin/busybox
        for name in sh cat ls head dd sleep true id; do ln -s busybox root/bin/$name; done
        bunker run --rm --rootfs root sh -c 'id -u'`),
    ).toBe("0\n");
  });

  test("gives a container's output to the journal, and reads it there", async () => {
    expect(
      await inLaptop(`
        bunker run -d --name logged --log-driver journald --rootfs root sh -c 'echo first; sleep 1; echo last' >/dev/null
        bunker logs --follow logged
        journalctl --output=cat CONTAINER_NAME=logged
        bunker logs --tail 1 logged
        bunker rm logged`),
    ).toBe("first\nlast\nfirst\nlast\nlast\nlogged\n");
  });
});

testLimits(run);
testFaults(run);
testRuntime(run);
testSystemContainers(run);
testAutostart(run);
