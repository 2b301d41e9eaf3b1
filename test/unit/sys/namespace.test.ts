import { expect, test } from "bun:test";
import { namespaceOf, openedNamespace, openNamespaceOf } from "../../../src/sys/namespace.ts";

test("a namespace is opened by a process that is in it", () => {
  using opened = openNamespaceOf(process.pid, "mnt");
  expect(opened).toBeDefined();
  expect(openedNamespace(opened?.number ?? -1)).toBe(namespaceOf(process.pid, "mnt") ?? "");
});

test("a process that has ended is in none", async () => {
  const child = Bun.spawn(["true"]);
  await child.exited;
  expect(openNamespaceOf(child.pid, "mnt")).toBeUndefined();
});
