// SPDX-License-Identifier: BSD-2-Clause
// browser.mjs PAGE DIRECTORY [plots]: opens a report as its readers do. Exit 1 with one line for every
// expectation that does not hold. "plots": the page was built with uPlot.
import { createRequire } from "node:module";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { inflateSync } from "node:zlib";

const require = createRequire(new URL("../package.json", import.meta.url));
const { chromium } = require("playwright-core");
const [, , path, directory, plots] = process.argv;
const address = pathToFileURL(path).href;
const complaints = [];
const expect = (holds, what) => holds || complaints.push(what);

const profile = mkdtempSync(`${directory}/profile-`);
const context = (options) => chromium.launchPersistentContext(mkdtempSync(`${profile}/p-`), {
  executablePath: "/usr/bin/chromium",
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"],
  viewport: { width: 1200, height: 900 },
  ...options,
});

// Opens the page in a browser of its own; whatever it asks for or complains about is a complaint of ours.
async function open(options, look) {
  const browser = await context(options);
  try {
    const page = await browser.newPage();
    page.on("request", (request) => expect(request.url().split("#")[0] === address, `request: ${request.url()}`));
    page.on("console", (message) => complaints.push(`console: ${message.text()}`));
    page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
    page.on("dialog", (dialog) => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
    await page.goto(address);
    await look(page);
  } finally {
    await browser.close();
  }
}

const names = (page) => page.$$eval("#results-table tbody tr", (rows) =>
  rows.filter((row) => !row.hidden).map((row) => row.cells[0].textContent));
const column = (page, index) => page.$$eval("#results-table tbody tr", (rows, i) =>
  rows.map((row) => row.cells[i].dataset.v).filter((v) => v !== undefined).map(Number), index);
const ascending = (values) => values.every((value, i) => i === 0 || values[i - 1] <= value);
const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

// Of an 8-bit PNG: how many different rows of pixels. A blank page has one.
function distinctRows(png) {
  const parts = [];
  for (let at = 8; at < png.length;) {
    const size = png.readUInt32BE(at);
    if (png.toString("latin1", at + 4, at + 8) === "IDAT") parts.push(png.subarray(at + 8, at + 8 + size));
    at += size + 12;
  }
  const height = png.readUInt32BE(20), pixels = inflateSync(Buffer.concat(parts)), stride = pixels.length / height;
  return new Set(Array.from({ length: height }, (_, y) => pixels.toString("latin1", y * stride, (y + 1) * stride))).size;
}

try {
  await open({ colorScheme: "light" }, async (page) => {
    expect((await page.title()).includes("<script>"), "the hostile label is shown as text");
    const before = await names(page);
    expect(before.length > 3, "there are rows");
    const net = page.locator("#results-table th").nth(1);
    await net.locator("button").click();
    expect(ascending(await column(page, 1)), "the first click sorts by number, ascending");
    expect(await net.getAttribute("aria-sort") === "ascending", "aria-sort says so");
    await net.locator("button").press("Enter");
    expect(ascending((await column(page, 1)).reverse()), "the keyboard turns the order round");
    expect(await net.getAttribute("aria-sort") === "descending", "aria-sort says so");
    expect((await names(page)).sort().join() === before.sort().join(), "sorting loses no row");

    const filter = page.locator("input[data-table=results-table]");
    await filter.fill("HASH miss");
    const left = await names(page);
    expect(left.length > 0 && left.length < before.length && left.every((n) => n.includes("hash") && n.includes("miss")),
           `the filter narrows: ${left}`);
    expect((await page.textContent("#results-table-count")) === `${left.length} of ${before.length} rows`, "and counts");
    await filter.fill("");
    expect((await names(page)).length === before.length, "an empty filter shows all");

    const light = await background(page);
    await page.click("#theme");
    const dark = await background(page);
    expect(light !== dark, "the theme changes");
    await page.click("#theme");
    expect(await background(page) === light, "and back");

    const buttons = page.locator("button[data-plot]");
    expect(await buttons.count() >= 2, "latency and history can be made interactive");
    for (let i = 0; i < await buttons.count(); ++i) {
      const figure = buttons.nth(i).locator("xpath=ancestor::figure");
      expect(await buttons.nth(i).isVisible() === Boolean(plots), "interactive plots are offered if uPlot is there");
      if (!plots) continue;
      await buttons.nth(i).click();
      expect(await figure.locator(".interactive canvas").count() === 1, "a click draws the plot");
      expect(!await figure.locator("svg").first().isVisible(), "in the place of the drawing");
      await buttons.nth(i).click();
      expect(await figure.locator("svg").first().isVisible(), "which the next click brings back");
    }
    await page.screenshot({ path: `${directory}/report.png`, fullPage: true });
    expect(statSync(`${directory}/report.png`).size > 20000, "the screenshot has a size");
    expect(distinctRows(await page.screenshot()) > 100, "the screenshot is not blank");

    await page.emulateMedia({ media: "print" });
    expect(!await page.isVisible("#theme") && !await page.isVisible("nav"), "no controls on paper");
    expect(await page.isVisible("#results-table") && await page.isVisible("svg.plot"), "tables and plots on paper");
  });
  await open({ colorScheme: "dark", javaScriptEnabled: false }, async (page) => {
    expect(await page.isVisible("#results-table"), "without scripts there is the table");
    expect(await page.locator("svg.plot").first().isVisible(), "and there are the plots");
    for (const id of ["latency", "trials", "foreign"]) {
      expect(await page.isVisible(`#${id}-table`), `the table of ${id} is there`);
    }
    expect(await page.isVisible("#skips-table") && await page.isVisible("#rerun"), "skips, and the command");
    expect(!await page.isVisible("#theme") && !await page.isVisible("input"), "and nothing that would do nothing");
    expect(distinctRows(await page.screenshot()) > 100, "the screenshot is not blank");
  });
  await open({ viewport: { width: 400, height: 800 } }, async (page) => {
    const [wide, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(wide <= shown, `a narrow window needs no sideways scrolling: ${wide} in ${shown}`);
  });
} finally {
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}
for (const complaint of complaints) console.error(complaint);
process.exit(complaints.length ? 1 : 0);
