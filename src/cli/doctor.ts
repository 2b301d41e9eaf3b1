import { dataDirectory } from "../engine/data-directory.ts";
import { examineHost } from "../engine/doctor/examine-host.ts";
import type { Finding } from "../engine/doctor/finding.ts";
import { defineCommand } from "./command.ts";
import { listFormatOption } from "./format/format-option.ts";
import { formatList, type ListDescription } from "./format/list-output.ts";
import { printText } from "./format/print-text.ts";
import type { Structure } from "./format/template/value.ts";

const list: ListDescription = {
  titles: { Check: "CHECK", Effect: "EFFECT", Found: "FOUND", Remedy: "REMEDY", State: "STATE" },
  columns: ["Check", "State", "Found", "Effect"],
};

/** `bunker doctor`. */
export const doctor = defineCommand(
  { options: { format: listFormatOption }, required: [], failureStatus: 1 },
  async ({ options: { format } }) => {
    const findings = examineHost(dataDirectory());
    if (format === undefined) printText(await tableWithRemedies(findings.map(inOneLine)));
    else printText(await formatList(list, format, findings.map(row)));
    return findings.some(({ state }) => state === "failed") ? 1 : 0;
  },
);

function row({ check, effect, found, remedy, state }: Finding): Structure {
  return { Check: check, Effect: effect, Found: found, Remedy: remedy ?? "", State: state };
}

/** The usual table, where a finding's remedy stands below its line: a command would make the widest of columns. */
async function tableWithRemedies(findings: readonly Finding[]): Promise<string> {
  const table = await formatList(list, undefined, findings.map(row));
  const [header, ...lines] = table.split("\n");
  const below = lines.flatMap((line, index) => {
    const remedy = findings[index]?.remedy;
    return remedy === undefined ? [line] : [line, `    # ${remedy}`];
  });
  return [header, ...below].join("\n");
}

/** Paths may hold line breaks and whatever else steers a terminal; the table does not pass them on. */
function inOneLine({ check, effect, found, remedy, state }: Finding): Finding {
  const clean = (text: string) => text.replace(/\p{Cc}/gu, "?");
  return { check, state, effect: clean(effect), found: clean(found), remedy: remedy && clean(remedy) };
}
