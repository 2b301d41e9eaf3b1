import { describe, expect, test } from "bun:test";
import type { Run } from "./limits.ts";

/** Tests of what depends on systemd, besides limits; `root` in the user's home is a root file system with busybox. */
export function testAutostart(run: Run): void {
  describe("bunker autostart", () => {
    test("makes a unit that starts containers, whatever becomes of some, and stops them in order", async () => {
      const script = `
        bunker autostart enable >/dev/null
        unit=~/.config/systemd/user/bunker-autostart.service
        systemd-analyze --user verify $unit
        systemctl --user daemon-reload
        systemctl --user is-enabled bunker-autostart.service
        loop='trap "echo told; exit 3" TERM; echo ready; while :; do sleep 0.1; done'
        mkdir gone
        bunker run -d --name broken --restart always -v $PWD/gone:/gone --network none --rootfs root sh -c "$loop" >/dev/null
        bunker run -d --name whole --restart always --network none --rootfs root sh -c "$loop" >/dev/null
        for pid in $(pgrep -f 'internal supervise'); do kill -9 $pid; done
        rmdir gone
        states() { bunker ps -a --format '{{.Names}} {{.State}}' | sort; }
        systemctl --user start bunker-autostart.service
        states
        grep -o 'bunker-autostart.service/bunker-[0-9a-f]*$' /proc/$(bunker inspect --format '{{.State.Pid}}' whole)/cgroup | cut -c 1-31
        systemctl --user stop bunker-autostart.service
        states
        bunker logs whole 2>&1 | grep -v Terminated | tail -n 1
        bunker inspect --format '{{.State.ExitCode}}' whole
        systemctl --user start bunker-autostart.service
        states
        bunker rm -f broken whole >/dev/null
        bunker autostart disable >/dev/null
        systemctl --user daemon-reload
        systemctl --user stop bunker-autostart.service 2>/dev/null || true
        ls ~/.config/systemd/user`;
      expect(await run(`set -eu\n${script}`)).toEqual({
        status: 0,
        output: [
          "enabled",
          "broken exited",
          "whole running",
          "bunker-autostart.service/bunker",
          "broken exited",
          "whole exited",
          "told",
          "3",
          "broken exited",
          "whole running",
          "",
        ].join("\n"),
        errors: "",
      });
    });
  });

  describe("bunker doctor", () => {
    const finding = (check: string, user?: "bare") =>
      run(`bunker doctor --format '{{.Check}}: {{.State}}: {{.Found}}: {{.Remedy}}' | grep '^${check}:'`, user);

    test("sees who lingers", async () => {
      expect((await finding("linger")).output).toBe("linger: ok: dev lingers: \n");
      expect((await finding("linger", "bare")).output).toBe(
        "linger: limited: bare does not linger: loginctl enable-linger bare\n",
      );
    });

    test("sees what is delegated", async () => {
      expect((await finding("cgroups")).output).toMatch(
        /^cgroups: limited: v2, delegated: cpu, io, memory, pids: mkdir -p \/etc\/systemd\/system\/user@\.service\.d && /,
      );
      expect((await finding("cgroups", "bare")).output).toBe(
        "cgroups: limited: v2, no systemd of yours can be asked for one: loginctl enable-linger bare\n",
      );
    });
  });
}
