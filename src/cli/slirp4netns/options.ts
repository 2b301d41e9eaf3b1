/*
 * The command line of slirp4netns 1.2, read as it reads it, since other programs write it.
 */
import { parseArgs } from "node:util";
import { formatAddress, parseAddress, version4Address, version4Mask } from "../../network/address.ts";
import type { NetworkConfiguration, OutboundBinding, Subnet } from "../../network/configuration.ts";
import { DEFAULT_SUBNET_6, LONGEST_PREFIX_4, subnet4 } from "../../network/subnets.ts";
import { isVersion4 } from "../../sys/internet-socket.ts";
import { SlirpError } from "./slirp-error.ts";

/** What is asked for. */
export interface SlirpOptions {
  /** A process, or the path of a network namespace. */
  readonly target: string;
  readonly targetType: "pid" | "path";
  readonly userNamespace: string | undefined;
  readonly device: string;
  readonly configure: boolean;
  readonly hardwareAddress: Uint8Array | undefined;
  readonly exitDescriptor: number | undefined;
  readonly readyDescriptor: number | undefined;
  readonly apiSocket: string | undefined;
  readonly sandbox: boolean;
  readonly seccomp: boolean;
  readonly network: NetworkConfiguration;
}

export const HELP = `Usage: slirp4netns [OPTION]... PID|PATH [TAPNAME]
User-mode networking for unprivileged network namespaces.

-c, --configure          bring up the interface
-e, --exit-fd=FD         specify the FD for terminating slirp4netns
-r, --ready-fd=FD        specify the FD to write to when the network is configured
-m, --mtu=MTU            specify MTU (default=1500, max=65521)
-6, --enable-ipv6        enable IPv6
-a, --api-socket=PATH    specify API socket path
--cidr=CIDR              specify network address CIDR (default=10.0.2.0/24)
--disable-host-loopback  prohibit connecting to 127.0.0.1:* on the host namespace
--netns-type=TYPE 	 specify network namespace type ([path|pid], default=pid)
--userns-path=PATH	 specify user namespace path
--enable-sandbox         create a new mount namespace, and drop all capabilities except CAP_NET_BIND_SERVICE
--enable-seccomp         limit the system calls to those of a running network stack
--outbound-addr=IPv4     sets outbound ipv4 address to bound to
--outbound-addr6=IPv6    sets outbound ipv6 address to bound to
--disable-dns            disables 10.0.2.3 (or configured internal ip) to host dns redirect
--macaddress=MAC         specify the MAC address of the TAP (only valid with -c)
--target-type=TYPE       specify the target type ([netns], default=netns)
-h, --help               show this help and exit
-v, --version            show version and exit`;

/** A wrong command line, which slirp4netns answers with its help. */
function wrong(message: string): SlirpError {
  return new SlirpError(message);
}

const DEFAULT_MTU = 1500;
const MAXIMUM_MTU = 65521;
const MINIMUM_MTU = 68;

/**
 * Reads the words behind the program's name.
 * @returns `"help"` or `"version"` when that is asked for
 * @throws SlirpError
 */
export function parseOptions(words: readonly string[]): SlirpOptions | "help" | "version" {
  const { values, positionals } = parse(words);
  if (values.help === true) return "help";
  if (values.version === true) return "version";
  const [target, device = "tap0", ...rest] = positionals;
  if (target === undefined || rest.length > 0) throw wrong(HELP);
  oneOf("target-type", values["target-type"] ?? "netns", ["netns"]);
  if (values.macaddress !== undefined && values.configure !== true) {
    throw wrong("--macaddress cannot be specified when --configure or -c is not specified");
  }
  const configure = values.configure === true;
  const targetType = oneOf("netns-type", values["netns-type"] ?? "pid", ["pid", "path"]);
  const outbound4 = outboundBinding(values["outbound-addr"], 4);
  const outbound6 = outboundBinding(values["outbound-addr6"], 6);
  if (targetType === "pid" && !/^[1-9]\d*$/.test(target)) throw wrong("PID must be a positive integer");
  return {
    target,
    targetType,
    userNamespace: values["userns-path"],
    device,
    configure,
    hardwareAddress: hardwareAddress(values.macaddress),
    exitDescriptor: descriptor("exit-fd", values["exit-fd"]),
    readyDescriptor: descriptor("ready-fd", values["ready-fd"]),
    apiSocket: values["api-socket"],
    // create-sandbox is the name that it had in slirp4netns 0.4.
    sandbox: values["enable-sandbox"] === true || values["create-sandbox"] === true,
    seccomp: values["enable-seccomp"] === true,
    network: {
      mtu: mtu(values.mtu),
      ipv4: parseSubnet(values.cidr ?? "10.0.2.0/24"),
      ipv6: values["enable-ipv6"] === true ? DEFAULT_SUBNET_6 : undefined,
      allowHostLoopback: values["disable-host-loopback"] !== true,
      answerDns: values["disable-dns"] !== true,
      advertise: !configure,
      ...(outbound4 === undefined ? {} : { outbound4 }),
      ...(outbound6 === undefined ? {} : { outbound6 }),
    },
  };
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        configure: { type: "boolean", short: "c" },
        "exit-fd": { type: "string", short: "e" },
        "ready-fd": { type: "string", short: "r" },
        mtu: { type: "string", short: "m" },
        "enable-ipv6": { type: "boolean", short: "6" },
        "api-socket": { type: "string", short: "a" },
        cidr: { type: "string" },
        "disable-host-loopback": { type: "boolean" },
        "netns-type": { type: "string" },
        "userns-path": { type: "string" },
        "enable-sandbox": { type: "boolean" },
        "create-sandbox": { type: "boolean" },
        "enable-seccomp": { type: "boolean" },
        "outbound-addr": { type: "string" },
        "outbound-addr6": { type: "string" },
        "disable-dns": { type: "boolean" },
        macaddress: { type: "string" },
        "target-type": { type: "string" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean", short: "v" },
      },
    });
  } catch (error) {
    throw wrong(`slirp4netns: ${error instanceof Error ? error.message : String(error)}\n${HELP}`);
  }
}

function oneOf<const Value extends string>(option: string, value: string, values: readonly Value[]): Value {
  const found = values.find((one) => one === value);
  if (found === undefined) throw wrong(`--${option} must be either ${values.join(" or ")}, not ${value}`);
  return found;
}

function descriptor(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw wrong(`${option} must be a non-negative integer`);
  return Number(text);
}

function mtu(text: string | undefined): number {
  const value = Number(text ?? DEFAULT_MTU);
  if (!Number.isInteger(value) || value < MINIMUM_MTU || value > MAXIMUM_MTU) {
    throw wrong(`MTU must be a positive integer (< ${MAXIMUM_MTU + 1})`);
  }
  return value;
}

function parseSubnet(text: string): Subnet {
  const [address, prefix, ...rest] = text.split("/");
  const network = parseAddress(address ?? "");
  const prefixLength = Number(prefix);
  const isValid = network !== undefined && isVersion4(network) && /^\d+$/.test(prefix ?? "") && rest.length === 0;
  if (!isValid) throw wrong(`invalid CIDR: ${text}`);
  // There has to be room for the container's address.
  if (prefixLength < 1 || prefixLength > LONGEST_PREFIX_4) {
    throw wrong(`CIDR ${text}: prefix length needs to be 1 to ${LONGEST_PREFIX_4}`);
  }
  if ((network[3] & ~version4Mask(prefixLength)) !== 0) {
    const base = formatAddress(version4Address(network[3] & version4Mask(prefixLength)));
    throw wrong(`CIDR needs to be a network address like ${base}/${prefixLength}, not like ${text}`);
  }
  return subnet4(network[3], prefixLength);
}

function outboundBinding(text: string | undefined, version: 4 | 6): OutboundBinding | undefined {
  if (text === undefined) return undefined;
  const address = parseAddress(text);
  if (address === undefined) return { device: text };
  if (isVersion4(address) !== (version === 4)) throw wrong(`outbound address ${text} is not of IPv${version}`);
  return { address };
}

function hardwareAddress(text: string | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  if (!/^[\da-f]{2}(:[\da-f]{2}){5}$/i.test(text)) throw wrong(`${text} is not a valid mac address`);
  return Uint8Array.from(text.split(":"), (byte) => Number.parseInt(byte, 16));
}
