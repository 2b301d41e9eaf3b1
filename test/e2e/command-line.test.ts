import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../package.json";
import { executable } from "../executable.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-command-line-"));
  // Building it takes longer than a test may.
  executable();
}, 60_000);
afterAll(() => rmSync(directory, { recursive: true }));

interface Outcome {
  readonly status: number;
  readonly output: string;
  readonly errors: string;
}

function bunker(words: readonly string[], environment: Readonly<Record<string, string>> = {}): Outcome {
  const { exitCode, stdout, stderr } = Bun.spawnSync([executable(), ...words], {
    cwd: directory,
    env: { PATH: process.env["PATH"], ...environment },
  });
  return { status: exitCode, output: stdout.toString(), errors: stderr.toString() };
}

describe("version", () => {
  test.each([[["--version"]], [["-v"]]])("bunker %j is one line", (words) => {
    const { status, output } = bunker(words);
    expect(output).toMatch(/^Bunker version (\S+), build ([0-9a-f]{7,}|unknown)\n$/);
    expect(output).toContain(version);
    expect(status).toBe(0);
  });

  test("bunker version says more", () => {
    const { status, output, errors } = bunker(["version"]);
    expect(output).toContain(`\n Version:      ${version}\n`);
    expect(output).toContain(`\n Bun version:  ${Bun.version}\n`);
    expect(output).toMatch(/\n OS\/Arch: {6}linux\/(amd64|arm64)\n$/);
    expect({ status, errors }).toEqual({ status: 0, errors: "" });
    const template = "{{.Client.Version}} {{.Server.Version}} {{.Server.Os}}";
    expect(bunker(["version", "--format", template]).output).toBe(`${version} ${version} linux\n`);
    expect(JSON.parse(bunker(["version", "-f", "json"]).output).Client).toMatchObject({
      Version: version,
      Os: "linux",
    });
    expect(bunker(["version", "-f", "{{.None}}"]).status).not.toBe(0);
  });
});

describe("what cannot be written to standard output", () => {
  const redirected = (redirection: string, words: readonly string[]): Outcome => {
    const script = `"$@" ${redirection}`;
    const { exitCode, stderr } = Bun.spawnSync(["sh", "-c", script, "sh", executable(), ...words], {
      cwd: directory,
      env: { PATH: process.env["PATH"], XDG_DATA_HOME: directory },
    });
    return { status: exitCode, output: "", errors: stderr.toString() };
  };

  test.each([[["images"]], [["info", "--format", "json"]], [["volume", "create"]]])("of bunker %j is told", (words) => {
    const { status, errors } = redirected(">/dev/full", words);
    expect(errors).toBe(
      "bunker: write to standard output: ENOSPC\n" + "hint: Free some space there, or choose another place.\n",
    );
    expect(status).not.toBe(0);
  });

  test("for want of a reader ends the command without a word", () => {
    const script = `
import os, subprocess, sys
reading, writing = os.pipe()
os.close(reading)
sys.exit(subprocess.call(sys.argv[1:], stdout=writing))
`;
    const { exitCode, stderr } = Bun.spawnSync(["python3", "-c", script, executable(), "images"], {
      env: { PATH: "/usr/bin:/bin", XDG_DATA_HOME: directory },
    });
    expect({ exitCode, errors: stderr.toString() }).toEqual({ exitCode: 141, errors: "" });
  });

  test("waits for a reader that takes its time, though the pipe does not", () => {
    // The pipe holds less than that, and is not waited for by those who write to it.
    const script = `
import fcntl, os, subprocess, sys
reading, writing = os.pipe()
fcntl.fcntl(writing, fcntl.F_SETFL, os.O_NONBLOCK)
fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
child = subprocess.Popen(sys.argv[1:], stdout=writing)
os.close(writing)
while True:
    piece = os.read(reading, 1000)
    if piece == b"":
        break
    sys.stdout.buffer.write(piece)
sys.exit(child.wait())
`;
    const words = ["info", "--format", `{{.KernelVersion}}${" ".repeat(100_000)}`];
    const { exitCode, stdout } = Bun.spawnSync(["python3", "-c", script, executable(), ...words], {
      env: { PATH: "/usr/bin:/bin", XDG_DATA_HOME: directory },
    });
    const { output } = bunker(words, { XDG_DATA_HOME: directory });
    expect(output.length).toBeGreaterThan(4096);
    expect({ exitCode, output: stdout.toString() }).toEqual({ exitCode: 0, output });
  });
});

describe("help", () => {
  test.each([[[]], [["--help"]], [["-h"]], [["help"]]])("bunker %j lists the commands", (words: string[]) => {
    const { status, output, errors } = bunker(words);
    expect(output).toMatch(
      /^A rootless container engine \(bunker\)\n\nUSAGE bunker \[OPTIONS\] \S*\brun\|\S+\n\nOPTIONS\n/,
    );
    expect(output).toMatch(/\nCOMMANDS\n\n( +\w+ {4}\S.*\n)+\nUse bunker <command> --help /);
    expect(output).toMatch(/\n +run {4}Create a container/);
    expect(output).not.toContain("internal");
    expect({ status, errors }).toEqual({ status: 0, errors: "" });
  });

  test.each([[["run", "--help"]], [["help", "run"]], [["run", "-it", "--help"]]])("bunker %j shows run's", (words) => {
    const { status, output, errors } = bunker(words);
    expect(output).toMatch(/^Create a container .*\n\nUSAGE bunker run \[OPTIONS\] <IMAGE> \[COMMAND\] \[ARG...\]\n/);
    expect(output).toMatch(/\n +-e, --env=<NAME\[=VALUE\]> {4}Set an .* \(repeatable\)\n/);
    expect(output).toMatch(/\n +--shm-size=<BYTES> {4}Size of \/dev\/shm \(Default: 64m\)\n/);
    expect(output).not.toContain("\x1b");
    expect({ status, errors }).toEqual({ status: 0, errors: "" });
  });

  test.each([
    ["is in colour on a terminal", {}, true],
    ["is without colour where that is not wanted", { NO_COLOR: "1" }, false],
  ])("%s", async (_what, environment, coloured) => {
    const chunks: Uint8Array[] = [];
    const ended = Promise.withResolvers<void>();
    // citty itself leaves colours out where CI or TEST is set.
    const child = Bun.spawn([executable(), "--help"], {
      env: { TERM: "xterm-256color", ...environment },
      terminal: { data: (_terminal, data) => void chunks.push(data), exit: () => ended.resolve() },
    });
    expect(await child.exited).toBe(0);
    await ended.promise;
    child.terminal?.close();
    const output = Buffer.concat(chunks).toString();
    expect(output).toContain("A rootless container engine");
    expect(output.includes("\x1b[")).toBe(coloured);
  });
});

describe("errors", () => {
  test.each([
    [["versoin"], 'bunker: unknown command "versoin"; did you mean bunker version?\n'],
    [["help", "rnu"], 'bunker: unknown command "rnu"; did you mean bunker run?\n'],
    [["toString"], 'bunker: unknown command "toString"; bunker --help lists the commands\n'],
    [["a\nb\x1b"], 'bunker: unknown command "a\\nb\\u001b"; bunker --help lists the commands\n'],
    [["--verison"], "bunker: unknown option --verison; did you mean --version?\n"],
    [["version", "now"], 'bunker: unexpected argument "now"; bunker version --help shows how it is used\n'],
    [["run"], "bunker: bunker run needs IMAGE; bunker run --help shows how it is used\n"],
    [["run", "--netwrok", "none", "x"], "bunker: unknown option --netwrok; did you mean --network?\n"],
    [
      ["run", "--shm-size=big", "x"],
      'bunker: invalid value "big" for --shm-size: expected bytes with an optional unit b, k, m or g, such as 64m\n',
    ],
    [["run", "--name"], "bunker: option --name needs a value\n"],
  ])("bunker %j ends in one line and status 125", (words, errors) => {
    expect(bunker(words)).toEqual({ status: 125, output: "", errors });
  });

  test("a hint comes on a line of its own", () => {
    const { status, errors } = bunker(["run", "oci:"]);
    expect(errors).toMatch(/^bunker: .*\n(hint: .*\n)?$/);
    expect(status).toBe(125);
  });

  test("the stack is shown on request, with the lines of the source", () => {
    const { errors } = bunker(["nothing"], { BUNKER_DEBUG: "1" });
    expect(errors).toMatch(/^bunker: .*\n( +at .*\n)+$/);
    expect(errors).toContain("src/cli/command-group.ts:");
  });
});

test("called as bunker-runtime it is bunker runtime", () => {
  const { stdout, stderr, exitCode } = Bun.spawnSync([`${executable()}-runtime`, "--help"]);
  const direct = bunker(["runtime", "--help"]);
  expect({ status: exitCode, output: stdout.toString(), errors: stderr.toString() }).toEqual(direct);
});

test("nothing is said to a reader that has gone", () => {
  // The pipe's reader closes it before it lets the command start.
  const script = `mkfifo gate; { read -r go <gate; "$0" run --help; echo $? >&2; } | { exec <&-; echo go >gate; }`;
  const { stdout, stderr } = Bun.spawnSync(["sh", "-c", script, executable()], { cwd: directory });
  expect({ output: stdout.toString(), errors: stderr.toString() }).toEqual({ output: "", errors: "0\n" });
});

test("nothing of the directory it is started in is read", () => {
  writeFileSync(join(directory, ".env"), "BUNKER_DEBUG=1\n");
  writeFileSync(join(directory, "bunfig.toml"), 'preload = ["./preload.ts"]\n');
  writeFileSync(join(directory, "preload.ts"), 'console.log("preloaded");\n');
  writeFileSync(join(directory, "package.json"), "not JSON");
  writeFileSync(join(directory, "tsconfig.json"), "not JSON");
  expect(bunker(["--version"]).output).toMatch(/^Bunker version .*\n$/);
  expect(bunker(["nothing"]).errors).toBe('bunker: unknown command "nothing"; bunker --help lists the commands\n');
});
