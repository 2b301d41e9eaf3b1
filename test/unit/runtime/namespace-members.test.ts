import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { mountNamespaceMembers } from "../../../src/runtime/namespace-members.ts";
import { namespaceOf } from "../../../src/sys/namespace.ts";

test("the processes of a mount namespace are those below the host's, also who has left it", async () => {
  // The outer unshare(1) is in the mount namespace, and stays in our pid namespace.
  const inside = "unshare -m sh -c 'echo ready; exec sleep 1000' & wait";
  const words = [
    "unshare",
    "--user",
    "--map-root-user",
    "--pid",
    "--mount",
    "--kill-child",
    "--fork",
    "sh",
    "-c",
    inside,
  ];
  await using visitor = Bun.spawn(words, { stdout: "pipe", killSignal: "SIGKILL" });
  const reader = visitor.stdout.getReader();
  expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("ready\n");
  const namespace = namespaceOf(visitor.pid, "mnt") ?? "";
  const members = mountNamespaceMembers(namespace).map(({ pid }) => pid);
  const [first = 0, left = 0] = members.toSorted((one, other) => one - other);
  const parentOf = (pid: number) => Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[3]);
  expect(members).toHaveLength(2);
  expect(parentOf(first)).toBe(visitor.pid);
  expect(namespaceOf(first, "mnt")).toBe(namespace);
  expect(parentOf(left)).toBe(first);
  expect(namespaceOf(left, "mnt")).not.toBe(namespace);
  expect(mountNamespaceMembers(namespaceOf("self", "mnt") ?? "")).not.toContainEqual(
    expect.objectContaining({ pid: process.pid }),
  );
});
