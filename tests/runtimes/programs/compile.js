// SPDX-License-Identifier: MIT
// TypeScript's compiler, warmed: compiles a program that depends on the argument, and says what is wrong with another.
const ts = require("typescript");
const warm = require("warm");

function compile(source) {
  const compilerOptions = { target: ts.ScriptTarget.ES5, module: ts.ModuleKind.CommonJS };
  const { outputText, diagnostics } = ts.transpileModule(source, { compilerOptions, reportDiagnostics: true });
  return outputText + diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")).join("\n");
}

compile("export class First<T> { constructor(private readonly n: T) {} }");
warm.ready({ argv: true }).then(() => {
  console.log(compile(`export class C<T extends string> { static n = ${process.argv[2]}; *each(list: T[]) { yield* list; } }`));
  console.log(compile(`let ${process.argv[2]}: = 1;`));
});
