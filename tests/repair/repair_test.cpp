// Check and repair of images damaged by hand: what is found, what is left, and what must not
// change.
#include "engine/repair.h"

#include <fstream>
#include <iterator>
#include <sstream>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "repair/damaged_images.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

std::string docs_text() {
  std::ifstream file(std::string(VDISK_DOCS) + "/check.md");
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Whether the first column of a table names the id.
bool lists(const std::string& text, const std::string& id) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| ")) continue;
    const std::string column = " " + line.substr(2, line.find(" |") - 2) + ",";
    if (column.find(" " + id + ",") != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("check finds what was damaged") {
  for (const DamagedImage& image : damaged_images()) {
    CAPTURE(image.name);
    CHECK(summary_of(check_file(*image.format, *image.file)) == image.findings);
  }
}

TEST_CASE("planning a repair changes nothing and loses nothing") {
  for (const DamagedImage& image : damaged_images()) {
    CAPTURE(image.name);
    const auto before = image.file->content();
    Progress progress;
    const auto planned = plan_repair(image.file, *image.format, progress);
    REQUIRE_MESSAGE(planned.has_value(), planned.error().message);
    CHECK(image.file->content() == before);
    CHECK(summary_of(planned->before) == image.findings);
    CHECK(summary_of(planned->after) == image.left);
  }
}

TEST_CASE("a repair leaves what it said it would, and everything that could be read") {
  for (const DamagedImage& image : damaged_images()) {
    CAPTURE(image.name);
    const Content before = read_content(*image.format, image.file);
    Progress progress;
    const auto planned = plan_repair(image.file, *image.format, progress);
    REQUIRE(planned.has_value());
    const auto target = image.file->clone();
    REQUIRE(apply(*planned->plan, *target).has_value());
    CHECK(summary_of(check_file(*image.format, *target)) == image.left);
    const Content after = read_content(*image.format, target);
    CHECK(first_lost_byte(before, after) == -1);
    const auto again = plan_repair(target, *image.format, progress);
    REQUIRE(again.has_value());
    CHECK(again->plan->empty());
  }
}

TEST_CASE("docs/check.md lists every id that the images have") {
  const std::string text = docs_text();
  for (const DamagedImage& image : damaged_images()) {
    for (const Finding& finding : check_file(*image.format, *image.file).findings) {
      CAPTURE(finding.id);
      CHECK(lists(text, finding.id));
    }
  }
}
