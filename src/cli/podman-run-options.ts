/* Options of `run` and `create` that Podman has and Docker has not, and what they come to. */

import type { RunOptions } from "../engine/specification/run-options.ts";
import { BunkerError, errnoOf } from "../sys/error.ts";
import { nodeFileSystem } from "../sys/node-modules.ts";
import { resolvePath } from "../sys/resolve-path.ts";
import { platformOf, platformPartOptions } from "./image/platform-option.ts";
import { InvalidValue } from "./invalid-value.ts";
import { flag, list, single } from "./option.ts";
import type { OptionTable, OptionValues } from "./option-table.ts";
import { registryOptions, registrySettings, retryOptions } from "./registry/registry-options.ts";
import { oneOf } from "./values/choice.ts";
import { parseCheckDuration } from "./values/duration.ts";
import { integerBetween } from "./values/numbers.ts";
import { parseContainerPath } from "./values/paths.ts";

const ZONES = "/usr/share/zoneinfo";
const HOST_ZONE = "/etc/localtime";
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** Of a check's output: as much as a pipe holds. */
const LONGEST_OUTPUT = 65_536;
const PROXIES = [
  ...["http_proxy", "https_proxy", "ftp_proxy", "no_proxy"],
  ...["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY"],
];

const asWritten = (text: string) => text;

function parseUmask(text: string): number {
  if (/^[0-7]{1,4}$/.test(text) && Number.parseInt(text, 8) <= 0o777) return Number.parseInt(text, 8);
  throw new InvalidValue("expected an octal number up to 0777");
}

function parseMerged(text: string): readonly [name: string, value: string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new InvalidValue("expected NAME=VALUE, with $NAME for what the image says");
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/** See the head of this file. */
export const podmanRunOptions = {
  ...registryOptions,
  ...retryOptions,
  ...platformPartOptions,
  chrootDirectories: list({
    name: "chrootdirs",
    valueName: "DIRECTORY",
    description: "A directory in the container whose etc gets hosts, hostname and resolv.conf, too",
    parse: parseContainerPath,
  }),
  environmentOfHost: flag({ name: "env-host", description: "Pass the caller's whole environment on" }),
  environmentMerged: list({
    name: "env-merge",
    valueName: "NAME=VALUE",
    description: "Set a variable, with $NAME for what the image says of one",
    parse: parseMerged,
  }),
  environmentUnset: list({
    name: "unsetenv",
    valueName: "NAME",
    description: "Do without a variable that the image or Bunker sets",
    parse: asWritten,
  }),
  environmentUnsetAll: flag({ name: "unsetenv-all", description: "Do without all of them" }),
  healthStartupCommand: single({
    name: "health-startup-cmd",
    valueName: "COMMAND",
    description: "Check by this command until it succeeds, and only then its health",
    parse: asWritten,
  }),
  healthStartupInterval: single({
    name: "health-startup-interval",
    valueName: "DURATION",
    description: "Time between those checks (30s)",
    parse: parseCheckDuration,
  }),
  healthStartupRetries: single({
    name: "health-startup-retries",
    valueName: "COUNT",
    description: "Failures in a row after which it is restarted (0: never)",
    parse: integerBetween(0, 1_000_000),
  }),
  healthStartupSuccesses: single({
    name: "health-startup-success",
    valueName: "COUNT",
    description: "Successes in a row that it takes (1)",
    parse: integerBetween(0, 1_000_000),
  }),
  healthStartupTimeout: single({
    name: "health-startup-timeout",
    valueName: "DURATION",
    description: "How long one may take (30s)",
    parse: parseCheckDuration,
  }),
  healthResults: single({
    name: "health-max-log-count",
    valueName: "COUNT",
    description: "How many results of checks are kept; 0 for all (5)",
    parse: integerBetween(0, 1_000_000),
  }),
  healthOutputLength: single({
    name: "health-max-log-size",
    valueName: "BYTES",
    description: "How much of each check's output is kept, at most 65536; 0 for that (4096)",
    parse: integerBetween(0, LONGEST_OUTPUT),
  }),
  healthAction: single({
    name: "health-on-failure",
    valueName: "none|kill|restart|stop",
    description: "What to do with it when it becomes unhealthy",
    parse: oneOf("none", "kill", "restart", "stop"),
    initial: "none",
    initialText: "none",
  }),
  hostsBase: single({
    name: "hosts-file",
    valueName: "FILE|image|none",
    description: "What its /etc/hosts begins with",
    parse: asWritten,
    initial: "none",
    initialText: "none",
  }),
  httpProxy: flag({ name: "http-proxy", description: "Pass the caller's variables about proxies on" }),
  imageVolumes: single({
    name: "image-volume",
    valueName: "anonymous|tmpfs|ignore",
    description: "What the volumes that the image names become",
    parse: (text) => (text === "bind" ? "anonymous" : oneOf("anonymous", "tmpfs", "ignore")(text)),
    initial: "anonymous",
    initialText: "anonymous",
  }),
  noHostname: flag({ name: "no-hostname", description: "Leave the image's /etc/hostname as it is" }),
  noHosts: flag({ name: "no-hosts", description: "Leave the image's /etc/hosts as it is" }),
  personality: single({
    name: "personality",
    valueName: "LINUX|LINUX32",
    description: "Its execution domain; LINUX32 is that of 32-bit programs",
    parse: oneOf("LINUX", "LINUX32"),
  }),
  pidFile: single({
    name: "pidfile",
    valueName: "FILE",
    description: "Write the host's number of its first process to a file at each start",
    parse: (text) => resolvePath(text),
  }),
  readOnlyTmpfs: flag({
    name: "read-only-tmpfs",
    description: "With --read-only, mount empty file systems in memory on /run, /tmp and /var/tmp",
  }),
  removesImage: flag({ name: "rmi", description: "Remove its image with it, unless others use that; implies --rm" }),
  replaces: flag({ name: "replace", description: "Remove the container that has the name first, running or not" }),
  runTimeout: single({
    name: "timeout",
    valueName: "SECONDS",
    description: "Kill it when it has run so long",
    parse: integerBetween(0, LONGEST_TIMEOUT),
  }),
  timeZone: single({
    name: "tz",
    valueName: "ZONE|local",
    description: "Its time zone, such as Europe/Berlin, or the host's",
    parse: parseTimeZone,
  }),
  umask: single({
    name: "umask",
    valueName: "MASK",
    description: "The permissions that new files do not get (0022)",
    parse: parseUmask,
  }),
} as const satisfies OptionTable;

interface OtherValues extends Pick<RunOptions, "name" | "platform" | "remove"> {
  readonly addedHosts: readonly unknown[];
}

type PodmanValues = OptionValues<typeof podmanRunOptions>;

/**
 * The file of a time zone.
 * @throws InvalidValue
 */
function parseTimeZone(text: string): string {
  const path = text === "local" ? HOST_ZONE : `${ZONES}/${text}`;
  if (/^[\w+-]+(\/[\w+-]+)*$/.test(text) && nodeFileSystem().existsSync(path)) return path;
  throw new InvalidValue(`the host has no such time zone in ${ZONES}`);
}

/**
 * What those of the options of this file come to that are not settings of a container as they stand.
 * @throws BunkerError `conflicting_options`, `hosts_file_unreadable`
 */
export function podmanSettings(
  options: PodmanValues & OtherValues,
): Required<Pick<RunOptions, "remove" | "platform" | "registry" | "environmentRules" | "hostsBase">> {
  const { environmentUnsetAll, name, remove, removesImage } = options;
  if (options.replaces && name === undefined) throw conflict("--replace without --name");
  if (options.noHosts && options.addedHosts.length > 0) throw conflict("--no-hosts and --add-host");
  return {
    remove: remove || removesImage,
    platform: platformOf(options),
    registry: registrySettings(options),
    environmentRules: {
      host: hostEnvironment(options.environmentOfHost ? Object.keys(process.env) : options.httpProxy ? PROXIES : []),
      merged: options.environmentMerged,
      unset: environmentUnsetAll ? "all" : options.environmentUnset,
    },
    hostsBase: hostsBaseOf(options.hostsBase),
  };
}

/** Those variables of the caller's that are set. */
function hostEnvironment(names: readonly string[]): readonly string[] {
  const variables: string[] = [];
  for (const name of names) {
    const value = process.env[name];
    if (value !== undefined) variables.push(`${name}=${value}`);
  }
  return variables;
}

function hostsBaseOf(text: string): NonNullable<RunOptions["hostsBase"]> {
  return text === "none" || text === "image" ? text : { text: readHosts(text) };
}

function readHosts(path: string): string {
  try {
    return nodeFileSystem().readFileSync(path, "utf8");
  } catch (error) {
    throw new BunkerError({
      code: "hosts_file_unreadable",
      operation: "read the file of hosts",
      object: path,
      errno: errnoOf(error),
    });
  }
}

function conflict(operation: string): BunkerError {
  return new BunkerError({ code: "conflicting_options", operation: `conflicting options: ${operation}` });
}
