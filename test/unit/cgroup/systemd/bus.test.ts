import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Bus } from "../../../../src/cgroup/systemd/bus.ts";

const DAEMON = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
} as const;

let directory = "";
let daemon: Bun.Subprocess<"ignore", "pipe", "inherit">;
const socket = () => ({ path: join(directory, "bus"), isDirect: false });

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "bunker-bus-"));
  daemon = Bun.spawn(
    ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address", `--address=unix:path=${socket().path}`],
    { stdin: "ignore", stdout: "pipe", stderr: "inherit" },
  );
  // It prints its address when it listens.
  await daemon.stdout.getReader().read();
});

afterAll(async () => {
  daemon.kill();
  await daemon.exited;
  rmSync(directory, { recursive: true, force: true });
});

test("a method's arguments and answer", () => {
  using bus = Bus.connect(socket());
  const name = `org.example.a${"b".repeat(200)}`;
  expect(bus.call({ ...DAEMON, member: "RequestName", signature: "su", body: [name, 4] })).toEqual([1]);
  expect(bus.call({ ...DAEMON, member: "NameHasOwner", signature: "s", body: [name] })).toEqual([1]);
  const [owner] = bus.call({ ...DAEMON, member: "GetNameOwner", signature: "s", body: [name] });
  expect(owner).toMatch(/^:1\.\d+$/);
});

test("what the other side refuses", () => {
  using bus = Bus.connect(socket());
  expect(() => bus.call({ ...DAEMON, member: "GetNameOwner", signature: "s", body: ["org.example.nobody"] })).toThrow(
    "call org.freedesktop.DBus.GetNameOwner: org.freedesktop.DBus.Error.NameHasNoOwner: Could not get owner",
  );
  // Structures, lists and variants are checked by the daemon before it finds that nobody is there.
  const body = ["unit", "fail", [["PIDs", { signature: "au", value: [1, 2] }]], []];
  const call = { ...DAEMON, destination: "org.example.nobody", member: "Start", signature: "ssa(sv)a(sa(sv))", body };
  expect(() => bus.call(call)).toThrow("org.freedesktop.DBus.Error.ServiceUnknown");
});

test("signals in between", () => {
  using bus = Bus.connect(socket());
  const signals: unknown[] = [];
  bus.call({ ...DAEMON, member: "AddMatch", signature: "s", body: ["type='signal',member='NameOwnerChanged'"] });
  {
    using other = Bus.connect(socket());
    // Whoever has gone before the daemon has read its greeting never was there.
    other.call({ ...DAEMON, member: "GetId" });
  }
  for (let message = bus.next(); ; message = bus.next()) {
    if (message.member !== "NameOwnerChanged") continue;
    signals.push(message);
    break;
  }
  expect(signals).toMatchObject([
    { member: "NameOwnerChanged", body: [expect.stringMatching(/^:/), "", expect.any(String)] },
  ]);
});

test("a bus that is not there", () => {
  expect(existsSync(join(directory, "nothing"))).toBe(false);
  expect(() => Bus.connect({ path: join(directory, "nothing"), isDirect: false })).toThrow(
    /connect to .*nothing: ENOENT/,
  );
});

test("somebody who hangs up", async () => {
  const path = join(directory, "rude");
  const listener = Bun.listen({ unix: path, socket: { open: (peer) => void peer.end(), data: () => {} } });
  // Whoever connects blocks, so it has to be another process than the listener.
  const module = JSON.stringify(join(import.meta.dir, "../../../../src/cgroup/systemd/bus.ts"));
  const script = `try { (await import(${module})).Bus.connect(${JSON.stringify({ path, isDirect: false })}).next() } catch (error) { console.log(error.message) }`;
  const client = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  try {
    expect(await new Response(client.stdout).text()).toContain(`${path}: it hung up`);
  } finally {
    listener.stop(true);
  }
});
