// Builds dist from src and prints what the files weigh. `--check` writes nothing and fails when dist is not what src makes.
import { execFileSync } from 'node:child_process';
import { build } from 'esbuild';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { minify } from 'terser';

const FILES = [
  { from: 'main.js', to: 'b.js', budget: 3500 },
  { from: 'offers.js', to: 'offers.js', budget: 2000 },
  { from: 'guess.js', to: 'guess.js', budget: 1000 },
];
const here = fileURLToPath(new URL('.', import.meta.url));
// Short names in this order leave gzip the most to find; the order was found by trying, and any other is right as well.
const LETTERS = 'etiorpblcQhauvfnmysqGLHxIYX$kwOFBJVdRPNKDWZMSzTAjUgEC_';
const names = {
  get(/** @type {number} */ number) {
    const rest = Math.floor(number / LETTERS.length);
    return (rest ? names.get(rest - 1) : '') + LETTERS[number % LETTERS.length];
  },
  reset() {}, sort() {}, consider() {},
};
const checking = process.argv.includes('--check');

// esbuild joins the modules; terser names things so that gzip finds more repetition than it does in esbuild's own short names.
async function bundle(from) {
  const joined = await build({
    absWorkingDir: here,
    entryPoints: [`src/${from}`],
    bundle: true,
    write: false,
    minifySyntax: true,
    format: 'iife',
    target: 'es2021',
  });
  const { code: short } = await minify(joined.outputFiles[0].text, {
    ecma: 2021,
    toplevel: true,
    mangle: false,
    compress: { passes: 3, unsafe: true, unsafe_arrows: true, pure_getters: true, booleans_as_integers: true },
  });
  const { code } = await minify(short, { ecma: 2021, compress: false, mangle: { toplevel: true, nth_identifier: names } });
  // Whatever this browser lacks, the page must not hear of it.
  return `try{${code.replace(/;$/, '')}}catch(e){}`;
}

// Node's own zlib packs a little better than the gzip that servers have.
const weigh = (text) => execFileSync('gzip', ['-9', '-c'], { input: text }).length;

for (const { from, to, budget } of FILES) {
  const text = await bundle(from);
  const file = `${here}dist/${to}`;
  const weight = weigh(text);
  console.log(`${to.padEnd(10)} ${weight} bytes gzip -9, budget ${budget} (${Buffer.byteLength(text)} bytes)`);
  if (weight > budget) process.exitCode = 1;
  if (!checking) await writeFile(file, text);
  else if ((await readFile(file, 'utf8').catch(() => '')) !== text) {
    console.error(`dist/${to} is not what src/${from} builds: run \`make beacon\` and commit it`);
    process.exitCode = 1;
  }
}
