/**
 * Writes docs/api.md: what mote-nn exports, by the docstrings in runtime/.
 * Example: node dist/tools/gen-api.js
 */
import { join, posix } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { packageRoot } from "../host/node/paths.js";
import { writeFileAtomic } from "../host/node/write-file.js";
import { readManifest, RUNTIME_PACKAGE } from "./package.js";

export const API_PAGE = "docs/api.md";

const HEAD = `# ${RUNTIME_PACKAGE}

<!-- Made by tools/gen-api.ts from the docstrings in runtime/. Do not edit. -->

\`\`\`js
import { openModel } from "${RUNTIME_PACKAGE}"; // of "${RUNTIME_PACKAGE}/simd", for larger models, or of "${RUNTIME_PACKAGE}/module", for packed models alone
\`\`\`
`;

/** @returns the page's text */
export function apiPage(): string {
  const entries = Object.entries(readManifest().exports).map(([name, { default: path }]) => ({
    name: posix.join(RUNTIME_PACKAGE, name),
    path: join(packageRoot, path.replace("dist/", "").replace(/js$/, "ts")),
  }));
  const paths = entries.map(({ path }) => path);
  const config = ts.readConfigFile(join(packageRoot, "tsconfig.json"), ts.sys.readFile).config as object;
  const { options } = ts.parseJsonConfigFileContent({ ...config, files: paths, include: [] }, ts.sys, packageRoot);
  const program = ts.createProgram(paths, options);
  const checker = program.getTypeChecker();
  const exports = entries.flatMap((entry, nth) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(entry.path)!)!;
    return checker.getExportsOfModule(module).map((symbol) => {
      const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      return {
        title: nth === 0 ? symbol.name : `${symbol.name} of ${entry.name}`,
        declaration: target.declarations![0],
      };
    });
  });
  // What several entries export stands here once.
  const known = exports.filter(
    ({ declaration }, i) => exports.findIndex((other) => other.declaration === declaration) === i,
  );
  // What is called comes first, types in the order in which they are written.
  const rank = ({ declaration }: (typeof exports)[number]): number => (ts.isFunctionDeclaration(declaration) ? 0 : 1);
  const sections = known
    .toSorted((a, b) => rank(a) - rank(b))
    .map(({ title, declaration }) => `## ${title}\n\n${describe(declaration)}`);
  return [HEAD.trimEnd(), ...sections].join("\n\n") + "\n";
}

function describe(declaration: ts.Declaration): string {
  if (ts.isInterfaceDeclaration(declaration)) {
    const members = declaration.members.map((member) => `### ${code(headOf(member))}\n\n${documentation(member)}`);
    return [documentation(declaration), ...members].join("\n\n");
  }
  return [documentation(declaration), `\`\`\`ts\n${headOf(declaration)}\n\`\`\``]
    .filter((part) => part !== "")
    .join("\n\n");
}

/** The declaration without its body, comments and modifiers. */
function headOf(declaration: ts.Declaration): string {
  const source = declaration.getSourceFile();
  if (ts.isClassDeclaration(declaration)) {
    const constructor = declaration.members.find(ts.isConstructorDeclaration);
    const fields = constructor?.parameters.filter((parameter) => parameter.modifiers !== undefined) ?? [];
    const heritage = declaration.heritageClauses?.map((clause) => ` ${clause.getText(source)}`).join("") ?? "";
    const lines = fields.map((field) => `  ${field.getText(source)};`);
    return [`class ${declaration.name?.text}${heritage} {`, ...lines, "}"].join("\n");
  }
  const end = ts.isFunctionDeclaration(declaration) ? declaration.body!.getStart(source) : declaration.getEnd();
  const text = source.text.slice(declaration.getStart(source), end).trim();
  return text
    .replace(/^export /, "")
    .replace(/^async /, "")
    .replace(/^readonly /, "")
    .replace(/;$/, "");
}

/** The docstring: its text, then parameters, result and errors as a list. */
function documentation(declaration: ts.Declaration): string {
  const text = ts
    .getJSDocCommentsAndTags(declaration)
    .filter(ts.isJSDoc)
    .map((doc) => plain(doc.comment))
    .join("\n");
  const tags = ts.getJSDocTags(declaration).map((tag) => {
    const name = ts.isJSDocParameterTag(tag) ? `${code(tag.name.getText())}: ` : `${tag.tagName.text}: `;
    return `- ${name}${plain(tag.comment)}`;
  });
  return [text, tags.join("\n")].filter((part) => part !== "").join("\n\n");
}

const plain = (comment: ts.JSDoc["comment"]): string =>
  (ts.getTextOfJSDocComment(comment) ?? "").replace(/\s*\n\s*/g, " ").trim();

const code = (text: string): string => `\`${text.replace(/\s+/g, " ")}\``;

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileAtomic(join(packageRoot, API_PAGE), apiPage());
}
