import { describe, expect, test } from "bun:test";
import type { PlacedRunOptions } from "../../../../src/engine/specification/run-options.ts";
import { startsSystemd, withSystemd } from "../../../../src/engine/specification/system-container.ts";
import { runOptions } from "./run-options.ts";

type Changes = Partial<PlacedRunOptions>;

describe("a container starts systemd", () => {
  test.each<[string, Changes, string[], boolean]>([
    ["by its command", { command: ["/sbin/init"] }, [], true],
    ["by its command's name", { command: ["/lib/systemd/systemd", "--show-status"] }, [], true],
    ["by its image's command", {}, ["/usr/sbin/init"], true],
    ["not by another command", { command: ["systemctl"] }, ["/sbin/init"], false],
    ["not by another init", { command: ["/dev/init"] }, [], false],
    ["not when it must not", { systemd: "false", command: ["/sbin/init"] }, [], false],
    ["always when it must", { systemd: "always", command: ["/usr/bin/anything"] }, [], true],
    ["not below another init", { init: true, command: ["/sbin/init"] }, [], false],
    ["not without a cgroup", { cgroups: "disabled", command: ["/sbin/init"] }, [], false],
    ["not among the processes of others", { pidNamespace: "host", command: ["/sbin/init"] }, [], false],
    ["not with the host's cgroups", { cgroupNamespace: "host", command: ["/sbin/init"] }, [], false],
  ])("%s", (_name, changes, command, expected) => {
    expect(startsSystemd(runOptions(changes), { command })).toBe(expected);
  });

  test.each<[string, Changes]>([
    ["--init", { init: true }],
    ["--pid=container:other", { pidNamespace: { kind: "container", container: "other" } }],
    ["--cgroupns=host", { cgroupNamespace: "host" }],
    ["--cgroups=disabled", { cgroups: "disabled" }],
  ])("always, but not with %s", (obstacle, changes) => {
    expect(() => startsSystemd(runOptions({ ...changes, systemd: "always" }), {})).toThrow(
      `--systemd=always and ${obstacle}`,
    );
  });
});

test("what systemd expects gives way to what the user says", () => {
  const plain = withSystemd(runOptions({ environment: ["A=1"] }));
  expect(plain.mounts.map(({ destination }) => destination)).toEqual(["/run", "/run/lock", "/tmp", "/var/log/journal"]);
  expect(plain).toMatchObject({ environment: ["container=bunker", "A=1"], stopSignal: "SIGRTMIN+3" });
  const own = { type: "tmpfs", destination: "/tmp", options: ["size=1m"] } as const;
  const asked = withSystemd(runOptions({ mounts: [own], stopSignal: "SIGTERM" }));
  expect(asked.mounts.filter(({ destination }) => destination === "/tmp")).toEqual([own]);
  expect(asked.stopSignal).toBe("SIGTERM");
});
