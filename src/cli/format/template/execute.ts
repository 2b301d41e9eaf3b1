/*
 * Carries a template out: walks its statements with a current value (the dot), a stack of variables, and an output that
 * grows. A pipeline's commands are evaluated from left to right, each getting the result before it as its last argument.
 *
 * Fields of structs must be there, keys of maps need not; text/template, "Arguments". Mistakes say what Go would say,
 * with the place in the template, and name the nearest field.
 */

import { nearestName } from "../../../nearest-name.ts";
import { printValue } from "./print.ts";
import {
  type Command,
  type Control,
  type Operand,
  type Pipeline,
  type Statement,
  type TemplateTree,
  writeCommand,
  writeOperand,
  writePipeline,
} from "./syntax-tree.ts";
import { TemplateError } from "./template-error.ts";
import type { ParameterType, TemplateFunctions } from "./template-function.ts";
import { isList, isMap, isStructure, isTrue, numberOf, sortedEntries, typeName, type Value } from "./value.ts";

/** Templates that call each other deeper than this do so for ever. */
const DEEPEST = 500;

/** What has been written, and how. */
interface Variable {
  readonly name: string;
  value: Value;
}

/** Why a list of statements ended early. */
type Leaving = "break" | "continue" | undefined;

/** What a field of a map is that it has not. */
export type MissingKeys = "no value" | "mistake";

/**
 * Carries a template out.
 * @param data the dot at the beginning, and `$`
 * @returns what it prints
 * @throws TemplateError in Go's words
 */
export function executeTree(
  tree: TemplateTree,
  functions: TemplateFunctions,
  data: Value,
  missingKeys: MissingKeys,
): string {
  return new Execution(tree, functions, missingKeys).run(data);
}

class Execution {
  readonly #tree: TemplateTree;
  readonly #functions: TemplateFunctions;
  readonly #missingKeys: MissingKeys;
  #output = "";
  #variables: Variable[] = [];
  #depth = 0;
  /** The template that is being carried out, for messages. */
  #name = "";
  /** Where in it, and how that is written. */
  #at: { readonly position: number; readonly text: string } = { position: 0, text: "" };

  constructor(tree: TemplateTree, functions: TemplateFunctions, missingKeys: MissingKeys) {
    this.#tree = tree;
    this.#functions = functions;
    this.#missingKeys = missingKeys;
  }

  run(data: Value): string {
    this.#variables = [{ name: "$", value: data }];
    this.#statements(this.#tree.body, data);
    return this.#output;
  }

  #error(message: string, hint?: string): TemplateError {
    const { position, text } = this.#at;
    const before = this.#tree.source.slice(0, position).split("\n");
    const place = `:${before.length}:${Buffer.byteLength(before.at(-1) ?? "")}`;
    return new TemplateError(
      `template: ${place}: executing ${JSON.stringify(this.#name)} at <${text}>: ${message}`,
      hint,
    );
  }

  #statements(statements: readonly Statement[], dot: Value): Leaving {
    for (const statement of statements) {
      switch (statement.kind) {
        case "text":
          this.#output += statement.text;
          break;
        case "print": {
          const value = this.#pipeline(statement.pipeline, dot);
          if (statement.pipeline.variables.length === 0) {
            this.#output += value === undefined ? "<no value>" : printValue(value);
          }
          break;
        }
        case "break":
        case "continue":
          return statement.kind;
        case "call":
          this.#call(statement, dot);
          break;
        case "range": {
          this.#scoped(() => this.#range(statement, dot));
          break;
        }
        default: {
          const leaving = this.#scoped(() => {
            const value = this.#pipeline(statement.pipeline, dot);
            if (!isTrue(value)) return this.#statements(statement.otherwise, dot);
            return this.#statements(statement.body, statement.kind === "with" ? value : dot);
          });
          if (leaving !== undefined) return leaving;
        }
      }
    }
    return undefined;
  }

  /** Variables declared meanwhile end with it. */
  #scoped<Result>(work: () => Result): Result {
    const { length } = this.#variables;
    const result = work();
    this.#variables.length = length;
    return result;
  }

  #range(statement: Control, dot: Value): Leaving {
    const { variables, assigns } = statement.pipeline;
    const items = this.#itemsOf(this.#pipeline(statement.pipeline, dot, false), statement.pipeline);
    const outer = this.#variables.length;
    if (!assigns) this.#variables.push(...variables.map((name) => ({ name, value: undefined })));
    for (const [key, value] of items) {
      const values = variables.length > 1 ? [key, value] : [value];
      variables.forEach((name, index) => {
        this.#assign(name, values[index]);
      });
      if (this.#scoped(() => this.#statements(statement.body, value)) === "break") break;
    }
    this.#variables.length = outer;
    return items.length === 0 ? this.#statements(statement.otherwise, dot) : undefined;
  }

  #itemsOf(value: Value, pipeline: Pipeline): readonly (readonly [key: Value, value: Value])[] {
    if (value === undefined || value === null) return [];
    if (isList(value)) return value.map((element, index) => [index, element] as const);
    if (isMap(value)) return sortedEntries(value).map(([key, element]) => [key, element ?? undefined] as const);
    if (typeof value === "number" && Number.isInteger(value)) {
      return Array.from({ length: Math.max(0, value) }, (_, index) => [index, index] as const);
    }
    this.#at = { position: pipeline.position, text: writePipeline(pipeline) };
    throw this.#error(`range can't iterate over ${printValue(value)}`);
  }

  #call(statement: Extract<Statement, { kind: "call" }>, dot: Value): void {
    const { name, pipeline, position } = statement;
    const quoted = JSON.stringify(name);
    const text = `{{template ${quoted}${pipeline === undefined ? "" : ` ${writePipeline(pipeline)}`}}}`;
    this.#at = { position, text };
    const body = this.#tree.definitions.get(name);
    if (body === undefined) throw this.#error(`template ${quoted} not defined`);
    if (this.#depth === DEEPEST) throw this.#error(`exceeded maximum template depth (${DEEPEST})`);
    const data = pipeline === undefined ? undefined : this.#pipeline(pipeline, dot);
    const [outerName, outerVariables] = [this.#name, this.#variables];
    this.#depth++;
    this.#name = name;
    this.#variables = [{ name: "$", value: data }];
    this.#statements(body, data);
    this.#variables = outerVariables;
    this.#name = outerName;
    this.#depth--;
  }

  #assign(name: string, value: Value): void {
    const variable = this.#variables.findLast((candidate) => candidate.name === name);
    if (variable === undefined) throw this.#error(`undefined variable: ${name}`);
    variable.value = value;
  }

  /** @param declares whether to give the variables the result; a loop gives them its elements */
  #pipeline(pipeline: Pipeline, dot: Value, declares = true): Value {
    let value: Value;
    pipeline.commands.forEach((command, index) => {
      value = this.#command(command, dot, index === 0 ? [] : [value]);
    });
    if (!declares) return value;
    for (const name of pipeline.variables) {
      if (pipeline.assigns) this.#assign(name, value);
      else this.#variables.push({ name, value });
    }
    return value;
  }

  /** @param piped the result of the command before, if there is one */
  #command(command: Command, dot: Value, piped: readonly Value[]): Value {
    const [first, ...rest] = command.operands;
    const evaluateRest = () => [
      ...rest.map((operand) => this.#argument(operand, dot, "string") as string),
      ...piped.map((value) => this.#checked(value, "string") as string),
    ];
    this.#locate(first);
    switch (first.kind) {
      case "function":
        return this.#callFunction(first.name, command, rest, dot, piped);
      case "field":
        return this.#fields(dot, first, first.fields, evaluateRest, rest.length + piped.length);
      case "variable":
        return this.#fields(this.#variable(first.name), first, first.fields, evaluateRest, rest.length + piped.length);
      case "chain":
        return this.#fields(
          this.#operand(first.base, dot),
          first,
          first.fields,
          evaluateRest,
          rest.length + piped.length,
        );
      default:
        break;
    }
    if (rest.length + piped.length > 0) throw this.#error(`can't give argument to non-function ${writeOperand(first)}`);
    if (first.kind === "nil") throw this.#error("nil is not a command");
    return this.#operand(first, dot);
  }

  #locate(operand: Operand): void {
    this.#at = { position: operand.position, text: writeOperand(operand) };
  }

  #operand(operand: Operand, dot: Value): Value {
    this.#locate(operand);
    switch (operand.kind) {
      case "dot":
        return dot;
      case "nil":
        return null;
      case "constant":
        return operand.value;
      case "field":
        return this.#fields(dot, operand, operand.fields);
      case "variable":
        return this.#fields(this.#variable(operand.name), operand, operand.fields);
      case "chain":
        return this.#fields(this.#operand(operand.base, dot), operand, operand.fields);
      case "pipeline":
        return this.#pipeline(operand.pipeline, dot);
      case "function":
        return this.#callFunction(operand.name, { position: operand.position, operands: [operand] }, [], dot, []);
    }
  }

  #variable(name: string): Value {
    const variable = this.#variables.findLast((candidate) => candidate.name === name);
    if (variable === undefined) throw this.#error(`undefined variable: ${name}`);
    return variable.value;
  }

  /** Follows fields; arguments are for the last. */
  #fields(
    base: Value,
    operand: Operand,
    fields: readonly string[],
    evaluateArguments: () => readonly string[] = () => [],
    count = 0,
  ): Value {
    // Behind parentheses Go is still at what is inside them.
    if (operand.kind !== "chain") this.#locate(operand);
    if (fields.length === 0 && count > 0)
      throw this.#error(`can't give argument to non-function ${writeOperand(operand)}`);
    return fields.reduce<Value>((value, field, index) => {
      const isLast = index === fields.length - 1;
      return this.#field(value, field, operand, isLast, isLast ? evaluateArguments : () => [], isLast ? count : 0);
    }, base);
  }

  #field(
    receiver: Value,
    field: string,
    operand: Operand,
    isLast: boolean,
    evaluateArguments: () => readonly string[],
    count: number,
  ): Value {
    if (receiver === undefined) return undefined;
    if (receiver === null) throw this.#error(`nil pointer evaluating interface {}.${field}`);
    if (isMap(receiver)) {
      if (count > 0) throw this.#error(`${field} is not a method but has arguments`);
      if (this.#missingKeys === "mistake" && !receiver.has(field)) {
        throw this.#error(`map has no entry for key ${JSON.stringify(field)}`);
      }
      const value = receiver.get(field);
      return isLast ? (value ?? undefined) : value;
    }
    if (isStructure(receiver) && Object.hasOwn(receiver, field)) {
      const value = receiver[field];
      if (typeof value === "function") return this.#callMethod(field, value, operand, count, evaluateArguments);
      if (count > 0) throw this.#error(`${field} has arguments but cannot be invoked as function`);
      return value;
    }
    const known = isStructure(receiver) ? Object.keys(receiver) : [];
    const nearest = nearestName(field, known);
    throw this.#error(
      `can't evaluate field ${field} in type ${typeName(receiver)}`,
      nearest === undefined ? fieldList(known) : `Did you mean .${nearest}?`,
    );
  }

  #callMethod(
    name: string,
    method: (...parameters: readonly string[]) => Value,
    operand: Operand,
    count: number,
    evaluateArguments: () => readonly string[],
  ): Value {
    this.#locate(operand);
    if (count !== method.length) throw this.#wrongCount(name, String(method.length), count);
    return method(...evaluateArguments());
  }

  #wrongCount(name: string, wanted: string, given: number): TemplateError {
    return this.#error(`wrong number of args for ${name}: want ${wanted} got ${given}`);
  }

  #callFunction(
    name: string,
    command: Command,
    operands: readonly Operand[],
    dot: Value,
    piped: readonly Value[],
  ): Value {
    const count = operands.length + piped.length;
    if (name === "and" || name === "or") {
      if (count === 0) throw this.#wrongCount(name, "at least 1", 0);
      return this.#lazily(name, operands, dot, piped);
    }
    const signature = this.#functions[name];
    if (signature === undefined) throw this.#error(`${JSON.stringify(name)} is not a defined function`);
    const { parameters, rest, call } = signature;
    if (rest === undefined ? count !== parameters.length : count < parameters.length) {
      throw this.#wrongCount(
        name,
        rest === undefined ? String(parameters.length) : `at least ${parameters.length}`,
        count,
      );
    }
    const typeOf = (index: number): ParameterType => parameters[index] ?? rest ?? "any";
    const values = operands.map((operand, index) => this.#argument(operand, dot, typeOf(index)));
    for (const value of piped) values.push(this.#checked(value, typeOf(values.length)));
    this.#at = { position: command.position, text: writeCommand(command) };
    try {
      // They have just been checked against the signature.
      return call(...(values as never[]));
    } catch (error) {
      if (!(error instanceof Error) || error instanceof TemplateError) throw error;
      throw this.#error(`error calling ${name}: ${error.message}`);
    }
  }

  /** `and` gives the first value that is not true, `or` the first that is, and what follows is not evaluated. */
  #lazily(name: "and" | "or", operands: readonly Operand[], dot: Value, piped: readonly Value[]): Value {
    let value: Value;
    for (const operand of operands) {
      value = this.#operand(operand, dot);
      if (isTrue(value) === (name === "or")) return value;
    }
    return piped.length > 0 ? piped[0] : value;
  }

  #argument(operand: Operand, dot: Value, type: ParameterType): Value {
    this.#locate(operand);
    if (type === "any") return this.#operand(operand, dot);
    if (operand.kind === "constant" && !fits(operand.value, type)) {
      if (type === "[]string") throw this.#error(`can't handle ${operand.text} for arg of type ${type}`);
      throw this.#error(`expected ${type === "int" ? "integer" : type}; found ${operand.text}`);
    }
    if (operand.kind === "nil") throw this.#error(`cannot assign nil to ${type}`);
    const value = this.#operand(operand, dot);
    this.#locate(operand);
    return this.#checked(value, type);
  }

  #checked(value: Value, type: ParameterType): Value {
    if (fits(value, type)) return type === "int" ? numberOf(value) : value;
    if (value === undefined) throw this.#error(`invalid value; expected ${type}`);
    throw this.#error(`wrong type for value; expected ${type}; got ${typeName(value)}`);
  }
}

function fits(value: Value, type: ParameterType): boolean {
  switch (type) {
    case "any":
      return true;
    case "string":
      return typeof value === "string";
    case "int":
      return Number.isInteger(numberOf(value));
    case "[]string":
      return isList(value) && value.every((element) => typeof element === "string");
  }
}

function fieldList(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : `The fields are ${names.map((name) => `.${name}`).join(" ")}.`;
}
