/* What templates of `inspect` find in containers: also the fields that Docker's JSON leaves out. */
import { expect, test } from "bun:test";
import { containerSuite } from "../run/suite.ts";

const suite = containerSuite();

async function bunker(...words: string[]): Promise<string> {
  const { status, output, errors } = await suite.user.bunker(words);
  expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
  return output;
}

test("templates find what Docker's JSON leaves out where it says nothing", async () => {
  await bunker(
    "create",
    "--network",
    "none",
    "--name",
    "plain",
    "-v",
    "/:/host:ro",
    "-v",
    "named:/v",
    suite.image,
    "top",
  );
  const shows = (template: string) => bunker("inspect", "--format", template, "plain");
  expect(await shows("{{if .State.Health}}{{.State.Health.Status}}{{else}}unknown{{end}}")).toBe("unknown\n");
  expect(await shows("{{json .State.Health}} {{json .Config.Healthcheck}}")).toBe("null null\n");
  expect(await shows("{{.Config.StopTimeout}} {{.SizeRw}} {{.SizeRootFs}}")).toBe("<nil> <nil> <nil>\n");
  expect(await shows("{{.Config.OnBuild}}{{.Config.Shell}}")).toBe("[][]\n");
  expect(await shows("{{range .Mounts}}{{.Name}},{{.Driver}},{{.Destination}};{{end}}")).toBe(
    ",,/host;named,local,/v;\n",
  );
  expect(await shows("{{.ImageName}}")).toBe(`${suite.image}\n`);
  expect(await shows("{{json .State}}{{json .Mounts}}")).not.toMatch(/Health|"Name":""/);
  const { status, errors } = await suite.user.bunker(["inspect", "--format", "{{.State.Health.Status}}", "plain"]);
  expect({ status, errors }).toEqual({ status: 1, errors: expect.stringContaining("nil pointer") });
  await bunker("rm", "-v", "plain");
});

test("the network's settings are shown as they were asked for, and as they are", async () => {
  const asked = [
    "-p",
    "127.0.0.1::80",
    "-p",
    "53/udp",
    "-p",
    "20000-20009:81",
    "--dns",
    "192.0.2.1",
    "--dns-search",
    "d",
  ];
  const more = ["--dns-option", "ndots:2", "--add-host", "peer:192.0.2.7"];
  await bunker("run", "-d", "--name", "web", ...asked, ...more, suite.image, "top");
  const shows = (template: string) => bunker("inspect", "--format", template, "web");
  expect(JSON.parse(await shows("{{json .HostConfig.PortBindings}}"))).toEqual({
    "53/udp": [{ HostIp: "", HostPort: "" }],
    "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }],
    "81/tcp": [{ HostIp: "", HostPort: "20000-20009" }],
  });
  expect(
    await shows(
      "{{with .HostConfig}}{{.PublishAllPorts}} {{.Dns}} {{.DnsSearch}} {{.DnsOptions}} {{.ExtraHosts}}{{end}}",
    ),
  ).toBe("false [192.0.2.1] [d] [ndots:2] [peer:192.0.2.7]\n");
  const own = "{{.IPAddress}} {{.IPPrefixLen}} {{.Gateway}} {{.GlobalIPv6Address}}";
  const settings = await shows(`{{with .NetworkSettings}}${own}{{end}}`);
  expect(settings).toBe(await shows(`{{with .NetworkSettings.Networks.bridge}}${own}{{end}}`));
  expect(settings).toMatch(/^\d+\.\d+\.\d+\.\d+ 24 /);
  expect(await shows("{{.NetworkSettings.SandboxKey}}")).toBe(await shows("/proc/{{.State.Pid}}/ns/net"));
  await bunker("stop", "-t", "0", "web");
  expect(await shows("[{{.NetworkSettings.SandboxKey}}{{.NetworkSettings.IPAddress}}]")).toBe("[]\n");
  await bunker("rm", "web");
});
