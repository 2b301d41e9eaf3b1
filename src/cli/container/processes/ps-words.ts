/*
 * The words behind `top CONTAINER`: options of ps(1) that choose columns, as with Docker, or names of columns alone, as
 * with Podman. ps's options that choose processes (-e, -A, a, x) are taken and change nothing: those of the container are
 * shown. Bunker runs no ps on the host, so what it does not know is refused.
 */
import { nearestName } from "../../../nearest-name.ts";
import { BunkerError } from "../../../sys/error.ts";
import { type Column, podmanColumns, psColumns } from "./columns.ts";

/** The columns of `ps -ef`, and those of `ps aux`. */
const FULL = "user=UID,pid,ppid,c,stime,tname,time,cmd";
const OF_USERS = "user,pid,%cpu,%mem,vsz,rss,tname,stat,start_time,time,args";

/** `-eo pid,comm`, `-opid`, `axo pid`, `--format=pid`: the format is in the word, or in the next one. */
const FORMAT_OPTION = /^(?:-?[eAaxfwu]*o|--format=?)(.*)$/s;
const BSD_OPTIONS = /^[axufw]+$/;
const UNIX_OPTIONS = /^-[eAafw]+$/;

/**
 * Reads the words.
 * @param first the pid of the container's first process
 * @returns the columns; those of `ps -ef` when none are chosen
 * @throws BunkerError `unknown_column`, `unknown_option`
 */
export function chosenColumns(words: readonly string[], first: number): readonly Column[] {
  if (/^(?![axufw]*o?$)[a-z]/.test(words[0] ?? "")) {
    const known = podmanColumns(first);
    return words.flatMap((word) => word.split(",")).map((name) => columnOf(known, name));
  }
  const columns: Column[] = [];
  let usual = FULL;
  const rest = words.flatMap((word) => word.split(/\s+/)).filter((word) => word !== "");
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, attached] = FORMAT_OPTION.exec(word) ?? [];
    if (attached === undefined) {
      if (!BSD_OPTIONS.test(word) && !UNIX_OPTIONS.test(word)) throw unknownOption(word);
      if (BSD_OPTIONS.test(word) && word.includes("u")) usual = OF_USERS;
      continue;
    }
    const format = attached === "" ? rest.shift() : attached;
    if (format === undefined) throw unknownOption(word, "it needs columns, such as pid,comm");
    columns.push(...formatColumns(format));
  }
  return columns.length > 0 ? columns : formatColumns(usual);
}

/** `pid,comm` or `pid=NUMBER`, behind which the rest is the title. */
function formatColumns(format: string): Column[] {
  return format.split(",").map((specifier) => {
    const [, name = "", title] = /^([^=]*)(?:=(.*))?$/s.exec(specifier) ?? [];
    const column = columnOf(psColumns, name.toLowerCase());
    return title === undefined ? column : { ...column, title };
  });
}

function columnOf(known: Readonly<Record<string, Column>>, name: string): Column {
  const column = Object.hasOwn(known, name) ? known[name] : undefined;
  if (column !== undefined) return column;
  const nearest = nearestName(name, Object.keys(known));
  throw new BunkerError({
    code: "unknown_column",
    operation: "show the column",
    object: JSON.stringify(name),
    reason: `expected ${Object.keys(known).join(", ")}`,
    hint:
      nearest === undefined ? "Bunker lists processes itself and runs no ps on the host." : `Did you mean ${nearest}?`,
  });
}

function unknownOption(word: string, reason = "expected -e, -f, aux, or -o with columns"): BunkerError {
  return new BunkerError({
    code: "unknown_option",
    operation: "use the option of ps",
    object: JSON.stringify(word),
    reason,
    hint: "Bunker lists processes itself and runs no ps on the host.",
  });
}
