// Lets esbuild read the .vue files of the player: template, script and style of each become one module.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

/** An esbuild plugin. The compiler is loaded only where there is such a file. */
export function vueFiles(root) {
  return {
    name: 'vue-files',
    setup(build) {
      build.onResolve({ filter: /^the-player$/ }, () => ({ path: `${root}/tools/replay/player/Replay.vue` }));
      build.onLoad({ filter: /\.vue$/ }, async ({ path }) => ({ contents: await compileFile(path, root), loader: 'ts' }));
    },
  };
}

async function compileFile(path, root) {
  const { compileScript, compileStyleAsync, compileTemplate, parse } = await import('vue/compiler-sfc');
  const name = relative(root, path);
  const { descriptor, errors } = parse(readFileSync(path, 'utf8'), { filename: path });
  if (errors.length > 0) throw new Error(`${name}: ${errors[0].message}`);
  const id = createHash('sha256').update(name).digest('hex').slice(0, 8);
  const isScoped = descriptor.styles.some((style) => style.scoped);
  const hasScript = descriptor.script || descriptor.scriptSetup;
  const script = hasScript ? compileScript(descriptor, { id, inlineTemplate: Boolean(descriptor.scriptSetup), genDefaultAs: 'component' }).content : 'const component = {};';
  let template = '';
  if (descriptor.template && !descriptor.scriptSetup) {
    const compiled = compileTemplate({ source: descriptor.template.content, filename: path, id, scoped: isScoped });
    if (compiled.errors.length > 0) throw new Error(`${name}: ${compiled.errors[0].message ?? compiled.errors[0]}`);
    template = `${compiled.code.replace('export function render', 'function render')}\ncomponent.render = render;`;
  }
  const styles = await Promise.all(descriptor.styles.map(async ({ content, scoped }) => (await compileStyleAsync({ source: content, filename: path, id: `data-v-${id}`, scoped })).code));
  const style = styles.length === 0 ? '' : `{ const style = document.createElement('style'); style.textContent = ${JSON.stringify(styles.join('\n'))}; document.head.append(style); }`;
  const scope = isScoped ? `component.__scopeId = 'data-v-${id}';` : '';
  return `${script}\n${template}\n${scope}\n${style}\nexport default component;\n`;
}
