import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { autostartState, disableAutostart, enableAutostart } from "../../../../src/engine/autostart/autostart.ts";
import {
  type AutostartFile,
  type AutostartInput,
  autostartPlace,
} from "../../../../src/engine/autostart/autostart-place.ts";
import { isToBeStartedWithMachine } from "../../../../src/engine/lifecycle/restart-policy.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "autostart-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const withSystemd = () => mkdirSync(`${root}/run/systemd/system`, { recursive: true });

function place(change: Partial<AutostartInput> = {}) {
  return autostartPlace({
    uid: 1000,
    home: `${root}/home`,
    configHome: undefined,
    dataHome: undefined,
    command: ["/opt/bunker"],
    root,
    ...change,
  });
}

function file(change: Partial<AutostartInput> = {}): AutostartFile {
  const found = place(change);
  if (found.kind === "crontab") throw new Error("no file");
  return found;
}

describe("with systemd", () => {
  beforeEach(withSystemd);

  test("a user gets a unit of their own", () => {
    const directory = `${root}/home/.config/systemd/user`;
    const unit = file();
    expect(unit).toMatchObject({
      kind: "unit",
      path: `${directory}/bunker-autostart.service`,
      link: `${directory}/default.target.wants/bunker-autostart.service`,
    });
    expect(unit.text).toContain("\nRemainAfterExit=yes\nDelegate=yes\nExecStart=-/opt/bunker autostart run\n");
    expect(unit.text).toEndWith("\n[Install]\nWantedBy=default.target\n");
    expect(unit.text).not.toContain("Environment");
    expect(file({ configHome: "/config" }).path).toStartWith("/config/systemd/user/");
  });

  test("root gets one of the system's, behind the network", () => {
    const unit = file({ uid: 0 });
    expect(unit.path).toBe(`${root}/etc/systemd/system/bunker-autostart.service`);
    expect(unit.text).toContain("After=network-online.target");
    expect(unit.text).toContain("WantedBy=multi-user.target");
  });

  test("words are escaped", () => {
    const { text } = file({ dataHome: '/my data/100%"', command: ["/opt/a b/bun", "/src/$x\\main.ts"] });
    expect(text).toContain('\nEnvironment="XDG_DATA_HOME=/my data/100%%\\""\n');
    expect(text).toContain('\nExecStart=-"/opt/a b/bun" "/src/$x\\\\main.ts" autostart run\n');
  });
});

describe("without systemd", () => {
  const line = "@reboot /opt/bunker autostart run";

  /** Carries a line to type out, with a crontab(1) that keeps the crontab in a file. */
  function type(words: string) {
    const crontab = `${root}/crontab`;
    const program = `#!/bin/sh\ncase $1 in -l) cat ${crontab};; -) cat >${crontab}.new; mv ${crontab}.new ${crontab};; esac`;
    mkdirSync(`${root}/bin`, { recursive: true });
    writeFileSync(`${root}/bin/crontab`, program, { mode: 0o755 });
    const child = Bun.spawnSync(["sh", "-c", words], { env: { PATH: `${root}/bin:/usr/bin:/bin` } });
    return { shown: child.stdout.toString(), crontab: readFileSync(crontab, "utf8") };
  }

  test.each<[string, Partial<AutostartInput>, string]>([
    ["a plain path", {}, line],
    ["odd paths", { command: ["/a b/it's 100%"] }, "@reboot '/a b/it'\\''s 100\\%' autostart run"],
    ["a data directory", { dataHome: "/my data" }, "@reboot XDG_DATA_HOME='/my data' /opt/bunker autostart run"],
  ])("a user gets lines to type for %s", (_, change, expected) => {
    const found = place(change);
    if (found.kind !== "crontab") throw new Error("no lines");
    expect(type(found.add).crontab).toBe(`${expected}\n`);
    writeFileSync(`${root}/crontab`, `0 0 * * * true\n${expected}\n`);
    expect(type(found.show).shown).toBe(`${expected}\n`);
    expect(type(found.remove).crontab).toBe("0 0 * * * true\n");
  });

  test("root gets a file where cron reads some", () => {
    expect(place({ uid: 0 }).kind).toBe("crontab");
    mkdirSync(`${root}/etc/cron.d`, { recursive: true });
    const { path, text, link } = file({ uid: 0 });
    expect([path, link]).toEqual([`${root}/etc/cron.d/bunker-autostart`, undefined]);
    expect(text).toEndWith("\n@reboot root /opt/bunker autostart run\n");
  });
});

test("paths with line breaks are refused", () => {
  withSystemd();
  expect(() => place({ command: ["/opt/a\nExecStart=/bin/evil"] })).toThrow("it has control characters");
});

describe("enable, disable and status", () => {
  beforeEach(withSystemd);

  test("a file and its link come and go", () => {
    const unit = file();
    const { path, link = "" } = unit;
    expect(autostartState(unit)).toBe("disabled");
    expect(disableAutostart(unit)).toEqual([]);
    expect(enableAutostart(unit)).toEqual([path, link]);
    expect(autostartState(unit)).toBe("enabled");
    expect([readFileSync(path, "utf8"), readlinkSync(link), readFileSync(link, "utf8")]).toEqual([
      unit.text,
      "../bunker-autostart.service",
      unit.text,
    ]);
    expect(enableAutostart(unit)).toEqual([]);
    expect(disableAutostart(unit)).toEqual([link, path]);
    expect(readdirSync(`${root}/home/.config/systemd/user`)).toEqual([]);
    expect(autostartState(unit)).toBe("disabled");
  });

  test("another executable's is told, and replaced", () => {
    const unit = file();
    enableAutostart(file({ command: ["/old/bunker"] }));
    expect(autostartState(unit)).toBe("outdated");
    expect(enableAutostart(unit)).toEqual([unit.path]);
    expect(autostartState(unit)).toBe("enabled");
  });

  test("the link of systemctl counts, one that leads elsewhere does not", () => {
    const unit = file();
    const { path, link = "" } = unit;
    enableAutostart(unit);
    unlinkSync(link);
    expect(autostartState(unit)).toBe("disabled");
    symlinkSync(path, link);
    expect(autostartState(unit)).toBe("enabled");
    unlinkSync(link);
    symlinkSync("/dev/null", link);
    expect(autostartState(unit)).toBe("disabled");
    expect(enableAutostart(unit)).toEqual([link]);
    expect(autostartState(unit)).toBe("enabled");
  });

  test("others' links stay", () => {
    const unit = file();
    enableAutostart(unit);
    const other = `${root}/home/.config/systemd/user/default.target.wants/other.service`;
    symlinkSync("../other.service", other);
    disableAutostart(unit);
    expect(readlinkSync(other)).toBe("../other.service");
  });

  test("what cannot be written is told, and nothing is left aside", () => {
    const unit = file();
    mkdirSync(unit.path, { recursive: true });
    expect(() => enableAutostart(unit)).toThrow(/^write .*bunker-autostart\.service: EISDIR$/);
    expect(readdirSync(`${root}/home/.config/systemd/user`)).toEqual(["bunker-autostart.service"]);
    writeFileSync(`${root}/file`, "");
    expect(() => enableAutostart(file({ configHome: `${root}/file` }))).toThrow(/: ENOTDIR$|: EEXIST$/);
    expect(existsSync(`${root}/file`)).toBe(true);
  });
});

test.each([
  ["always", false, true],
  ["always", true, true],
  ["unless-stopped", false, true],
  ["unless-stopped", true, false],
  ["on-failure", false, false],
  ["no", false, false],
] as const)("%s, stopped by a user %p: %p", (name, stoppedByUser, expected) => {
  const definition = { restart: { name, maximumRetryCount: 0 } };
  expect(isToBeStartedWithMachine({ definition, started: 1, stoppedByUser })).toBe(expected);
  expect(isToBeStartedWithMachine({ definition, started: undefined, stoppedByUser })).toBe(false);
});
