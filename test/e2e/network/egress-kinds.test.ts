/* What `--allow-host` and `network trace` make of every protocol and IP version, on a host that has them all. */
import { expect, test } from "bun:test";
import { containerSuite } from "../run/suite.ts";
import { PYTHON } from "./host-side.ts";
import { ECHO_PORT, OwnHost } from "./own-host.ts";

const suite = containerSuite();

const ADDRESSES = [7, 8, 9].flatMap((number) => [`192.0.2.${number}`, `2001:db8::${number}`]);
const NETWORKS = ["198.51.100.7", "2001:db8:1::7"];
const NAMES = {
  "good.test": ["192.0.2.7", "2001:db8::7"],
  "bad.test": ["192.0.2.8", "2001:db8::8"],
  "some.below.test": ["192.0.2.9", "2001:db8::9"],
};

/** What a host answers over each protocol, by name or address. */
const REACH = `
import errno, socket, sys
def reach(host):
    for family in (socket.AF_INET, socket.AF_INET6):
        for protocol, kind in (("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)):
            try: found = socket.getaddrinfo(host, ${ECHO_PORT}, family, kind)
            except socket.gaierror: continue
            s = socket.socket(family, kind)
            s.settimeout(60)
            kept.append(s)
            try:
                s.connect(found[0][4])
                s.send(b"echo")
                answer = s.recv(10).decode()
            except OSError as error: answer = errno.errorcode.get(error.errno, "timeout")
            print(protocol, found[0][4][0], answer, flush=True)
kept = []
`;

const of = (four: string, six: string, answers: readonly [string, string]) => [
  `tcp ${four} ${answers[0]}`,
  `udp ${four} ${answers[0]}`,
  `tcp ${six} ${answers[1]}`,
  `udp ${six} ${answers[1]}`,
];
const ANSWERED = ["echo", "echo"] as const;
/** As the kernel translates what RFC 1812 and RFC 4443 have a router say that is not to let something through. */
const REFUSED = ["EHOSTUNREACH", "EACCES"] as const;

test("hosts, domains and networks that are permitted are reached by TCP and UDP, IPv4 and IPv6, and shown with their names", async () => {
  await using host = await OwnHost.start(suite.user, [...ADDRESSES, ...NETWORKS], NAMES);
  const allowed = ["good.test", "*.below.test", "198.51.100.0/24", "2001:db8:1::/48"];
  const options = [
    "--name",
    "box",
    "--network",
    "slirp:enable_ipv6=true",
    ...allowed.flatMap((to) => ["--allow-host", to]),
  ];
  const hosts = [
    "192.0.2.7",
    "2001:db8::7",
    "good.test",
    "bad.test",
    "192.0.2.8",
    "2001:db8::8",
    "some.below.test",
    ...NETWORKS,
  ];
  const program = `${REACH}for host in sys.argv[1:]: reach(host)\nsys.stdin.read()`;
  const { status, errors } = await host.bunker(["run", "-di", ...options, ...PYTHON, program, ...hosts]);
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  try {
    const expected = [
      ...of("192.0.2.7", "2001:db8::7", REFUSED),
      // Its name has been asked for, so its addresses are known; the name of bad.test is none.
      ...of("192.0.2.7", "2001:db8::7", ANSWERED),
      ...of("192.0.2.8", "2001:db8::8", REFUSED),
      ...of("192.0.2.9", "2001:db8::9", ANSWERED),
      ...of("198.51.100.7", "2001:db8:1::7", ANSWERED),
    ];
    let said: string[] = [];
    while (said.length < expected.length) {
      said = (await host.bunker(["logs", "box"])).output.split("\n").filter((line) => line !== "");
    }
    expect(said).toEqual(expected);
    for (const to of ["192.0.2.7", "2001:db8:1::7"]) {
      const ping = await host.bunker(["exec", "box", "ping", "-c", "1", "-s", "56", to]);
      expect(ping.output).toContain("1 received");
    }
    const format = "{{.Protocol}} {{.Outside}} {{.Name}} {{.SentBytes}} {{.ReceivedBytes}}";
    const traced = await host.bunker(["network", "trace", "--no-stream", "--format", format, "box"]);
    const flows = (four: string, six: string, name: string) =>
      ["tcp", "udp"].flatMap((kind) => [four, `[${six}]`].map((at) => `${kind} ${at}:${ECHO_PORT} ${name} 4 4`));
    // What was looked up is shown as well: the resolver is outside of the container.
    const shown = traced.output.split("\n").filter((line) => line !== "" && !line.includes(":53 "));
    expect(shown.toSorted()).toEqual(
      [
        ...flows("192.0.2.7", "2001:db8::7", "good.test"),
        ...flows("192.0.2.9", "2001:db8::9", "some.below.test"),
        ...flows("198.51.100.7", "2001:db8:1::7", ""),
        "icmp 192.0.2.7:0 good.test 64 64",
        "icmp [2001:db8:1::7]:0  64 64",
      ].toSorted(),
    );
  } finally {
    await host.bunker(["rm", "-f", "box"]);
  }
});
