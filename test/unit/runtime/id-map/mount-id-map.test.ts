import { expect, test } from "bun:test";
import type { IdMapping } from "../../../../src/runtime/configuration/configuration.ts";
import { mountIdMap } from "../../../../src/runtime/id-map/mount-id-map.ts";

const range = (containerID: number, hostID: number, size: number): IdMapping => ({ containerID, hostID, size });
const mount = { destination: "/mnt" };
const without = { uidMappings: [], gidMappings: [] };
// The example of crun(1).
const container = { uidMappings: [range(0, 0, 1), range(1, 2, 1000)], gidMappings: [range(0, 100, 10)] };

test("mappings that the option names, of the host's ids and of the container's", () => {
  expect(mountIdMap(mount, "uids=0-1-10#10-11-10;gids=0-100-10", without)).toEqual({
    uidMappings: [range(0, 1, 10), range(10, 11, 10)],
    gidMappings: [range(0, 100, 10)],
  });
  expect(mountIdMap(mount, "gids=@3-3-1;uids=@1-3-10#0-7-1", container)).toEqual({
    uidMappings: [range(1, 4, 10), range(0, 7, 1)],
    gidMappings: [range(3, 103, 1)],
  });
});

test("else the mount's own, or the container's, or none", () => {
  const own = { uidMappings: [range(0, 1, 1)], gidMappings: [range(0, 2, 1)] };
  expect(mountIdMap({ ...mount, ...own }, undefined, container)).toEqual(own);
  expect(mountIdMap({ ...mount, ...without }, undefined, container)).toEqual(container);
  expect(mountIdMap(mount, undefined, without)).toBeUndefined();
});

test.each([
  ["", 'neither uids= nor gids= begins a part in ""'],
  ["uids=0-1-1", "one of uids= and gids= is missing"],
  ["uids=0-1-1;gids=", "nothing is not FIRST-HOST-COUNT"],
  ["uids=0-1;gids=0-1-1", "0-1 is not FIRST-HOST-COUNT"],
  ["uids=0-1-1;groups=0-1-1", "neither uids= nor gids= begins groups=0-1-1"],
  ["uids=0-1-1;gids=0-1-1#-1-1-1", "-1-1-1 is not FIRST-HOST-COUNT"],
  ["uids=0-1-1;gids=@10-1-1", "the container's user namespace does not map the id of @10-1-1"],
])("%j is refused", (written, reason) => {
  expect(() => mountIdMap(mount, written, container)).toThrow(`map the ids of the mount on /mnt: ${reason}`);
});
