/*
 * An instruction's text becomes an `Instruction`: its name chooses which flags it has and how the rest is divided. The
 * reasons of errors are BuildKit's where it has them.
 */
import { nearestName } from "../../nearest-name.ts";
import { atLocation, LanguageMistake } from "./dockerfile-error.ts";
import { expand } from "./expand.ts";
import { readFlags } from "./flags.ts";
import { heredocMark } from "./heredoc-marks.ts";
import type {
  CommandLine,
  EscapeCharacter,
  Heredoc,
  Instruction,
  InstructionName,
  InstructionNamed,
  NamedValue,
} from "./instruction.ts";
import { jsonWords, splitAtBlanks, splitFlags, splitQuotedWords } from "./instruction-words.ts";
import type { LogicalLine } from "./logical-lines.ts";
import { parseHealthcheck } from "./parse-healthcheck.ts";
import { checkMount, mountedFrom } from "./run-mount.ts";

/** What a parser of one instruction gets: everything after the name. */
interface Words {
  readonly flags: readonly string[];
  readonly rest: string;
  readonly line: LogicalLine;
  readonly escape: EscapeCharacter;
}

/** What an instruction has that the others have not. */
type Particulars<Name extends InstructionName> = Omit<
  InstructionNamed<Name>,
  "name" | "keyword" | "location" | "text" | "comments"
>;

type Parsers = { readonly [Name in InstructionName]: (words: Words, name: Name) => Particulars<Name> };

const parsers: Parsers = {
  ADD: parseAdd,
  ARG: parseArg,
  CMD: parseCommand,
  COPY: parseCopy,
  ENTRYPOINT: parseCommand,
  ENV: parseValues,
  EXPOSE: (words, name) => ({ ports: atLeastOne(splitAtBlanks(withoutFlags(words)), name).toSorted() }),
  FROM: parseFrom,
  HEALTHCHECK: ({ flags, rest }) => ({ healthcheck: parseHealthcheck(flags, rest) }),
  LABEL: parseValues,
  MAINTAINER: (words, name) => ({ maintainer: exactlyOne(words, name) }),
  ONBUILD: parseOnbuild,
  RUN: parseRun,
  SHELL: parseShell,
  STOPSIGNAL: (words, name) => ({ signal: exactlyOne(words, name) }),
  USER: (words, name) => ({ user: exactlyOne(words, name) }),
  VOLUME: parseVolume,
  WORKDIR: (words, name) => ({ path: exactlyOne(words, name) }),
};

/** Not in ONBUILD. */
const FORBIDDEN_TRIGGERS = ["ONBUILD", "MAINTAINER", "FROM"];

/** @throws DockerfileError */
export function parseInstruction(line: LogicalLine, escapeCharacter: EscapeCharacter): Instruction {
  return atLocation(line.location, () => {
    const [, keyword = "", text = ""] = /^(\S+)\s*(.*)$/s.exec(line.text) ?? [];
    const name = keyword.toUpperCase();
    if (!isInstructionName(name)) throw unknownInstruction(keyword);
    const words = { ...splitFlags(text, escapeCharacter), line, escape: escapeCharacter };
    return parseNamed(name, keyword, words);
  });
}

function parseNamed<Name extends InstructionName>(name: Name, keyword: string, words: Words): Instruction {
  const { text, location, comments } = words.line;
  const instruction = { name, keyword, location, text, comments, ...parsers[name](words, name) };
  // That the particulars belong to the name is said by the type of `parsers`; TypeScript cannot follow a generic name.
  return instruction as unknown as Instruction;
}

function isInstructionName(name: string): name is InstructionName {
  return Object.hasOwn(parsers, name);
}

function unknownInstruction(keyword: string): LanguageMistake {
  const nearest = nearestName(keyword, Object.keys(parsers));
  return new LanguageMistake(
    `unknown instruction: ${keyword}${nearest === undefined ? "" : ` (did you mean ${nearest}?)`}`,
  );
}

function withoutFlags({ flags, rest }: Words): string {
  readFlags(flags, {});
  return rest;
}

function exactlyOne(words: Words, name: string): string {
  const text = withoutFlags(words);
  if (text === "") throw new LanguageMistake(`${name} requires exactly one argument`);
  return text;
}

function atLeastOne(words: string[], name: string): string[] {
  if (words.length === 0) throw new LanguageMistake(`${name} requires at least one argument`);
  return words;
}

function parseFrom({ flags, rest }: Words): Particulars<"FROM"> {
  const { platform } = readFlags(flags, { platform: "text" });
  const [base = "", as, written, ...more] = splitAtBlanks(rest);
  if (base === "" || more.length > 0 || (as !== undefined && (as.toLowerCase() !== "as" || written === undefined))) {
    throw new LanguageMistake("FROM requires either one or three arguments");
  }
  const stageName = written?.toLowerCase();
  if (stageName !== undefined && !/^[a-z][a-z0-9\-_.]*$/.test(stageName)) {
    throw new LanguageMistake(
      `invalid name for build stage: ${JSON.stringify(written)}, name can't start with a number or contain symbols`,
    );
  }
  return { base, stageName, platform };
}

function parseArg(words: Words): Particulars<"ARG"> {
  const written = splitQuotedWords(withoutFlags(words), words.escape);
  return {
    arguments: atLeastOne(written, "ARG").map((word) => {
      const equals = word.indexOf("=");
      if (equals === 0) throw blankName("ARG");
      return equals === -1
        ? { name: word, value: undefined }
        : { name: word.slice(0, equals), value: word.slice(equals + 1) };
    }),
  };
}

function blankName(name: string): LanguageMistake {
  return new LanguageMistake(`${name} names can not be blank`);
}

/** `NAME=VALUE ...`, or in the old form `NAME VALUE`, where the value is the whole rest. */
function parseValues(words: Words, name: "ENV" | "LABEL"): { readonly values: readonly NamedValue[] } {
  const text = withoutFlags(words);
  const pairs = atLeastOne(splitQuotedWords(text, words.escape), name);
  if (!pairs[0]?.includes("=")) {
    const [, key = "", value] = /^(\S+)(?:[\t\v\f\r ]+(.*))?$/s.exec(text) ?? [];
    if (value === undefined) throw new LanguageMistake(`${name} must have two arguments`);
    return { values: [{ name: key, value, isLegacy: true }] };
  }
  return {
    values: pairs.map((pair) => {
      const equals = pair.indexOf("=");
      if (equals === 0) throw blankName(name);
      if (equals === -1) {
        throw new LanguageMistake(
          `Syntax error - can't find = in ${JSON.stringify(pair)}. Must be of the form: name=value`,
        );
      }
      return { name: pair.slice(0, equals), value: pair.slice(equals + 1), isLegacy: false };
    }),
  };
}

const copyFlags = { chown: "text", chmod: "text", link: "boolean", exclude: "texts" } as const;

function parseCopy(words: Words): Particulars<"COPY"> {
  const { link, parents, from, ...flags } = readFlags(words.flags, { ...copyFlags, from: "text", parents: "boolean" });
  if (from !== undefined && expand(from, { lookUp: () => undefined, escape: words.escape }) !== from) {
    throw new LanguageMistake(
      "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround",
    );
  }
  return { ...sourcesAndDestination(words, "COPY"), ...flags, from, link: link === true, parents: parents === true };
}

function parseAdd(words: Words): Particulars<"ADD"> {
  const {
    "keep-git-dir": keepGitDirectory,
    link,
    ...flags
  } = readFlags(words.flags, { ...copyFlags, "keep-git-dir": "boolean", checksum: "text", unpack: "boolean" });
  return {
    ...sourcesAndDestination(words, "ADD"),
    ...flags,
    link: link === true,
    keepGitDirectory: keepGitDirectory === true,
  };
}

function sourcesAndDestination({ rest, line }: Words, name: string) {
  const paths = jsonWords(rest) ?? splitAtBlanks(rest);
  const destination = paths.pop();
  if (destination === undefined || paths.length === 0) {
    throw new LanguageMistake(
      `${name} requires at least two arguments, but only one was provided. Destination could not be determined`,
    );
  }
  const heredocOf = (word: string) => {
    const mark = heredocMark(word);
    return mark && line.heredocs.find((heredoc) => heredoc.name === mark.name);
  };
  if (heredocOf(destination) !== undefined) {
    throw new LanguageMistake(`${name} cannot accept a heredoc as a destination`);
  }
  return {
    sources: paths.filter((path) => heredocOf(path) === undefined),
    heredocs: paths.flatMap((path) => heredocOf(path) ?? []).map(withoutTabs),
    destination,
  };
}

/** What the file has in it. */
function withoutTabs(heredoc: Heredoc): Heredoc {
  return heredoc.stripsTabs ? { ...heredoc, content: heredoc.content.replace(/^\t+/gm, "") } : heredoc;
}

function commandLine(rest: string, heredocs: readonly Heredoc[]): CommandLine {
  const words = jsonWords(rest);
  return words === undefined ? { form: "shell", text: rest, heredocs } : { form: "exec", words };
}

function parseCommand(words: Words): { readonly command: CommandLine } {
  return { command: commandLine(withoutFlags(words), []) };
}

const NETWORKS = ["default", "none", "host"] as const;
const SECURITIES = ["sandbox", "insecure"] as const;

function parseRun({ flags, rest, line, escape: escapeCharacter }: Words): Particulars<"RUN"> {
  if (flags.some((flag) => /^--device(?:=|$)/.test(flag))) {
    throw new LanguageMistake(
      "--device asks for a CDI device, and Bunker knows none; with --security=insecure a command has those of the caller",
    );
  }
  const { mount, network, security } = readFlags(flags, { mount: "texts", network: "text", security: "text" });
  const command = commandLine(rest, line.heredocs);
  if (command.form === "exec" ? command.words.length === 0 : command.text === "") {
    throw new LanguageMistake("RUN requires at least one argument");
  }
  for (const text of mount) checkMount(text, escapeCharacter);
  return {
    command,
    mounts: mount,
    mountedFrom: mount.flatMap((text) => mountedFrom(text) ?? []),
    network: oneOf("network", network ?? "default", NETWORKS),
    security: oneOf("security", security ?? "sandbox", SECURITIES),
  };
}

function oneOf<const Value extends string>(flag: string, written: string, known: readonly Value[]): Value {
  const value = known.find((each) => each === written);
  if (value !== undefined) return value;
  const nearest = nearestName(written, known);
  const guess = nearest === undefined ? `it may be ${known.join(", ")}` : `did you mean ${nearest}?`;
  throw new LanguageMistake(`invalid value ${JSON.stringify(written)} for --${flag} (${guess})`);
}

function parseShell(words: Words): Particulars<"SHELL"> {
  const text = withoutFlags(words);
  const shell = jsonWords(text);
  if (text !== "" && shell === undefined) {
    throw new LanguageMistake(`SHELL requires the arguments to be in JSON form: SHELL ["/bin/sh", "-c"]`);
  }
  return { shell: atLeastOne(shell ?? [], "SHELL") };
}

function parseVolume(words: Words): Particulars<"VOLUME"> {
  const text = withoutFlags(words);
  const paths = atLeastOne(jsonWords(text) ?? splitAtBlanks(text), "VOLUME").map((path) => path.trim());
  if (paths.includes("")) throw new LanguageMistake("VOLUME specified can not be an empty string");
  return { paths };
}

/** The trigger is read as well, so that a mistake in it is found by whom it can be corrected. */
function parseOnbuild(words: Words): Particulars<"ONBUILD"> {
  const { line } = words;
  const text = withoutFlags(words);
  const name = /^\S*/.exec(text)?.[0].toUpperCase() ?? "";
  if (name === "") throw new LanguageMistake("ONBUILD requires at least one argument");
  if (name === "ONBUILD") throw new LanguageMistake("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (FORBIDDEN_TRIGGERS.includes(name)) throw new LanguageMistake(`${name} isn't allowed as an ONBUILD trigger`);
  parseInstruction({ ...line, text }, words.escape);
  const contents = line.heredocs.map((heredoc) => `\n${heredoc.content}${heredoc.name}`);
  return { trigger: text + contents.join("") };
}
