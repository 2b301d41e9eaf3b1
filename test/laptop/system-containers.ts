import { describe, expect, test } from "bun:test";
import type { Run } from "./limits.ts";

/** Tests of containers that boot a system; `machine` in the user's home is a root file system of Debian's with systemd. */
export function testSystemContainers(run: Run): void {
  describe("a container with systemd", () => {
    test("boots, divides its cgroup, logs to a journal, and is shut down in order", async () => {
      const { output, errors } = await run(`
        bunker run -d --name machine --network none -m 500m --rootfs machine /sbin/init >/dev/null
        # It waits for the end of the boot.
        until state=$(bunker exec machine systemctl is-system-running --wait 2>/dev/null); [ "$state" ]; do sleep 0.1; done
        echo $state
        bunker exec machine systemctl list-units --failed --plain --no-legend
        bunker exec machine cat /proc/1/cgroup
        bunker exec machine systemctl show --property ControlGroup systemd-journald
        bunker exec machine cat /sys/fs/cgroup/system.slice/systemd-journald.service/cgroup.procs | grep -c .
        bunker exec machine journalctl --boot --unit init.scope --output cat | grep -o '^Startup finished'
        bunker exec machine systemd-run --quiet --wait --pipe echo by a unit of its own
        bunker stop --time 60 machine
        bunker inspect --format '{{.State.ExitCode}} {{.Config.StopSignal}} {{.State.OOMKilled}}' machine
        bunker start machine
        bunker kill machine
        bunker rm -f machine`);
      expect({ output: output.trim().split("\n"), errors }).toEqual({
        output: [
          ...["running", "0::/init.scope", "ControlGroup=/system.slice/systemd-journald.service", "1"],
          ...[
            "Startup finished",
            "by a unit of its own",
            "machine",
            "0 SIGRTMIN+3 false",
            "machine",
            "machine",
            "machine",
          ],
        ],
        errors: "",
      });
    });

    test("needs a cgroup", async () => {
      const { output } = await run(
        `mkdir -p root/bin; cp /bin/busybox root/bin/sh
        bunker run --rm --systemd always --network none --rootfs root sh -c true 2>&1 | head -n 1
        bunker run --rm --systemd always --init --network none --rootfs root sh -c true 2>&1 | head -n 1`,
        "bare",
      );
      expect(output.split("\n")).toEqual([
        "bunker: make the container's cgroup: no systemd of this user can be asked for one: there is no socket of it in XDG_RUNTIME_DIR",
        "bunker: conflicting options: --systemd=always and --init",
        "",
      ]);
    });
  });
}
