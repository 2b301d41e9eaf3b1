import { describe, expect, test } from "bun:test";
import { containerCapabilities } from "../../../../src/engine/specification/container-capabilities.ts";
import { CAPABILITY_NAMES } from "../../../../src/runtime/configuration/capabilities.ts";

/** As documented for `docker run`, "Runtime privilege and Linux capabilities". */
const docker = [
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "NET_RAW",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
];

const all = CAPABILITY_NAMES.map((name) => name.slice("CAP_".length));

function without(names: readonly string[], ...gone: readonly string[]) {
  return names.filter((name) => !gone.includes(name));
}

describe("containerCapabilities", () => {
  test.each([
    [[], [], docker],
    [["NET_ADMIN"], [], [...docker, "NET_ADMIN"]],
    [["cap_net_admin", "Sys_Time"], [], [...docker, "NET_ADMIN", "SYS_TIME"]],
    [[], ["CAP_CHOWN", "mknod", "SYS_ADMIN"], without(docker, "CHOWN", "MKNOD")],
    [["NET_ADMIN", "CHOWN"], ["ALL"], ["NET_ADMIN", "CHOWN"]],
    [[], ["all"], []],
    [["ALL"], [], all],
    [["ALL"], ["SYS_ADMIN"], without(all, "SYS_ADMIN")],
    [["ALL"], ["ALL"], all],
    [["CHOWN"], ["CHOWN"], docker],
  ])("add %j drop %j", (capabilitiesAdded, capabilitiesDropped, expected) => {
    const names = containerCapabilities({ privileged: false, capabilitiesAdded, capabilitiesDropped });
    expect<readonly string[]>([...names].sort()).toEqual([...new Set(expected)].map((name) => `CAP_${name}`).sort());
    expect(names).toEqual(CAPABILITY_NAMES.filter((name) => names.includes(name)));
  });

  test("where nobody filters devices, nodes are made only by whom it was permitted by name", () => {
    const without = (...capabilitiesAdded: string[]) =>
      containerCapabilities({ privileged: false, capabilitiesAdded, capabilitiesDropped: [] }, { makesNodes: false });
    expect(without()).not.toContain("CAP_MKNOD");
    expect(without()).toContain("CAP_CHOWN");
    expect(without("ALL")).not.toContain("CAP_MKNOD");
    expect(without("mknod")).toContain("CAP_MKNOD");
  });

  test("a privileged container has all", () => {
    expect(containerCapabilities({ privileged: true, capabilitiesAdded: [], capabilitiesDropped: ["ALL"] })).toEqual(
      CAPABILITY_NAMES,
    );
  });

  test.each([
    [{ capabilitiesAdded: ["NET_ADMN"], capabilitiesDropped: [] }, "--cap-add NET_ADMN", "Did you mean NET_ADMIN?"],
    [{ capabilitiesAdded: [], capabilitiesDropped: ["CAP_CHWON"] }, "--cap-drop CAP_CHWON", "Did you mean CHOWN?"],
    [{ capabilitiesAdded: ["QQQ"], capabilitiesDropped: [] }, "--cap-add QQQ", "capabilities(7) has the list."],
  ])("%j", (options, object, hint) => {
    expect(() => containerCapabilities({ privileged: true, ...options })).toThrow(
      expect.objectContaining({ code: "unknown_capability", object, hint }),
    );
  });
});
