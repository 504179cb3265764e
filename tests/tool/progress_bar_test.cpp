/// Specifies tools/vdisk-tool/progress_bar.h on made-up times.
#include "progress_bar.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace vdisk;
using namespace vdisk::tool;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {
const auto start = ShownProgress::Clock::time_point(seconds(1000));
}

TEST_CASE("the bar keeps its maximum when the operation falls back") {
  ShownProgress shown(start);
  shown.update({Errc::pending, 60, 100}, start + seconds(1));
  CHECK(shown.fraction() == doctest::Approx(0.6));
  shown.update({Errc::pending, 1, 1000}, start + seconds(2));
  CHECK(shown.fraction() == doctest::Approx(0.6));
  shown.update({Errc::pending, 700, 1000}, start + seconds(3));
  CHECK(shown.fraction() == doctest::Approx(0.7));
}

TEST_CASE("a completion value of 0, or one below the current value, breaks nothing") {
  ShownProgress shown(start);
  shown.update({Errc::pending, 5, 0}, start);
  CHECK(shown.fraction() == 0);
  shown.update({Errc::pending, 5, 4}, start);
  CHECK(shown.fraction() == 1);
}

TEST_CASE("rate and time left appear once there is enough to tell") {
  ShownProgress shown(start);
  shown.update({Errc::pending, 0, 400}, start);
  shown.update({Errc::pending, 100, 400}, start + milliseconds(500));
  CHECK_FALSE(shown.rate(start + milliseconds(500)).has_value());
  CHECK_FALSE(shown.time_left(start + milliseconds(500)).has_value());
  shown.update({Errc::pending, 200, 400}, start + seconds(4));
  CHECK(shown.rate(start + seconds(4)).value() == doctest::Approx(50));
  CHECK(shown.time_left(start + seconds(4)).value() == seconds(4));
}

TEST_CASE("the rate begins anew with another scale") {
  ShownProgress shown(start);
  shown.update({Errc::pending, 0, 100}, start);
  shown.update({Errc::pending, 100, 100}, start + seconds(10));
  shown.update({Errc::pending, 0, 5000}, start + seconds(10));
  shown.update({Errc::pending, 2000, 5000}, start + seconds(12));
  CHECK(shown.rate(start + seconds(12)).value() == doctest::Approx(1000));
}

TEST_CASE("the bar fits every width") {
  ShownProgress shown(start);
  shown.update({Errc::pending, 0, 4096}, start);
  shown.update({Errc::pending, 2048, 4096}, start + seconds(2));
  const auto now = start + seconds(2);
  const auto line = bar_line("convert", shown, Unit::bytes, now, 80);
  CHECK(line == "convert [" + std::string(20, '=') + ">" + std::string(19, ' ') +
                    "]  50%  1 KiB/s  0:02 left");
  CHECK(bar_line("check", shown, Unit::steps, now, 80).find("/s") == std::string::npos);
  for (std::size_t width = 0; width < 120; ++width)
    CHECK(bar_line("convert", shown, Unit::bytes, now, width).size() <= width);
}

TEST_CASE("JSON lines say 100 percent only after success") {
  const auto parse = [](const JobStatus& status) {
    return nlohmann::json::parse(progress_json("merge", status));
  };
  const auto pending = parse({Errc::pending, 7, 7});
  CHECK(pending["operation"] == "merge");
  CHECK(pending["operation_status"] == "pending");
  CHECK(pending["percent"] == 99);
  CHECK(parse({Errc::success, 7, 7})["percent"] == 100);
  const auto failed = parse({Errc::no_space, 1, 2});
  CHECK(failed["operation_status"] == "no_space");
  CHECK(failed["current_value"] == 1);
  CHECK(failed["completion_value"] == 2);
  CHECK(failed["percent"] == 50);
}
