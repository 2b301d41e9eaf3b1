import { describe, expect, test } from "bun:test";
import { containerArguments, containerEnvironment } from "../../../../src/engine/specification/container-command.ts";
import { runOptions } from "./run-options.ts";

describe("containerArguments", () => {
  const both = { entrypoint: ["/entry", "-e"], command: ["cmd", "arg"] };
  test.each([
    ["image", both, undefined, [], ["/entry", "-e", "cmd", "arg"]],
    ["image without entry point", { command: ["cmd"] }, undefined, [], ["cmd"]],
    ["image without command", { entrypoint: ["/entry"] }, undefined, [], ["/entry"]],
    ["words replace the command", both, undefined, ["ls"], ["/entry", "-e", "ls"]],
    ["--entrypoint clears the command", both, ["/mine"], [], ["/mine"]],
    ["--entrypoint with words", both, ["/mine"], ["ls", ""], ["/mine", "ls", ""]],
    ["an empty --entrypoint with words", both, [], ["ls"], ["ls"]],
  ])("%s", (_, image, entrypoint, command, expected) => {
    expect(containerArguments(runOptions({ entrypoint, command }), image)).toEqual(expected);
  });

  test.each([
    [{}, undefined],
    [{ entrypoint: [], command: [] }, undefined],
    [both, []],
  ])("nothing to run in %j with entry point %j", (image, entrypoint) => {
    expect(() => containerArguments(runOptions({ entrypoint }), image)).toThrow(
      expect.objectContaining({ code: "no_command", message: "no command specified", exitStatus: 125 }),
    );
  });
});

describe("containerEnvironment", () => {
  const defaults = { hostname: "abc", terminal: false, home: "/root" };
  const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

  test.each([
    ["nothing", [], [], {}, [path, "HOSTNAME=abc", "HOME=/root"]],
    ["a terminal", [], [], { terminal: true }, [path, "HOSTNAME=abc", "TERM=xterm", "HOME=/root"]],
    ["the image", [], ["PATH=/bin", "A=1"], {}, ["PATH=/bin", "HOSTNAME=abc", "A=1", "HOME=/root"]],
    ["user over image", ["A=2", "B=3"], ["A=1"], {}, [path, "HOSTNAME=abc", "A=2", "B=3", "HOME=/root"]],
    ["the last of several", ["A=1", "A=2", "A="], [], {}, [path, "HOSTNAME=abc", "A=", "HOME=/root"]],
    ["HOME of the user", ["HOME=/h"], [], {}, [path, "HOSTNAME=abc", "HOME=/h"]],
    ["an empty HOME", ["HOME="], [], {}, [path, "HOSTNAME=abc", "HOME=/root"]],
    ["removals", ["PATH", "A"], ["A=1"], {}, ["HOSTNAME=abc", "HOME=/root"]],
    ["TERM of the user", ["TERM=vt100"], [], { terminal: true }, [path, "HOSTNAME=abc", "TERM=vt100", "HOME=/root"]],
    ["values with =", ["A=b=c"], [], {}, [path, "HOSTNAME=abc", "A=b=c", "HOME=/root"]],
    ["no name", ["=x"], ["=y"], {}, [path, "HOSTNAME=abc", "HOME=/root"]],
  ])("%s", (_, user, image, changes, expected) => {
    expect(containerEnvironment(user, image, { ...defaults, ...changes })).toEqual(expected);
  });
});
