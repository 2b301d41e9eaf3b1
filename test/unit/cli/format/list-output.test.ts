import { describe, expect, test } from "bun:test";
import { parseListFormat } from "../../../../src/cli/format/format-option.ts";
import { formatList } from "../../../../src/cli/format/list-output.ts";
import { BunkerError } from "../../../../src/sys/error.ts";

const list = {
  titles: { ID: "IMAGE ID", Labels: "LABELS", Name: "REPOSITORY", Size: "SIZE" },
  columns: ["Name", "ID", "Size"],
};
const rows = [
  {
    ID: "0123456789ab",
    Labels: "a=1",
    Name: "debian",
    Size: "117MB",
    Label: (key: string) => (key === "a" ? "1" : ""),
  },
  {
    ID: "ba9876543210",
    Labels: "",
    Name: "registry.example.com/much/longer",
    Size: "1kB",
    Label: (_key: string) => "",
  },
];
const formatted = (format: string | undefined, given = rows) =>
  formatList(list, format === undefined ? undefined : parseListFormat(format), given);

describe("tables look like Docker's", () => {
  test.each([undefined, "table"])("%p", async (format) => {
    expect(await formatted(format)).toBe(
      [
        "REPOSITORY                         IMAGE ID       SIZE",
        "debian                             0123456789ab   117MB",
        "registry.example.com/much/longer   ba9876543210   1kB",
        "",
      ].join("\n"),
    );
  });

  test("columns are ten cells wide at least", async () => {
    expect(await formatted("table {{.Size}}\\t{{.Size}}\t{{.ID}}")).toBe(
      "SIZE      SIZE      IMAGE ID\n117MB     117MB     0123456789ab\n1kB       1kB       ba9876543210\n",
    );
  });

  test("there is a header without rows", async () => {
    expect(await formatted(undefined, [])).toBe("REPOSITORY   IMAGE ID   SIZE\n");
  });

  test("functions leave the header alone", async () => {
    expect(await formatted("table {{lower .Name}}\t{{truncate .ID 3}}\t{{json .Size}}\t{{slice .ID 2 4}}")).toBe(
      [
        "REPOSITORY                         IMAGE ID             IMAGE ID",
        'debian                             012        "117MB"   23',
        'registry.example.com/much/longer   ba9        "1kB"     98',
        "",
      ].join("\n"),
    );
  });

  test("a label's column is called by the end of its name", async () => {
    expect((await formatted('table {{.ID}}\t{{.Label "com.example.some-thing"}}')).split("\n")[0]).toBe(
      "IMAGE ID       some thing",
    );
  });

  test("nothing steers the terminal", async () => {
    const evil = [{ ...rows[0], Name: "a\x1b[2Jb\x07\x9bc" } as (typeof rows)[0]];
    expect(await formatted("table {{.Name}}\t{{.Size}}", evil)).toBe("REPOSITORY   SIZE\na?[2Jb??c    117MB\n");
    expect(await formatted("{{.Name}}", evil)).toBe("a\x1b[2Jb\x07\x9bc\n");
  });

  test("wide characters count as two", async () => {
    expect(
      await formatted("table {{.Name}}\t{{.Size}}", [{ ...rows[0], Name: "日本語日本語" } as (typeof rows)[0]]),
    ).toBe("REPOSITORY     SIZE\n日本語日本語   117MB\n");
  });
});

describe("other formats", () => {
  test.each([
    ["json", '{"ID":"0123456789ab","Labels":"a=1","Name":"debian","Size":"117MB"}'],
    ["{{.ID}} {{.Size}}", "0123456789ab 117MB"],
    ["  {{.ID}}\\t{{.Size}}\\n", "0123456789ab\t117MB\n"],
    ['{{.Label "a"}}', "1"],
    ["plain", "plain"],
  ])("%s", async (format, line) => {
    expect(await formatted(format, rows.slice(0, 1))).toBe(`${line}\n`);
  });

  test("Podman's loop goes over all rows", async () => {
    expect(await formatted("{{range .}}{{.Size}} {{end}}")).toBe("117MB 1kB ");
    expect(await formatted("{{ range . }}{{.Size}}{{else}}none{{ end }}", [])).toBe("none");
  });

  test("without rows nothing is printed", async () => {
    expect(await formatted("json", [])).toBe("");
  });
});

describe("mistakes", () => {
  test.each([
    [
      "{{.Nmae}}",
      1,
      'template parsing error: template: :1:2: executing "" at <.Nmae>: can\'t evaluate field Nmae in type struct',
      "Did you mean .Name?",
    ],
    ["table {{.Name", 64, "template parsing error: template: :1: unclosed action", undefined],
    ["{{upcase .Name}}", 64, 'template parsing error: template: :1: function "upcase" not defined', undefined],
  ] as const)("%s", async (format, exitStatus, message, hint) => {
    let error: unknown;
    try {
      await formatted(format);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(BunkerError);
    const { code, exitStatus: status, message: text, hint: advice } = error as BunkerError;
    expect({ code, status, text, advice }).toEqual({
      code: "invalid_template",
      status: exitStatus,
      text: message,
      advice: hint,
    });
  });
});
