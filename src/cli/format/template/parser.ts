/*
 * Reads a template: tokens become a syntax tree. It is a descent by the grammar of text/template: statements up to the
 * `{{end}}` or `{{else}}` that is not theirs; in an action a pipeline of commands of operands. Names of variables and
 * functions are checked here, so that a mistake shows even where nothing would be printed; `{{template}}` may name what
 * is defined further down, and is checked when it is carried out.
 */

import { nearestName } from "../../../nearest-name.ts";
import { parseCharacter, parseNumber, parseString } from "./literal.ts";
import type { Command, Control, Operand, Pipeline, Statement, TemplateTree } from "./syntax-tree.ts";
import { TemplateError } from "./template-error.ts";
import { lineOf, type Token, tokenize } from "./token.ts";

const KEYWORDS: ReadonlySet<string> = new Set([
  ...["block", "break", "continue", "define", "else", "end", "if", "range", "nil", "template", "with"],
]);

/** Where a list of statements ended. */
type ListEnd = "end" | "else" | "source";

/**
 * Reads a template.
 * @param source what the user wrote
 * @param functions the names of the functions that there are
 * @throws TemplateError in Go's words: `template: :1: unexpected EOF`
 */
export function parseTemplateTree(source: string, functions: ReadonlySet<string>): TemplateTree {
  return new Parser(source, functions).parse();
}

class Parser {
  readonly #source: string;
  readonly #functions: ReadonlySet<string>;
  readonly #tokens: readonly Token[];
  readonly #definitions = new Map<string, readonly Statement[]>();
  #next = 0;
  /** The variables in scope, from the outermost. */
  #variables = ["$"];
  #loops = 0;

  constructor(source: string, functions: ReadonlySet<string>) {
    this.#source = source;
    this.#functions = functions;
    this.#tokens = tokenize(source);
  }

  parse(): TemplateTree {
    const { statements, end } = this.#list(true);
    if (end !== "source") throw this.#error(`unexpected {{${end}}}`);
    return { source: this.#source, body: statements, definitions: this.#definitions };
  }

  #error(message: string, hint?: string): TemplateError {
    const at = this.#tokens[Math.max(0, this.#next - 1)]?.position ?? 0;
    return new TemplateError(`template: :${lineOf(this.#source, at)}: ${message}`, hint);
  }

  #unexpected(token: Token, context: string): TemplateError {
    return this.#error(`unexpected ${written(token)} in ${context}`);
  }

  #peek(): Token {
    // The last token is `end`, and nothing reads beyond it.
    return this.#tokens[Math.min(this.#next, this.#tokens.length - 1)] as Token;
  }

  #take(): Token {
    const token = this.#peek();
    this.#next++;
    return token;
  }

  /** The word that an action begins with, if it is a keyword. */
  #peekKeyword(): string | undefined {
    const { kind, text } = this.#peek();
    return kind === "identifier" && KEYWORDS.has(text) ? text : undefined;
  }

  #isMark(text: string): boolean {
    const token = this.#peek();
    return token.kind === "mark" && token.text === text;
  }

  #expectClose(context: string): void {
    const token = this.#take();
    if (token.kind !== "close") throw this.#unexpected(token, context);
  }

  /** Statements to the end of the source, or of the control that they are in. */
  #list(isOutermost: boolean): { readonly statements: readonly Statement[]; readonly end: ListEnd } {
    const statements: Statement[] = [];
    for (;;) {
      const token = this.#take();
      if (token.kind === "end") {
        if (isOutermost) return { statements, end: "source" };
        throw this.#error("unexpected EOF");
      }
      if (token.kind === "text") {
        statements.push({ kind: "text", text: token.text });
        continue;
      }
      const keyword = this.#peekKeyword();
      if (keyword === "define" && isOutermost) {
        this.#take();
        this.#define("define clause");
        continue;
      }
      if (keyword === "end" || keyword === "else") {
        this.#take();
        // `{{else if}}` goes on in the same action.
        if (keyword === "end" || !["if", "with"].includes(this.#peekKeyword() ?? "")) this.#expectClose(keyword);
        return { statements, end: keyword };
      }
      statements.push(this.#action(keyword));
    }
  }

  #action(keyword: string | undefined): Statement {
    switch (keyword) {
      case "if":
      case "range":
      case "with":
        return this.#control(keyword);
      case "break":
      case "continue":
        this.#take();
        this.#expectClose(`{{${keyword}}}`);
        if (this.#loops === 0) throw this.#error(`{{${keyword}}} outside {{range}}`);
        return { kind: keyword };
      case "template":
        return this.#call();
      case "block":
        return this.#block();
      default: {
        const { position } = this.#peek();
        return { kind: "print", position, pipeline: this.#pipeline("command", "close") };
      }
    }
  }

  #control(kind: Control["kind"]): Control {
    const { position } = this.#take();
    const scope = this.#variables.length;
    const pipeline = this.#pipeline(kind, "close");
    const inner = this.#variables.length;
    if (kind === "range") this.#loops++;
    const body = this.#list(false);
    if (kind === "range") this.#loops--;
    let otherwise: readonly Statement[] = [];
    if (body.end === "else") {
      this.#variables.length = inner;
      const keyword = this.#peekKeyword();
      if (keyword === "if" || keyword === "with") {
        if (keyword !== kind) throw this.#unexpected(this.#take(), "else");
        otherwise = [this.#control(keyword)];
      } else {
        const rest = this.#list(false);
        if (rest.end !== "end") throw this.#error(`expected end; found {{${rest.end}}}`);
        otherwise = rest.statements;
      }
    }
    this.#variables.length = scope;
    return { kind, position, pipeline, body: body.statements, otherwise };
  }

  #call(): Statement {
    this.#take();
    const { position } = this.#peek();
    const name = this.#templateName("template clause");
    if (this.#peek().kind === "close") {
      this.#take();
      return { kind: "call", position, name, pipeline: undefined };
    }
    return { kind: "call", position, name, pipeline: this.#pipeline("template clause", "close") };
  }

  #block(): Statement {
    this.#take();
    const { position } = this.#peek();
    const name = this.#templateName("block clause");
    const pipeline = this.#pipeline("block clause", "close");
    this.#definition(name, "block clause");
    return { kind: "call", position, name, pipeline };
  }

  #define(context: string): void {
    const name = this.#templateName(context);
    this.#expectClose(context);
    this.#definition(name, context);
  }

  /** The body of a definition: neither variables nor loops around it are its own. */
  #definition(name: string, context: string): void {
    const [variables, loops] = [this.#variables, this.#loops];
    this.#variables = ["$"];
    this.#loops = 0;
    const { statements, end } = this.#list(false);
    if (end !== "end") throw this.#error(`unexpected {{${end}}} in ${context}`);
    this.#variables = variables;
    this.#loops = loops;
    if (this.#definitions.has(name))
      throw this.#error(`template: multiple definition of template ${JSON.stringify(name)}`);
    this.#definitions.set(name, statements);
  }

  #templateName(context: string): string {
    const token = this.#take();
    if (token.kind !== "string" && token.kind !== "raw") throw this.#unexpected(token, context);
    return this.#string(token);
  }

  #pipeline(context: string, end: "close" | ")"): Pipeline {
    const { position } = this.#peek();
    const { variables, assigns } = this.#targets(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.#peek();
      if (token.kind === end || (token.kind === "mark" && token.text === end)) {
        this.#take();
        break;
      }
      if (!beginsOperand(token)) {
        this.#take();
        throw this.#unexpected(token, context);
      }
      commands.push(this.#command());
    }
    if (commands.length === 0) throw this.#error(`missing value for ${context}`);
    const stage = commands.findIndex(
      ({ operands: [first] }, index) => index > 0 && ["constant", "dot", "nil"].includes(first.kind),
    );
    if (stage > 0) throw this.#error(`non executable command in pipeline stage ${stage + 1}`);
    // They exist behind the pipeline, not in it.
    if (!assigns) this.#variables.push(...variables);
    return { position, variables, assigns, commands };
  }

  /** What a pipeline is assigned to: `$x :=`, in a loop also `$key, $value :=`. */
  #targets(context: string): Pick<Pipeline, "variables" | "assigns"> {
    const start = this.#next;
    const variables: string[] = [];
    while (this.#peek().kind === "variable") {
      variables.push(this.#take().text);
      if (this.#isMark(":=") || this.#isMark("=")) return { variables, assigns: this.#take().text === "=" };
      if (!this.#isMark(",")) break;
      this.#take();
      if (context !== "range" || variables.length > 1) throw this.#error(`too many declarations in ${context}`);
      if (this.#peek().kind !== "variable") throw this.#error("range can only initialize variables");
    }
    this.#next = start;
    return { variables: [], assigns: false };
  }

  #command(): Command {
    const { position } = this.#peek();
    const operands: [Operand, ...Operand[]] = [this.#operand()];
    for (;;) {
      const token = this.#peek();
      if (token.kind === "mark" && token.text === "|") {
        this.#take();
        break;
      }
      if (token.kind === "close" || (token.kind === "mark" && token.text === ")")) break;
      if (!token.spaced || !beginsOperand(token)) {
        this.#take();
        throw this.#unexpected(token, "operand");
      }
      operands.push(this.#operand());
    }
    return { position, operands };
  }

  /** A term and the fields behind it without blanks between. */
  #operand(): Operand {
    const term = this.#term();
    const { position } = this.#peek();
    const fields: string[] = [];
    while (this.#peek().kind === "field" && !this.#peek().spaced) fields.push(this.#take().text.slice(1));
    if (fields.length === 0) return term;
    switch (term.kind) {
      case "field":
      case "variable":
        return { ...term, position, fields: [...term.fields, ...fields] };
      case "dot":
      case "nil":
      case "constant":
        throw this.#error(
          `unexpected . after term ${JSON.stringify(term.kind === "constant" ? term.text : term.kind === "dot" ? "." : "nil")}`,
        );
      default:
        return { kind: "chain", position, base: term, fields };
    }
  }

  #term(): Operand {
    const token = this.#take();
    const { position, text } = token;
    switch (token.kind) {
      case "field":
        return { kind: "field", position, fields: [text.slice(1)] };
      case "variable":
        if (!this.#variables.includes(text)) {
          throw this.#error(`undefined variable ${JSON.stringify(text)}`, this.#didYouMean(text, this.#variables));
        }
        return { kind: "variable", position, name: text, fields: [] };
      case "identifier":
        return this.#named(token);
      case "string":
      case "raw":
        return { kind: "constant", position, text, value: this.#string(token) };
      case "number": {
        const value = parseNumber(text);
        const problem = /^[+-]?[0-9]+$/.test(text) ? "integer overflow" : "bad number syntax";
        if (value === undefined) throw this.#error(`${problem}: ${JSON.stringify(text)}`);
        return { kind: "constant", position, text, value };
      }
      case "character": {
        const value = parseCharacter(text);
        if (value === undefined) throw this.#error(`malformed character constant: ${text}`);
        return { kind: "constant", position, text, value };
      }
      default:
        if (text === ".") return { kind: "dot", position };
        return { kind: "pipeline", position, pipeline: this.#pipeline("parenthesized pipeline", ")") };
    }
  }

  #named(token: Token): Operand {
    const { position, text } = token;
    if (text === "true" || text === "false") return { kind: "constant", position, text, value: text === "true" };
    if (text === "nil") return { kind: "nil", position };
    if (KEYWORDS.has(text)) throw this.#unexpected(token, "command");
    if (!this.#functions.has(text)) {
      throw this.#error(`function ${JSON.stringify(text)} not defined`, this.#didYouMean(text, this.#functions));
    }
    return { kind: "function", position, name: text };
  }

  #didYouMean(name: string, known: Iterable<string>): string | undefined {
    const nearest = nearestName(name, known);
    return nearest === undefined || nearest === "$" ? undefined : `Did you mean ${nearest}?`;
  }

  #string(token: Token): string {
    const value = parseString(token.text);
    if (value === undefined) throw this.#error("invalid syntax");
    return value;
  }
}

function beginsOperand({ kind, text }: Token): boolean {
  switch (kind) {
    case "field":
    case "variable":
    case "identifier":
    case "number":
    case "character":
    case "string":
    case "raw":
      return true;
    default:
      return kind === "mark" && (text === "." || text === "(");
  }
}

/** A token as Go's messages show it. */
function written({ kind, text }: Token): string {
  if (kind === "end") return "EOF";
  if ((kind === "identifier" && KEYWORDS.has(text)) || text === ".") return `<${text}>`;
  return text.length > 10 ? `${JSON.stringify(text.slice(0, 10))}...` : JSON.stringify(text);
}
