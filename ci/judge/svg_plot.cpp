// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "ci/judge/html.h"

namespace bpfmark {
namespace {

constexpr double kWidth = 880;
constexpr double kCharacter = 6.4;  // of the labels' font, roughly

// Maps values to places on the page.
struct Scale {
  double lo, hi, from, to;
  bool log = false;

  double at(double value) const {
    const double part =
        log ? (std::log10(value) - std::log10(lo)) / (std::log10(hi) - std::log10(lo))
            : (value - lo) / (hi - lo);
    return from + std::clamp(part, -0.01, 1.01) * (to - from);
  }
};

// Multiples of 1, 2 or 5 times a power of ten, about `count` of them; on a log scale powers of ten,
// with 2 and 5 where there are few.
std::vector<double> ticks_of(const Scale& scale, int count) {
  std::vector<double> ticks;
  if (scale.log) {
    const double decades = std::log10(scale.hi / scale.lo);
    const std::vector<double> factors =
        decades > 3 ? std::vector<double>{1} : std::vector<double>{1, 2, 5};
    for (double power = std::pow(10, std::floor(std::log10(scale.lo))); power <= scale.hi;
         power *= 10) {
      for (const double factor : factors) {
        const double tick = power * factor;
        if (tick >= scale.lo && tick <= scale.hi) ticks.push_back(tick);
      }
    }
    return ticks;
  }
  const double raw = (scale.hi - scale.lo) / count;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double step = power * (raw / power > 5   ? 10
                               : raw / power > 2 ? 5
                               : raw / power > 1 ? 2
                                                 : 1);
  const auto first = static_cast<long>(std::ceil(scale.lo / step));
  for (long i = first; static_cast<double>(i) * step <= scale.hi && i < first + 50; ++i) {
    ticks.push_back(static_cast<double>(i) * step);
  }
  return ticks;
}

// A range that is never empty, with some air around it.
Scale padded(double lo, double hi, double from, double to) {
  double air = (hi - lo) * 0.06;
  if (!(air > 0)) air = std::max(std::abs(hi) * 0.05, 1e-6);
  return {.lo = lo - air, .hi = hi + air, .from = from, .to = to};
}

std::string open_svg(double height, const std::string& title) {
  return fmt::format(
      "<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\" class=\"plot\">"
      "<title>{}</title>\n",
      kWidth, height, escape_html(title), escape_html(title));
}

std::string line(double x1, double y1, double x2, double y2, const char* css) {
  return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>",
                     css, x1, y1, x2, y2);
}

std::string text_at(double x, double y, const std::string& css, const std::string& text) {
  return fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", css, x, y,
                     escape_html(text));
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Without its middle: names begin alike, and differ at the end. Never cuts a character of UTF-8.
std::string shortened(const std::string& text, std::size_t length) {
  if (text.size() <= length) return text;
  std::size_t head = length / 3, tail = text.size() - (length - head - 1);
  while (head > 0 && is_continuation(text[head])) --head;
  while (tail < text.size() && is_continuation(text[tail])) ++tail;
  return text.substr(0, head) + "…" + text.substr(tail);
}

}  // namespace

std::string shown_ns(double ns) {
  const double size = std::abs(ns);
  const auto [unit, per] = size >= 1e9   ? std::pair("s", 1e9)
                           : size >= 1e6 ? std::pair("ms", 1e6)
                           : size >= 1e3 ? std::pair("us", 1e3)
                                         : std::pair("ns", 1.0);
  return fmt::format("{:.3g} {}", ns / per, unit);
}

std::string dot_plot_svg(const DotPlot& plot) {
  if (plot.rows.empty()) return {};
  constexpr double kRow = 22, kTop = 8, kNotes = 225;
  double lo = plot.from_zero ? 0 : plot.reference.value_or(plot.rows[0].value), hi = lo;
  std::size_t longest = 0;
  const auto include = [&](double value) {
    lo = std::min(lo, value);
    hi = std::max(hi, value);
  };
  for (const DotRow& row : plot.rows) {
    include(row.value);
    if (row.interval) {
      include(row.interval->lo);
      include(row.interval->hi);
    }
    longest = std::max(longest, row.label.size());
  }
  if (plot.reference) {
    include(*plot.reference - plot.band);
    include(*plot.reference + plot.band);
  }
  const double labels = std::min(340.0, 16 + kCharacter * static_cast<double>(longest));
  Scale x = padded(lo, hi, labels, kWidth - kNotes);
  if (plot.from_zero && lo >= 0) x.lo = 0;
  const double bottom = kTop + kRow * static_cast<double>(plot.rows.size());
  std::string svg = open_svg(bottom + 36, plot.title);
  if (plot.reference && plot.band > 0) {
    const double left = x.at(*plot.reference - plot.band);
    svg += fmt::format(
        "<rect class=\"band\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>", left,
        kTop, x.at(*plot.reference + plot.band) - left, bottom - kTop);
  }
  for (const double tick : ticks_of(x, 6)) {
    svg += line(x.at(tick), kTop, x.at(tick), bottom, "grid");
    const std::string label =
        plot.as_percent ? fmt::format("{:+.3g} %", tick * 100) : fmt::format("{:.4g}", tick);
    svg += text_at(x.at(tick), bottom + 15, "tick middle", label);
  }
  svg += text_at((labels + kWidth - kNotes) / 2, bottom + 31, "axis middle", plot.unit);
  if (plot.reference)
    svg += line(x.at(*plot.reference), kTop, x.at(*plot.reference), bottom, "zero");
  for (std::size_t i = 0; i < plot.rows.size(); ++i) {
    const DotRow& row = plot.rows[i];
    const double y = kTop + kRow * (static_cast<double>(i) + 0.5);
    const std::string tone = row.tone.empty() ? "plain" : row.tone;
    svg += fmt::format("<g class=\"{}\"><title>{}: {}</title>", tone, escape_html(row.label),
                       escape_html(row.note));
    svg += text_at(labels - 10, y + 4, "label end", shortened(row.label, 50));
    if (row.interval) {
      const double left = x.at(row.interval->lo), right = x.at(row.interval->hi);
      svg += line(left, y, right, y, "whisker") + line(left, y - 4, left, y + 4, "whisker") +
             line(right, y - 4, right, y + 4, "whisker");
    }
    svg += fmt::format("<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"/>",
                       x.at(row.value), y);
    svg += text_at(kWidth - kNotes + 14, y + 4, "note", shortened(row.note, 40)) + "</g>\n";
  }
  return svg + "</svg>\n";
}

std::string quantile_svg(const std::string& title, const std::vector<QuantileLine>& lines) {
  constexpr double kLeft = 70, kTop = 12, kBottom = 252, kRight = 620;
  double lo = 1e300, hi = 0, nines = 1;
  for (const QuantileLine& one : lines) {
    for (const auto& [q, ns] : one.points) {
      lo = std::min(lo, ns);
      hi = std::max(hi, ns);
      nines = std::max(nines, -std::log10(1 - q));
    }
  }
  if (hi <= 0) return {};
  Scale y = padded(lo, hi, kBottom, kTop);
  if (lo > 0 && hi / lo > 20) {
    y = {.lo = lo / 1.2, .hi = hi * 1.2, .from = kBottom, .to = kTop, .log = true};
  }
  const Scale x{.lo = 0, .hi = nines, .from = kLeft, .to = kRight};
  const double height = std::max(kBottom + 40, kTop + 18 * static_cast<double>(lines.size()) + 20);
  std::string svg = open_svg(height, title);
  for (const double tick : ticks_of(y, 5)) {
    svg += line(kLeft, y.at(tick), kRight, y.at(tick), "grid");
    svg += text_at(kLeft - 8, y.at(tick) + 4, "tick end", shown_ns(tick));
  }
  for (const double q : {0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999}) {
    const double place = -std::log10(1 - q);
    if (place > nines + 1e-9) break;
    svg += line(x.at(place), kTop, x.at(place), kBottom, "grid");
    svg += text_at(x.at(place), kBottom + 16, "tick middle", fmt::format("{:g} %", q * 100));
  }
  svg += text_at((kLeft + kRight) / 2, kBottom + 34, "axis middle", "quantile");
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string tone = fmt::format("line-{}", i % 6);
    svg += fmt::format("<g class=\"{}\"><title>{}</title><polyline class=\"curve\" points=\"", tone,
                       escape_html(lines[i].label));
    for (const auto& [q, ns] : lines[i].points) {
      svg += fmt::format("{:.1f},{:.1f} ", x.at(-std::log10(1 - q)), y.at(ns));
    }
    const double row = kTop + 12 + 18 * static_cast<double>(i);
    svg += "\"/>" + line(kRight + 16, row - 4, kRight + 36, row - 4, "curve") +
           text_at(kRight + 42, row, "label", shortened(lines[i].label, 32)) + "</g>\n";
  }
  return svg + "</svg>\n";
}

std::string time_svg(const TimePlot& plot) {
  constexpr double kLeft = 60, kTop = 18, kBottom = 170, kRight = kWidth - 12;
  constexpr std::size_t kMostPoints = 1500;
  if (plot.values.empty()) return {};
  const auto [least, most] = std::ranges::minmax(plot.values);
  const Scale y = padded(least, most, kBottom, kTop);
  const Scale x{
      .lo = -0.5, .hi = static_cast<double>(plot.values.size()) - 0.5, .from = kLeft, .to = kRight};
  const auto x_of = [&](std::size_t place) { return x.at(static_cast<double>(place)); };
  std::string svg = open_svg(kBottom + 34, plot.title);
  for (const double tick : ticks_of(y, 4)) {
    svg += line(kLeft, y.at(tick), kRight, y.at(tick), "grid");
    svg += text_at(kLeft - 8, y.at(tick) + 4, "tick end", fmt::format("{:.4g}", tick));
  }
  svg += text_at(kLeft, 11, "axis", plot.unit);
  for (const TimePlot::Mark& mark : plot.breaks) {
    const double at = x.at(static_cast<double>(mark.place) - 0.5);
    svg += fmt::format("<g><title>{}</title>", escape_html(mark.text)) +
           line(at, kTop, at, kBottom, "break") + "</g>";
  }
  const std::size_t stretch = std::max<std::size_t>(1, plot.values.size() * 2 / kMostPoints);
  if (stretch == 1) {
    for (std::size_t i = 0; i < plot.values.size(); ++i) {
      svg += fmt::format("<circle class=\"run\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2\"/>", x_of(i),
                         y.at(plot.values[i]));
    }
  } else {
    svg += "<path class=\"stretch\" d=\"";
    for (std::size_t i = 0; i < plot.values.size(); i += stretch) {
      const Values part = Values(plot.values).subspan(i, std::min(stretch, plot.values.size() - i));
      const auto [low, high] = std::ranges::minmax(part);
      svg += fmt::format("M{:.1f} {:.1f}V{:.1f}", x_of(i), y.at(low) + 0.5, y.at(high) - 0.5);
    }
    svg += "\"/>";
  }
  for (const TimePlot::LevelLine& level : plot.levels) {
    svg += line(x.at(static_cast<double>(level.first) - 0.4), y.at(level.value),
                x.at(static_cast<double>(level.end) - 0.6), y.at(level.value), "level");
  }
  for (const TimePlot::Mark& mark : plot.changes) {
    const double at = x.at(static_cast<double>(mark.place) - 0.5);
    svg += fmt::format("<g class=\"{}\"><title>{}</title>", mark.tone, escape_html(mark.text)) +
           line(at, kTop, at, kBottom, "change") +
           fmt::format("<path class=\"dot\" d=\"M{:.1f} {:.1f}l5 -8h-10z\"/></g>", at, kTop);
  }
  svg += text_at(kLeft, kBottom + 18, "tick", plot.first_label) +
         text_at(kRight, kBottom + 18, "tick end", plot.last_label);
  return svg + "</svg>\n";
}

}  // namespace bpfmark
