import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chooseName } from "../../../../src/engine/lifecycle/choose-name.ts";
import { openContainers } from "../../../../src/engine/state/open-containers.ts";

test("a name that was chosen is not chosen again until it is given up", () => {
  const data = mkdtempSync(join(tmpdir(), "bunker-names-"));
  try {
    using database = openContainers(data);
    const from = (...names: string[]) => {
      const left = names.values();
      return () => left.next().value ?? "none is left";
    };
    const first = chooseName(database, data, from("able_bohr"));
    using second = chooseName(database, data, from("able_bohr", "keen_noether"));
    expect([first.name, second.name]).toEqual(["able_bohr", "keen_noether"]);
    first[Symbol.dispose]();
    using third = chooseName(database, data, from("keen_noether", "able_bohr"));
    expect(third.name).toBe("able_bohr");
  } finally {
    rmSync(data, { recursive: true });
  }
});
