/*
 * Which files an instruction means. The paths of COPY and ADD are followed in the root of their source; wildcards are
 * looked up one directory at a time, so only directories that may hold a match are read; and what was found is walked
 * through, leaving out what .dockerignore or `--exclude` leave out. Keys of the cache and copies are made from the same
 * walk, so they cannot disagree on what belongs to an instruction.
 *
 * Of a directory its content is meant, not the directory itself. With `--parents` the path of each match is kept, from the
 * root or from `/./` on: then a match is walked together with the directories above it.
 *
 * A directory that is left out, but something in it is not, is met only when that comes.
 */
import { isGone } from "../../image/layers/upper-directory.ts";
import { showName } from "../../image/tar/tar-error.ts";
import { nearestName } from "../../nearest-name.ts";
import { type ByteString, decodeText, encodeText } from "../../sys/byte-string.ts";
import { directoryEntries } from "../../sys/directory-entries.ts";
import { BunkerError } from "../../sys/error.ts";
import { openAt, statusAt, statusOf } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import { FileMode, type FileStatus, isType } from "../../sys/stat.ts";
import { checkFile } from "./file-error.ts";
import type { FileSelection } from "./file-source.ts";
import { compileNamePattern, isPattern } from "./glob.ts";
import { cleanPath, type IgnoreState, ignoreState } from "./ignore-patterns.ts";
import { followPath, insideOf, openRealDirectory, type TreePath } from "./tree-path.ts";

const DIRECTORY_FLAGS = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_NOFOLLOW | OpenFlag.O_CLOEXEC;

/** A tree to select from. */
export interface SourceTree {
  /** Descriptor of its root directory. */
  readonly root: number;
  /** Patterns of what is not in it. */
  readonly ignored: readonly string[];
}

/** One step of a walk. */
export type WalkStep =
  | {
      /** A directory, before what is in it. */
      readonly kind: "directory";
      /** Relative to where the match goes; empty for the directory whose content is meant. */
      readonly path: ByteString;
      /** The directory itself, open for reading; good until its `end`. */
      readonly directory: number;
      readonly status: FileStatus;
    }
  | { readonly kind: "end" }
  | {
      readonly kind: "other";
      /** As above; empty for a file that was named itself. */
      readonly path: ByteString;
      /** The directory that it lies in, and its name there. */
      readonly parent: number;
      readonly base: ByteString;
      readonly status: FileStatus;
    };

/** What one path, or one match of a wildcard, has led to. */
export interface Match {
  /** What it is called in a directory that it goes to, as the instruction and not as a link names it. */
  readonly name: ByteString;
  readonly isDirectory: boolean;
  /** Walks through it, once. */
  steps(): Generator<WalkStep, void, undefined>;
}

/**
 * Finds what an instruction means.
 * @returns the matches in the order of the paths, those of one wildcard in the order of their bytes; none for a wildcard
 *   that nothing matches
 * @throws BunkerError `source_not_found`, `copy_failed`, `invalid_pattern`
 */
export function* selectFiles(
  tree: SourceTree,
  { paths, excluded, keepsParents }: Pick<FileSelection, "paths" | "excluded" | "keepsParents">,
): Generator<Match, void, undefined> {
  const rules: Rules = { ignored: ignoreState(tree.ignored), excluded: ignoreState(excluded) };
  for (const path of paths) {
    if (keepsParents) yield* matchesWithParents(tree.root, path, rules);
    else yield* matches(tree.root, path, rules);
  }
}

interface Rules {
  /** By paths from the root of the source. */
  readonly ignored: IgnoreState;
  /** By paths within what is copied. */
  readonly excluded: IgnoreState;
}

function* matches(root: number, path: string, rules: Rules): Generator<Match, void, undefined> {
  const components = componentsOf(path);
  const first = components.findIndex(isPattern);
  if (first < 0) {
    yield toMatch(root, encodeText(components.join("/")), path, rules);
    return;
  }
  const above = followPath(root, encodeText(components.slice(0, first).join("/")), true);
  if (above.missing.length > 0 || !isType(above.status, FileMode.directory)) return;
  const ignored = stateAt(rules.ignored, above.path);
  for (const found of expand(root, above.path, components.slice(first), ignored, "star")) {
    yield toMatch(root, found, path, rules);
  }
}

function componentsOf(path: string): string[] {
  const clean = cleanPath(`/${path}`);
  return clean === "." ? [] : clean.split("/");
}

/**
 * The paths below a directory that components with wildcards match, in the order of their bytes. Links are not followed.
 * @param doubleStar whether a component `**` is any number of directories
 */
function* expand(
  root: number,
  directory: ByteString,
  components: readonly string[],
  ignored: IgnoreState,
  doubleStar: "directories" | "star",
): Generator<ByteString, void, undefined> {
  const [component, ...rest] = components;
  if (component === undefined) {
    yield directory;
    return;
  }
  const isDeep = component === "**" && doubleStar === "directories";
  if (isDeep) yield* expand(root, directory, rest, ignored, doubleStar);
  if (isDeep && rest.length === 0) return;
  const isMatch = isDeep ? () => true : compileNamePattern(component);
  for (const { name, type } of sortedNames(root, directory)) {
    const text = decodeText(name);
    if (!isMatch(text)) continue;
    const state = ignored.enter(text);
    if (state.isClosed) continue;
    const inside = insideOf(directory, name);
    const isDirectory = type === "directory" || isType(followPath(root, inside, false).status, FileMode.directory);
    if (isDirectory) yield* expand(root, inside, isDeep ? components : rest, state, doubleStar);
    else if (!isDeep && rest.length === 0 && !state.isIgnored) yield inside;
  }
}

function sortedNames(root: number, directory: ByteString) {
  using opened = openRealDirectory(root, directory);
  return [...directoryEntries(opened.number)].sort((one, other) => (one.name < other.name ? -1 : 1));
}

function stateAt(state: IgnoreState, path: ByteString): IgnoreState {
  let current = state;
  for (const name of path.split("/")) if (name !== "") current = current.enter(decodeText(name as ByteString));
  return current;
}

function toMatch(root: number, path: ByteString, asked: string, rules: Rules): Match {
  const name = path.slice(path.lastIndexOf("/") + 1) as ByteString;
  const found = followPath(root, path, true);
  const ignored = stateAt(rules.ignored, found.path);
  const isDirectory = isType(found.status, FileMode.directory);
  const isLeftOut = ignored.isIgnored && (!isDirectory || ignored.isClosed);
  if (found.missing.length > 0 || isLeftOut) throw notFound(root, asked, found, isLeftOut);
  const status = found.status;
  return {
    name,
    isDirectory,
    *steps() {
      if (isDirectory) {
        using directory = openRealDirectory(root, found.path);
        yield* directorySteps(directory.number, "" as ByteString, { ...rules, ignored });
        return;
      }
      if (rules.excluded.enter(decodeText(name)).isIgnored) return;
      const slash = found.path.lastIndexOf("/");
      using parent = openRealDirectory(root, found.path.slice(0, Math.max(slash, 0)) as ByteString);
      const base = found.path.slice(slash + 1) as ByteString;
      yield { kind: "other", path: "" as ByteString, parent: parent.number, base, status };
    },
  };
}

/** The steps of a directory that is open; none for one of which everything is left out. */
function* directorySteps(directory: number, path: ByteString, rules: Rules): Generator<WalkStep, void, undefined> {
  yield* around(directory, path, rules, contentSteps(directory, path, rules));
}

/** The steps of a directory around those of what is in it; one that is left out itself is only there for those. */
function* around(
  directory: number,
  path: ByteString,
  { ignored, excluded }: Rules,
  content: Iterable<WalkStep>,
): Generator<WalkStep, void, undefined> {
  const status = statusOf(directory);
  if (typeof status === "number") {
    checkFile(status, "read the status of", path);
    return;
  }
  const own = { kind: "directory", path, directory, status } as const;
  let isMet = path === "" || !(ignored.isIgnored || excluded.isIgnored);
  if (isMet) yield own;
  for (const step of content) {
    if (!isMet) yield own;
    isMet = true;
    yield step;
  }
  if (isMet) yield { kind: "end" };
}

function* contentSteps(parent: number, path: ByteString, rules: Rules): Generator<WalkStep, void, undefined> {
  const names = [...directoryEntries(parent)].map((entry) => entry.name).sort();
  for (const base of names) {
    const name = decodeText(base);
    const inside: Rules = { ignored: rules.ignored.enter(name), excluded: rules.excluded.enter(name) };
    if (inside.ignored.isClosed || inside.excluded.isClosed) continue;
    const status = statusAt(parent, base);
    const insidePath = insideOf(path, base);
    if (typeof status === "number") {
      if (!isGone(status)) checkFile(status, "read the status of", insidePath);
    } else if (isType(status, FileMode.directory)) {
      const opened = openAt(parent, base, DIRECTORY_FLAGS);
      if (isGone(opened)) continue;
      using directory = new FileDescriptor(checkFile(opened, "open the directory", insidePath));
      yield* directorySteps(directory.number, insidePath, inside);
    } else if (!inside.ignored.isIgnored && !inside.excluded.isIgnored && !isType(status, FileMode.socket)) {
      // Sockets mean nothing without the process that listens.
      yield { kind: "other", path: insidePath, parent, base, status };
    }
  }
}

/** Matches of `--parents`: no links are followed after the pivot, since their paths are what is kept. */
function* matchesWithParents(root: number, path: string, rules: Rules): Generator<Match, void, undefined> {
  const pivot = path.indexOf("/./");
  const start = pivot < 0 ? [] : componentsOf(path.slice(0, pivot));
  const above = followPath(root, encodeText(start.join("/")), true);
  if (above.missing.length > 0) throw notFound(root, path, above, false);
  const components = componentsOf(pivot < 0 ? path : path.slice(pivot + 3));
  const inside: Rules = { ...rules, ignored: stateAt(rules.ignored, above.path) };
  const found = [...new Set(expand(root, above.path, components, inside.ignored, "directories"))];
  if (found.length === 0 && !components.some(isPattern)) {
    const missing = followPath(root, insideOf(above.path, encodeText(components.join("/"))), false);
    throw notFound(root, path, missing, missing.missing.length === 0);
  }
  for (const one of found.sort()) {
    const kept = one.slice(above.path === "" ? 0 : above.path.length + 1);
    yield {
      name: "" as ByteString,
      isDirectory: true,
      *steps() {
        using directory = openRealDirectory(root, above.path);
        yield* stepsDownTo(directory.number, "" as ByteString, kept === "" ? [] : kept.split("/"), inside);
      },
    };
  }
}

/** The steps of one file or directory together with the directories above it. */
function* stepsDownTo(
  directory: number,
  path: ByteString,
  names: readonly string[],
  rules: Rules,
): Generator<WalkStep, void, undefined> {
  const content =
    names.length === 0 ? contentSteps(directory, path, rules) : oneStepDown(directory, path, names, rules);
  yield* around(directory, path, rules, content);
}

function* oneStepDown(
  parent: number,
  path: ByteString,
  [first = "", ...rest]: readonly string[],
  rules: Rules,
): Generator<WalkStep, void, undefined> {
  const base = first as ByteString;
  const insidePath = insideOf(path, base);
  const name = decodeText(base);
  const inside: Rules = { ignored: rules.ignored.enter(name), excluded: rules.excluded.enter(name) };
  if (inside.excluded.isClosed) return;
  const status = statusAt(parent, base);
  if (typeof status === "number") {
    checkFile(status, "read the status of", insidePath);
  } else if (isType(status, FileMode.directory)) {
    const opened = openAt(parent, base, DIRECTORY_FLAGS);
    using directory = new FileDescriptor(checkFile(opened, "open the directory", insidePath));
    yield* stepsDownTo(directory.number, insidePath, rest, inside);
  } else if (!inside.excluded.isIgnored) {
    yield { kind: "other", path: insidePath, parent, base, status };
  }
}

/** That a path leads nowhere; with the nearest name that is there. */
function notFound(root: number, asked: string, found: TreePath, isIgnored: boolean): BunkerError {
  const [wrong = ""] = found.missing;
  const near = isIgnored ? undefined : nearestIn(root, found, wrong);
  return new BunkerError({
    code: "source_not_found",
    operation: "find",
    object: showName(encodeText(`/${componentsOf(asked).join("/")}`)),
    reason: isIgnored ? "it is left out by the patterns of the ignore file" : "not found",
    hint: near === undefined ? undefined : `Did you mean ${showName(insideOf(found.path, encodeText(near)))}?`,
    exitStatus: 1,
  });
}

function nearestIn(root: number, { path, status }: TreePath, name: string): string | undefined {
  if (!isType(status, FileMode.directory)) return undefined;
  return nearestName(
    decodeText(name as ByteString),
    sortedNames(root, path).map((entry) => decodeText(entry.name)),
  );
}
