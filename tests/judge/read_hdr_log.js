// SPDX-License-Identifier: BSD-2-Clause
// read_hdr_log.js LOG: what hdr-histogram-js makes of a log, as JSON.
const fs = require("fs");
const hdr = require("hdr-histogram-js");

const reader = new hdr.HistogramLogReader(fs.readFileSync(process.argv[2], "utf8"));
const histograms = [];
for (let h; (h = reader.nextIntervalHistogram()) != null; ) {
  const counts = [];
  for (let index = 0; index < h.countsArrayLength; ++index) {
    const count = h.getCountAtIndex(index);
    if (count > 0) counts.push([h.valueFromIndex(index), count]);
  }
  histograms.push({
    tag: h.tag,
    start_ms: h.startTimeStampMsec,
    total: h.totalCount,
    min: h.minNonZeroValue,
    max: h.maxValue,
    p50: h.getValueAtPercentile(50),
    p99: h.getValueAtPercentile(99),
    counts,
  });
}
console.log(JSON.stringify(histograms));
