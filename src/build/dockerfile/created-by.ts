/*
 * How an image's history tells what has been done: `created_by` in the words of BuildKit, which has them from Go's ways of
 * printing values.
 */

import type { ConfigurationParameters } from "../../image/configuration-parameters.ts";
import { formatGoDuration } from "../../notation/go-duration.ts";
import { quoteText } from "../../notation/go-quote.ts";
import { exposedPorts } from "./exposed-ports.ts";
import type { Healthcheck, Instruction } from "./instruction.ts";

/** What the history shows that does not stand in the instruction. */
export interface HistoryDetails {
  /** After the instruction. */
  readonly parameters: ConfigurationParameters;
  /** For ARG: its arguments as they are now, `NAME` or `NAME=value`. For RUN: all that the stage has declared so far. */
  readonly arguments: readonly string[];
  /** For RUN: the words that it runs. */
  readonly words: readonly string[];
}

/**
 * The `created_by` of an instruction.
 * @param instruction with its variables replaced
 * @returns undefined for what the history does not tell: ONBUILD
 */
export function createdBy(instruction: Instruction, details: HistoryDetails): string | undefined {
  const { name } = instruction;
  switch (name) {
    case "ADD":
    case "COPY": {
      const { sources, heredocs, destination, chown, chmod } = instruction;
      const words = [
        ...(name === "COPY" && instruction.parents ? ["--parents"] : []),
        ...(chown ? [`--chown=${chown}`] : []),
        ...(chmod ? [`--chmod=${chmod}`] : []),
        ...sources,
        ...heredocs.map((heredoc) => `<<${heredoc.name}`),
        destination,
      ];
      return `${name} ${words.join(" ")} # buildkit`;
    }
    case "ARG":
      return `ARG ${details.arguments.join(" ")}`;
    case "CMD":
      return `CMD ${quoted(details.parameters.Cmd ?? [])}`;
    case "ENTRYPOINT":
      return `ENTRYPOINT ${quoted(details.parameters.Entrypoint ?? [])}`;
    case "ENV":
    case "LABEL":
      return `${name} ${instruction.values.map((each) => `${each.name}=${each.value}`).join(" ")}`;
    case "EXPOSE":
      return `EXPOSE [${exposedPorts(instruction.ports).join(" ")}]`;
    case "FROM":
    case "ONBUILD":
      return undefined;
    case "HEALTHCHECK":
      return `HEALTHCHECK ${printedHealthcheck(instruction.healthcheck)}`;
    case "MAINTAINER":
      return `MAINTAINER ${instruction.maintainer}`;
    case "RUN": {
      const { arguments: declared, words } = details;
      const shown = declared.map((entry) => (entry.includes("=") ? entry : `${entry}=`));
      return `RUN ${[...(shown.length > 0 ? [`|${shown.length}`] : []), ...shown, ...words].join(" ")} # buildkit`;
    }
    case "SHELL":
      return `SHELL [${instruction.shell.join(" ")}]`;
    case "STOPSIGNAL":
      return `STOPSIGNAL ${instruction.signal}`;
    case "USER":
      return `USER ${instruction.user}`;
    case "VOLUME":
      return `VOLUME [${instruction.paths.join(" ")}]`;
    case "WORKDIR":
      return `WORKDIR ${details.parameters.WorkingDir ?? "/"}`;
  }
}

/** Go's `%q` of a list of strings. */
function quoted(words: readonly string[]): string {
  return `[${words.map((word) => quoteText(word)).join(" ")}]`;
}

/** Go's `%+v` of a health check. */
function printedHealthcheck(check: Healthcheck): string {
  const members = [
    `Test:[${check.Test.join(" ")}]`,
    `Interval:${formatGoDuration(check.Interval)}`,
    `Timeout:${formatGoDuration(check.Timeout)}`,
    `StartPeriod:${formatGoDuration(check.StartPeriod)}`,
    `StartInterval:${formatGoDuration(check.StartInterval)}`,
    `Retries:${check.Retries ?? 0}`,
  ];
  return `{${members.join(" ")}}`;
}
