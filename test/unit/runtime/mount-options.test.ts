import { describe, expect, test } from "bun:test";
import {
  checkBindOptions,
  type MountOptions,
  mountOptionNames,
  parseMountOptions,
  parsePropagation,
} from "../../../src/runtime/mount-options.ts";

// mount(2) and mount_setattr(2), linux/mount.h.
const [RDONLY, NOSUID, NODEV, NOEXEC, NOATIME, STRICTATIME, ATIME, NODIRATIME, NOSYMFOLLOW] = [
  0x1, 0x2, 0x4, 0x8, 0x10, 0x20, 0x70, 0x80, 0x200000,
];
const [MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED] = [1 << 17, 1 << 18, 1 << 19, 1 << 20];

const nothing: MountOptions = {
  bind: "none",
  remount: false,
  attributes: { set: 0, clear: 0 },
  recursiveAttributes: { set: 0, clear: 0 },
  propagation: [],
  copyUp: false,
  idMap: "none",
  idMapping: undefined,
  data: [],
};

const attributes = (set: number, clear: number) => ({ attributes: { set, clear } });
const recursive = (set: number, clear: number) => ({ recursiveAttributes: { set, clear } });
const propagation = (flag: number, isRecursive: boolean) => ({ propagation: [{ flag, recursive: isRecursive }] });
const data = (key: string) => ({ data: [[key, undefined]] as const });

/** All options of the specification's table for Linux (config.md, mounts), and what each alone amounts to. */
const table: Readonly<Record<string, Partial<MountOptions>>> = {
  async: data("async"),
  atime: {},
  bind: { bind: "bind" },
  defaults: {},
  dev: attributes(0, NODEV),
  diratime: attributes(0, NODIRATIME),
  dirsync: data("dirsync"),
  exec: attributes(0, NOEXEC),
  iversion: {},
  lazytime: data("lazytime"),
  loud: {},
  mand: data("mand"),
  noatime: attributes(NOATIME, ATIME),
  nodev: attributes(NODEV, 0),
  nodiratime: attributes(NODIRATIME, 0),
  noexec: attributes(NOEXEC, 0),
  noiversion: {},
  nolazytime: data("nolazytime"),
  nomand: data("nomand"),
  norelatime: {},
  nostrictatime: {},
  nosuid: attributes(NOSUID, 0),
  nosymfollow: attributes(NOSYMFOLLOW, 0),
  private: propagation(MS_PRIVATE, false),
  ratime: recursive(0, ATIME),
  rbind: { bind: "rbind" },
  rdev: recursive(0, NODEV),
  rdiratime: recursive(0, NODIRATIME),
  relatime: {},
  remount: { remount: true },
  rexec: recursive(0, NOEXEC),
  rnoatime: recursive(NOATIME, ATIME),
  rnodev: recursive(NODEV, 0),
  rnodiratime: recursive(NODIRATIME, 0),
  rnoexec: recursive(NOEXEC, 0),
  rnorelatime: recursive(0, ATIME),
  rnostrictatime: recursive(0, ATIME),
  rnosuid: recursive(NOSUID, 0),
  rnosymfollow: recursive(NOSYMFOLLOW, 0),
  ro: attributes(RDONLY, 0),
  rprivate: propagation(MS_PRIVATE, true),
  rrelatime: recursive(0, ATIME),
  rro: recursive(RDONLY, 0),
  rrw: recursive(0, RDONLY),
  rshared: propagation(MS_SHARED, true),
  rslave: propagation(MS_SLAVE, true),
  rstrictatime: recursive(STRICTATIME, ATIME),
  rsuid: recursive(0, NOSUID),
  rsymfollow: recursive(0, NOSYMFOLLOW),
  runbindable: propagation(MS_UNBINDABLE, true),
  rw: {},
  shared: propagation(MS_SHARED, false),
  silent: {},
  slave: propagation(MS_SLAVE, false),
  strictatime: attributes(STRICTATIME, ATIME),
  suid: attributes(0, NOSUID),
  symfollow: attributes(0, NOSYMFOLLOW),
  sync: data("sync"),
  tmpcopyup: { copyUp: true },
  unbindable: propagation(MS_UNBINDABLE, false),
  idmap: { idMap: "idmap" },
  ridmap: { idMap: "ridmap" },
};

describe("parseMountOptions", () => {
  test.each(Object.entries(table))("%s", (word, expected) => {
    expect(parseMountOptions([word])).toEqual({ ...nothing, ...expected });
  });

  test.each<[string, Partial<MountOptions>]>([
    ["", {}],
    ["idmap=uids=0-1-2;gids=0-3-4", { idMap: "idmap", idMapping: "uids=0-1-2;gids=0-3-4" }],
    ["idmap ridmap=uids=0-1-2", { idMap: "ridmap", idMapping: "uids=0-1-2" }],
    ["ridmap=uids=0-1-2 idmap", { idMap: "idmap" }],
    ["nosuid noexec nodev ro", attributes(NOSUID | NOEXEC | NODEV | RDONLY, 0)],
    ["ro rw", {}],
    ["rw ro", attributes(RDONLY, 0)],
    ["nosuid suid", attributes(0, NOSUID)],
    ["suid nosuid", attributes(NOSUID, 0)],
    ["noatime strictatime", attributes(STRICTATIME, ATIME)],
    ["strictatime noatime nodiratime", attributes(NOATIME | NODIRATIME, ATIME)],
    ["noatime relatime", attributes(0, ATIME)],
    ["rro rrw", recursive(0, RDONLY)],
    ["ro rro nosuid", { ...attributes(RDONLY | NOSUID, 0), ...recursive(RDONLY, 0) }],
    ["rbind bind", { bind: "bind" }],
    [
      "mode=755 size=64k sync mode=700",
      {
        data: [
          ["mode", "755"],
          ["size", "64k"],
          ["sync", undefined],
          ["mode", "700"],
        ],
      },
    ],
    ["context=a=b,c", { data: [["context", "a=b,c"]] }],
    ["key=", { data: [["key", ""]] }],
    ["newinstance", { data: [["newinstance", undefined]] }],
    [
      "constructor toString rvalueOf",
      {
        data: [
          ["constructor", undefined],
          ["toString", undefined],
          ["rvalueOf", undefined],
        ],
      },
    ],
    [
      "slave rshared",
      {
        propagation: [
          { flag: MS_SLAVE, recursive: false },
          { flag: MS_SHARED, recursive: true },
        ],
      },
    ],
  ])("%j", (words, expected) => {
    expect(parseMountOptions(words.split(" "))).toEqual({ ...nothing, ...expected });
  });

  test("without options", () => {
    expect(parseMountOptions([])).toEqual(nothing);
  });
});

test.each(["", "r", "ro", "rrprivate", "private ", "constructor", "rtoString"])("%j is no propagation", (word) => {
  expect(parsePropagation(word)).toBeUndefined();
});

test("checkBindOptions refuses what only filesystems understand", () => {
  checkBindOptions(parseMountOptions(["rbind", "ro", "rnosuid", "rslave", "idmap"]), "/mnt");
  expect(() => checkBindOptions(parseMountOptions(["bind", "ro", "size=1", "sync"]), "/mnt")).toThrow(
    "bind mount on /mnt: option size is for filesystems, not for bind mounts",
  );
  expect(() => checkBindOptions(parseMountOptions(["bind", "tmpcopyup"]), "/mnt")).toThrow(
    "bind mount on /mnt: option tmpcopyup is for filesystems, not for bind mounts",
  );
});

test("mountOptionNames has the whole table, sorted, and nothing twice", () => {
  const names = mountOptionNames();
  expect(names).toEqual(expect.arrayContaining(Object.keys(table)));
  expect(names).toEqual([...new Set(names)].toSorted());
});
