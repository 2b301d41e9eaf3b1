/*
 * What the process is told that serves, by what it was before: slirp4netns reads its command line, opens the device and
 * the API's socket, and then executes this program again, with the settings for processes that serve for long and
 * without any code, or memory that such code has used, but the network stack's.
 */
import type { NetworkConfiguration } from "../../network/configuration.ts";
import { ownScript } from "../../sys/own-command.ts";
import type { SandboxRoot } from "./sandbox-root.ts";

/** How the network is to be served; numbers are those of inherited descriptors. */
export interface Service {
  readonly device: number;
  /** The device's name. */
  readonly name: string;
  readonly network: NetworkConfiguration;
  readonly apiListener: number | undefined;
  readonly exitDescriptor: number | undefined;
  readonly readyDescriptor: number | undefined;
  /** Whether the system calls are to be limited. */
  readonly seccomp: boolean;
  /** What leaves the host's files behind. */
  readonly sandbox: SandboxRoot | undefined;
}

/** The descriptors that a service needs. */
export function descriptorsOf(service: Service): number[] {
  const { device, apiListener, exitDescriptor, readyDescriptor, sandbox } = service;
  return [device, apiListener, exitDescriptor, readyDescriptor, sandbox?.go].filter((number) => number !== undefined);
}

/** The arguments that start the process that serves. */
export function servingWords(service: Service): string[] {
  return ["slirp4netns", ...ownScript(), "internal", "slirp4netns", JSON.stringify(service)];
}

/** Reads the last of `servingWords`. */
export function readService(text: string): Service {
  return JSON.parse(text) as Service;
}
