import * as v from "valibot";
import {
  flag,
  integer,
  listOf,
  mapTo,
  signed64,
  structure,
  text,
  unsigned16,
  unsigned32,
  unsigned64,
} from "./values.ts";

/** `linux.resources`; config-linux.md, "Control groups". Also the input of a runtime's `update` command. */
export function resourcesSchema() {
  return structure({
    devices: v.optional(
      listOf(
        structure({
          allow: flag(),
          type: v.optional(v.picklist(["a", "b", "c", "u", "p"], "a device type (a, b, c, u or p)")),
          major: v.optional(signed64()),
          minor: v.optional(signed64()),
          access: v.optional(v.pipe(text(), v.regex(/^[rwm]*$/, "some of the letters r, w and m"))),
        }),
      ),
    ),
    memory: v.optional(
      structure({
        limit: v.optional(signed64()),
        reservation: v.optional(signed64()),
        swap: v.optional(signed64()),
        kernel: v.optional(signed64()),
        kernelTCP: v.optional(signed64()),
        swappiness: v.optional(unsigned64()),
        disableOOMKiller: v.optional(flag()),
        useHierarchy: v.optional(flag()),
        checkBeforeUpdate: v.optional(flag()),
      }),
    ),
    cpu: v.optional(
      structure({
        shares: v.optional(unsigned64()),
        quota: v.optional(signed64()),
        burst: v.optional(unsigned64()),
        period: v.optional(unsigned64()),
        realtimeRuntime: v.optional(signed64()),
        realtimePeriod: v.optional(unsigned64()),
        cpus: v.optional(text()),
        mems: v.optional(text()),
        idle: v.optional(signed64()),
      }),
    ),
    pids: v.optional(structure({ limit: v.optional(signed64()) })),
    blockIO: v.optional(blockIoSchema()),
    hugepageLimits: v.optional(
      listOf(
        structure({
          pageSize: v.pipe(text(), v.regex(/^[1-9][0-9]*[KMG]B$/, "a page size such as 2MB")),
          limit: unsigned64(),
        }),
      ),
    ),
    network: v.optional(
      structure({
        classID: v.optional(unsigned32()),
        priorities: v.optional(listOf(structure({ name: text(), priority: unsigned32() }))),
      }),
    ),
    rdma: v.optional(mapTo(structure({ hcaHandles: v.optional(unsigned32()), hcaObjects: v.optional(unsigned32()) }))),
    unified: v.optional(mapTo(text())),
  });
}

function blockIoSchema() {
  const weight = v.optional(unsigned16());
  const device = { major: integer(0, 0xfff), minor: integer(0, 0xf_ffff) };
  const throttles = v.optional(listOf(structure({ ...device, rate: unsigned64() })));
  return structure({
    weight,
    leafWeight: weight,
    weightDevice: v.optional(listOf(structure({ ...device, weight, leafWeight: weight }))),
    throttleReadBpsDevice: throttles,
    throttleWriteBpsDevice: throttles,
    throttleReadIOPSDevice: throttles,
    throttleWriteIOPSDevice: throttles,
  });
}
