/*
 * The value of `--chmod`: an octal number, or a symbolic mode as chmod(1) has it: `u=rwX,go=rX`, `+x`, `a-w`.
 * Who is not named is everybody, whatever the umask; `X` is execution for directories and for what somebody can execute.
 */
import { BunkerError } from "../../sys/error.ts";

/** Makes the new mode of a file of the one that it has. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

const MOST = 0o7777;
const EVERYBODY_EXECUTES = 0o111;

/**
 * Reads a mode.
 * @throws BunkerError `invalid_mode`
 */
export function parseMode(text: string): ModeChange {
  if (/^[0-7]{1,5}$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    if (mode > MOST) throw invalidMode(text);
    return () => mode;
  }
  const changes = text.split(",").map((clause) => parseClause(clause, text));
  return (mode, isDirectory) => changes.reduce((result, change) => change(result, isDirectory), mode);
}

function parseClause(clause: string, text: string): ModeChange {
  const match = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/.exec(clause);
  if (match === null) throw invalidMode(text);
  const [, who = "", actions = ""] = match;
  const isFor = (class_: string) => who === "" || who.includes("a") || who.includes(class_);
  const steps = [...actions.matchAll(/([-+=])([rwxXst]*|[ugo])(?=[-+=]|$)/g)].map(([, operator, what = ""]) => ({
    operator,
    what,
  }));
  return (mode, isDirectory) =>
    steps.reduce((result, { operator, what }) => {
      const bits = bitsOf(what, result, isDirectory, isFor);
      if (operator === "+") return result | bits;
      if (operator === "-") return result & ~bits;
      return (result & ~classMask(isFor)) | bits;
    }, mode);
}

function bitsOf(what: string, mode: number, isDirectory: boolean, isFor: (class_: string) => boolean): number {
  const copied = { u: mode >> 6, g: mode >> 3, o: mode }[what];
  const canExecute = isDirectory || (mode & EVERYBODY_EXECUTES) !== 0;
  const permissions =
    copied !== undefined
      ? copied & 0o7
      : (what.includes("r") ? 4 : 0) |
        (what.includes("w") ? 2 : 0) |
        (what.includes("x") || (what.includes("X") && canExecute) ? 1 : 0);
  const special =
    what.includes("s") && copied === undefined ? (isFor("u") ? 0o4000 : 0) | (isFor("g") ? 0o2000 : 0) : 0;
  const sticky = what.includes("t") && isFor("o") ? 0o1000 : 0;
  return (
    (isFor("u") ? permissions << 6 : 0) |
    (isFor("g") ? permissions << 3 : 0) |
    (isFor("o") ? permissions : 0) |
    special |
    sticky
  );
}

/** What `=` takes away from the classes that it is for. */
function classMask(isFor: (class_: string) => boolean): number {
  return (isFor("u") ? 0o4700 : 0) | (isFor("g") ? 0o2070 : 0) | (isFor("o") ? 0o1007 : 0);
}

function invalidMode(text: string): BunkerError {
  return new BunkerError({
    code: "invalid_mode",
    operation: "read the mode",
    object: JSON.stringify(text),
    reason: "it is neither an octal number up to 7777 nor a symbolic mode",
    hint: "Write it as for chmod: 755, or u=rwX,go=rX.",
    exitStatus: 1,
  });
}
