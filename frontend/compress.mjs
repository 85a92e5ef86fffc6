// After the build: a .br and a .gz beside every text file, so that the server never compresses.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const folder = new URL("../src/flask_performance/server/dashboard/static", import.meta.url);
const LIMIT_KB = 150;
let scripts = 0;

for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.(js|css|svg)$/.test(entry.name)) continue;
  const path = join(entry.parentPath, entry.name);
  const content = readFileSync(path);
  const gzipped = gzipSync(content, { level: 9 });
  writeFileSync(`${path}.gz`, gzipped);
  writeFileSync(
    `${path}.br`,
    brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
  );
  if (entry.name.endsWith(".js")) scripts += gzipped.length;
}

console.log(`JavaScript, gzipped: ${(scripts / 1000).toFixed(1)} kB of at most ${LIMIT_KB} kB`);
if (scripts > LIMIT_KB * 1000) process.exit(1);
