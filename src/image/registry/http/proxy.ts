/*
 * Which proxy a request takes, by HTTPS_PROXY, HTTP_PROXY and NO_PROXY (or in lower case), with the rules of Go's
 * golang.org/x/net/http/httpproxy, because Docker, Podman and skopeo follow them: users have one setting for all.
 * Bun reads the same variables with rules of its own, so requests name their proxy, or none, explicitly.
 */
import { lazily } from "../../../lazily.ts";
import { BunkerError } from "../../../sys/error.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Brings all of Node's streams with it, and is only needed where NO_PROXY says something. */
const nodeNetwork = lazily(() => process.getBuiltinModule("node:net"));

const DEFAULT_PORTS: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };

/**
 * The proxy for a URL.
 * @param environment where the variables are looked up
 * @returns the proxy's URL; undefined for a direct connection
 * @throws BunkerError `invalid_proxy` when the variable holds no URL of a proxy that is supported
 */
export function proxyFor(url: URL, environment: Environment): string | undefined {
  const name = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const proxy = proxyVariable(environment, name);
  if (proxy === "" || isExempt(url, proxyVariable(environment, "NO_PROXY"))) return undefined;
  const parsed = URL.parse(proxy.includes("://") ? proxy : `http://${proxy}`);
  if (parsed === null || !(parsed.protocol in DEFAULT_PORTS)) {
    throw new BunkerError({
      code: "invalid_proxy",
      operation: "connect to",
      object: url.host,
      reason: `${name} is not the URL of an HTTP proxy`,
      hint: `Set ${name} to http://HOST:PORT or https://HOST:PORT, or name ${url.hostname} in NO_PROXY.`,
    });
  }
  return parsed.href;
}

/** What the environment says by one of the variables, in upper case or in lower; empty when nothing. */
export function proxyVariable(environment: Environment, name: "HTTPS_PROXY" | "HTTP_PROXY" | "NO_PROXY"): string {
  return environment[name] || environment[name.toLowerCase()] || "";
}

/** Whether NO_PROXY, or being on this machine, exempts a URL. */
function isExempt(url: URL, exemptions: string): boolean {
  const host = bareHost(url.hostname);
  if (host === "localhost" || isLoopbackAddress(host)) return true;
  const port = url.port || DEFAULT_PORTS[url.protocol];
  return exemptions.split(",").some((text) => {
    const entry = text.trim().toLowerCase();
    if (entry === "*") return true;
    if (entry === "") return false;
    const { name, wantedPort } = splitPort(entry);
    if (wantedPort !== undefined && wantedPort !== port) return false;
    return nodeNetwork().isIP(host) === 0 ? nameMatches(host, name) : addressMatches(host, name);
  });
}

/** `example.com` means it and what is below it, `.example.com` and `*.example.com` only what is below it. */
function nameMatches(host: string, name: string): boolean {
  const pattern = name.startsWith("*.") ? name.slice(1) : name;
  if (pattern.startsWith(".")) return host.endsWith(pattern);
  return host === pattern || host.endsWith(`.${pattern}`);
}

/** An address or a block of addresses, `10.0.0.0/8`. */
function addressMatches(host: string, name: string): boolean {
  const { BlockList, isIP } = nodeNetwork();
  const [network = "", prefix] = name.split("/");
  const kind = isIP(network);
  if (kind === 0 || kind !== isIP(host)) return false;
  const bits = prefix === undefined ? (kind === 4 ? 32 : 128) : Number(prefix);
  if (!Number.isInteger(bits) || bits < 0 || bits > (kind === 4 ? 32 : 128)) return false;
  const block = new BlockList();
  block.addSubnet(network, bits, kind === 4 ? "ipv4" : "ipv6");
  return block.check(host, kind === 4 ? "ipv4" : "ipv6");
}

function splitPort(entry: string): { name: string; wantedPort: string | undefined } {
  const [, bracketed, bracketedPort] = /^\[([^\]]+)\](?::(\d+))?$/.exec(entry) ?? [];
  if (bracketed !== undefined) return { name: bracketed, wantedPort: bracketedPort };
  const [, name, wantedPort] = /^([^:]+):(\d+)$/.exec(entry) ?? [];
  return name === undefined ? { name: entry, wantedPort: undefined } : { name, wantedPort };
}

function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "").toLowerCase();
}

function isLoopbackAddress(host: string): boolean {
  return host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Whether a `HOST[:PORT]` is on this machine, where Docker allows connections without TLS. */
export function isLoopbackHost(host: string): boolean {
  const name = bareHost(host.replace(/:\d+$/, ""));
  return name === "localhost" || isLoopbackAddress(name);
}
