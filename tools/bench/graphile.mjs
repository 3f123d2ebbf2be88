// SPDX-License-Identifier: Apache-2.0
// The peer of `cargo xtask bench tasks`: graphile-worker with its documented batching, on an empty database.
// A task of three steps is three jobs here, because a job is what graphile-worker writes down: each adds the next.
//
//   node graphile.mjs URL COUNT WAITING       prints one JSON object a line
import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";

const require = createRequire(`${process.cwd()}/`);
const { Logger, makeWorkerUtils, run } = require("graphile-worker");
const [url, count, waiting] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

const preset = {
  worker: {
    connectionString: url,
    concurrentJobs: 24,
    maxPoolSize: 16,
    pollInterval: 1000,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
};

let ended = 0;
let bell = () => {};
const waits = [];
const step = (seq) => async (payload, helpers) => {
  if (seq === 0 && payload.asked) waits.push(Date.now() - payload.asked);
  if (seq < 2) {
    await helpers.addJob(`step${seq + 1}`, payload);
  } else if (++ended >= bell.wanted) {
    bell();
  }
};
const taskList = { step0: step(0), step1: step(1), step2: step(2) };
const quiet = { logger: new Logger(() => () => {}), noHandleSignals: true };

const until = (wanted) =>
  new Promise((resolve) => {
    bell = resolve;
    bell.wanted = wanted;
  });

const utils = await makeWorkerUtils({ connectionString: url, logger: quiet.logger });
await utils.migrate();
const sql = (text, values) => utils.withPgClient((client) => client.query(text, values));
await sql(
  "SELECT count(graphile_worker.add_job('step0', run_at := now() + interval '1 day')) FROM generate_series(1, $1)",
  [waiting],
);
await sql(
  "SELECT count(graphile_worker.add_job('step0', '{}'::json)) FROM generate_series(1, $1)",
  [count],
);

const all = until(count);
let begun = performance.now();
let runner = await run({ preset, taskList, ...quiet });
await all;
await runner.stop();
console.log(JSON.stringify({ measure: "throughput", tasks: count, seconds: (performance.now() - begun) / 1000 }));

ended = 0;
const some = Math.floor(count / 5);
const last = until(some);
runner = await run({ preset, taskList, ...quiet });
begun = performance.now();
for (let sent = 0; sent < some; ) {
  const due = Math.min(some, Math.floor(performance.now() - begun));
  while (sent < due) {
    sent += 1;
    utils.addJob("step0", { asked: Date.now() });
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
}
await last;
await runner.stop();
waits.sort((a, b) => a - b);
const at = (percent) => waits[Math.floor((waits.length * percent) / 100)] * 1000;
console.log(JSON.stringify({ measure: "latency", tasks: some, p50_us: at(50), p99_us: at(99) }));
await utils.release();
