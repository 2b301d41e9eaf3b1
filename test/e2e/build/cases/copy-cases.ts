// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the language has them
import { digestOf } from "../../../../src/image/digest.ts";
import { shownContent } from "../image-on-disk.ts";
import type { ComparedCase, ExpectedCase, ExpectedFiles } from "./build-case.ts";
import { ARCHIVE, FILES_OF_CONTEXT } from "./context.ts";

/** COPY and ADD; the argument FILES is the URL of a server of the context's files. */
export const COPY_CASES: readonly ComparedCase[] = [
  {
    name: "COPY of a file: under its name, under another, with its time",
    dockerfile: ["FROM busybox", "COPY a.txt /", "COPY script.sh /x/y", "COPY b.txt /x/"],
    times: ["a.txt", "x/y", "x/b.txt"],
  },
  {
    name: "COPY by wildcards",
    dockerfile: ["FROM scratch", "COPY *.txt dir/t* /wild/", "COPY ?.txt /one/", "COPY [a-b].txt d*/inner /set/"],
  },
  {
    name: "COPY of directories: what is in them",
    dockerfile: ["FROM scratch", "COPY dir /directory", "COPY dir/inner dir/one /several/", "COPY empty /empty/"],
    times: ["directory/one", "directory/inner", "directory/inner/deep"],
  },
  { name: "COPY of everything but what is ignored", dockerfile: ["FROM scratch", "COPY . /all/"] },
  { name: "COPY of names with blanks", dockerfile: ["FROM scratch", 'COPY ["with blank", "a.txt", "/x y/"]'] },
  {
    name: "COPY relative to WORKDIR",
    dockerfile: ["FROM busybox", "WORKDIR /w/x", "COPY a.txt .", "COPY b.txt ../c", "COPY dir ./d/"],
  },
  {
    name: "COPY of what a variable says",
    dockerfile: ["FROM scratch", "ARG NAME=a", "ENV TO=/x", "COPY $NAME.txt ${TO}/${NAME}"],
  },
  {
    name: "COPY --chown by names",
    dockerfile: ["FROM busybox", "COPY --chown=alice:staff dir /alice", "COPY --chown=alice b.txt /group"],
  },
  {
    name: "COPY --chown by numbers",
    dockerfile: ["FROM scratch", "COPY --chown=7:8 a.txt /numbers/a", "COPY --chown=9 dir /nine"],
  },
  { name: "COPY --chmod", dockerfile: ["FROM scratch", "COPY --chmod=640 a.txt script.sh /mode/"] },
  {
    name: "COPY --from a stage by its name and by its number",
    dockerfile: [
      "FROM busybox AS one",
      "RUN echo 1 >/one && chown 5:6 /one && ln -s one /link && mkdir -m 700 /two && touch /two/x",
      "FROM scratch",
      "COPY --from=one /one link /from/",
      "COPY --from=0 /two /two",
    ],
  },
  {
    name: "COPY --from an image",
    dockerfile: ["FROM scratch", "COPY --from=busybox /etc/passwd /bin/busybox /x/", "COPY --from=busybox /home /h"],
  },
  {
    name: "COPY onto what is there",
    dockerfile: [
      "FROM busybox",
      "RUN mkdir -m 700 /d && chown 5:6 /d && echo old >/d/one && echo stays >/d/stays && ln -s d /link",
      "COPY dir /d",
      "COPY a.txt /link/",
    ],
  },
  {
    name: "ADD of archives, however compressed",
    dockerfile: [
      "FROM scratch",
      ...["", ".gz", ".bz2", ".xz"].map((ending) => `ADD archive.tar${ending} /x${ending}/`),
    ],
    times: ["x/packed/file", "x.gz/packed"],
  },
  {
    name: "ADD of files and directories, --chown and --chmod",
    dockerfile: ["FROM scratch", "ADD a.txt /y", "ADD --chown=1:2 dir /z", "ADD --chmod=600 b.txt /b"],
  },
  {
    name: "ADD of a URL",
    dockerfile: ["FROM scratch", "ARG FILES", "ADD $FILES/a.txt /x/", "ADD --chown=3:4 $FILES/b.txt /c"],
    times: ["x/a.txt", "c"],
  },
];

const NOT_KNOWN = "buildah does not know it";

function unpackedArchive(directory: string): ExpectedFiles {
  return {
    [directory]: "directory 755 0:0",
    [`${directory}/packed`]: "directory 700 7:8",
    [`${directory}/packed/file`]: 'file 640 7:8 "packed\\n"',
    [`${directory}/packed/link`]: "symbolic-link 7:8 file",
  };
}

export const COPY_CASES_ALONE: readonly ExpectedCase[] = [
  {
    name: "COPY --parents",
    why: NOT_KNOWN,
    dockerfile: ["FROM scratch", "COPY --parents dir/inner/deep ./dir/./one /p/", "COPY --parents *.txt d*/one /q/"],
    files: {
      p: "directory 755 0:0",
      "p/dir": "directory 755 0:0",
      "p/dir/inner": "directory 750 0:0",
      "p/dir/inner/deep": 'file 644 0:0 "deep\\n"',
      "p/one": 'file 644 0:0 "1\\n"',
      q: "directory 755 0:0",
      "q/a.txt": 'file 644 0:0 "a\\n"',
      "q/b.txt": 'file 644 0:0 "b\\n"',
      "q/dir": "directory 755 0:0",
      "q/dir/one": 'file 644 0:0 "1\\n"',
    },
  },
  {
    name: "COPY --exclude",
    why: NOT_KNOWN,
    dockerfile: ["FROM scratch", "COPY --exclude=**/deep --exclude=t* dir /e/"],
    files: {
      e: "directory 755 0:0",
      "e/inner": "directory 750 0:0",
      "e/link": "symbolic-link 0:0 one",
      "e/one": 'file 644 0:0 "1\\n"',
    },
  },
  {
    name: "COPY --parents of any depth, behind a pivot, and without what is excluded by its path from there",
    why: NOT_KNOWN,
    dockerfile: [
      "FROM scratch",
      "COPY --parents **/deep /a/",
      "COPY --parents ./dir/./**/deep ./dir/./t* /b/",
      "COPY --parents --exclude=dir/inner --exclude=**/t* dir /c/",
      "COPY --exclude=b.* *.txt /d/",
    ],
    files: {
      a: "directory 755 0:0",
      "a/dir": "directory 755 0:0",
      "a/dir/inner": "directory 750 0:0",
      "a/dir/inner/deep": 'file 644 0:0 "deep\\n"',
      b: "directory 755 0:0",
      "b/inner": "directory 750 0:0",
      "b/inner/deep": 'file 644 0:0 "deep\\n"',
      "b/two": 'file 600 0:0 "2\\n"',
      c: "directory 755 0:0",
      "c/dir": "directory 755 0:0",
      "c/dir/link": "symbolic-link 0:0 one",
      "c/dir/one": 'file 644 0:0 "1\\n"',
      d: "directory 755 0:0",
      "d/a.txt": 'file 644 0:0 "a\\n"',
    },
  },
  {
    name: "COPY --link, whatever is there",
    why: NOT_KNOWN,
    dockerfile: ["FROM busybox", "RUN ln -s /home /x", "COPY --link --chown=3:4 a.txt /y/z", "COPY --link b.txt /x/b"],
    files: {
      x: "directory 755 0:0",
      "x/b": 'file 644 0:0 "b\\n"',
      y: "directory 755 3:4",
      "y/z": 'file 644 3:4 "a\\n"',
    },
  },
  {
    name: "COPY --chmod in letters",
    why: NOT_KNOWN,
    dockerfile: ["FROM scratch", "COPY --chmod=u=rwX,go=rX dir /d"],
    files: {
      d: "directory 755 0:0",
      "d/inner": "directory 755 0:0",
      "d/inner/deep": 'file 644 0:0 "deep\\n"',
      "d/link": "symbolic-link 0:0 one",
      "d/one": 'file 644 0:0 "1\\n"',
      "d/two": 'file 644 0:0 "2\\n"',
    },
  },
  {
    name: "COPY with heredocs",
    why: "buildah has no heredocs",
    dockerfile: [
      "FROM scratch",
      "ARG A=value",
      "COPY --chmod=600 <<one <<-'two' a.txt /to/",
      "$A ${A:+set} \\$A 'quoted'",
      "one",
      "\t$A",
      "two",
      ...["COPY <<one /named", "one"],
    ],
    files: {
      to: "directory 755 0:0",
      "to/one": `file 600 0:0 "value set $A 'quoted'\\n"`,
      "to/two": 'file 600 0:0 "$A\\n"',
      "to/a.txt": 'file 600 0:0 "a\\n"',
      named: 'file 644 0:0 ""',
    },
  },
  {
    name: "ADD with heredocs",
    why: "buildah has no heredocs",
    dockerfile: ["FROM scratch", "ADD --chown=5:6 <<x /d/", "text", "x"],
    files: { d: "directory 755 5:6", "d/x": 'file 644 5:6 "text\\n"' },
  },
  {
    name: "ADD --checksum",
    why: NOT_KNOWN,
    dockerfile: [
      "FROM scratch",
      "ARG FILES",
      `ADD --checksum=${digestOf(FILES_OF_CONTEXT["a.txt"] ?? "")} $FILES/a.txt /x`,
    ],
    files: { x: 'file 600 0:0 "a\\n"' },
  },
  {
    name: "ADD --unpack, and not",
    why: NOT_KNOWN,
    dockerfile: [
      "FROM scratch",
      "ARG FILES",
      "ADD --unpack=false archive.tar /a",
      "ADD --unpack archive.tar.gz /b/",
      "ADD --unpack=true $FILES/archive.tar.xz /c/",
    ],
    files: {
      a: `file 644 0:0 ${shownContent(ARCHIVE, ARCHIVE.length)}`,
      ...unpackedArchive("b"),
      ...unpackedArchive("c"),
    },
  },
  {
    name: "ADD --exclude and --link",
    why: NOT_KNOWN,
    dockerfile: ["FROM scratch", "ADD --exclude=inner --exclude=link dir /d/", "ADD --link a.txt /l/"],
    files: {
      d: "directory 755 0:0",
      "d/one": 'file 644 0:0 "1\\n"',
      "d/two": 'file 600 0:0 "2\\n"',
      l: "directory 755 0:0",
      "l/a.txt": 'file 644 0:0 "a\\n"',
    },
  },
];
