/// Progress on the standard error; failures to write there are of no consequence.
#include "progress_bar.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

#include "size.h"
#include "terminal.h"

namespace vdisk::tool {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// At most ten lines or drawings a second.
constexpr auto interval = milliseconds(100);
/// What is over sooner needs no bar.
constexpr auto bar_delay = milliseconds(250);
/// Rates and times from less than this are guesses.
constexpr auto settling_time = seconds(1);
constexpr double least_fraction = 0.005;
constexpr std::size_t default_width = 80;
constexpr std::size_t widest_bar = 40;
constexpr std::size_t narrowest_bar = 5;
constexpr auto longest_estimate = std::chrono::hours(100);

double elapsed_seconds(ShownProgress::Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::size_t terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return default_width;
  return size.ws_col;
}

ProgressStyle effective_style(const OutputOptions& options) {
  if (options.quiet) return ProgressStyle::none;
  if (options.progress == ProgressStyle::automatic)
    return is_terminal(Stream::error) ? ProgressStyle::bar : ProgressStyle::none;
  return options.progress;
}

std::string clock_text(seconds left) {
  const auto total = left.count();
  const auto minutes = total / 60 % 60;
  if (total < 3600) return fmt::format("{}:{:02}", minutes, total % 60);
  return fmt::format("{}:{:02}:{:02}", total / 3600, minutes, total % 60);
}

void write_error(std::string_view text) {
  (void)std::fwrite(text.data(), 1, text.size(), stderr);
  (void)std::fflush(stderr);
}

double quotient(const JobStatus& status) {
  if (status.completion_value == 0) return 0;
  const double value =
      static_cast<double>(status.current_value) / static_cast<double>(status.completion_value);
  return std::clamp(value, 0.0, 1.0);
}

u32 percent_of(const JobStatus& status) {
  if (status.operation_status == Errc::success) return 100;
  return std::min(99U, static_cast<u32>(quotient(status) * 100.0));
}

}  // namespace

void ShownProgress::update(const JobStatus& status, Clock::time_point now) {
  if (status.completion_value != completion_ || status.current_value < current_) {
    completion_ = status.completion_value;
    scale_start_ = now;
  }
  current_ = status.current_value;
  fraction_ = std::max(fraction_, quotient(status));
}

std::optional<double> ShownProgress::rate(Clock::time_point now) const {
  const auto elapsed = now - scale_start_;
  if (elapsed < settling_time || current_ == 0) return std::nullopt;
  return static_cast<double>(current_) / elapsed_seconds(elapsed);
}

std::optional<seconds> ShownProgress::time_left(Clock::time_point now) const {
  const auto elapsed = now - start_;
  if (elapsed < settling_time || fraction_ < least_fraction) return std::nullopt;
  const double left = elapsed_seconds(elapsed) * (1 - fraction_) / fraction_;
  if (left > elapsed_seconds(longest_estimate)) return std::nullopt;
  return seconds(static_cast<i64>(left));
}

std::string bar_line(std::string_view operation, const ShownProgress& shown, Unit unit,
                     ShownProgress::Clock::time_point now, std::size_t width) {
  auto tail = fmt::format(" {:3}%", static_cast<u32>(shown.fraction() * 100.0));
  const auto rate = shown.rate(now);
  if (rate && unit == Unit::bytes)
    tail += fmt::format("  {}/s", short_size(static_cast<u64>(*rate)));
  if (const auto left = shown.time_left(now)) tail += fmt::format("  {} left", clock_text(*left));

  const std::size_t frame = operation.size() + tail.size() + std::string_view(" []").size();
  const std::size_t room = width > frame + 1 ? width - frame - 1 : 0;
  if (room < narrowest_bar) return fmt::format("{}{}", operation, tail).substr(0, width);
  const std::size_t bar = std::min(room, widest_bar);
  const auto filled = static_cast<std::size_t>(shown.fraction() * static_cast<double>(bar));
  std::string marks(filled, '=');
  if (filled < bar) marks += '>';
  marks.resize(bar, ' ');
  return fmt::format("{} [{}]{}", operation, marks, tail);
}

std::string progress_json(std::string_view operation, const JobStatus& status) {
  const nlohmann::ordered_json line = {
      {"operation", operation},
      {"operation_status", name(status.operation_status)},
      {"current_value", status.current_value},
      {"completion_value", status.completion_value},
      {"percent", percent_of(status)},
  };
  return to_line(line);
}

ProgressDisplay::ProgressDisplay(std::string_view operation, const OutputOptions& options,
                                 Unit unit)
    : operation_(operation),
      unit_(unit),
      style_(effective_style(options)),
      shown_(ShownProgress::Clock::now()),
      next_(ShownProgress::Clock::now()) {
  if (style_ == ProgressStyle::bar) next_ += bar_delay;
}

ProgressDisplay::~ProgressDisplay() {
  clear();
}

void ProgressDisplay::update(const JobStatus& status) {
  if (status.operation_status != Errc::pending) return;  // finish() tells the end, once
  const auto now = ShownProgress::Clock::now();
  shown_.update(status, now);
  if (finished_ || style_ == ProgressStyle::none || now < next_) return;
  next_ = now + interval;
  draw(status);
}

void ProgressDisplay::draw(const JobStatus& status) {
  if (style_ == ProgressStyle::json) {
    write_error(progress_json(operation_, status) + "\n");
    return;
  }
  const auto now = ShownProgress::Clock::now();
  const auto line = bar_line(operation_, shown_, unit_, now, terminal_width());
  write_error(fmt::format("\r{}\x1b[K", line));
  visible_ = true;
}

void ProgressDisplay::clear() {
  if (visible_) write_error("\r\x1b[K");
  visible_ = false;
}

void ProgressDisplay::finish(const JobStatus& status) {
  if (finished_) return;
  clear();
  finished_ = true;
  if (style_ == ProgressStyle::json) write_error(progress_json(operation_, status) + "\n");
}

}  // namespace vdisk::tool
