// Arrivals for k6 at a constant rate, whether or not answers come: browser.http filled in, as browser.lua does.
//     RATE=1000 SECONDS=10 PORT=8080 CONNECTIONS=256 k6 run --no-usage-report --quiet arrivals.js
// Prints one line of JSON: answers, not_200, dropped (arrivals for which no client was free), p50 p99 p999 max (ms).
import http from 'k6/http';
import exec from 'k6/execution';
import { Counter } from 'k6/metrics';

const { RATE, SECONDS, PORT, CONNECTIONS } = __ENV;
const WAYS = 5000;
const [request, ...lines] = open('./browser.http').trim().split('\n');
const target = request.split(' ')[1];
const headers = lines.map((line) => line.split(/: (.*)/, 2)).filter(([name]) => name !== 'Host' && name !== 'Connection');
const not200 = new Counter('not_200');

export const options = {
  scenarios: {
    arrivals: {
      executor: 'constant-arrival-rate',
      rate: Number(RATE),
      timeUnit: '1s',
      duration: `${SECONDS}s`,
      preAllocatedVUs: Number(CONNECTIONS),
    },
  },
  summaryTrendStats: ['med', 'p(99)', 'p(99.9)', 'max'],
  discardResponseBodies: true,
};

function fill(text, values) {
  return text.replace(/{(\w+)}/g, (_, name) => values[name]);
}

export default function () {
  const count = exec.scenario.iterationInTest;
  const n = count % WAYS + 1;
  const values = {
    site: n % 100, page: n * 31 % 5000, major: 100 + n % 40, build: n * 7 % 6000, event: `k6-${Date.now()}-${count}`,
  };
  const filled = Object.fromEntries(headers.map(([name, text]) => [name, fill(text, values)]));
  const answer = http.get(`http://127.0.0.1:${PORT}${fill(target, values)}`, { headers: filled });
  if (answer.status !== 200) not200.add(1);
}

export function handleSummary({ metrics }) {
  const count = (name) => (metrics[name] ? metrics[name].values.count : 0);
  const times = metrics.http_req_duration.values;
  return {
    stdout: `${JSON.stringify({
      answers: count('http_reqs'), not_200: count('not_200'), dropped: count('dropped_iterations'),
      p50: times.med, p99: times['p(99)'], p999: times['p(99.9)'], max: times.max,
    })}\n`,
  };
}
