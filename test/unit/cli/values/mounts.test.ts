import { describe, expect, test } from "bun:test";
import { InvalidValue } from "../../../../src/cli/invalid-value.ts";
import { parseMountOption } from "../../../../src/cli/values/mount-option.ts";
import { parseTmpfsOption } from "../../../../src/cli/values/tmpfs-option.ts";
import { parseVolumeOption } from "../../../../src/cli/values/volume-option.ts";
import type { BindMountRequest, VolumeMountRequest } from "../../../../src/engine/specification/run-options.ts";

const bind: BindMountRequest = {
  type: "bind",
  source: "/a",
  destination: "/b",
  readOnly: false,
  createSource: true,
  propagation: "rprivate",
  recursive: true,
  recursiveReadOnly: false,
  relabel: undefined,
  givesToUser: false,
  isOverlay: false,
  options: [],
};

const volume: VolumeMountRequest = {
  type: "volume",
  name: "data",
  isAnonymous: false,
  destination: "/b",
  readOnly: false,
  isPopulated: true,
  subpath: undefined,
  labels: {},
  driverOptions: {},
  propagation: "rprivate",
  relabel: undefined,
  givesToUser: false,
  options: [],
};

function expectRefusal(action: () => unknown, message: string): void {
  expect(action).toThrow(InvalidValue);
  expect(action).toThrow(message);
}

describe("parseVolumeOption", () => {
  test.each<[string, Partial<BindMountRequest>]>([
    ["/a:/b", {}],
    ["/a/../c/:/b//d/", { source: "/c", destination: "/b/d" }],
    ["./x:/b", { source: `${process.cwd()}/x` }],
    ["..:/b", { source: new URL("..", `file://${process.cwd()}/`).pathname.replace(/(.)\/$/, "$1") }],
    [".hidden/x:/b".replace(".hidden", "./.hidden"), { source: `${process.cwd()}/.hidden/x` }],
    ["/a:/b:ro", { readOnly: true, recursiveReadOnly: true }],
    ["/a:/b:rw", {}],
    ["/a:/b:ro,bind", { readOnly: true, recursive: false }],
    ["/a:/b:z", { relabel: "shared" }],
    ["/a:/b:Z,ro", { relabel: "private", readOnly: true, recursiveReadOnly: true }],
    ["/a:/b:rslave", { propagation: "rslave" }],
    ["/a:/b:nocopy", {}],
    ["/a:/b:noexec,nosuid,rbind,nodev", { options: ["noexec", "nosuid", "nodev"] }],
    ["/a:/b:U", { givesToUser: true }],
    ["/a:/b:cached", {}],
    ["/a:/b:O", { isOverlay: true, createSource: false }],
  ])("reads %s", (text, differences) => {
    expect(parseVolumeOption(text)).toEqual({ ...bind, ...differences });
  });

  test.each<[string, Partial<VolumeMountRequest>]>([
    ["data:/b", {}],
    ["/b", { name: undefined, isAnonymous: true }],
    ["/b:ro", { name: undefined, isAnonymous: true, readOnly: true }],
    ["data:/b:nocopy,U", { isPopulated: false, givesToUser: true }],
    ["data:/b:copy,noexec", { options: ["noexec"] }],
    ["1.a_b-c:/b:ro,z", { name: "1.a_b-c", readOnly: true, relabel: "shared" }],
  ])("reads the volume %s", (text, differences) => {
    expect(parseVolumeOption(text)).toEqual({ ...volume, ...differences });
  });

  test.each([
    ["~/x:/b", '"~/x" is no name for a volume'],
    [".hidden:/b", '".hidden" is no name for a volume'],
    ["a:/b:O", "O is for a directory of the host"],
    ["/a:/b:O,U", "O and U exclude each other"],
    ["/a:/b:rslave,O", "O and rslave exclude each other"],
    ["/a:/b:idmap", "the kernel maps the ids of a mount only for root of the host"],
    ["a:/b:idmap=uids=0-1-10", "the kernel maps the ids of a mount only for root of the host"],
    ["", "expected [SOURCE:]DESTINATION"],
    [":/b", "expected [SOURCE:]DESTINATION"],
    ["/a:", "expected [SOURCE:]DESTINATION"],
    ["/a:/b:", "expected [SOURCE:]DESTINATION"],
    ["/a:/b:ro:rw", "expected [SOURCE:]DESTINATION"],
    ["/a:b", "must be absolute"],
    ["/a:/", "cannot be /"],
    ["/a:/b/..", "cannot be /"],
    ["/a:/b:rx", 'unknown option "rx"'],
    ["/a:/b:ro,", 'unknown option ""'],
    ["/a:/b:cached,consistent", "cached and consistent exclude each other"],
    ["/a:/b:ro,rw", "ro and rw exclude each other"],
    ["/a:/b:z,Z", "z and Z exclude each other"],
    ["/a:/b:shared,rslave", "shared and rslave exclude each other"],
  ])("refuses %s", (text, message) => expectRefusal(() => parseVolumeOption(text), message));
});

describe("parseMountOption", () => {
  test.each<[string, Partial<BindMountRequest>]>([
    ["type=bind,source=/a,destination=/b", {}],
    ["type=bind,src=/a,dst=/b", {}],
    ["TYPE=bind,Src=/a,TARGET=/b", {}],
    ['type=bind,"src=/a,""b""",dst=/b', { source: '/a,"b"' }],
    ["type=bind,src=/a=b,dst=/b", { source: "/a=b" }],
    ["type=bind,src=./a,dst=/b", { source: `${process.cwd()}/a` }],
    ["type=bind,src=/a,dst=/b,readonly", { readOnly: true, recursiveReadOnly: true }],
    ["type=bind,src=/a,dst=/b,ro=1", { readOnly: true, recursiveReadOnly: true }],
    ["type=bind,src=/a,dst=/b,ro=false", {}],
    ["type=bind,src=/a,dst=/b,bind-create-src,consistency=cached", { createSource: true }],
    ["type=bind,src=/a,dst=/b,U,relabel=shared", { givesToUser: true, relabel: "shared" }],
    ["type=bind,src=/a,dst=/b,chown=true,relabel=private", { givesToUser: true, relabel: "private" }],
    ["type=bind,src=/a,dst=/b,bind-propagation=shared", { propagation: "shared" }],
    ["type=bind,src=/a,dst=/b,ro,bind-nonrecursive", { readOnly: true, recursive: false }],
    ["type=bind,src=/a,dst=/b,bind-nonrecursive=false", {}],
    ["type=bind,src=/a,dst=/b,bind-recursive=disabled", { recursive: false }],
    ["type=bind,src=/a,dst=/b,ro,bind-recursive=writable", { readOnly: true }],
    ["type=bind,src=/a,dst=/b,ro,bind-recursive=readonly", { readOnly: true, recursiveReadOnly: true }],
    ["type=bind,src=/a,dst=/b,ro,bind-recursive=enabled", { readOnly: true, recursiveReadOnly: true }],
  ])("reads %s", (text, differences) => {
    expect(parseMountOption(text)).toEqual({ ...bind, createSource: false, ...differences });
  });

  test.each<[string, Partial<VolumeMountRequest>]>([
    ["type=volume,src=data,dst=/b", {}],
    ["src=data,dst=/b,volume-nocopy,ro", { isPopulated: false, readOnly: true }],
    ["dst=/b", { name: undefined, isAnonymous: true }],
    ["source=data,dst=/b,volume-label=a=b,volume-label=c", { labels: { a: "b", c: "" } }],
    ["source=data,dst=/b,volume-subpath=x/y", { subpath: "x/y" }],
    ["source=data,dst=/b,subpath=x", { subpath: "x" }],
    [
      "source=data,dst=/b,volume-opt=type=tmpfs,volume-opt=o=size=1m",
      { driverOptions: { type: "tmpfs", o: "size=1m" } },
    ],
  ])("reads the volume %s", (text, differences) => {
    expect(parseMountOption(text)).toEqual({ ...volume, ...differences });
  });

  test.each([
    ["type=image,src=a,dst=/b", { readOnly: true, subpath: undefined }],
    ["type=image,src=a,dst=/b,readwrite=true,subpath=/x/", { readOnly: false, subpath: "x" }],
    ["type=image,src=a,dst=/b,rw=false,image-subpath=/", { readOnly: true, subpath: undefined }],
  ])("reads %s", (text, differences) => {
    const image = { kind: "stored", name: "a" } as const;
    expect(parseMountOption(text)).toEqual({ type: "image", image, destination: "/b", ...differences });
  });

  test.each<[string, options: string[]]>([
    ["type=tmpfs,dst=/b", ["noexec", "nosuid", "nodev"]],
    ["type=tmpfs,dst=/b,ro", ["noexec", "nosuid", "nodev", "ro"]],
    ["type=tmpfs,dst=/b,tmpfs-size=64m,tmpfs-mode=1770", ["noexec", "nosuid", "nodev", "size=67108864", "mode=1770"]],
  ])("reads %s", (text, options) => {
    expect(parseMountOption(text)).toEqual({ type: "tmpfs", destination: "/b", options });
  });

  test.each([
    ["src=/a,dst=/b", '"/a" is no name for a volume'],
    ["type=npipe,src=a,dst=/b", "type npipe is not available"],
    ["type=image,dst=/b", "source is missing"],
    ["type=image,src=a,dst=/b,ro,rw", "exclude each other"],
    ["type=image,src=a,dst=/b,subpath=a/../..", "must not contain .."],
    ["type=image,src=a,dst=/b,bind-recursive=enabled", "bind-recursive is not for type=image"],
    ["src=a,dst=/b,volume-subpath=../c", "volume-subpath must be relative"],
    ["src=a,dst=/b,volume-subpath=/c", "volume-subpath must be relative"],
    ["src=a,dst=/b,volume-driver=nfs", 'there is no volume driver "nfs"'],
    ["type=bind,src=/a,dst=/b,volume-nocopy", "volume-nocopy is not for type=bind"],
    ["type=bnd,src=/a,dst=/b", 'unknown type "bnd"'],
    ["type=bind,dst=/b", "source is missing"],
    ["type=bind,src=/a", "destination is missing"],
    ["type=bind,src=,dst=/b", "the source is empty"],
    ["type=bind,src=a,dst=/b", "a path of the host begins with"],
    ["type=bind,src=/a,dst=b", "must be absolute"],
    ["type=bind,src,dst=/b", "src needs a value"],
    ["type=bind,src=/a,dst=/b,reaonly", 'unknown key "reaonly"; did you mean readonly?'],
    ["type=bind,src=/a,dst=/b,consistency=cache", "expected consistent, cached, delegated or default"],
    ["type=bind,src=/a,dst=/b,", 'unknown key ""'],
    ["type=bind,src=/a,dst=/b,ro=maybe", "expected true or false"],
    ["type=bind,src=/a,dst=/b,bind-propagation=up", "bind-propagation must be"],
    ["type=bind,src=/a,dst=/b,bind-recursive=yes", "bind-recursive must be"],
    ["type=bind,src=/a,dst=/b,bind-recursive=readonly", "needs readonly"],
    ["type=bind,src=/a,dst=/b,ro,bind-propagation=rslave,bind-recursive=readonly", "needs readonly"],
    ["type=bind,src=/a,dst=/b,bind-nonrecursive,bind-recursive=enabled", "exclude each other"],
    ["type=bind,src=/a,dst=/b,tmpfs-size=1m", "tmpfs-size is not for type=bind"],
    ["type=tmpfs,dst=/b,bind-propagation=shared", "bind-propagation is not for type=tmpfs"],
    ["type=tmpfs,src=/a,dst=/b", "source is not for type=tmpfs"],
    ["type=tmpfs,dst=/b,tmpfs-size=big", "expected bytes"],
    ["type=tmpfs,dst=/b,tmpfs-mode=rwx", "octal"],
    ['type=bind,src="/a",dst=/b', "quotation marks must enclose a whole field"],
    ['type=bind,"src=/a,dst=/b', 'must end with "'],
    ["", 'unknown key ""'],
  ])("refuses %s", (text, message) => expectRefusal(() => parseMountOption(text), message));
});

describe("parseTmpfsOption", () => {
  test.each<[string, options: string[]]>([
    ["/b", ["noexec", "nosuid", "nodev"]],
    ["/b:exec,size=64m", ["nosuid", "nodev", "exec", "size=64m"]],
    ["/b:ro,rw", ["noexec", "nosuid", "nodev", "rw"]],
    [
      "/b:size=1m,size=50%,mode=0700,uid=7,gid=8,nr_inodes=1k",
      ["noexec", "nosuid", "nodev", "size=50%", "mode=0700", "uid=7", "gid=8", "nr_inodes=1k"],
    ],
  ])("reads %s", (text, options) => {
    expect(parseTmpfsOption(text)).toEqual({ type: "tmpfs", destination: "/b", options });
  });

  test.each([
    ["b", "must be absolute"],
    ["/", "cannot be /"],
    ["", "must be absolute"],
    ["/b:", 'unknown tmpfs option ""'],
    ["/b:noexce", 'unknown tmpfs option "noexce"; did you mean noexec?'],
    ["/b:size=x", '"size=x" is no value for size'],
    ["/b:size", '"size" is no value for size'],
    ["/b:mode=999", '"mode=999" is no value for mode'],
    ["/b:toString=1", 'unknown tmpfs option "toString"'],
    ["/b:ro=1", 'unknown tmpfs option "ro"'],
  ])("refuses %s", (text, message) => expectRefusal(() => parseTmpfsOption(text), message));
});
