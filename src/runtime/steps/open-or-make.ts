/*
 * Theory of operation: making a path inside the container's root file system, whatever symbolic links are on the way.
 *
 * An image may have a link where a mount's target is to be, and the link's own target may be missing:
 * /etc/resolv.conf -> ../run/systemd/resolve/stub-resolv.conf is usual. Then what the link names is made, inside the
 * root, as Docker does. What a link says is known only when the container's process has mounted its root, so the process
 * itself has to walk; one subroutine of its program does, for all paths.
 *
 * The kernel resolves, the walk only makes. A copy of the path is cut behind its first component, its second, and so on,
 * and each prefix is opened by openat2 with the root as "/": it follows links, "..", and absolute links, and cannot get
 * out. A prefix that is missing (ENOENT) has a parent that is not, since that was the prefix before, so mkdirat makes its
 * last component. Where there is something nevertheless (EEXIST), it is a link to what is missing. Then the link's text
 * takes the place of the component, what follows is dropped, and the walk begins anew with that shorter path; when it is
 * made, the whole path is walked again from its beginning. So each round settles one link, and after as many links as
 * the kernel itself would follow it is given up as a loop.
 *
 * The last component may be a file: it is opened with O_CREAT, which makes it also at the end of a link, unless the
 * directory is missing there; then the link's text is taken as above.
 *
 * Texts are looked at byte by byte: eight bytes are loaded, and shifted until only the first is left, in the highest
 * place. A slash becomes the NUL at the end of a prefix by subtracting its code from the four bytes that begin with it.
 */
import type { Slot } from "../../launch/operation.ts";
import type { Subroutine } from "../../launch/operation-table.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import { Errno } from "../../sys/errno.ts";
import { OPEN_HOW_SIZE, OpenFlag } from "../../sys/open.ts";
import { howInRoot, openInRoot } from "./files.ts";

const PATH_MAX = 4096;
const SLASH = 0x2f;
const HIGHEST_BYTE = 56;
/** MAXSYMLINKS of the kernel. */
const MOST_LINKS = 40;
const DIRECTORY_MODE = 0o755;

/** The subroutine of a program, with the slots of its parameters. */
interface PathMaker {
  readonly subroutine: Subroutine;
  readonly root: Slot;
  /** The address of the path's text. */
  readonly path: Slot;
  /** The address of the structure to open the last component with, as a file; 0 for a directory. */
  readonly file: Slot;
}

const makers = new WeakMap<LaunchProgram, PathMaker>();

/**
 * Opens (O_PATH) a path inside the container's root file system, and makes it, with its parents, when it is missing.
 * @param root the container's root directory
 * @param path absolute inside the container
 * @param kind what to make when there is nothing
 * @param mode of a file that is made; directories get 0755
 * @returns the slot with the descriptor; the caller closes it
 */
export function openOrMake(
  program: LaunchProgram,
  root: Slot,
  path: string,
  kind: "directory" | "file",
  mode = 0o644,
): Slot {
  const ready = program.label("ready");
  const target = openInRoot(program, root, path, { ifThere: ready });
  makePath(
    program,
    root,
    path,
    kind === "directory" ? undefined : howInRoot(program, OpenFlag.O_CREAT | OpenFlag.O_WRONLY, mode),
  );
  openInRoot(program, root, path, { result: target });
  program.place(ready);
  return target;
}

/**
 * Emits the making of a path that may be missing in the container's root file system.
 * @param root the container's root directory
 * @param path absolute inside the container
 * @param howToOpenFile the address of `howInRoot` with O_CREAT, for a file at the end; undefined for a directory
 */
function makePath(program: LaunchProgram, root: Slot, path: string, howToOpenFile: number | undefined): void {
  const maker = makers.get(program) ?? pathMaker(program);
  makers.set(program, maker);
  program.set(maker.root, root);
  program.set(maker.path, program.text(path));
  program.set(maker.file, howToOpenFile ?? 0);
  program.callSubroutine(maker.subroutine);
}

function pathMaker(program: LaunchProgram): PathMaker {
  const [root, path, file] = [program.slot("root"), program.slot("path"), program.slot("file at the end")];
  const slots = workingSlots(program);
  const subroutine = program.subroutine("make path", () => emitWalk(program, { root, path, file, ...slots }));
  return { subroutine, root, path, file };
}

function workingSlots(program: LaunchProgram) {
  return {
    /** How the last component of the path that is walked now is opened; as `file`. */
    fileNow: program.slot("file at the end of this walk"),
    /** How the present component is opened; as `file`. */
    fileHere: program.slot("file here"),
    /** How many links were met. */
    links: program.slot("links"),
    /** Whether the walk is one of a link's text, so that the path itself is still to be made. */
    isDetour: program.slot("detour"),
    isLast: program.slot("last component"),
    /** Where the present component begins and ends in the walked path. */
    start: program.slot("component's start"),
    end: program.slot("component's end"),
    byte: program.slot("byte"),
    saved: program.slot("saved bytes"),
    /** What is copied into the walked path: from which address, to which place in it. */
    from: program.slot("copy from"),
    to: program.slot("copy to"),
    directory: program.slot("directory"),
    name: program.slot("name's address"),
    slash: program.slot("slash"),
  };
}

type WalkSlots = ReturnType<typeof workingSlots> & Readonly<Record<"root" | "path" | "file", Slot>>;

function emitWalk(program: LaunchProgram, slots: WalkSlots): void {
  const { root, path, file, fileNow, fileHere, links, isDetour, isLast, start, end, byte, saved } = slots;
  const { from, to, directory, name, slash } = slots;
  const what = { operation: "make in the root file system", objectSlot: path.index };
  // The walked path: a prefix that the kernel took, and a link's text behind it; a load may go beyond its end.
  const walked = program.reserve(2 * PATH_MAX + 8).address;
  const linkText = program.reserve(PATH_MAX + 8).address;
  const asDirectory = howInRoot(program, OpenFlag.O_PATH | OpenFlag.O_DIRECTORY, 0);
  const label = (text: string) => program.label(text);
  const [begin, copy, copied, skip, component, scan, last] = [
    label("begin"),
    label("copy"),
    label("copied"),
    label("skip slashes"),
    label("component"),
    label("scan"),
    label("last component"),
  ];
  const [open, openFile, missing, isLink, absolute, opened, walkedAll, done] = [
    label("open"),
    label("open file"),
    label("missing"),
    label("dangling link"),
    label("absolute link"),
    label("opened"),
    label("walked"),
    label("made"),
  ];
  const loadByte = (address: number | Slot, offset: Slot | number) => {
    program.load64(byte, address, offset);
    program.add(byte, 0, byte, HIGHEST_BYTE);
  };
  const closeDirectory = () => program.call("close", [directory], what);

  program.set(links, 0);
  program.set(slash, SLASH);
  program.add(slash, 0, slash, HIGHEST_BYTE);

  program.place(begin);
  program.set(isDetour, 0);
  program.set(fileNow, file);
  program.set(from, path);
  program.set(to, 0);
  program.place(copy);
  program.load64(byte, from);
  program.store64(byte, walked, to);
  program.add(byte, 0, byte, HIGHEST_BYTE);
  program.branch(byte, "equal", 0, copied);
  program.add(from, from, 1);
  program.add(to, to, 1);
  program.jump(copy);
  program.place(copied);
  program.set(end, 0);

  program.place(skip);
  loadByte(walked, end);
  program.branch(byte, "equal", 0, walkedAll);
  program.branch(byte, "not equal", slash, component);
  program.add(end, end, 1);
  program.jump(skip);
  program.place(component);
  program.set(start, end);
  program.place(scan);
  program.add(end, end, 1);
  loadByte(walked, end);
  program.branch(byte, "equal", 0, last);
  program.branch(byte, "not equal", slash, scan);
  program.load32(saved, walked, end);
  program.add(saved, saved, -SLASH);
  program.store32(saved, walked, end);
  program.set(isLast, 0);
  program.set(fileHere, 0);
  program.jump(open);
  program.place(last);
  program.set(isLast, 1);
  program.set(fileHere, fileNow);
  program.branch(fileHere, "not equal", 0, openFile);

  program.place(open);
  program.call("openat2", [root, walked, asDirectory, OPEN_HOW_SIZE], what, {
    result: directory,
    ignore: [Errno.ENOENT, Errno.EAGAIN],
    onSuccess: opened,
  });
  program.branch(directory, "equal", -Errno.EAGAIN, open);
  program.jump(missing);
  program.place(openFile);
  program.call("openat2", [root, walked, fileHere, OPEN_HOW_SIZE], what, {
    result: directory,
    ignore: [Errno.ENOENT, Errno.EAGAIN],
    onSuccess: opened,
  });
  program.branch(directory, "equal", -Errno.EAGAIN, openFile);

  program.place(missing);
  const openParent = label("open parent");
  program.load32(saved, walked, start);
  program.store32(0, walked, start);
  program.place(openParent);
  program.call("openat2", [root, walked, asDirectory, OPEN_HOW_SIZE], what, {
    result: directory,
    ignore: [Errno.EAGAIN],
    onIgnored: openParent,
  });
  program.store32(saved, walked, start);
  program.add(name, walked, start);
  program.branch(fileHere, "not equal", 0, isLink);
  const made = label("directory made");
  program.call("mkdirat", [directory, name, DIRECTORY_MODE], what, {
    ignore: [Errno.EEXIST],
    onSuccess: made,
    onIgnored: isLink,
  });
  program.place(made);
  closeDirectory();
  program.jump(open);

  program.place(isLink);
  const mayFollow = label("may follow");
  program.add(links, links, 1);
  program.branch(links, "less", MOST_LINKS + 1, mayFollow);
  program.fail(what, Errno.ELOOP);
  program.place(mayFollow);
  program.call("readlinkat", [directory, name, linkText, PATH_MAX - 1], what, { result: saved });
  program.store32(0, linkText, saved);
  closeDirectory();
  program.set(isDetour, 1);
  program.set(fileNow, fileHere);
  program.set(from, linkText);
  program.set(to, start);
  loadByte(linkText, 0);
  program.branch(byte, "equal", slash, absolute);
  program.jump(copy);
  program.place(absolute);
  program.set(to, 0);
  program.jump(copy);

  program.place(opened);
  closeDirectory();
  program.branch(isLast, "equal", 1, walkedAll);
  program.load32(saved, walked, end);
  program.add(saved, saved, SLASH);
  program.store32(saved, walked, end);
  program.jump(skip);

  program.place(walkedAll);
  program.branch(isDetour, "equal", 0, done);
  program.jump(begin);
  program.place(done);
}
