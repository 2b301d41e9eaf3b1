/*
 * Whom a connection trusts: the authorities of the system, further ones and client certificates from the directories of
 * containers-certs.d(5), which Docker has as well:
 *
 *   /etc/containers/certs.d/HOST[:PORT]/ca.crt       any *.crt: further authorities
 *   /etc/containers/certs.d/HOST[:PORT]/client.cert  any *.cert with the *.key of the same name: shown to the registry
 *
 * The first directory that there is for a host is the one that counts; the user's own come before the system's.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { BunkerError, errnoOf } from "../../../sys/error.ts";
import { homeDirectory } from "../../../sys/home-directory.ts";
import { readIfThere } from "../../../sys/read-if-there.ts";

/** Certificates and keys in PEM. */
export interface Trust {
  /** Authorities beside the system's. Where there are some, somebody wants the host verified, even on this machine. */
  readonly authorities: readonly string[];
  readonly client: { readonly certificate: string; readonly key: string } | undefined;
}

/** Where distributions keep the authorities of the system, as Go looks them up. */
const SYSTEM_BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/**
 * Finds out whom to trust as a registry.
 * @param host with its port where it is not the usual one
 * @param directory `--cert-dir`: has the files itself, and stands for all directories of certs.d
 * @throws BunkerError `invalid_certificates` when a client certificate has no key or a key no certificate
 */
export function trustFor(host: string, directory: string | undefined): Trust {
  const found = directory === undefined ? certificateDirectories(host).find((path) => isDirectory(path)) : directory;
  const files = found === undefined ? [] : listDirectory(found);
  const read = (name: string) => readCertificate(`${found}/${name}`);
  const client = files.find((name) => name.endsWith(".cert"));
  const lonelyKey = files.find((name) => name.endsWith(".key") && !files.includes(name.replace(/\.key$/, ".cert")));
  if (lonelyKey !== undefined) throw unpaired(`${found}/${lonelyKey}`, lonelyKey.replace(/\.key$/, ".cert"));
  const key = client?.replace(/\.cert$/, ".key");
  if (key !== undefined && !files.includes(key)) throw unpaired(`${found}/${client}`, key);
  return {
    authorities: files.filter((name) => name.endsWith(".crt")).map(read),
    client: client === undefined || key === undefined ? undefined : { certificate: read(client), key: read(key) },
  };
}

function certificateDirectories(host: string): string[] {
  const home = process.env["XDG_CONFIG_HOME"] || `${homeDirectory()}/.config`;
  return [`${home}/containers`, `${home}/docker`, "/etc/containers", "/etc/docker"].map(
    (place) => `${place}/certs.d/${host}`,
  );
}

let systemsAuthorities: readonly string[] | undefined;

/**
 * The authorities of the system, in PEM. SSL_CERT_FILE and SSL_CERT_DIR replace them, as for Go and OpenSSL.
 * @returns those that Bun comes with where the system has none
 */
export function systemAuthorities(): readonly string[] {
  systemsAuthorities ??= readSystemAuthorities();
  return systemsAuthorities;
}

function readSystemAuthorities(): readonly string[] {
  const { SSL_CERT_FILE = "", SSL_CERT_DIR = "" } = process.env;
  const files = SSL_CERT_FILE === "" ? SYSTEM_BUNDLES : [SSL_CERT_FILE];
  const bundle = files.map(readIfThere).find((text) => text !== undefined);
  const directories = SSL_CERT_DIR === "" ? [] : SSL_CERT_DIR.split(":");
  const single = directories.flatMap((path) =>
    (isDirectory(path) ? listDirectory(path) : []).flatMap((name) => readIfThere(`${path}/${name}`) ?? []),
  );
  const all = [
    ...(bundle === undefined ? [] : [bundle]),
    ...single.filter((text) => text.includes("BEGIN CERTIFICATE")),
  ];
  // Loading node:tls takes milliseconds, and nearly every system has authorities.
  return all.length === 0 ? process.getBuiltinModule("node:tls").rootCertificates : all;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function listDirectory(path: string): readonly string[] {
  try {
    return readdirSync(path).sort();
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function readCertificate(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): BunkerError {
  return new BunkerError(
    { code: "invalid_certificates", operation: "read", object: path, errno: errnoOf(cause) },
    { cause },
  );
}

function unpaired(path: string, missing: string): BunkerError {
  return new BunkerError({
    code: "invalid_certificates",
    operation: "use",
    object: path,
    reason: `there is no ${missing} beside it`,
  });
}
