// An editor of run config as YAML, which knows the schema: it completes keys and values, and shows problems where they are.
import {
  EditorState, EditorView, HighlightStyle, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, defaultKeymap, drawSelection,
  highlightActiveLine, history, historyKeymap, indentOnInput, indentUnit, keymap, lineNumbers, lintKeymap, setDiagnostics, syntaxHighlighting,
  tags as t, yaml,
} from "./vendor/codemirror.js";
import { isMap, isScalar, isSeq, parseDocument, stringify } from "./vendor/yaml.js";
import { resolve, typeName } from "./schema-form.js";

const LOOK = EditorView.theme({
  "&": { color: "var(--ink)", background: "var(--raised)", fontSize: "var(--text-s)", height: "100%" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6", overflow: "auto" },
  ".cm-content": { caretColor: "var(--ink)", padding: "10px 0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { background: "var(--raised)", color: "var(--ink-3)", border: "none", paddingLeft: "6px" },
  ".cm-activeLine, .cm-activeLineGutter": { background: "var(--hover)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "var(--accent-soft)" },
  ".cm-tooltip": { background: "var(--raised)", color: "var(--ink)", border: "1px solid var(--line-strong)", borderRadius: "var(--radius-s)", boxShadow: "var(--shadow-pop)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "var(--text-s)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 8px" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { background: "var(--accent-soft)", color: "var(--ink)" },
  ".cm-completionDetail": { color: "var(--ink-3)", fontStyle: "normal" },
  ".cm-completionInfo": { fontFamily: "var(--font)", maxWidth: "280px", padding: "6px 10px" },
  ".cm-diagnostic": { fontFamily: "var(--font)", padding: "6px 10px" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--failure-fill)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--failure-fill)", textUnderlineOffset: "3px" },
});
const COLOURS = syntaxHighlighting(HighlightStyle.define([
  { tag: [t.propertyName, t.definition(t.propertyName)], color: "var(--accent)" },
  { tag: [t.string, t.content], color: "var(--ink)" },
  { tag: [t.number, t.bool, t.null, t.keyword, t.atom], color: "var(--running)" },
  { tag: [t.comment, t.lineComment], color: "var(--ink-3)" },
  { tag: [t.punctuation, t.separator, t.meta], color: "var(--ink-3)" },
]));

export class ConfigEditor {
  // The styles of the editor go to a shadow root: the policy of the pages allows no style elements.
  constructor(parent, { schema, text, changed }) {
    this.schema = schema;
    const root = parent.attachShadow({ mode: "open" });
    const listen = EditorView.updateListener.of((update) => update.docChanged && changed(this));
    this.view = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: text,
        extensions: [
          lineNumbers(), highlightActiveLine(), drawSelection(), history(), indentOnInput(), indentUnit.of("  "), closeBrackets(), yaml(), COLOURS, LOOK, listen,
          autocompletion({ override: [(context) => this.complete(context)], icons: false }),
          EditorView.contentAttributes.of({ "aria-label": "Config as YAML", spellcheck: "false" }),
          keymap.of([...closeBracketsKeymap, ...completionKeymap, ...lintKeymap, ...historyKeymap, ...defaultKeymap]),
        ],
      }),
    });
  }

  get text() { return this.view.state.doc.toString(); }

  set text(text) {
    if (text !== this.text) this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } });
  }

  // The document; one with errors says where they are in `problems`.
  read() {
    const document = parseDocument(this.text, { uniqueKeys: true });
    const problems = document.errors.map((error) => ({ path: "config", message: error.message.split("\n")[0].replace(/ at line \d+, column \d+:?$/, ""), from: error.pos[0], to: error.pos[1] }));
    if (!problems.length && document.contents && !isMap(document.contents)) problems.push({ path: "config", message: "Config is a mapping: write `ops:` and what it holds below", from: 0, to: this.text.length });
    let value = {};
    if (!problems.length) try { value = document.toJS() ?? {}; } catch (error) { problems.push({ path: "config", message: error.message, from: 0, to: this.text.length }); }
    return { document, value, problems };
  }

  // Changes one value and leaves the rest of the text, with its comments, as it is.
  put(keys, value) {
    const { document, value: whole, problems } = this.read();
    if (problems.length) return;
    try {
      if (value === undefined) document.deleteIn(keys);
      else document.setIn(keys, document.createNode(value));
      this.text = document.contents ? document.toString({ lineWidth: 0 }) : "";
    } catch { // something above it is no mapping
      let at = whole;
      for (const key of keys.slice(0, -1)) at = at[key] = typeof at[key] === "object" && at[key] ? at[key] : {};
      at[keys.at(-1)] = value;
      this.text = asYaml(whole);
    }
  }

  // Underlines problems at their place in the text.
  mark(problems) {
    const { document } = this.read(), end = this.view.state.doc.length;
    const marks = problems.map((problem) => {
      const [from, to] = problem.from === undefined ? this.place(document, problem.path) : [problem.from, problem.to];
      return { from: Math.min(from, end), to: Math.min(Math.max(to, from + 1), end), severity: "error", message: problem.message };
    });
    this.view.dispatch(setDiagnostics(this.view.state, marks.sort((a, b) => a.from - b.from)));
    return marks;
  }

  place(document, path) {
    let node = document.contents, range = [0, 0];
    for (const key of keysOf(path)) {
      if (isMap(node)) {
        const pair = node.items.find((each) => String(isScalar(each.key) ? each.key.value : each.key) === key);
        if (!pair) break;
        range = pair.key.range?.slice(0, 2) ?? range;
        node = pair.value;
        if (isScalar(node) && node.range) range = [range[0], node.range[1]];
      } else if (isSeq(node) && node.items[Number(key)]) {
        node = node.items[Number(key)];
        range = node.range?.slice(0, 2) ?? range;
      } else break;
    }
    return range;
  }

  goto(from) {
    this.view.dispatch({ selection: { anchor: Math.min(from, this.view.state.doc.length) }, scrollIntoView: true });
    this.view.focus();
  }

  complete(context) {
    const line = context.state.doc.lineAt(context.pos), before = line.text.slice(0, context.pos - line.from);
    const keys = keysAbove(context.state.doc, line.number, before);
    const ofValue = /^(\s*(?:- )?)([\w./-]+):\s+(\S*)$/.exec(before);
    if (ofValue) {
      const found = this.at([...keys, ofValue[2]]);
      const options = (found?.schema.enum || (found?.schema.type === "boolean" ? [true, false] : [])).map((each) => ({ label: String(each) }));
      return options.length ? { from: context.pos - ofValue[3].length, options } : null;
    }
    const ofKey = /^(\s*(?:- )?)([\w./-]*)$/.exec(before);
    if (!ofKey || !(ofKey[2] || context.explicit)) return null; // Enter on an empty line is a new line
    const found = this.at(keys);
    if (!found?.schema.properties) return null;
    const taken = Object.keys(keys.reduce((inside, key) => inside?.[key], this.read().value) || {});
    const options = Object.entries(found.schema.properties).filter(([name]) => !taken.includes(name) || name === ofKey[2]).map(([name, property]) => {
      const { schema } = resolve(property, found.roots), holds = schema.type === "object" && !schema.nullable;
      const required = (found.schema.required || []).includes(name);
      return {
        label: name, detail: holds ? "" : ` ${typeName(schema)}${required ? ", required" : ""}`, info: schema.description || undefined, boost: required ? 2 : 0,
        apply: holds ? `${name}:\n${" ".repeat(ofKey[1].length + 2)}` : `${name}: `,
      };
    });
    return options.length ? { from: context.pos - ofKey[2].length, options } : null;
  }

  // The schema of what stands below some keys.
  at(keys) {
    let found = resolve(this.schema, [this.schema]);
    for (const key of keys) {
      const next = found.schema.properties?.[key] ?? (typeof found.schema.additionalProperties === "object" ? found.schema.additionalProperties : found.schema.items);
      if (!next) return null;
      found = resolve(next, found.roots);
    }
    return found;
  }
}

export const asYaml = (value) => Object.keys(value || {}).length ? stringify(value, { lineWidth: 0 }) : "";

// `config.ops.load.config.tables[0]` as the keys below config.
const keysOf = (path) => path.replaceAll(/\[(\d+)\]/g, ".$1").split(".").slice(1);

// The keys that a line stands below, by the indentation of the lines before it.
function keysAbove(doc, number, before) {
  const keys = [];
  let indent = /^\s*/.exec(before)[0].length + (/^\s*- /.test(before) ? 1 : 0);
  for (let n = number - 1; n > 0 && indent > 0; n--) {
    const found = /^(\s*)([\w./-]+):\s*(#.*)?$/.exec(doc.line(n).text);
    if (found && found[1].length < indent) {
      keys.unshift(found[2]);
      indent = found[1].length;
    }
  }
  return keys;
}
