import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recordGroup, removeLeftGroups } from "../../../../src/build/run/group-record.ts";

test("what a dead process has noted is cleared up, and what a living one has noted stays", () => {
  const data = mkdtempSync(join(tmpdir(), "bunker-groups-"));
  try {
    const warnings: string[] = [];
    const clear = () => removeLeftGroups(data, (message) => void warnings.push(message));
    const noted = () => readdirSync(join(data, "build", "cgroups"));
    clear();
    mkdirSync(join(data, "staging"));
    {
      using _living = recordGroup({ data, id: "one", group: "/bunker-test/bunker-one" }, join(data, "staging"));
      writeFileSync(join(data, "build", "cgroups", "two"), "/bunker-test/bunker-two");
      // Nothing but the cgroup of this very container is ever removed.
      writeFileSync(join(data, "build", "cgroups", "three"), "/");
      clear();
      expect(noted()).toEqual(["one"]);
    }
    expect(noted()).toEqual([]);
    expect(readdirSync(join(data, "staging"))).toEqual([]);
    expect(warnings).toEqual([]);
  } finally {
    rmSync(data, { recursive: true });
  }
});
