#include "apps/bench/cluster_sim/plot.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace troupe::bench {

namespace {

// -- a plot --------------------------------------------------------------------

struct place {
  double x = 0;
  double y = 0;
};

struct curve {
  std::string name;
  std::vector<place> points;
  std::string color;
  bool dashed = false;
};

struct plot {
  std::string title;
  std::string unit;
  bool logarithmic = false;
  std::vector<curve> curves;
};

constexpr double width = 520;
constexpr double height = 280;
constexpr double left = 58;
constexpr double right = 146; // for the legend
constexpr double top = 42;
constexpr double bottom = 46;
constexpr double line_height = 16;

/// Told apart by people who see colors in another way, too (Okabe and Ito).
constexpr const char* colors[] = {"#0072b2", "#d55e00", "#009e73",
                                  "#cc79a7", "#e69f00", "#56b4e9"};

const char* color(size_t i) {
  return colors[i % std::size(colors)];
}

std::string number(double x) {
  char text[32];
  if (x >= 1e6)
    std::snprintf(text, sizeof(text), "%gM", x / 1e6);
  else if (x >= 1e4)
    std::snprintf(text, sizeof(text), "%gk", x / 1e3);
  else
    std::snprintf(text, sizeof(text), "%g", x);
  return text;
}

template <class... Ts>
std::string format(const char* layout, Ts... xs) {
  char text[512];
  std::snprintf(text, sizeof(text), layout, xs...);
  return text;
}

/// One of its own coordinates, whose origin is its upper left corner.
class drawing {
public:
  explicit drawing(plot what) : what_(std::move(what)) {
    for (auto& c : what_.curves)
      std::sort(c.points.begin(), c.points.end(),
                [](auto& x, auto& y) { return x.x < y.x; });
    for (auto& c : what_.curves)
      for (auto& p : c.points) {
        nodes_.insert(p.x);
        most_ = std::max(most_, p.y);
        if (p.y > 0)
          least_ = std::min(least_, p.y);
      }
    if (what_.logarithmic) {
      least_ = std::pow(10, std::floor(std::log10(least_)));
      most_ = std::pow(10, std::ceil(std::log10(most_)));
    }
  }

  std::string svg() {
    if (nodes_.empty())
      return {};
    draw_axes();
    for (auto& c : what_.curves)
      draw(c);
    draw_legend();
    return std::move(out_);
  }

private:
  double across(double nodes) const {
    auto first = std::log10(*nodes_.begin());
    auto range = std::log10(*nodes_.rbegin()) - first;
    auto part = range > 0 ? (std::log10(nodes) - first) / range : 0.5;
    return left + 16 + part * (width - left - right - 32);
  }

  double down(double value) const {
    auto part = what_.logarithmic
                  ? std::log10(value / least_) / std::log10(most_ / least_)
                  : value / (steps().back());
    return height - bottom - part * (height - top - bottom);
  }

  /// Where the vertical axis has its numbers.
  std::vector<double> steps() const {
    std::vector<double> result;
    if (what_.logarithmic) {
      for (auto x = least_; x <= most_ * 1.001; x *= 10)
        result.push_back(x);
      return result;
    }
    auto rough = std::max(most_, 1e-9) / 5;
    auto unit = std::pow(10, std::floor(std::log10(rough)));
    auto step = rough <= unit       ? unit
                : rough <= 2 * unit ? 2 * unit
                : rough <= 5 * unit ? 5 * unit
                                    : 10 * unit;
    for (double x = 0; x < most_ + step; x += step)
      result.push_back(x);
    return result;
  }

  void line(place from, place to, const char* color) {
    out_ += format("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
                   "stroke=\"%s\"/>\n",
                   from.x, from.y, to.x, to.y, color);
  }

  void text(place where, const char* anchor, const std::string& what) {
    out_ += format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n",
                   where.x, where.y, anchor, what.c_str());
  }

  void draw_axes() {
    out_ += format("<text x=\"%.1f\" y=\"16\" font-weight=\"bold\">%s</text>\n",
                   left, what_.title.c_str());
    text({left, 29}, "start", what_.unit);
    for (auto y : steps()) {
      line({left, down(y)}, {width - right, down(y)}, "#ddd");
      text({left - 6, down(y) + 4}, "end", number(y));
    }
    for (auto x : nodes_) {
      line({across(x), height - bottom}, {across(x), height - bottom + 5},
           "#444");
      text({across(x), height - bottom + 18}, "middle", number(x));
    }
    line({left, height - bottom}, {width - right, height - bottom}, "#444");
    text({(left + width - right) / 2, height - 12}, "middle", "nodes");
  }

  /// A ring for a dashed curve: where there is only one point, and around the
  /// dot of another curve.
  static std::string dot(place where, const curve& c) {
    auto color = c.color.c_str();
    return format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%s\" fill=\"%s\" "
                  "stroke=\"%s\" stroke-width=\"1.5\"/>\n",
                  where.x, where.y, c.dashed ? "4.5" : "2.5",
                  c.dashed ? "none" : color, color);
  }

  void draw(const curve& c) {
    std::string path;
    std::string dots;
    for (auto& p : c.points) {
      if (what_.logarithmic && p.y <= 0)
        continue;
      path += format("%.1f,%.1f ", across(p.x), down(p.y));
      dots += dot({across(p.x), down(p.y)}, c);
    }
    out_ += "<polyline fill=\"none\" stroke=\"" + c.color
            + "\" stroke-width=\"2\""
            + (c.dashed ? " stroke-dasharray=\"6 4\"" : "") + " points=\""
            + path + "\"/>\n" + dots;
  }

  void draw_legend() {
    auto x = width - right + 10;
    auto y = top + line_height;
    for (auto& c : what_.curves) {
      out_ += format("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
                     "stroke=\"%s\" stroke-width=\"2\"%s/>\n",
                     x, y - 4, x + 26, y - 4, c.color.c_str(),
                     c.dashed ? " stroke-dasharray=\"6 4\"" : "");
      out_ += dot({x + 13, y - 4}, c);
      text({x + 32, y}, "start", c.name);
      y += line_height;
    }
  }

  plot what_;
  std::set<double> nodes_;
  double most_ = 0;
  double least_ = HUGE_VAL;
  std::string out_;
};

// -- what is plotted -----------------------------------------------------------

/// A curve for each number of failures and each notice.
std::vector<curve>
curves_of_failures(const sim_report& x,
                   const std::function<double(const failure_figures&)>& value) {
  std::map<std::pair<uint32_t, death_notice>, curve> found;
  std::set<uint32_t> counts;
  for (auto& c : x.clusters)
    for (auto& f : c.failures) {
      counts.insert(f.dead);
      auto& to = found[{f.dead, c.notice}];
      to.name = std::to_string(f.dead) + (f.dead == 1 ? " dies" : " die")
                + ", by " + std::string{to_string(c.notice)};
      to.dashed = c.notice == death_notice::proof;
      to.points.push_back({double(c.nodes), value(f)});
    }
  std::vector<curve> result;
  for (auto& [key, c] : found) {
    c.color = color(static_cast<size_t>(
      std::distance(counts.begin(), counts.find(key.first))));
    result.push_back(std::move(c));
  }
  return result;
}

curve curve_of_clusters(
  const sim_report& x, std::string name, size_t i,
  const std::function<double(const cluster_figures&)>& value) {
  curve result{std::move(name), {}, color(i)};
  for (auto& c : x.clusters)
    if (c.notice == x.clusters.front().notice)
      result.points.push_back({double(c.nodes), value(c)});
  return result;
}

using of_failure = std::function<double(const failure_figures&)>;
using of_cluster = std::function<double(const cluster_figures&)>;

plot plot_failures(const sim_report& x, std::string title, std::string unit,
                   const of_failure& value) {
  return {std::move(title), std::move(unit), false,
          curves_of_failures(x, value)};
}

/// What the store is asked for.
plot plot_rest(const sim_report& x) {
  plot result{"What the store does at rest", "a second", true, {}};
  auto add = [&](const char* name, const of_cluster& value) {
    result.curves.push_back(
      curve_of_clusters(x, name, result.curves.size(), value));
  };
  add("rows, for one node", [](auto& c) { return c.rows; });
  add("operations, for all", [](auto& c) { return c.operations * c.nodes; });
  add("rows, for all", [](auto& c) { return c.rows * c.nodes; });
  add("kilobytes, for all", [](auto& c) { return c.bytes * c.nodes / 1e3; });
  return result;
}

plot plot_load(const sim_report& x) {
  plot result{"The most that one node owns", "against the mean", false, {}};
  result.curves.push_back(
    curve_of_clusters(x, "all live", 0, [](auto& c) { return c.imbalance; }));
  for (auto& c : curves_of_failures(x, [](auto& f) { return f.imbalance; }))
    if (!c.dashed) { // how they died makes no difference
      c.name.resize(c.name.find(','));
      c.color = color(result.curves.size());
      result.curves.push_back(std::move(c));
    }
  return result;
}

std::vector<plot> plots(const sim_report& x) {
  return {
    plot_failures(x, "Until every shard is served again", "seconds, the median",
                  [](auto& f) { return f.death.served.median; }),
    plot_failures(x, "Until nothing moves any more", "seconds, the median",
                  [](auto& f) { return f.death.rest.median; }),
    plot_rest(x),
    plot_failures(x, "The busiest half second after a failure",
                  "operations a second and node",
                  [](auto& f) { return f.death.operations_most; }),
    plot_failures(
      x, "Moved shards", "against those that had to be moved",
      [](auto& f) { return f.death.moved / std::max(f.death.ideal, 1.0); }),
    plot_load(x)};
}

} // namespace

std::string to_svg(const sim_report& x) {
  auto out = format("<svg xmlns=\"http://www.w3.org/2000/svg\" "
                    "viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" "
                    "font-size=\"11\">\n"
                    "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
                    2 * width, 3 * height);
  auto all = plots(x);
  for (size_t i = 0; i < all.size(); ++i)
    out += format("<g transform=\"translate(%.0f %.0f)\">\n",
                  i % 2 == 0 ? 0 : width, static_cast<double>(i / 2) * height)
           + drawing{all[i]}.svg() + "</g>\n";
  return out + "</svg>\n";
}

} // namespace troupe::bench
