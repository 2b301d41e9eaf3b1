import { describe, expect, test } from "bun:test";
import type { ContainerInput } from "../../../../src/engine/specification/container-input.ts";
import { deviceProtection, deviceRules } from "../../../../src/engine/specification/device-rules.ts";

type Input = Pick<ContainerInput, "options" | "userNamespace" | "host">;

const RULE = { allow: true, type: "c", major: 42, minor: -1, access: "r" } as const;
const FUSE = { type: "c", major: 10, minor: 229, access: "rw" } as const;

/** Of the options and facts only those that matter here. */
function input(
  about: { rules?: boolean; privileged?: boolean; filters?: boolean; maps?: boolean } = {},
  given: readonly (typeof FUSE)[] = [],
): Input {
  const { rules = false, privileged = false, filters = true, maps = false } = about;
  return {
    options: { privileged, resources: rules ? { devices: [RULE] } : undefined },
    userNamespace: maps ? { uidMappings: [], gidMappings: [] } : undefined,
    host: { filtersDevices: filters, deviceNodes: given },
  } as unknown as Input;
}

describe("the devices of a container", () => {
  test("are filtered for root without a user namespace: what was given, then what rules permit", () => {
    expect(deviceProtection(input())).toBe("filter");
    expect(deviceRules(input())).toEqual([{ allow: false, access: "rwm" }]);
    expect(deviceRules(input({ rules: true }, [FUSE]))).toEqual([
      { allow: false, access: "rwm" },
      { allow: true, ...FUSE },
      RULE,
    ]);
  });

  test("are all there for a privileged one", () => {
    expect(deviceProtection(input({ privileged: true }))).toBe("none");
    expect(deviceRules(input({ privileged: true, rules: true }, [FUSE]))).toBeUndefined();
  });

  test("need no filter in a user namespace, and rules are refused there", () => {
    expect(deviceProtection(input({ maps: true }))).toBe("user namespace");
    expect(deviceRules(input({ maps: true }))).toBeUndefined();
    expect(() => deviceRules(input({ maps: true, rules: true }))).toThrow("only root can have rules for devices");
  });

  test("cannot be made without a cgroup, and rules are refused there", () => {
    expect(deviceProtection(input({ filters: false }))).toBe("no nodes");
    expect(deviceRules(input({ filters: false }))).toBeUndefined();
    expect(() => deviceRules(input({ filters: false, rules: true }))).toThrow("rules for devices need a cgroup of v2");
  });
});
