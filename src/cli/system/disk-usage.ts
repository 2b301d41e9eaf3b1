/*
 * What Bunker has on the disk, by kinds of things. Each kind is measured on its own and says what of it is in use, so
 * that the summary and the table of each kind come from the same figures.
 */

import { hiddenFields } from "../format/hidden-fields.ts";
import { humanSize } from "../format/human-size.ts";
import type { ListDescription } from "../format/list-output.ts";
import type { Structure } from "../format/template/value.ts";

/** Digits of the summary's sizes, as in Docker. */
const DIGITS = 4;

/** One kind of things that take space. */
export interface UsageKind {
  /** As the summary calls it: `Images`. */
  readonly type: string;
  /** The heading of its own table: `Images space usage:`. */
  readonly heading: string;
  readonly total: number;
  readonly active: number;
  /** Bytes. */
  readonly size: number;
  /** Bytes of what is not in use. */
  readonly reclaimable: number;
  readonly list: ListDescription;
  readonly rows: readonly Structure[];
}

/** The table of all kinds. */
export const usageList: ListDescription = {
  titles: {
    Active: "ACTIVE",
    Reclaimable: "RECLAIMABLE",
    Size: "SIZE",
    TotalCount: "TOTAL",
    Type: "TYPE",
    // Podman's.
    RawReclaimable: "RAW RECLAIMABLE",
    RawSize: "RAW SIZE",
    Total: "TOTAL",
  },
  columns: ["Type", "TotalCount", "Active", "Size", "Reclaimable"],
};

/** The row of a kind in the table of all; with Podman's fields. */
export function usageRow({ type, total, active, size, reclaimable }: UsageKind): Structure {
  const share = size > 0 ? ` (${Math.floor((reclaimable * 100) / size)}%)` : "";
  const row = {
    Active: String(active),
    Reclaimable: humanSize(reclaimable, DIGITS) + share,
    Size: humanSize(size, DIGITS),
    TotalCount: String(total),
    Type: type,
  };
  return hiddenFields(row, { RawReclaimable: reclaimable, RawSize: size, Total: total });
}
