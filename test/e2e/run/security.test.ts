/* What a container may do, and what it can see: capabilities, seccomp, no-new-privileges, hidden and read-only paths. */
import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();
const { check, inside } = suite;

async function refusal(...options: string[]): Promise<string> {
  const { status, errors } = await suite.user.run([...options, suite.image, "true"]);
  expect(status).toBe(125);
  return errors;
}

describe("capabilities", () => {
  const all = ((1n << BigInt(1 + Number(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8")))) - 1n)
    .toString(16)
    .padStart(16, "0");
  const sets = "grep Cap /proc/self/status | cut -f2 | tr '\\n' ' '";
  const none = "0000000000000000";
  /** Inheritable, permitted, effective, bounding, ambient. */
  const root = (set: string) => `${none} ${set} ${set} ${set} ${none} `;
  const ordinary = "00000000a80425fb";
  check([
    [[], sets, root(ordinary)],
    [["--cap-add", "NET_ADMIN"], sets, root("00000000a80435fb")],
    [["--cap-add=cap_net_admin", "--cap-drop", "chown"], sets, root("00000000a80435fa")],
    [["--cap-drop", "ALL"], sets, root(none)],
    [["--cap-drop=all", "--cap-add", "CHOWN"], sets, root("0000000000000001")],
    [["--cap-add", "ALL"], sets, root(all)],
    [["--cap-add=ALL", "--cap-drop=CHOWN"], sets, root(`${all.slice(0, -1)}e`)],
    [["--privileged"], sets, root(all)],
    [["-u", "alice"], sets, `${none} ${none} ${none} ${ordinary} ${none} `],
    [["-u", "alice", "--cap-add", "NET_ADMIN"], sets, `${none} ${none} ${none} 00000000a80435fb ${none} `],
    [["--cap-drop", "CHOWN"], "chown alice /tmp 2>&1 || true", "chown: /tmp: Operation not permitted\n"],
    [[], "mount -t tmpfs tmpfs /tmp 2>&1 || true", "mount: permission denied (are you root?)\n"],
    [["--cap-add", "SYS_ADMIN"], "mount -t tmpfs tmpfs /tmp && grep -c ' /tmp tmpfs' /proc/mounts", "1\n"],
  ]);

  test("an unknown one is refused with the nearest", async () => {
    expect(await refusal("--cap-add", "NET_ADMINN")).toBe(
      'bunker: invalid value "NET_ADMINN" for --cap-add: no such capability; did you mean CAP_NET_ADMIN?\n',
    );
  });
});

describe("seccomp and no-new-privileges", () => {
  const state = "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status | cut -f2 | tr '\\n' ' '";
  check([
    [[], state, "0 2 "],
    [["--security-opt", "seccomp=unconfined"], state, "0 0 "],
    [["--privileged"], state, "0 0 "],
    [["--security-opt", "no-new-privileges"], state, "1 2 "],
    [["--security-opt", "no-new-privileges:true", "-u", "alice"], state, "1 2 "],
    [["--security-opt=no-new-privileges=false"], state, "0 2 "],
    [["--security-opt=no-new-privileges", "--init"], state, "1 2 "],
    [[], "unshare -m true 2>&1 || true", "unshare: unshare(0x20000): Operation not permitted\n"],
    [["--cap-add=SYS_ADMIN"], "unshare -m echo allowed", "allowed\n"],
  ]);

  let profile: string;
  beforeAll(() => {
    profile = `${suite.user.directory}/profile.json`;
    writeFileSync(
      profile,
      JSON.stringify({
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95 }],
      }),
    );
  });

  test("a profile of the user's", async () => {
    const options = ["--security-opt", `seccomp=${profile}`];
    expect(await inside(options, `${state}; mkdir /x 2>&1 || true`)).toBe(
      "0 2 mkdir: can't create directory '/x': Operation not supported\n",
    );
    expect(await inside([...options, "--privileged"], state)).toBe("0 2 ");
  });

  test.each([
    ["no JSON at all", "not JSON", /^bunker: .*profile/],
    ["an unknown action", '{"defaultAction":"SCMP_ACT_PERHAPS"}', /^bunker: .*defaultAction/],
    [
      "a field of the wrong type",
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":"x"}]}',
      /^bunker: .*syscalls/,
    ],
  ])("a profile with %s is refused", async (_what, text, expected) => {
    const file = `${suite.user.directory}/bad.json`;
    writeFileSync(file, text);
    const errors = await refusal("--security-opt", `seccomp=${file}`);
    expect(errors).toMatch(expected);
    expect(errors.split("\n").length).toBeLessThanOrEqual(3);
  });
});

describe("hidden and read-only paths", () => {
  const readOnly = "for p in /proc/sys/kernel/ostype /proc/irq/default_smp_affinity; do (echo x >$p) 2>&1; done; true";
  check([
    [[], "wc -c </proc/timer_list; ls /sys/firmware | wc -l; ls /proc/acpi 2>/dev/null | wc -l", "0\n0\n0\n"],
    [[], readOnly, /Read-only file system[\s\S]*Read-only file system/],
    [["--security-opt", "systempaths=unconfined"], "grep -c ' /proc/' /proc/self/mounts || true", "0\n"],
    [["--security-opt", "mask=/proc/uptime:/proc/bus"], "wc -c </proc/uptime; ls /proc/bus | wc -l", "0\n0\n"],
    [["--security-opt", "mask=/etc/passwd"], "wc -c </etc/passwd", "0\n"],
    [["--security-opt", "unmask=/proc/sys"], "grep -c ' /proc/sys ' /proc/self/mounts || true", "0\n"],
    [["--security-opt", "unmask=ALL"], "grep -c ' /proc/' /proc/self/mounts || true", "0\n"],
    [
      ["--privileged"],
      "grep -c ' /proc/' /proc/self/mounts || true; grep -c ' /sys sysfs rw' /proc/self/mounts",
      "0\n1\n",
    ],
    [["--privileged"], "ls /dev | grep -c -x fuse", "1\n"],
    [["--security-opt", "label=disable"], "echo runs", "runs\n"],
  ]);

  test("labels that the host has no module for are refused", async () => {
    expect(await refusal("--security-opt", "apparmor=some-profile")).toMatch(
      /^bunker: apply the label some-profile: AppArmor is not enabled on this host\n/,
    );
    expect(await refusal("--security-opt", "label=type:container_t")).toMatch(
      /^bunker: apply the label .*: SELinux is not enabled on this host\n/,
    );
  });

  test("an unknown kind is refused with the nearest", async () => {
    expect(await refusal("--security-opt", "seccmp=unconfined")).toBe(
      'bunker: invalid value "seccmp=unconfined" for --security-opt: did you mean seccomp?\n',
    );
  });
});
