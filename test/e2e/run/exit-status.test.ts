/* What `bunker run` itself exits with, and what it says when there is no container to run. */
import { describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();

describe("the exit status", () => {
  test.each([
    [["true"], 0],
    [["sh", "-c", "exit 1"], 1],
    [["sh", "-c", "exit 42"], 42],
    [["sh", "-c", "exit 125"], 125],
    [["sh", "-c", "exit 255"], 255],
    [["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137],
    [["sh", "-c", "trap 'exit 3' TERM; kill -TERM $$"], 3],
  ])("of %j is the container's", async (command, status) => {
    const outcome = await suite.user.run([suite.image, ...command]);
    expect(outcome).toEqual({ status, output: "", errors: expect.stringMatching(/^(Killed\n)?$/) });
  });

  test.each([
    [["--init"], ["sh", "-c", "exit 7"], 7],
    [["--init"], ["sh", "-c", "kill -SEGV $$"], 139],
    [["--init"], ["sh", "-c", "kill -9 $$"], 137],
    [["--pid=host"], ["sh", "-c", "kill -TERM $$"], 143],
  ])("with %j, of %j is %d", async (options, command, status) => {
    expect((await suite.user.run([...options, suite.image, ...command])).status).toBe(status);
  });
});

describe("commands that cannot be executed", () => {
  test.each([
    [["no-such-program"], 127, /^bunker: .*no-such-program.*ENOENT|not found/],
    [["/bin/missing"], 127, /^bunker: .*\/bin\/missing.*ENOENT|not found/],
    [["/etc/passwd"], 126, /^bunker: .*\/etc\/passwd.*EACCES/],
    [["/etc"], 126, /^bunker: .*\/etc\b.*(EACCES|EISDIR)/],
    [[""], 127, /^bunker: execute "": executable file not found in \$PATH: ENOENT/],
  ])("%j ends with %d", async (command, status, message) => {
    const outcome = await suite.user.run([suite.image, ...command]);
    expect(outcome.errors).toMatch(message);
    expect(outcome.errors).toMatch(/^bunker: .*\n(hint: .*\n)?$/);
    expect(outcome.status).toBe(status);
    expect(await suite.user.run(["--init", suite.image, ...command])).toEqual(outcome);
  });

  test("a script without its interpreter, and one for no machine", async () => {
    const place = suite.user.makeDirectory("programs");
    const write = async (name: string, text: string) => {
      await Bun.write(`${place}/${name}`, text);
      chmodSync(`${place}/${name}`, 0o755);
    };
    await write("script", "#!/no/interpreter\n");
    await write("garbage", "\x7fELF garbage\n");
    const run = (name: string) => suite.user.run(["-v", `${place}:/p`, suite.image, `/p/${name}`]);
    expect((await run("script")).status).toBe(127);
    expect(await run("garbage")).toMatchObject({ status: 126, errors: expect.stringMatching(/^bunker: .*ENOEXEC/) });
  });
});

describe("words", () => {
  test("after the image belong to the container", async () => {
    const words = [suite.image, "echo", "--rm", "-it", "--no-such-option", "--", "-e", "A=1", "--help"];
    expect(await suite.user.run(words)).toEqual({
      status: 0,
      output: "--rm -it --no-such-option -- -e A=1 --help\n",
      errors: "",
    });
  });

  test("of any bytes reach it unchanged", async () => {
    const words = ["", " ", "a\nb", '"', "'", "$HOME", "é🐳", "*"];
    const { output } = await suite.user.run([
      suite.image,
      "sh",
      "-c",
      'for w; do printf "[%s]" "$w"; done',
      "x",
      ...words,
    ]);
    expect(output).toBe(words.map((word) => `[${word}]`).join(""));
  });

  test.each([
    [["--nam", "x", "IMAGE"], "bunker: unknown option --nam; did you mean --name?\n"],
    [["--entry-point=x", "IMAGE"], "bunker: unknown option --entry-point; did you mean --entrypoint?\n"],
    [["-x", "IMAGE"], "bunker: unknown option -x; bunker run --help lists the options\n"],
    [
      ["--pid", "hots", "IMAGE"],
      'bunker: invalid value "hots" for --pid: expected private or host; did you mean host?\n',
    ],
    [
      ["--oom-score-adj", "x", "IMAGE"],
      'bunker: invalid value "x" for --oom-score-adj: expected a whole number from -1000 to 1000\n',
    ],
    [["--ulimit", "nofiles=1", "IMAGE"], /^bunker: invalid value "nofiles=1" for --ulimit: .*did you mean nofile\?\n$/],
    [["--name", "-x", "IMAGE"], 'bunker: invalid value "-x" for --name: expected [a-zA-Z0-9][a-zA-Z0-9_.-]+\n'],
    [["--env"], "bunker: option --env needs a value\n"],
    [["--pid=container:nope", "--rootfs", "/:O"], "bunker: No such container: nope\n"],
    [["--network=container:nope", "--rootfs", "/:O"], "bunker: No such container: nope\n"],
    [["--volumes-from=nope", "--rootfs", "/:O"], "bunker: No such container: nope\n"],
    [["--platform=linux/arm64", "--rootfs", "/:O"], "bunker: conflicting options: --platform and --rootfs\n"],
    [[], "bunker: bunker run needs IMAGE; bunker run --help shows how it is used\n"],
  ])("%j are refused in one line with status 125", async (words, message) => {
    const { status, output, errors } = await suite.user.bunker(["run", ...words]);
    if (typeof message === "string") expect(errors).toBe(message);
    else expect(errors).toMatch(message);
    expect({ status, output }).toEqual({ status: 125, output: "" });
  });

  test.each([
    ["Busybox", /^bunker: .*"Busybox".*: repository names are in lower case\nhint: /],
    ["oci:/nonexistent", /^bunker: .*oci:\/nonexistent.*: ENOENT\n/],
    ["docker-archive:/etc/passwd", /^bunker: .*docker-archive:\/etc\/passwd/],
    ["oci-archive:/etc", /^bunker: .*oci-archive:\/etc.*it is a directory/],
  ])("an image %s is refused", async (image, message) => {
    const { status, errors } = await suite.user.run([image, "true"]);
    expect(errors).toMatch(message);
    expect(status).toBe(125);
  });

  test("a tag that is not there is refused with those that are", async () => {
    const { status, errors } = await suite.user.run([suite.image.replace(/latest$/, "lates"), "true"]);
    expect(errors).toContain("latest");
    expect(status).toBe(125);
  });
});
