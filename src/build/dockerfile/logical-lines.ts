/*
 * A Dockerfile's lines become instructions' texts: continuation lines joined, comments and directives taken out, and what
 * is between the marks of heredocs kept apart.
 *
 * A line is continued whose last character but blanks is the escape character, unless that has another before it. Lines of
 * comment in between are left out, and so are empty ones, which is deprecated and noted for the linter. Blanks at the
 * beginning of a continuation are kept. Directives are comments of the form `# name=value` before anything else; the first
 * comment or line that is none ends them.
 *
 * Heredocs follow the whole instruction, one after the other, each up to a line with its delimiter alone. Only ADD, COPY
 * and RUN have them, also as triggers of ONBUILD: in any other instruction `<<` is ordinary text.
 */
import { DockerfileError, LanguageMistake } from "./dockerfile-error.ts";
import { type HeredocMark, heredocMarks } from "./heredoc-marks.ts";
import type { Directives, EscapeCharacter, Heredoc } from "./instruction.ts";
import type { SourceLocation, SourceText } from "./source-text.ts";

/** An instruction that nobody has looked into. */
export interface LogicalLine {
  readonly text: string;
  readonly location: SourceLocation;
  readonly comments: readonly string[];
  readonly heredocs: readonly Heredoc[];
}

export interface LogicalLines {
  readonly directives: Directives;
  readonly instructions: readonly LogicalLine[];
  /** The last lines of instructions that have empty lines within them. */
  readonly emptyContinuations: readonly number[];
}

const DIRECTIVE = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=(.+)$/s;
/** The language as it is published: in any version, and from any registry's mirror of it. */
const KNOWN_SYNTAX = /(?:^|\/)docker\/dockerfile(?:-upstream)?(?:[:@]|$)/;

/** Whether a frontend's name is one of the language that is read here, whatever its version. */
export function isKnownSyntax(name: string): boolean {
  return KNOWN_SYNTAX.test(name.split(/\s/, 1)[0] ?? "");
}
const HAS_HEREDOCS = /^(?:onbuild\s+)*(?:add|copy|run)(?:\s|$)/i;

/** @throws DockerfileError for directives that are wrong and heredocs without an end */
export function readLogicalLines(source: SourceText): LogicalLines {
  const { directives, lineCount } = readDirectives(source);
  const continued = directives.escape === "\\" ? /(?<!\\)\\[ \t]*$/ : /(?<!`)`[ \t]*$/;
  const lines = source.lines.map(withoutCarriageReturns);
  const instructions: LogicalLine[] = [];
  const emptyContinuations: number[] = [];
  let comments: string[] = [];
  let next = lineCount;

  while (next < lines.length) {
    const firstLine = next + 1;
    let line = lines[next++]?.trimStart() ?? "";
    if (line === "") {
      comments = [];
      continue;
    }
    if (line.startsWith("#")) {
      const comment = line.slice(1).trim();
      if (comment === "") comments = [];
      else comments.push(comment);
      continue;
    }
    let text = "";
    let hasEmptyLine = false;
    for (;;) {
      const trimmed = line.trimStart();
      const isContinued = continued.test(line);
      const isFirst = next === firstLine;
      if (!isFirst && trimmed === "") hasEmptyLine = true;
      else if (isFirst || !trimmed.startsWith("#")) {
        text += line.replace(continued, "");
        if (!isContinued) break;
      }
      if (next >= lines.length) break;
      line = lines[next++] ?? "";
    }
    if (hasEmptyLine) emptyContinuations.push(next);
    if (text.trim() === "") continue;

    const heredocs: Heredoc[] = [];
    if (HAS_HEREDOCS.test(text)) {
      for (const mark of marksOf(text, { source, firstLine, lastLine: next })) {
        const start = next;
        while (next < lines.length && !isDelimiter(lines[next] ?? "", mark)) next++;
        if (next >= lines.length) {
          const location = { source, firstLine, lastLine: start };
          throw new DockerfileError(location, `unterminated heredoc: there is no line ${JSON.stringify(mark.name)}`);
        }
        const content = source.lines.slice(start, next).map((each) => `${each}\n`);
        heredocs.push({ ...mark, content: content.join("") });
        next++;
      }
    }
    instructions.push({ text: text.trim(), location: { source, firstLine, lastLine: next }, comments, heredocs });
    comments = [];
  }
  return { directives, instructions, emptyContinuations };
}

function marksOf(text: string, location: SourceLocation): readonly HeredocMark[] {
  try {
    return heredocMarks(text);
  } catch (cause) {
    throw cause instanceof LanguageMistake ? new DockerfileError(location, cause.message, { cause }) : cause;
  }
}

function isDelimiter(line: string, { name, stripsTabs }: HeredocMark): boolean {
  return (stripsTabs ? line.replace(/^\t+/, "") : line) === name;
}

function readDirectives(source: SourceText): { directives: Directives; lineCount: number } {
  const found = new Map<string, string>();
  let lineCount = 0;
  for (const line of source.lines) {
    const match = DIRECTIVE.exec(line.trimStart());
    const name = match?.[1]?.toLowerCase() ?? "";
    if (match === null || !["syntax", "escape", "check"].includes(name)) break;
    const location = { source, firstLine: lineCount + 1, lastLine: lineCount + 1 };
    if (found.has(name)) throw new DockerfileError(location, `only one ${name} parser directive can be used`);
    const value = match[2]?.trim() ?? "";
    if (value === "") break;
    if (name === "syntax" && !isKnownSyntax(value)) {
      throw new DockerfileError(location, `the syntax ${value} is another language than docker/dockerfile`);
    }
    if (name === "escape" && !isEscapeCharacter(value)) {
      throw new DockerfileError(location, `invalid escape token '${value}' does not match \` or \\`);
    }
    found.set(name, value);
    lineCount++;
  }
  const written = found.get("escape") ?? "\\";
  return {
    directives: {
      syntax: found.get("syntax"),
      escape: isEscapeCharacter(written) ? written : "\\",
      check: found.get("check"),
    },
    lineCount,
  };
}

function withoutCarriageReturns(line: string): string {
  let end = line.length;
  while (line[end - 1] === "\r") end--;
  return line.slice(0, end);
}

function isEscapeCharacter(text: string): text is EscapeCharacter {
  return text === "\\" || text === "`";
}
