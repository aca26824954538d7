// Runs the JavaScript SDK of a folder on many data planes, and prints what a program lives through on each.
//
// Every flow has a state of its own; the SDK's pauses between attempts are shortened, not left out. Nothing but loopback
// is connected to, and what was tried is told.
import { readFileSync } from "node:fs";
import net from "node:net";
import { pathToFileURL } from "node:url";

const ROW = "row-of-test";
const ID = "00000000-0000-4000-8000-000000000001";

const abroad = [];
const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...given) {
  const [options] = Array.isArray(given[0]) ? given[0] : given;
  const host = options?.host ?? "localhost";
  if (options?.path === undefined && !/^(127\.|::1$|localhost$)/i.test(host)) {
    abroad.push(host);
    throw new Error("not loopback");
  }
  return connect.apply(this, given);
};
const later = globalThis.setTimeout;
// Pauses of the SDK are 1 s and more; the timers of Node's own fetch tick faster, or wait longer.
globalThis.setTimeout = (work, pause, ...more) => later(work, pause >= 900 && pause <= 9000 ? 5 : pause, ...more);
const ask = globalThis.fetch;

const braintrust = await import(pathToFileURL(`${process.argv[2]}/node_modules/braintrust/dist/index.mjs`));

const quiet = {
  progress: { start() {}, increment() {}, stop() {} },
  reporter: { name: "none", reportEval: () => true, reportRun: () => true },
};
const flows = {
  "login()": async (given) => {
    await braintrust.loginToState(given);
  },
  "init_logger()": async (given, state) => {
    const one = braintrust.initLogger({ projectName: "p", ...given, state });
    one.log({ input: ROW, output: "x" });
    await one.flush();
  },
  "init_logger() by project id": async (given, state) => {
    const one = braintrust.initLogger({ projectId: ID, ...given, state });
    one.log({ input: ROW, output: "x" });
    await one.flush();
  },
  "init()": async (given, state) => {
    const one = braintrust.init("p", { experiment: "e", ...given, state, setCurrent: false });
    one.log({ input: ROW, output: "x", scores: {} });
    await one.flush();
  },
  "init_dataset()": async (given, state) => {
    const one = braintrust.initDataset({ project: "p", dataset: "d", ...given, state });
    one.insert({ input: ROW, expected: "x" });
    await one.flush();
  },
  "Eval()": async (given, state) => {
    await state.login(given);
    const work = { data: [{ input: ROW }], task: (row) => row, scores: [], state };
    await braintrust.Eval("p", work, quiet);
  },
  "init(open=True)": async (given, state) => {
    await braintrust.init("p", { experiment: "e", open: true, ...given, state }).id;
  },
  "Eval() on BaseExperiment()": async (given, state) => {
    await braintrust.init("p", { experiment: "e", ...given, state, setCurrent: false }).fetchBaseExperiment();
  },
};

async function lived(plane, flow) {
  const key = `${plane.key} ${flow}`.replaceAll(" ", "-");
  const given = { appUrl: plane.environment.BRAINTRUST_APP_URL, apiKey: key };
  const work = (async () => flows[flow](given, new braintrust.BraintrustState({})))();
  const ended = work.then(
    () => ({ raised: "", abroad }),
    (error) => ({ raised: `${error?.name}: ${error?.message}`.slice(0, 300), abroad }),
  );
  const limit = new Promise((resolve) => later(resolve, plane.limit * 1000, { raised: "", hangs: true, abroad }));
  return Promise.race([ended, limit]);
}

process.on("unhandledRejection", () => {});
console.log = console.warn = console.error = console.info = console.debug = () => {};
const outcomes = {};
for (const plane of JSON.parse(readFileSync(0, "utf8")).planes) {
  const before = { ...process.env };
  globalThis.fetch = (url, more) => ask(url, { ...more, signal: AbortSignal.timeout(plane.patience * 1000) });
  Object.assign(process.env, plane.environment);
  const told = Object.keys(flows).map(async (flow) => [flow, await lived(plane, flow)]);
  outcomes[plane.name] = Object.fromEntries(await Promise.all(told));
  for (const name of Object.keys(plane.environment)) delete process.env[name];
  Object.assign(process.env, before);
}
process.stdout.write(JSON.stringify(outcomes), () => process.exit(0));
