import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ContainerDirectory } from "../../../../src/runtime/lifecycle/container-record.ts";
import { stateRoot } from "../../../../src/runtime/lifecycle/state-root.ts";
import { FileDescriptor } from "../../../../src/sys/file-descriptor.ts";
import { OpenFlag } from "../../../../src/sys/open.ts";
import { identify } from "../../../../src/sys/process-identity.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bunker-record-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const record = { bundle: "/b", rootfs: "/b/rootfs", created: "now", annotations: {} };

describe("the status", () => {
  test("creating, then stopped, while there is no process", () => {
    const claimed = ContainerDirectory.claim(root, "a");
    using other = ContainerDirectory.open(root, "a");
    claimed.writeRecord(record);
    expect(other.state()).toMatchObject({ status: "creating", pid: 0, bundle: "/b" });
    claimed[Symbol.dispose]();
    expect(other.state().status).toBe("stopped");
  });

  test("created while somebody waits at the gate, else running", () => {
    using directory = ContainerDirectory.claim(root, "a");
    directory.makeFifos();
    directory.writeRecord({ ...record, process: identify(process.pid) });
    const gate = new FileDescriptor(directory.openFifo("start", OpenFlag.O_RDWR));
    expect(directory.state().status).toBe("created");
    gate.close();
    expect(directory.state()).toMatchObject({ status: "running", pid: process.pid });
  });

  test("stopped when the pid belongs to another process by now", () => {
    using directory = ContainerDirectory.claim(root, "a");
    directory.writeRecord({ ...record, process: { pid: process.pid, startTime: 1 } });
    expect(directory.state()).toMatchObject({ status: "stopped", pid: 0 });
  });

  test("stopped without any record", () => {
    mkdirSync(`${root}/a`);
    using directory = ContainerDirectory.open(root, "a");
    expect(directory.state()).toMatchObject({ status: "stopped", id: "a" });
  });
});

test("a damaged record is told with its path", () => {
  using directory = ContainerDirectory.claim(root, "a");
  writeFileSync(`${root}/a/state.json`, '{"id":');
  expect(() => directory.state()).toThrow(`read ${root}/a/state.json`);
});

test("a record is replaced in one step and leaves nothing beside it", () => {
  using directory = ContainerDirectory.claim(root, "a");
  directory.writeRecord(record);
  directory.writeRecord({ ...record, bundle: "/c" });
  expect(readdirSync(`${root}/a`)).toEqual(["state.json"]);
  expect(directory.record()?.bundle).toBe("/c");
});

test("a chosen state root is made", () => {
  expect(stateRoot(`${root}/deep/er`)).toBe(`${root}/deep/er`);
  expect(ContainerDirectory.ids(`${root}/deep/er`)).toEqual([]);
  writeFileSync(`${root}/file`, "");
  expect(() => stateRoot(`${root}/file`)).toThrow("EEXIST");
});
