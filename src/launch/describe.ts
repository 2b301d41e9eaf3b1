import { errnoName } from "../sys/errno.ts";
import type { Argument } from "./operation.ts";
import type { Label, Operation, OperationTable } from "./operation-table.ts";

/**
 * Shows a table of operations to people, one a line: index, label, what is done, where it goes, and what for, such as
 * `  3 retry: read(fd, memory[8], 8) = count, EAGAIN -> retry  # read the id maps`.
 * @param describeAddress what stands at an address, if anything is known of it
 */
export function describeOperations(
  table: OperationTable,
  describeAddress: (address: number) => string | undefined,
): string {
  const argument = (value: Argument) =>
    typeof value === "number"
      ? (describeAddress(value) ?? describeSlotAddress(table, value) ?? `${value}`)
      : value.name;
  const lines = table.operations.map((operation, index) => {
    const labels = table.labelsAt(index).map(({ name }) => `${name}: `);
    const { description } = operation;
    const comment =
      description === undefined ? "" : `  # ${[description.operation, description.object ?? ""].join(" ").trimEnd()}`;
    return `${String(index).padStart(3)} ${labels.join("")}${describeAction(operation, argument)}${comment}`;
  });
  return `${lines.join("\n")}\n`;
}

function describeSlotAddress(table: OperationTable, address: number): string | undefined {
  const slot = table.slots.find((candidate) => table.addressOf(candidate) === address);
  return slot === undefined ? undefined : `&${slot.name}`;
}

function describeAction(operation: Operation, argument: (value: Argument) => string): string {
  const [a = "0", b = "0", c = "0"] = operation.arguments.map(argument);
  const to = (target: Label | number | undefined) => {
    if (target === undefined) return "";
    return ` -> ${typeof target === "number" ? argument(target) : target.name}`;
  };
  const result = operation.result?.name;
  const place = b === "0" ? a : `${a} + ${b}`;
  switch (operation.kind) {
    case "systemCall": {
      const call = `${operation.systemCall}(${operation.arguments.map(argument).join(", ")})`;
      const ignored = operation.ignore === "any" ? ["any error"] : operation.ignore.map(errnoName);
      const otherwise = ignored.length === 0 ? "" : `, ignores ${ignored.join(" and ")}${to(operation.otherwise)}`;
      return `${call}${result === undefined ? "" : ` = ${result}`}${to(operation.next)}${otherwise}`;
    }
    case "fork":
      return `fork(${a})${result === undefined ? "" : ` = ${result}`}, child${to(operation.otherwise)}`;
    case "equal":
      return operation.otherwise === undefined
        ? `if ${a} != ${b}${to(operation.next)}`
        : `if ${a} == ${b}${to(operation.otherwise)}`;
    case "less":
      return `if ${a} < ${b}${to(operation.otherwise)}`;
    case "load32":
    case "load64":
      return `${result} = ${operation.kind}(${place})`;
    case "store32":
    case "store64":
      return `${operation.kind}(${place}, ${c})`;
    case "add":
      if (operation.next !== undefined) return `jump${to(operation.next)}`;
      if (b === "0") return `${result} = ${a}`;
      return `${result} = ${a} + ${c === "0" ? b : `(${b} << ${c})`}`;
    case "fail":
      return a === "0" ? "fail" : `fail ${describeCause(operation, a)}`;
  }
}

function describeCause(operation: Operation, shown: string): string {
  const [cause] = operation.arguments;
  return typeof cause === "number" ? errnoName(-cause) : shown;
}
