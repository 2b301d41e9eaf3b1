import { LanguageMistake } from "./dockerfile-error.ts";

const HIGHEST_PORT = 65_535;

/** A word of EXPOSE: `[[ADDRESS:]PORTS:]PORTS[/PROTOCOL]`. */
interface ExposedWord {
  readonly first: number;
  readonly last: number;
  /** As it is written. */
  readonly protocol: string;
  /** Whether a port or an address of the host is given, which has no meaning in an image. */
  readonly namesHost: boolean;
}

/**
 * Reads a word of EXPOSE.
 * @throws LanguageMistake
 */
export function readExposedWord(word: string): ExposedWord {
  const [, host, ports = "", protocol = "tcp"] = /^(?:(.*):)?([^:/]*)(?:\/(.*))?$/s.exec(word) ?? [];
  const [, first = "", last = first] = /^([0-9]+)(?:-([0-9]+))?$/.exec(ports) ?? [];
  if (first === "") throw invalidPort(word, "it is not of the form PORT[-PORT][/PROTOCOL]");
  if (Number(first) > HIGHEST_PORT || Number(last) > HIGHEST_PORT) {
    throw invalidPort(word, `value out of range (0–${HIGHEST_PORT})`);
  }
  if (Number(last) < Number(first)) throw invalidPort(word, "the range is the wrong way round");
  if (!["tcp", "udp", "sctp"].includes(protocol.toLowerCase())) {
    throw invalidPort(word, `the protocol is tcp, udp or sctp, not ${JSON.stringify(protocol)}`);
  }
  return { first: Number(first), last: Number(last), protocol, namesHost: host !== undefined };
}

/** Each port by itself, as a configuration has them: `80/tcp`. */
export function exposedPorts(words: readonly string[]): readonly string[] {
  return words.flatMap((word) => {
    const { first, last, protocol } = readExposedWord(word);
    return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol.toLowerCase()}`);
  });
}

function invalidPort(word: string, reason: string): LanguageMistake {
  return new LanguageMistake(`invalid port ${JSON.stringify(word)}: ${reason}`);
}
