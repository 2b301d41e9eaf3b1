/* Standard input, output and error of a container without a terminal. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { eventually, finish } from "../../unprivileged-user.ts";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();

/** Runs a shell script of the host's as the user; `$BUNKER` and `$IMAGE` are what it needs. */
function shell(script: string) {
  const environment = { BUNKER: suite.user.bunkerPath, IMAGE: suite.image };
  return suite.user.execute(["bash", "-c", script], { environment });
}

describe("input", () => {
  test("100 MB pass through byte for byte", async () => {
    const bytes = Buffer.alloc(100_000_000);
    // A pattern that no two blocks have in common.
    for (let index = 0; index < bytes.length; index += 4)
      bytes.writeUInt32LE(Math.imul(index, 2654435761) >>> 0, index);
    const file = `${suite.user.environment["XDG_RUNTIME_DIR"]}/input`;
    using _ = { [Symbol.dispose]: () => rmSync(file, { force: true }) };
    writeFileSync(file, bytes);
    const expected = createHash("sha256").update(bytes).digest("hex");
    for (const script of [
      '"$BUNKER" run --rm -i "$IMAGE" cat <input | sha256sum',
      'cat input | "$BUNKER" run --rm -i --log-driver none "$IMAGE" cat | sha256sum',
      'cat input | "$BUNKER" run --rm -i "$IMAGE" sha256sum',
      '"$BUNKER" run --rm -i --log-driver none "$IMAGE" cat <input >copy && sha256sum <copy && rm copy',
    ]) {
      const outcome = await shell(`cd "$XDG_RUNTIME_DIR" && ${script}`);
      expect(outcome).toEqual({ status: 0, output: `${expected}  -\n`, errors: "" });
    }
    // Tens of seconds where others use the processors, too; most of it for the log of what is no text.
  }, 300_000);

  test("is empty without -i, whatever there is", async () => {
    const { output } = await suite.user.run([suite.image, "sh", "-c", "wc -c"], { input: "words\n" });
    expect(output).toBe("0\n");
  });

  test("ends when ours does", async () => {
    const { output } = await suite.user.run(["-i", suite.image, "sh", "-c", "cat; echo end"], { input: "words\n" });
    expect(output).toBe("words\nend\n");
  });

  test("can be closed by the container, and the rest is not read", async () => {
    expect(await shell('yes | "$BUNKER" run --rm -i "$IMAGE" sh -c "read x; exec 0<&-; echo got"')).toMatchObject({
      status: 0,
      output: "got\n",
      errors: "",
    });
  });

  test("is answered while it is still open", async () => {
    const session = suite.user.talkTo([suite.image, "sh", "-c", 'while read x; do echo "<$x>"; done; echo bye']);
    for (const word of ["one", "two"]) {
      session.type(`${word}\n`);
      await session.expect(`<${word}>\n`);
    }
    expect(await session.finish()).toMatchObject({ status: 0, output: "<one>\n<two>\nbye\n" });
  });

  test("that is open does not keep an ended container", async () => {
    const session = suite.user.talkTo([suite.image, "true"]);
    expect(await session.process.exited).toBe(0);
    await session.finish();
  });

  test("of other processes is not disturbed: the pipes and files that we are given stay as they are", async () => {
    const script = [
      '"$BUNKER" run --rm -i "$IMAGE" true',
      'python3 -c "import fcntl,os; print([bool(fcntl.fcntl(f, fcntl.F_GETFL) & os.O_NONBLOCK) for f in (0, 1, 2)])"',
    ].join("; ");
    expect((await shell(`{ ${script}; } </dev/null`)).output).toBe("[False, False, False]\n");
    expect((await shell(`cat /dev/null | { ${script}; } 2>&1 | cat`)).output).toBe("[False, False, False]\n");
  });
});

describe("output", () => {
  test("and errors stay apart", async () => {
    const { output, errors } = await suite.user.run([suite.image, "sh", "-c", "echo out; echo err >&2"]);
    expect({ output, errors }).toEqual({ output: "out\n", errors: "err\n" });
  });

  test("of the last moment is not lost", async () => {
    // More than a pipe holds, so that some of it is still in the container's when it ends.
    const command = ["sh", "-c", "head -c 5000000 /dev/zero; head -c 300000 /dev/zero >&2; exit 3"];
    const { status, output, errors } = await suite.user.run([suite.image, ...command]);
    expect({ status, output: output.length, errors: errors.length }).toEqual({
      status: 3,
      output: 5_000_000,
      errors: 300_000,
    });
  });

  test("that nobody reads any more ends the container cleanly", async () => {
    const script = `"$BUNKER" run --rm --log-opt max-size=1m "$IMAGE" sh -c "yes; exit 5" | head -n 1; echo \${PIPESTATUS[@]}`;
    expect(await shell(script)).toEqual({ status: 0, output: "y\n5 0\n", errors: "" });
  });

  test("that nobody reads makes the container wait, and signals reach it all the same", async () => {
    const words = [
      "run",
      "--rm",
      "--log-opt",
      "max-size=1m",
      suite.image,
      "sh",
      "-c",
      "trap 'kill %1; exit 9' HUP; yes & wait",
    ];
    const child = suite.user.start([suite.user.bunkerPath, ...words]);
    await waitUntilBlocked("yes");
    child.kill("SIGHUP");
    expect((await finish(child)).status).toBe(9);
  });

  test("to a file is appended where that was asked", async () => {
    expect(
      await shell(
        'cd "$HOME/../tmp" && echo first >log && "$BUNKER" run --rm "$IMAGE" echo second >>log && cat log && rm log',
      ),
    ).toMatchObject({ output: "first\nsecond\n", errors: "" });
  });

  test.each([
    [">/dev/full", "echo lost"],
    [">/dev/full", "sleep 0.1; echo lost"],
    [">/dev/full", "head -c 1000000 /dev/zero"],
    ["2>/dev/full", "echo lost >&2"],
  ])("to a full disk is no success: %s of %s", async (redirection, script) => {
    const { status, output, errors } = await shell(`"$BUNKER" run --rm "$IMAGE" sh -c "${script}" ${redirection}`);
    expect({ status, output }).toEqual({ status: 125, output: "" });
    // Where this is said is full as well in one case.
    const message = "bunker: write what the container has written to its standard output: ENOSPC\n";
    if (redirection.startsWith(">")) expect(errors).toEndWith(message);
  });

  test("can be closed from the start", async () => {
    expect(await shell('"$BUNKER" run --rm "$IMAGE" true >&-; echo $?')).toMatchObject({ output: "0\n" });
    expect(await shell('"$BUNKER" run --rm -i "$IMAGE" true <&-; echo $?')).toMatchObject({ output: "0\n" });
    expect(await shell('"$BUNKER" run --rm "$IMAGE" true <&- >&- 2>&-; echo $?')).toMatchObject({ output: "0\n" });
  });
});

/** Waits until a container's process with this name waits in the write to a pipe that is full. */
async function waitUntilBlocked(name: string): Promise<void> {
  await eventually(
    () =>
      suite.user
        .processes()
        .some((pid) => read(pid, "comm") === `${name}\n` && read(pid, "wchan").includes("pipe_write")),
    () => `${name} to wait for a reader`,
  );
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}
