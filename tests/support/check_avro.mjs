// Read our container files with avsc and compare with what was written.
// usage: check_avro.mjs FOLDER PATH_OF_AVSC    prints TAP lines without numbers
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import zlib from 'node:zlib';

const [folder, avscPath] = process.argv.slice(2);
const avro = createRequire(import.meta.url)(avscPath);

// JavaScript's numbers end at 2^53: longs are read as BigInt.
const longType = avro.types.LongType.__with({
  fromBuffer: (b) => b.readBigInt64LE(),
  toBuffer: (n) => { const b = Buffer.alloc(8); b.writeBigInt64LE(n); return b; },
  fromJSON: BigInt, toJSON: Number,
  isValid: (n) => typeof n === 'bigint',
  compare: (a, b) => (a === b ? 0 : a < b ? -1 : 1),
});

// Snappy's block format: a length, then literals and copies (its format description, 2011).
function snappy(data, done) {
  let at = 0, size = 0, shift = 0, byte;
  do { byte = data[at++]; size += (byte & 127) * 2 ** shift; shift += 7; } while (byte > 127);
  const out = Buffer.alloc(size);
  let n = 0;
  const end = data.length - 4; // the CRC32 of Avro stands behind
  while (at < end) {
    const tag = data[at++];
    let len = tag >> 2, offset;
    if ((tag & 3) === 0) {
      if (len >= 60) { const w = len - 59; len = data.readUIntLE(at, w); at += w; }
      len++;
      data.copy(out, n, at, at + len);
      at += len; n += len;
      continue;
    }
    if ((tag & 3) === 1) { offset = ((tag >> 5) << 8) | data[at++]; len = (len & 7) + 4; }
    else { const w = (tag & 3) === 2 ? 2 : 4; offset = data.readUIntLE(at, w); at += w; len++; }
    for (; len > 0; len--, n++) out[n] = out[n - offset];
  }
  done(n === size ? null : new Error('snappy: wrong length'), out);
}

const codecs = { ...avro.streams.BlockDecoder.defaultCodecs(), snappy };
if (zlib.zstdDecompress)
  codecs.zstandard = (data, done) => zlib.zstdDecompress(data, done);

function kindOf(field) {
  const t = Array.isArray(field.type) ? field.type[1] : field.type;
  return typeof t === 'string' ? t : t.type;
}

function plain(v, kind) {
  if (v === null) return null;
  if (typeof v === 'bigint') return v.toString();
  const f = (x) => { const b = Buffer.alloc(4); b.writeFloatLE(x); return b.toString('hex'); };
  if (kind === 'float') return f(v);
  if (kind === 'double') { const b = Buffer.alloc(8); b.writeDoubleLE(v); return b.toString('hex'); }
  if (kind === 'array') return v.map(f);
  if (Buffer.isBuffer(v)) return v.toString('hex');
  return typeof v === 'number' ? String(v) : v;
}

function read(path) {
  return new Promise((resolve, reject) => {
    const rows = [];
    let schema;
    avro.createFileDecoder(path, {
      codecs,
      parseHook: (s) => {
        schema ??= s;
        return avro.Type.forSchema(s, {
          registry: { long: longType },
          typeHook: (t) => (t?.type === 'long' ? longType : undefined),
        });
      },
    })
      .on('data', (row) => rows.push(row))
      .on('error', reject)
      .on('end', () => resolve({ rows, schema }));
  });
}

async function check(name, codec) {
  const expected = readFileSync(`${folder}/${name}.ndjson`, 'utf8').trim().split('\n')
    .map((line) => JSON.parse(line));
  const { rows, schema } = await read(`${folder}/${name}.${codec}.avro`);
  if (rows.length !== expected.length) return `${rows.length} rows, not ${expected.length}`;
  for (let i = 0; i < rows.length; i++)
    for (const field of schema.fields) {
      const got = JSON.stringify(plain(rows[i][field.name], kindOf(field)));
      const e = expected[i][field.name];
      const want = JSON.stringify(e?.unscaled ?? e);
      if (got !== want) return `row ${i}, ${field.name}: ${got}, not ${want}`;
    }
  return null;
}

let failed = 0;
for (const name of ['extremes', 'calendar'])
  for (const codec of ['null', 'snappy', 'zstandard', 'deflate']) {
    const what = `avsc reads ${name} ${codec}`;
    if (codec === 'zstandard' && !codecs.zstandard) {
      console.log(`ok - ${what} # SKIP this Node has no zstd`);
      continue;
    }
    const wrong = await check(name, codec).catch((e) => String(e));
    if (wrong) failed++;
    console.log(`${wrong ? 'not ok' : 'ok'} - ${what}`);
    if (wrong) console.log(`# ${wrong}`);
  }
process.exit(failed ? 1 : 0);
