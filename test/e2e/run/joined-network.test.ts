/* `--network container:NAME` and `ns:PATH`: a network namespace that is there already. */
import { describe, expect, test } from "bun:test";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();

describe("the network of another container", () => {
  test("is shared with its names and resolvers, but nothing else is", async () => {
    const { user, image } = suite;
    const words = ["run", "-d", "--name", "owner", "-h", "box", "--dns", "192.0.2.53", image];
    await user.bunker([...words, "sh", "-c", "while :; do echo hello | nc -l -p 80; done"]);
    try {
      const script = "until nc 127.0.0.1 80 </dev/null; do :; done; hostname; cat /etc/hostname";
      const options = ["--network", "container:owner", image, "sh", "-c"];
      const seen = `${script}; grep -q box /etc/hosts && echo 1; grep nameserver /etc/resolv.conf; readlink /proc/self/ns/net`;
      const { output, errors } = await user.run([...options, seen]);
      expect(errors).toBe("");
      const namespace = (await user.bunker(["exec", "owner", "readlink", "/proc/self/ns/net"])).output;
      expect(output).toBe(`hello\nbox\nbox\n1\nnameserver 192.0.2.53\n${namespace}`);
      // Its process 1 is its own.
      expect((await user.run([...options, "grep -c grep /proc/1/cmdline"])).output).toBe("1\n");
      // A third one joins the first one's by the second one.
      await user.bunker(["run", "-d", "--name", "second", "--network", "container:owner", image, "sleep", "1000"]);
      const third = ["--network", "container:second", image, "readlink", "/proc/self/ns/net"];
      expect((await user.run(third)).output).toBe(namespace);
      expect((await user.bunker(["exec", "second", "readlink", "/proc/self/ns/net"])).output).toBe(namespace);
      // It follows to the owner's next process.
      await user.bunker(["restart", "-t", "0", "owner"]);
      await user.bunker(["restart", "-t", "0", "second"]);
      const now = await user.bunker(["exec", "owner", "readlink", "/proc/self/ns/net"]);
      expect((await user.bunker(["exec", "second", "readlink", "/proc/self/ns/net"])).output).toBe(now.output);
      const id = (await user.bunker(["inspect", "owner", "--format", "{{.Id}}"])).output.trim();
      const mode = await user.bunker(["inspect", "second", "--format", "{{.HostConfig.NetworkMode}} {{.HostsPath}}"]);
      expect(mode.output).toContain(`container:${id} `);
      expect(mode.output).toContain(`/${id}/hosts`);
    } finally {
      await user.bunker(["rm", "-f", "owner", "second"]);
    }
  });

  test("that is the host's is the host's", async () => {
    const { user, image } = suite;
    await user.run(["-d", "--name", "owner", "--network", "host", image, "sleep", "1000"]);
    const { output, errors } = await user.run([
      ...["--network", "container:owner", image],
      ...["readlink", "/proc/self/ns/net"],
    ]);
    await user.bunker(["rm", "-f", "owner"]);
    const own = await user.execute(["readlink", "/proc/self/ns/net"]);
    expect({ output, errors }).toEqual({ output: own.output, errors: "" });
  });

  test("can only be joined while that runs, by one with the same ids", async () => {
    const { user, image } = suite;
    const { output } = await user.bunker(["create", "--name", "owner", image, "sleep", "1000"]);
    expect(output).not.toBe("");
    const join = (...more: string[]) => user.run(["--network", "container:owner", ...more, image, "true"]);
    expect(await join()).toMatchObject({
      status: 125,
      errors: expect.stringMatching(/^bunker: cannot join network of a non running container: owner\nhint: /),
    });
    await user.bunker(["start", "owner"]);
    expect(await join("--userns", "keep-id")).toMatchObject({
      status: 125,
      errors: expect.stringContaining("has other ids than this container's"),
    });
    await user.bunker(["rm", "-f", "owner"]);
    expect(await join()).toMatchObject({ status: 125, errors: expect.stringContaining("No such container: owner") });
  });

  test.each([
    [["-h", "box"], "hostname and the network mode"],
    [["-p", "80"], "port publishing and the container type network mode"],
    [["--expose", "80"], "port exposing and the container type network mode"],
    [["--dns", "192.0.2.53"], "dns and the network mode"],
    [["--add-host", "a:192.0.2.1"], "custom host-to-IP mapping and the network mode"],
  ])("goes without %j", async (options, message) => {
    const words = ["--network", "container:other", ...options, suite.image, "true"];
    expect(await suite.user.run(words)).toMatchObject({
      status: 125,
      errors: expect.stringContaining(`conflicting options: ${message}`),
    });
  });
});

describe("a network with a path", () => {
  test("is joined when it belongs to the user", async () => {
    const { user, image } = suite;
    await user.run(["-d", "--name", "owner", "--network", "none", image, "sleep", "1000"]);
    const pid = (await user.bunker(["inspect", "owner", "--format", "{{.State.Pid}}"])).output.trim();
    const { output, errors } = await user.run([
      ...["--network", `ns:/proc/${pid}/ns/net`, image],
      ...["readlink", "/proc/self/ns/net"],
    ]);
    const namespace = await user.bunker(["exec", "owner", "readlink", "/proc/self/ns/net"]);
    await user.bunker(["rm", "-f", "owner"]);
    expect({ output, errors }).toEqual({ output: namespace.output, errors: "" });
  });

  test.each([
    ["/nowhere", /^bunker: open the network namespace \/nowhere: ENOENT\n/],
    ["/etc/passwd", /^bunker: join the network namespace \/etc\/passwd: ENOTTY\nhint: /],
  ])("%s is refused", async (path, errors) => {
    const outcome = await suite.user.run(["--network", `ns:${path}`, suite.image, "true"]);
    expect(outcome).toMatchObject({ status: 125, errors: expect.stringMatching(errors) });
  });
});
