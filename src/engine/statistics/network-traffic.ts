import { readlinkSync } from "node:fs";
import { readIfThere } from "../../sys/read-if-there.ts";

/** Bytes that the interfaces of a network namespace have carried, but for its loopback. */
export interface NetworkTraffic {
  readonly received: number;
  readonly sent: number;
}

/**
 * What a process's network namespace has carried; proc_pid_net(5), `/proc/net/dev`.
 * @returns undefined when it is ours, where nothing tells whose traffic it is, or the process has ended
 */
export function networkTraffic(pid: number): NetworkTraffic | undefined {
  const namespace = networkNamespace(pid);
  if (namespace === undefined || namespace === networkNamespace("self")) return undefined;
  const text = readIfThere(`/proc/${pid}/net/dev`);
  return text === undefined ? undefined : trafficIn(text);
}

/** Adds up a file such as `/proc/net/dev`: two lines of titles, then a line of 16 numbers for each interface. */
export function trafficIn(text: string): NetworkTraffic {
  let received = 0;
  let sent = 0;
  for (const line of text.trimEnd().split("\n").slice(2)) {
    const [name = "", numbers = ""] = line.split(/:(.*)/);
    if (name.trim() === "lo") continue;
    const fields = numbers.trim().split(/\s+/);
    received += Number(fields[0]);
    sent += Number(fields[8]);
  }
  return { received, sent };
}

function networkNamespace(pid: number | "self"): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}
