// What an npm reader of binary logs takes for the same log over the network: every row decoded, then dropped.
//   node binlog_zongji.mjs PORT FILE ROWS      beside node_modules/@vlasky/zongji (bench/binlog puts both there)
import ZongJi from '@vlasky/zongji';

const [port, filename, wanted] = process.argv.slice(2);
const reader = new ZongJi({ host: '127.0.0.1', port: Number(port), user: 'app', password: 'pw' });
const began = process.hrtime.bigint();
const cpu = process.cpuUsage();
let rows = 0;

function done() {
  const used = process.cpuUsage(cpu);
  console.log(JSON.stringify({
    rows,
    wall: Number(process.hrtime.bigint() - began) / 1e9,
    client: (used.user + used.system) / 1e6,
    mib: Math.floor(process.resourceUsage().maxRSS / 1024),
  }));
  process.exit(0);
}

reader.on('error', (e) => { console.error(e); process.exit(1); });
reader.on('binlog', (e) => {
  if (e.rows === undefined) return;
  rows += e.rows.length;
  if (rows >= Number(wanted)) done();
});
reader.start({
  serverId: 4242,
  filename,
  position: 4,
  includeEvents: ['rotate', 'tablemap', 'writerows', 'updaterows', 'deleterows'],
});
