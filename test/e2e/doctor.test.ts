/* `bunker doctor`: what the machine at hand allows, as the users have it. */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import * as v from "valibot";
import { finish, type Outcome, UnprivilegedUser } from "../unprivileged-user.ts";
import { withoutUserNamespaces } from "./without-user-namespaces.ts";

setDefaultTimeout(60_000);
let user: UnprivilegedUser;
let bare: UnprivilegedUser;
beforeAll(() => {
  user = new UnprivilegedUser("bunker-test");
  bare = new UnprivilegedUser("bunker-bare");
}, 300_000);
afterEach(async () => {
  await user.expectNothingLeft();
  await bare.expectNothingLeft();
});
afterAll(() => {
  user[Symbol.dispose]();
  bare[Symbol.dispose]();
});

const findingSchema = v.strictObject({
  Check: v.string(),
  Effect: v.string(),
  Found: v.string(),
  Remedy: v.string(),
  State: v.picklist(["ok", "limited", "failed"]),
});

/** The findings by what they are about. */
function findings({ output }: Outcome) {
  const rows = output
    .trim()
    .split("\n")
    .map((line) => v.parse(findingSchema, JSON.parse(line)));
  return new Map(rows.map((row) => [row.Check, row]));
}

const JSON_FORM = ["doctor", "--format", "json"];

test("who has everything can run containers", async () => {
  const outcome = await user.bunker(JSON_FORM);
  expect([outcome.status, outcome.errors]).toEqual([0, ""]);
  const found = findings(outcome);
  for (const check of ["kernel", "user namespaces", "subordinate ids", "newuidmap", "newgidmap", "overlay", "TUN"]) {
    expect(found.get(check)).toMatchObject({ State: "ok", Remedy: "" });
  }
  expect(found.get("XDG_RUNTIME_DIR")).toMatchObject({ State: "ok", Found: user.environment["XDG_RUNTIME_DIR"] });
  expect(found.get("data directory")?.Found).toStartWith(`${user.data} on `);
});

test("who has no subordinate ids can run containers with a single id, and is told what would give some", async () => {
  const outcome = await bare.bunker(JSON_FORM);
  expect([outcome.status, outcome.errors]).toEqual([0, ""]);
  expect(findings(outcome).get("subordinate ids")).toMatchObject({
    State: "limited",
    Remedy: expect.stringMatching(/^usermod --add-subuids (\d+-\d+) --add-subgids \1 bunker-bare$/),
  });
});

test("the remedy stands below its line of the table", async () => {
  const { status, output } = await bare.bunker(["doctor"]);
  expect(status).toBe(0);
  expect(output).toMatch(/^CHECK +STATE +FOUND +EFFECT\nkernel +ok +Linux /);
  expect(output).toMatch(/^subordinate ids +limited +bunker-bare has no .*\n {4}# usermod --add-subuids /m);
});

test("a template shows what it asks for", async () => {
  const { output } = await user.bunker(["doctor", "--format", "{{.Check}}={{.State}}"]);
  expect(output).toMatch(/^kernel=ok\nuser namespaces=ok\n/);
  const table = await user.bunker(["doctor", "--format", "table {{.State}}\t{{.Remedy}}"]);
  expect(table.output).toMatch(/^STATE +REMEDY\nok/);
});

test("nothing is made", async () => {
  const environment = { XDG_DATA_HOME: `${user.home}/new` };
  expect((await user.bunker(["doctor"], { environment })).status).toBe(0);
  expect(existsSync(`${user.home}/new`)).toBe(false);
});

test("a data directory that cannot be written: status 1", async () => {
  const outcome = await user.bunker(JSON_FORM, { environment: { XDG_DATA_HOME: "/sys/kernel" } });
  expect([outcome.status, outcome.errors]).toEqual([1, ""]);
  const found = findings(outcome);
  expect(found.get("data directory")).toMatchObject({ State: "failed" });
  expect(found.get("overlay")).toMatchObject({ State: "failed", Found: expect.stringContaining("/sys/kernel") });
});

test("a helper without privilege, and devices that nobody may open", async () => {
  const script = `
    mount -t tmpfs tmpfs /mnt
    cp /usr/bin/newuidmap /mnt/ && chmod 755 /mnt/newuidmap
    mount --bind /mnt/newuidmap /usr/bin/newuidmap
    for device in fuse net/tun; do touch /mnt/device; chmod 600 /mnt/device; mount --bind /mnt/device /dev/$device; done
    exec "$@"`;
  const words = user.as([user.bunkerPath, ...JSON_FORM]);
  const outcome = await finish(user.startAsRoot(["unshare", "-m", "sh", "-ec", script, "sh", ...words]));
  expect([outcome.status, outcome.errors]).toEqual([0, ""]);
  const found = findings(outcome);
  expect(found.get("newuidmap")).toMatchObject({ State: "limited", Remedy: "chmod u+s /usr/bin/newuidmap" });
  expect(found.get("subordinate ids")).toMatchObject({ State: "limited", Found: "cannot be mapped" });
  expect(found.get("FUSE")).toMatchObject({ State: "limited", Remedy: "chmod 666 /dev/fuse" });
  expect(found.get("TUN")).toMatchObject({ State: "limited", Remedy: "chmod 666 /dev/net/tun" });
});

test("no user namespaces: status 1", async () => {
  const outcome = await withoutUserNamespaces(user, JSON_FORM);
  expect([outcome.status, outcome.errors]).toEqual([1, ""]);
  expect(findings(outcome).get("user namespaces")).toMatchObject({
    State: "failed",
    Found: "make a user namespace: ENOSPC",
    Remedy: "sysctl -w user.max_user_namespaces=15000",
  });
});

test("root needs neither ids nor helpers", async () => {
  const environment = { XDG_DATA_HOME: `${user.directory}/of-root` };
  const outcome = await finish(user.startAsRoot([user.bunkerPath, ...JSON_FORM], { environment }));
  expect([outcome.status, outcome.errors]).toEqual([0, ""]);
  expect(findings(outcome).get("subordinate ids")).toMatchObject({ State: "ok", Found: "you are root" });
});

test("a store that can no longer be written: status 1", async () => {
  const words = user.as([user.bunkerPath, ...JSON_FORM]);
  const script = `mkdir -p ${user.data} && mount --bind -o ro ${user.home} ${user.data} && exec "$@"`;
  const outcome = await finish(user.startAsRoot(["unshare", "-m", "sh", "-ec", script, "sh", ...words]));
  expect([outcome.status, outcome.errors]).toEqual([1, ""]);
  const found = findings(outcome);
  expect(found.get("data directory")).toMatchObject({
    State: "failed",
    Found: `${user.data} cannot be written: EROFS`,
  });
  expect(found.get("overlay")).toMatchObject({ State: "failed", Found: expect.stringContaining("EROFS") });
});

test("what could steer a terminal does not reach it", async () => {
  const environment = { XDG_RUNTIME_DIR: "/no\x1b[2Jwhere\nelse" };
  const { output } = await user.bunker(["doctor"], { environment });
  expect(output).toMatch(
    /^XDG_RUNTIME_DIR +limited +\/no\?\[2Jwhere\?else is not there .*\n {4}# install .*'\/no\?\[2Jwhere\?else'$/m,
  );
  expect(output).not.toContain("\x1b");
});
