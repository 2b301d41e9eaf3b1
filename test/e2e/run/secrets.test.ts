/* Secrets: kept for the user alone, given to containers as files and variables, and shown nowhere. */
import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { UserName } from "../../unprivileged-user.ts";
import { containerSuite } from "./suite.ts";

const CONTENT = "only for the eyes\nof one";

describe.each<UserName>(["bunker-test", "bunker-bare"])("secrets of %s", (userName) => {
  // Before the suite's own, which expects that nothing is left.
  afterEach(async () => {
    await suite.user.bunker(["rm", "-f", "-t", "0", "holder"]);
    await bunker(["secret", "rm", "--all"]);
    expect(readdirSync(directory())).toEqual([]);
  });

  const suite = containerSuite(userName);
  const hasIds = userName === "bunker-test";
  const directory = () => join(suite.user.data, "secrets");

  /** Runs `bunker`, which has to end well, and returns what it says. */
  async function bunker(words: readonly string[], input?: string): Promise<string> {
    const { status, output, errors } = await suite.user.bunker(words, { input });
    expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
    return output;
  }

  async function refusal(words: readonly string[], input?: string): Promise<string> {
    const { status, errors } = await suite.user.bunker(words, { input });
    expect({ words, isRefused: status !== 0 }).toEqual({ words, isRefused: true });
    return errors;
  }

  const make = async (name: string, ...options: string[]) =>
    (await bunker(["secret", "create", ...options, name, "-"], CONTENT)).trim();

  test("a secret is a read-only file of the container's, a variable, or both", async () => {
    await make("key");
    const ids = hasIds ? "uid=7,gid=8" : "uid=0,gid=0";
    const options = ["--secret=key", `--secret=source=key,target=/etc/key,${ids},mode=0400`];
    const script =
      'cat /run/secrets/key; echo; stat -c "%a %u:%g" /run/secrets/key /etc/key; echo "$KEY"; (echo x >/etc/key) 2>&1 | sed "s/.*: //"';
    const output = await suite.inside([...options, "--secret", "key,type=env,target=KEY", "--read-only"], script);
    expect(output).toBe(`${CONTENT}\n444 0:0\n400 ${hasIds ? "7:8" : "0:0"}\n${CONTENT}\nRead-only file system\n`);
    if (!hasIds) {
      expect(await refusal(["run", "--rm", "--secret", "key,uid=7", suite.image, "true"])).toBe(
        "bunker: give secret key to user id 7: the container's user namespace has no such id\n",
      );
    }
  });

  test("what a container has stays when the secret is changed and removed, and is shown nowhere", async () => {
    const id = await make("key");
    const options = ["--secret=key", "--secret=key,type=env,target=KEY", "--name=holder"];
    const started = (await bunker(["run", "-d", "-t", ...options, suite.image, "sleep", "1000"])).trim();
    const show = ["exec", "holder", "sh", "-c", 'cat /run/secrets/key; echo "$KEY"'];
    expect(await bunker(["secret", "create", "--replace", "key", "-"], "something else")).toBe(`${id}\n`);
    expect(await bunker(show)).toBe(`${CONTENT}${CONTENT}\n`);
    const since = ["events", "--stream=false", "--since=1h", "-f", "container=holder"];
    const ids = await bunker([
      ...since,
      "-f",
      "event=exec_create",
      "-f",
      "event=exec_die",
      "--format={{.Actor.Attributes.execID}}",
    ]);
    expect(ids).toMatch(/^([0-9a-f]{64})\n\1\n$/);
    expect(await bunker(["ps", "--format", "{{.Names}} {{.Platform}}"])).toMatch(/^holder linux\/(amd64|arm64)\n$/);
    await bunker(["secret", "rm", "key"]);
    expect(await bunker(show)).toBe(`${CONTENT}${CONTENT}\n`);
    await bunker(["restart", "-t", "0", "holder"]);
    expect(await bunker(show)).toBe(`${CONTENT}${CONTENT}\n`);

    expect(JSON.parse(await bunker(["inspect", "-f", "{{json .Config.Secrets}}", "holder"]))).toEqual([
      { Name: "key", ID: id, Size: CONTENT.length },
    ]);
    for (const words of [
      ["inspect", "holder"],
      ["ps", "--no-trunc", "--format=json"],
      ["events", "--stream=false", "--since=1h"],
    ]) {
      expect(await bunker(words)).not.toContain("eyes");
    }
    expect(await bunker(["diff", "holder"])).toBe("");
    const container = join(suite.user.data, "containers", started);
    expect(statSync(join(container, "config.json")).mode & 0o777).toBe(0o600);
    expect(statSync(join(container, "secrets")).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(container, "request.json"), "utf8")).not.toContain("eyes");
    await bunker(["commit", "-q", "--squash", "holder", "committed"]);
    expect(await bunker(["image", "inspect", "committed"])).not.toContain("eyes");
    await bunker(["rmi", "-f", "committed"]);
    // A clone is given the secret as it is now.
    expect(await refusal(["container", "clone", "holder"])).toStartWith("bunker: No such secret: key\n");
  });

  test("create, ls, inspect, exists and rm speak as Podman's", async () => {
    const path = join(suite.user.makeDirectory("given"), "file");
    writeFileSync(path, CONTENT);
    suite.user.own(path);
    const one = (await bunker(["secret", "create", "-l", "a=b", "--label=bare", "one", path])).trim();
    expect(one).toMatch(/^[0-9a-f]{25}$/);
    const two = (await bunker(["secret", "create", "--env", "two", "PATH"])).trim();
    expect(await bunker(["secret", "ls"])).toMatch(
      /^ID +NAME +DRIVER +CREATED +UPDATED\n\w{25} +one +file +Less than a second ago|\d+ seconds? ago/,
    );
    expect(await bunker(["secret", "ls", "--format", "{{.Name}} {{.Labels}} {{.Driver}}", "-f", "label=a=b"])).toBe(
      "one a=b,bare= file\n",
    );
    expect(await bunker(["secret", "ls", "-q", "-f", "name=tw"])).toBe(`${two}\n`);
    const [shown] = JSON.parse(await bunker(["secret", "inspect", one.slice(0, 12)]));
    expect(shown).toEqual({
      ID: one,
      CreatedAt: expect.any(String),
      UpdatedAt: expect.any(String),
      Spec: { Name: "one", Driver: { Name: "file", Options: { path: directory() } }, Labels: { a: "b", bare: "" } },
    });
    expect(await bunker(["secret", "inspect", "--showsecret", "-f", "{{.SecretData}}", "one"])).toBe(`${CONTENT}\n`);
    expect(await bunker(["secret", "inspect", "--pretty", "one"])).toMatch(/^ID: +\w+\nName: +one\n/);
    expect(await bunker(["secret", "create", "--ignore", "one", "-"], "changed")).toBe(`${one}\n`);
    const files = readdirSync(directory());
    expect(files).toHaveLength(2);
    for (const file of files) expect(statSync(join(directory(), file)).mode & 0o777).toBe(0o600);
    expect((await suite.user.bunker(["secret", "exists", "one"])).status).toBe(0);
    expect((await suite.user.bunker(["secret", "exists", "none"])).status).toBe(1);
    expect(await bunker(["secret", "rm", one, "-i", "none"])).toBe(`${one}\n`);
    const events = await bunker(["events", "--stream=false", "--since=1h", "-f", "secret=one", "--format={{.Action}}"]);
    expect(events).toBe("create\nremove\n");
  });

  test("what cannot be is told", async () => {
    await make("key");
    expect(await refusal(["secret", "create", "key", "-"], "x")).toStartWith(
      "bunker: create secret key: there is one of that name\nhint: ",
    );
    expect(await refusal(["secret", "create", "new", "-"], "")).toContain("it has 0 bytes");
    expect(await refusal(["secret", "create", "new", "-"], "x".repeat(512_000))).toContain("fewer than 512000");
    expect(await refusal(["secret", "create", "new", "/none"])).toBe("bunker: read /none: ENOENT\n");
    expect(await refusal(["secret", "create", "--env", "new", "NONE"])).toContain("no such variable");
    for (const name of ["a/b", "a=b", "a,b", "..", "", "a\nb", "x".repeat(254)]) {
      expect(await refusal(["secret", "create", name, "-"], "x")).toStartWith("bunker: create secret ");
    }
    expect(await refusal(["secret", "rm", "none"])).toStartWith("bunker: No such secret: none\n");
    expect(await refusal(["secret", "inspect", "none"])).toStartWith("bunker: No such secret: none\n");
    expect(await refusal(["run", "--rm", "--secret=none", suite.image, "true"])).toStartWith(
      "bunker: No such secret: none\n",
    );
    await bunker(["secret", "create", "--replace", "key", "-"], "a\0b");
    expect(await refusal(["run", "--rm", "--secret=key,type=env", suite.image, "true"])).toStartWith(
      "bunker: put into the environment secret key: ",
    );
    expect(await suite.inside(["--secret=key"], "wc -c </run/secrets/key")).toBe("3\n");
    // What a killed command has left of a secret.
    writeFileSync(join(directory(), "left"), CONTENT);
    suite.user.own(join(directory(), "left"));
    await bunker(["system", "prune", "-f"]);
    expect(readdirSync(directory())).toHaveLength(1);
  });
});
